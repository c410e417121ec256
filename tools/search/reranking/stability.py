"""Verdict stability: score a hit again under mild JPEG compression, resizing and blur.

What a messenger does to any picture must not decide whether it is called forged: a verdict that it
changes is unreliable. The face box and keypoints are kept, so that only the pixels differ; the rule
(`tools.verdict.rule`) determines what follows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.faces.alignment import aligned_crop, crop_matrix, face_hash
from tools.faces.analyser import Face
from tools.search.model_bundle import ModelBundle
from tools.search.reranking.rerank_input import RerankInput, RerankMeasure
from tools.search.scoring import FaceColumns, score_faces
from tools.verdict.calibration import Scores

VERDICT_STABILITY = "retakes/kept"
"""Name of the score: the share of retakes that kept the hit's verdict."""

JPEG_QUALITY = 75
"""Typical JPEG quality of pictures sent by a messenger."""

RESIZE_FACTOR = 0.75
"""Factor by which a picture is downscaled before it is scaled back."""

BLUR_PX = 0.7
"""Standard deviation of the blur in pixels of a face crop `FACE_PX` wide."""

FACE_PX = 112
"""Face width that defines the blur's pixel unit; enough for every network here."""

Pixels = np.ndarray


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One perturbation: its name in reasons, and (pixels, face) -> pixels."""

    name: str
    of: Callable[[Pixels, Face], Pixels]


def _as_jpeg(pixels: Pixels, _: Face) -> Pixels:
    blue_first = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"no JPEG can be made of {pixels.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError(f"no JPEG can be read back of {pixels.shape}")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _resized(pixels: Pixels, _: Face) -> Pixels:
    height, width = pixels.shape[:2]
    size = max(1, round(width * RESIZE_FACTOR)), max(1, round(height * RESIZE_FACTOR))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _blurred(pixels: Pixels, face: Face) -> Pixels:
    """A face with more pixels needs a wider blur to change as much."""
    matrix = crop_matrix(face.keypoints, size=FACE_PX, margin=1.0)
    enlarged = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return cv2.GaussianBlur(pixels, (0, 0), BLUR_PX / max(enlarged, 1e-6))


PERTURBATIONS: tuple[Perturbation, ...] = (
    Perturbation("mild JPEG compression", _as_jpeg),
    Perturbation("mild resizing", _resized),
    Perturbation("mild blur", _blurred),
)
"""To add a perturbation, write a function and add a row; every verdict is then tested with it."""


def scores_under_perturbation(
    rerank_input: RerankInput, *, measurements: Sequence[RerankMeasure] = (), of_video: bool = False
) -> Mapping[str, Scores]:
    """The scores of a hit under each retake, by the retake's name.

    Recomputes the first-stage scores of `rerank_input.scores` and those that `measurements` return.
    Scores of a video are means over its frames, but only one frame is retaken: its change is added
    to the means. Scores that were not measured stay None; without keypoints the result is empty.
    """
    if not np.isfinite(rerank_input.face.keypoints).all():
        return {}
    takes = [
        replace(rerank_input, pixels=retake.of(rerank_input.pixels, rerank_input.face))
        for retake in PERTURBATIONS
    ]
    before = _scores([rerank_input], measurements)[0] if of_video else rerank_input.scores
    return {
        retake.name: {
            name: _moved(value, before.get(name), after.get(name, value))
            for name, value in rerank_input.scores.items()
        }
        for retake, after in zip(PERTURBATIONS, _scores(takes, measurements), strict=True)
    }


def _moved(value: float | None, before: float | None, after: float | None) -> float | None:
    """A video's score, changed by as much as the retake changed it in the measured frame."""
    return value if value is None or before is None or after is None else value + after - before


def _scores(
    takes: Sequence[RerankInput], measurements: Sequence[RerankMeasure]
) -> list[dict[str, float | None]]:
    """Scores of one face in several retakes of its picture."""
    face, models, query = takes[0].face, takes[0].instruments, takes[0].query
    pictures = [take.pixels for take in takes]
    features = models.encoder.encode_images(
        [*(_crop(each, face, models) for each in pictures), *pictures]
    )
    columns = FaceColumns(
        embeddings=np.stack(models.faces.embed([(pixels, face.keypoints) for pixels in pictures])),
        face_features=features[: len(takes)],
        image_features=features[len(takes) :],
        face_hashes=[face_hash(pixels, face.keypoints) for pixels in pictures],
        interocular_px=[face.quality.interocular_px] * len(takes),
        unmask_marks=[bool(takes[0].scores.get("unmask_mark"))] * len(takes),
    )
    rows = score_faces(query, columns, detectors=models.detectors)
    for row, take in zip(rows, takes, strict=True):
        for measurement in measurements:
            row |= measurement(take)
    return rows


def _crop(pixels: Pixels, face: Face, models: ModelBundle) -> Pixels:
    size, margin = models.encoder.image_size, models.encoder.face_margin
    return aligned_crop(pixels, face.keypoints, size=size, margin=margin)
