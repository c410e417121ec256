"""Of two photos that are one photograph with two different faces, judge which one was altered.

The same proof and the same question of the rule as in a search
(`tools.search.reranking.other_version`): the photos are aligned, their faces belong to different
people, and the difference of the two forgery scores says which of them is more likely altered.

Does not show: that the other one is authentic; a third picture may be the original of both.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tools.faces.analyser import Face
from tools.gallery.records import AnalysedImage, FaceRecord, ImageRecord
from tools.search.checking.alone import scores_alone
from tools.search.model_bundle import ModelBundle
from tools.search.reranking.other_version import SIMILARITY, lead
from tools.search.same_photograph.decision import Alignment
from tools.search.same_photograph.other_face import replaced_face
from tools.search.scoring import EmbeddedFace
from tools.verdict.calibration import Scores
from tools.verdict.rule import LEAD, OTHER_VERSION, VerdictRule

Altered = Literal["first", "second", "open"]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredFace:
    """A face with its picture: `pixels` (h, w, 3) uint8 RGB, and the measurements of both."""

    pixels: np.ndarray
    image: AnalysedImage | ImageRecord
    face: EmbeddedFace


def shows_another_face(alignment: Alignment, first: Face, second: Face) -> bool:
    """Whether the second photo is proven to be the first one with another face in its place."""
    there = FaceRecord("", "", 0, second, None, None)
    return alignment.proven and replaced_face(alignment, first, [there]) is not None


def version_scores(
    first: MeasuredFace, second: MeasuredFace, *, instruments: ModelBundle
) -> dict[str, float | None]:
    """The scores of two proven versions: by how much the first reads as more forged."""
    rule = instruments.rule
    ours, theirs = (
        scores_alone(it.pixels, it.image, it.face, instruments=instruments)
        for it in (first, second)
    )
    return {
        OTHER_VERSION: 1.0,
        SIMILARITY: float(first.face.face.embedding @ second.face.face.embedding),
        LEAD: None if rule is None else lead(rule, ours, theirs),
    }


def which_altered(scores: Scores, rule: VerdictRule | None) -> tuple[Altered, float | None]:
    """Which of two proven versions was altered, and the probability that it is the first.

    Only a clear lead accuses a photo; None without a calibrated probability.
    """
    if rule is None or "one_of_two" not in rule.questions or scores.get(LEAD) is None:
        return "open", None
    mirrored = {LEAD: -(scores[LEAD] or 0.0)}
    probability = rule.question("one_of_two", scores).calibrator.probability(scores)
    if rule.place("one_of_two", scores) == "high":
        return "first", probability
    return ("second" if rule.place("one_of_two", mirrored) == "high" else "open"), probability
