"""Asks everyone about a batch of pictures, and keeps the answers for a run that goes on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evals.detectors.fusing import (
    ALL_FURTHER,
    ALONE,
    ASKED,
    FURTHER,
    WITH_QUERY,
    beside_queries,
    further,
    fused,
    rows_of,
)
from evals.detectors.material import Batch
from evals.detectors.roster import Entrant
from evals.detectors.views import MeasuredViews
from evals.measured import Measured, measure, parts
from evals.options import EvalOptions
from evals.runs.figures import jsonable
from evals.runs.folder import write_at_once
from tools.detectors.judging import judge
from tools.query import Query


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A batch, measured, and everyone's logits (n,) by name; NaN where nothing was measured.

    `bands` (n, 2) are the edges between which fusion leaves a row undecided.
    """

    batch: Batch
    measured: Measured
    logits: dict[str, np.ndarray]
    bands: dict[str, np.ndarray]


def asked(batch: Batch, entrants: Sequence[Entrant], options: EvalOptions) -> Answers:
    """Measure the batch as a folder is indexed, then ask everyone and fuse what they say.

    With an output folder, answers are kept in it and not asked for again.
    """
    plain = replace(options, limit=None)
    measured = measure(batch.manifest, plain)
    queries = _queries(batch, measured, plain)
    wanted = [it for it in entrants if not (batch.scenes and it.detector.inputs == "face")]
    kept = _Kept.of(batch, measured, options.output)
    views = _views(measured, queries)
    if not kept.holds(wanted):
        views = views.held()
    logits = _judged(wanted, views, kept, options, batch.name)
    if batch.scenes:
        return Answers(batch, measured, logits, {})
    alone = rows_of(logits)
    options.progress(0, 0, f"{batch.name}: beside the query photos")
    closer = _closer(views, queries, kept)
    rows = [{**one, **other} for one, other in zip(alone, rows_of(closer), strict=True)]
    beside = beside_queries(rows, measured, queries)
    logits |= {name: closer[name] for name in FURTHER if np.isfinite(closer[name]).any()}
    bands = {}
    for name, asking in ((ALONE, alone), (WITH_QUERY, beside)):
        rule = parts().rule
        if rule is not None:
            found = fused(rule, ASKED[name], asking)
            logits[name], bands[name] = found.logits, found.bands
    return Answers(batch, measured, logits, bands)


def _queries(batch: Batch, measured: Measured, options: EvalOptions) -> list[Query | None]:
    """Who would be asked for beside each picture, where there is a photo that shows a face."""
    if batch.photos is None or not batch.asks:
        return [None] * len(measured)
    # The same pictures may stand in the batch itself: then nothing is measured a second time.
    photos = measured if batch.photos is batch.manifest else measure(batch.photos, options)
    place = {row.path: at for at, row in enumerate(photos.rows) if photos.found[at]}
    made: dict[str, Query] = {}
    found: list[Query | None] = []
    for row in measured.rows:
        path = batch.asks.get(row.path, "")
        if path in place and path not in made:
            made[path] = photos.query([place[path]])
        found.append(made.get(path))
    return found


def _views(measured: Measured, queries: Sequence[Query | None]) -> MeasuredViews:
    asking = np.full(measured.embeddings.shape, np.nan, np.float32)
    for index, query in enumerate(queries):
        if query is not None and asking.size:
            asking[index] = query.template
    return MeasuredViews.of(measured, query=asking)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """Answers on the disk, of exactly these pictures and queries; without a path none are kept."""

    path: Path | None
    pictures: str
    logits: dict[str, np.ndarray]

    @classmethod
    def of(cls, batch: Batch, measured: Measured, output: Path | None) -> "_Kept":
        told = json.dumps([batch.manifest.digest, measured.ids, sorted(batch.asks.items())])
        pictures = hashlib.sha256(told.encode()).hexdigest()
        if output is None:
            return cls(None, pictures, {})
        path = output / "home" / "answers" / f"{batch.name.replace('/', '-')}.json"
        kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        mine = kept.get("logits", {}) if kept.get("pictures") == pictures else {}
        return cls(path, pictures, {name: np.array(it, float) for name, it in mine.items()})

    def holds(self, entrants: Sequence[Entrant]) -> bool:
        """Whether nobody has to look at a picture again."""
        return {*_closer_keys().values(), *(it.key for it in entrants)} <= {*self.logits}

    def add(self, key: str, logits: np.ndarray) -> None:
        self.logits[key] = logits
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            told = {"pictures": self.pictures, "logits": jsonable(self.logits)}
            write_at_once(self.path, json.dumps(told))


def _judged(
    entrants: Sequence[Entrant], views: MeasuredViews, kept: _Kept, options: EvalOptions, name: str
) -> dict[str, np.ndarray]:
    official: MeasuredViews | None = None
    for number, it in enumerate(entrants):
        options.progress(number, len(entrants), f"{name}: {it.name}")
        if it.key in kept.logits:
            continue
        if it.detector.preprocessing == "official":
            official = official or views.seen_in("official", parts().encoder)
        shown = official if it.detector.preprocessing == "official" and official else views
        kept.add(it.key, judge(it.detector, shown).logits)
    return {it.name: kept.logits[it.key] for it in entrants}


def _closer_keys() -> dict[str, str]:
    """What the further scores are kept under: they rest on every part that embeds."""
    told = json.dumps(parts().fingerprint, sort_keys=True)
    second = parts().second_embedder
    told += "" if second is None else second.sha256
    return {name: f"{name} {hashlib.sha256(told.encode()).hexdigest()}" for name in ALL_FURTHER}


def _closer(
    views: MeasuredViews, queries: Sequence[Query | None], kept: _Kept
) -> dict[str, np.ndarray]:
    keys = _closer_keys()
    if not {*keys.values()} <= {*kept.logits}:
        for name, values in further(views, queries).items():
            kept.add(keys[name], values)
    return {name: kept.logits[key] for name, key in keys.items()}
