"""Analysers without networks, so that what is killed is writing: embeddings are pixels.

Records, index, jobs and files are the real ones; `index_photos` and its siblings are what the
children of the suite run.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from PIL import Image

from tools.faces.alignment import KEYPOINT_TEMPLATE
from tools.faces.analyser import Face
from tools.faces.quality import measure_quality

OLD = {"faces": "a" * 64, "encoder": "b" * 64}
NEW = {**OLD, "faces": "c" * 64}
SIDE_PX = 48


class PixelFaces:
    """One "face" in the middle of every picture; `colour` makes other embeddings of the same."""

    def __init__(self, *, colour: bool = False) -> None:
        self._colour = colour

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """The face of each picture (h, w, 3) uint8 RGB."""
        return [[self._face(image)] for image in images]

    def find_faces(self, image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Its keypoints (5, 2) px."""
        return [(_keypoints(), None)]

    def embed(self, looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Embeddings (d,) of unit length of pictures."""
        return [self._embedding(image) for image, _ in looks]

    def _face(self, image: np.ndarray) -> Face:
        box = np.array([0, 0, SIDE_PX, SIDE_PX], np.float32)
        quality = measure_quality(image, box, _keypoints(), detector_score=1.0)
        return Face(box, _keypoints(), None, quality, self._embedding(image))

    def _embedding(self, image: np.ndarray) -> np.ndarray:
        seen = image if self._colour else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(seen, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        small -= small.mean() - 1e-3
        return np.asarray(small / np.linalg.norm(small), np.float32)


class PixelFeatures:
    """Features are the pixels, 4×4."""

    image_size = 32
    face_margin = 1.3

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Features (n, 48) float32."""
        rows = [cv2.resize(it, (4, 4), interpolation=cv2.INTER_AREA).ravel() for it in images]
        return np.array(rows, np.float32).reshape(len(images), 48)


def _keypoints() -> np.ndarray:
    return (KEYPOINT_TEMPLATE * SIDE_PX).astype(np.float32)


def write_pictures(folder: Path, count: int, *, seed: int) -> None:
    """Pictures with different embeddings."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = cv2.resize(
            rng.integers(0, 256, (6, 6, 3), np.uint8), (SIDE_PX, SIDE_PX),
            interpolation=cv2.INTER_CUBIC,
        )  # fmt: skip
        Image.fromarray(pixels).save(folder / f"{number:04}.png")


@contextlib.contextmanager
def _set(module: ModuleType, **constants: int) -> Iterator[None]:
    """Other constants of a module, for a time."""
    before = {name: getattr(module, name) for name in constants}
    vars(module).update(constants)
    try:
        yield
    finally:
        vars(module).update(before)


# -- what children do --------------------------------------------------------------------------


def index_photos(home: Path, photos: Path, acknowledge: Callable[[Sequence[str]], None]) -> None:
    """Index a folder, with Chroma's index updated after every batch."""
    from tools.gallery.engines.choice import CHROMA, choose_index
    from tools.gallery.indexing import batches, committing, job
    from tools.gallery.record_store import Gallery

    with (
        _set(committing, INDEX_EVERY=1),
        _set(batches, BATCH_IMAGES=4),  # many commits, many moments
        Gallery.open(home, fingerprint=OLD) as gallery,
    ):
        choose_index(gallery, CHROMA)  # a gallery this small would do without
        job.index_folders(
            [photos], gallery=gallery, faces=PixelFaces(), encoder=PixelFeatures(), threads=1,
            on_indexed=acknowledge,
        )  # fmt: skip


def rebuild_index(home: Path) -> None:
    """Open the index of a gallery whose Chroma folder is gone."""
    from tools.gallery.record_store import Gallery
    from tools.gallery.vector_index import FaceIndex

    with Gallery.open_existing(home) as gallery, FaceIndex.open(gallery) as index:
        index.sync()


def upgrade(home: Path) -> None:
    """Embed all faces anew."""
    from tools.gallery.upgrade import job

    with _set(job, _KEEP_EVERY=8):
        job.upgrade_gallery(home, "default", faces=PixelFaces(colour=True), fingerprint=NEW)


def forget_pictures(
    home: Path, pictures: Sequence[str], acknowledge: Callable[[Sequence[str]], None]
) -> None:
    """Delete pictures one by one."""
    from tools.gallery.forgetting import forget_records, held_records
    from tools.gallery.record_store import Gallery

    for each in pictures:
        with Gallery.open_existing(home) as gallery:
            held = held_records(gallery, [each])
        forget_records(home, "default", held)
        acknowledge([each])
