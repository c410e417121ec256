"""Cache of a face's maps, keyed by the face and never by its handle.

A map takes seconds, and a search in the meantime may give the handle to another face.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.report.pictures.blurring import without_bystanders
from assistant.report.pictures.further_maps import extra_map_views
from assistant.report.pictures.maps import MapView, picture_view
from tools.agent_tools.state.pictures import FaceSnapshot
from tools.agent_tools.workspace import Workspace
from tools.localisers import Localisation
from tools.search.query import Query
from tools.search.reranking.reference_comparison import ReferenceMap


@dataclass(frozen=True, slots=True)
class DrawnMaps:
    """All maps of a face; `reference_distance_map` is relative to the query photos."""

    located: Localisation | None = None
    reference_distance_map: ReferenceMap | None = None
    picture: MapView | None = None
    further: Sequence[MapView] = ()


FaceKey = tuple[str, bytes]
"""A face and the query that found it: one of the maps depends on both."""


def face_key(face_id: str, query: Query | None) -> FaceKey:
    """The cache key of a face's maps."""
    return face_id, b"" if query is None else query.template.tobytes()


def compute_face_maps(look: FaceSnapshot, workspace: Workspace) -> DrawnMaps:
    """Compute all maps of a face snapshot. Raises ToolError if its parts cannot be located."""
    maps, shown = workspace.examinations.maps(look), without_bystanders(workspace, look)
    models, face = workspace.instruments, look.face.face
    return DrawnMaps(
        maps.located,
        maps.distance,
        None if maps.picture is None else picture_view(maps.picture, shown),
        extra_map_views(look.pixels, face, instruments=models, shown=shown),
    )
