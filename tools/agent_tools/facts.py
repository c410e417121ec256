"""Facts with handles that a text may cite: about hits, photos, comparisons and counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tools.gallery.records import GalleryCounts
from tools.localisers.regions import regions_in_words
from tools.search.checking.alone import AloneResult
from tools.search.checking.impression import Impression, impression_text
from tools.search.results import Findings, Hit, pictures_in_words
from tools.verdict.calibration import Scores
from tools.verdict.clauses import join_with_and
from tools.verdict.evidence import FIRST_RERANK_NUMBER, Evidence, collect_evidence
from tools.verdict.glossary import MEANINGS
from tools.verdict.handles import IN_WORDS, Fact, parse_handle
from tools.verdict.interpretation import (
    ALTERED_LIKENESS,
    CHANGES,
    PROVEN,
    interpret_forgery,
    interpret_identity,
    interpret_impersonation,
    interpret_person,
)
from tools.verdict.rule import OTHER_VERSION, PRIOR_IN_WORDS, VERDICTS, Verdict, VerdictRule
from tools.verdict.template_writer import speaks_against
from tools.verdict.units import PROBABILITY

_CALIBRATION = "logistic calibration on persons that no other part was trained on"
_LOOKED = "a network that names what it thinks it sees; nothing is measured"
_ODDS = "For prior odds of one to one: what the evidence adds, not how common forgeries are."

_PROBABILITIES = {
    1: ("probability of the same person", _ODDS),
    2: ("probability of a forgery", _ODDS),
    3: (
        "probability of an impersonation",
        f"Assumes {PRIOR_IN_WORDS}, that a face is the query person's; a reason to look, no proof.",
    ),
}

_OF_A_PAIR = {
    1: "identity similarity",
    7: "appearance similarity",
    8: "same photograph, proven by alignment",
}
"""Evidence about two faces, with its names for a pair without a query."""

_OF_TWO_VERSIONS = {
    34: "one photograph with two different faces, proven by alignment",
    37: "which of the two was altered, by the forgery scores",
}
"""The same for two pictures of which one is proven to be altered."""


def hit_facts(
    hit: Hit, regions: Iterable[Evidence], *, beside: Sequence[str] = ()
) -> tuple[Fact, ...]:
    """Probabilities, evidence and regions (if located) of a hit; `beside` is what other maps show.

    Evidence stands in the order of its numbers.
    """
    given = hit.assessment
    regions = tuple(regions)
    return (
        verdict_fact(
            hit.handle,
            given.verdict,
            reason=given.reason,
            beside=[it.short_text for it in given.unseen],
        ),
        _probability(hit.handle, 1, given.identity_probability, reads=interpret_person(given)),
        _probability(hit.handle, 2, given.fake_probability, reads=interpret_forgery(given)),
        _probability(
            hit.handle, 3, given.impersonation_probability, reads=interpret_impersonation(given)
        ),
        *(_evidence(hit.handle, item) for item in in_order((*hit.evidence, *regions))),
        *region_facts(
            hit.handle,
            regions,
            verdict=given.verdict,
            beside=(*beside, *([_OTHER_FACE] if hit.version is not None else [])),
        ),
    )


def verdict_fact(
    handle: str, verdict: Verdict, *, reason: str = "", beside: Sequence[str] = ()
) -> Fact:
    """The rule's verdict on a hit; `beside` are measured shares that must be shown with it."""
    method = f"the fitted rule: {reason}" if reason else "the fitted rule"
    limits = "A reason to look, no proof; each verdict can be wrong."
    said = f"{verdict} ({'; '.join(beside)})" if beside else verdict
    return Fact(f"{handle}.verdict", "verdict", None, IN_WORDS, said, method, limits)


def against_fact(hit: Hit) -> Fact:
    """What was measured against the verdict on a hit, or against a forgery that stays open."""
    given, handle = hit.assessment, hit.handle
    is_open = given.verdict == "inconclusive" and given.identity_place == "high"
    what = f"a forgery in {handle}" if is_open else f"the verdict on {handle}"
    said = f"what speaks against {what}: {speaks_against(given, hit.evidence)}"
    return worded(f"{handle}.against", "what speaks against the verdict", said)


_UNREAD = ("no forgery found", "copy", "other", "not assessed")
"""Verdicts that a map must not seem to contradict: it can show something on any photograph."""

_OTHER_FACE = "the same photograph was also found with another face in this place"


def in_order(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Evidence by its number: E11 to E17, the regions of a map, before E18."""
    return sorted(evidence, key=lambda item: parse_handle(f"H1.{item.id}").number)


def region_facts(
    handle: str,
    regions: Sequence[Evidence],
    *,
    verdict: Verdict | None = None,
    beside: Sequence[str] = (),
) -> tuple[Fact, ...]:
    """What all maps of a face show as one fact; empty if nothing was located.

    `beside` are clauses on what stands out elsewhere: on other maps, or in another version.
    """
    if not regions:
        return ()
    places = {word: _places(regions, word) for word in ("strong", "weak")}
    said = " and ".join(
        f"{word} at {regions_in_words(names)}" for word, names in places.items() if names
    )
    if said:
        text = f"{{its}} map is {said}"
    elif all(item.value is None for item in regions):
        text = "{its} map was not measured at any place"
    else:
        text = "no place on the map of {its} face reaches a sign of forgery"
    if beside:
        text += f"{';' if said else ', but'} {'; '.join(beside)}"
    if verdict in _UNREAD and (said or beside):
        text += f"; the verdict stays {verdict}, and authentic photographs can light up, too"
    about = f"{handle}.regions", "where the map shows signs of forgery"
    return (Fact(*about, None, IN_WORDS, text, regions[0].method, regions[0].limits),)


def _places(regions: Sequence[Evidence], word: str) -> list[str]:
    return [item.name.rpartition(" the ")[2] for item in regions if item.reads == word]


def facts_for_model(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts for a language model's prompt.

    It includes all facts of a search, but reranking evidence only for a verdict that changes under
    retakes and for another version of the photograph. The verdict's own readings cover the other
    reranking results; more measurements would hide the important ones, most of all from a small
    model. The screen shows them all.
    """
    return tuple(fact for fact in facts if not _further(fact) or fact.reads in _DECISIVE)


_DECISIVE = (CHANGES, PROVEN)


def _further(fact: Fact) -> bool:
    handle = parse_handle(fact.id)
    return handle.kind == "E" and handle.number >= FIRST_RERANK_NUMBER


def photo_facts(
    handle: str, judged: AloneResult, regions: Iterable[Evidence], *, beside: Sequence[str] = ()
) -> tuple[Fact, ...]:
    """Facts about a query photo alone: whether it may have been forged, and its quality."""
    given, regions = judged.assessment, tuple(regions)
    return (
        _probability(handle, 2, given.fake_probability, reads=interpret_forgery(given)),
        *(_evidence(handle, item) for item in in_order((*judged.evidence, *regions))),
        *region_facts(handle, regions, beside=beside),
    )


def comparison_facts(
    handle: str, scores: Scores, *, usable: bool, rule: VerdictRule | None, whom: str = ""
) -> tuple[Fact, ...]:
    """Whether two faces are of one person; `scores` are `tools.search.scoring.pair_scores`.

    `whom` names the two, as in "Q1 and H3". With the scores of two versions of one photograph
    (`tools.search.checking.two_versions`), which of them was altered is a fact as well.
    """
    evidence = {
        int(item.id.removeprefix("E")): item
        for item in collect_evidence(scores, rule.references if rule else {}, rule=rule)
    }
    names = _OF_A_PAIR | (_OF_TWO_VERSIONS if scores.get(OTHER_VERSION) else {})
    same = rule.identity.probability(scores) if rule is not None and usable else None
    reads = interpret_identity(scores if usable else {}, rule)
    if scores.get(OTHER_VERSION) and reads == "same person":
        reads = ALTERED_LIKENESS  # beside the proof that the two faces differ
    found = (
        _probability(handle, 1, same, reads=reads),
        *(
            replace(_evidence(handle, evidence[number]), name=name)
            for number, name in names.items()
        ),
    )
    return tuple(replace(fact, whom=whom) for fact in found)


def search_facts(findings: Findings) -> tuple[Fact, ...]:
    """Number of images and videos that the latest search compared, and per verdict: S1 to S8."""
    unit = "images and videos" if findings.videos else "images"
    named = [(f"{unit} compared", findings.compared)]
    named += [
        (f"{unit} with verdict {verdict!r}", findings.counts[verdict]) for verdict in VERDICTS
    ]
    return (
        *(
            _count(f"S{number}", name, value, unit=unit, method="the latest search")
            for number, (name, value) in enumerate(named, start=1)
        ),
        worded("S8", "all counts", _all_counts(findings), method="the latest search"),
    )


def _all_counts(findings: Findings) -> str:
    counts = [f"{findings.counts[verdict]:,} {verdict}" for verdict in VERDICTS]
    were = "was" if findings.compared == 1 else "were"
    return f"{findings.compared_in_words} {were} compared: {join_with_and(counts)}"


def gallery_facts(counts: GalleryCounts | None) -> tuple[Fact, ...]:
    """Contents of the gallery: G1 images, G2 faces, G3 images without a face, G4 skipped files.

    G5 is its state; an empty gallery (None) has only that.
    """
    state = "the gallery is empty" if counts is None else "the gallery is ready"
    ready = worded("G5", "state of the gallery", state, method="the gallery's record")
    if counts is None:
        return (ready,)
    named = (
        ("images in the gallery", counts.pictures, "images", counts.videos),
        ("faces in the gallery", counts.faces, "faces", 0),
        ("images without a face", counts.without_face, "images", counts.videos_without_face),
        ("skipped files", counts.skipped, "files", 0),
    )
    return (
        *(
            _held(f"G{number}", name, value, unit=unit, videos=videos)
            for number, (name, value, unit, videos) in enumerate(named, start=1)
        ),
        ready,
    )


def _held(id: str, name: str, value: int, *, unit: str, videos: int) -> Fact:
    """A number of the gallery's record; with videos among them both numbers stand in the words."""
    method = "the gallery's record"
    if not videos:
        return _count(id, name, value, unit=unit, method=method)
    both = pictures_in_words(value, videos=videos)
    show = "shows" if value == 1 else "show"
    said = f"the gallery holds {both}" if id == "G1" else f"{both} {show} no face"
    return worded(id, name, said, method=method)


def faces_fact(handle: str, count: int) -> Fact:
    """Number of faces found in a photo."""
    said = {0: "no detectable face", 1: "one face"}.get(count, "several faces")
    return worded(f"{handle}.faces", "faces found", said, method="the face detector")


def file_fact(handle: str, words: Mapping[str, Any]) -> Fact:
    """The description of a picture by `tools.agent_tools.photo_description`, as a fact."""
    faces = {"none": "no face", "one": "one face"}.get(words["faces"], "several faces")
    said = f"a {words['size']} {words['format']} image with {faces} found"
    if words["quality"]:
        said += f", of limited quality ({join_with_and(words['quality'])})"
    if words["metadata"]:
        said += ", with metadata"
    return worded(f"{handle}.file", "what the file is", said, method="the file itself")


def impression_fact(handle: str, impression: Impression | None) -> Fact:
    """What a network names about a picture, in words; nothing is measured by it."""
    said = impression_text(impression)
    return worded(f"{handle}.impression", "the model's impression", said, method=_LOOKED)


def meaning_facts() -> tuple[Fact, ...]:
    """The meaning of each measure and verdict, from the glossary."""
    return tuple(
        worded(f"about.{id_}", f"meaning of {id_}", text) for id_, text in MEANINGS.items()
    )


def count_in_words(value: float) -> str:
    """A count as a word: none, one or several."""
    return "none" if value == 0 else "one" if value == 1 else "several"


def _probability(subject: str, number: int, value: float | None, *, reads: str) -> Fact:
    name, limits = _PROBABILITIES[number]
    return Fact(
        f"{subject}.P{number}", name, value, PROBABILITY, reads, method=_CALIBRATION, limits=limits
    )


def _evidence(subject: str, item: Evidence) -> Fact:
    return Fact(
        id=f"{subject}.{item.id}",
        name=item.title,
        value=item.value,
        unit=item.unit,
        reads=item.reads,
        method=item.method,
        limits=item.limits,
        share_of_authentic_below=item.share_of_authentic_below,
    )


def worded(id_: str, name: str, text: str, *, method: str = "") -> Fact:
    """A fact that is nothing but words."""
    return Fact(id_, name, None, IN_WORDS, text, method=method, limits="")


def _count(handle: str, name: str, value: int, *, unit: str, method: str) -> Fact:
    return Fact(handle, name, float(value), unit, count_in_words(value), method=method, limits="")
