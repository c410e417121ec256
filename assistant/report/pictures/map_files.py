"""The maps of a face as one picture file of a case: what the answer says, drawn.

All maps stand side by side, each with its words below, and the hit beside another version of its
photograph if there is one: a map without a finding is grey, and says so.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from assistant.case.forgetting.reports import MAP_ID_LENGTH
from assistant.report.pictures.blurring import blur_people, people_beside
from assistant.report.pictures.maps import views_of
from assistant.report.pictures.versions import version_view
from tools.agent_tools.workspace import Workspace
from tools.media.private_files import open_private

_TILE_PX, _GAP_PX, _LETTER_PX, _LINES = 400, 16, 17, 6
_FONT = Path(__file__).parents[1] / "pdf" / "fonts" / "DejaVuSans.ttf"
_PAPER, _INK = (255, 255, 255), (24, 26, 30)


def write_map(workspace: Workspace, handle: str, folder: Path) -> Path:
    """Write the maps of a photo's or hit's face into a case's folder; returns the file.

    The file's name holds the handle and the beginning of the picture's id, by which
    `assistant.case.forgetting` finds it. Raises ToolError for a face without a map, OSError.
    """
    tiles = [*_tiles(workspace, handle)]
    if handle in workspace.photos:
        picture = workspace.photos[handle].name
    else:
        picture = workspace.hit(handle).image_id
    path = folder / f"map-{handle}-{picture[:MAP_ID_LENGTH]}.jpg"
    with open_private(path, "wb") as file:
        _sheet(tiles).save(file, "JPEG", quality=90)
    return path


def _tiles(workspace: Workspace, handle: str) -> Iterator[tuple[str, str]]:
    """Pictures as data URIs, each with what it shows."""
    look = workspace.take_snapshot(handle)
    people = people_beside(workspace, look)
    shown = blur_people(look.pixels, people, keep=[look.face.face.box])
    for view in views_of(workspace.examinations.maps(look), shown):
        yield view.image, f"{view.title}: {view.text}"
    if handle in workspace.photos:
        return
    version = version_view(workspace.hit(handle), look.pixels, others=people)
    if version is not None and version.ours and version.theirs:
        yield version.ours, f"{handle}. {version.text}"
        yield version.theirs, f"The other version, with another face: {version.name}"


def _sheet(tiles: Sequence[tuple[str, str]]) -> Image.Image:
    font = ImageFont.truetype(str(_FONT), _LETTER_PX)
    below = _LINES * round(1.3 * _LETTER_PX)
    width = len(tiles) * (_TILE_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, _TILE_PX + 3 * _GAP_PX + below), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, (uri, caption) in enumerate(tiles):
        left = _GAP_PX + column * (_TILE_PX + _GAP_PX)
        picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        scale = _TILE_PX / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        sheet.paste(picture.resize(size), (left, _GAP_PX))
        lines = _wrapped(caption, font)
        draw.text((left, _TILE_PX + 2 * _GAP_PX), lines, fill=_INK, font=font, spacing=4)
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont) -> str:
    """A caption in lines as wide as a tile; what does not fit ends with an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > _TILE_PX:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"{lines[_LINES - 1]} …"]
    return "\n".join(lines)
