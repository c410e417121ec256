"""Does face search alone find a person's pictures, authentic and forged?

Any data set with identities. Every authentic source (a video, or a photo that belongs to none) of a
person with mates is one query, with its first frame that shows a face. Its gallery is every other
source's pictures. Mates are the other authentic pictures of the person in one measurement and the
forgeries that depict the person in the other; each measurement leaves out the other kind of mates,
so that they differ in nothing else: the drop shows how much identity a forgery loses. Pictures of
all others, forged or not, are impostors in both. A mate without a measured face counts as missed.
*Verification* uses the same comparisons as pairs, with at most half a million random impostors.

Intervals: 95 %, bootstrap over persons. A false accept rate too low for the number of impostors is
not measured. Pictures made from the query's own source are in no gallery: they share more with it
than the face. `--peer NAME=FILE` (query,path,score) is evaluated in the same way.
"""

from collections.abc import Mapping

import numpy as np

from evals.options import EvalOptions
from evals.protocol.data import prepare_dataset
from evals.runs.peers import align_scores, read_rankings
from evals.runs.samples import SampleWriter
from evals.suites.retrieval.pictures import draw
from evals.suites.retrieval.ranking import (
    MATES,
    Mates,
    RetrievalResult,
    RetrievalTask,
    SimilarityFn,
    build_task,
    verification,
)
from tools.errors import SetupError
from tools.metrics import grouped_interval, mean, paired_difference, rank_k

RANKS = (1, 5, 10)


def run(options: EvalOptions) -> dict[str, object]:
    """Figures with authentic and with forged mates, the drop, and those of other systems."""
    data = prepare_dataset(options)
    measured = data.measured
    search = build_task(measured)
    if not search.queries.size:
        raise SetupError(
            f"no person in {str(options.data)!r} is shown in two different photos or videos; "
            "the manifest's column depicted_id says who is shown"
        )
    found = _both(search, search.by_face(measured.embeddings), options)
    draw(found, measured, options)
    _keep(found, search, options)
    return {
        **data.figures(),
        "persons": len(set(search.persons) - {""}),
        **_figures(found, search, options.seed),
        **_peers(search, options),
    }


def _both(
    search: RetrievalTask, similarity: SimilarityFn, options: EvalOptions
) -> dict[Mates, RetrievalResult]:
    return {mates: search.ask(similarity, mates, options) for mates in MATES}


def _figures(
    found: Mapping[Mates, RetrievalResult], search: RetrievalTask, seed: int
) -> dict[str, object]:
    return {
        **{f"{mates}_mates": _of(one, search, seed) for mates, one in found.items()},
        "drop": _drop(found, search, seed),
    }


def _of(found: RetrievalResult, search: RetrievalTask, seed: int) -> dict[str, object]:
    """Figures of the queries with mates of this kind; all NaN if there are none."""
    persons = search.persons[search.queries]
    figures: dict[str, object] = {
        "queries": int((found.totals > 0).sum()),
        "gallery": mean(found.gallery[found.totals > 0]),
        "prevalence": mean((found.totals / np.maximum(found.gallery, 1))[found.totals > 0]),
        **verification(found, seed=seed),
    }
    for k in RANKS:

        def at_k(ranks: np.ndarray, k: int = k) -> float:
            return rank_k(ranks, k)

        figures[f"rank_{k}"] = at_k(found.ranks)
        figures[f"rank_{k}_95"] = grouped_interval(at_k, persons, found.ranks, seed=seed)
    for name, values in found.values.items():
        figures[name] = mean(values)
        figures[f"{name}_95"] = grouped_interval(mean, persons, values, seed=seed)
    return figures


def _drop(
    found: Mapping[Mates, RetrievalResult], search: RetrievalTask, seed: int
) -> dict[str, object]:
    """Authentic minus forged mates, over the queries that have both, with its p-value."""
    real, fake = found["real"], found["fake"]
    both = (real.totals > 0) & (fake.totals > 0)
    persons = search.persons[search.queries][both]
    figures: dict[str, object] = {"queries": int(both.sum())}
    pairs = {"rank_1": (real.ranks <= 1, fake.ranks <= 1)}
    pairs |= {name: (real.values[name], fake.values[name]) for name in real.values}
    for name, (ours, theirs) in pairs.items():
        it = paired_difference(
            mean, persons, [ours[both].astype(float)], [theirs[both].astype(float)], seed=seed
        )
        figures |= {name: it.value, f"{name}_95": (it.low, it.high), f"{name}_p": it.p}
    return figures


def _keep(
    found: Mapping[Mates, RetrievalResult], search: RetrievalTask, options: EvalOptions
) -> None:
    samples = SampleWriter(options.output)
    for mates, one in found.items():
        for place, index in enumerate(search.queries):
            if one.totals[place]:
                values = {name: column[place] for name, column in one.values.items()}
                samples.query(
                    id=f"{search.ids[index]} ({mates} mates)",
                    group=str(search.persons[index]),
                    values={**values, "rank_1": float(one.ranks[place] <= 1)},
                    mates=int(one.totals[place]),
                    first_mate_at=one.ranks[place],
                )


# -- other systems ---------------------------------------------------------------------------


def _peers(search: RetrievalTask, options: EvalOptions) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, file in options.peers:
        rankings = read_rankings(file)
        similarity = _of_peer(search, rankings)
        asked = [search.ids[index] for index in search.queries]
        figures[name] = {
            "queries_unanswered": sum(query not in rankings for query in asked),
            **_figures(_both(search, similarity, options), search, options.seed),
        }
    return {"peers": figures} if figures else {}


def _of_peer(search: RetrievalTask, rankings: Mapping[str, Mapping[str, float]]) -> SimilarityFn:
    """A peer's scores as a similarity; NaN if missing: such a mate counts as missed."""

    def similarity(queries: np.ndarray) -> np.ndarray:
        rows = [align_scores(rankings.get(search.ids[i], {}), search.ids).values for i in queries]
        return np.array(rows, float).reshape(len(queries), len(search.ids))

    return similarity
