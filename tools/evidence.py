"""Evidence: measured facts with an id, a value, a unit, the method and its known limits.

A table (`MEASURES`) says how each raw score is named and read; `collect` turns the scores of one
hit into E1, E2 … in a fixed order. What was not measured is listed as such, never as zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.calibration import Reference, Scores
from tools.handles import NOT_MEASURED
from tools.readings import read_score
from tools.verdict import Rule


@dataclass(frozen=True, slots=True)
class Measure:
    """How one score is named, in which unit, by which method, and what it does not show."""

    score: str
    name: str
    unit: str
    method: str
    limits: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measured fact about a hit.

    `value` is None when it was not measured; `share_of_authentic_below` places it among
    authentic validation photographs (0..1; None where no such reference exists). `reads` is a
    word or two without digits: how the value is to be understood.
    """

    id: str
    score: str
    name: str
    value: float | None
    unit: str
    method: str
    limits: str
    share_of_authentic_below: float | None = None
    reads: str = NOT_MEASURED

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; a missing value is null."""
        return {
            "id": self.id,
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "method": self.method,
            "limits": self.limits,
            "share_of_authentic_below": self.share_of_authentic_below,
            "reads": self.reads,
        }


_RETOUCH = "Beauty filters, heavy compression and screenshots can raise it on genuine photos."

MEASURES: tuple[Measure, ...] = (
    Measure(
        "cosine_similarity", "identity similarity", "cosine",
        "ArcFace embedding of the aligned face against the mean of the query photos' embeddings",
        "A look-alike or relative can score high; it says whom the face depicts, not its origin.",
    ),
    Measure(
        "face/unifd_linear", "forgery score of the face", "logit",
        "linear classifier on CLIP features of the aligned face crop (UniFD)", _RETOUCH,
    ),
    Measure(
        "face/unifd_neighbours", "nearest known faces", "cosine distance difference",
        "distance to the nearest authentic minus to the nearest forged faces of a bank, "
        "in CLIP feature space (UniFD)",
        "Only as broad as its bank: an unseen kind of forgery can lie near authentic faces.",
    ),
    Measure(
        "image/unifd_linear", "forgery score of the whole image", "logit",
        "linear classifier on CLIP features of the whole image (UniFD)",
        "A small forged face in a large image changes it little.",
    ),
    Measure(
        "image/unifd_neighbours", "nearest known images", "cosine distance difference",
        "distance to the nearest authentic minus to the nearest forged images of a bank, "
        "in CLIP feature space (UniFD)",
        "A small forged face in a large image changes it little.",
    ),
    Measure(
        "query/face_linear_difference", "forgery score relative to the query photos", "logit",
        "the face's forgery score minus the mean of the query photos' own",
        "Assumes that the query photos are authentic.",
    ),
    Measure(
        "query/face_feature_cosine", "appearance similarity to the query photos", "cosine",
        "CLIP features of the face crop against the most similar query photo",
        "Light, age and camera change it as well as forgery does.",
    ),
    Measure(
        "query/face_hash_distance", "difference from the nearest query photo", "bits of 64",
        "Hamming distance of perceptual hashes of the aligned faces",
        "A small edit inside a copied photo can go unnoticed by the hash.",
    ),
    Measure(
        "interocular_px", "distance between the eyes", "px", "facial landmarks",
        "Says how much detail the other measurements had to work with.",
    ),
    Measure(
        "unmask_mark", "Unmask forgery mark in the metadata (1: present)", "",
        "EXIF, JPEG comment and PNG text",
        "Anyone can add or strip metadata; it takes no part in the verdict.",
    ),
)  # fmt: skip


def collect(
    scores: Scores, references: Mapping[str, Reference], *, rule: Rule | None = None
) -> tuple[Evidence, ...]:
    """All measures of one hit, numbered E1… in the order of `MEASURES`.

    Ids are the same for every hit, so that E2 always means the same kind of measurement. `rule`
    says how values read; without it some read "not calibrated".
    """
    return tuple(
        _evidence(number, measure, scores, references, rule)
        for number, measure in enumerate(MEASURES, start=1)
    )


def _evidence(
    number: int,
    measure: Measure,
    scores: Scores,
    references: Mapping[str, Reference],
    rule: Rule | None,
) -> Evidence:
    share = _share(measure.score, scores, references)
    return Evidence(
        id=f"E{number}",
        score=measure.score,
        name=measure.name,
        value=scores.get(measure.score),
        unit=measure.unit,
        method=measure.method,
        limits=measure.limits,
        share_of_authentic_below=share,
        reads=read_score(measure.score, scores, share=share, rule=rule),
    )


def _share(name: str, scores: Scores, references: Mapping[str, Reference]) -> float | None:
    value, reference = scores.get(name), references.get(name)
    return None if value is None or reference is None else reference.share_below(value)
