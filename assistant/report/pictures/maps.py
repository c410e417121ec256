"""Maps over a hit's face as pictures, with a description and their limits.

Three kinds: signs of forgery found by the detector (`tools.localisers`), distances of the face from
the query photos (`tools.search.reranking.reference_comparison`), and outliers in the whole picture
(`tools.search.reranking.patch_grid`). Page and report show the same pictures;
`assistant.report.pictures.further_maps` has more.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from assistant.case.forgetting.reports import MAP_ID_LENGTH
from assistant.report.pictures.data_uris import data_uri
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.localisers import Localisation, localise_forgery, overlay_heatmap
from tools.localisers.map_scales import image_map_name, map_threshold
from tools.localisers.overlay import FULL_HEAT
from tools.media.private_files import open_private
from tools.search.model_bundle import ModelBundle, map_detector
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.reranking.patch_grid import LIMITS, SCORE, image_heatmap, patch_map
from tools.search.reranking.reference_comparison import ReferenceMap, reference_map

FORGERY_MAP_TITLE, DISTANCE_MAP_TITLE, PICTURE_MAP_TITLE = "Heat map", "Distance map", "Picture map"
_FACE_PX, _FILE_PX = 240, 480
_USUAL_SHARE = 0.80
"""Heat that occurs somewhere in this share of authentic photographs is not drawn."""


@dataclass(frozen=True, slots=True)
class MapView:
    """One map to show: `image` is a data URI, `text` the map in words, `limits` what it hides."""

    title: str
    image: str
    text: str
    limits: str
    over: str = "the face"


def forgery_view(
    located: Localisation, *, title: str = FORGERY_MAP_TITLE, full_heat: float = FULL_HEAT
) -> MapView:
    """A map of the signs of forgery."""
    image = _drawn(located.crop, located.displayed_heatmap, full_heat=full_heat)
    return MapView(title, image, located.text, located.limits)


def distance_view(mapped: ReferenceMap) -> MapView:
    """The map of the distance from the query photos; usual distances are not drawn."""
    return MapView(
        DISTANCE_MAP_TITLE,
        _drawn(mapped.crop, mapped.displayed_heatmap),
        mapped.text,
        mapped.limits,
    )


def picture_view(
    pixels: np.ndarray, models: ModelBundle, *, shown: np.ndarray | None = None
) -> MapView | None:
    """The map of the whole picture; None if it is too small, or the profile has no reader.

    It is drawn over `shown`, the same picture with faces blurred, if that is given.
    """
    heat, known = (
        image_heatmap(pixels, models),
        models.rule.references.get(SCORE) if models.rule else None,
    )
    drawn = pixels if shown is None else shown
    usual = known.quantile(_USUAL_SHARE) if known else 0.0
    scale = map_threshold(image_map_name(*pixels.shape[:2]), models.encoder)
    found = None if heat is None else patch_map(drawn, heat, usual=usual, scale=scale)
    if found is None:
        return None
    return MapView(
        PICTURE_MAP_TITLE, data_uri(found.shown), found.text, LIMITS, over="the whole picture"
    )


def map_views(
    pixels: np.ndarray, face: Face, photos: Sequence[FaceInImage], *, instruments: ModelBundle,
    shown: np.ndarray | None = None,
) -> list[MapView]:  # fmt: skip
    """Every map that can be made of a face in a picture (h, w, 3) uint8 RGB.

    `photos` are the query's pictures with their faces; `shown` is the picture as it is drawn, with
    faces blurred. A map that cannot be made is left out.
    """
    return list(_views(pixels, face, photos, instruments, shown))


def _views(
    pixels: np.ndarray, face: Face, photos: Sequence[FaceInImage], models: ModelBundle,
    shown: np.ndarray | None,
) -> Iterator[MapView]:  # fmt: skip
    head = map_detector(models)
    if head is not None:
        # A face without landmarks has no map: the map is read by the parts of the face.
        with contextlib.suppress(ToolError):
            yield forgery_view(localise_forgery(pixels, face, encoder=models.encoder, head=head))
    mapped = reference_map((pixels, face), photos, encoder=models.encoder)
    if mapped is not None:
        yield distance_view(mapped)
    picture = picture_view(pixels, models, shown=shown)
    if picture is not None:
        yield picture


def _drawn(crop: np.ndarray, heat: np.ndarray, *, full_heat: float = FULL_HEAT) -> str:
    return data_uri(_overlaid(crop, heat, full_heat=full_heat))


def _overlaid(
    crop: np.ndarray, heat: np.ndarray, *, longest_px: int = _FACE_PX, full_heat: float = FULL_HEAT
) -> np.ndarray:
    face = cv2.resize(crop, (longest_px, longest_px), interpolation=cv2.INTER_LINEAR)
    return overlay_heatmap(face, heat, full_heat=full_heat)


def write_map(workspace: Workspace, handle: str, folder: Path) -> Path:
    """Write the map of a photo's or hit's face into a case's folder; returns the file.

    The file's name holds the handle and the beginning of the picture's id, by which
    `assistant.case.forgetting` finds it. Raises ToolError for a face without a map, OSError.
    """
    located = workspace.localise_forgery(handle)
    if handle in workspace.photos:
        picture = workspace.photos[handle].name
    else:
        picture = workspace.hit(handle).image_id
    path = folder / f"map-{handle}-{picture[:MAP_ID_LENGTH]}.jpg"
    pixels = _overlaid(located.crop, located.displayed_heatmap, longest_px=_FILE_PX)
    with open_private(path, "wb") as file:
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return path
