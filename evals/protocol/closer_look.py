"""The second stage of a search on a data set: the detectors that look closer at a leading face.

Heavy detectors, those of the pretrained CLIP tower among them, read the pixels of the hits that a
search looks at closer; the rule then asks the questions of its last stage. Here the same function
scores every picture, and the question is the one about a face by itself.

Does not show: the retakes of a search, which can only turn a decision into `inconclusive`, and
comparisons with query photos, which that stage does not use.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models
from tools.errors import ToolError
from tools.gallery.records import FaceRecord
from tools.search.query import Query
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.rerank_input import RerankInput
from tools.verdict.calibration import Scores
from tools.verdict.rule import TOWER, ForgeryQuestion

FIRST, CLOSER = "first", "closer_look"
"""The two stages of a search."""

_PICTURES = 8
"""Held in memory at once, and a batch of the tower."""


def stage_questions() -> Mapping[str, ForgeryQuestion | None]:
    """The rule's question about a face by itself at each stage.

    None where it cannot be asked: without a rule, or without the tower of `unmask setup`.
    """
    models = load_models()
    if models.rule is None:
        return {FIRST: None, CLOSER: None}
    further = models.rule.further.get(TOWER, {}) if models.tower is not None else {}
    return {FIRST: models.rule.questions["alone"], CLOSER: further.get("alone")}


def look_closer(measured: MeasuredDataset, options: EvalOptions) -> MeasuredDataset:
    """The same rows with the scores of the closer look; none where no face or file is there."""
    if stage_questions()[CLOSER] is None:
        return measured
    found: list[Scores] = [{}] * len(measured)
    shown = np.flatnonzero(measured.found).tolist()
    for start in range(0, len(shown), _PICTURES):
        options.progress(start, len(shown), "closer look")
        looks = dict[int, np.ndarray]()
        for row in shown[start : start + _PICTURES]:
            with suppress(ToolError, OSError):
                looks[row] = measured.picture(row)
        faces = [measured.faces[row] for row in looks]
        scored = closer_scores([*looks.values()], faces, measured.query(shown[:1]))
        for row, scores in zip(looks, scored, strict=True):
            found[row] = scores
    return replace(measured, closer=tuple(found))


def closer_scores(
    pictures: Sequence[np.ndarray], faces: Sequence[FaceRecord | None], query: Query
) -> list[Scores]:
    """The scores that the closer look adds to a face in each picture (h, w, 3) uint8 RGB.

    Empty for a picture without a face (None), and for all without the tower. No score that the
    stage uses depends on the `query`.
    """
    question, found = stage_questions()[CLOSER], list[Scores]([{}] * len(pictures))
    if question is None:
        return found
    needed = frozenset(question.calibrator.features)
    looks = {
        row: RerankInput(pixels, it.face, {}, query, (), load_models(), requested_scores=needed)
        for row, (pixels, it) in enumerate(zip(pictures, faces, strict=True))
        if it is not None
    }
    for row, scores in zip(looks, picture_scores([*looks.values()]), strict=True):
        found[row] = scores
    return found
