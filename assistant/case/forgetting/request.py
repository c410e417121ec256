"""A request to delete: a picture, a person, a case or a gallery."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.signatures import video_sha256

Kind = Literal["image", "person", "case", "gallery"]


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """What is to be deleted.

    `key` identifies the subject in a proof, where only its salted hash stands: the sha256 of a
    picture, those of a person's photos, a case's id or a gallery's name. `images` are the sha256 of
    whole pictures or videos, `faces` the ids of single faces in pictures that show other people
    too, `case_photos` the sha256 of photos to be deleted from cases only. `paths` are files that
    hold the pictures: the user's own, which stay. `notes` and `problems` are sentences about what
    cannot be deleted or was not looked at.
    """

    kind: Kind
    key: str
    images: frozenset[str] = frozenset()
    faces: frozenset[str] = frozenset()
    case_photos: frozenset[str] = frozenset()
    paths: frozenset[Path] = frozenset()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def request_image(path: Path) -> ForgetRequest:
    """The request to delete a picture or video, by its bytes. Raises UnreadableImage."""
    try:
        image = video_sha256(path)
    except UnreadableImage as error:
        raise UnreadableImage(error.reason, error.detail, path=path) from error
    return ForgetRequest("image", image, frozenset({image}), paths=frozenset({path.resolve()}))


def salted_hash(kind: Kind, key: str, salt: bytes) -> str:
    """Scrypt over kind and subject, 64 hex digits.

    Slow on purpose (about 50 ms): a proof's holder can check one subject, and hardly guess many.
    """
    subject = f"{kind}\0{key}".encode()
    return hashlib.scrypt(subject, salt=salt, n=2**14, r=8, p=1, dklen=32).hex()
