"""Takes a picture again under mild JPEG, resizing and blur, and every score of its face with it.

What happens to any picture on its way through a messenger must not decide whether it is called
forged: a verdict that it changes was no verdict. The face stays where it was found, so that only
the pixels differ; the rule (`tools.verdict.rule`) says what follows.
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
"""The score that says which share of the retakes kept a hit's verdict."""

JPEG_QUALITY = 75
"""What pictures commonly leave a messenger with."""

RESIZE_FACTOR = 0.75
"""Share of its size to which a picture is made smaller before it is brought back."""

BLUR_PX = 0.7
"""Standard deviation of the blur in pixels of a face crop `FACE_PX` wide."""

FACE_PX = 112
"""Wide enough for every network here; blur is measured in its pixels, whatever the picture's."""

Pixels = np.ndarray


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One way to take a picture again: its name in reasons, and (pixels, face) -> pixels."""

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
    """In a large picture a face has more pixels: it takes a wider blur to change as much."""
    matrix = crop_matrix(face.keypoints, size=FACE_PX, margin=1.0)
    enlarged = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return cv2.GaussianBlur(pixels, (0, 0), BLUR_PX / max(enlarged, 1e-6))


PERTURBATIONS: tuple[Perturbation, ...] = (
    Perturbation("mild JPEG compression", _as_jpeg),
    Perturbation("mild resizing", _resized),
    Perturbation("mild blur", _blurred),
)
"""To add one, write it and give it a row; what it changes is then held against every verdict."""


def scores_under_perturbation(
    rerank_input: RerankInput, *, measurements: Sequence[RerankMeasure] = (), of_video: bool = False
) -> Mapping[str, Scores]:
    """The scores of a hit as each retake would have given them, by the retake's name.

    Of `look.scores` those of the first stage are taken again, and what `measurements` give.
    Scores of a video are means over its frames, of which one is looked at: what a retake changes
    in that one is added to the means. What was not measured stays so; without keypoints nothing
    is taken again.
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
    """A score, moved as far as a retake moved it in the picture that was looked at."""
    return value if value is None or before is None or after is None else value + after - before


def _scores(
    takes: Sequence[RerankInput], measurements: Sequence[RerankMeasure]
) -> list[dict[str, float | None]]:
    """Scores of one face in several takes of its picture."""
    face, models, query = takes[0].face, takes[0].instruments, takes[0].query
    pictures = [take.pixels for take in takes]
    features = models.encoder.encode_images(
        [*(_crop(each, face, models) for each in pictures), *pictures]
    )
    columns = FaceColumns(
        embeddings=np.stack(models.faces.embed([(pixels, face.keypoints) for pixels in pictures])),
        face_features=features[: len(takes)],
        image_features=features[len(takes) :],
        face_hashes=[face_hash(pixels, face) for pixels in pictures],
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
