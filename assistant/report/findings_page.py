"""Write findings as one self-contained HTML page: pictures, maps, verdicts, both axes, evidence.

Pictures are embedded, so the page can be moved and leaks no path to a server; it loads nothing from
elsewhere. The template escapes text from files (above all names).
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.report.data_uris import data_uri, draw_box
from assistant.report.further_maps import extra_map_views
from assistant.report.maps import map_views
from assistant.report.templating import inconclusive_bands, render_template
from assistant.report.versions import version_view
from tools.agent_tools.copies import group_copies
from tools.agent_tools.review import Decision, HitNote
from tools.errors import SetupError, ToolError
from tools.faces.alignment import aligned_crop
from tools.faces.analyser import Face
from tools.media.file_names import printable
from tools.media.private_files import open_private
from tools.media.videos import read_pixels_at
from tools.provenance.findings import LIMITS
from tools.provenance.reading import read_provenance
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.results import Findings, Hit
from tools.verdict.rule import VERDICTS, VerdictRule

_FACE_PX = 160


def write_report(
    findings: Findings,
    query: Query,
    path: Path,
    *,
    rule: VerdictRule | None,
    instruments: ModelBundle | None = None,
    decisions: Mapping[str, Decision] | None = None,
    notes: Mapping[str, HitNote] | None = None,
) -> Path:
    """Write the page and return its path; a missing picture is shown as missing.

    With `instruments` every hit is shown with its maps: the signs of forgery, and the distances
    from the query photos; further maps are folded. `decisions` and `notes` are the
    reviewer's, by handle.
    """
    photos = [(read_pixels_at(photo, time_s), face) for photo, _, face, time_s in query.rows]
    page = render_template(
        "report.html",
        findings=findings,
        verdicts=VERDICTS,
        queries=[_query_view(photo, look) for photo, look in zip(query.paths, photos, strict=True)],
        hits=[_hit_view(hit, photos, rule=rule, models=instruments) for hit in findings.hits],
        decisions=decisions or {},
        notes=notes or {},
        copies=group_copies(findings.hits),
        limits=LIMITS,
    )
    try:
        with open_private(path) as file:
            file.write(page)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(f"the page {printable(path)!r} cannot be written: {reason}") from error
    return path


def _query_view(path: Path, look: FaceInImage) -> dict[str, Any]:
    pixels, face = look
    return {
        "name": printable(Path(path.name)),
        "image": data_uri(draw_box(pixels, face.box)),
        "face": data_uri(aligned_crop(pixels, face.keypoints, size=_FACE_PX)),
    }


def _hit_view(
    hit: Hit, photos: Sequence[FaceInImage], *, rule: VerdictRule | None, models: ModelBundle | None
) -> dict[str, Any]:
    view: dict[str, Any] = {
        "hit": hit,
        "name": f"{printable(Path(hit.path.name))}{hit.at}",
        "path": f"{printable(hit.path)}{hit.at}",
        "bands": inconclusive_bands(hit.assessment),
        "image": None,
        "face": None,
        "maps": [],
        "further": [],
        "provenance": None,
        "version": None,
    }
    try:
        pixels = read_pixels_at(hit.path, hit.time_s)
    except ToolError:
        view["version"] = version_view(hit, None)
        return view  # moved or deleted since it was indexed; the page reports it
    with contextlib.suppress(ToolError):
        view["provenance"] = read_provenance(hit.path)
    view["image"] = data_uri(draw_box(pixels, np.asarray(hit.box)))
    view["version"] = version_view(hit, pixels)
    view["face"] = data_uri(aligned_crop(pixels, np.asarray(hit.keypoints), size=_FACE_PX))
    face = None if models is None else _same_face(hit, models.faces.analyse([pixels])[0])
    if models is not None and face is not None:
        view["maps"] = map_views(pixels, face, photos, instruments=models)
        view["further"] = extra_map_views(pixels, face, instruments=models)
    return view


def _same_face(hit: Hit, found: Sequence[Face]) -> Face | None:
    """The face of the hit among newly detected ones; None if the file shows another picture now."""
    points = np.asarray(hit.keypoints)
    apart = [float(np.linalg.norm(it.keypoints - points, axis=1).mean()) for it in found]
    if not apart or min(apart) > 0.2 * float(np.linalg.norm(points[1] - points[0])):
        return None
    return found[int(np.argmin(apart))]
