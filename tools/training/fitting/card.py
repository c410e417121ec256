"""Model card, figures file and warnings of a fitted detector."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.detectors.calibration import Calibration
from tools.detectors.catalogue import METRICS_FILE, MetricRecord
from tools.detectors.folders import DetectorDescription, StoredDetector
from tools.training.fitting.figures import EvaluationMetrics
from tools.training.fitting.training_context import TrainingSummary

CARD = "CARD.md"
FEW_PERSONS = 10
"""Minimum number of test persons: with fewer, the interval over persons is too narrow."""
MAX_FACE_SIZE_RATIO = 1.5
"""Ratio of face widths between authentic and forged pictures that triggers a warning."""


@dataclass(frozen=True, slots=True)
class TrainingDataSummary:
    """The training data of a job: folder names, counts, and the sha256 of the split.

    `apart` counts pictures that show persons of two parts, which are left out; `unattributed`
    counts forgeries whose person is unknown; `formats` and `face_px`, the median face width, are
    those of authentic and of forged files.
    """

    real: str
    fake: str | None
    authentic: int
    forged: int
    persons: Mapping[str, int]
    apart: int
    unattributed: int
    skipped: int
    formats: tuple[list[str], ...]
    face_px: tuple[float | None, ...]
    families: tuple[str, ...]
    pictures_sha256: str
    command: str

    @property
    def text(self) -> str:
        """One line for lists of detectors."""
        people = (
            f"{self.authentic:,} photos of {sum(self.persons.values()):,} persons in {self.real!r}"
        )
        if self.fake is None:
            return f"{people}, and forgeries of them by tools.forge.forgery"
        return f"{people}, {self.forged:,} forgeries in {self.fake!r}"


def caveats(
    told: TrainingDataSummary, calibration: Calibration | None, figures: EvaluationMetrics
) -> tuple[str, ...]:
    """Reasons why the figures may be too good."""
    found = [*_chance(figures)]
    if calibration is None:
        found.append(
            "not calibrated: on the calibration persons, forgeries score no higher than "
            "authentic pictures, so the probability would fall as the score rises; add persons"
        )
    found += _differences(told) if told.fake is not None else []
    if told.unattributed:
        found.append(
            f"{told.unattributed:,} forgeries could not be attributed to a person of the authentic "
            "photos, so some of them may show training persons in the test part; name "
            "them, or their sub-folders, like the photos of the same person"
        )
    if figures.persons < FEW_PERSONS:
        found.append(
            f"tested on only {figures.persons} persons: the figures may be far off; add persons"
        )
    for kind, count, allowed, called in _promises(calibration):
        needed = round(1 / allowed) - 1
        if count < needed:
            found.append(
                f"calibrated on {kind} pictures of {count} persons: with fewer than {needed} "
                f"nothing guarantees that at most {allowed:.0%} of {kind} ones are called "
                f"{called}, so none is"
            )
    if told.apart:
        found.append(f"{told.apart:,} pictures show persons of two parts and were left out")
    if figures.not_measured:
        found.append(f"{figures.not_measured:,} pictures of the test part could not be measured")
    return tuple(found)


def _chance(figures: EvaluationMetrics) -> Iterator[str]:
    """Warning if the detector may be no better than chance (AUC 0.5) on unseen persons."""
    if figures.auc is None:
        return
    if figures.auc <= 0.5:
        yield (
            f"no better than chance (AUC {figures.auc:.2f}, guessing: 0.5): do not use it; "
            "add persons, or fit another kind"
        )
    elif figures.auc_interval is not None and figures.auc_interval[0] <= 0.5:
        low, high = figures.auc_interval
        yield (
            f"perhaps no better than chance: the AUC's interval, {low:.2f} to {high:.2f}, includes "
            "0.5 (guessing); add persons, or fit another kind"
        )


_Promise = tuple[str, int, float, str]
"""Each error limit: kind, number fitted on, maximum share, and what that kind may be called."""


def _promises(calibration: Calibration | None) -> Iterator[_Promise]:
    if calibration is not None:
        band, counts = calibration.band, calibration.fitted_on
        authentic, forged = band.persons_false, band.persons_true
        # Older calibrations counted pictures but not persons.
        yield (
            "authentic", counts["authentic"] if authentic is None else authentic,
            band.alpha_high, "forged",
        )  # fmt: skip
        yield (
            "forged", counts["forged"] if forged is None else forged, band.alpha_low, "authentic",
        )  # fmt: skip


def _differences(told: TrainingDataSummary) -> Iterator[str]:
    """Other differences between the folders that the detector may have learnt."""
    authentic, forged = (set(it) for it in told.formats)
    if not authentic & forged:
        yield (
            f"authentic files are {'/'.join(sorted(authentic))}, forged files are "
            f"{'/'.join(sorted(forged))}: the detector may have learnt the format; store both alike"
        )
    one, other = told.face_px
    if one and other and max(one, other) > MAX_FACE_SIZE_RATIO * min(one, other):
        yield (
            f"authentic faces are {one:.0f} px wide, forged ones {other:.0f} px: the "
            "detector may have learnt the size; use one size for both"
        )


def write_metrics(
    folder: Path, shelved: StoredDetector, told: TrainingDataSummary, figures: EvaluationMetrics
) -> None:
    """Write the AUCs with intervals in the format of `unmask detectors`."""
    rows: list[dict[str, Any]] = []
    if figures.auc is not None and figures.auc_interval is not None:
        figure = MetricRecord(
            shelved.title, shelved.sha256, told.real, "own pictures, unseen persons", "auc",
            figures.auc, figures.auc_interval, figures.authentic, figures.forged,
            told.command, datetime.now(UTC).date().isoformat(),
        )  # fmt: skip
        rows.append(asdict(figure))
    (folder / METRICS_FILE).write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def write_card(
    folder: Path, about: DetectorDescription, told: TrainingDataSummary, *, learnt: TrainingSummary,
    calibration: Calibration | None,
    figures: EvaluationMetrics, said: Sequence[str],
) -> None:  # fmt: skip
    """Write the card beside the weights."""
    persons = ", ".join(f"{count} to {part}" for part, count in told.persons.items())
    text = [
        f"# {about.name}: {about.kind}, {about.inputs}",
        f"**Licence of the weights.** {about.licence[0].upper()}{about.licence[1:]}.",
        f"**Data.** {about.trained_on}. Persons: {persons}; no person is in two parts. Forgeries: "
        f"{', '.join(told.families)}; the person is unknown in {told.unattributed} of them. "
        f"Files left out: {told.skipped}; pictures of persons in two parts, left out: "
        f"{told.apart}. Division: sha256 `{told.pictures_sha256}`.",
        f"**Recipe.** `{told.command}`\n\n{_list(learnt.recipe)}",
        f"**Figures**, on the {figures.persons} persons of the test part, measured once"
        f"{_apart(figures)}:\n\n{_table(figures)}",
        f"**Calibration.** {_calibrated(calibration)}",
        "**Limits.** It was trained on these kinds of forgery, made in this way; on others the "
        "ranking may hold where a threshold fails. Pictures of another source (camera, size, "
        "compression) give other scores: measure before relying on it (`python -m evals run "
        "detectors --data DIR`). It shows neither where a picture was changed nor by whom.",
        *(f"**Beware.** {it[0].upper()}{it[1:]}." for it in said),
    ]
    (folder / CARD).write_text("\n\n".join(text) + "\n", "utf-8")


def _calibrated(calibration: Calibration | None) -> str:
    if calibration is None:
        return "None: its scores are not probabilities."
    band, counts = calibration.band, calibration.fitted_on
    reached = [
        f"no picture is called {called}: {count} {kind} ones are too few for a guarantee"
        if count < round(1 / allowed) - 1
        else f"at most {allowed:.0%} of {kind} pictures are called {called}, if yours are like "
        "those"
        for kind, count, allowed, called in _promises(calibration)
    ]
    return (
        f"{calibration.method}, on {counts['authentic']} authentic and {counts['forged']} forged "
        "pictures of other persons, for prior odds of one to one. Probabilities from "
        f"{band.low:.3f} to {band.high:.3f} are inconclusive: {'; '.join(reached)}."
    )


def _list(recipe: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: `{value}`" for name, value in recipe.items())


def _apart(figures: EvaluationMetrics) -> str:
    names = ", ".join(figures.apart)
    return f"; {names}, not calibrated on, is in no figure but its own" if names else ""


def _table(figures: EvaluationMetrics) -> str:
    interval = figures.auc_interval
    edges = "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
    rows = [
        ("authentic / forged pictures", f"{figures.authentic} / {figures.forged}"),
        ("AUC (95 % interval over persons)", f"{_value(figures.auc)}{edges}"),
        ("authentic called so, at 0.5", _value(figures.real_accuracy)),
        ("forged called so, at 0.5", _value(figures.fake_accuracy)),
        ("expected calibration error", _value(figures.ece)),
        ("authentic above the band", _value(figures.called_forged)),
        ("forged below the band", _value(figures.missed)),
        ("inconclusive", _value(figures.inconclusive)),
    ]
    for name, auc in figures.families.items():
        kept = ", never learnt" if name in figures.unlearnt else ""
        rows.append((f"AUC of {name}{kept}", _value(auc)))
    lines = ["| figure | value |", "|---|---|", *(f"| {name} | {it} |" for name, it in rows)]
    return "\n".join(lines)


def _value(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
