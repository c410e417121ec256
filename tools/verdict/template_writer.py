"""Template writer: explains a hit in two to four sentences for a reader who is no expert.

First the verdict with how sure it is, then the strongest reason, then what speaks against it or
else could explain it, then the next step. Every sentence is a template filled with measured
evidence, so nothing unmeasured is stated: no region, no artefact, no verdict but the rule's. A
sentence cites at most three pieces of evidence, the strongest; the list of evidence has them all.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.verdict.clauses import display_name, join_with_and
from tools.verdict.evidence import Evidence
from tools.verdict.handles import quote_untrusted
from tools.verdict.interpretation import CHANGES, describe_question
from tools.verdict.measured_rates import in_words
from tools.verdict.rule import DISGUISES, Assessment
from tools.verdict.units import format_factor, format_percent


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the ids of the evidence it cites, e.g. ('E1',)."""

    text: str
    cites: tuple[str, ...] = ()

    def __str__(self) -> str:
        marks = "".join(f" [{cite}]" for cite in self.cites)
        return f"{self.text.removesuffix('.')}{marks}."


_Known = Mapping[str, Evidence]
"""The evidence that has a value, by the name of its score."""

_SHARE_HIGH, _SHARE_ORDINARY = 0.95, 0.80
"""A forgery score stands out above the first share of authentic photos, and is ordinary below
the second."""

CHANGED_FACTOR = 1.5
"""From this factor on, a face is said to have changed more than its surroundings."""

_LOOK = (
    "Look at the map of the face and check where the picture comes from: this is a reason to look, "
    "not a proof."
)
_NEXT = {
    "impersonation": _LOOK,
    "forged": _LOOK,
    "no forgery found": "This does not prove that the photo is authentic: check its source before "
    "you rely on it.",
    "copy": "Compare the two side by side: a small edit can go unnoticed.",
    "other": "A disguise or a poor picture can hide a person: compare both faces yourself.",
    "inconclusive": "A better copy of this picture or more photos of the person may help.",
    "not assessed": "Look for a larger or sharper copy of the picture.",
}
_WHOSE = "Compare the two faces yourself; more photos of the person may settle it."
FIRST_PUBLISHED = (
    "Find out which of the two was published first: that one is more likely the original."
)
_BOTH = (
    "Compare the face with the query photos yourself, and find out which of the two versions was "
    "published first."
)
_ALONE = "An authentic photo of the person to compare with, or a better copy, may help."
_ELSE = "Filters, retouching and heavy compression can leave similar signs."


def explain(
    assessment: Assessment,
    evidence: tuple[Evidence, ...],
    *,
    whom: str = "",
    version: str = "",
    missing_version: str = "",
) -> tuple[Sentence, ...]:
    """Two to four sentences that explain the rule's verdict; `whom` is, for example, "H3".

    `version` is the file name of the other version of its photograph, if one is proven;
    `missing_version` that of a picture that may be one, but is gone. Only evidence with a value is
    cited. Does not show anything that is not in `evidence`.
    """
    known = {item.score: item for item in evidence if item.value is not None}
    it, verdict = whom or "This image", assessment.verdict
    if verdict == "not assessed":
        return (_not_assessed(assessment, known, it), Sentence(_NEXT[verdict]))
    reasons = {"copy": _none, "other": _own_forgery}.get(verdict, _reason)
    about = (
        _opening(assessment, known, it),
        reasons(assessment, known) if verdict != "inconclusive" or not assessment.unsteady
        else _as_it_is(assessment, known),
        _version(assessment, known, version),
        _caution(assessment, known, missing_version),
    )  # fmt: skip
    return (*(it for it in about if it is not None), Sentence(_next(assessment)))


def explain_alone(
    assessment: Assessment, evidence: tuple[Evidence, ...], *, whom: str = "This face"
) -> tuple[Sentence, ...]:
    """The same for a face that was judged without a query; it says nothing about the person."""
    known = {item.score: item for item in evidence if item.value is not None}
    verdict, sure = assessment.verdict, format_percent(assessment.fake_probability)
    text = {
        "forged": f"{whom} was most likely forged ({sure})",
        "no forgery found": f"No forgery was found in the face (forged: {sure})",
        "inconclusive": f"{whom} is inconclusive: whether it was forged stays open ({sure})",
    }.get(verdict, f"{whom} could not be assessed, because {assessment.reason}")
    if assessment.disguise:
        but = DISGUISES[assessment.disguise].reason
        text = f"{whom} is inconclusive: no forgery was found in it (forged: {sure}), but {but}"
    if assessment.unsteady:
        text = f"{whom} is inconclusive: {_TURNED} whether it reads as forged ({sure})"
    assessed = verdict != "not assessed"
    about = (
        Sentence(f"{text}.", (*_disguise(assessment, known), *_strongest(assessment, known)[:1])),
        _reason(assessment, known) if assessed else None,
        _caution(assessment, known, "") if assessed else None,
        Sentence(_ALONE if verdict == "inconclusive" else _next(assessment)),
    )
    return tuple(it for it in about if it is not None)


def render(sentences: tuple[Sentence, ...]) -> str:
    """The explanation as one paragraph with its citations."""
    return " ".join(str(sentence) for sentence in sentences)


# -- the verdict ------------------------------------------------------------------------------


def _opening(assessment: Assessment, known: _Known, it: str) -> Sentence:
    """The verdict, and how sure it is of the person and of the forgery."""
    same, fake = map(format_percent, (assessment.identity_probability, assessment.fake_probability))
    theirs = f"the face is most likely theirs ({same}{_among(assessment, always=False)})"
    match assessment.verdict:
        case "impersonation":
            text = f"{it} likely impersonates the query person: " + {
                "same_photo": f"it is a query photo whose face was most likely altered ({fake})",
                "one_of_two": f"{theirs}, and of two versions of this photograph this one was most "
                f"likely altered ({fake})",
            }.get(assessment.question or "", f"{theirs} and was most likely forged ({fake})")
        case "no forgery found":
            text = (
                f"{it} most likely shows the query person ({same}{_among(assessment, always=False)}"
                f"), and no forgery was found in it (forged: {fake})"
            )
        case "copy":
            text = (
                f"{it} is a query photo itself, re-uploaded, cropped or re-encoded"
                f"{_agreeing(known)}, and no measurement says that its face was altered "
                f"(altered: {fake})"
            )
        case "other":
            same += _among(assessment, always=False)
            text = f"{it} most likely shows another person (probability of the query person {same})"
        case _:
            text = f"{it} is inconclusive: {_open(assessment, same, fake)}"
    return Sentence(f"{text}.", _deciding(assessment, known))


_TURNED = "mild compression, resizing or blur is enough to change"


def _open(assessment: Assessment, same: str, fake: str) -> str:
    """What an inconclusive verdict leaves open."""
    if assessment.unsteady:
        what = {"identity": "whom it seems to show", "forgery": "whether it reads as forged"}
        return f"{_TURNED} {join_with_and([what[axis] for axis in assessment.unsteady])}"
    if assessment.identity_place == "within":
        among = _among(assessment, always=True)
        return f"whether the face is the query person's stays open (probability {same}{among})"
    theirs = f"the face is most likely the query person's ({same})"
    if assessment.disguise:
        but = DISGUISES[assessment.disguise].reason
        return f"{theirs} and no forgery was found in it (forged: {fake}), but {but}"
    if assessment.of_two is None:
        return f"{theirs}, but whether it was forged stays open ({fake})"
    which = "the other one reads more forged" if assessment.of_two == "low" else "which one is open"
    return (
        f"{theirs}, but at least one of two versions of this photograph was altered, and {which} "
        f"(this one, {describe_question(assessment.question)}: {fake})"
    )


def _deciding(assessment: Assessment, known: _Known) -> tuple[str, ...]:
    """The evidence that the verdict rests on: of the person, of the forgery, or of both."""
    verdict, person = assessment.verdict, _ids(known, "cosine_similarity")
    if assessment.question == "same_photo":
        person = _ids(known, "query/same_photograph")
    if verdict == "copy":
        return (*person, *_ids(known, "query/agreeing_share"))
    if verdict == "other":
        return person
    if verdict == "inconclusive" and assessment.unsteady:
        return _ids(known, "retakes/kept")
    if verdict == "inconclusive" and assessment.identity_place == "within":
        return person
    return (*person, *_disguise(assessment, known), *_strongest(assessment, known)[:1])


def _disguise(assessment: Assessment, known: _Known) -> tuple[str, ...]:
    """The measured noise or compression, where it kept a face from being cleared."""
    return _ids(known, assessment.disguise) if assessment.disguise else ()


def _among(assessment: Assessment, *, always: bool) -> str:
    """The number of faces in the search: with more faces, the best impostor is more similar.

    Said where identity is open, or where so many faces were never tested.
    """
    if assessment.faces is None or assessment.faces < 2:
        return ""
    if not assessment.faces_measured:
        return f", among {assessment.faces:,} faces, more than were ever tested"
    return f", among {assessment.faces:,} faces" if always else ""


def _agreeing(known: _Known) -> str:
    share = known.get("query/agreeing_share")
    if share is None:
        return ""
    return f" ({format_percent(share.value)} of the places outside the face agree)"


# -- the reasons ------------------------------------------------------------------------------


def _none(assessment: Assessment, known: _Known) -> Sentence | None:
    return None


def _own_forgery(assessment: Assessment, known: _Known) -> Sentence | None:
    """A forged face of somebody else, whose probability stands beside the verdict."""
    if assessment.fake_place != "high":
        return None
    return Sentence(
        f"Its face was likely forged ({format_percent(assessment.fake_probability)}), though not "
        "to look like the query person.",
        _strongest(assessment, known)[:1],
    )


def _as_it_is(assessment: Assessment, known: _Known) -> Sentence:
    """Both probabilities of a hit whose verdict mild changes turn around."""
    same, fake = map(format_percent, (assessment.identity_probability, assessment.fake_probability))
    cites = (*_ids(known, "cosine_similarity"), *_strongest(assessment, known)[:1])
    forged = f"forged, {describe_question(assessment.question)}: {fake}"
    return Sentence(f"Measured as it is, the query person: {same}; {forged}.", cites)


def _reason(assessment: Assessment, known: _Known) -> Sentence | None:
    """What the forgery probability rests on most, and which of its scores are ordinary."""
    if assessment.fake_probability is None or assessment.of_two is not None:
        return None
    parts = [*_changed_face(assessment, known), *_signs(assessment, known)]
    if not parts:
        return None
    text = ", and ".join(text for text, _ in parts)
    if assessment.verdict == "inconclusive" and assessment.identity_place == "within":
        text = f"{_forged_or_not(assessment)}: {text}"
    cites = tuple(id_ for _, ids in parts for id_ in ids)
    return Sentence(f"{text[:1].upper()}{text[1:]}.", cites)


def _forged_or_not(assessment: Assessment) -> str:
    fake = format_percent(assessment.fake_probability)
    return {
        "high": f"The face was most likely forged ({fake})",
        "low": f"No forgery was found in the face ({fake})",
    }.get(assessment.fake_place or "", f"Whether it was forged is open, too ({fake})")


def _changed_face(assessment: Assessment, known: _Known) -> Iterator[tuple[str, tuple[str, ...]]]:
    """How much more a query photo's face changed than its surroundings."""
    change = known.get("query/face_change")
    if change is None or change.value is None or change.score not in assessment.fake_scores:
        return
    if (factor := math.exp(change.value)) >= CHANGED_FACTOR:
        yield (
            f"the face changed {format_factor(factor)} times as much as what surrounds it",
            (change.id,),
        )


def _signs(assessment: Assessment, known: _Known) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The scores of the question that stand out most from authentic photos."""
    placed = _placed(assessment, known)
    if not placed:
        return
    high = [item for item, share in placed if share >= _SHARE_HIGH]
    ordinary = [item for item, share in placed if share < _SHARE_ORDINARY]
    first, share = placed[0]
    above = f"higher than in {format_percent(share)} of authentic photos"
    if high:
        text = f"the {_name(first)} is {above}"
        text += f", and the {_name(high[1])} stands out as well" if len(high) > 1 else ""
    elif first not in ordinary:
        text = f"the {_name(first)} is raised, {above}"
    else:
        yield "none of the scores behind it is higher than usual for authentic photos", (first.id,)
        return
    cited = [first, *high[1:2], *ordinary[:1]]
    if len(ordinary) == 1:
        text += f", but the {_name(ordinary[0])} is ordinary"
    elif ordinary:
        text += f", but {len(ordinary)} of the {len(placed)} scores are ordinary"
    yield text, tuple(item.id for item in cited)


def _placed(assessment: Assessment, known: _Known) -> list[tuple[Evidence, float]]:
    """The scores of the question with their share of lower authentic photos, highest first."""
    asked = [known[name] for name in assessment.fake_scores if name in known]
    placed = [
        (it, it.share_of_authentic_below) for it in asked if it.share_of_authentic_below is not None
    ]
    return sorted(placed, key=lambda it: -it[1])


def _strongest(assessment: Assessment, known: _Known) -> tuple[str, ...]:
    """The ids of the scores of the question, the strongest first."""
    placed = [item.id for item, _ in _placed(assessment, known)]
    return tuple(dict.fromkeys((*placed, *_ids(known, *assessment.fake_scores))))


def _name(item: Evidence) -> str:
    return display_name(item.id, item.name)


def _version(assessment: Assessment, known: _Known, name: str) -> Sentence | None:
    """The proof by another version, and, if that is open otherwise, which was altered."""
    proven = known.get("version/other_face")
    if proven is None or not proven.value or assessment.verdict in ("copy", "other"):
        return None
    file = f" as {_file(name)}" if name else ""
    text = (
        f"The same photograph, proven by alignment, was also found{file} with another face in this "
        "place"
    )
    if assessment.identity_place == "within" or assessment.unsteady:
        fake = format_percent(assessment.fake_probability)
        text += {
            "high": f"; of the two, this one was more likely altered ({fake})",
            "low": "; at least one of the two was altered, and the other one reads more forged",
            "within": "; at least one of the two was altered, and which one is open",
        }.get(assessment.of_two or "", ", so at least one of the two was altered")
    elif assessment.of_two is None or assessment.verdict != "inconclusive":
        text += ", so at least one of the two was altered"
    lead = () if assessment.of_two is None else _ids(known, "version/lead")
    return Sentence(f"{text}.", (proven.id, *lead))


# -- what speaks against it, and what to do ---------------------------------------------------


def _caution(assessment: Assessment, known: _Known, missing: str) -> Sentence | None:
    """What speaks against the verdict, or else could explain it."""
    mark, kept = known.get("unmask_mark"), known.get("retakes/kept")
    gone = f"a picture of similar layout, {_file(missing)}, was not compared, as its file is gone"
    # Only if mild retakes change the verdict: a steady verdict proves little.
    turned = kept is not None and kept.reads == CHANGES and not assessment.unsteady
    if turned and kept is not None:
        text = "Against it: some mild retakes of the picture change the verdict"
        return Sentence(f"{text}, and {gone}." if missing else f"{text}.", (kept.id,))
    if missing:
        return Sentence(f"{gone[:1].upper()}{gone[1:]}.")
    if mark is not None and mark.value:
        return Sentence(
            "Its metadata says that Unmask forged it; anyone can edit metadata, so the verdict "
            "does not use that.",
            (mark.id,),
        )
    if assessment.verdict in ("impersonation", "forged"):
        return Sentence(_ELSE)
    return _usual(assessment, known)


def speaks_against(assessment: Assessment, evidence: tuple[Evidence, ...]) -> str:
    """What was measured against a verdict, as clauses; what else could explain it, if nothing was.

    Of a verdict that accuses, the ordinary scores and the authentic pictures that read so too; of
    one that clears, the scores that stand out and the forgeries that passed so too.
    """
    known = {item.score: item for item in evidence if item.value is not None}
    verdict, placed = assessment.verdict, _placed(assessment, known)
    if verdict == "not assessed":
        return "nothing, as the face was not measured"
    said, kept = list[str](), known.get("retakes/kept")
    if assessment.identity_place == "within" or verdict == "other":
        same = format_percent(assessment.identity_probability)
        said.append(f"the probability of the query person is {same}")
    if verdict in ("no forgery found", "copy"):
        said += [
            f"the {_name(item)} is higher than in {format_percent(share)} of authentic photos"
            for item, share in placed
            if share >= _SHARE_HIGH
        ]
        said += [f"in tests, {it.passed} of {it.forgeries} {it.what} also passed"
                 for it in assessment.unseen]  # fmt: skip
    elif verdict != "other":
        ordinary = [_name(item) for item, share in placed if share < _SHARE_ORDINARY]
        if ordinary:
            said.append(f"the {join_with_and(ordinary)} {_ARE[len(ordinary) > 1]} ordinary")
        usual = in_words(assessment.reached)
        said += [usual[:1].lower() + usual[1:]] if usual else []
    if assessment.unsteady or (kept is not None and kept.reads == CHANGES):
        said.append("some mild retakes of the picture change the verdict")
    if not said:
        said.append("nothing that was measured")
    if verdict in ("impersonation", "inconclusive"):
        said.append(_ELSE[:1].lower() + _ELSE[1:].removesuffix("."))
    return "; ".join(said)


_ARE = ("is", "are")


def _usual(assessment: Assessment, known: _Known) -> Sentence | None:
    """How many test pictures of each kind read as forged as one that stays open."""
    if assessment.verdict != "inconclusive" or assessment.unsteady or not assessment.reached:
        return None
    if assessment.identity_place == "within" or assessment.of_two is not None:
        return None  # whose face it is, or which of two was altered, stays open first
    return Sentence(f"{in_words(assessment.reached)}.", _strongest(assessment, known)[:1])


def _next(assessment: Assessment) -> str:
    """What to do next; a verdict that finds nothing says how many forgeries pass so, too."""
    verdict, of_two = assessment.verdict, assessment.of_two is not None
    if verdict == "inconclusive" and not assessment.unsteady:
        if assessment.identity_place == "within":
            return _BOTH if of_two else _WHOSE
        return FIRST_PUBLISHED if of_two else _NEXT[verdict]
    if verdict != "no forgery found" or not assessment.unseen:
        return _NEXT[verdict]
    passed = [f"{it.passed} of {it.forgeries} {it.what}" for it in assessment.unseen]
    return (
        f"This does not prove that the photo is authentic: in tests, {join_with_and(passed)} also "
        "passed, so check its source before you rely on it."
    )


def _not_assessed(assessment: Assessment, known: _Known, it: str) -> Sentence:
    return Sentence(
        f"{it} could not be assessed, because {assessment.reason}.",
        _ids(known, "interocular_px", "cosine_similarity"),
    )


_ROUND = str.maketrans("[]", "()")  # a file's name must not read as a citation


def _file(name: str) -> str:
    return quote_untrusted(name.translate(_ROUND))


def _ids(known: _Known, *names: str) -> tuple[str, ...]:
    return tuple(known[name].id for name in names if name in known)
