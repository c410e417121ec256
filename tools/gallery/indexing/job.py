"""Index folders: find files, analyse every picture once, record it, and update the index.

Reading and decoding run in threads beside the analysis; the analysis runs on batches, one per core;
every batch is one commit, made by the calling thread, which also decodes videos in the meantime.
Memory use does not depend on the number of files or the length of videos.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.gallery.indexing.analysis import (
    AnalysisPool,
    BatchPool,
    DecodedImage,
    FaceAnalysisProtocol,
    ImageEncoder,
)
from tools.gallery.indexing.batches import BATCH_PIXELS, BatchQueue
from tools.gallery.indexing.committing import Committer
from tools.gallery.indexing.finding import FileFinder
from tools.gallery.indexing.progress import (
    IndexingInterrupted,
    IndexProgress,
    IndexSummary,
    IndexTally,
)
from tools.gallery.indexing.read_ahead import FileLoader, FileToOpen, OpenedFile, pixel_count
from tools.gallery.indexing.video_assembly import VideoAssembler
from tools.gallery.record_store import Gallery
from tools.gallery.records import FileRecord
from tools.gallery.vector_index import FaceIndex
from tools.media.file_names import printable
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.animations import MULTIPAGE_FORMATS
from tools.media.videos.frames import MAX_FRAMES, Video

_MOST_WORKERS = 8  # each may hold a batch of decoded pictures


def index_folders(
    folders: Sequence[Path],
    *,
    gallery: Gallery,
    faces: FaceAnalysisProtocol,
    encoder: ImageEncoder,
    index: FaceIndex | None = None,
    threads: int | None = None,
    pool: BatchPool | None = None,
    on_progress: Callable[[IndexProgress], None] | None = None,
    on_indexed: Callable[[Sequence[str]], None] | None = None,
    follow_links: bool = False,
) -> IndexSummary:
    """Bring a gallery up to date with folders (or single files).

    A file that has not changed since the last run is not read; a file whose bytes are already known
    is not analysed again; a file without a picture is skipped, counted and remembered until it
    changes. A video is indexed as frames (`tools.media.videos`), recorded together when all are
    analysed. `index` is the gallery's index, if already open; `threads` is the number of batches
    analysed in parallel, one core each (None: all cores), unless a `pool` is given. Links that lead
    out of the folders are skipped unless `follow_links`; the gallery's data folder is skipped if it
    lies in one of them.
    `on_indexed` is called with the ids of pictures once they are safely on the disk. Raises
    `SetupError` (folder missing, disk full, gallery in use; what was indexed before is kept) and
    `IndexingInterrupted`.
    """
    # Resolved, so that a file has the same name however its folder was given.
    roots = [Path(folder).resolve() for folder in folders]
    with gallery.write_lock(), contextlib.ExitStack() as stack:
        index = index or stack.enter_context(FaceIndex.open(gallery))
        threads = min(threads or os.cpu_count() or 1, _MOST_WORKERS)
        pool = pool or AnalysisPool(threads, faces=faces, encoder=encoder)
        workers = pool.workers
        batches, videos, tally = BatchQueue(pool), VideoAssembler(), IndexTally(on_progress)
        finder = FileFinder(
            gallery, roots, follow_links=follow_links, tally=tally, on_return=batches.add_file
        )
        committer = Committer(gallery, index, videos, tally=tally, on_indexed=on_indexed)
        # A batch for every worker, and one that is being read.
        loader = FileLoader(gallery.has_image, budget_pixels=(workers + 1) * BATCH_PIXELS)
        try:
            with pool.running(), loader:
                if on_progress is not None:
                    tally.files_total = finder.count()
                job = _Job(gallery, loader, batches, videos, committer, tally, workers)
                job.run(finder)
        except KeyboardInterrupt as stop:
            index.sync()
            raise IndexingInterrupted(tally.summary(index.notices)) from stop
        index.sync()
        return tally.summary([*index.notices, *gallery.notices])


@dataclass(frozen=True, slots=True)
class _Job:
    """Passes found files to the analysis, and analysed pictures to the record store."""

    gallery: Gallery
    loader: FileLoader
    batches: BatchQueue
    videos: VideoAssembler
    committer: Committer
    tally: IndexTally
    workers: int

    def run(self, finder: FileFinder) -> None:
        for opened in self.loader.opened(finder.to_open()):
            self._take_in(opened)
            self._move_on()
        self.batches.submit()
        self._commit(waiting=0)
        self.committer.mark_missing(finder.gone())
        self.tally.report(now=True)

    def _take_in(self, opened: OpenedFile) -> None:
        file, photo, problem = opened.file, opened.photo, opened.problem
        if problem is None and opened.image_id is not None:
            if self._already_have(opened.image_id):
                before = self.gallery.file(file.path)
                touched = before is not None and before.image_id == opened.image_id
                self.tally.counts["known" if touched else "duplicates"] += 1
                self.loader.release(0 if photo is None else pixel_count(photo))
            elif opened.video is not None:
                problem = self._take_apart(opened.image_id, opened.video, file)
            elif photo is not None:
                self.batches.add_picture(DecodedImage(photo, byte_size=file.size))
                self.batches.gathered.lent_pixels += pixel_count(photo)
        self.tally.files_done += 1
        name = opened.image_id if problem is None else None
        self.batches.add_file(FileRecord(file.path, file.size, file.mtime_ns, name, problem))
        if problem is not None:
            self.tally.skip(file.path, problem)

    def _take_apart(self, video_id: str, video: Video, file: FileToOpen) -> str | None:
        """Queue a video's frames as pictures; returns the problem if it has no frames."""
        try:
            for opened in self.videos.opened(video_id, video, byte_size=file.size):
                self.batches.add_picture(opened)
                self._move_on()
                self.tally.report()
        except UnreadableImage as error:
            return error.reason
        if video.format in MULTIPAGE_FORMATS and video.frames > MAX_FRAMES:
            self.tally.long_documents.append(printable(Path(file.path.name)))
        self.batches.gathered.videos.append(video_id)
        return None

    def _already_have(self, image_id: str) -> bool:
        # Checked again: a duplicate may have been committed after this file was opened.
        waiting = image_id in self.batches or image_id in self.videos
        return waiting or self.gallery.has_image(image_id)

    def _move_on(self) -> None:
        if self.batches.gathered.full:
            self.batches.submit()
            self._commit(waiting=self.workers)

    def _commit(self, *, waiting: int) -> None:
        """Commit the oldest batches until at most `waiting` are under analysis."""
        while (batch := self.batches.next(waiting=waiting)) is not None:
            self.committer.commit(batch)
            self.loader.release(batch.lent_pixels)
