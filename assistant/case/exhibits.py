"""The files of hits: where they were indexed, or in the folder of an imported case."""

from collections.abc import Iterable
from pathlib import Path

from assistant.case.record import Case
from tools.media.hashing import read_sha256


def find_exhibit(case: Case, sha256: str, paths: Iterable[Path]) -> Path | None:
    """A file with these bytes, at one of the `paths` or among the case's exhibits; None without."""
    places = (*paths, *case.exhibits_folder.glob(f"{sha256}*"))
    return next((it for it in places if _holds(it, sha256)), None)


def _holds(path: Path, sha256: str) -> bool:
    try:
        return read_sha256(path) == sha256
    except (OSError, ValueError):  # gone, or no path at all
        return False
