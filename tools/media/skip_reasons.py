"""Reasons why files cannot be read or are skipped, with a remedy for each."""

from pathlib import Path

from tools.errors import ToolError

RETRIED_REASONS = frozenset(("unreadable", "missing"))
"""Reasons that do not depend on the file's content (permissions, disk, memory): retried next
time."""

_REMEDIES = {
    "unreadable": "the system could not read it; the next run tries again",
    "missing": "it disappeared during indexing; the next run tries again",
    "empty": "copy it again from its source",
    "not an image": "not a known image or video format: export it as JPEG, PNG or MP4",
    "too large": "at most 200 megapixels and 256 MB (frames of videos: 110 megapixels): "
    "save a smaller copy",
    "too slow": "opening it takes far longer than its size explains: open it in an editor and "
    "save a smaller copy",
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
}

_DAMAGE = frozenset(("damaged", "truncated"))


def remedy(reason: str) -> str:
    """What a person can do about a skipped file; unknown reasons are retried."""
    return _REMEDIES.get(reason, "the next run tries again")


class UnreadableImage(ToolError):
    """A file that cannot be decoded as an image; `reason` is one of a fixed set of texts.

    "missing", "unreadable" (the system refuses, or is out of memory), "empty", "not an image", "too
    large", "too slow", "truncated", "damaged", "no video stream" or "camera raw, not read".
    """

    def __init__(self, reason: str, detail: str = "", *, path: Path | None = None) -> None:
        what = f"{reason} ({detail})" if detail else reason
        alone = path is None and not detail and reason in _REMEDIES.keys() - RETRIED_REASONS
        if alone or reason in _DAMAGE:  # one word alone would be all that is said
            what = f"{what}: {_REMEDIES[reason]}"
        super().__init__(what if path is None else f"{str(path)!r}: {what}")
        self.reason = reason
        self.detail = detail
