"""Small means of drawing on a picture: fonts, colours, words, rectangles; all random by a seed."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
    "he",
    "was",
    "for",
    "on",
    "are",
    "with",
    "as",
    "his",
    "they",
    "be",
    "at",
    "one",
    "have",
    "this",
    "from",
    "breaking",
    "news",
    "live",
    "today",
    "exclusive",
    "shocking",
    "truth",
    "watch",
    "share",
    "follow",
    "official",
    "photo",
    "sample",
    "summer",
    "city",
    "market",
    "people",
    "never",
    "always",
    "best",
    "team",
    "win",
    "vote",
    "real",
    "secret",
    "video",
    "update",
    "first",
    "look",
    "what",
    "when",
    "why",
    "how",
    "morning",
    "coffee",
    "love",
    "home",
    "travel",
    "music",
    "game",
    "night",
    "happy",
    "birthday",
]
COLOURS = (
    (255, 255, 255), (0, 0, 0), (250, 220, 40), (220, 30, 40), (30, 110, 220), (30, 30, 34),
    (240, 240, 242), (20, 150, 90), (250, 130, 20),
)  # fmt: skip

_FONTS = Path("/usr/share/fonts")


@cache
def font_files() -> tuple[Path, ...]:
    """The system's TrueType fonts, or those that matplotlib brings."""
    found = sorted(_FONTS.rglob("*.ttf"))
    if not found:
        import matplotlib

        found = sorted(Path(matplotlib.get_data_path()).glob("fonts/ttf/DejaVu*.ttf"))
    return tuple(it for it in found if "MathTeX" not in it.name)


def font(rng: np.random.Generator, size: int) -> ImageFont.FreeTypeFont:
    """A random font of this size in px."""
    files = font_files()
    return ImageFont.truetype(str(files[int(rng.integers(len(files)))]), max(6, size))


def words(rng: np.random.Generator, low: int, high: int) -> str:
    """Random words, in one of three cases."""
    text = " ".join(rng.choice(WORDS, int(rng.integers(low, high + 1))))
    return str(rng.choice([text, text.upper(), text.capitalize()]))


def colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """A random colour: usual ones, or any."""
    if rng.random() < 0.8:
        return COLOURS[int(rng.integers(len(COLOURS)))]
    red, green, blue = (int(it) for it in rng.integers(0, 256, 3))
    return red, green, blue


def contrasting(ground: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever can be read on the ground."""
    return (16, 16, 16) if sum(ground) > 380 else (245, 245, 245)


def layer(pixels: np.ndarray) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A transparent layer of the picture's size, and its pen."""
    image = Image.new("RGBA", (pixels.shape[1], pixels.shape[0]), (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)


def merged(pixels: np.ndarray, over: Image.Image) -> np.ndarray:
    """The picture (h, w, 3) uint8 under a layer."""
    base = Image.fromarray(pixels).convert("RGBA")
    return np.array(Image.alpha_composite(base, over).convert("RGB"))


def chance(rng: np.random.Generator, share: float) -> bool:
    """Whether an event of this probability happens."""
    return bool(rng.random() < share)
