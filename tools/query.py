"""The query: one or a few authentic photos of one person, measured the same way as a gallery."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.alignment import aligned_crop, face_hash
from tools.encoder import Encoder
from tools.errors import ToolError
from tools.faces import Face, FaceAnalyser
from tools.images import Photo, read_photo

Floats = NDArray[np.float32]


class NoFace(ToolError):
    """A query photo shows no face that can be measured."""


class SeveralFaces(ToolError):
    """A query photo shows several faces and nobody said which one is meant.

    `boxes` (x1, y1, x2, y2 in px) are the faces from left to right.
    """

    def __init__(self, message: str, detected: Sequence[Face]) -> None:
        super().__init__(message)
        self.boxes = [tuple(float(edge) for edge in face.box) for face in detected]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What was measured on the query photos; one row a photo.

    `embeddings` (q, e) and `template` (e,), both L2-normalised; `features` (q, d) of the face
    crops, un-normalised; `face_hashes` 64-bit. `warnings` are sentences for the person.
    """

    photo_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    faces: tuple[Face, ...]
    embeddings: Floats
    template: Floats
    features: Floats
    face_hashes: tuple[int, ...]
    warnings: tuple[str, ...]


def build_query(
    paths: Sequence[Path], *, faces: FaceAnalyser, encoder: Encoder, face: int | None = None
) -> Query:
    """Measure the query photos.

    `face` (1-based, left to right) says which face is meant where a photo shows several. Raises
    NoFace, SeveralFaces, and UnreadableImage for a file that is no picture.
    """
    photos = [read_photo(path) for path in paths]
    found = faces.analyse([photo.pixels for photo in photos])
    chosen = [_choose(path, detected, face) for path, detected in zip(paths, found, strict=True)]
    query = _measure(photos, paths, chosen, encoder)
    if face is not None and face > max(map(len, found)):  # else it chose in one of them
        note = f"--face {face} chose nothing: no photo shows more than one face"
        return replace(query, warnings=(*query.warnings, note))
    return query


def _choose(path: Path, detected: Sequence[Face], number: int | None) -> Face:
    if not detected:
        raise NoFace(f"no face was found in {path.name!r}; use a sharper or larger photo")
    if len(detected) == 1:
        return detected[0]
    if number is None:
        raise SeveralFaces(
            f"{path.name!r} shows {len(detected)} faces; say which one is meant with --face N "
            f"(from left to right):\n{_listing(detected)}",
            detected,
        )
    if not 1 <= number <= len(detected):
        raise SeveralFaces(
            f"{path.name!r} has faces 1 to {len(detected)}:\n{_listing(detected)}", detected
        )
    return detected[number - 1]


def _listing(detected: Sequence[Face]) -> str:
    return "\n".join(
        f"  {number}: {face.quality.width_px:.0f} px wide, "
        f"centred at x={(face.box[0] + face.box[2]) / 2:.0f}, "
        f"y={(face.box[1] + face.box[3]) / 2:.0f}"
        for number, face in enumerate(detected, start=1)
    )


def _measure(
    photos: Sequence[Photo], paths: Sequence[Path], chosen: Sequence[Face], encoder: Encoder
) -> Query:
    crops = [
        aligned_crop(photo.pixels, face.keypoints, size=encoder.image_size,
                     margin=encoder.face_margin)
        for photo, face in zip(photos, chosen, strict=True)
    ]  # fmt: skip
    rows = [
        QueryFace(
            photo_id=photo.id,
            path=path,
            name=repr(path.name),
            marked=photo.unmask_forgery,
            face=face,
            features=features,
            face_hash=face_hash(photo.pixels, face),
        )
        for photo, path, face, features in zip(
            photos, paths, chosen, encoder.encode_images(crops), strict=True
        )
    ]
    return assemble(rows)


@dataclass(frozen=True, slots=True, eq=False)
class QueryFace:
    """The chosen face of one query photo; `name` is what warnings call the photo."""

    photo_id: str
    path: Path
    name: str
    marked: bool
    face: Face
    features: Floats
    face_hash: int


def assemble(rows: Sequence[QueryFace]) -> Query:
    """One query of photos that were measured already."""
    embeddings = np.stack([row.face.embedding for row in rows])
    mean = embeddings.mean(axis=0)
    return Query(
        photo_ids=tuple(row.photo_id for row in rows),
        paths=tuple(row.path for row in rows),
        faces=tuple(row.face for row in rows),
        embeddings=embeddings,
        template=mean / np.linalg.norm(mean),
        features=np.stack([row.features for row in rows]),
        face_hashes=tuple(row.face_hash for row in rows),
        warnings=_warnings(rows, embeddings),
    )


def _warnings(rows: Sequence[QueryFace], embeddings: Floats) -> tuple[str, ...]:
    notes = [
        f"the face in {row.name} is {' and '.join(row.face.quality.problems)}; "
        "results are less certain"
        for row in rows
        if not row.face.quality.usable
    ]
    notes += [
        f"the metadata of {row.name} say that Unmask made it as a forgery: a hint, for anyone can "
        "write metadata; query photos must be authentic"
        for row in rows
        if row.marked
    ]
    lowest = float((embeddings @ embeddings.T).min())
    if lowest < _SAME_PERSON_DOUBT:
        notes.append(
            "two query photos look little alike; check that all of them show the same person"
        )
    return tuple(notes)


_SAME_PERSON_DOUBT = 0.15
"""Photos of one person rarely fall below this cosine with either profile's embedder."""
