"""Measured error rates for a report: only those of the weights that judged, with their source.

Sources: the fit of the verdict rule (misses on forgeries that no part was trained on, and what its
bands promise), error rates by group of people, and the figures and cards stored beside detectors.
A figure that belongs to other weights is not shown; the part is listed as not measured.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from assistant.report.contents.model import Rate
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.catalogue import GROUPS_FILE, MetricRecord, read_metrics
from tools.detectors.clip_heads.tower_head import FORGED, MANIPULATED, SYNTHESISED
from tools.detectors.folders import DETECTORS_FOLDER, StoredDetector, find_stored_detectors
from tools.detectors.protocol import AnyDetector, qualified_name
from tools.search.model_bundle import ModelBundle
from tools.verdict.measured_rates import UnseenToolMissRate
from tools.verdict.rule import QuestionKind, VerdictRule

_CARD, _HEADS = "CARD.md", WEIGHTS_DIR / "heads"
_FAMILIES = {
    "lfw": "our forgeries of news photographs (LFW)",
    "dfdc": "video deepfakes (DFDC)",
    "swaps": "face swaps by",
    "generated": "generated faces:",
}


def measured_rates(models: ModelBundle) -> Iterator[Rate]:
    """The known rates, the verdict's own first."""
    rule = models.rule
    if rule is not None:
        yield from _misses(rule)
        yield from _promises(rule)
    yield from _by_group(models)
    for detector in _judging(models):
        yield from _of_detector(detector)


def without_rates(models: ModelBundle) -> Iterator[str]:
    """Sentences on what nobody measured for the weights that judged."""
    if models.rule is None:
        yield "This profile has no fitted calibration, so nothing was assessed."
        return
    unmeasured = [qualified_name(it) for it in _judging(models) if not [*_of_detector(it)]]
    if unmeasured:
        yield (
            f"No figures are stored for the weights in use of {', '.join(unmeasured)}; their share "
            "in the verdict is covered by the verdict's own rates only."
        )
    if not [*_by_group(models)]:
        yield "Error rates by age, sex and ethnicity were not measured for these weights."


def _misses(rule: VerdictRule) -> Iterator[Rate]:
    """How many forgeries of each kind passed; the worst of the stages in use."""
    found: dict[tuple[str, str], UnseenToolMissRate] = {}
    for name, question in rule.named_questions():
        asked = cast("QuestionKind", name.rpartition("/")[2])
        for it in rule.unseen(asked, question):
            known = found.get((asked, it.what))
            if known is None or it.most > known.most:
                found[asked, it.what] = it
    for (kind, _), it in found.items():
        compared = "beside photos of the person" if kind == "with_query" else "judged alone"
        yield Rate(
            subject="verdict", what="forgeries that passed as “no forgery found”",
            measured_on=f"{it.forgeries} {it.what}, {compared}",
            result=f"{it.passed} of {it.forgeries} ({100 * it.share:.0f} %; at most "
            f"{100 * it.most:.0f} % at 95 % confidence)",
        )  # fmt: skip


def _promises(rule: VerdictRule) -> Iterator[Rate]:
    question = rule.questions["with_query"].band
    fitted = str(rule.fitted_on.get("dataset", "the data of the fit"))
    if question.guarantees_high:
        yield Rate(
            subject="verdict", what="authentic faces of a new person that reach “forged”",
            measured_on=f"{question.persons_false} persons: {fitted}",
            result=f"set to at most {100 * question.alpha_high:g} %",
        )  # fmt: skip
    band = rule.identity_band
    if band.guarantees_high:
        yield Rate(
            subject="identity", what="strangers above the threshold of “same person”, one by one",
            measured_on=f"{band.persons_false} persons: {fitted}",
            result=f"set to at most {100 * band.alpha_high:g} %",
        )  # fmt: skip
    if rule.strangers.has_guarantee:
        yield Rate(
            subject="identity", what="searches in which any stranger of the collection exceeds it",
            measured_on=f"{rule.strangers.queries} query persons, collections of up to "
            f"{rule.strangers.sizes[-1]:,} faces",
            result=f"set to at most {100 * rule.strangers.alpha:g} %",
        )  # fmt: skip


def _by_group(models: ModelBundle) -> Iterator[Rate]:
    """One row per group of people, if they were measured with the weights that judge."""
    groups: dict[str, list[MetricRecord]] = {}
    for row in read_metrics(_HEADS, GROUPS_FILE):
        if row.checkpoint == getattr(models, "judged_by", ""):
            groups.setdefault(row.dataset, []).append(row)
    for dataset, rows in groups.items():
        data, kind, group = dataset.split("/")
        whom = "all" if kind == "all" else f"{kind} {group.replace('_', ' ')}"
        yield Rate(
            subject="verdict by group", what="false matches; false alarms; inconclusive",
            measured_on=f"{data}: {whom}",
            result="; ".join(f"{it.figure} {_percent(it)}" for it in rows),
        )  # fmt: skip


def _percent(row: MetricRecord) -> str:
    low, high = row.interval
    return f"{100 * row.value:.2g} % ({100 * low:.2g} to {100 * high:.2g} %)"


def _judging(models: ModelBundle) -> Sequence[AnyDetector]:
    """The detectors whose scores the rule uses."""
    parts = set() if models.rule is None else set(models.rule.needs)
    if FORGED in parts:  # computed from these two
        parts |= {MANIPULATED, SYNTHESISED}
    known = (*models.detectors, *models.pixel_detectors)
    return [it for it in known if qualified_name(it) in parts]


def _of_detector(detector: AnyDetector) -> Iterator[Rate]:
    title = qualified_name(detector)
    stored = _stored().get(detector.sha256)
    folders = [_HEADS, *([stored.folder] if stored else [])]
    for folder in folders:
        for row in read_metrics(folder):
            if (row.detector, row.checkpoint) == (title, detector.sha256):
                low, high = row.interval
                yield Rate(
                    subject=title, what=f"{row.figure} ({row.note})",
                    measured_on=f"{_family(row.dataset)}, {row.forged} forged and {row.authentic} "
                    "authentic",
                    result=f"{row.value:.2f} ({low:.2f} to {high:.2f})",
                )  # fmt: skip
    if stored is not None and not [*read_metrics(stored.folder)]:
        yield from _of_card(title, stored.folder / _CARD)


def _stored() -> Mapping[str, StoredDetector]:
    """The shipped detectors by the sha256 of their checkpoint."""
    folder = WEIGHTS_DIR / DETECTORS_FOLDER
    return {it.sha256: it for it in find_stored_detectors([folder], left_out=lambda *_: None)}


def _family(dataset: str) -> str:
    data, _, family = dataset.partition("/")
    return " ".join(filter(None, (_FAMILIES.get(data, data), family.replace("_", " "))))


def _of_card(title: str, card: Path) -> Iterator[Rate]:
    """The paragraph and the table under "Figures" on a detector's card."""
    if not card.is_file():
        return
    match = re.search(r"\*\*Figures\*\*(.*?)\*\*Limits", card.read_text("utf-8"), re.DOTALL)
    blocks = [] if match is None else match[1].strip().split("\n\n")
    for block in blocks:
        if not block.startswith("|"):
            text = " ".join(block.replace("`", "").split())
            yield Rate(subject=title, what="from its card", measured_on="", result=text)
            continue
        head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]]
                          for line in block.splitlines())  # fmt: skip
        for measured_on, *values in rows:
            shown = "; ".join(f"{name} {it}" for name, it in zip(head[1:], values, strict=True))
            yield Rate(
                subject=title, what="from its card",
                measured_on=f"{head[0]}: {measured_on}", result=shown,
            )  # fmt: skip
