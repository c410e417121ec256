"""Sources of face pictures for training: repositories, paths, and the sealed, val and train splits.

Sources are bare clones of public repositories (`<owner>+<name>/repo` below one folder) and the data
folder. Splits are by group: the original of a video face, the photograph behind an edited picture,
otherwise the picture itself.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from tools.training.data.bare_repository import BareRepository


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of a source: its path and the group used for splitting."""

    path: str
    group: str

    @property
    def split(self) -> str:
        """`sealed`, `val` or `train`, by the same rule for every source."""
        return split_of(self.group)


@dataclass(frozen=True, slots=True, eq=False)
class SourcePhoto:
    """Pixels (h, w, 3) uint8 RGB, and landmarks (68, 2) px if the data has them."""

    pixels: np.ndarray
    landmarks: np.ndarray | None = None


def split_of(group: str) -> str:
    """Split groups 20 % sealed, 10 % validation, 70 % training.

    Uses the data folder's rule: the sha1 of `<original>.jpg`.
    """
    tenth = int(hashlib.sha1(f"{group}.jpg".encode()).hexdigest(), 16) % 10  # noqa: S324 - no secret
    return "sealed" if tenth < 2 else "val" if tenth == 2 else "train"


@dataclass(frozen=True, slots=True, eq=False)
class PublishedSource:
    """A repository's pictures; `choose` (repository, reserved originals) selects the files."""

    name: str
    repository: str
    choose: Callable[[BareRepository, frozenset[str]], Iterator[Entry]]

    def read(self, copies: Path, entries: Sequence[Entry]) -> Iterator[SourcePhoto | None]:
        """The pictures, in order; None for one that is missing or damaged."""
        for blob in self.copy(copies).blobs([it.path for it in entries]):
            pixels = None if blob is None else _decoded(blob)
            yield None if pixels is None else SourcePhoto(pixels)

    def copy(self, copies: Path) -> BareRepository:
        """Path of the bare clone in that folder."""
        return BareRepository(copies / self.repository.replace("/", "+") / "repo")


def labelled_photographs(data: Path) -> Iterator[tuple[Entry, str, np.ndarray]]:
    """LFW's photographs with their split and landmarks (68, 2) px."""
    with np.load(data / "lfw" / "labels.npz") as labels:
        rows = zip(labels["path"], labels["split"], labels["landmarks68"], strict=True)
        for path, split, landmarks in rows:
            entry = Entry(str(path), str(path).split("/")[0])
            yield entry, str(split), landmarks.astype(np.float32)


def synthesised(data: Path, reserved: frozenset[str]) -> Iterator[Entry]:
    """The data folder's fully synthesised faces and the photographs beside them."""
    with (data / "synthesis" / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["base_id"] not in reserved:
                yield Entry(row["path"], row["base_id"])


def reserved_originals(data: Path) -> frozenset[str]:
    """Originals that belong to the sealed set, as `ffhq_00123` and `celebahq_000123`."""
    listed = (data / "synthesis" / "reserved.txt").read_text(encoding="utf-8")
    return frozenset(listed.split())


def read_picture(path: Path) -> np.ndarray | None:
    """A picture file, (h, w, 3) uint8 RGB; None if it cannot be read."""
    return _decoded(path.read_bytes()) if path.is_file() else None


def _decoded(blob: bytes) -> np.ndarray | None:
    bgr = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR) if blob else None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _of_videos(copy: BareRepository, _: frozenset[str]) -> Iterator[Entry]:
    """Faces from videos; a swapped face is grouped with its original video."""
    for row in csv.DictReader(copy.text("metadata.csv").splitlines()):
        path = f"faces_224/{PurePosixPath(row['videoname']).stem}.jpg"
        if path in copy.files:
            yield Entry(path, PurePosixPath(row["original"] or row["videoname"]).stem)


def _matching(pattern: str, *, reserved_as: str = "") -> Callable[..., Iterator[Entry]]:
    """Files whose path matches; `reserved_as` turns the number in the path into an original's
    name."""

    def choose(copy: BareRepository, reserved: frozenset[str]) -> Iterator[Entry]:
        for path in copy.files:
            found = re.fullmatch(pattern, path)
            if found is None:
                continue
            number = found.groupdict().get("number")
            original = reserved_as.format(int(number)) if number else PurePosixPath(path).stem
            if original not in reserved:
                yield Entry(path, original)

    return choose


PUBLISHED = (
    PublishedSource("dfdc", "i-Shreyansh/DeepFake-Detection", _of_videos),
    PublishedSource(
        "utkface", "Mohanish-5744/Major_Ensemble_Gender", _matching(r"crop_part1/.+\.jpg")
    ),
    PublishedSource("celeba_small", "karthikSingireddy/cs389-hw4", _matching(r"celebA/.+\.jpg")),
    PublishedSource(
        "stylegan_256",
        "zoya2244/AI-Lab-Final-Project-FALL25",
        _matching(r"dataset/(ai/.+|real/(?P<number>\d+))\.jpg", reserved_as="ffhq_{:05d}"),
    ),
    # Its photographs come from a set that shares originals with the sealed one, without numbers.
    PublishedSource(
        "stylegan2_300",
        "tharunnayak14/Real-vs-Fake-Face-Detection",
        _matching(r"(images/fake|val_images/fake|test)/fake_\d+\.jpg"),
    ),
    # Its pictures named `File_…` come from other sources, some of which are reserved.
    PublishedSource(
        "celebahq_gan",
        "santaz-sahithi/InterfaceGAN",
        _matching(
            r"Fake_Dataset/\w+/(Fake_Faces/0\d+|Real_Faces/(?P<number>0\d+))\.jpg",
            reserved_as="celebahq_{:06d}",
        ),
    ),
    PublishedSource(
        "edited_160",
        "miguel-kjh/fake-face-detector",
        _matching(r"Database_real_and_fake_face_160x160/(real|fake)/.+\.jpg"),
    ),
)
"""The sources, by the name used in the collection's rows."""
