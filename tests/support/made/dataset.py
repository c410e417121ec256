"""Generate a small labelled data set in seconds: seven persons, 84 pictures of 256 px.

    root/
      manifest.csv                  who is depicted, whose body, by which method
      real/person_a/…               two clips a person, three frames each
      face_swap/ resynthesis/ inpainting/    14 forgeries each: a person is depicted twice in each

The persons are the NASA portrait of scikit-image and the six of insightface's sample. A person's
pictures all come from one photograph, so separating them is far easier than in practice: figures on
it show that a suite runs consistently, never its performance.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from evals.datasets import manifest_file
from evals.datasets.manifest import Manifest, ManifestRow
from evals.protocol.measured import load_models
from tests.support.cases import astronaut_pixels, group_pixels
from tools.forge.forgery import SWAPS, forge, save_forgery

SIDE_PX = 256
PERSONS = tuple(f"person_{letter}" for letter in "abcdefg")
FORGED_BY = ("face_swap", "resynthesis", "inpainting")
CLIPS, FRAMES = 2, 3
FORGERIES_EACH = 2  # per person and method


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticPhoto:
    """An authentic picture of the set: pixels (256, 256, 3), landmarks (68, 2), and its source."""

    pixels: np.ndarray
    landmarks: np.ndarray
    person: str
    clip: str
    frame: int


def build_dataset(root: Path) -> Manifest:
    """Make the pictures and the manifest in an empty folder; deterministic."""
    shots = [*_shots()]
    rows = [_kept(shot, root) for shot in shots]
    rows += [row for method in FORGED_BY for row in _forged(shots, method, root=root)]
    manifest = Manifest("made", root, tuple(rows))
    manifest_file.write(manifest, root / "manifest.csv")
    return manifest


def portraits() -> dict[str, np.ndarray]:
    """One photograph (256, 256, 3) uint8 RGB per person, with a centred face."""
    found = []
    for picture in (astronaut_pixels(), group_pixels()):
        boxes = [face.box for face in load_models().faces.analyse([picture])[0]]
        found += [_square(picture, box) for box in boxes]
    return dict(zip(PERSONS, found, strict=True))


def _square(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A square part of a picture around a face, twice the face's height wide."""
    half = int(max(box[2:] - box[:2]))
    height, width = picture.shape[:2]
    across, down = (int(middle) for middle in (box[:2] + box[2:]) / 2)
    left, top = np.clip([across - half, down - half], 0, [width - 2 * half, height - 2 * half])
    cut = picture[top : top + 2 * half, left : left + 2 * half]
    return cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)


def _shots() -> Iterator[SyntheticPhoto]:
    for person, portrait in portraits().items():
        rng = np.random.default_rng(PERSONS.index(person))
        for clip in range(CLIPS):
            taken = [_frame(portrait, rng, clip=clip) for _ in range(FRAMES)]
            for frame, faces in enumerate(load_models().faces.analyse(taken)):
                face = max(faces, key=lambda one: one.quality.width_px)
                assert face.landmarks is not None
                name = f"{person}_clip{clip}"
                yield SyntheticPhoto(taken[frame], face.landmarks, person, name, frame)


def _frame(portrait: np.ndarray, rng: np.random.Generator, *, clip: int) -> np.ndarray:
    """A frame of a clip: brightness and flip depend on the clip, position and size on the frame."""
    light = (np.array([1.0, 0.96, 0.88]), np.array([0.78, 0.82, 0.9]))[clip]
    pixels = np.clip(portrait * light, 0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels[:, ::-1]) if clip else pixels
    turn, size = rng.uniform(-6, 6), rng.uniform(0.92, 1.12)
    place = cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), turn, size)
    place = place + np.pad(rng.uniform(-8, 8, (2, 1)), ((0, 0), (2, 0)))
    moved = cv2.warpAffine(pixels, place, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REFLECT)
    return _as_jpeg(moved, quality=int(rng.integers(70, 95)))


def _as_jpeg(pixels: np.ndarray, *, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _kept(shot: SyntheticPhoto, root: Path) -> ManifestRow:
    path = f"real/{shot.person}/{shot.clip}_{shot.frame:03d}.jpg"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(shot.pixels).save(root / path, quality=92)
    return ManifestRow(
        path, "made", "real", _split(shot.person), video_id=shot.clip, frame=shot.frame,
        depicted_id=shot.person, body_id=shot.person, source_video=shot.clip, licence_tag="tests",
    )  # fmt: skip


def _forged(shots: list[SyntheticPhoto], method: str, *, root: Path) -> Iterator[ManifestRow]:
    """Forge every person `FORGERIES_EACH` times; a swap puts the face on the next persons'
    bodies."""
    (root / method).mkdir()
    of = {person: [shot for shot in shots if shot.person == person] for person in PERSONS}
    for number, person in enumerate(PERSONS):
        for turn in range(FORGERIES_EACH):
            rng = np.random.default_rng([number, turn, FORGED_BY.index(method)])
            source, body = of[person][turn], person
            if method in SWAPS:
                body = PERSONS[(number + 1 + turn) % len(PERSONS)]
            target = of[body][FRAMES * turn + 1]  # one clip per turn
            forgery = forge(
                target.pixels, target.landmarks, family=method, rng=rng,
                source_pixels=source.pixels, source_landmarks=source.landmarks,
            )  # fmt: skip
            path = f"{method}/{person}_on_{body}_{turn}.jpg"
            save_forgery(forgery, root / path)
            yield ManifestRow(
                path, "made", "fake", _split(person), depicted_id=person, body_id=body,
                method=method, source_video=target.clip, licence_tag="tests",
            )  # fmt: skip


def _split(person: str) -> str:
    return "val" if PERSONS.index(person) < 5 else "test"
