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
from tools.search.scoring import FaceColumns, first_stage_names, score_faces
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


Needed = Callable[[Scores], frozenset[str]]
"""Maps scores with a settled identity to the names of those that can still change the verdict."""


def scores_under_perturbation(
    looks: Sequence[RerankInput],
    *,
    measurements: Sequence[RerankMeasure] = (),
    alignments: Sequence[RerankMeasure] = (),
    videos: Sequence[bool] = (),
    needed: Needed | None = None,
) -> list[Mapping[str, Scores]]:
    """The scores of each hit under each retake, by the retake's name.

    Recomputes the first-stage scores of the hits and those that `measurements` return; `alignments`
    are the measurements that test for the query photo. With `needed`, scores that cannot change the
    verdict keep the hit's value: the identity, which costs little, settles most retakes. Scores of
    a video are means over its frames, but only one frame is retaken: its change is added to the
    means. Scores that were not measured stay None; without keypoints the result is empty.
    """
    groups = {
        row: _Retakes.of(look, of_video=bool(videos) and videos[row])
        for row, look in enumerate(looks)
        if np.isfinite(look.face.keypoints).all()
    }
    everything = [(group, take) for group in groups.values() for take in group.takes]
    _measure_identity([take for _, take in everything])
    open_takes = [take for group, take in everything if group.names_for(take, needed)]
    for measurement in alignments:
        _measure(open_takes, measurement)
    asked = [
        take.asking(names) for group, take in everything if (names := group.names_for(take, needed))
    ]
    _measure_features(asked)
    for measurement in measurements:
        _measure(asked, measurement)
    return [groups[row].moved() if row in groups else {} for row in range(len(looks))]


@dataclass(slots=True, eq=False)
class _Take:
    """One retake of a hit's picture, with what was measured in it so far."""

    look: RerankInput
    scores: dict[str, float | None]
    embedding: np.ndarray

    def asking(self, names: frozenset[str]) -> "_Take":
        """The same take, its results shared, in which only these scores are asked for."""
        return replace(self, look=replace(self.look, requested_scores=names))


@dataclass(frozen=True, slots=True, eq=False)
class _Retakes:
    """The retakes of one hit; for a video, the frame as it is comes first."""

    look: RerankInput
    names: tuple[str, ...]
    takes: tuple[_Take, ...]
    of_video: bool

    @classmethod
    def of(cls, look: RerankInput, *, of_video: bool) -> "_Retakes":
        """Retake the picture of a hit."""
        pixels = [it.of(look.pixels, look.face) for it in PERTURBATIONS]
        takes = tuple(
            _Take(replace(look, pixels=each), {}, look.face.embedding)
            for each in ([look.pixels, *pixels] if of_video else pixels)
        )
        return cls(look, tuple(it.name for it in PERTURBATIONS), takes, of_video)

    def moved(self) -> dict[str, Scores]:
        """The hit's scores under each retake, as far as they were measured."""
        before = self.takes[0].scores if self.of_video else self.look.scores
        return {
            name: {
                score: _moved(value, before.get(score), take.scores.get(score, before.get(score)))
                for score, value in self.look.scores.items()
            }
            for name, take in zip(self.names, self.takes[self.of_video :], strict=True)
        }

    def names_for(self, take: _Take, needed: Needed | None) -> frozenset[str]:
        """The scores that are still to be measured in a take."""
        if needed is None:
            return self.look.requested_scores or frozenset(self.look.scores)
        wanted = [needed(scores) for scores in self.moved().values()]
        place = self.takes.index(take) - self.of_video
        return frozenset[str]().union(*wanted) if place < 0 else wanted[place]


def _moved(value: float | None, before: float | None, after: float | None) -> float | None:
    """A video's score, changed by as much as the retake changed it in the measured frame."""
    return value if value is None or before is None or after is None else value + after - before


def _measure(takes: Sequence[_Take], measurement: RerankMeasure) -> None:
    for take, scores in zip(takes, measurement([it.look for it in takes]), strict=True):
        take.scores.update(scores)


def _measure_identity(takes: Sequence[_Take]) -> None:
    if not takes:
        return
    models = takes[0].look.instruments
    vectors = models.faces.embed([(it.look.pixels, it.look.face.keypoints) for it in takes])
    for take, vector in zip(takes, vectors, strict=True):
        take.embedding = vector
        take.scores["cosine_similarity"] = float(vector @ take.look.query.template)


def _measure_features(takes: Sequence[_Take]) -> None:
    """Measure the first-stage scores of takes in which one of them is asked for."""
    names = {it for take in takes[:1] for it in first_stage_names(take.look.instruments.detectors)}
    takes = [it for it in takes if it.look.asks_for(*names)]
    if not takes:
        return
    models, query = takes[0].look.instruments, takes[0].look.query
    looks = [it.look for it in takes]
    pictures = [it.pixels for it in looks]
    features = models.encoder.encode_images(
        [*(_crop(it.pixels, it.face, models) for it in looks), *pictures]
    )
    columns = FaceColumns(
        embeddings=np.stack([it.embedding for it in takes]),
        face_features=features[: len(takes)],
        image_features=features[len(takes) :],
        face_hashes=[face_hash(it.pixels, it.face.keypoints) for it in looks],
        interocular_px=[it.face.quality.interocular_px for it in looks],
        unmask_marks=[bool(it.scores.get("unmask_mark")) for it in looks],
    )
    rows = score_faces(query, columns, detectors=models.detectors)
    for take, scores in zip(takes, rows, strict=True):
        take.scores.update(scores)


def _crop(pixels: Pixels, face: Face, models: ModelBundle) -> Pixels:
    size, margin = models.encoder.image_size, models.encoder.face_margin
    return aligned_crop(pixels, face.keypoints, size=size, margin=margin)
