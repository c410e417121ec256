"""Checked photos and comparisons as HTML, with pictures and maps embedded."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.report.pictures.blurring import blur_people
from assistant.report.pictures.data_uris import data_uri, draw_box, draw_numbered_boxes, thumbnail
from assistant.report.pictures.maps import (
    MapView,
    change_scale,
    change_view,
    distance_view,
    forgery_view,
    scale_image,
)
from assistant.report.pictures.numbered_faces import numbers_in_words, parse_face_option
from assistant.report.templating import inconclusive_bands, render_template
from tools.errors import ToolError
from tools.media.file_names import printable
from tools.media.pictures.decoding import read_photo
from tools.provenance.findings import LIMITS
from tools.search.bystanders import Box
from tools.search.checking.comparison import Comparison
from tools.search.checking.impression import IMPRESSION_LABEL, impression_text
from tools.search.checking.results import CheckedFace, CheckReport
from tools.search.query import SeveralFaces
from tools.search.query_files import FaceNumbers
from tools.verdict.evidence import Evidence
from tools.verdict.units import format_factor

_PICTURE_PX, _NUMBERED_PX = 480, 720


def report_html(report: CheckReport, *, everybody: bool = False) -> str:
    """Every checked face with its verdict, its map and its measurements.

    Pictures are read again from the files, so it has to be made before they are deleted. If only
    one face of a picture was asked about, other people are blurred, unless `everybody` is shown.
    """
    return render_template(
        "check.html",
        report=report,
        views=[_view(face, report, everybody=everybody) for face in report.faces],
        problems=[_problem(it.error, it.path) for it in report.problems],
        references=[(printable(Path(it.name)), _picture(it, None)) for it in report.references],
        origins=[(printable(Path(path.name)), found) for path, found in report.provenance],
        limits=LIMITS,
        impression_label=IMPRESSION_LABEL,
    )


def comparison_html(found: Comparison) -> str:
    """Two photos side by side, with what is the same and what differs."""
    return render_template(
        "comparison.html",
        found=found,
        sentences=found.sentences,
        pictures=[
            (name, _picture(path, box))
            for name, path, box in (
                ("first", found.first, found.differs),
                ("second", found.second, None),
            )
        ],
        change=_change(found),
        scale=scale_image(),
        distance=_distance(found),
        evidence=_rows(found.evidence),
        problems=[_problem(error, found.first, found.second) for error in found.problems],
    )


def _change(found: Comparison) -> dict[str, Any] | None:
    """The map of what changed in the face, with the ends of its scale as the sentence has them."""
    mapped, change = found.alignment.change_map, found.alignment.face_change
    if mapped is None or change is None:
        return None
    ends = [f"{format_factor(factor)} times" for factor in change_scale(change)]
    return {"map": change_view(mapped, change), "ends": ends}


def _distance(found: Comparison) -> MapView | None:
    """The map of the distances; None if it is empty beside the map of what changed.

    Its colours mean more than between two photos of one person: in one photograph, a face can
    change without that.
    """
    mapped = found.face_map
    if mapped is None or (found.alignment.change_map is not None and not mapped.far):
        return None
    return distance_view(mapped)


def _view(face: CheckedFace, report: CheckReport, *, everybody: bool) -> dict[str, Any]:
    others = () if everybody else face.others
    return {
        "face": face,
        "axes": bool(report.references),
        "bands": inconclusive_bands(face.assessment),
        "image": None if face.number is None else _picture(face.path, face.box, others),
        "blurred": len(others),
        "heat": None if face.located is None else forgery_view(face.located),
        "evidence": _rows(face.evidence),
        "impression": impression_text(face.impression),
    }


def chosen_faces(text: str) -> FaceNumbers | None:
    """The faces named in the page's box: `2`, or `group.jpg=2; other.jpg=1`.

    Raises SetupError for anything else.
    """
    return parse_face_option([it.strip() for it in text.split(";") if it.strip()])


def asks_for_face(errors: Sequence[Exception]) -> bool:
    """Whether a photo shows several faces and none was chosen."""
    return any(isinstance(error, SeveralFaces) for error in errors)


def _problem(error: Exception, *files: Path) -> dict[str, Any]:
    """An error as text, with a picture and the numbers of the faces if one must be chosen."""
    picture, faces = None, list[tuple[int, str]]()
    if isinstance(error, SeveralFaces):
        faces = [(number, f"{Path(error.photo).name}={number}") for number in error.offered]
        with contextlib.suppress(ToolError):
            shown = error.picture
            pixels = read_photo(Path(error.photo)).pixels if shown is None else shown
            picture = data_uri(_numbered(pixels, error))
    return {"text": problem_text(error, *files), "picture": picture, "faces": faces}


def _numbered(pixels: np.ndarray, error: SeveralFaces) -> np.ndarray:
    return draw_numbered_boxes(pixels, error.boxes, numbers=error.offered, longest_px=_NUMBERED_PX)


def problem_text(error: Exception, *files: Path) -> str:
    """The error in one line, with the names of the files instead of where the server keeps them."""
    if isinstance(error, SeveralFaces):
        name, count = Path(error.photo).name, len(error.boxes)
        return (
            f"{name!r} shows {count} faces: press the number of the one that is meant, or write "
            f"{name}=N into “Which face”, {numbers_in_words(error)}, and press the button again."
        )
    text = str(error).splitlines()[0].replace("--face: ", "").replace("--face ", "")
    for file in files:
        text = text.replace(str(file), file.name)
    return f"{text}."


def _picture(path: Path, box: Sequence[float] | None, others: Sequence[Box] = ()) -> str | None:
    """The whole picture as a data URI, with a box if there is one; None if it is gone.

    The faces in `others` are blurred.
    """
    with contextlib.suppress(ToolError):
        pixels = read_photo(path).pixels
        if box is None:
            return data_uri(thumbnail(pixels, longest_px=_PICTURE_PX))
        shown = blur_people(pixels, others, keep=[box])
        return data_uri(draw_box(shown, np.asarray(box), longest_px=_PICTURE_PX))
    return None


def _rows(evidence: Sequence[Evidence]) -> list[Evidence]:
    """What was measured; what was not is left to the JSON."""
    return [item for item in evidence if item.value is not None]
