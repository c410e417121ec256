"""Maps over a hit's face as pictures, with a description and their limits.

Three kinds for a hit: signs of forgery found by the detector (`tools.localisers`), distances of
the face from the query photos (`tools.search.reranking.reference_comparison`), and outliers in the
whole picture (`tools.search.reranking.patch_grid`). Page and report show the same pictures;
`assistant.report.pictures.further_maps` has more. For two copies of one photograph: how much the
face changed (`tools.search.same_photograph.face_change`).
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from assistant.report.pictures.data_uris import data_uri
from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.localisers import Localisation, localise_forgery, overlay_heatmap
from tools.localisers.overlay import FULL_HEAT
from tools.search.checking.maps import FaceMaps
from tools.search.model_bundle import ModelBundle, map_detector
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.reranking.patch_grid import LIMITS, PatchMap, whole_picture_map
from tools.search.reranking.reference_comparison import (
    PATCH_DISTANCE,
    ReferenceMap,
    reference_map,
)
from tools.search.same_photograph.face_change import ChangeMap
from tools.verdict.clauses import join_with_and
from tools.verdict.template_writer import CHANGED_FACTOR

FORGERY_MAP_TITLE, DISTANCE_MAP_TITLE, PICTURE_MAP_TITLE = "Heat map", "Distance map", "Picture map"
CHANGE_MAP_TITLE = "Change map"
_FACE_PX = 240
_LEAST_RED = 10.0  # times the surroundings: a face that hardly changed stays grey
_COMPARED = {
    FORGERY_MAP_TITLE: "the heat map compares the face with forgeries that were learnt",
    DISTANCE_MAP_TITLE: "the distance map compares it with the query photos",
    PICTURE_MAP_TITLE: "the picture map compares parts of the whole picture with authentic ones",
}


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


def change_scale(change: float) -> tuple[float, float]:
    """The factors from which a place of the map is coloured, and is red.

    `change` is the log of the factor that is said of the whole face: its places are red.
    """
    return CHANGED_FACTOR, max(_LEAST_RED, float(np.exp(change)))


def change_view(mapped: ChangeMap, change: float) -> MapView:
    """The map of what changed in the face of one photograph, on the `change_scale`, by its log."""
    least, most = change_scale(change)
    enlarged = _FACE_PX / max(mapped.crop.shape[:2])
    crop = cv2.resize(mapped.crop, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_LINEAR)
    heat = np.log(mapped.times / least)
    return MapView(
        CHANGE_MAP_TITLE,
        data_uri(overlay_heatmap(crop, heat, full_heat=float(np.log(most / least)))),
        "how many times as much each place changed as the surroundings of the face",
        "Grey places changed less than that, as compression changes them too. It does not show "
        "which of the two photos was altered.",
    )


def scale_image() -> str:
    """The colours of a map, from the least heat that is drawn to the most, as a data URI."""
    grey = np.full((12, _FACE_PX, 3), 128, np.uint8)
    ramp = np.tile(np.linspace(0, FULL_HEAT, _FACE_PX, dtype=np.float32), (len(grey), 1))
    return data_uri(overlay_heatmap(grey, ramp))


def picture_view(mapped: PatchMap, shown: np.ndarray) -> MapView:
    """The map of the whole picture, drawn over `shown`, in which faces may be blurred."""
    return MapView(
        PICTURE_MAP_TITLE,
        data_uri(mapped.over(shown)),
        mapped.text,
        LIMITS,
        over="the whole picture",
    )


def what_maps_compare(maps: Sequence[MapView], fake_scores: Collection[str]) -> str:
    """One sentence below the maps: they can disagree, because each asks another question.

    `fake_scores` are the scores that the verdict's probability of a forgery was computed from.
    """
    said = [_COMPARED[it.title] for it in maps if it.title in _COMPARED]
    if not said:
        return ""
    text = join_with_and(said)
    used = (
        "the verdict uses the mean distance behind the distance map, and no other map"
        if PATCH_DISTANCE in fake_scores and any(it.title == DISTANCE_MAP_TITLE for it in maps)
        else "the verdict uses the scores under “Evidence”, and no map"
    )
    return f"{text[:1].upper()}{text[1:]}; {used}."


def views_of(maps: FaceMaps, shown: np.ndarray) -> list[MapView]:
    """The maps of a face, those that could be made; `shown` is its picture as it is drawn."""
    return [
        forgery_view(maps.located),
        *([] if maps.distance is None else [distance_view(maps.distance)]),
        *([] if maps.picture is None else [picture_view(maps.picture, shown)]),
    ]


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
    picture = whole_picture_map(pixels, models)
    if picture is not None:
        yield picture_view(picture, pixels if shown is None else shown)


def _drawn(crop: np.ndarray, heat: np.ndarray, *, full_heat: float = FULL_HEAT) -> str:
    face = cv2.resize(crop, (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_LINEAR)
    return data_uri(overlay_heatmap(face, heat, full_heat=full_heat))
