"""The pictures of a folder, each with the one face that training looks at; found once, then kept.

What was found is appended to a file line by line, so a job that was killed does not look at a
picture twice. The file holds faces' embeddings: who begins a job deletes it when the job is done.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import Face, FaceAnalyser
from tools.media.images import Photo, WalkedFile, decode_photo, read_bytes, walk

Progress = Callable[[int, int], None]
"""Called with how many files are done, and how many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class ScannedImage:
    """A file and what was found in it; coordinates are pixels of the photograph.

    `id` is the file's sha256, `layout` its perceptual hash; `name` its path below the folder. `box`
    (4,), `keypoints` (5, 2), `landmarks` (68, 2) and `embedding` (e,) are of the widest usable
    face, None where there is none; `others` (k, e) are who else counts.
    """

    path: Path
    name: PurePosixPath
    forged: bool
    id: str
    layout: int
    format: str
    height: int
    width: int
    box: np.ndarray | None
    keypoints: np.ndarray | None
    landmarks: np.ndarray | None
    embedding: np.ndarray | None
    others: np.ndarray

    @property
    def folder(self) -> str:
        """The sub-folder that it lies in, "" for none."""
        return "" if self.name.parent == PurePosixPath() else self.name.parent.as_posix()


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is not learnt from, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class FolderScan:
    """What lies below a folder."""

    pictures: tuple[ScannedImage, ...]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FolderScanner:
    """Looks through folders; `cache` is the file of what was found.

    For detectors of `whole` pictures everybody in a picture counts, else the one face. Pictures
    without a usable face are skipped, unless `faceless` ones are wanted too.
    """

    faces: FaceAnalyser
    cache: Path
    whole: bool = False
    faceless: bool = False

    def scan(
        self, folder: Path, *, forged: bool, progress: Progress, without: Path | None = None
    ) -> FolderScan:
        """Everything below a folder, in the order of the walk, but what lies in `without`.

        Raises SetupError when the folder is not there.
        """
        known, left = self._known(), None if without is None else without.resolve()
        files = [
            it for it in walk([folder])
            if left is None or not it.path.parent.resolve().is_relative_to(left)
        ]  # fmt: skip
        pictures: list[ScannedImage] = []
        skipped: list[SkippedFile] = []
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        with self.cache.open("a", encoding="utf-8") as lines:
            for number, found in enumerate(files):
                progress(number, len(files))
                row = known.get(_key(found, forged)) or self._look(found, lines, forged=forged)
                if "reason" in row:
                    skipped.append(SkippedFile(found.path, row["reason"]))
                else:
                    pictures.append(_picture(row, found.path, folder, forged=forged))
        progress(len(files), len(files))
        return FolderScan(tuple(pictures), tuple(skipped))

    def _known(self) -> dict[str, dict[str, Any]]:
        """What the file of an earlier start says; a line that was cut off is dropped."""
        if not self.cache.is_file():
            return {}
        found = {}
        for line in self.cache.read_bytes().split(b"\n"):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            found[row["key"]] = row
        return found

    def _look(self, found: WalkedFile, lines: IO[str], *, forged: bool) -> dict[str, Any]:
        row: dict[str, Any] = {"key": _key(found, forged)}
        try:
            row |= self._found(decode_photo(read_bytes(found.path)), forged=forged)
        except ToolError as error:
            row["reason"] = found.problem or getattr(error, "reason", str(error))
        # The newline first: a line that was cut off must not swallow the next one.
        lines.write("\n" + json.dumps(row))
        lines.flush()
        return row

    def _found(self, photo: Photo, *, forged: bool) -> dict[str, Any]:
        if photo.unmask_forgery and not forged:
            return {"reason": "its metadata say that Unmask forged it"}
        faces = self.faces.analyse([photo.pixels])[0]
        usable = [face for face in faces if face.quality.usable]
        if not usable and not self.faceless:
            problems = sorted({it for face in faces for it in face.quality.problems})
            return {"reason": f"no usable face: {', '.join(problems)}" if faces else "no face"}
        usable.sort(key=lambda face: -face.quality.width_px)
        height, width = photo.pixels.shape[:2]
        row = {"id": photo.id, "layout": photo.perceptual_hash, "format": photo.format}
        row |= {"height": height, "width": width}
        others = [face.embedding.tolist() for face in usable[1:] if self.whole]
        return row | {"others": others} | (_face_row(usable[0]) if usable else {})


def _key(found: WalkedFile, forged: bool) -> str:
    """What says that a file is still the one that was looked at."""
    try:
        status = found.path.stat()
    except OSError:
        return f"{forged} gone {os.fsencode(found.path).hex()}"
    state = f"{status.st_size} {status.st_mtime_ns}"
    return f"{forged} {state} {os.fsencode(found.path.absolute()).hex()}"


def _face_row(face: Face) -> dict[str, Any]:
    return {
        "box": face.box.tolist(),
        "keypoints": face.keypoints.tolist(),
        "landmarks": None if face.landmarks is None else face.landmarks.tolist(),
        "embedding": face.embedding.tolist(),
    }


def _picture(row: dict[str, Any], path: Path, root: Path, *, forged: bool) -> ScannedImage:
    name = PurePosixPath(path.name if path == root else path.relative_to(root).as_posix())
    box, keypoints, landmarks, embedding = (
        None if row.get(part) is None else np.array(row[part], np.float32)
        for part in ("box", "keypoints", "landmarks", "embedding")
    )
    others = np.array(row["others"], np.float32)
    return ScannedImage(
        path, name, forged, row["id"], row["layout"], row["format"], row["height"],
        row["width"], box, keypoints, landmarks, embedding, others,
    )  # fmt: skip
