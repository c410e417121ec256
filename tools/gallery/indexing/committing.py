"""Commit analysed batches: one transaction of the record store each; then update the index."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from tools.faces.detection import MOST_FACES
from tools.gallery.indexing import free_memory
from tools.gallery.indexing.batches import BATCH_FILES, Batch
from tools.gallery.indexing.progress import IndexTally
from tools.gallery.indexing.video_assembly import VideoAssembler
from tools.gallery.record_store import Gallery
from tools.gallery.records import AnalysedImage, FileRecord
from tools.gallery.vector_index import FaceIndex
from tools.media.skip_reasons import RETRIED_REASONS, UnreadableImage

NOT_ANALYSED = "not analysed"
"""The reason recorded for a picture that was decoded but could not be analysed."""

INDEX_EVERY = 512  # faces between index writes: few, large writes are faster
TRIM_MEMORY_EVERY = 64  # pictures between returns of freed memory; at most 1 % of the time


class Committer:
    """Writes batches to a gallery; `on_indexed` gets the ids of pictures that are on the disk."""

    def __init__(
        self,
        gallery: Gallery,
        index: FaceIndex,
        videos: VideoAssembler,
        *,
        tally: IndexTally,
        on_indexed: Callable[[Sequence[str]], None] | None,
    ) -> None:
        self._gallery, self._index, self._videos = gallery, index, videos
        self._tally, self._on_indexed = tally, on_indexed
        self._problems: dict[str, str] = {}  # why a picture or video failed, by its id
        self._faces_behind = self._images_held = 0

    def commit(self, batch: Batch) -> None:
        """Wait for a batch's analysis and record it."""
        pictures = self._videos.collect_frames(self._analysed(batch))
        whole = {video_id: self._videos.whole(video_id) for video_id in batch.videos}
        self._problems |= {it: NOT_ANALYSED for it, video in whole.items() if video is None}
        videos = [video for video in whole.values() if video is not None]
        self._gallery.add(pictures, [self._file(file) for file in batch.files], videos=videos)
        frames = [image for video in videos for image in video.images]
        images = [*pictures, *frames]
        faces = sum(len(image.faces) for image in images)
        self._tally.counts.update(
            images=len(images), faces=faces, videos=len(videos), frames=len(frames)
        )
        self._tally.crowds += sum(len(image.faces) >= MOST_FACES for image in images)
        if self._on_indexed is not None and images:
            self._on_indexed([image.id for image in images])
        self._catch_up(faces=faces, images=len(images))
        self._tally.report(now=True)

    def mark_missing(self, files: Iterable[FileRecord]) -> None:
        """Record that files are missing."""
        coming = iter(files)
        while some := list(islice(coming, BATCH_FILES)):
            self._gallery.add([], some)
            self._tally.counts["missing"] += len(some)

    def _analysed(self, batch: Batch) -> list[AnalysedImage]:
        """The pictures that could be analysed; stores the reasons for the others."""
        analysed, results = [], batch.results.result() if batch.results else []
        for image_id, result in zip(batch.photos, results, strict=True):
            if isinstance(result, AnalysedImage):
                analysed.append(result)
                continue
            passing = isinstance(result, UnreadableImage) and result.reason in RETRIED_REASONS
            self._problems[image_id] = "unreadable" if passing else NOT_ANALYSED
        return analysed

    def _file(self, file: FileRecord) -> FileRecord:
        """The record of a file, with the problem of its picture or video, if any."""
        problem = self._problems.get(file.image_id) if file.image_id is not None else None
        if problem is None:
            return file
        self._tally.skip(file.path, problem)
        return replace(file, image_id=None, problem=problem)

    def _catch_up(self, *, faces: int, images: int) -> None:
        self._faces_behind += faces
        if self._faces_behind >= INDEX_EVERY:
            self._index.sync()
            self._faces_behind = 0
        self._images_held += images
        if self._images_held >= TRIM_MEMORY_EVERY:
            free_memory.trim_malloc()
            self._images_held = 0
