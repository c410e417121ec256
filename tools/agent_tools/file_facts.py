"""What the file of a picture says of itself: name, size, date, camera. None of it is proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from tools.agent_tools.state.pictures import Pictures, is_hit
from tools.agent_tools.state.query_photos import byte_size
from tools.errors import ToolError
from tools.media.pictures.metadata import date_taken, read_header
from tools.media.pictures.opening import read_bytes
from tools.media.skip_reasons import UnreadableImage
from tools.search.results import Hit
from tools.verdict.clauses import format_hit_ranges, join_with_and
from tools.verdict.handles import quote_untrusted

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
    found = (_date(path, moving=hit.time_s is not None) for path in hit.paths)
    return next((date for date in found if date is not None), None)


def _date(path: Path, *, moving: bool) -> FileDate | None:
    try:
        if not moving and (taken := date_taken(read_bytes(path))) is not None:
            return FileDate(taken, "EXIF")
    except UnreadableImage:
        pass  # moved, or not a picture that can be opened any more
    try:
        # In this machine's time, as file managers show it.
        return FileDate(datetime.fromtimestamp(path.stat().st_mtime), "file")
    except OSError:
        return None


def describe_sources(dated: Sequence[tuple[str, FileDate | None]]) -> str:
    """Which date was used for which hit, in one sentence: `H1 by its EXIF date, …`."""
    by_exif = [handle for handle, date in dated if date is not None and date.source == "EXIF"]
    by_file = [handle for handle, date in dated if date is not None and date.source == "file"]
    undated = [handle for handle, date in dated if date is None]
    said = []
    if by_exif:
        said.append(f"{_named(by_exif)} by the EXIF date taken, which anyone can edit")
    if by_file:
        said.append(f"{_named(by_file)} by the file's modification time, which copying can change")
    if undated:
        said.append(f"{_named(undated)} without any date")
    return "; ".join(said)


def _named(handles: Sequence[str]) -> str:
    return format_hit_ranges([int(handle[1:]) for handle in handles])


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file is and says: nothing of it is measured, and all of it can be edited.

    `handle` is the picture's. `size_px` is (width, height) as stored, None for a video; `copies`
    are the names of further files of the gallery with the same bytes. `metadata` are texts as in
    the file; a position is only said to be there, as where somebody lives should not be read over a
    shoulder.
    """

    handle: str
    path: Path
    format: str
    size_bytes: int
    size_px: tuple[int, int] | None
    date: FileDate | None
    metadata: Mapping[str, str]
    copies: tuple[str, ...] = ()
    holds_position: bool = False

    def to_words(self) -> dict[str, object]:
        """For a model: which of them there are, in words."""
        dated = {"EXIF": "date taken", "file": "last change"}
        return {
            "image": self.handle,
            "format": "".join(it for it in self.format if not it.isdigit()),
            "date": "none" if self.date is None else dated[self.date.source],
            "names": sorted(self.metadata),
        }

    def sentences(self) -> list[str]:
        """What it is, its date, and what it names; each a whole sentence."""
        said = [self._what(), self._when(), self._names()]
        if self.holds_position:
            said.append("It holds a position, which `unmask provenance --location FILE` prints.")
        # The words of a file must not read as a citation.
        return [text.translate(_ROUND) for text in said]

    def _what(self) -> str:
        # A query photo was copied under a name of ours.
        named = (
            f'the file {quote_untrusted(self.path.name)} in "{_folder(self.path)}": '
            if is_hit(self.handle)
            else ""
        )
        size = "" if self.size_px is None else f", {self.size_px[0]:,} × {self.size_px[1]:,} pixels"
        said = f"{self.handle} is {named}{self.format}{size}, {_bytes(self.size_bytes)}"
        if self.copies:
            count = len(self.copies)
            more = "1 more file has" if count == 1 else f"{count:,} more files have"
            names = join_with_and([quote_untrusted(name) for name in self.copies[:_COPIES]])
            said += f"; {more} the same bytes: {names}{' …' if count > _COPIES else ''}"
        return f"{said}."

    def _when(self) -> str:
        if self.date is None:
            return "It has no date."
        when = f"{self.date.when:%Y-%m-%d %H:%M}"
        if self.date.source == "EXIF":
            return f"Its EXIF says that it was taken on {when}, which anyone can edit."
        if not is_hit(self.handle):
            return "It does not say when the picture was taken."
        return (
            f"It does not say when the picture was taken; the file was last changed on {when}, "
            "which copying can change."
        )

    def _names(self) -> str:
        if not self.metadata:
            return "It names no camera, software or author."
        named = [f"{name} {quote_untrusted(text)}" for name, text in self.metadata.items()]
        return f"It names, as anyone can write: {join_with_and(named)}."


def read_file_facts(pictures: Pictures, handle: str) -> FileFacts:
    """What the file of a query photo or a hit says; ToolError if it is missing or damaged."""
    path, photo = pictures.path(handle), pictures.photo(handle)
    hit = pictures.search.found(handle)[1] if is_hit(handle) else None
    moving = pictures.photos.is_video(handle) if hit is None else hit.time_s is not None
    try:
        header = None if moving else read_header(read_bytes(path))
        taken = _date(path, moving=moving) if hit is None else file_date(hit)
        found = FileFacts(
            handle, path, photo.format, byte_size(path), header.size_px if header else None, taken,
            pictures.metadata(handle),
            () if hit is None else tuple(path.name for path in hit.paths[1:]),
            header is not None and header.holds_position,
        )  # fmt: skip
    except UnreadableImage as error:
        raise ToolError(f"the file of {handle} cannot be read: {error.reason}") from error
    return found


def _folder(path: Path) -> str:
    """The folder above a file, its end if it is long, without what would close the quotation."""
    shown = quote_untrusted(path.parent, longest=10_000)[1:-1]
    return shown if len(shown) <= _FOLDER else f"…{shown[1 - _FOLDER :]}"


_ROUND = str.maketrans("[]", "()")
_COPIES = 5
"""Files with the same bytes that are named."""

_FOLDER = 90
"""Characters of a folder that are shown."""


def _bytes(size: int) -> str:
    for unit, factor in (("MB", 1_000_000), ("KB", 1_000)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}" if unit == "MB" else f"{size // factor:,} {unit}"
    return f"{size} bytes"
