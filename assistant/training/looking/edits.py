"""Edits whose description is true by construction: colour, blur, compression, what lies over it.

Each takes a picture (h, w, 3) uint8 RGB and a random generator, and returns the edited picture.
"""

from typing import Any

import cv2
import numpy as np

from assistant.training.looking.drawing import (
    chance,
    colour,
    contrasting,
    font,
    layer,
    merged,
    words,
)

REFERENCE_PX = 512
"""Blur is drawn in px of a picture with this longest side."""


def greyed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shades of grey, with another contrast at times."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if chance(rng, 0.3):
        grey = np.clip((grey.astype(float) - 128) * rng.uniform(0.8, 1.4) + 128, 0, 255)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def toned(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shades of one tone: sepia, or any colour at times."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] / 255
    if chance(rng, 0.6):
        dark, light = np.array([40, 22, 8]), np.array([255, 240, 205]) - rng.uniform(0, 30, 3)
    else:
        dark = rng.uniform(0, 80, 3)
        light = np.array(colour(rng), float) * 0.4 + 150
    return np.asarray(np.clip(dark + grey * (light - dark), 0, 255), np.uint8)


def blurred(pixels: np.ndarray, rng: np.random.Generator, *, sigma: float) -> np.ndarray:
    """Blur of a random kind, about as strong as a Gaussian of `sigma` px at 512 px."""
    sigma = sigma * max(pixels.shape[:2]) / REFERENCE_PX
    kind = int(rng.integers(4))
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma))
    if kind == 1:  # out of focus
        radius = max(1, round(2 * sigma))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        return np.asarray(cv2.filter2D(pixels, -1, disc / disc.sum()))
    if kind == 2:  # moved
        length = max(3, round(5 * sigma))
        line = np.zeros((length, length), np.float32)
        angle = rng.uniform(0, np.pi)
        reach = (length - 1) / 2
        for at in np.linspace(-reach, reach, 4 * length):
            line[round(reach + at * np.sin(angle)), round(reach + at * np.cos(angle))] = 1
        return np.asarray(cv2.filter2D(pixels, -1, line / line.sum()))
    size = [max(4, round(it / (2.2 * sigma + 1))) for it in pixels.shape[1::-1]]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG at this quality."""
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("OpenCV cannot read back the JPEG that it wrote")
    return np.ascontiguousarray(decoded[..., ::-1])


def with_text(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Text over the picture: a meme, a caption bar, a subtitle, a ticker, a label."""
    over, pen = layer(pixels)
    height, width = pixels.shape[:2]
    size = round(width * rng.uniform(0.05, 0.12))
    letters, ink = font(rng, size), colour(rng)
    kind = int(rng.integers(4))
    if kind == 0:  # above and below, outlined
        for y in (height * 0.02, height - size * 1.4):
            if chance(rng, 0.75):
                pen.text((width / 2, y), words(rng, 1, 4).upper(), fill=(255, 255, 255),
                         anchor="ma", font=letters, stroke_width=max(1, size // 14),
                         stroke_fill=(0, 0, 0))  # fmt: skip
        pen.text((width / 2, height - size * 1.4), words(rng, 2, 4), fill=(255, 255, 255),
                 anchor="ma", font=letters, stroke_width=max(1, size // 14),
                 stroke_fill=(0, 0, 0))  # fmt: skip
    elif kind == 1:  # a bar
        ground = colour(rng)
        top = height * float(rng.choice([0.0, 0.72, 0.8]))
        alpha = int(rng.choice([255, 200, 150]))
        pen.rectangle((0, top, width, top + size * 1.7), fill=(*ground, alpha))
        pen.text((width * 0.03, top + size * 0.25), words(rng, 2, 5), fill=contrasting(ground),
                 font=letters)  # fmt: skip
    elif kind == 2:  # a subtitle
        small = font(rng, round(size * 0.7))
        for line in range(int(rng.integers(1, 3))):
            pen.text((width / 2, height * 0.82 + line * size), words(rng, 3, 6), anchor="ma",
                     fill=(255, 255, 255) if chance(rng, 0.6) else (250, 230, 60), font=small,
                     stroke_width=max(1, size // 20), stroke_fill=(0, 0, 0))  # fmt: skip
    else:  # a label anywhere
        place = width * rng.uniform(0.02, 0.3), height * rng.uniform(0.05, 0.85)
        text = words(rng, 2, 4)
        box = pen.textbbox(place, text, font=letters)
        ground = contrasting(ink)
        pen.rectangle((box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4), fill=(*ground, 235))
        pen.text(place, text, fill=ink, font=letters)
    return merged(pixels, over)


def with_watermark(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A translucent mark: tiled, across the middle, or a small logo in a corner."""
    over, pen = layer(pixels)
    height, width = pixels.shape[:2]
    ink = (255, 255, 255) if chance(rng, 0.75) else (20, 20, 20)
    alpha = int(rng.integers(70, 170))
    name = words(rng, 1, 2)
    kind = int(rng.integers(3))
    if kind == 0:
        letters = font(rng, round(width * rng.uniform(0.035, 0.07)))
        step_x, step_y = width * rng.uniform(0.25, 0.4), height * rng.uniform(0.14, 0.26)
        for row in range(-1, int(height / step_y) + 1):
            for column in range(-1, int(width / step_x) + 1):
                place = (column + 0.5 * (row % 2)) * step_x, row * step_y
                pen.text(place, name, fill=(*ink, alpha), font=letters)
        over = over.rotate(float(rng.choice([0, 20, 30, -30])), expand=False)
    elif kind == 1:
        letters = font(rng, round(width * rng.uniform(0.1, 0.18)))
        pen.text((width / 2, height / 2), name, anchor="mm", fill=(*ink, alpha), font=letters)
        over = over.rotate(float(rng.uniform(-35, 35)), expand=False)
    else:
        size = width * rng.uniform(0.08, 0.14)
        x = float(rng.choice([width * 0.04, width * 0.94 - 2.6 * size]))
        y = float(rng.choice([height * 0.04, height * 0.95 - size]))
        alpha = min(255, alpha + 70)
        shape = int(rng.integers(3))
        area = (x, y, x + size, y + size)
        if shape == 0:
            pen.ellipse(area, outline=(*ink, alpha), width=max(2, round(size * 0.12)))
        elif shape == 1:
            pen.rounded_rectangle(area, size * 0.25, fill=(*colour(rng), alpha))
        else:
            pen.polygon([(x, y + size), (x + size / 2, y), (x + size, y + size)],
                        fill=(*ink, alpha))  # fmt: skip
        pen.text((x + size * 1.15, y + size * 0.2), name, fill=(*ink, alpha),
                 font=font(rng, round(size * 0.5)))  # fmt: skip
    return merged(pixels, over)


def framed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A border of one colour: all around, above and below, or an instant picture's."""
    height, width = pixels.shape[:2]
    edge = max(6, round(min(height, width) * rng.uniform(0.04, 0.13)))
    sides = [(edge, edge, edge, edge), (edge, 3 * edge, edge, edge), (2 * edge, 2 * edge, 0, 0),
             (0, 0, 2 * edge, 2 * edge)][int(rng.integers(4))]  # fmt: skip
    ink = colour(rng)
    return np.asarray(cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_CONSTANT, value=ink))


def collage(pictures: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Two to four pictures side by side or in a grid, with or without gaps."""
    count = len(pictures)
    side, gap = 256, int(rng.choice([0, 0, 4, 10]))
    columns = count if count < 4 and chance(rng, 0.7) else (count + 1) // 2
    rows = -(-count // columns)
    size = columns * (side + gap) + gap, rows * (side + gap) + gap
    canvas = np.full((size[1], size[0], 3), contrasting(colour(rng)), np.uint8)
    for at, one in enumerate(pictures):
        short = min(one.shape[:2])
        top, left = (one.shape[0] - short) // 2, (one.shape[1] - short) // 2
        square = one[top : top + short, left : left + short]
        y, x = gap + at // columns * (side + gap), gap + at % columns * (side + gap)
        tile = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
        canvas[y : y + side, x : x + side] = tile
    return canvas


def photographed_again(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As if a camera had taken a screen: its grid and moiré, perspective, gamma, glare, bezel."""
    height, width = pixels.shape[:2]
    shown: Any = pixels.astype(np.float32) / 255
    edge = round(min(height, width) * rng.uniform(0, 0.12))
    if edge:
        bezel = float(rng.uniform(0.02, 0.12))
        shown = cv2.copyMakeBorder(shown, edge, edge, edge, edge, cv2.BORDER_CONSTANT,
                                   value=(bezel, bezel, bezel))  # fmt: skip
        height, width = shown.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    # The beat of two grids: the screen's and the sensor's.
    for _ in range(int(rng.integers(1, 3))):
        angle, period = rng.uniform(0, np.pi), rng.uniform(2.2, 14)
        bend = rng.uniform(0, 0.0006) * ((x - width / 2) ** 2 + (y - height / 2) ** 2)
        phase = (2 * np.pi / period) * (x * np.cos(angle) + y * np.sin(angle) + bend)
        waves = np.stack([np.sin(phase + it) for it in (0.0, 2.1, 4.2)], axis=2)
        shown = shown * (1 + rng.uniform(0.03, 0.12) * waves.astype(np.float32))
    shown = np.clip(shown, 0, 1) ** rng.uniform(0.7, 1.5)
    shown = shown * rng.uniform(0.85, 1.1, 3).astype(np.float32)
    centre = width * rng.uniform(0, 1), height * rng.uniform(0, 1)
    reach = max(height, width) * rng.uniform(0.2, 0.5)
    glare = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * reach**2))
    shown = np.clip(shown + rng.uniform(0, 0.3) * glare[..., None], 0, 1)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.07, 0.07, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    table = rng.uniform(0, 0.6, 3)
    shown = cv2.warpPerspective(shown.astype(np.float32), matrix, (width, height),
                                borderValue=[float(it) for it in table])  # fmt: skip
    noise = rng.normal(0, rng.uniform(0.005, 0.025), shown.shape)
    return np.asarray(np.clip(shown + noise, 0, 1) * 255, np.uint8)
