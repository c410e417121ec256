"""Blur the faces of other people in a picture that is shown; files and exhibits stay as they are.

`tools.search.bystanders` says who they are. The face in question is put back over any blur that
reaches it, and nothing is measured on a blurred picture. With UNMASK_SHOW_BYSTANDERS=1 everybody
is shown.

Does not show: that nobody can be recognised, by clothes, place or company.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from tools.agent_tools.state.pictures import FaceSnapshot
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError
from tools.faces.analyser import Face
from tools.gallery.record_store import Gallery
from tools.search.bystanders import Box, other_people
from tools.search.model_bundle import ModelBundle
from tools.search.query import NoFace, SeveralFaces

_REACH = 1.5
"""The blurred ellipse relative to the face's box: its corners lie inside."""
_KEPT = 1.1
_CELLS = 5
"""A blurred face is drawn from this many averages across: too few to recognise anybody."""


@runtime_checkable
class ShowsBystanders(Protocol):
    """Models whose user wants to see everybody."""

    @property
    def show_bystanders(self) -> bool:
        """Whether everybody in a picture is shown."""


def blurs(models: ModelBundle | None) -> bool:
    """Whether other people are blurred: by default they are."""
    return not (isinstance(models, ShowsBystanders) and models.show_bystanders)


def blur_people(
    pixels: np.ndarray, others: Sequence[Box], *, keep: Sequence[Sequence[float] | np.ndarray]
) -> np.ndarray:
    """A picture (h, w, 3) uint8 RGB with the faces in `others` blurred, but nothing in `keep`.

    Boxes are x1, y1, x2, y2 px. The given array is not changed.
    """
    if not others:
        return pixels
    shown = pixels.copy()
    for box in others:
        left, top, right, bottom = _grown(box, _REACH, pixels)
        part = shown[top:bottom, left:right]
        if not part.size:
            continue
        height, width = part.shape[:2]
        few = min(_CELLS, width), min(_CELLS, height)
        cells = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
        smooth = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, ((width / 2, height / 2), (width, height), 0), 255, cv2.FILLED)
        part[mask > 0] = smooth[mask > 0]
    for kept in keep:
        left, top, right, bottom = _grown(kept, _KEPT, pixels)
        shown[top:bottom, left:right] = pixels[top:bottom, left:right]
    return shown


def people_beside(workspace: Workspace, look: FaceSnapshot) -> list[Box]:
    """The other people in the picture of a hit or a query photo; none if everybody is shown.

    A hit's as they were indexed; faces are looked for again if the gallery cannot tell.
    """
    models, query, face = workspace.instruments, look.query, look.face.face
    if not blurs(models):
        return []
    faces = [] if query is None else _indexed(workspace, look)
    faces = faces or list(models.faces.analyse([look.pixels])[0])
    template = face.embedding if query is None else query.template
    return other_people(faces, face.box, template, rule=models.rule)


def _indexed(workspace: Workspace, look: FaceSnapshot) -> list[Face]:
    """The faces of a hit's picture in the gallery."""
    image_id = look.face_id.rpartition(":")[0]
    try:
        with Gallery.open_existing(workspace.home, workspace.gallery) as gallery:
            return [it.face for it in gallery.faces_of(image_id)]
    except SetupError:
        return []


def without_bystanders(workspace: Workspace, look: FaceSnapshot) -> np.ndarray:
    """The picture of a hit or a query photo as it is shown."""
    others = people_beside(workspace, look)
    return blur_people(look.pixels, others, keep=[look.face.face.box])


def picture_shown(workspace: Workspace, handle: str) -> np.ndarray:
    """A hit or a query photo by handle, as it is shown.

    Everybody is shown in a photo in which no face was chosen: whoever looks has to choose one.
    """
    try:
        look = workspace.take_snapshot(handle)
    except (NoFace, SeveralFaces):
        return workspace.pictures.pixels(handle)
    return without_bystanders(workspace, look)


def _grown(
    box: Sequence[float] | np.ndarray, scale: float, pixels: np.ndarray
) -> tuple[int, int, int, int]:
    """A box scaled about its centre, within the picture, in whole pixels."""
    left, top, right, bottom = (float(edge) for edge in box)
    wide, high = (right - left) * (scale - 1) / 2, (bottom - top) * (scale - 1) / 2
    height, width = pixels.shape[:2]
    return (
        min(max(0, round(left - wide)), width), min(max(0, round(top - high)), height),
        min(max(0, round(right + wide)), width), min(max(0, round(bottom + high)), height),
    )  # fmt: skip
