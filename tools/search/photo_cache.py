"""Pictures that were decoded a moment ago, so that one search decodes each of them once."""

import threading
from collections import OrderedDict
from pathlib import Path

from tools.media.images import Photo

BUDGET_PIXELS = 64_000_000
"""Pixels that are held at most (190 MB): five photographs of a telephone."""

_Key = tuple[Path, float | None, int, int]


class PhotoCache:
    """The photos met last, by file and (of a video) time; safe between threads.

    A file that is gone or has changed is not known any more.
    """

    def __init__(self, budget_pixels: int = BUDGET_PIXELS) -> None:
        self._budget = budget_pixels
        self._photos: OrderedDict[_Key, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, time_s: float | None = None) -> Photo | None:
        """The photo of a file as it is now; None when it is not here."""
        key = _key(path, time_s)
        with self._lock:
            if key is None or key not in self._photos:
                return None
            self._photos.move_to_end(key)
            return self._photos[key]

    def keep(self, photo: Photo, path: Path, time_s: float | None = None) -> Photo:
        """Hold a photo, and let go of those that were asked for longest ago; returns it."""
        key = _key(path, time_s)
        with self._lock:
            if key is not None:
                self._photos[key] = photo
                self._photos.move_to_end(key)
            while sum(it.pixels.size // 3 for it in self._photos.values()) > self._budget:
                self._photos.popitem(last=False)
        return photo


def _key(path: Path, time_s: float | None) -> _Key | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return path, time_s, status.st_size, status.st_mtime_ns
