"""Upgrade a gallery: embed its known faces again with the face models in use.

Faces are not detected again: ids, boxes, keypoints, landmarks, quality and the encoder's features
stay. The gallery stays as it is until every reachable file has been read; then all embeddings
change at once. Faces whose files are gone are set aside with everything recorded about them, and
come back with a later upgrade when the files are back.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

import numpy as np

from tools.errors import SetupError, ToolError
from tools.gallery.indexing.batches import BATCH_PIXELS
from tools.gallery.indexing.read_ahead import FileLoader, FileToOpen, OpenedFile, pixel_count
from tools.gallery.indexing.video_assembly import VideoAssembler
from tools.gallery.record_store import Gallery
from tools.gallery.records import Vector
from tools.gallery.upgrade.draft import KnownFace, UpgradeDraft
from tools.gallery.vector_index import FaceIndex
from tools.media.pictures.decoding import Photo
from tools.media.skip_reasons import UnreadableImage

_PAGE = 500  # pictures and videos at a time
_KEEP_EVERY = 64  # faces between commits of the draft
_CHECKED_PICTURES = 8
_DETECTION_TOLERANCE = 0.02  # of the distance between the eyes
_NAMED_FILES = 1000

Progress = Callable[[int, int], None]
"""Called with the number of faces embedded and the total."""


class KnownFaceEmbedder(Protocol):
    """Finds faces and embeds known ones; implemented by `tools.faces.analyser.FaceAnalyser`."""

    def find_faces(self, image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Keypoints (5, 2) px and landmarks of the faces in a picture (h, w, 3) uint8 RGB."""
        ...

    def embed(self, looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Embeddings (d,) of faces, each given as its picture and its keypoints."""
        ...


@dataclass(frozen=True, slots=True)
class UpgradeSummary:
    """Result of an upgrade.

    `faces_embedded` have their new embedding now; `faces_waiting` are set aside, because their
    files could not be read: `files` counts the reasons, `files_named` lists the first thousand.
    """

    gallery: str
    faces_embedded: int
    faces_waiting: int
    files: dict[str, int]
    files_named: tuple[tuple[Path, str], ...]
    seconds: float
    notices: tuple[str, ...] = ()


def upgrade_gallery(
    home: Path,
    name: str,
    *,
    faces: KnownFaceEmbedder,
    fingerprint: Mapping[str, str],
    on_progress: Progress | None = None,
) -> UpgradeSummary:
    """Embed a gallery's faces again, so that it belongs to the face models in use.

    Also tries the faces that an earlier upgrade set aside. An interrupted upgrade continues where
    it stopped. Raises SetupError (nothing has changed then) if the gallery was made with another
    encoder or face detector, if none of its files can be read, or if it is being indexed.
    """
    started = monotonic()
    with Gallery.open_existing(home, name) as gallery, gallery.write_lock():
        gallery.refuse_unless_upgradable(fingerprint)
        with UpgradeDraft(gallery.folder, fingerprint) as draft:
            job = _Upgrade(gallery, draft, faces, on_progress)
            job.run()
    with Gallery.open_existing(home, name, fingerprint=fingerprint) as gallery:
        with closing(FaceIndex.open(gallery)) as index:  # rebuilt: the record has a new epoch
            notices = tuple(index.notices)
        waiting = gallery.counts().waiting
    return UpgradeSummary(
        gallery=name,
        faces_embedded=job.embedded,
        faces_waiting=waiting,
        files=dict(Counter(reason for _, reason in job.unread)),
        files_named=tuple(job.unread[:_NAMED_FILES]),
        seconds=monotonic() - started,
        notices=notices,
    )


class _Upgrade:
    """Reads files, embeds their faces, and keeps the embeddings in the draft."""

    def __init__(
        self,
        gallery: Gallery,
        draft: UpgradeDraft,
        faces: KnownFaceEmbedder,
        on_progress: Progress | None,
    ) -> None:
        self._gallery, self._draft, self._faces = gallery, draft, faces
        self._on_progress = on_progress
        self._fresh: list[tuple[str, Vector]] = []
        self._check = _DetectionCheck(faces, gallery.name)
        self.unread: list[tuple[Path, str]] = []
        self.embedded = 0

    def run(self) -> None:
        self.embedded, total = self._draft.done_and_total()
        after = 0
        try:
            while sources := self._draft.sources(after=after, limit=_PAGE):
                after += len(sources)
                for embeddings in self._embedded(sources):
                    self._fresh += embeddings
                    self.embedded += len(embeddings)
                    if len(self._fresh) >= _KEEP_EVERY:
                        self._keep()
                    if self._on_progress is not None:
                        self._on_progress(self.embedded, total)
        except KeyboardInterrupt:
            self._keep()
            raise
        self._check.finish()
        self._keep()
        if total and not self.embedded and not self._draft.is_current:
            raise SetupError(
                f"gallery {self._gallery.name!r} was not upgraded: none of its files can be read; "
                f"plug in their disk, then run `unmask galleries upgrade {self._gallery.name}`"
            )
        if self.embedded or not self._draft.is_current:
            self._draft.swap()

    def _keep(self) -> None:
        if self._check.passed:
            self._draft.keep(self._fresh)
            self._fresh = []

    def _embedded(self, sources: Sequence[str]) -> Iterator[list[tuple[str, Vector]]]:
        """Embeddings of the faces of pictures and videos, from the first file that is intact."""
        paths = {source: deque(self._paths(source)) for source in sources}
        problems: dict[str, list[tuple[Path, str]]] = {source: [] for source in sources}
        while paths := {source: known for source, known in paths.items() if known}:
            owner = {known.popleft(): source for source, known in paths.items()}
            with FileLoader(lambda _: False, budget_pixels=BATCH_PIXELS) as loader:
                for opened in loader.opened(_states(owner)):
                    path, source = opened.file.path, owner[opened.file.path]
                    problem = _problem(opened, source)
                    if problem is None:
                        paths[source].clear()
                        problems[source].clear()
                        yield from self._of_file(opened, source)
                    else:
                        problems[source].append((path, problem))
                    loader.release(0 if opened.photo is None else pixel_count(opened.photo))
        self.unread += [each for some in problems.values() for each in some]

    def _paths(self, source: str) -> list[Path]:
        # One that was gone when its folder was last indexed may be back.
        return [*self._gallery.paths_of(source), *self._gallery.paths_of(source, gone=True)]

    def _of_file(self, opened: OpenedFile, source: str) -> Iterator[list[tuple[str, Vector]]]:
        faces = self._draft.faces_of(source)
        of_image = {image: [it for it in faces if it.image_id == image] for image in _images(faces)}
        try:
            for photo in _pictures(opened, source):
                if its := of_image.pop(photo.id, None):
                    yield self._of_picture(photo, its)
        except (UnreadableImage, MemoryError):
            self.unread.append((opened.file.path, "unreadable"))
        else:
            if of_image:
                self.unread.append((opened.file.path, "frames missing"))

    def _of_picture(self, photo: Photo, faces: Sequence[KnownFace]) -> list[tuple[str, Vector]]:
        self._check.look(photo, faces)
        try:
            vectors = self._faces.embed([(photo.pixels, face.keypoints) for face in faces])
        except ToolError as error:
            raise UnreadableImage("unreadable", str(error)) from error
        return [(face.id, vector) for face, vector in zip(faces, vectors, strict=True)]


class _DetectionCheck:
    """Whether the detector in use finds the recorded faces where they are, on the first pictures.

    A gallery's fingerprint covers detector, landmarks and embedder together, so that only a look
    can tell which of them changed.
    """

    def __init__(self, faces: KnownFaceEmbedder, gallery: str) -> None:
        self._faces, self._gallery = faces, gallery
        self._pictures, self._agreements = 0, list[bool]()
        self.passed = False

    def look(self, photo: Photo, faces: Sequence[KnownFace]) -> None:
        """Compare a picture's faces, until enough have been compared."""
        if self.passed:
            return
        found = [points for points, _ in self._faces.find_faces(photo.pixels)]
        self._agreements += [any(_agree(face.keypoints, it) for it in found) for face in faces]
        self._pictures += 1
        if self._pictures >= _CHECKED_PICTURES:
            self.finish()

    def finish(self) -> None:
        """Raise SetupError unless most of the faces compared so far were found in their place."""
        if not self.passed and sum(self._agreements) * 2 < len(self._agreements):
            raise SetupError(
                f"gallery {self._gallery!r} was made with another face detector, so its faces "
                "cannot be embedded again: index its photos into a new one with `unmask index DIR "
                "--gallery NEW_NAME`"
            )
        self.passed = True


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    apart = float(np.abs(one - other).max())
    return apart <= _DETECTION_TOLERANCE * float(np.linalg.norm(one[0] - one[1]))


def _states(paths: Iterable[Path]) -> Iterator[FileToOpen]:
    """The files to be opened; a missing one fails when it is opened."""
    for path in paths:
        try:
            size = path.stat().st_size
        except OSError:
            size = 0
        yield FileToOpen(path, size, 0)


def _problem(opened: OpenedFile, source: str) -> str | None:
    """Why a file cannot stand for a recorded picture or video; None if it can."""
    if opened.problem is not None:
        return "unreadable" if opened.file.path.is_file() else "missing"
    return None if opened.image_id == source else "changed"


def _pictures(opened: OpenedFile, source: str) -> Iterator[Photo]:
    """The picture in a file, or the sampled frames of its video."""
    if opened.video is not None:
        frames = VideoAssembler().opened(source, opened.video, byte_size=opened.file.size)
        yield from (frame.photo for frame in frames)
    elif opened.photo is not None:
        yield opened.photo


def _images(faces: Sequence[KnownFace]) -> list[str]:
    return list(dict.fromkeys(face.image_id for face in faces))
