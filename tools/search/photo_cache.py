"""Cache of decoded pictures, so that one search decodes each picture once."""

import threading
from collections import OrderedDict
from pathlib import Path

from tools.media.images import Photo

BUDGET_PIXELS = 64_000_000
"""Maximum number of pixels held (190 MB): about five phone photos."""

_Key = tuple[Path, float | None, int, int]


class PhotoCache:
    """Recently used photos, keyed by file and, for videos, time; thread-safe.

    A file that was deleted or changed is a cache miss.
    """

    def __init__(self, budget_pixels: int = BUDGET_PIXELS) -> None:
        self._budget = budget_pixels
        self._photos: OrderedDict[_Key, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, time_s: float | None = None) -> Photo | None:
        """The cached photo of a file in its present state; None if it is not cached."""
        key = _key(path, time_s)
        with self._lock:
            if key is None or key not in self._photos:
                return None
            self._photos.move_to_end(key)
            return self._photos[key]

    def keep(self, photo: Photo, path: Path, time_s: float | None = None) -> Photo:
        """Cache a photo and return it; the least recently used photos are dropped."""
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
