"""A hit beside another version of its photograph, aligned, with the place that differs marked."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from assistant.report.pictures.blurring import blur_people
from assistant.report.pictures.data_uris import data_uri
from tools.errors import ToolError
from tools.media.videos.sampling import recorded_photo
from tools.search.bystanders import Box
from tools.search.results import Hit, HitVersion
from tools.search.same_photograph.registration import overlap_frame

_PICTURE_PX = 400
_MARK = (255, 196, 0)


@dataclass(frozen=True, slots=True)
class VersionView:
    """The other version of a hit's photograph: its file's `name`, and what is said of the two.

    `ours` and `theirs` are data URIs of the part that both show, in the hit's frame; None if a file
    is gone or now holds another picture.
    """

    name: str
    text: str
    ours: str | None
    theirs: str | None


def version_view(
    hit: Hit, pixels: np.ndarray | None, *, others: Sequence[Box] = ()
) -> VersionView | None:
    """The view of a hit with its picture (h, w, 3) uint8 RGB; None without another version.

    `others` are the boxes of other people in it, who are blurred in both pictures.
    """
    version = hit.version
    if version is None:
        return None
    theirs_px = None if pixels is None else _pixels(version)
    pair = None
    if pixels is not None and theirs_px is not None:
        ours_px = blur_people(pixels, others, keep=[hit.box, version.place])
        moved = [_in_theirs(box, version) for box in others]
        kept = [version.box, _in_theirs(version.place, version)]
        pair = _pair(ours_px, blur_people(theirs_px, moved, keep=kept), version)
    ours, theirs = (None, None) if pair is None else map(data_uri, pair)
    return VersionView(version.name, _TEXTS[_altered(hit)], ours, theirs)


def _in_theirs(box: Box, version: HitVersion) -> Box:
    """A box of the hit's picture in the other version, which is the same photograph."""
    matrix = np.asarray(version.matrix)
    turn = np.linalg.inv(matrix[:, :2])
    corners = np.array([(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])])
    placed = (corners - matrix[:, 2]) @ turn.T
    (left, top), (right, bottom) = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
    return left, top, right, bottom


_SAME = (
    "Outside the marked place both are the same photograph, so at least one of the two was altered"
)
_TEXTS = {
    "this": f"{_SAME}; by their forgery scores, this hit.",
    "other": f"{_SAME}; by their forgery scores, the other one reads more forged.",
    "": f"{_SAME}. Which one is not decided here.",
}


def _altered(hit: Hit) -> str:
    return {"high": "this", "low": "other"}.get(hit.assessment.of_two or "", "")


def _pixels(version: HitVersion) -> np.ndarray | None:
    """The other picture as it was indexed, from any of its files."""
    for path in version.paths:
        with contextlib.suppress(ToolError):  # deleted or replaced since
            return recorded_photo(path, version.image_id, version.time_s).pixels
    return None


def _pair(
    ours: np.ndarray, theirs: np.ndarray, version: HitVersion
) -> tuple[np.ndarray, np.ndarray] | None:
    """Both pictures in one frame, marked."""
    matrix = np.asarray(version.matrix)
    sizes = ours.shape[1::-1], theirs.shape[1::-1]
    frame = overlap_frame(matrix, *sizes, most_px=_PICTURE_PX)
    if frame is None:
        return None
    first, second, _ = frame.show(ours, theirs)
    place = np.asarray(version.place).reshape(2, 2) @ frame.first[:, :2].T + frame.first[:, 2]
    (left, top), (right, bottom) = np.round(place).astype(int).tolist()
    marked = np.ascontiguousarray(first), np.ascontiguousarray(second)
    for picture in marked:
        cv2.rectangle(picture, (left, top), (right, bottom), _MARK, 2)
    return marked
