"""Writes a picture into a run's folder, and its title and caption beside it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from evals.pictures.style import DPI, STYLE
from evals.runs.figures import jsonable
from evals.runs.folder import PICTURES_FILE, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(
    folder: Path | None, name: str, draw: Callable[["Figure"], None], *,
    title: str, caption: str, size: tuple[float, float] = (7.0, 5.0),
) -> None:  # fmt: skip
    """Draw on a figure of `size` (width, height in inches) and write it as `<name>.png`.

    Signs that a file name should not have become hyphens. A name that was there is replaced.
    """
    if folder is None:
        return
    # Figures made like this belong to no window system and to no global list.
    import matplotlib
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    file = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.") + ".png"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        draw(figure)
        # Without the date and the library's version equal figures are equal files.
        figure.savefig(folder / file, metadata={"Software": None})
    _register(folder, {"file": file, "title": title, "caption": caption})


def _register(folder: Path, entry: dict[str, str]) -> None:
    path = folder / PICTURES_FILE
    listed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    kept = [other for other in listed if other["file"] != entry["file"]]
    write_atomically(
        path, json.dumps(jsonable([*kept, entry]), indent=2, ensure_ascii=False) + "\n"
    )
