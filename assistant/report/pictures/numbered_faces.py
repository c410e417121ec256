"""Choose a face in a photo with several: parse `--face`, draw the numbered faces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from assistant.agent.directed_turns import PendingQuestion
from assistant.report.pictures.data_uris import draw_numbered_boxes
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.media.file_names import printable
from tools.media.pictures.decoding import read_photo
from tools.media.private_files import open_private, private_folder
from tools.search.query import SeveralFaces
from tools.search.query_files import FaceNumbers


def parse_face_option(said: Sequence[str]) -> FaceNumbers | None:
    """Parse the values of `--face`: `2`, or `ada.jpg=2` for each photo that needs it.

    Raises SetupError for any other form.
    """
    if not said:
        return None
    if len(said) == 1 and said[0].isdecimal():
        return _number(said[0], said[0])
    named: dict[Path | str, int] = {}
    for each in said:
        name, equals, number = each.rpartition("=")
        if not equals or not name:
            raise SetupError(
                f"--face {each!r} does not say of which photo: write --face ada.jpg=2; a number "
                "alone is for one photo"
            )
        named[name] = _number(number, each)
    return named


def _number(text: str, said: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SetupError(f"--face {said!r} names no face: faces are counted from 1, left to right")
    return int(text)


def with_numbered_faces(error: SeveralFaces, folder: Path) -> ToolError:
    """The error in one line, with a picture of the numbered faces written to a folder.

    If the picture cannot be written, the message lists the numbers in words.
    """
    photo = Path(error.photo)
    try:
        shown = read_photo(photo).pixels if error.picture is None else error.picture
        path = _written(shown, error.boxes, folder, photo.stem, numbers=error.offered)
    except (OSError, ToolError):
        return error
    return ToolError(
        f"{printable(photo)}: {len(error.boxes)} faces, see {printable(path)}; use --face "
        f"{photo.name}=N, {numbers_in_words(error)}"
    )


def numbers_in_words(error: SeveralFaces) -> str:
    """The numbers to choose from: those of the faces that can be measured."""
    count, offered = len(error.boxes), error.offered
    if len(offered) == count:
        return f"N from 1 to {count}"
    rest = "the other one is" if count - len(offered) == 1 else "the others are"
    only = " or ".join(map(str, offered))
    return f"N {only} ({rest} too small or unclear to be measured)"


def clarification_text(
    pending_question: PendingQuestion, workspace: Workspace, folder: Path
) -> str:
    """The question that a turn on the command line leaves open, and how to answer it."""
    (photo, *_), faces = pending_question.photos, len(pending_question.boxes)
    if not faces:
        return f"answer for example “{photo} is authentic”, or “both are authentic”"
    try:
        everybody = workspace.pictures.everybody(photo)
        where = f", see {_written(everybody, pending_question.boxes, folder, photo)}"
    except (OSError, ToolError):
        where = ""
    return f"{photo} shows {faces} faces{where}; answer for example “face 2”"


def _written(
    pixels: np.ndarray,
    boxes: Sequence[Sequence[float]],
    folder: Path,
    stem: str,
    *,
    numbers: Sequence[int] = (),
) -> Path:
    """Write a private picture of the numbered faces. Raises OSError."""
    path = folder / f"{stem}-faces.jpg"
    with open_private(private_folder(folder) / path.name, "wb") as file:
        drawn = draw_numbered_boxes(pixels, boxes, numbers=numbers)
        Image.fromarray(drawn).save(file, "JPEG", quality=90)
    return path
