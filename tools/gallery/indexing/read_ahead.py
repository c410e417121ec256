"""Read, hash and decode files in threads, ahead of the analysis within a memory limit."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.media.pictures.decoding import Photo, decode_photo, image_id
from tools.media.pictures.opening import read_bytes
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.animations import probe_animation_bytes
from tools.media.videos.frames import Video
from tools.media.videos.sampling import probe_video
from tools.media.videos.signatures import is_video, video_sha256


@dataclass(frozen=True, slots=True)
class FileToOpen:
    """A file's state before it was read: if it changes meanwhile, the next run notices."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class OpenedFile:
    """A file with its content: a picture, a video, the id of a known picture, or a problem.

    A video is not decoded yet.
    """

    file: FileToOpen
    image_id: str | None = None
    photo: Photo | None = None
    video: Video | None = None
    problem: str | None = None


class PixelBudget:
    """Makes decoders wait while too many decoded pixels are queued for the analysis."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._next = 0
        self._stopped = False
        self._changed = threading.Condition()

    def take(self, order: int, pixels: int) -> None:
        """Wait for room; the next picture in order never waits, so there is no deadlock."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._used + pixels <= self._limit or order <= self._next or self._stopped
            )
            self._used += pixels

    def want(self, order: int) -> None:
        """Set which picture is next in order."""
        with self._changed:
            self._next = order
            self._changed.notify_all()

    def release(self, pixels: int) -> None:
        """Return pixels to the budget."""
        with self._changed:
            self._used -= pixels
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake all waiting threads."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class FileLoader:
    """Opens files in several threads and returns them in the given order.

    `is_known` returns whether the picture with a sha256 need not be decoded; it is called from the
    threads. The pixels returned count against `budget_pixels` until they are released.
    """

    def __init__(
        self, is_known: Callable[[str], bool], *, budget_pixels: int, threads: int | None = None
    ) -> None:
        self._threads = threads or max(2, min(8, os.cpu_count() or 2))
        self._is_known = is_known
        self._budget = PixelBudget(budget_pixels)
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="opening")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._budget.stop()
        self._executor.shutdown(cancel_futures=True)

    def opened(self, files: Iterable[FileToOpen]) -> Iterator[OpenedFile]:
        """Open files, some of them ahead of the consumer."""
        ahead: deque[Future[OpenedFile]] = deque()
        handed_over = 0
        for order, file in enumerate(files):
            ahead.append(self._executor.submit(self._open, file, order))
            if len(ahead) > 8 * self._threads:
                self._budget.want(handed_over)
                yield ahead.popleft().result()
                handed_over += 1
        while ahead:
            self._budget.want(handed_over)
            yield ahead.popleft().result()
            handed_over += 1

    def release(self, pixels: int) -> None:
        """Return pixels of analysed pictures to the budget."""
        self._budget.release(pixels)

    def _open(self, file: FileToOpen, order: int) -> OpenedFile:
        try:
            if is_video(file.path):
                return self._open_video(file)
            data = read_bytes(file.path)
            digest = image_id(data)
            if self._is_known(digest):
                return OpenedFile(file, image_id=digest)
            video = probe_animation_bytes(data, file.path)
            if video is not None:
                return OpenedFile(file, image_id=digest, video=video)
            photo = decode_photo(data)
        except UnreadableImage as error:
            return OpenedFile(file, problem=error.reason)
        except (MemoryError, OSError):  # a failure of the system, not of the file
            return OpenedFile(file, problem="unreadable")
        self._budget.take(order, pixel_count(photo))
        return OpenedFile(file, image_id=photo.id, photo=photo)

    def _open_video(self, file: FileToOpen) -> OpenedFile:
        digest = video_sha256(file.path)
        known = self._is_known(digest)
        return OpenedFile(file, image_id=digest, video=None if known else probe_video(file.path))


def pixel_count(photo: Photo) -> int:
    """Width × height of a decoded picture."""
    height, width = photo.pixels.shape[:2]
    return int(height * width)
