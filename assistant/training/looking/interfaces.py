"""Screenshots: a picture inside a drawn interface of a phone, a browser, a viewer or a feed."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from assistant.training.looking.drawing import chance, colour, contrasting, font, words

Colour = tuple[int, int, int]


def screenshot(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture (h, w, 3) uint8 RGB as a screen shows it, inside a random interface."""
    looks = (_phone_feed, _phone_viewer, _browser, _window, _chat)
    return looks[int(rng.integers(len(looks)))](pixels, rng)


def _ground(rng: np.random.Generator) -> Colour:
    grey = int(rng.choice([255, 250, 242, 18, 0, 32]))
    return grey, grey, grey


def _fitted(pixels: np.ndarray, width: int, height: int) -> Image.Image:
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return Image.fromarray(cv2.resize(pixels, size, interpolation=how))


def _status_bar(pen: ImageDraw.ImageDraw, width: int, bar: int, ink: Colour,
                rng: np.random.Generator) -> None:  # fmt: skip
    size = round(bar * 0.5)
    clock = f"{int(rng.integers(24)):02d}:{int(rng.integers(60)):02d}"
    pen.text((round(width * 0.05), bar * 0.25), clock, fill=ink, font=font(rng, size))
    x = round(width * 0.95)
    pen.rounded_rectangle((x - size * 2, bar * 0.3, x, bar * 0.7), 3, outline=ink, width=2)
    level = float(rng.uniform(0.3, 1)) * size * 2
    pen.rectangle((x - size * 2 + 2, bar * 0.3 + 2, x - size * 2 + level, bar * 0.7 - 2), fill=ink)
    for step in range(4):
        left = x - size * 4.5 + step * size * 0.5
        pen.rectangle((left, bar * (0.62 - 0.09 * step), left + size * 0.3, bar * 0.7), fill=ink)


def _icons(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], count: int, ink: Colour,
           rng: np.random.Generator) -> None:  # fmt: skip
    left, top, right, bottom = box
    radius = (bottom - top) * 0.25
    for number in range(count):
        x, y = left + (right - left) * (number + 0.5) / count, (top + bottom) / 2
        area = (x - radius, y - radius, x + radius, y + radius)
        kind = int(rng.integers(4))
        if kind == 0:
            pen.ellipse(area, outline=ink, width=3)
        elif kind == 1:
            pen.rounded_rectangle(area, 5, outline=ink, width=3)
        elif kind == 2:
            pen.polygon([(x - radius, y + radius), (x, y - radius), (x + radius, y + radius)],
                        outline=ink)  # fmt: skip
        else:
            for line in (-0.6, 0, 0.6):
                pen.line((x - radius, y + line * radius, x + radius, y + line * radius), ink, 3)


def _phone(rng: np.random.Generator) -> tuple[Image.Image, ImageDraw.ImageDraw, Colour, int]:
    ground = _ground(rng)
    width = int(rng.integers(360, 460))
    canvas = Image.new("RGB", (width, round(width * rng.uniform(1.7, 2.2))), ground)
    pen = ImageDraw.Draw(canvas)
    bar = round(width * rng.uniform(0.055, 0.08))
    _status_bar(pen, width, bar, contrasting(ground), rng)
    return canvas, pen, contrasting(ground), bar


def _phone_feed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A post of a social network: avatar, name, picture, buttons, a few lines of text."""
    canvas, pen, ink, bar = _phone(rng)
    width, height = canvas.size
    y = bar + round(width * rng.uniform(0.02, 0.2))
    size = round(width * 0.1)
    pen.ellipse((12, y, 12 + size, y + size), fill=colour(rng))
    pen.text((24 + size, y), words(rng, 1, 3), fill=ink, font=font(rng, round(size * 0.4)))
    pen.text((24 + size, y + size * 0.5), words(rng, 1, 3), fill=(128, 128, 130),
             font=font(rng, round(size * 0.32)))  # fmt: skip
    y += size + 10
    shown = _fitted(pixels, width, height - y - round(width * 0.35))
    canvas.paste(shown, ((width - shown.width) // 2, y))
    y += shown.height + 6
    _icons(pen, (0, y, width // 2, y + size), 3, ink, rng)
    y += size
    for _ in range(int(rng.integers(1, 6))):
        pen.text((12, y), words(rng, 3, 7), fill=ink, font=font(rng, round(width * 0.036)))
        y += round(width * 0.055)
    bottom = height - round(width * 0.13)
    pen.rectangle((0, bottom, width, height), fill=canvas.getpixel((1, height - 1)))
    _icons(pen, (0, bottom, width, height), int(rng.integers(3, 6)), ink, rng)
    return np.array(canvas)


def _phone_viewer(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A phone's gallery or a story: the picture in the middle, bars above and below."""
    canvas, pen, ink, bar = _phone(rng)
    width, height = canvas.size
    tools = round(width * rng.uniform(0.12, 0.2))
    shown = _fitted(pixels, width, height - bar - 2 * tools)
    canvas.paste(shown, ((width - shown.width) // 2, (height - shown.height) // 2))
    pen.text((round(width * 0.3), bar + tools * 0.3), words(rng, 1, 3), fill=ink,
             font=font(rng, round(tools * 0.3)))  # fmt: skip
    _icons(pen, (0, bar, width // 4, bar + tools), 1, ink, rng)
    _icons(pen, (0, height - tools, width, height), int(rng.integers(3, 6)), ink, rng)
    return np.array(canvas)


def _chat(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A messenger: bubbles around the picture, an input field below."""
    canvas, pen, ink, bar = _phone(rng)
    width, height = canvas.size
    accent, y = colour(rng), bar
    pen.rectangle((0, y, width, y + round(width * 0.13)), fill=accent)
    pen.text((width * 0.2, y + width * 0.03), words(rng, 1, 2), fill=contrasting(accent),
             font=font(rng, round(width * 0.05)))  # fmt: skip
    y += round(width * 0.16)
    y = _bubbles(pen, y, width, int(rng.integers(0, 3)), accent, rng)
    shown = _fitted(pixels, round(width * rng.uniform(0.6, 0.85)), round(height * 0.5))
    canvas.paste(shown, (12 if chance(rng, 0.5) else width - shown.width - 12, y))
    y = _bubbles(pen, y + shown.height + 12, width, int(rng.integers(1, 4)), accent, rng)
    top = height - round(width * 0.14)
    pen.rectangle((0, top, width, height), fill=canvas.getpixel((1, height - 1)))
    pen.rounded_rectangle((12, top + 8, width * 0.8, height - 10), 16, outline=ink, width=2)
    _icons(pen, (round(width * 0.82), top, width, height), 1, ink, rng)
    return np.array(canvas)


def _bubbles(pen: ImageDraw.ImageDraw, y: int, width: int, count: int, accent: Colour,
             rng: np.random.Generator) -> int:  # fmt: skip
    for _ in range(count):
        wide = int(width * rng.uniform(0.3, 0.7))
        left = 12 if chance(rng, 0.5) else width - wide - 12
        fill = accent if chance(rng, 0.5) else (200, 200, 204)
        pen.rounded_rectangle((left, y, left + wide, y + 36), 14, fill=fill)
        pen.text((left + 10, y + 9), words(rng, 1, 4), fill=contrasting(fill), font=font(rng, 15))
        y += 46
    return y


def _browser(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A browser: tabs, an address, a page with a headline, the picture and text."""
    page = _ground(rng)
    frame = _ground(rng) if chance(rng, 0.4) else (222, 225, 230)
    width = int(rng.integers(620, 900))
    height = round(width * rng.uniform(0.6, 0.85))
    canvas = Image.new("RGB", (width, height), page)
    pen = ImageDraw.Draw(canvas)
    bar = int(rng.integers(26, 38))
    pen.rectangle((0, 0, width, 2 * bar), fill=frame)
    for tab in range(int(rng.integers(1, 5))):
        left = 8 + tab * 150 + (70 if chance(rng, 0.3) else 0)
        pen.rounded_rectangle((left, 6, left + 140, bar), 6, fill=page if tab == 0 else frame,
                              outline=(170, 172, 176))  # fmt: skip
        pen.text((left + 10, 10), words(rng, 1, 2), fill=contrasting(page), font=font(rng, 12))
    pen.rounded_rectangle((90, bar + 4, width - 70, 2 * bar - 4), 10, fill=page)
    pen.text((104, bar + 8), f"{words(rng, 1, 1).lower()}.example/{words(rng, 1, 1).lower()}",
             fill=(120, 120, 124), font=font(rng, 13))  # fmt: skip
    _icons(pen, (0, bar, 84, 2 * bar), 3, contrasting(frame), rng)
    ink, y = contrasting(page), 2 * bar + 14
    left = int(rng.integers(20, width // 4))
    if chance(rng, 0.7):
        pen.text((left, y), words(rng, 3, 6), fill=ink, font=font(rng, int(rng.integers(20, 34))))
        y += 46
    shown = _fitted(pixels, round(width * rng.uniform(0.45, 0.75)), height - y - 10)
    canvas.paste(shown, (left, y))
    x = left + shown.width + 20
    for line in range((height - y) // 24):
        if x < width - 80:
            pen.text((x, y + 24 * line), words(rng, 2, 6), fill=ink, font=font(rng, 14))
    below = y + shown.height + 10
    while below < height - 20:
        pen.text((left, below), words(rng, 5, 10), fill=ink, font=font(rng, 14))
        below += 24
    return np.array(canvas)


def _window(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A desktop's picture viewer or video player: a title bar, the picture, controls."""
    ground = _ground(rng)
    shown = _fitted(pixels, int(rng.integers(420, 760)), 620)
    margin = int(rng.integers(0, 60))
    bar, low = int(rng.integers(24, 44)), int(rng.integers(0, 70))
    width, height = shown.width + 2 * margin, shown.height + bar + low + margin
    canvas = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(canvas)
    title = colour(rng) if chance(rng, 0.4) else (225, 225, 228)
    pen.rectangle((0, 0, width, bar), fill=title)
    for number, ink in enumerate(((236, 94, 84), (246, 190, 60), (98, 198, 84))):
        x = 12 + 20 * number if chance(rng, 0.9) else width - 20 * (number + 1)
        pen.ellipse((x, bar / 2 - 6, x + 12, bar / 2 + 6), fill=ink)
    pen.text((width * 0.4, bar * 0.25), words(rng, 1, 2), fill=contrasting(title),
             font=font(rng, round(bar * 0.45)))  # fmt: skip
    canvas.paste(shown, (margin, bar + margin // 2))
    if low > 24:
        top, ink = height - low, contrasting(ground)
        pen.line((16, top + 8, width - 16, top + 8), fill=(128, 128, 130), width=4)
        pen.line((16, top + 8, width * float(rng.uniform(0.1, 0.9)), top + 8), (220, 40, 40), 4)
        _icons(pen, (0, top + 8, width // 2, height), 4, ink, rng)
    return np.array(canvas)
