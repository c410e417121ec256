"""Interprets measured values in a word or two, by the fitted rule and never by a language model.

A model that writes about evidence gets these readings instead of numbers, so the thresholds are
decided here, once, for prompts, screen and reports.
"""

import math
from collections.abc import Mapping

from tools.faces.quality import QUALITY_LIMITS
from tools.verdict.calibration import BandPosition, ReferenceDistribution, Scores
from tools.verdict.rule import NOISE, Assessment, QuestionKind, VerdictRule
from tools.verdict.units import NOT_MEASURED

UNCALIBRATED = "not calibrated"
"""A value was measured, but this profile has no threshold for it."""

HIGH_SHARE, RAISED_SHARE = 0.95, 0.80
"""A forgery score is high, or raised, when it exceeds this share of authentic photographs."""

ALIKE_COSINE = 0.70
"""Threshold from which face crops look alike. Of 162 authentic pairs of one person (LFW's
validation persons, pocket encoder) one in a hundred lies below; pairs of strangers lie below hardly
more often: the encoder sees the style of a photograph, not the identity."""

STEADY, CHANGES = "steady", "changes"
"""Whether the verdict stayed the same in all mild retakes of the image, or changed in some."""

QUESTIONS: Mapping[QuestionKind, str] = {
    "alone": "judged by itself",
    "with_query": "beside the query photos",
    "same_photo": "as an altered query photo",
    "one_of_two": "as one of two versions",
}
"""What was asked about the forgery of a face, in the words that stand beside the probability."""

ALTERED_LIKENESS = "alike in spite of the alteration"
"""Two proven versions of one photograph whose faces still count as one person's."""

UNCERTAIN = "uncertain"

NOISY, BLOCKY = "too noisy", "compressed too strongly"
"""So much that a finding of nothing clears no face."""

PROVEN = "proven"
"""Another version of the photograph, with another face, is in the collection."""

_IDENTITY: Mapping[BandPosition, str] = {
    "high": "same person", "within": UNCERTAIN, "low": "another person",
}  # fmt: skip
_FORGERY: Mapping[BandPosition, str] = {
    "high": "forged", "within": UNCERTAIN, "low": "no sign of forgery",
}  # fmt: skip
_OF_TWO: Mapping[BandPosition, str] = {
    "high": "this one was altered", "within": UNCERTAIN, "low": "the other one was altered",
}  # fmt: skip
_IMPERSONATION = {
    "impersonation": "likely",
    "inconclusive": UNCERTAIN,
    "no forgery found": "unlikely",
    "copy": "unlikely",
    "other": "unlikely",
}


def interpret_score(
    name: str, scores: Scores, *, share: float | None, rule: VerdictRule | None
) -> str:
    """The interpretation of one raw score, by its name in `tools.verdict.evidence.MEASURES`.

    `share` is the share of authentic photographs that score lower. Reranking measures that rise
    with forgery are interpreted by it, like forgery scores; a second embedder's similarity does
    not, so it reads as not calibrated.
    """
    value = scores.get(name)
    if value is None:
        return NOT_MEASURED
    match name:
        case "interocular_px":
            return "enough detail" if value >= QUALITY_LIMITS["too small"] else "little detail"
        case "unmask_mark":
            return "marked" if value else "not marked"
        case "retakes/kept":
            return STEADY if value >= 1 else CHANGES
        case "second/cosine_similarity":
            return UNCALIBRATED
        case "query/face_feature_cosine" if rule is not None:
            return "alike" if value >= ALIKE_COSINE else "unlike"
        case "cosine_similarity":
            return interpret_identity(scores, rule)
        case "query/same_photograph":
            return "same photograph" if value else "not proven"
        case "version/other_face":
            return PROVEN if value else "none found"
        case "version/face_similarity":
            return "another face"
        case "version/lead" if rule is not None and "one_of_two" in rule.questions:
            return _read(_OF_TWO, rule.place("one_of_two", scores))
        case "face/noise" | "face/blocks" | "face/rescaled_blocks" if rule is not None:
            much = NOISY if name == NOISE else BLOCKY
            return much if value > rule.disguises[name].limit else "usual"
        case "query/face_linear_difference" if rule is not None:
            return _interpret_difference(value, rule.references.get("face/unifd_linear"))
    return UNCALIBRATED if share is None else _interpret_share(share)


def interpret_identity(scores: Scores, rule: VerdictRule | None) -> str:
    """Whether a face is the query person's, by the rule's identity band."""
    if rule is None:
        return NOT_MEASURED if scores.get("cosine_similarity") is None else UNCALIBRATED
    return _read(_IDENTITY, rule.identity_place(scores))


def interpret_person(assessment: Assessment) -> str:
    """Whether a hit is the query person, by its verdict; uncertain if retakes differ."""
    return (
        UNCERTAIN
        if "identity" in assessment.unsteady
        else _read(_IDENTITY, assessment.identity_place)
    )


def interpret_forgery(assessment: Assessment) -> str:
    """Whether a face was forged, by the band of the question that the rule used.

    Also uncertain if mild retakes moved it to another side of that band, or a disguise may hide it.
    """
    open_ = "forgery" in assessment.unsteady or bool(assessment.disguise)
    return UNCERTAIN if open_ else _read(_FORGERY, assessment.fake_place)


def _read(words: Mapping[BandPosition, str], place: BandPosition | None) -> str:
    return NOT_MEASURED if place is None else words[place]


def describe_question(question: QuestionKind | None) -> str:
    """Which question a forgery probability answers, in a few words; empty without one.

    The probabilities of two hits can answer different questions, and then do not compare.
    """
    return QUESTIONS[question] if question else ""


def describe_band(assessment: Assessment) -> str:
    """The limits that a forgery probability had to cross, as a sentence; empty if not measured."""
    band, question = assessment.fake_band, assessment.question
    if band is None or question is None:
        return ""
    judged = QUESTIONS[question].removeprefix("judged ")
    high = f"only above {100 * band.high:.1f} %" if band.high < 1 else "no probability"
    low = f"only below {100 * band.low:.1f} %" if band.low > 0 else "none"
    return (
        f"For a face judged {judged}, {high} counts as forged, and {low} as no sign of forgery: "
        "between the two the verdict stays open."
    )


def interpret_impersonation(assessment: Assessment) -> str:
    """Whether a face impersonates the query person: the verdict as a likelihood."""
    if assessment.impersonation_probability is None:
        return NOT_MEASURED
    return _IMPERSONATION.get(assessment.verdict, NOT_MEASURED)


def _interpret_share(share: float) -> str:
    if share >= HIGH_SHARE:
        return "high"
    return "raised" if share >= RAISED_SHARE else "ordinary"


def _interpret_difference(difference: float, authentic: ReferenceDistribution | None) -> str:
    if authentic is None:
        return UNCALIBRATED
    # The difference of two authentic photographs has √2 times the standard deviation of one,
    # which is half the width of the central 68 %.
    lower, upper = (
        authentic.quantiles[len(authentic.quantiles) * 16 // 100],
        authentic.quantiles[len(authentic.quantiles) * 84 // 100],
    )
    usual = math.sqrt(2) * (upper - lower) / 2
    if abs(difference) <= usual:
        return "like the query photos"
    return f"{'above' if difference > 0 else 'below'} the query photos"
