"""Render run pages: templates with escaping, embedded pictures, no external resources."""

import base64
import mimetypes
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from assistant.report.templating import jinja_environment
from evals.runs.figures import format_difference, format_figure

_BROAD = 1.8


def render_page(name: str, /, **values: object) -> str:
    """Render `templates/<name>` as HTML with every value escaped."""
    return str(_environment().get_template(name).render(**values))


@cache
def _environment() -> Any:
    made = jinja_environment("evals.runs")
    made.filters["figure"] = format_figure
    made.filters["signed"] = format_difference
    made.filters["moment"] = moment
    made.filters["embedded"] = embedded
    made.filters["is_broad"] = is_broad
    return made


def moment(started: str) -> str:
    """An ISO time in UTC in readable form; other text is unchanged."""
    try:
        return f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return started


def embedded(file: Path) -> str:
    """A picture file as a data URI."""
    kind = mimetypes.guess_type(file.name)[0] or "image/png"
    return f"data:{kind};base64," + base64.b64encode(file.read_bytes()).decode("ascii")


def is_broad(file: Path) -> bool:
    """Whether a picture needs the page's full width; False if it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            return picture.width > _BROAD * picture.height
    except UnidentifiedImageError:
        return False
