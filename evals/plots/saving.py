"""Save a plot as PNG in a run's folder, and add its title and caption to pictures.json."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from evals.plots.style import DPI, STYLE
from evals.runs.figures import jsonable
from evals.runs.folder import PICTURES_FILE, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(
    folder: Path | None, name: str, draw: Callable[["Figure"], None], *,
    title: str, caption: str, size: tuple[float, float] = (7.0, 5.0),
) -> None:  # fmt: skip
    """Draw on a figure of `size` (width, height in inches) and write it as `<name>.png`.

    Characters unsuitable for file names become hyphens. An existing picture of that name is
    replaced.
    """
    if folder is None:
        return
    # Figures created like this are not registered with pyplot or a window system.
    import matplotlib
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    file = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.") + ".png"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        draw(figure)
        # Without date and library version, equal figures are equal files.
        figure.savefig(folder / file, metadata={"Software": None})
    _register(folder, {"file": file, "title": title, "caption": caption})


def _register(folder: Path, entry: dict[str, str]) -> None:
    path = folder / PICTURES_FILE
    listed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    kept = [other for other in listed if other["file"] != entry["file"]]
    write_atomically(
        path, json.dumps(jsonable([*kept, entry]), indent=2, ensure_ascii=False) + "\n"
    )
