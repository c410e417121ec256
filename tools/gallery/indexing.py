"""The job: walk folders, analyse every picture once, record it, keep the index in step.

Reading and decoding run in threads beside the analysis; the analysis runs on batches, one a core;
every batch is one commit, made by the thread that called, which also decodes videos meanwhile.
How much is held in memory does not depend on how many files there are, nor on how long they are.
"""

import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.errors import ToolError
from tools.gallery import free_memory
from tools.gallery.analysis import AnalysisPool, DecodedImage, FaceAnalysisProtocol, ImageEncoder
from tools.gallery.read_ahead import FileLoader, FileToOpen, OpenedFile, pixel_count
from tools.gallery.record_store import Gallery
from tools.gallery.records import AnalysedImage, FileRecord
from tools.gallery.vector_index import FaceIndex
from tools.gallery.video_indexing import VideoAssembler
from tools.media.animations import MULTIPAGE_FORMATS
from tools.media.frames import MAX_FRAMES, Video
from tools.media.images import UnreadableImage, WalkedFile, walk
from tools.media.skip_reasons import RETRIED_REASONS

BATCH_IMAGES = 16
BATCH_PIXELS = 32_000_000
"""A batch also ends at so many pixels (100 MB), so that large photographs need no more memory."""

BATCH_FILES = 500
"""And at so many files, so that a folder without a picture in it is remembered as well."""

NOT_ANALYSED = "not analysed"
"""The reason noted for a picture that was opened but that the analysis refused."""

TRIM_MEMORY_EVERY = 64  # pictures between returns of freed memory; 1 % of the time or less
INDEX_EVERY = 512  # faces between writes to the index: few, large writes are faster
_MOST_WORKERS = 8  # each may hold a batch of decoded pictures
_NAMED_SKIPS = 1000  # a list that grows with the number of files would not be flat
_REPORT_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the job is: files of `files_total` looked at, pictures added in `seconds`."""

    files_done: int
    files_total: int
    images_added: int
    faces_found: int
    skipped: int
    seconds: float

    @property
    def files_per_s(self) -> float:
        """Files looked at per second so far."""
        return self.files_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at this rate; None before there is a rate."""
        rate = self.files_per_s
        return (self.files_total - self.files_done) / rate if rate else None


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What a run did.

    `already_known`: files with the content that an earlier run has seen there; `duplicates`: other
    files (moved, copied) whose very bytes were already indexed; `missing`: files that are gone
    from disk, their pictures kept. `skipped` counts files per reason; `skipped_files` names the
    first thousand of them, `Gallery.skipped_files` all. `notices` are for people to read.
    `frames_added` of the `images_added` were taken out of `videos_added`, animations among them.
    """

    images_added: int
    faces_found: int
    already_known: int
    duplicates: int
    missing: int
    skipped: dict[str, int]
    skipped_files: tuple[tuple[Path, str], ...]
    seconds: float
    notices: tuple[str, ...]
    videos_added: int = 0
    frames_added: int = 0


class IndexingInterrupted(KeyboardInterrupt):
    """Ctrl-C: what was indexed so far is kept and searchable, and `summary` tells how much."""

    def __init__(self, summary: IndexSummary) -> None:
        super().__init__("indexing was interrupted")
        self.summary = summary


def index_folders(
    folders: Sequence[Path],
    *,
    gallery: Gallery,
    faces: FaceAnalysisProtocol,
    encoder: ImageEncoder,
    index: FaceIndex | None = None,
    threads: int | None = None,
    on_progress: Callable[[IndexProgress], None] | None = None,
    on_indexed: Callable[[Sequence[str]], None] | None = None,
    follow_links: bool = False,
) -> IndexSummary:
    """Bring a gallery up to date with folders (or single files).

    A file that has not changed since the last run is not even read; one whose bytes are known is
    not analysed again; one that gives no picture is skipped, counted and remembered until it
    changes. A video gives its frames (`tools.media.videos`), recorded together when it is done.
    `index` is the gallery's, if it is open already; `threads` is how many batches are analysed at a
    time, one core each (None: all cores). Links that lead out of the folders are skipped unless
    `follow_links`; the data folder of the gallery is passed over when it lies in one of them.
    `on_indexed` gets the ids of pictures once they are safely on the disk. Raises `SetupError`
    (folder missing, disk full, gallery in use; what was indexed before is kept) and
    `IndexingInterrupted`.
    """
    # Resolved, so that one file has one name however its folder was given.
    roots = [Path(folder).resolve() for folder in folders]
    with gallery.write_lock(), contextlib.ExitStack() as stack:
        index = index or stack.enter_context(FaceIndex.open(gallery))
        workers = min(threads or os.cpu_count() or 1, _MOST_WORKERS)
        pool = AnalysisPool(workers, faces=faces, encoder=encoder)
        job = _Job(gallery, index, pool, workers, on_progress, on_indexed, follow_links)
        try:
            with pool.running():
                job.run(roots)
        except KeyboardInterrupt as stop:
            index.sync()
            raise IndexingInterrupted(job.summary()) from stop
        index.sync()
        return job.summary()


@dataclass(slots=True)
class _Batch:
    """What the next commit will hold: pictures by id, and files with what is in them.

    Among the pictures are frames; `videos` are those whose last frame is in this batch or was in
    an earlier one. `lent_pixels` are those that the opening pool counts.
    """

    photos: dict[str, DecodedImage] = field(default_factory=dict)
    files: list[FileRecord] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    pixels: int = 0
    lent_pixels: int = 0
    results: "Future[list[AnalysedImage | ToolError]] | None" = None

    @property
    def full(self) -> bool:
        images, files = len(self.photos), len(self.files)
        return images >= BATCH_IMAGES or self.pixels >= BATCH_PIXELS or files >= BATCH_FILES

    def take(self, opened: DecodedImage) -> None:
        """Put a picture in."""
        self.photos[opened.photo.id] = opened
        self.pixels += pixel_count(opened.photo)


@dataclass(slots=True)
class _Job:
    gallery: Gallery
    index: FaceIndex
    analysis: AnalysisPool
    workers: int
    on_progress: Callable[[IndexProgress], None] | None
    on_indexed: Callable[[Sequence[str]], None] | None
    follow_links: bool
    started: float = field(default_factory=time.monotonic)
    reported: float = 0.0
    total: int = 0
    done: int = 0
    behind: int = 0
    held: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    skipped_files: list[tuple[Path, str]] = field(default_factory=list)
    batch: _Batch = field(default_factory=_Batch)
    analysing: deque[_Batch] = field(default_factory=deque)
    failed: set[str] = field(default_factory=set)
    failed_for_now: set[str] = field(default_factory=set)
    footage: VideoAssembler = field(default_factory=VideoAssembler)
    long_documents: list[str] = field(default_factory=list)

    def run(self, roots: Sequence[Path]) -> None:
        if self.on_progress is not None:
            # Walking twice is cheap beside analysing; remembering every path would not be flat.
            self.total = sum(1 for _ in self._walked(roots))
        # A batch for every worker, and one that is being opened.
        budget = (self.workers + 1) * BATCH_PIXELS
        with FileLoader(self.gallery.has_image, budget_pixels=budget) as pool:
            for opened in pool.opened(self._files_to_open(roots)):
                self._sort_in(opened, pool)
                self._move_on(pool)
            self._analyse()
            while self.analysing:
                self._commit(pool)
        for root in roots:
            self._note_missing(root)
        self._report(now=True)

    def _walked(self, roots: Sequence[Path]) -> Iterator[WalkedFile]:
        galleries = self.gallery.folder.parent
        home = galleries.parent
        # Photos that someone keeps in the data folder and names are indexed; what Unmask keeps
        # there (copies of query photos, what it forged) never is.
        asked_for = any(root.is_relative_to(home) for root in roots)
        ours = (galleries, home / "cases") if asked_for else (home,)
        return walk(roots, follow_links=self.follow_links, without=ours)

    def _files_to_open(self, roots: Sequence[Path]) -> Iterator[FileToOpen]:
        """The files below the folders that are new or have changed."""
        for found in self._walked(roots):
            self._report()
            status = None if found.problem else _status(found.path)
            if status is None:
                self.done += 1
                self._skip(found.path, found.problem or "missing")
                continue
            known = self.gallery.file(found.path)
            if known is None or not _settled(known, status):
                yield FileToOpen(found.path, status.st_size, status.st_mtime_ns)
            else:
                self._met_again(known)

    def _met_again(self, known: FileRecord) -> None:
        self.done += 1
        if known.missing:
            self.batch.files.append(replace(known, missing=False))
        if known.problem is not None:
            self._skip(known.path, known.problem)
        else:
            self.tally["known"] += 1

    def _move_on(self, pool: FileLoader) -> None:
        if self.batch.full:
            self._analyse()
            while len(self.analysing) > self.workers:
                self._commit(pool)

    def _sort_in(self, opened: OpenedFile, pool: FileLoader) -> None:
        file, photo, problem = opened.file, opened.photo, opened.problem
        if problem is None and opened.image_id is not None:
            if self._already_have(opened.image_id):
                before = self.gallery.file(file.path)
                touched = before is not None and before.image_id == opened.image_id
                self.tally["known" if touched else "duplicates"] += 1
                pool.release(0 if photo is None else pixel_count(photo))
            elif opened.video is not None:
                problem = self._take_apart(opened.image_id, opened.video, file, pool)
            elif photo is not None:
                self.batch.take(DecodedImage(photo, byte_size=file.size))
                self.batch.lent_pixels += pixel_count(photo)
        self.done += 1
        name = opened.image_id if problem is None else None
        self.batch.files.append(FileRecord(file.path, file.size, file.mtime_ns, name, problem))
        if problem is not None:
            self._skip(file.path, problem)

    def _take_apart(
        self, video_id: str, video: Video, file: FileToOpen, pool: FileLoader
    ) -> str | None:
        """Send a video's frames off as pictures; the problem, when it has none."""
        try:
            for opened in self.footage.opened(video_id, video, byte_size=file.size):
                self.batch.take(opened)
                self._move_on(pool)
                self._report()
        except UnreadableImage as error:
            return error.reason
        if video.format in MULTIPAGE_FORMATS and video.frames > MAX_FRAMES:
            self.long_documents.append(file.path.name)
        self.batch.videos.append(video_id)
        return None

    def _already_have(self, image_id: str) -> bool:
        # The record is asked again: a twin may have been committed after this file was opened.
        waiting = any(image_id in batch.photos for batch in (self.batch, *self.analysing))
        return waiting or image_id in self.footage or self.gallery.has_image(image_id)

    def _analyse(self) -> None:
        batch, self.batch = self.batch, _Batch()
        if batch.files or batch.photos:
            batch.results = self.analysis.submit(list(batch.photos.values()))
            self.analysing.append(batch)

    def _commit(self, pool: FileLoader) -> None:
        """Record the oldest batch under analysis; in that order, so that twins find each other."""
        batch = self.analysing.popleft()
        results = batch.results.result() if batch.results else []
        analysed = [result for result in results if isinstance(result, AnalysedImage)]
        self.failed |= batch.photos.keys() - {image.id for image in analysed}
        self.failed_for_now |= {
            image_id
            for image_id, result in zip(batch.photos, results, strict=True)
            if isinstance(result, UnreadableImage) and result.reason in RETRIED_REASONS
        }
        pictures = self.footage.collect_frames(analysed)
        whole = {video_id: self.footage.whole(video_id) for video_id in batch.videos}
        self.failed |= {video_id for video_id, video in whole.items() if video is None}
        videos = [video for video in whole.values() if video is not None]
        files = [self._without_failed(file) for file in batch.files]
        self.gallery.add(pictures, files, videos=videos)
        pool.release(batch.lent_pixels)
        frames = [image for video in videos for image in video.images]
        images = [*pictures, *frames]
        faces = sum(len(image.faces) for image in images)
        self.tally.update(images=len(images), faces=faces, videos=len(videos), frames=len(frames))
        if self.on_indexed is not None and images:
            self.on_indexed([image.id for image in images])
        self.behind += faces
        if self.behind >= INDEX_EVERY:
            self.index.sync()
            self.behind = 0
        self.held += len(images)
        if self.held >= TRIM_MEMORY_EVERY:
            free_memory.trim_malloc()
            self.held = 0
        self._report(now=True)

    def _without_failed(self, file: FileRecord) -> FileRecord:
        if file.image_id not in self.failed:
            return file
        problem = "unreadable" if file.image_id in self.failed_for_now else NOT_ANALYSED
        self._skip(file.path, problem)
        return replace(file, image_id=None, problem=problem)

    def _note_missing(self, root: Path) -> None:
        """Mark the files that are gone; whatever merely cannot be looked at is not gone."""
        gone = []
        for file in self.gallery.files_below(root):
            if not file.missing and _is_gone(file.path):
                gone.append(replace(file, missing=True))
            if len(gone) >= BATCH_FILES:
                self.gallery.add([], gone)
                self.tally["missing"] += len(gone)
                gone.clear()
        if gone:
            self.gallery.add([], gone)
        self.tally["missing"] += len(gone)

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped[reason] += 1
        if len(self.skipped_files) < _NAMED_SKIPS:
            self.skipped_files.append((path, reason))

    def _report(self, *, now: bool = False) -> None:
        seconds = time.monotonic() - self.started
        if self.on_progress is None or (seconds - self.reported < _REPORT_EVERY_S and not now):
            return
        self.reported = seconds
        self.on_progress(
            IndexProgress(
                files_done=self.done,
                files_total=max(self.total, self.done),
                images_added=self.tally["images"],
                faces_found=self.tally["faces"],
                skipped=self.skipped.total(),
                seconds=seconds,
            )
        )

    def summary(self) -> IndexSummary:
        """What was done so far."""
        return IndexSummary(
            images_added=self.tally["images"],
            faces_found=self.tally["faces"],
            already_known=self.tally["known"],
            duplicates=self.tally["duplicates"],
            missing=self.tally["missing"],
            skipped=dict(self.skipped),
            skipped_files=tuple(self.skipped_files),
            seconds=time.monotonic() - self.started,
            notices=(*self.index.notices, *_of_long(self.long_documents)),
            videos_added=self.tally["videos"],
            frames_added=self.tally["frames"],
        )


def _of_long(documents: Sequence[str]) -> tuple[str, ...]:
    """What is not looked at in documents that are longer than any video is sampled."""
    if not documents:
        return ()
    named = ", ".join(documents[:3]) + (" …" if len(documents) > 3 else "")
    return (
        f"{len(documents)} with more than {MAX_FRAMES} pages ({named}): {MAX_FRAMES} of each, "
        "evenly spaced, are indexed; split the file to index every page",
    )


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # gone since it was listed
        return None


def _settled(known: FileRecord, status: os.stat_result) -> bool:
    """Whether reading the file again could tell nothing new."""
    same = known.same_state(status.st_size, status.st_mtime_ns)
    return same and known.problem not in RETRIED_REASONS


def _is_gone(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
