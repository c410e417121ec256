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
from tools.gallery.record_store import Gallery
from tools.search.bystanders import Box, other_people
from tools.search.model_bundle import ModelBundle

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


def people_beside_hit(workspace: Workspace, look: FaceSnapshot) -> list[Box]:
    """The other people in a hit's picture, as they were indexed; none if everybody is shown.

    Faces are looked for again if the gallery cannot tell.
    """
    models, query = workspace.instruments, look.query
    if query is None or not blurs(models):
        return []
    image_id = look.face_id.rpartition(":")[0]
    try:
        with Gallery.open_existing(workspace.home, workspace.gallery) as gallery:
            faces = [it.face for it in gallery.faces_of(image_id)]
    except SetupError:
        faces = []
    faces = faces or models.faces.analyse([look.pixels])[0]
    return other_people(faces, look.face.face.box, query.template, rule=models.rule)


def without_bystanders(workspace: Workspace, look: FaceSnapshot) -> np.ndarray:
    """The picture of a hit as it is shown."""
    others = people_beside_hit(workspace, look)
    return blur_people(look.pixels, others, keep=[look.face.face.box])


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
