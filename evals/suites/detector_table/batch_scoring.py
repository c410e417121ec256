"""Score a batch of pictures with every detector and the fusion, with a resumable cache."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models, measure_dataset
from evals.suites.detection.detector_inputs import MeasuredViews
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
from evals.suites.detector_table.logit_cache import LogitCache
from evals.suites.detector_table.samples import EvalBatch
from tools.search.query import Query


@dataclass(frozen=True, slots=True, eq=False)
class BatchLogits:
    """A measured batch with every detector's logits (n,) by name; NaN where nothing was measured.

    `bands` (n, 2) are the edges between which the fusion is inconclusive.
    """

    batch: EvalBatch
    measured: MeasuredDataset
    logits: dict[str, np.ndarray]
    bands: dict[str, np.ndarray]


def score_batch(
    batch: EvalBatch, entrants: Sequence[EvaluatedDetector], options: EvalOptions
) -> BatchLogits:
    """Measure the batch as in indexing, then run all detectors and the fusion.

    With an output folder, results are cached in it and reused.
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
    """The query for each picture, if there is a photo with a face."""
    if batch.photos is None or not batch.query_photo_of:
        return [None] * len(measured)
    # The batch itself may contain these pictures: then they are not measured again.
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
    """Cache key of the further scores: they depend on all embedding models."""
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
