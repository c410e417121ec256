"""Miss rate of the fitted verdict rule on face swaps by tools never used in training.

Compares each face swap of `deepfakes/swaps.csv` with a photo of the person whose face it shows. The
swaps are used for no fitting or selection; the share of them that reads "no sign of forgery" is
shown beside that verdict.
"""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.training.calibration.benchmark_cases import (
    BenchmarkFile,
    LabelledComparison,
    score_benchmark,
)
from tools.training.calibration.components import CalibrationModels
from tools.verdict.rule import ForgeryQuestion, VerdictRule

WHAT = "face swaps by tools that nothing was trained on"


def real_swaps(data: Path, work: Path, *, models: CalibrationModels) -> list[LabelledComparison]:
    """Compare every swap with a photo of the person it depicts; swaps without a usable face are
    left out."""
    root, exhibits = data / "deepfakes", list[BenchmarkFile]()
    asked = dict[str, str]()
    with (root / "swaps.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for number, row in enumerate(rows):
        person = row["authentic_source"]
        if person not in asked:
            asked[person] = _copied(root / person, work / "query", len(asked))
            exhibits.append(BenchmarkFile(asked[person], "query", person, person, ""))
        file = _copied(root / row["fake"], work / "gallery", number)
        exhibits.append(
            BenchmarkFile(file, "forgery", person, row["authentic_target"], row["method"])
        )
    found = score_benchmark(
        work, exhibits, faces=models.faces, encoder=models.encoder, detectors=models.detectors,
        further=models.further,
    )  # fmt: skip
    return [row for row in found if row.same_person and row.usable]


def _copied(path: Path, folder: Path, number: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{number:03}{path.suffix}"
    shutil.copyfile(path, place)
    return str(place.relative_to(folder.parent))


def with_real_swaps(rule: VerdictRule, swaps: Sequence[LabelledComparison]) -> VerdictRule:
    """The same rule with the miss rate on the swaps added."""
    unseen = {name: list(told) for name, told in rule.fitted_on["unseen"].items()}
    for name, question in rule.named_questions():
        if name.endswith("with_query"):
            unseen.setdefault(name, []).insert(0, _passed(question, swaps))
    return replace(rule, fitted_on={**rule.fitted_on, "unseen": unseen})


def _passed(question: ForgeryQuestion, swaps: Sequence[LabelledComparison]) -> dict[str, Any]:
    known = [question.calibrator.probability(row.scores) for row in swaps]
    places = [question.band.place(it) for it in known if it is not None]
    return miss_rate_record(WHAT, len(places), places.count("low"))


def miss_rate_record(what: str, forgeries: int, passed: int) -> dict[str, Any]:
    """Fields of `UnseenToolMissRate`, with the Clopper-Pearson upper limit."""
    from scipy.stats import beta

    whole = passed >= forgeries
    most = 1.0 if whole else float(beta.ppf(0.95, passed + 1, forgeries - passed))
    return {"what": what, "forgeries": forgeries, "passed": passed, "most": most}
