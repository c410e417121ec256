"""Findings as one self-contained HTML page: pictures, verdicts, both axes, evidence.

Pictures are embedded, so the page can be moved and leaks no path to a server; nothing is loaded
from anywhere else. Text from files (names above all) is escaped by the template.
"""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tools.alignment import aligned_crop
from tools.errors import SetupError, ToolError
from tools.findings import Findings, Hit, percent, printable
from tools.images import read_photo
from tools.query import Query
from tools.verdict import VERDICTS, Rule

_THUMBNAIL_PX = 220
_FACE_PX = 160


def write_report(findings: Findings, query: Query, path: Path, *, rule: Rule | None) -> Path:
    """Write the page and return its path; a picture that is gone is shown as missing."""
    page = _template().render(
        findings=findings,
        verdicts=VERDICTS,
        queries=[_query_view(query, number) for number in range(len(query.paths))],
        hits=[_hit_view(hit) for hit in findings.hits],
        bands=_bands(rule),
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(f"the page {printable(path)!r} cannot be written: {reason}") from error
    return path


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("assistant"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = percent
    environment.filters["value"] = _value
    return environment.get_template("report.html")


def _bands(rule: Rule | None) -> Mapping[str, tuple[float, float]]:
    if rule is None:
        return {}
    return {
        "identity": (rule.identity_band.low, rule.identity_band.high),
        "fake": (rule.fake_band.low, rule.fake_band.high),
    }


def _query_view(query: Query, number: int) -> dict[str, Any]:
    path, face = query.paths[number], query.faces[number]
    pixels = read_photo(path).pixels
    return {
        "name": printable(Path(path.name)),
        "image": _thumbnail(pixels, face.box),
        "face": _encode(aligned_crop(pixels, face.keypoints, size=_FACE_PX)),
    }


def _hit_view(hit: Hit) -> dict[str, Any]:
    view: dict[str, Any] = {
        "hit": hit,
        "name": printable(Path(hit.path.name)),
        "path": printable(hit.path),
        "image": None,
        "face": None,
    }
    try:
        pixels = read_photo(hit.path).pixels
    except ToolError:
        return view  # moved or deleted since it was indexed; the page says so
    view["image"] = _thumbnail(pixels, np.asarray(hit.box))
    view["face"] = _encode(aligned_crop(pixels, np.asarray(hit.keypoints), size=_FACE_PX))
    return view


def _thumbnail(pixels: np.ndarray, box: np.ndarray) -> str:
    """The whole image, small, with the face's box drawn."""
    scale = _THUMBNAIL_PX / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    left, top, right, bottom = (round(float(edge) * scale) for edge in box)
    cv2.rectangle(small, (left, top), (right, bottom), (255, 196, 0), 2)
    return _encode(small)


def _encode(pixels: np.ndarray) -> str:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _value(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"
