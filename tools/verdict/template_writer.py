"""Template writer: explains a hit in two to four sentences, each citing its evidence.

The verdict and identity come first, then the strongest reasons and what contradicts them, then the
next step. Every sentence is a template filled with measured evidence, so nothing unmeasured is
stated: no region, no artefact, no verdict but the rule's. If evidence is missing, its sentence is
left out or says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.verdict.clauses import display_name, join_with_and
from tools.verdict.evidence import Evidence
from tools.verdict.handles import quote_untrusted
from tools.verdict.interpretation import CHANGES
from tools.verdict.rule import Assessment
from tools.verdict.units import format_percent


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the ids of the evidence it cites, e.g. ('E1',)."""

    text: str
    cites: tuple[str, ...] = ()

    def __str__(self) -> str:
        marks = "".join(f" [{cite}]" for cite in self.cites)
        return f"{self.text.removesuffix('.')}{marks}."


_SHARE_HIGH, _SHARE_ORDINARY = 0.95, 0.80
"""A forgery score stands out above the first share of authentic photos, and is ordinary below
the second."""

_NEXT = {
    "impersonation": "Check the map of the face and the picture's source before you rely on this: "
    "a verdict is a reason to look, not a proof.",
    "forged": "Check the map of the face and the picture's source before you rely on this: "
    "a verdict is a reason to look, not a proof.",
    "no forgery found": "This does not prove that the photo is authentic: check its source before "
    "you rely on it.",
    "copy": "Compare it with the query photo side by side: a small edit can go unnoticed.",
    "other": "A disguise or a poor picture can hide a person: compare both faces yourself.",
    "inconclusive": "Another photo of the person or a better copy of this picture may help.",
    "not assessed": "Look for a larger or sharper copy of the picture.",
}
_WHICH = "Find out which of the two was published first: that one is more likely the original."
_ALONE = "An authentic photo of the person to compare with, or a better copy, may help."


def explain(
    assessment: Assessment,
    evidence: tuple[Evidence, ...],
    *,
    whom: str = "",
    version: str = "",
    missing_version: str = "",
) -> tuple[Sentence, ...]:
    """Two to five sentences that explain the rule's verdict; `whom` is, for example, "H3".

    `version` is the file name of the other version of its photograph, if one is proven;
    `missing_version` that of a picture that may be one, but is gone. Only evidence with a value is
    cited. Does not show anything that is not in `evidence`.
    """
    known = {item.score: item for item in evidence if item.value is not None}
    it = whom or "This image"
    if assessment.verdict == "not assessed":
        return (_not_assessed(assessment, known, it), Sentence(_NEXT["not assessed"]))
    about: list[Sentence | None] = [_opening(assessment, known, it)]
    if assessment.verdict == "copy":
        about.append(_copy(known))
    elif assessment.verdict != "other":
        if assessment.question != "one_of_two":
            about.append(_forgery(assessment, known))
        about.append(_version(assessment, known, version))
        about.append(_missing(missing_version))
    about.append(_further_fact(assessment, known))
    sentences = [sentence for sentence in about if sentence is not None]
    which = assessment.question == "one_of_two" and assessment.verdict == "inconclusive"
    return (*sentences, Sentence(_WHICH if which else _NEXT[assessment.verdict]))


def explain_alone(
    assessment: Assessment, evidence: tuple[Evidence, ...], *, whom: str = "This face"
) -> tuple[Sentence, ...]:
    """The same for a face that was judged without a query; it says nothing about the person."""
    known = {item.score: item for item in evidence if item.value is not None}
    verdict = assessment.verdict
    text = {
        "forged": f"{whom} was likely forged",
        "no forgery found": f"No forgery was found in the face{_miss_rates(assessment)}",
        "inconclusive": f"{whom} is inconclusive, because {assessment.reason}",
    }.get(verdict, f"{whom} could not be assessed, because {assessment.reason}")
    further = None if verdict == "not assessed" else _further_fact(assessment, known)
    deciding = _ids(known, assessment.fake_scores)
    about = (Sentence(f"{text}.", deciding), _forgery(assessment, known), further)
    following = _ALONE if verdict == "inconclusive" else _NEXT[verdict]
    return (*(it for it in about if it is not None), Sentence(following))


def render(sentences: tuple[Sentence, ...]) -> str:
    """The explanation as one paragraph with its citations."""
    return " ".join(str(sentence) for sentence in sentences)


_BESIDE = {
    "same_photo": ", in what is otherwise the query photo",
    "one_of_two": ", in a photograph that was also found with another face",
}


def _opening(assessment: Assessment, known: Mapping[str, Evidence], it: str) -> Sentence:
    """The verdict, and the certainty of the identity."""
    same = format_percent(assessment.identity_probability)
    cosine = known.get("cosine_similarity")
    alike = "" if cosine is None else f", similarity {_number(cosine.value)} on a scale up to 1"
    sure = f"(probability of the same person {same}{alike}{_gallery_size(assessment)})"
    altered = _BESIDE.get(assessment.question or "", "")
    text = {
        "impersonation": f"{it} likely impersonates the query person: it shows their face {sure}, "
        f"and the face was likely forged{altered}",
        "no forgery found": f"{it} shows the query person {sure}, and no forgery was found in it"
        + _miss_rates(assessment),
        "copy": f"{it} is the query photo itself, re-uploaded, cropped or re-encoded {sure}; "
        "no measurement says that it was altered",
        "other": f"{it} most likely shows another person {sure}",
        "inconclusive": f"{it} is inconclusive, because {assessment.reason} {sure}",
    }[assessment.verdict]
    return Sentence(f"{text}.", _ids(known, _deciding(assessment)))


def _deciding(assessment: Assessment) -> tuple[str, ...]:
    """The scores that the verdict rests on: of the person, of the forgery, or of both."""
    verdict, axes = assessment.verdict, assessment.unsteady
    person, forgery = ("cosine_similarity",), assessment.fake_scores
    same = ("query/same_photograph",) if assessment.question == "same_photo" else ()
    if verdict in ("impersonation", "no forgery found"):
        return (*person, *same, *forgery)
    if verdict == "copy":
        return (*person, "query/same_photograph")
    if verdict == "inconclusive":
        open_forgery = assessment.fake_place == "within" or "forgery" in axes
        open_person = assessment.identity_place == "within" or "identity" in axes
        return (*(person if open_person or not open_forgery else ()),
                *((*same, *forgery) if open_forgery else ()))  # fmt: skip
    return person


def _miss_rates(assessment: Assessment) -> str:
    """The miss rates that must accompany a verdict that finds nothing."""
    rates = "; ".join(unseen.short_text for unseen in assessment.unseen)
    return f" ({rates})" if rates else ""


def _gallery_size(assessment: Assessment) -> str:
    """The number of faces in the search: with more faces, the best impostor is more similar."""
    if assessment.faces is None or assessment.faces < 2:
        return ""
    text = f", judged among {assessment.faces:,} faces"
    return text if assessment.faces_measured else f"{text}, more than were ever tested"


def _forgery(assessment: Assessment, known: Mapping[str, Evidence]) -> Sentence | None:
    """The forgery probability with exactly the evidence it was computed from."""
    if assessment.fake_probability is None:
        return None
    text = f"The forgery probability is {format_percent(assessment.fake_probability)}"
    asked = [known[name] for name in assessment.fake_scores if name in known]
    placed = sorted(
        (item for item in asked if item.share_of_authentic_below is not None),
        key=lambda item: -(item.share_of_authentic_below or 0.0),
    )
    high = [item for item in placed if (item.share_of_authentic_below or 0.0) >= _SHARE_HIGH]
    ordinary = [item for item in placed if (item.share_of_authentic_below or 0.0) < _SHARE_ORDINARY]
    if high:
        share = format_percent(high[0].share_of_authentic_below)
        text += f": the {_name(high[0])} is higher than in {share} of authentic photos"
        text += f", and the {_name(high[1])} stands out as well" if len(high) > 1 else ""
        text += f", but {_are_ordinary(ordinary)}" if ordinary else ""
    elif placed and placed[0] not in ordinary:
        share = format_percent(placed[0].share_of_authentic_below)
        text += f": the {_name(placed[0])} is raised, higher than in {share} of authentic photos"
    elif placed:
        text += ", and no score behind it stands out from authentic photos"
    elif asked and all(item.score.startswith("query/") for item in asked):
        text += ", based only on the differences from the query photo"
    return Sentence(f"{text}.", tuple(item.id for item in asked))


def _are_ordinary(items: Sequence[Evidence]) -> str:
    names = [f"the {_name(item)}" for item in items]
    return f"{join_with_and(names)} {'is' if len(names) == 1 else 'are'} ordinary"


def _name(item: Evidence) -> str:
    return display_name(item.id, item.name)


def _further_fact(assessment: Assessment, known: Mapping[str, Evidence]) -> Sentence | None:
    """The most important further fact: a forgery mark, instability, or the query photos' scores."""
    mark, kept = known.get("unmask_mark"), known.get("retakes/kept")
    if mark is not None and mark.value:
        return Sentence(
            "Its metadata says that Unmask made it as a forgery; metadata can be edited and took "
            "no part in the verdict.",
            (mark.id,),
        )
    # Only if mild retakes change the verdict: a steady verdict proves little.
    if kept is not None and kept.reads == CHANGES:
        return Sentence(f"{_unsteady(assessment)}.", (kept.id,))
    difference = known.get("query/face_linear_difference")
    if difference is None or difference.value is None or assessment.verdict in ("other", "copy"):
        return None
    if assessment.question == "one_of_two":  # nothing relative to the query photos decided it
        return None
    side = "above" if difference.value >= 0 else "below"
    points = f"{_number(abs(difference.value))} points {side}"
    text = f"Its forgery score lies {points} that of the query photos"
    return Sentence(f"{text}.", (difference.id,))


def _copy(known: Mapping[str, Evidence]) -> Sentence | None:
    proven, agreeing = known.get("query/same_photograph"), known.get("query/agreeing_share")
    if proven is None or not proven.value or agreeing is None:
        return None
    return Sentence(
        f"After alignment with the query photo, {format_percent(agreeing.value)} of the comparable "
        "places outside the face agree.",
        (proven.id, agreeing.id),
    )


def _version(assessment: Assessment, known: Mapping[str, Evidence], name: str) -> Sentence | None:
    """The proof by another version: the file, what agrees, and which of the two was altered."""
    proven, agreeing, alike = (
        known.get(score)
        for score in ("version/other_face", "version/agreeing_share", "version/face_similarity")
    )
    if proven is None or not proven.value or agreeing is None or alike is None:
        return None
    file = f" as {quote_untrusted(name.translate(_ROUND))}" if name else ""
    text = (
        f"The same photograph was also found{file}, with another face in this place: after "
        f"alignment, {format_percent(agreeing.value)} of the comparable places outside the face "
        f"agree, and the two faces differ (cosine {_number(alike.value)}). At least one of the two "
        "pictures was altered"
    )
    cites, lead = [proven, agreeing, alike], known.get("version/lead")
    if assessment.question == "one_of_two" and lead is not None:
        cites.append(lead)
        which = _WHICH_ONE[assessment.fake_place or "within"]
        probability = format_percent(assessment.fake_probability)
        text += f"; {which} (probability that it is this one {probability})"
    return Sentence(f"{text}.", tuple(item.id for item in cites))


_ROUND = str.maketrans("[]", "()")  # a file's name must not read as a citation
_WHICH_ONE = {
    "high": "by their forgery scores, this one",
    "within": "their forgery scores do not tell which",
    "low": "by their forgery scores, more likely the other one",
}


def _missing(name: str) -> Sentence | None:
    if not name:
        return None
    file = quote_untrusted(name.translate(_ROUND))
    return Sentence(
        f"A picture of similar layout, {file}, was not compared with it, because its file is gone."
    )


def _unsteady(assessment: Assessment) -> str:
    if assessment.unsteady:
        return "Mild JPEG compression, resizing or blur was enough to change the verdict"
    if assessment.verdict == "inconclusive":
        return "Mild JPEG compression, resizing or blur is enough to change this"
    return "However, some mild retakes of the image change the verdict"


def _not_assessed(assessment: Assessment, known: Mapping[str, Evidence], it: str) -> Sentence:
    cosine = known.get("cosine_similarity")
    raw = (
        "and nothing about its identity was measured"
        if cosine is None
        else f"its raw identity similarity is {_number(cosine.value)} on a scale up to 1, which "
        "is not turned into a probability here"
    )
    names = ("interocular_px", "cosine_similarity")
    return Sentence(
        f"{it} could not be assessed, because {assessment.reason}; {raw}.", _ids(known, names)
    )


def _ids(known: Mapping[str, Evidence], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(known[name].id for name in names if name in known)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"
