"""Asks everyone about a batch of pictures, and keeps the answers for a run that goes on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models, measure_dataset
from evals.suites.detection.detector_inputs import MeasuredViews
from evals.suites.detector_table.answers import LogitCache
from evals.suites.detector_table.detector_list import EvaluatedDetector
from evals.suites.detector_table.fusion import (
    ALL_QUERY_SCORES,
    FUSED_ALONE,
    FUSED_WITH_QUERY,
    QUERY_SCORES,
    RULE_METHODS,
    add_query_scores,
    fuse,
    query_scores,
    scores_by_row,
)
from evals.suites.detector_table.samples import EvalBatch
from tools.search.query import Query


@dataclass(frozen=True, slots=True, eq=False)
class BatchLogits:
    """A batch, measured, and everyone's logits (n,) by name; NaN where nothing was measured.

    `bands` (n, 2) are the edges between which fusion leaves a row undecided.
    """

    batch: EvalBatch
    measured: MeasuredDataset
    logits: dict[str, np.ndarray]
    bands: dict[str, np.ndarray]


def score_batch(
    batch: EvalBatch, entrants: Sequence[EvaluatedDetector], options: EvalOptions
) -> BatchLogits:
    """Measure the batch as a folder is indexed, then ask everyone and fuse what they say.

    With an output folder, answers are kept in it and not asked for again.
    """
    plain = replace(options, limit=None)
    measured = measure_dataset(batch.manifest, plain)
    queries = _queries(batch, measured, plain)
    wanted = [it for it in entrants if not (batch.scenes and it.detector.inputs == "face")]
    told = [batch.manifest.digest, measured.ids, sorted(batch.query_photo_of.items())]
    kept = LogitCache.of(batch.name.replace("/", "-"), told, options.output)
    views = _views(measured, queries)
    if not kept.holds([*_closer_keys().values(), *(it.key for it in wanted)]):
        views = views.held()

    def on_detector(number: int, name: str) -> None:
        options.progress(number, len(wanted), f"{batch.name}: {name}")

    logits = kept.ask(wanted, views, on_detector)
    if batch.scenes:
        return BatchLogits(batch, measured, logits, {})
    alone = scores_by_row(logits)
    options.progress(0, 0, f"{batch.name}: beside the query photos")
    closer = _closer(views, queries, kept)
    rows = [{**one, **other} for one, other in zip(alone, scores_by_row(closer), strict=True)]
    beside = add_query_scores(rows, measured, queries)
    logits |= {name: closer[name] for name in QUERY_SCORES if np.isfinite(closer[name]).any()}
    bands = {}
    for name, asking in ((FUSED_ALONE, alone), (FUSED_WITH_QUERY, beside)):
        rule = load_models().rule
        if rule is not None:
            found = fuse(rule, RULE_METHODS[name], asking)
            logits[name], bands[name] = found.logits, found.bands
    return BatchLogits(batch, measured, logits, bands)


def _queries(
    batch: EvalBatch, measured: MeasuredDataset, options: EvalOptions
) -> list[Query | None]:
    """Who would be asked for beside each picture, where there is a photo that shows a face."""
    if batch.photos is None or not batch.query_photo_of:
        return [None] * len(measured)
    # The same pictures may stand in the batch itself: then nothing is measured a second time.
    photos = measured if batch.photos is batch.manifest else measure_dataset(batch.photos, options)
    place = {row.path: at for at, row in enumerate(photos.rows) if photos.found[at]}
    made: dict[str, Query] = {}
    found: list[Query | None] = []
    for row in measured.rows:
        path = batch.query_photo_of.get(row.path, "")
        if path in place and path not in made:
            made[path] = photos.query([place[path]])
        found.append(made.get(path))
    return found


def _views(measured: MeasuredDataset, queries: Sequence[Query | None]) -> MeasuredViews:
    asking = np.full(measured.embeddings.shape, np.nan, np.float32)
    for index, query in enumerate(queries):
        if query is not None and asking.size:
            asking[index] = query.template
    return MeasuredViews.of(measured, query=asking)


def _closer_keys() -> dict[str, str]:
    """What the further scores are kept under: they rest on every part that embeds."""
    told = json.dumps(load_models().fingerprint, sort_keys=True)
    second = load_models().second_embedder
    told += "" if second is None else second.sha256
    return {
        name: f"{name} {hashlib.sha256(told.encode()).hexdigest()}" for name in ALL_QUERY_SCORES
    }


def _closer(
    views: MeasuredViews, queries: Sequence[Query | None], kept: LogitCache
) -> dict[str, np.ndarray]:
    keys = _closer_keys()
    if not kept.holds(keys.values()):
        for name, values in query_scores(views, queries).items():
            kept.add(keys[name], values)
    return {name: kept.logits[key] for name, key in keys.items()}
