"""Scan a folder of pictures for the main face of each, with a resumable cache.

Results are appended to a file line by line, so an interrupted job does not scan a picture twice.
The file contains face embeddings: the job's owner deletes it when the job is done.
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
from tools.media.paths import WalkedFile, walk
from tools.media.pictures.decoding import Photo, decode_photo
from tools.media.pictures.opening import read_bytes

Progress = Callable[[int, int], None]
"""Called with the number of files done, and the total."""


@dataclass(frozen=True, slots=True, eq=False)
class ScannedImage:
    """A file and the faces found in it; coordinates are pixels of the photograph.

    `id` is the file's sha256, `layout` its perceptual hash; `name` its path below the folder. `box`
    (4,), `keypoints` (5, 2), `landmarks` (68, 2) and `embedding` (e,) are of the widest usable
    face, None if there is none; `others` (k, e) are the other faces that count.
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
        """The sub-folder that contains it, "" if none."""
        return "" if self.name.parent == PurePosixPath() else self.name.parent.as_posix()


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is not used, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class FolderScan:
    """The result of scanning a folder."""

    pictures: tuple[ScannedImage, ...]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FolderScanner:
    """Scans folders; `cache` is the file of earlier results.

    For detectors of `whole` pictures every face counts, otherwise only the main face. Pictures
    without a usable face are skipped unless `faceless` is set.
    """

    faces: FaceAnalyser
    cache: Path
    whole: bool = False
    faceless: bool = False

    def scan(
        self, folder: Path, *, forged: bool, progress: Progress, without: Path | None = None
    ) -> FolderScan:
        """Scan everything below a folder in walk order, except what lies in `without`.

        Raises SetupError if the folder does not exist.
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
        """Results cached by an earlier run; a truncated line is dropped."""
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
        # The newline comes first, so that a truncated line does not absorb the next one.
        lines.write("\n" + json.dumps(row))
        lines.flush()
        return row

    def _found(self, photo: Photo, *, forged: bool) -> dict[str, Any]:
        if photo.unmask_forgery and not forged:
            return {"reason": "its metadata mark it as a forgery made by Unmask"}
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
    """Key that identifies an unchanged file."""
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
