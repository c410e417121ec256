"""Face retrieval by query: gallery membership, ranks of mates, and verification pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evals.datasets.manifest import ManifestRow
from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset
from evals.protocol.protocol import source
from tools.metrics import (
    average_precision,
    mate_ranks,
    r_precision,
    reciprocal_rank,
    resamples,
    roc,
)

Mates = Literal["real", "fake"]
MATES: tuple[Mates, ...] = ("real", "fake")
SimilarityFn = Callable[[np.ndarray], np.ndarray]
"""Maps row indices (q,) to similarities (q, n) to all rows; higher is more similar."""

FALSE_ACCEPT_RATES = (1e-2, 1e-3, 1e-4)
MOST_IMPOSTORS = 500_000
ROUNDS = 200
_CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalResult:
    """Results of all queries (q,) for one kind of mates, and the underlying comparisons.

    `ranks` of the first mate, inf: all were missed, NaN: there is none; `totals` mates, found or
    not; `gallery` pictures; `values` by measure. `genuine` and `impostor` are similarities to the
    queried person, as (k,) arrays each; `impostors` is their number before sampling.
    """

    ranks: np.ndarray
    totals: np.ndarray
    gallery: np.ndarray
    values: dict[str, np.ndarray]
    genuine: tuple[np.ndarray, np.ndarray]
    impostor: tuple[np.ndarray, np.ndarray]
    impostors: int


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalTask:
    """Rows (n,) as columns, and which are queries: `persons` "" unknown, `places` their sources."""

    ids: tuple[str, ...]
    persons: np.ndarray
    places: np.ndarray
    forged: np.ndarray
    found: np.ndarray
    queries: np.ndarray

    def by_face(self, embeddings: np.ndarray) -> SimilarityFn:
        """The cosine of embeddings (n, e)."""
        return lambda queries: embeddings[queries] @ embeddings.T

    def ask(self, similarity: SimilarityFn, mates: Mates, options: EvalOptions) -> RetrievalResult:
        """Run every query, with mates of one kind."""
        rng = np.random.default_rng(options.seed)
        parts = []
        for start in range(0, len(self.queries), _CHUNK):
            options.progress(start, len(self.queries), f"asking for {mates} mates")
            chunk = self.queries[start : start + _CHUNK]
            share = MOST_IMPOSTORS / max(1, len(self.queries) * len(self.ids))
            parts.append(self._chunk(similarity(chunk), chunk, mates, rng, share))
        return _joined(parts)

    def same(self, chunk: np.ndarray) -> np.ndarray:
        """(q, n): depicts the queried person, in authentic and forged pictures."""
        known = self.persons[chunk] != ""
        same: np.ndarray = (self.persons[chunk][:, None] == self.persons) & known[:, None]
        return same

    def members(self, chunk: np.ndarray, mates: Mates) -> tuple[np.ndarray, np.ndarray]:
        """(q, n) twice: which rows are in the gallery, and which of them are mates."""
        same = self.same(chunk)
        wanted = self.forged if mates == "fake" else ~self.forged
        elsewhere = self.places[chunk][:, None] != self.places
        # A forgery of an unknown person may show the queried person, so its relevance is unknown.
        nameless = self.forged & (self.persons == "")
        gallery = elsewhere & ~nameless & (~same | wanted)
        return gallery, gallery & same

    def _chunk(
        self, similarity: np.ndarray, chunk: np.ndarray, mates: Mates, rng: np.random.Generator,
        share: float,
    ) -> RetrievalResult:  # fmt: skip
        gallery, same = self.members(chunk, mates)
        known = np.where(gallery, similarity, np.nan)
        totals = same.sum(axis=1)
        ranks = mate_ranks(known, same)
        lists = [_flags(*row, self.ids) for row in zip(known, same, strict=True)]
        counted = ~np.isnan(known)
        drawn = counted & ~same & (rng.random(known.shape) < share)
        return RetrievalResult(
            np.where((totals > 0) & np.isnan(ranks), np.inf, ranks),
            totals,
            gallery.sum(axis=1),
            _values(lists, totals),
            self._pairs(known, chunk, counted & same),
            self._pairs(known, chunk, drawn),
            int((counted & ~same).sum()),
        )

    def _pairs(
        self, known: np.ndarray, chunk: np.ndarray, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return known[chosen], self.persons[chunk[np.nonzero(chosen)[0]]]


def build_task(measured: MeasuredDataset) -> RetrievalTask:
    """The queries of a measured data set; rows with unknown labels are left out."""
    labelled = measured.take(np.flatnonzero(measured.labelled))
    rows = labelled.rows
    return task_from_rows(rows, labelled.ids, labelled.found)


def task_from_rows(
    rows: Sequence[ManifestRow], ids: Sequence[str], found: np.ndarray
) -> RetrievalTask:
    """The same from rows alone; `found` (n,) marks rows with a measured face."""
    persons = np.array([row.depicted_id or "" for row in rows], str)
    places = np.array([source(row) for row in rows], str)
    forged = np.array([row.label == "fake" for row in rows], bool)
    search = RetrievalTask(
        tuple(ids), persons, places, forged, np.asarray(found, bool), np.array([], int)
    )
    first: dict[str, int] = {}
    for index in np.flatnonzero(search.found & ~forged & (persons != "")):
        first.setdefault(str(places[index]), int(index))
    asking = np.array(sorted(first.values()), int)
    return replace(search, queries=asking[_has_mates(search, asking)])


def _has_mates(search: RetrievalTask, asking: np.ndarray) -> np.ndarray:
    """(q,) bool: the query's gallery has a picture of the person, of either kind."""
    met = np.zeros(len(asking), bool)
    for start in range(0, len(asking), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        for mates in MATES:
            met[chunk] |= search.members(asking[chunk], mates)[1].any(axis=1)
    return met


def _flags(similarity: np.ndarray, mates: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    """Relevance (bool) along a list, best first; ties keep the order of the rows."""
    order = np.argsort(-similarity, kind="stable")
    flags: np.ndarray = mates[order][: int((~np.isnan(similarity)).sum())]
    return flags


def _values(lists: Sequence[np.ndarray], totals: np.ndarray) -> dict[str, np.ndarray]:
    pairs = [(flags.tolist(), int(total)) for flags, total in zip(lists, totals, strict=True)]
    return {
        "mAP": np.array([average_precision(flags, total) for flags, total in pairs], float),
        "r_precision": np.array([r_precision(flags, total) for flags, total in pairs], float),
        "mrr": np.array([reciprocal_rank(flags, total) for flags, total in pairs], float),
    }


def _joined(parts: Sequence[RetrievalResult]) -> RetrievalResult:
    def columns(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    def pairs(name: str) -> tuple[np.ndarray, np.ndarray]:
        both = [getattr(part, name) for part in parts]
        return np.concatenate([it for it, _ in both]), np.concatenate([it for _, it in both])

    names = parts[0].values
    return RetrievalResult(
        columns("ranks"), columns("totals"), columns("gallery"),
        {name: np.concatenate([part.values[name] for part in parts]) for name in names},
        pairs("genuine"), pairs("impostor"), sum(part.impostors for part in parts),
    )  # fmt: skip


def verification(found: RetrievalResult, *, seed: int) -> dict[str, object]:
    """AUC and the share of genuine pairs accepted at each rate, with intervals over persons."""
    scores = np.concatenate([found.genuine[0], found.impostor[0]])
    labels = np.repeat([True, False], [len(found.genuine[0]), len(found.impostor[0])])
    persons = np.concatenate([found.genuine[1], found.impostor[1]])
    rates = [rate for rate in FALSE_ACCEPT_RATES if len(found.impostor[0]) * rate >= 1]
    whole = _operating(scores, labels, np.ones(len(scores)), rates)
    drawn = [*_drawn(scores, labels, persons, rates, seed=seed)]
    figures: dict[str, object] = {
        "genuine_pairs": len(found.genuine[0]),
        "impostor_pairs": len(found.impostor[0]),
        "impostor_pairs_there_are": found.impostors,
    }
    for place, name in enumerate(["auc", *(f"tar_at_far_{rate:g}" for rate in rates)]):
        figures[name] = whole[place]
        figures[f"{name}_95"] = _edges([values[place] for values in drawn])
    for rate in [rate for rate in FALSE_ACCEPT_RATES if rate not in rates]:
        figures[f"tar_at_far_{rate:g}"] = float("nan")
    figures["too_few_impostors_for_far"] = [
        f"{rate:g}" for rate in FALSE_ACCEPT_RATES if rate not in rates
    ]
    return figures


def _drawn(
    scores: np.ndarray,
    labels: np.ndarray,
    persons: np.ndarray,
    rates: Sequence[float],
    *,
    seed: int,
) -> Iterator[list[float]]:
    if len(np.unique(persons)) < 2:
        return
    for weights in resamples(persons, seed=seed, rounds=ROUNDS):
        kept = weights > 0
        yield _operating(scores[kept], labels[kept], weights[kept].astype(float), rates)


def _operating(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, rates: Sequence[float]
) -> list[float]:
    """AUC, then the true accept rate at each false accept rate; NaN if a class is missing."""
    curve = roc(scores, labels, weights=weights)
    if curve is None:
        return [float("nan")] * (1 + len(rates))
    return [curve.area, *(curve.at(rate).tpr for rate in rates)]


def _edges(values: Sequence[float]) -> tuple[float, float]:
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
