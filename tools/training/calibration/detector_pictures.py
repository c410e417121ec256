"""Labelled pictures for calibrating and comparing detectors; no model was trained on these people.

LFW's validation persons and DFDC's validation originals are each split in two halves. Detectors are
calibrated on `fit` (`tools.training.calibration.detectors`); figures are reported on `report` only
(`python -m evals detectors`). An authentic photograph and all its forgeries are encoded with the
same JPEG encoder, so compression does not reveal the label.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from tools.encoder.clip import Encoder
from tools.encoder.preprocessing import Mode
from tools.faces.alignment import aligned_crop
from tools.faces.analyser import Face, FaceAnalyser
from tools.forge.forgery import FAMILIES_WITH_SOURCE
from tools.training.calibration.benchmark_cases import split_persons
from tools.training.data.forgery_pool import LfwPhotographs, forge_photo

EvaluationHalf = Literal["fit", "report"]
LOWEST_QUALITY, HIGHEST_QUALITY = 75, 98
"""JPEG quality range; the upper end is exclusive. As in `benchmark_cases`."""

DEPICT_THE_SOURCE = ("face_swap",)
"""Families that paste another person's whole face; the other families alter the existing face."""

_BATCH = 32


def half_of(names: Iterable[str], half: EvaluationHalf) -> frozenset[str]:
    """Names that belong to a half; the same split as `benchmark_cases.split_persons`."""
    first, second = split_persons({name: [] for name in names})
    return frozenset(first if half == "fit" else second)


def lfw_faces(data: Path, half: EvaluationHalf) -> LfwPhotographs:
    """LFW's labelled photographs of the validation persons in one half."""
    faces = LfwPhotographs.load(data, split="val")
    chosen = half_of(set(faces.people.tolist()), half)
    kept = np.array([person in chosen for person in faces.people], bool)
    return replace(
        faces, paths=faces.paths[kept], landmarks=faces.landmarks[kept], people=faces.people[kept]
    )


def dfdc_files(data: Path, half: EvaluationHalf) -> list[tuple[str, str]]:
    """(fake, real) DFDC validation pairs of one half, as paths below `dfdc/`."""
    with (data / "dfdc" / "pairs.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "val"]
    chosen = half_of({row["real"] for row in rows}, half)
    return [(f"fake/{it['fake']}", f"real/{it['real']}") for it in rows if it["real"] in chosen]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledForgery:
    """A forgery (h, w, 3) uint8 RGB of the photo `target`; `source` if a second photo was used.

    `depicts` is whichever of the two shows the person depicted by the forgery.
    """

    pixels: np.ndarray
    family: str
    target: int
    source: int | None

    @property
    def depicts(self) -> int:
        """Row of `LfwPhotographs`."""
        swapped = self.family in DEPICT_THE_SOURCE and self.source is not None
        return self.target if not swapped or self.source is None else self.source


def make_forgery(
    faces: LfwPhotographs, index: int, *, family: str, rng: np.random.Generator
) -> LabelledForgery | None:
    """One forgery of a photo; None if the photo cannot be forged with this family."""
    source = faces.source_for(index, rng) if family in FAMILIES_WITH_SOURCE else None
    pixels = faces.read(index)
    forgery = forge_photo(faces, index, pixels, source=source, family=family, rng=rng)
    return None if forgery is None else LabelledForgery(forgery.pixels, family, index, source)


def mate_of(faces: LfwPhotographs, index: int, *, apart_from: Collection[int]) -> int | None:
    """Another photo of the person, for use as the query; None if there is none."""
    of_person = np.flatnonzero(faces.people == faces.people[index])
    others = [int(it) for it in of_person if it != index and it not in apart_from]
    return others[0] if others else None


def quality_of(index: int, *, seed: int) -> int:
    """JPEG quality of a photo and of all its forgeries."""
    drawn = np.random.default_rng([seed, index])
    return int(drawn.integers(LOWEST_QUALITY, HIGHEST_QUALITY))


def main_face(faces: Sequence[Face], shape: tuple[int, ...]) -> Face | None:
    """The large, central face of a picture, chosen as in insightface's examples."""
    middle = np.array([shape[1], shape[0]]) / 2

    def prominence(face: Face) -> float:
        size, centre = face.box[2:] - face.box[:2], (face.box[:2] + face.box[2:]) / 2
        return float(np.prod(size) - 2.0 * ((centre - middle) ** 2).sum())

    return max(faces, key=prominence, default=None)


@dataclass(frozen=True, slots=True, eq=False)
class InMemoryInputs:
    """Pictures measured in memory, in the form detectors take as input (`protocol.Views`)."""

    pixels: tuple[np.ndarray, ...]
    keypoints: tuple[np.ndarray | None, ...]
    embeddings: np.ndarray
    face_features: np.ndarray
    image_features: np.ndarray
    query: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """Pixels and keypoints of each picture."""
        return zip(self.pixels, self.keypoints, strict=True)

    @classmethod
    def from_pictures(
        cls, pictures: Sequence[np.ndarray], *, faces: FaceAnalyser, encoder: Encoder
    ) -> "InMemoryInputs":
        """Measure the foremost face of each picture (h, w, 3) uint8 RGB."""
        found = [
            main_face(them, picture.shape)
            for start in range(0, len(pictures), _BATCH)
            for them, picture in zip(
                faces.analyse(pictures[start : start + _BATCH]),
                pictures[start : start + _BATCH],
                strict=True,
            )
        ]
        crops = [
            None if face is None else aligned_crop(
                picture, face.keypoints, size=encoder.image_size, margin=encoder.face_margin
            )
            for face, picture in zip(found, pictures, strict=True)
        ]  # fmt: skip
        return cls(
            pixels=tuple(pictures),
            keypoints=tuple(None if face is None else face.keypoints for face in found),
            embeddings=_rows([None if face is None else face.embedding for face in found]),
            face_features=_features(crops, encoder),
            image_features=encoder.encode_images(pictures),
        )

    def seen_in(self, mode: Mode, encoder: Encoder) -> "InMemoryInputs":
        """A copy whose whole-picture features use another preprocessing."""
        return replace(self, image_features=encoder.encode_images(self.pixels, mode=mode))


def _features(crops: Sequence[np.ndarray | None], encoder: Encoder) -> np.ndarray:
    features = np.full((len(crops), encoder.dimension), np.nan, np.float32)
    known = [index for index, crop in enumerate(crops) if crop is not None]
    features[known] = encoder.encode_images([crop for crop in crops if crop is not None])
    return features


def _rows(vectors: Sequence[np.ndarray | None]) -> np.ndarray:
    width = next((len(vector) for vector in vectors if vector is not None), 0)
    missing = np.full(width, np.nan, np.float32)
    return np.array([missing if it is None else it for it in vectors], np.float32)
