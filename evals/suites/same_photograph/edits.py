"""Typical edits of re-uploaded photographs: (image, rng) -> image, RGB."""

import io
import itertools
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Crop 60 to 90 % of each side, near the centre."""
    share = rng.uniform(0.6, 0.9)
    width, height = round(image.width * share), round(image.height * share)
    left = round((image.width - width) * rng.uniform(0.3, 0.7))
    top = round((image.height - height) * rng.uniform(0.3, 0.7))
    return image.crop((left, top, left + width, top + height))


def mirror(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Horizontal flip."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def border(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A border of one colour, an eighth of the shorter side wide."""
    edge = max(1, round(min(image.size) / 8))
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    framed = Image.new("RGB", (image.width + 2 * edge, image.height + 2 * edge), (red, green, blue))
    framed.paste(image, (edge, edge))
    return framed


def watermark(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """A half-transparent agency name over the whole picture."""
    marks = Image.new("RGBA", image.size)
    pen, size = ImageDraw.Draw(marks), max(12, image.width // 14)
    font = ImageFont.load_default(size=size)
    for y in range(0, image.height, round(size * 2.7)):
        for x in range(-200, image.width, size * 8):
            pen.text((x + y % 220, y), "(c) agency", font=font, fill=(255, 255, 255, 110))
    return Image.alpha_composite(image.convert("RGBA"), marks).convert("RGB")


def text(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """A banner with a headline across the lower part, and a line in the corner."""
    marked = image.copy()
    pen, size = ImageDraw.Draw(marked), max(10, image.width // 11)
    font = ImageFont.load_default(size=size)
    top = round(image.height * 0.78)
    pen.rectangle((0, top, image.width, top + round(size * 1.5)), fill="white")
    pen.text((8, top + 2), "BREAKING: what she said", font=font, fill="black")
    pen.text((5, 5), "LIVE NOW", font=font, fill="red")
    return marked


def screenshot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """On a page with lines of text above and below, at 60 to 100 % of its size."""
    width, height = image.size
    page = Image.new("RGB", (round(width * 1.5), round(height * 1.9)), (250, 250, 250))
    page.paste(image, (round(width * 0.25), round(height * 0.3)))
    pen, size = ImageDraw.Draw(page), max(10, width // 22)
    font, step = ImageFont.load_default(size=size), round(size * 1.6)
    above, below = (
        range(5, round(height * 0.28), step),
        range(round(height * 1.24), page.height, step),
    )
    for y in (*above, *below):
        line = "The quick brown fox jumps over the lazy dog 1234"
        pen.text((round(width * 0.1), y), line, font=font, fill=(30, 30, 30))
    return _scaled(page, rng.uniform(0.6, 1.0))


def grey(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Greyscale."""
    return image.convert("L").convert("RGB")


def jpeg(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """JPEG of quality 30."""
    written = io.BytesIO()
    image.save(written, "JPEG", quality=30)
    return Image.open(written).convert("RGB")


def smaller(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Resized to 0.3 of width and height."""
    return _scaled(image, 0.3)


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


EDITS: Mapping[str, Edit] = {
    "crop": crop, "mirror": mirror, "border": border, "watermark": watermark, "text": text,
    "screenshot": screenshot, "grey": grey, "JPEG 30": jpeg, "x0.3": smaller,
}  # fmt: skip

EDIT_PAIRS = tuple(itertools.permutations(EDITS, 2))
"""Two edits in sequence."""
