"""Unmask's icon, drawn when it is needed: a face, of which one half is only an outline."""

import functools
import io

from PIL import Image, ImageDraw

BLUE, WHITE = "#1f4fa8", "#ffffff"
_FINE = 8
"""Drawn so many times larger than wanted, then scaled down: smooth edges."""


@functools.cache
def icon_png(size: int, *, full: bool = False) -> bytes:
    """The icon as PNG, `size` px wide and high, with transparent corners.

    With `full` the ground fills the square and the face is smaller: systems that cut icons into
    their own shape (maskable) cut only the ground.
    """
    side = size * _FINE
    image = Image.new("RGBA", (side, side), BLUE if full else "#00000000")
    draw = ImageDraw.Draw(image)
    if not full:
        draw.rounded_rectangle((0, 0, side - 1, side - 1), side * 0.22, fill=BLUE)
    share = 0.28 if full else 0.36  # of the square, from its middle to the edge of the face
    middle, wide, high = side / 2, side * share * 0.82, side * share
    face = (middle - wide, middle - high, middle + wide, middle + high)
    line = round(side * share * 0.19)
    draw.ellipse(face, outline=WHITE, width=line)
    draw.pieslice(face, 90, 270, fill=WHITE)
    eye, apart, above = side * share * 0.15, wide * 0.46, high * 0.12
    for sign, colour in ((-1, BLUE), (1, WHITE)):
        x, y = middle + sign * apart * 0.9, middle - above
        draw.ellipse((x - eye, y - eye, x + eye, y + eye), fill=colour)
    buffer = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
