"""Evidence: measured facts with an id, value, unit, method and known limits.

Two tables define the name and interpretation of each raw score: `MEASURES`, for every face in a
gallery, and `RERANK_ONLY_MEASURES`, added by reranking the leading hits. `collect_evidence` turns
the scores of one hit into E1, E2 … with fixed numbers; E11 to E17 are a map's regions
(`tools.localisers.regions`). Missing measurements are listed as not measured, never as zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.verdict.calibration import ReferenceDistribution, Scores
from tools.verdict.interpretation import interpret_score
from tools.verdict.rule import VerdictRule
from tools.verdict.units import NOT_MEASURED, describe_usual, format_value


@dataclass(frozen=True, slots=True)
class Measure:
    """Name, unit, method and limits of one score."""

    score: str
    name: str
    unit: str
    method: str
    limits: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measured fact about a hit.

    `value` is None if not measured; `share_of_authentic_below` is its percentile among authentic
    validation photographs (0..1; None without such a reference). `reads` is the interpretation, a
    word or two without digits.
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

    @property
    def title(self) -> str:
        """The name without the remarks in brackets that are for tables of numbers."""
        return evidence_title(self.name)

    @property
    def shown(self) -> str:
        """The value in words, for display."""
        return format_value(self.value, self.unit, id=self.id)

    @property
    def usual(self) -> str:
        """Its place among authentic photos, in words; empty without a reference."""
        return describe_usual(self.share_of_authentic_below)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; a missing value is null."""
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


def evidence_title(name: str) -> str:
    """A measure's name without the remarks in brackets that are for tables of numbers."""
    return name.partition(" (")[0]


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
        "face/unifd_neighbours", "nearness to known forged faces", "cosine distance difference",
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
        "image/unifd_neighbours", "nearness to known forged images", "cosine distance difference",
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
        "query/same_photograph", "same photograph as a query photo (1: proven)", "",
        "alignment by local features (SIFT, RANSAC), and agreement of the aligned pixels "
        "outside the face",
        "Frames of one video before a still background can pass; a strong crop or much text can "
        "hide a copy.",
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

RERANK_ONLY_MEASURES: tuple[Measure, ...] = (
    Measure(
        "retakes/kept", "steadiness of the verdict", "share of retakes",
        "share of mild retakes (JPEG, resizing, blur) in which the verdict stays the same",
        "Steady is not right: a wrong verdict can be steady too.",
    ),
    Measure(
        "face/sbi_caddm", "artefact score of the face", "logit",
        "a network that learnt to find swapped areas of several sizes (SBI and CADDM)", _RETOUCH,
    ),
    Measure(
        "second/cosine_similarity", "identity similarity by a second embedder", "cosine",
        "an embedder of another family on the same faces, against the mean of the query photos'",
        "A look-alike or relative can score high; it says whom the face depicts, not its origin.",
    ),
    Measure(
        "second/difference", "lead of the identity similarity over the second embedder's", "share",
        "both similarities on a scale from strangers (0) to the same picture (1), the first minus "
        "the second",
        "Swaps made to please one embedder stand out; pose and quality move it as well.",
    ),
    Measure(
        "reference/inner_outer", "difference of the inner from the outer face", "squared distance",
        "identity of the inner face compared with that of the outer face, weighted by the query "
        "photos (ICT)",
        "Says nothing if a whole head was generated or only an expression was changed.",
    ),
    Measure(
        "reference/patch_distance", "distance from the query photos, place by place", "distance",
        "each place of the face against the nearest place of the query photos, in encoder space",
        "Another light, age or camera can be as far as a forgery; more query photos help.",
    ),
    Measure(
        "image/patches", "strongest sign of forgery in a part of the image", "logit",
        "the whole image scored patch by patch; the mean of the strongest patches",
        "Text, logos and heavy compression stand out too.",
    ),
    Measure(
        "vlm/opinion", "forgery opinion of the chat model", "log-odds",
        "the probabilities of its answers yes and no to whether the face was forged",
        "A weak detector: such answers are hardly better than chance; it takes no part in the "
        "verdict.",
    ),
    Measure(
        "query/face_difference", "difference of the face from the same photograph", "correlation",
        "correlation with the aligned query photo: that of the surroundings minus that of the face",
        "Another expression a moment later differs as well; a retouched eye may not.",
    ),
    Measure(
        "query/agreeing_share", "agreement with the aligned query photo", "share",
        "share of the comparable places outside the face whose pixels agree",
        "Plain areas say nothing; text, watermarks and borders lower it.",
    ),
    Measure(
        "query/aligned_keypoints", "number of local features that agree", "keypoints",
        "inliers of an affine map (SIFT, ratio test, RANSAC)",
        "Clothes, signs and logos of other photographs match too; it proves nothing alone.",
    ),
    Measure(
        "query/aligned_photo", "number of the query photo that was aligned", "",
        "the query photo whose alignment was proven",
        "Both may be copies of a third file.",
    ),
    Measure(
        "query/face_change", "change of the face since the same photograph", "log ratio",
        "colour difference that remains in the face, relative to the surroundings, after the "
        "colours around the face were fitted",
        "A face that was forged faintly or compressed strongly hardly stands out.",
    ),
    Measure(
        "face/clip_forged", "forgery score by the pretrained tower", "logit",
        "manipulation score and synthesis score together: the log of their summed odds",
        "As narrow as the two scores; needs the CLIP part of `unmask setup`.",
    ),
    Measure(
        "face/clip_tuned", "manipulation score of the face", "logit",
        "linear classifier on blocks of a pretrained CLIP tower whose upper norms were tuned on "
        "swaps and edits (GenD)",
        f"{_RETOUCH} Needs the CLIP part of `unmask setup`.",
    ),
    Measure(
        "face/clip_synthesis", "synthesis score of the face", "logit",
        "linear classifier on blocks of a pretrained CLIP tower, taught by wholly generated faces",
        "A generator that it never saw can read as a photograph; studio portraits read higher than "
        "snapshots. Needs the CLIP part of `unmask setup`.",
    ),
    Measure(
        "version/other_face", "same photograph with another face (1: proven)", "",
        "alignment by local features (SIFT, RANSAC) with pictures of a similar layout, agreement "
        "of the aligned pixels outside the face, and comparison of the two faces",
        "It does not say which of the two was altered; a face hidden by sunglasses, or "
        "pixelated and then strongly compressed, can pass for another one. Nothing found is no "
        "sign of authenticity: the original of a forgery is rarely among the pictures searched.",
    ),
    Measure(
        "version/agreeing_share", "agreement with the other version", "share",
        "share of the comparable places outside the face whose pixels agree",
        "Plain areas say nothing; text, watermarks and borders lower it.",
    ),
    Measure(
        "version/face_similarity", "similarity of the face to that of the other version", "cosine",
        "ArcFace embeddings of the two faces in the same place",
        "A faint swap leaves much of the face that it replaced.",
    ),
    Measure(
        "version/lead", "lead of the forgery score over the other version", "log-odds",
        "calibrated forgery log-odds of the face, judged alone, minus those of the other face",
        "Edits and compression of one version raise its score too.",
    ),
    Measure(
        "face/noise", "noise of the face", "grey levels",
        "second differences of the aligned face, of its quietest quarter, at the size that the "
        "detectors read (Immerkær)",
        "Noise makes every detector read a face as more authentic; what was smoothed afterwards is "
        "not seen.",
    ),
    Measure(
        "face/blocks", "blocks of JPEG in the face", "times",
        "jumps of the grey level at the edges of blocks of 8 pixels, over those elsewhere",
        "Strong compression removes the traces of a forgery; blocks of a picture that was resized "
        "afterwards are not seen.",
    ),
    Measure(
        "face/rescaled_blocks", "resized blocks of JPEG in the face", "share of the mean",
        "how deeply jumps of the grey level rise and fall in a grid of squares of 5.3 to 11.5 "
        "pixels",
        "Strong compression removes the traces of a forgery; blocks of a picture that was reduced "
        "to less than 0.66 of its size, or compressed again, are seldom seen.",
    ),
)  # fmt: skip
"""Measured on leading hits only, because each reads images again."""

FIRST_RERANK_NUMBER = 18
"""First evidence number of the reranking measures; E11 to E17 are the regions of a map."""


def numbered_measures() -> tuple[tuple[int, Measure], ...]:
    """Every measure with its fixed evidence number."""
    return (*enumerate(MEASURES, 1), *enumerate(RERANK_ONLY_MEASURES, FIRST_RERANK_NUMBER))


def collect_evidence(
    scores: Scores,
    references: Mapping[str, ReferenceDistribution],
    *,
    rule: VerdictRule | None = None,
) -> tuple[Evidence, ...]:
    """All measures of one hit, by number; those of `RERANK_ONLY_MEASURES` only if in `scores`.

    Ids are the same for every hit, so E2 always means the same kind of measurement. `rule`
    interprets the values; without it some read "not calibrated".
    """
    return tuple(
        _evidence(number, measure, scores, references, rule)
        for number, measure in numbered_measures()
        if number < FIRST_RERANK_NUMBER or measure.score in scores
    )


def _evidence(
    number: int,
    measure: Measure,
    scores: Scores,
    references: Mapping[str, ReferenceDistribution],
    rule: VerdictRule | None,
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
        reads=interpret_score(measure.score, scores, share=share, rule=rule),
    )


def _share(
    name: str, scores: Scores, references: Mapping[str, ReferenceDistribution]
) -> float | None:
    value, reference = scores.get(name), references.get(name)
    return None if value is None or reference is None else reference.share_below(value)
