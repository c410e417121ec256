"""A gallery of any size without pictures: persons, and perturbations of their embeddings.

A person is a random unit vector; each of its faces is that vector with noise, so that two faces of
one person have a cosine of about 0.6 and strangers one of about 0. Everything else of a record has
the size that the pocket models give it. The same seed gives the same gallery.

Does not show: how real faces lie; their embeddings fill the space less evenly, and some strangers
look alike.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tools.faces.analyser import Face
from tools.faces.quality import FaceQuality
from tools.gallery.record_store import Gallery
from tools.gallery.records import AnalysedFace, AnalysedImage, FileRecord, Vector

DIMENSION = 512
FEATURES = 256
FACES_PER_PERSON = 20
SAME_PERSON_COSINE = 0.6
_COMMIT = 1000
_FINGERPRINT = {"faces": "synthetic", "encoder": "synthetic"}


def person_faces(first: int, count: int, *, seed: int) -> Vector:
    """Embeddings (count, 512) of the faces number `first` and on, twenty in a row of a person."""
    numbers = np.arange(first, first + count)
    persons, rows = np.unique(numbers // FACES_PER_PERSON, return_inverse=True)
    centres = np.stack([_direction(seed, 1, int(person)) for person in persons])
    noise = np.random.default_rng((seed, 2, first)).normal(size=(count, DIMENSION))
    # Noise of this length gives the cosine above between two faces with the same centre.
    length = np.sqrt(1 / SAME_PERSON_COSINE - 1)
    faces = centres[rows] + noise * (length / np.sqrt(DIMENSION))
    return np.asarray(faces / np.linalg.norm(faces, axis=1, keepdims=True), np.float32)


def _direction(*seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=DIMENSION)
    return np.asarray(vector / np.linalg.norm(vector))


def open_synthetic(home: Path) -> Gallery:
    """The synthetic gallery of a data folder, made if there is none."""
    return Gallery.open(home, "synthetic", fingerprint=_FINGERPRINT)


def fill(gallery: Gallery, count: int, *, first: int = 0, seed: int = 0) -> Iterator[int]:
    """Record this many pictures with one face each; gives the number recorded after a commit."""
    rng = np.random.default_rng((seed, 3, first))
    for start in range(first, first + count, _COMMIT):
        size = min(_COMMIT, first + count - start)
        embeddings = person_faces(start, size, seed=seed)
        features = rng.normal(size=(2, size, FEATURES)).astype(np.float32)
        images = [_image(start + at, embeddings[at], features[:, at], rng) for at in range(size)]
        files = [FileRecord(path_of(start + at), 1, 1, images[at].id) for at in range(size)]
        gallery.add(images, files)
        yield start + size - first


def path_of(number: int) -> Path:
    """The path that the record has for a picture; there is no such file."""
    return Path(f"/synthetic/{number // 1000:06}/{number:09}.jpg")


def image_id_of(number: int) -> str:
    """The id of a picture."""
    return f"{number:064x}"


def _image(
    number: int, embedding: Vector, features: Vector, rng: np.random.Generator
) -> AnalysedImage:
    box = np.array([100, 100, 200, 220], np.float32)
    face = Face(
        box=box,
        keypoints=rng.uniform(100, 200, (5, 2)).astype(np.float32),
        landmarks=rng.uniform(100, 200, (68, 2)).astype(np.float32),
        quality=FaceQuality(*rng.uniform(40, 100, 3), *rng.uniform(0, 1, 2)),
        embedding=embedding,
    )
    number_hash = int(rng.integers(1 << 63))
    return AnalysedImage(
        id=image_id_of(number),
        width=1024,
        height=768,
        format="JPEG",
        frames=1,
        byte_size=200_000,
        perceptual_hash=number_hash,
        unmask_forgery=False,
        features=features[0],
        faces=(AnalysedFace(face, features[1], number_hash),),
    )
