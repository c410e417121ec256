"""Find the files to index: which files in the folders are new or changed, and which are gone."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tools.gallery.indexing.progress import IndexTally
from tools.gallery.indexing.read_ahead import FileToOpen
from tools.gallery.record_store import Gallery
from tools.gallery.records import FileRecord
from tools.media.paths import WalkedFile, walk
from tools.media.skip_reasons import RETRIED_REASONS

MOST_LOOKED_AT = 20_000
"""Files of a gallery up to which each is looked for when the gallery is described."""


class FileFinder:
    """Walks folders and compares their files with a gallery.

    `on_return` is called with the record of a file that was missing and has come back.
    """

    def __init__(
        self,
        gallery: Gallery,
        roots: Sequence[Path],
        *,
        follow_links: bool,
        tally: IndexTally,
        on_return: Callable[[FileRecord], None],
    ) -> None:
        self._gallery, self._roots, self._follow_links = gallery, roots, follow_links
        self._tally, self._on_return = tally, on_return

    def count(self) -> int:
        """Number of files; walking twice is cheaper than storing every path."""
        return sum(1 for _ in self._walked())

    def to_open(self) -> Iterator[FileToOpen]:
        """The new or changed files; the others are counted."""
        for found in self._walked():
            self._tally.report()
            status = None if found.problem else _status(found.path)
            if status is None:
                self._tally.files_done += 1
                self._tally.skip(found.path, found.problem or "missing")
                continue
            known = self._gallery.file(found.path)
            if known is None or not _settled(known, status):
                yield FileToOpen(found.path, status.st_size, status.st_mtime_ns)
            else:
                self._met_again(known)

    def gone(self) -> Iterator[FileRecord]:
        """Known files that are gone; a file that is merely inaccessible is not gone."""
        for root in self._roots:
            for file in self._gallery.files_below(root):
                if not file.missing and _is_gone(file.path):
                    yield replace(file, missing=True)

    def _walked(self) -> Iterator[WalkedFile]:
        galleries = self._gallery.folder.parent
        home = galleries.parent
        # Photos in the data folder are indexed if the user names their folder; Unmask's own files
        # there (copies of query photos, forgeries it made) never are.
        asked_for = any(root.is_relative_to(home) for root in self._roots)
        ours = (galleries, home / "cases") if asked_for else (home,)
        return walk(self._roots, follow_links=self._follow_links, without=ours)

    def _met_again(self, known: FileRecord) -> None:
        self._tally.files_done += 1
        if known.missing:
            self._on_return(replace(known, missing=False))
        if known.problem is not None:
            self._tally.skip(known.path, known.problem)
        else:
            self._tally.counts["known"] += 1


def count_gone(gallery: Gallery, *, most: int = MOST_LOOKED_AT) -> int | None:
    """How many recorded files are gone from disk now; None if there are more than `most` files.

    What the latest indexing noted would not do: it knows nothing of what was deleted since.
    """
    held = gallery.counts()
    if held.files + held.skipped + held.missing > most:
        return None
    return sum(_is_gone(file.path) for file in gallery.files_below(Path("/")))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # deleted since it was listed
        return None


def _settled(known: FileRecord, status: os.stat_result) -> bool:
    """Whether reading the file again could not change its record."""
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
