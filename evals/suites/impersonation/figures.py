"""Figures of ranked search results: mAP with oracles, other rankings, verdicts and failures.

Every figure is a mean over the queried persons with a bootstrap interval over them. A list is
sorted by a value of its pictures; ties are broken by name, so that results are deterministic.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from evals.suites.impersonation.search_results import RankedImage, SearchResult
from tools.metrics import (
    average_precision,
    interval,
    mean,
    ndcg_at,
    paired_difference,
    precision_at,
    r_precision,
    recall_at,
    reciprocal_rank,
)
from tools.verdict.rule import Verdict

Order = Callable[[RankedImage], float]
Measure = Callable[[Sequence[bool], int], float]

FILTER_AT = 0.5
"""Threshold of P(same person) at even odds: above it the likelihood ratio favours the person."""


def _known(probability: float | None) -> float:
    """A missing probability ranks behind every measured one."""
    return -0.5 if probability is None else probability


def _product(it: RankedImage) -> float:
    return -0.5 if it.same is None or it.fake is None else it.same * it.fake


def _filtered(it: RankedImage) -> float:
    """Pictures that pass the identity filter are ranked by forgery, the others follow by
    similarity."""
    same = _known(it.same)
    return 2.0 + _known(it.fake) if same >= FILTER_AT else same


ORDERS: Mapping[str, Order] = {
    "mAP": lambda it: -it.rank,
    # Ranked by identity among true forgeries: the ceiling of retrieval alone.
    "mAP_oracle_detector": lambda it: _known(it.same) if "forgery" in it.kind else -1.0,
    # Ranked by forgery among files that truly depict the person: the ceiling of detection alone.
    "mAP_oracle_retrieval": lambda it: _known(it.fake) if _depicted(it) else -1.0,
}

FUSIONS: Mapping[str, Order] = {
    "whole_rule": ORDERS["mAP"],
    "product": _product,
    "filter_then_rank": _filtered,
}

MEASURES: Mapping[str, Measure] = {
    "recall_at_1": lambda flags, total: recall_at(flags, total, 1),
    "recall_at_5": lambda flags, total: recall_at(flags, total, 5),
    "recall_at_10": lambda flags, total: recall_at(flags, total, 10),
    "recall_at_50": lambda flags, total: recall_at(flags, total, 50),
    "precision_at_10": lambda flags, total: precision_at(flags, total, 10),
    "ndcg_at_10": lambda flags, total: ndcg_at([float(flag) for flag in flags], [1.0] * total, 10),
    "r_precision": r_precision,
    "mrr": reciprocal_rank,
}

# Outcome of each verdict on a forgery of the person.
_OUTCOMES: Mapping[Verdict, str] = {
    "impersonation": "correct",
    "inconclusive": "inconclusive",
    "no forgery found": "ranked_as_real",
    "copy": "ranked_as_real",
    "other": "not_retrieved",
    "not assessed": "no_usable_face",
}
_COLUMNS = ("no_usable_face", "not_retrieved", "ranked_as_real", "inconclusive", "correct")


def _depicted(it: RankedImage) -> bool:
    return it.relevant or it.kind in ("authentic photo of the person", "copy of the query")


def flags(answer: SearchResult, order: Order) -> list[bool]:
    """Relevance (bool) along a list, best first."""
    ordered = sorted(answer.judged, key=lambda it: (-order(it), it.tie))
    return [it.relevant for it in ordered]


def average_precisions(answers: Sequence[SearchResult], order: Order) -> list[float]:
    """The average precision of every search; NaN if there is nothing to find.

    Also NaN for perfect retrieval without an authentic photo of the person: with nothing to
    separate, this is no ceiling for a detector.
    """
    if order is ORDERS["mAP_oracle_retrieval"]:
        return [_detected(one) for one in answers]
    return [average_precision(flags(one, order), one.relevant) for one in answers]


def _detected(answer: SearchResult) -> float:
    trivial = all(it.relevant for it in answer.judged if _depicted(it))
    found = average_precision(flags(answer, ORDERS["mAP_oracle_retrieval"]), answer.relevant)
    return float("nan") if trivial and answer.judged else found


def mean_metrics(answers: Sequence[SearchResult], *, seed: int) -> dict[str, object]:
    """Mean average precision, its two ceilings, and the other measures of our lists."""
    found: dict[str, object] = {}
    for name, order in ORDERS.items():
        found |= summary(name, average_precisions(answers, order), seed=seed)
    for name, measure in MEASURES.items():
        values = [measure(flags(one, ORDERS["mAP"]), one.relevant) for one in answers]
        found |= summary(name, values, seed=seed)
    return found


def summary(name: str, values: Sequence[float], *, seed: int) -> dict[str, object]:
    """A mean and its interval, under their two names."""
    return {name: mean(values), f"{name}_95": interval(values, seed=seed)}


def fusions(answers: Sequence[SearchResult], *, seed: int) -> dict[str, object]:
    """Our rule compared with simple ways to combine two probabilities into one list.

    Differences are our rule minus each of the others, query by query.
    """
    ours = average_precisions(answers, FUSIONS["whole_rule"])
    found: dict[str, object] = {}
    for name, order in FUSIONS.items():
        theirs = average_precisions(answers, order)
        found[name] = summary("mAP", theirs, seed=seed)
        if name != "whole_rule":
            found[name] |= gain(answers, ours, theirs, seed=seed)  # type: ignore[operator]
    return found


def gain(
    answers: Sequence[SearchResult], ours: Sequence[float], theirs: Sequence[float], *, seed: int
) -> dict[str, object]:
    """Difference of our mean to another's over the same persons, and its p-value."""
    persons = [one.person for one in answers]
    found = paired_difference(mean, persons, [ours], [theirs], seed=seed)
    return {"ours_more_by": found.value, "ours_more_by_95": (found.low, found.high), "p": found.p}


def outcomes(answers: Sequence[SearchResult]) -> dict[str, object]:
    """Verdicts by the true kind of file, over all queries."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    by_family: dict[str, Counter[str]] = defaultdict(Counter)
    bodies: Counter[str] = Counter()
    for it in (it for one in answers for it in one.judged):
        table[it.kind][it.verdict] += 1
        if it.relevant:
            by_family[it.method][it.verdict] += 1
        if it.body_owner:
            bodies[it.verdict] += 1
    return {
        "genuine_called_impersonation": _share(table["authentic photo of the person"]),
        "copies_called_impersonation": _share(table["copy of the query"]),
        "others_called_impersonation": _share(table["authentic photo of another"]),
        "body_owner_called_impersonation": _share(table["forgery of another on the person's body"]),
        "forgeries_called_impersonation": _share(table["forgery of the person"]),
        "forgeries_of_others_called_impersonation": _share(table["forgery of another"]),
        "photos_of_body_owners_called_impersonation": _share(bodies),
        "verdicts": {kind: dict(counts) for kind, counts in sorted(table.items()) if counts},
        "verdicts_by_family": {family: dict(c) for family, c in sorted(by_family.items())},
    }


def _share(verdicts: Counter[str]) -> float:
    total = verdicts.total()
    return verdicts["impersonation"] / total if total else float("nan")


def failures(answers: Sequence[SearchResult]) -> dict[str, dict[str, int]]:
    """Outcomes of the queried persons' forgeries, by method: counts of five outcomes.

    *not retrieved*: taken for another person, or too dissimilar to be examined; *ranked as real*:
    called `no forgery found`, or a copy of the query.
    """
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for one in answers:
        for it in one.judged:
            if it.relevant:
                table[it.method][_OUTCOMES[it.verdict]] += 1
        for lost in one.missed:
            outcome = "not_retrieved" if lost.face_found else "no_usable_face"
            table[lost.method][outcome] += 1
    table["all methods"] = sum(table.values(), Counter[str]())
    return {name: {it: counts[it] for it in _COLUMNS} for name, counts in sorted(table.items())}
