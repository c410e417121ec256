"""The pictures of a report: query photos, hits with aligned faces, maps and provenance.

Computed once for all formats; a missing picture is None. Every picture is a data URI, encoded anew
without metadata.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.report.pictures.blurring import blur_people, blurs
from assistant.report.pictures.data_uris import data_uri, draw_box
from assistant.report.pictures.further_maps import extra_map_views
from assistant.report.pictures.maps import MapView, map_views, what_maps_compare
from assistant.report.pictures.versions import VersionView, version_view
from tools.errors import ToolError
from tools.faces.alignment import aligned_crop
from tools.faces.analyser import Face
from tools.media.file_names import printable
from tools.media.videos.sampling import read_pixels_at, recorded_photo
from tools.provenance.findings import Provenance
from tools.provenance.reading import read_provenance
from tools.search.bystanders import Box, other_people
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.results import Findings, Hit

_FACE_PX = 160
_PICTURE_PX = 440


OnPicture = Callable[[int, int], None]
"""Called with the number of pictures done and their total."""


@dataclass(frozen=True, slots=True)
class QueryPicture:
    """A query photo with its face marked, and its aligned face."""

    name: str
    image: str
    face: str


@dataclass(frozen=True, slots=True)
class HitPictures:
    """A hit with its face marked, its aligned face, its maps, and what its file says of itself.

    `version` is the hit beside another version of its photograph, if there is one; `blurred` is the
    number of other people's faces that are blurred in these pictures. `maps_note` says what each of
    the `maps` compares, and whether the verdict uses it.
    """

    image: str | None
    face: str | None
    maps: tuple[MapView, ...]
    further: tuple[MapView, ...]
    provenance: Provenance | None
    version: VersionView | None
    blurred: int = 0
    maps_note: str = ""


@dataclass(frozen=True, slots=True)
class Illustrations:
    """The pictures of a report, those of the hits in their order."""

    queries: tuple[QueryPicture, ...]
    hits: tuple[HitPictures, ...]


def illustrate(
    findings: Findings,
    query: Query,
    *,
    models: ModelBundle | None = None,
    names: Mapping[Path, str] | None = None,
    on_progress: OnPicture | None = None,
) -> Illustrations:
    """Read and draw every picture. Without `models` there are no maps, and nobody is blurred.

    `names` are those that query photos had when they were given, by their present paths.
    `on_progress` gets the number of hits that are drawn and their total: each takes seconds.
    """
    tell, total = on_progress or (lambda _done, _total: None), len(findings.hits)
    photos = [(read_pixels_at(photo, time_s), face) for photo, _, face, time_s in query.rows]
    looks = zip(query.paths, photos, strict=True)
    queries = tuple(
        _query_picture((names or {}).get(path) or printable(Path(path.name)), look, query, models)
        for path, look in looks
    )
    hits = list[HitPictures]()
    for done, hit in enumerate(findings.hits):
        tell(done, total)
        hits.append(_hit_pictures(hit, photos, query, models=models))
    tell(total, total)
    return Illustrations(queries, tuple(hits))


def _query_picture(
    name: str, look: FaceInImage, query: Query, models: ModelBundle | None
) -> QueryPicture:
    pixels, face = look
    others = _others(_faces(pixels, models), face.box, query, models)
    shown = blur_people(pixels, others, keep=[face.box])
    return QueryPicture(
        name,
        data_uri(draw_box(shown, face.box, longest_px=_PICTURE_PX)),
        data_uri(aligned_crop(pixels, face.keypoints, size=_FACE_PX)),
    )


def _hit_pictures(
    hit: Hit, photos: Sequence[FaceInImage], query: Query, *, models: ModelBundle | None
) -> HitPictures:
    try:
        pixels = recorded_photo(hit.path, hit.image_id, hit.time_s).pixels
    except ToolError:  # moved, deleted or replaced since it was indexed; the report says so
        return HitPictures(None, None, (), (), None, version_view(hit, None))
    provenance: Provenance | None = None
    with contextlib.suppress(ToolError):
        provenance = read_provenance(hit.path)
    found = _faces(pixels, models)
    face = _same_face(hit, found)
    others = _others(found, hit.box, query, models)
    shown = blur_people(pixels, others, keep=[hit.box])
    maps: list[MapView] = []
    further: list[MapView] = []
    if models is not None and face is not None:
        maps = map_views(pixels, face, photos, instruments=models, shown=shown)
        further = list(extra_map_views(pixels, face, instruments=models, shown=shown))
    return HitPictures(
        data_uri(draw_box(shown, np.asarray(hit.box), longest_px=_PICTURE_PX)),
        data_uri(aligned_crop(pixels, np.asarray(hit.keypoints), size=_FACE_PX)),
        tuple(maps), tuple(further), provenance, version_view(hit, pixels, others=others),
        blurred=len(others), maps_note=what_maps_compare(maps, hit.assessment.fake_scores),
    )  # fmt: skip


def _faces(pixels: np.ndarray, models: ModelBundle | None) -> Sequence[Face]:
    return () if models is None else models.faces.analyse([pixels])[0]


def _others(
    faces: Sequence[Face], box: Sequence[float] | np.ndarray, query: Query,
    models: ModelBundle | None,
) -> list[Box]:  # fmt: skip
    """The boxes of other people, who are blurred; none if the user wants to see everybody."""
    if models is None or not blurs(models):
        return []
    return other_people(faces, [float(it) for it in box], query.template, rule=models.rule)


def _same_face(hit: Hit, found: Sequence[Face]) -> Face | None:
    """The face of the hit among newly detected ones; None if the file shows another picture now."""
    points = np.asarray(hit.keypoints)
    apart = [float(np.linalg.norm(it.keypoints - points, axis=1).mean()) for it in found]
    if not apart or min(apart) > 0.2 * float(np.linalg.norm(points[1] - points[0])):
        return None
    return found[int(np.argmin(apart))]
