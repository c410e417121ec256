"""Findings as one self-contained HTML page: pictures, verdicts, both axes, evidence.

Pictures are embedded, so the page can be moved and leaks no path to a server; nothing is loaded
from anywhere else. Text from files (names above all) is escaped by the template.
"""

from pathlib import Path
from typing import Any

import numpy as np

from assistant.pictures import data_uri, with_box
from assistant.templating import bands, fill
from tools.alignment import aligned_crop
from tools.errors import SetupError, ToolError
from tools.findings import Findings, Hit, printable
from tools.images import read_photo
from tools.query import Query
from tools.verdict import VERDICTS, Rule
from tools.videos import picture_at

_FACE_PX = 160


def write_report(findings: Findings, query: Query, path: Path, *, rule: Rule | None) -> Path:
    """Write the page and return its path; a picture that is gone is shown as missing."""
    page = fill(
        "report.html",
        findings=findings,
        verdicts=VERDICTS,
        queries=[_query_view(query, number) for number in range(len(query.paths))],
        hits=[_hit_view(hit, rule) for hit in findings.hits],
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(f"the page {printable(path)!r} cannot be written: {reason}") from error
    return path


def _query_view(query: Query, number: int) -> dict[str, Any]:
    path, face = query.paths[number], query.faces[number]
    pixels = read_photo(path).pixels
    return {
        "name": printable(Path(path.name)),
        "image": data_uri(with_box(pixels, face.box)),
        "face": data_uri(aligned_crop(pixels, face.keypoints, size=_FACE_PX)),
    }


def _hit_view(hit: Hit, rule: Rule | None) -> dict[str, Any]:
    view: dict[str, Any] = {
        "hit": hit,
        "name": f"{printable(Path(hit.path.name))}{hit.at}",
        "path": f"{printable(hit.path)}{hit.at}",
        "bands": bands(rule, hit),
        "image": None,
        "face": None,
    }
    try:
        pixels = picture_at(hit.path, hit.time_s)
    except ToolError:
        return view  # moved or deleted since it was indexed; the page says so
    view["image"] = data_uri(with_box(pixels, np.asarray(hit.box)))
    view["face"] = data_uri(aligned_crop(pixels, np.asarray(hit.keypoints), size=_FACE_PX))
    return view
