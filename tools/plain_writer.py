"""The plain writer: two to six sentences a hit, each citing the evidence it rests on.

Every sentence is a template filled from measured evidence, so nothing is said that was not
measured: no region, no artefact, no verdict but the rule's. Where evidence is missing, the
sentence about it is missing too, or says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.evidence import Evidence
from tools.handles import percent
from tools.readings import CHANGES
from tools.verdict import Assessment


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the ids of the evidence it rests on, e.g. ('E1',)."""

    text: str
    cites: tuple[str, ...]

    def __str__(self) -> str:
        marks = "".join(f" [{cite}]" for cite in self.cites)
        return f"{self.text.removesuffix('.')}{marks}."


_OPENINGS = {
    "impersonation": "This image likely impersonates the query person: "
    "it shows their face, and the face was likely forged",
    "no forgery found": "This shows the query person, and no forgery was found: "
    "the measurements together do not point to one, which does not prove the photo authentic",
    "copy": "This is the query photo itself, re-uploaded, cropped or re-encoded; "
    "nothing measured says that it was altered",
    "other": "This most likely shows another person",
    "inconclusive": "The measurements do not allow a verdict",
    "not assessed": "This face could not be assessed",
}

_SHARE_CLEAR = 0.95
"""A forgery score is called high when it exceeds this share of authentic validation photos."""


def explain(assessment: Assessment, evidence: tuple[Evidence, ...]) -> tuple[Sentence, ...]:
    """Two to six sentences that say why the rule came to its verdict.

    Only evidence with a value is cited. Does not show anything that is not in `evidence`.
    """
    by_score = {item.score: item for item in evidence if item.value is not None}
    if assessment.verdict == "not assessed":
        return _not_assessed(assessment, by_score)
    sentences = [_opening(assessment, by_score), _identity(assessment, by_score)]
    if assessment.verdict == "copy":
        sentences.append(_copy(by_score))
    elif assessment.verdict != "other":
        sentences += [_forgery(assessment, by_score), _relative(by_score)]
    sentences += [_steadiness(assessment, by_score), _mark(by_score)]
    return tuple(sentence for sentence in sentences if sentence is not None)


def render(sentences: tuple[Sentence, ...]) -> str:
    """The explanation as one paragraph with its citations."""
    return " ".join(str(sentence) for sentence in sentences)


def _opening(assessment: Assessment, known: Mapping[str, Evidence]) -> Sentence:
    asked = assessment.fake_scores
    rests_on = {
        "copy": ("query/same_photograph", *asked),
        "other": ("cosine_similarity",),
    }.get(assessment.verdict, ("cosine_similarity", *asked[:1]))  # the next sentences cite all
    text = _OPENINGS[assessment.verdict]
    if assessment.verdict in ("inconclusive", "impersonation"):
        text += f" ({assessment.reason})"
    return Sentence(text + ".", _ids(known, rests_on))


def _identity(assessment: Assessment, known: Mapping[str, Evidence]) -> Sentence | None:
    cosine = known.get("cosine_similarity")
    if cosine is None or assessment.identity_probability is None:
        return None
    return Sentence(
        f"The face is {_number(cosine.value)} alike (cosine) to the query: the probability of the "
        f"same person is {percent(assessment.identity_probability)}.",
        (cosine.id,),
    )


def _forgery(assessment: Assessment, known: Mapping[str, Evidence]) -> Sentence | None:
    """Its probability with the evidence that it was computed from, and no other."""
    if assessment.fake_probability is None:
        return None
    text = f"The fused forgery probability is {percent(assessment.fake_probability)}"
    asked = [known[name] for name in assessment.fake_scores if name in known]
    placed = [item for item in asked if item.share_of_authentic_below is not None]
    high = [item for item in placed if (item.share_of_authentic_below or 0.0) >= _SHARE_CLEAR]
    if high:
        strongest = max(high, key=lambda item: item.share_of_authentic_below or 0.0)
        text += (
            f"; the {strongest.name} is higher than that of "
            f"{percent(strongest.share_of_authentic_below)} of authentic validation photos"
        )
    elif placed:
        text += "; no single score behind it stands out from those of authentic validation photos"
    elif asked and all(item.score.startswith("query/") for item in asked):
        text += ", by nothing but what differs from the query photo"
    return Sentence(f"{text}.", tuple(item.id for item in asked))


def _relative(known: Mapping[str, Evidence]) -> Sentence | None:
    difference = known.get("query/face_linear_difference")
    if difference is None or difference.value is None:
        return None
    side = "above" if difference.value >= 0 else "below"
    return Sentence(
        f"Its forgery score lies {_number(abs(difference.value))} {side} that of the query photos.",
        (difference.id,),
    )


def _copy(known: Mapping[str, Evidence]) -> Sentence | None:
    proven, agreeing = known.get("query/same_photograph"), known.get("query/agreeing_share")
    if proven is None or not proven.value or agreeing is None:
        return None
    return Sentence(
        f"Aligned with the query photo, {percent(agreeing.value)} of the places that can be "
        "compared outside the face agree.",
        (proven.id, agreeing.id),
    )


def _steadiness(assessment: Assessment, known: Mapping[str, Evidence]) -> Sentence | None:
    """Of a verdict that mild retakes change, only: that one is steady proves little."""
    kept = known.get("retakes/kept")
    if kept is None or kept.reads != CHANGES:
        return None
    if assessment.unsteady:
        text = "Mild JPEG compression, resizing or blur was enough to change the verdict"
    elif assessment.verdict == "inconclusive":
        text = "Mild JPEG compression, resizing or blur would give it a verdict"
    else:
        text = "Not every mild retake of the image keeps the verdict"
    return Sentence(f"{text}.", (kept.id,))


def _mark(known: Mapping[str, Evidence]) -> Sentence | None:
    mark = known.get("unmask_mark")
    if mark is None or not mark.value:
        return None
    return Sentence(
        "Its metadata says that Unmask made it as a forgery; "
        "metadata can be edited and took no part in the verdict.",
        (mark.id,),
    )


def _not_assessed(assessment: Assessment, known: Mapping[str, Evidence]) -> tuple[Sentence, ...]:
    first = Sentence(
        f"This face could not be assessed: {assessment.reason}.", _ids(known, ("interocular_px",))
    )
    cosine = known.get("cosine_similarity")
    if cosine is None:
        return (first, Sentence("Nothing about its identity was measured.", ()))
    return (
        first,
        Sentence(
            f"Its raw identity similarity is {_number(cosine.value)} (cosine), "
            "which is not turned into a probability here.",
            (cosine.id,),
        ),
    )


def _ids(known: Mapping[str, Evidence], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(known[name].id for name in names if name in known)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"
