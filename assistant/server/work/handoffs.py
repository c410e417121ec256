"""Pictures on their way from a browser's extension to the page: in memory, for one look.

The extension gets an unguessable id, which it opens as the page's address. Whoever is logged in to
the page and has the id sees the pictures, once.
"""

import contextlib
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.errors import SetupError
from tools.media.private_files import open_private, private_folder

WAITING_S = 600.0
"""Seconds after which pictures that nobody looked at are forgotten."""

MOST_BYTES = 128 * 1024 * 1024
"""Bytes of all waiting pictures; beyond them the oldest are forgotten."""

MARK = "#handoff="
"""What stands before the id in the page's address: browsers do not send it, nothing logs it."""

File = tuple[str, bytes]


@dataclass(frozen=True)
class Handoff:
    """Names and bytes of photos to check, and of photos of the person.

    `face` chooses a face of a photo, as the page's box does: `group.jpg=2; other.jpg=1`.
    """

    photos: tuple[File, ...]
    references: tuple[File, ...]
    face: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(data) for _, data in (*self.photos, *self.references))

    @contextlib.contextmanager
    def written(self, folder: Path) -> Iterator[tuple[list[str], list[str]]]:
        """The paths of both kinds below a private folder, which are gone afterwards."""
        private_folder(folder)
        here = Path(tempfile.mkdtemp(prefix="handed-", dir=folder))
        try:
            yield _written(self.photos, here / "photos"), _written(self.references, here / "person")
        finally:
            shutil.rmtree(here, ignore_errors=True)


class Handoffs:
    """All waiting pictures; safe to use from several threads.

    `folder` is the private one for files while they are read.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock, self._lock = clock, threading.Lock()
        self._waiting: OrderedDict[str, tuple[float, Handoff]] = OrderedDict()
        self.has_page = False

    def put(self, handed: Handoff) -> str:
        """Keep pictures for one look; returns their id. Raises SetupError without a page."""
        if not self.has_page:
            raise SetupError("this server has no page: start it without --no-page")
        id = secrets.token_urlsafe(32)
        with self._lock:
            self._waiting[id] = self._clock(), handed
            while sum(it.size for _, it in self._waiting.values()) > MOST_BYTES:
                self._waiting.popitem(last=False)
        timer = threading.Timer(WAITING_S, self.take, [id])
        timer.daemon = True
        timer.start()
        return id

    def take(self, id: str) -> Handoff | None:
        """The pictures of this id, which are forgotten; None if there are none."""
        with self._lock:
            put, handed = self._waiting.pop(id, (0.0, None))
        return handed if self._clock() - put < WAITING_S else None


def _written(files: Sequence[File], folder: Path) -> list[str]:
    private_folder(folder)
    paths = [folder / name for name, _ in files]
    for path, (_, data) in zip(paths, files, strict=True):
        with open_private(path, "wb") as copy:
            copy.write(data)
    return [str(path) for path in paths]
