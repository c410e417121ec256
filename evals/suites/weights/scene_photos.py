"""Photographs with forgeries beside or in the face: LFW without black borders, and web
photographs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evals.options import EvalOptions
from tools.checkpoints.table import WEIGHTS_DIR
from tools.faces.alignment import keypoints_from_landmarks
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import SCENE_FAMILIES
from tools.training.data.forgery_pool import LfwPhotographs, read_rgb, through_jpeg
from tools.training.data.scene_pairs import forged_photo, inner_photo

FACE_FAMILIES = ("face_swap", "partial_swap", "inpainting", "resynthesis", "morph")
WEB_FAMILIES = (*SCENE_FAMILIES, "face_swap")
PHOTOS, WEB_PHOTOS = 120, 40
QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class ScenePhoto:
    """An authentic photograph (h, w, 3) uint8 RGB with its landmarks (68, 2) px.

    `group` is the unit of the bootstrap: LFW's person, or the web photograph; `person` is its
    person.
    """

    pixels: np.ndarray
    landmarks: np.ndarray
    group: str
    person: str


@dataclass(frozen=True, slots=True, eq=False)
class SceneImage:
    """An authentic or forged picture with its face; `mask` (h, w) bool marks the forged area."""

    pixels: np.ndarray
    keypoints: np.ndarray
    group: str
    mask: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSource:
    """Photographs of one origin, and the families used to forge them."""

    name: str
    photos: Sequence[ScenePhoto]
    families: tuple[str, ...]


def sources(options: EvalOptions) -> Iterator[PhotoSource]:
    """LFW's validation persons, and the web photographs if present."""
    yield PhotoSource("lfw", list(_lfw_photos(options)), (*SCENE_FAMILIES, *FACE_FAMILIES))
    web = list(_web_photos(options))
    if web:
        yield PhotoSource("photos", web, WEB_FAMILIES)


def authentic_shots(photos: Sequence[ScenePhoto]) -> list[SceneImage]:
    """The unforged photographs, as JPEGs like the forgeries."""
    return [
        SceneImage(
            through_jpeg(it.pixels, QUALITY), keypoints_from_landmarks(it.landmarks), it.group,
            np.zeros(it.pixels.shape[:2], bool),
        )
        for it in photos
    ]  # fmt: skip


def forged_shots(
    photos: Sequence[ScenePhoto], family: str, *, seed: int
) -> Iterator[tuple[int, SceneImage]]:
    """Each photograph's index and forgery; the source is the next other person's photo."""
    for at, photo in enumerate(photos):
        rng = np.random.default_rng([seed, at])
        others = (*photos[at + 1 :], *photos[:at])
        other = next((it for it in others if it.person != photo.person), None)
        pair = forged_photo(
            photo.pixels, photo.landmarks, family=family, rng=rng,
            source=None if other is None else (other.pixels, other.landmarks),
            origin=photo.group,
        )  # fmt: skip
        if pair is not None:
            forged = through_jpeg(pair.fake, QUALITY)
            yield at, SceneImage(forged, pair.keypoints, photo.group, pair.mask > 127)


def _lfw_photos(options: EvalOptions) -> Iterator[ScenePhoto]:
    """The inner parts of photographs, each of another person, with that person."""
    faces = LfwPhotographs.load(options.data, split="val")
    drawn = np.random.default_rng(options.seed).permutation(len(faces.paths))
    seen: set[str] = set()
    for index in drawn:
        person = str(faces.people[index])
        photo = None if person in seen else inner_photo(faces, int(index))
        if photo is not None:
            seen.add(person)
            yield ScenePhoto(*photo, person, person)
        if len(seen) == (options.limit or PHOTOS):
            return


def _web_photos(options: EvalOptions) -> Iterator[ScenePhoto]:
    """Photographs with a detected face with landmarks, the largest one."""
    folder = options.data / "photos"
    paths = sorted(folder.glob("*/*.jpg")) if folder.is_dir() else []
    drawn = np.random.default_rng(options.seed).permutation(len(paths))
    analyser = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1) if paths else None
    for at in drawn[: options.limit or WEB_PHOTOS]:
        pixels = read_rgb(paths[at])
        found = analyser.analyse([pixels])[0] if analyser is not None else []
        face = max(found, key=lambda it: it.quality.width_px, default=None)
        if face is not None and face.landmarks is not None:
            person = paths[at].parent.name
            yield ScenePhoto(pixels, face.landmarks, f"{person}/{paths[at].name}", person)
