"""Everything that a text may cite, as facts with handles: of hits, photos, comparisons, counts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tools.calibration import Scores
from tools.comparison import Faces, MeasuredFace, authenticity_scores
from tools.detectors import Detector
from tools.evidence import FIRST_FURTHER, Evidence, collect
from tools.findings import Findings, Hit
from tools.handles import PROBABILITY, Fact, parse
from tools.readings import (
    CHANGES,
    read_forgery,
    read_forgery_alone,
    read_identity,
    read_impersonation,
    read_person,
)
from tools.records import AnalysedImage, Counts
from tools.verdict import VERDICTS, Rule

_CALIBRATION = "logistic calibration on persons that no other part was trained on"
_ODDS = "For prior odds of one to one: what the evidence adds, not how common forgeries are."

_PROBABILITIES = {
    1: ("probability of the same person", _ODDS),
    2: ("probability of a forgery", _ODDS),
    3: (
        "probability of an impersonation",
        "Assumes prior odds of one to twenty that a face is the query person's; a reason to look, "
        "no proof.",
    ),
}

_OF_A_PHOTO = (2, 3, 4, 5, 9, 10)
"""Evidence that needs no query, by its numbers."""

_OF_A_PAIR = {
    1: "identity similarity",
    7: "appearance similarity",
    8: "difference of the two as photographs",
}
"""Evidence about two faces, and its names where neither is a query."""


def hit_facts(hit: Hit, regions: Iterable[Evidence], *, rule: Rule | None) -> tuple[Fact, ...]:
    """Probabilities, evidence, and (where they were located) regions of a hit."""
    scores = {item.score: item.value for item in hit.evidence}
    given = hit.assessment
    return (
        _probability(
            hit.handle, 1, given.identity_probability, reads=read_person(given, scores, rule)
        ),
        _probability(
            hit.handle, 2, given.fake_probability, reads=read_forgery(given, scores, rule)
        ),
        _probability(
            hit.handle, 3, given.impersonation_probability, reads=read_impersonation(given)
        ),
        *(_evidence(hit.handle, item) for item in (*hit.evidence, *regions)),
    )


def worth_telling(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """What a language model is told of a subject: all that a search measures, and of a closer look
    whether it leaves the verdict in doubt.

    The verdict's own readings hold what else a closer look found; more measurements bury the ones
    that matter, most of all for a small model. The screen shows them all.
    """
    return tuple(fact for fact in facts if not _further(fact) or fact.reads == CHANGES)


def _further(fact: Fact) -> bool:
    handle = parse(fact.id)
    return handle.kind == "E" and handle.number >= FIRST_FURTHER


def photo_facts(
    handle: str, scores: Scores, regions: Iterable[Evidence], *, usable: bool, rule: Rule | None
) -> tuple[Fact, ...]:
    """What is known of a query photo by itself: whether it may have been forged, and its quality.

    `scores` are those of `photo_scores`; `usable` is the quality gate of its face.
    """
    evidence = collect(scores, rule.references if rule else {}, rule=rule)
    chosen = [evidence[number - 1] for number in _OF_A_PHOTO]
    alone = rule.question("alone", scores).calibrator if rule is not None and usable else None
    fake = None if alone is None else alone.probability(scores)
    reads = read_forgery_alone(scores if usable else {}, rule)
    return (
        _probability(handle, 2, fake, reads=reads),
        *(_evidence(handle, item) for item in (*chosen, *regions)),
    )


def photo_scores(
    image: AnalysedImage, face: MeasuredFace, *, detectors: Sequence[Detector]
) -> dict[str, float | None]:
    """Raw scores of one face that need no query."""
    if face.features is None or image.features is None:
        authenticity: dict[str, float | None] = {}
    else:
        columns = Faces(
            embeddings=face.face.embedding[None],
            face_features=face.features[None],
            image_features=image.features[None],
            face_hashes=[face.face_hash],
            interocular_px=[face.face.quality.interocular_px],
            unmask_marks=[image.unmask_forgery],
        )
        measured = authenticity_scores(columns, detectors=detectors)
        authenticity = {name: float(column[0]) for name, column in measured.items()}
    return authenticity | {
        "interocular_px": face.face.quality.interocular_px,
        "unmask_mark": float(image.unmask_forgery),
    }


def comparison_facts(
    handle: str, scores: Scores, *, usable: bool, rule: Rule | None
) -> tuple[Fact, ...]:
    """Whether two faces are one person's; `scores` are `tools.comparison.pair_scores`."""
    evidence = collect(scores, rule.references if rule else {}, rule=rule)
    same = rule.identity.probability(scores) if rule is not None and usable else None
    reads = read_identity(scores if usable else {}, rule)
    return (
        _probability(handle, 1, same, reads=reads),
        *(
            replace(_evidence(handle, evidence[number - 1]), name=name)
            for number, name in _OF_A_PAIR.items()
        ),
    )


def search_facts(findings: Findings) -> tuple[Fact, ...]:
    """How many faces the latest search compared, and how many got each verdict: S1 to S7."""
    named = [("faces compared", findings.compared)]
    named += [(f"faces with verdict {verdict!r}", findings.counts[verdict]) for verdict in VERDICTS]
    return tuple(
        _count(f"S{number}", name, value, unit="faces", method="the latest search")
        for number, (name, value) in enumerate(named, start=1)
    )


def gallery_facts(counts: Counts) -> tuple[Fact, ...]:
    """What the gallery holds: G1 images, G2 faces, G3 images without a face, G4 skipped files."""
    named = (
        ("images in the gallery", counts.images, "images"),
        ("faces in the gallery", counts.faces, "faces"),
        ("images without a face", counts.without_face, "images"),
        ("skipped files", counts.skipped, "files"),
    )
    return tuple(
        _count(f"G{number}", name, value, unit=unit, method="the gallery's record")
        for number, (name, value, unit) in enumerate(named, start=1)
    )


def quantity(value: float) -> str:
    """A count in a word: none, one or several."""
    return "none" if value == 0 else "one" if value == 1 else "several"


def _probability(subject: str, number: int, value: float | None, *, reads: str) -> Fact:
    name, limits = _PROBABILITIES[number]
    return Fact(
        f"{subject}.P{number}", name, value, PROBABILITY, reads, method=_CALIBRATION, limits=limits
    )


def _evidence(subject: str, item: Evidence) -> Fact:
    return Fact(
        id=f"{subject}.{item.id}",
        name=item.name.partition(" (")[0],  # remarks in brackets are for tables of numbers
        value=item.value,
        unit=item.unit,
        reads=item.reads,
        method=item.method,
        limits=item.limits,
        share_of_authentic_below=item.share_of_authentic_below,
    )


def _count(handle: str, name: str, value: int, *, unit: str, method: str) -> Fact:
    return Fact(handle, name, float(value), unit, quantity(value), method=method, limits="")
