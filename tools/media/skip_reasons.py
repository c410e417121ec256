"""Reasons why files cannot be read or are skipped, with a remedy for each."""

from pathlib import Path

from tools.errors import ToolError

RETRIED_REASONS = frozenset(("unreadable", "missing"))
"""Reasons that do not depend on the file's content (permissions, disk, memory): retried next
time."""

REPLACED = "replaced by another picture"
"""Why an indexed picture cannot be shown although its file is there."""

_REMEDIES = {
    "unreadable": "the system could not read it; the next run tries again",
    "missing": "it disappeared during indexing; the next run tries again",
    "empty": "copy it again from its source",
    "not an image": "not a known image or video format: export it as JPEG, PNG or MP4",
    "too large": "at most 200 megapixels and 256 MB (frames of videos: 110 megapixels): "
    "save a smaller copy",
    "too slow": "opening it takes far longer than its size explains: open it in an editor and "
    "save a smaller copy",
    "too many frames": "at most 10,000 frames, 1,200 megapixels together, or 5,000 pages: save a "
    "shorter copy, or an animation as MP4",
    "truncated": "its end is missing: copy it again from its source",
    "damaged": "copy it again from its source, or open it in an editor and export it",
    "camera raw, not read": "export a JPEG or TIFF",
    "no video stream": "it contains only sound",
    "not analysed": "export it as JPEG or PNG and index that",
    "not a regular file": "copy its content into a file",
    "broken link": "restore what it points to, or remove it",
    "link out of the folder": "use --follow-links to follow it",
    "permission denied": "change its permissions; the next run tries again",
    "too many open files": "the next run tries again",
    REPLACED: "index the folder again",
}

_DAMAGE = frozenset(("damaged", "truncated"))
"""Reasons whose detail is a decoder's own message, which names nothing that a person can change."""

_NAMED_REMEDIES = {
    "missing": "there is no such file: check its name and folder",
    "unreadable": "check its permissions, and whether its disk is there",
}
"""Remedies for a file that a person has named, where those for an indexed one differ."""


def remedy(reason: str) -> str:
    """What a person can do about a skipped file; unknown reasons are retried."""
    return _REMEDIES.get(reason, "the next run tries again")


class UnreadableImage(ToolError):
    """A file that cannot be decoded as an image; `reason` is one of a fixed set of texts.

    "missing", "unreadable" (the system refuses, or is out of memory), "empty", "not an image", "too
    large", "too many frames", "too slow", "truncated", "damaged", "no video stream", "camera raw,
    not read" or `REPLACED`.
    """

    def __init__(self, reason: str, detail: str = "", *, path: Path | None = None) -> None:
        what = f"{reason} ({detail})" if detail and reason not in _DAMAGE else reason
        remedy = _remedy_beside(
            detail if reason not in _DAMAGE else "", reason, named=path is not None
        )
        self.reason_text = f"{what}: {remedy}" if remedy else what
        super().__init__(self.reason_text if path is None else f"{str(path)!r}: {self.reason_text}")
        self.reason = reason
        self.detail = detail


def _remedy_beside(detail: str, reason: str, *, named: bool) -> str:
    """The next step, unless the detail says enough or only the caller knows the file."""
    if named and reason in _NAMED_REMEDIES:
        return _NAMED_REMEDIES[reason]
    return "" if detail or reason in RETRIED_REASONS else _REMEDIES.get(reason, "")


def without_path(error: ToolError) -> str:
    """The error in one line, for a place where the file's path stands beside it."""
    if isinstance(error, UnreadableImage):
        return error.reason_text
    return str(error).splitlines()[0]
