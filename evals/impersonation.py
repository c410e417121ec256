"""Does Unmask find the impersonations of a person? The whole job, on persons never seen.

Query and gallery come from the half of the validation persons that fitted nothing; forgeries are
made by our own forge, so the figures say how the job holds together, not how it fares against
any particular generator. Relevant to a query: forged and depicting the query person.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from assistant import Settings, Unmask
from evals.metrics import average_precision, interval
from evals.options import EvalOptions
from tools.findings import Findings, Hit
from tools.query import NoFace
from tools.training.casework import Exhibit, ask_about_central_face, build, halves, portraits

EVERYTHING = 1_000_000
Ranking = list[tuple[Hit, Exhibit]]


def run(options: EvalOptions) -> dict[str, object]:
    """Mean average precision, its two oracles, and what becomes of every kind of file.

    *oracle detector*: ranked by the identity probability among true forgeries (what retrieval
    alone would reach); *oracle retrieval*: ranked by the forgery probability among files that
    truly depict the person (what detection alone would reach).
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.output or Path(temporary)
        people = halves(portraits(options.data, split="val"))[1]
        exhibits = build(people, folder, seed=2, queries=options.limit)
        unmask = Unmask(Settings(home=folder / "home"), gallery="impersonation")
        unmask.index([folder / "gallery"])
        answered, failed = _ask_all(unmask, folder, exhibits)
    return {
        "queries": len(answered),
        "queries_without_a_measurable_face": failed,
        "gallery_images": sum(exhibit.kind != "query" for exhibit in exhibits),
        **_average_precisions(answered, exhibits, seed=options.seed),
        **_outcomes(answered),
    }


def _ask_all(
    unmask: Unmask, folder: Path, exhibits: Sequence[Exhibit]
) -> tuple[dict[str, Ranking], int]:
    by_file = {exhibit.file: exhibit for exhibit in exhibits}
    answered: dict[str, Ranking] = {}
    failed = 0
    for exhibit in exhibits:
        if exhibit.kind != "query":
            continue
        try:
            findings = ask_about_central_face(
                lambda face, photo=folder / exhibit.file: unmask.find(  # type: ignore[misc]
                    [photo], top=EVERYTHING, face=face
                )
            )
        except NoFace:
            failed += 1
            answered[exhibit.depicted] = []
            continue
        answered[exhibit.depicted] = _with_answers(findings, by_file)
    return answered, failed


def _with_answers(findings: Findings, by_file: dict[str, Exhibit]) -> Ranking:
    return [(hit, by_file[str(hit.path.relative_to(hit.path.parents[1]))]) for hit in findings.hits]


def _average_precisions(
    answered: dict[str, Ranking], exhibits: Sequence[Exhibit], *, seed: int
) -> dict[str, object]:
    totals = Counter(exhibit.depicted for exhibit in exhibits if exhibit.kind == "forgery")
    orders: dict[str, Callable[[str, Hit, Exhibit], float]] = {
        "mAP": lambda _, hit, __: -hit.rank,
        "mAP_oracle_detector": lambda _, hit, what: (
            _known(hit.assessment.identity_probability) if what.kind == "forgery" else -1.0
        ),
        "mAP_oracle_retrieval": lambda person, hit, what: (
            _known(hit.assessment.fake_probability) if what.depicted == person else -1.0
        ),
    }
    figures: dict[str, object] = {}
    for name, order in orders.items():
        values = [
            average_precision(_relevance(person, ranking, order), totals[person])
            for person, ranking in answered.items()
        ]
        figures[name] = float(np.nanmean(values))
        figures[f"{name}_95"] = interval(values, seed=seed)
    return figures


def _relevance(
    person: str, ranking: Ranking, order: Callable[[str, Hit, Exhibit], float]
) -> list[bool]:
    ordered = sorted(ranking, key=lambda item: (-order(person, *item), item[0].image_id))
    return [what.kind == "forgery" and what.depicted == person for _, what in ordered]


def _known(probability: float | None) -> float:
    """A missing probability ranks behind every measured one."""
    return -0.5 if probability is None else probability


def _outcomes(answered: dict[str, Ranking]) -> dict[str, object]:
    """Verdicts by what the file really is, as seen from each query."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    by_family: dict[str, Counter[str]] = defaultdict(Counter)
    for person, ranking in answered.items():
        for hit, what in ranking:
            table[_kind(person, what)][hit.verdict] += 1
            if what.kind == "forgery" and what.depicted == person:
                by_family[what.family][hit.verdict] += 1
    return {
        "genuine_called_impersonation": _share(table["genuine photo of the person"]),
        "copies_called_impersonation": _share(table["copy of the query"]),
        "others_called_impersonation": _share(table["authentic photo of another"]),
        "body_owner_called_impersonation": _share(table["forgery of another on the person's body"]),
        "forgeries_called_impersonation": _share(table["forgery of the person"]),
        "verdicts": {kind: dict(counts) for kind, counts in sorted(table.items())},
        "verdicts_by_family": {family: dict(c) for family, c in sorted(by_family.items())},
    }


def _kind(person: str, what: Exhibit) -> str:
    if what.kind == "forgery":
        if what.depicted == person:
            return "forgery of the person"
        return (
            "forgery of another on the person's body"
            if what.body == person
            else "forgery of another"
        )
    if what.depicted != person:
        return "authentic photo of another"
    return "copy of the query" if what.kind == "copy" else "genuine photo of the person"


def _share(verdicts: Counter[str]) -> float:
    total = verdicts.total()
    return verdicts["impersonation"] / total if total else float("nan")
