"""Compare another system's ranked lists with ours, on the same gallery."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.runs.peers import align_scores, read_rankings
from evals.suites.impersonation.figures import MEASURES, ORDERS, average_precisions, gain, summary
from evals.suites.impersonation.search_results import SearchResult
from tools.metrics import average_precision


def compare_with_peer(
    made: Sequence[SearchResult], gallery: Sequence[str], file: Path, *, seed: int
) -> dict[str, object]:
    """Its figures and our advantage; pictures it did not list count as missed.

    `file` holds query,path,score; a query is named by its (first) photo.
    """
    rankings = read_rankings(file)
    lists = [rankings.get(one.photos[0], {}) if one.photos else {} for one in made]
    aligned = [align_scores(it, gallery) for it in lists]
    found = [flags(one, it, gallery) for one, it in zip(made, lists, strict=True)]
    pairs = [(it, one.relevant) for one, it in zip(made, found, strict=True)]
    precision = [average_precision(*pair) for pair in pairs]
    figures: dict[str, object] = {
        "queries_unanswered": sum(not it for it in lists),
        "scores_missing": sum(len(it.missing) for it in aligned),
        "paths_unknown": sum(len(it.unknown) for it in aligned),
        **summary("mAP", precision, seed=seed),
    }
    for name, measure in MEASURES.items():
        figures |= summary(name, [measure(*pair) for pair in pairs], seed=seed)
    return figures | gain(made, average_precisions(made, ORDERS["mAP"]), precision, seed=seed)


def flags(answer: SearchResult, ranking: Mapping[str, float], gallery: Sequence[str]) -> list[bool]:
    """Relevance (bool) along the list, best first; ties are broken by name."""
    relevant = {it.id for it in answer.judged if it.relevant} | {it.id for it in answer.missed}
    scores = align_scores(ranking, gallery).values
    listed = sorted((-score, name) for name, score in zip(gallery, scores, strict=True)
                    if score == score)  # fmt: skip
    return [name in relevant for _, name in listed]
