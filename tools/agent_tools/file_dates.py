"""The date of a hit's file: when the picture was taken, or when its file was last changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tools.media.images import UnreadableImage, date_taken, read_bytes
from tools.search.results import Hit
from tools.verdict.clauses import join_with_and

DateSource = Literal["EXIF", "file"]


@dataclass(frozen=True, slots=True)
class FileDate:
    """A date without a time zone: the camera's for "EXIF", this machine's for "file"."""

    when: datetime
    source: DateSource


def file_date(hit: Hit) -> FileDate | None:
    """EXIF's date taken, else the modification time of the first file there is; None without one.

    Does not show: when the picture was taken. EXIF can be edited, and copying or downloading a
    file may change its modification time.
    """
    for path in hit.paths:
        try:
            if hit.time_s is None and (taken := date_taken(read_bytes(path))) is not None:
                return FileDate(taken, "EXIF")
        except UnreadableImage:
            pass  # moved, or not a picture that can be opened any more
        try:
            # In this machine's time, as file managers show it.
            return FileDate(datetime.fromtimestamp(path.stat().st_mtime), "file")
        except OSError:
            continue
    return None


def describe_sources(dated: Sequence[tuple[str, FileDate | None]]) -> str:
    """Which date was used for which hit, in one sentence: `H1 by its EXIF date, …`."""
    by_exif = [handle for handle, date in dated if date is not None and date.source == "EXIF"]
    by_file = [handle for handle, date in dated if date is not None and date.source == "file"]
    undated = [handle for handle, date in dated if date is None]
    said = []
    if by_exif:
        said.append(f"{join_with_and(by_exif)} by the EXIF date taken, which anyone can edit")
    if by_file:
        said.append(
            f"{join_with_and(by_file)} by the file's modification time, which copying can change"
        )
    if undated:
        said.append(f"{join_with_and(undated)} without any date")
    return "; ".join(said)
