"""List the files of a data folder, and note those that a loader could not place."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

PICTURES = frozenset({".bmp", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})
NAMES_SHOWN = 10


class LoaderNotes:
    """Files and names by problem, for a manifest's notes."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = defaultdict(list)

    def add(self, what: str, *names: str) -> None:
        """Note names under a problem, e.g. "unexpected files"."""
        self._found[what] += names

    def count(self, what: str) -> int:
        """Number of names under a problem."""
        return len(self._found[what]) if what in self._found else 0

    def notes(self) -> dict[str, str]:
        """Count and first names of each problem: `3: a.txt, b.txt, c.txt`."""
        return {what: _told(names) for what, names in self._found.items() if names}


def _told(names: Iterable[str]) -> str:
    times = Counter(names)
    shown = ", ".join(sorted(times)[:NAMES_SHOWN])
    more = len(times) - NAMES_SHOWN
    return f"{sum(times.values())}: {shown}" + (f" and {more} more" if more > 0 else "")


def files(folder: Path) -> list[str]:
    """Every file below a folder, relative to it, with forward slashes, sorted."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def is_picture(path: str) -> bool:
    """Whether the file name has a picture suffix."""
    return Path(path).suffix.lower() in PICTURES


def is_video(path: str) -> bool:
    """Whether the file name has a video suffix."""
    return Path(path).suffix.lower() in VIDEOS


def media(paths: Iterable[str], found: LoaderNotes) -> Iterator[str]:
    """The pictures and videos among paths; the rest is noted as unexpected."""
    for path in paths:
        if is_picture(path) or is_video(path):
            yield path
        else:
            found.add("unexpected files", path)


def frame_number(stem: str) -> int | None:
    """The number at the end of a frame's name: 7 for `007` and for `frame_007`."""
    digits = len(stem) - len(stem.rstrip("0123456789"))
    return int(stem[-digits:]) if digits and stem.isascii() else None


def starts_with(path: Path, *texts: str) -> bool:
    """Whether the file exists and its first kilobytes contain all the texts."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = file.read(4096)
    return all(text in head for text in texts)
