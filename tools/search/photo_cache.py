"""Cache of decoded pictures, so that one search decodes each picture once."""

import itertools
import threading
import weakref
from collections import OrderedDict
from pathlib import Path

from tools.media.pictures.decoding import Photo

BUDGET_PIXELS = 64_000_000
"""Maximum number of pixels held (190 MB): about five phone photos. One larger photo is held alone:
decoding it again takes seconds."""

_Key = tuple[Path, float | None, int, int]


class PixelBudget:
    """The photos of several caches, of which those used last are held; thread-safe.

    A process has many investigations, most of them idle: a budget for each would be none.
    """

    def __init__(self, pixels: int = BUDGET_PIXELS) -> None:
        self._pixels = pixels
        self._photos: OrderedDict[tuple[int, _Key], Photo] = OrderedDict()
        self._lock = threading.RLock()  # a cache may be collected while its thread holds the lock
        self._numbers = itertools.count()

    def join(self, cache: "PhotoCache") -> int:
        """A number for a cache, whose photos leave with it."""
        number = next(self._numbers)
        weakref.finalize(cache, self._leave, number).atexit = False
        return number

    def get(self, number: int, key: _Key) -> Photo | None:
        """A photo that is still held."""
        with self._lock:
            known = self._photos.get((number, key))
            if known is not None:
                self._photos.move_to_end((number, key))
            return known

    def keep(self, number: int, key: _Key, photo: Photo) -> None:
        """Hold a photo; the least recently used ones are dropped."""
        with self._lock:
            self._photos[number, key] = photo
            self._photos.move_to_end((number, key))
            while len(self._photos) > 1 and self._held() > self._pixels:
                self._photos.popitem(last=False)

    # Both read a copy: a cache collected in between leaves in the middle, by the same thread.

    def _held(self) -> int:
        return sum(it.pixels.size // 3 for it in list(self._photos.values()))

    def _leave(self, number: int) -> None:
        with self._lock:
            for key in list(self._photos):
                if key[0] == number:
                    self._photos.pop(key, None)


_OF_PROCESS = PixelBudget()


class PhotoCache:
    """Recently used photos, keyed by file and, for videos, time; thread-safe.

    A file that was deleted or changed is a cache miss. All caches of a process share one budget.
    """

    def __init__(self, budget: PixelBudget = _OF_PROCESS) -> None:
        self._budget = budget
        self._number = budget.join(self)

    def get(self, path: Path, time_s: float | None = None) -> Photo | None:
        """The cached photo of a file in its present state; None if it is not cached."""
        key = _key(path, time_s)
        return None if key is None else self._budget.get(self._number, key)

    def keep(self, photo: Photo, path: Path, time_s: float | None = None) -> Photo:
        """Cache a photo and return it."""
        key = _key(path, time_s)
        if key is not None:
            self._budget.keep(self._number, key, photo)
        return photo


def _key(path: Path, time_s: float | None) -> _Key | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return path, time_s, status.st_size, status.st_mtime_ns
