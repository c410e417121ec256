"""Overlapping square tiles of a whole image at two scales, and merging of their maps.

A network with a small input sees little of a large image: at 128 px, a forged hand is three pixels
wide. Tiles show it the image at its own scale, with a limited number of tiles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

MAX_TILES = 64
LEAST_PX = 32
"""Minimum shorter side in px; smaller images are not tiled."""

TileScorer = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Tiles (s, s, 3) uint8 RGB to logits (n, c, c): a c × c map of each tile, or c = 1."""

_STRIDE = 0.75
_COARSER = 2.0
_GROWTH = 1.05
_CELLS_PER_TILE = 16
_WINDOW = 3
_STRONGEST_SHARE = 0.05
_LEAST_PLACES = 3


@dataclass(frozen=True, slots=True)
class Tile:
    """A square part of an image, in pixels; `scale` 0 is the finer grid, 1 the coarser."""

    left: int
    top: int
    side: int
    scale: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The tile's pixels (side, side, 3)."""
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]


def make_tiles(height: int, width: int, *, size: int, most: int = MAX_TILES) -> tuple[Tile, ...]:
    """At most `most` tiles that cover an image twice: on a fine grid and one twice as coarse.

    Fine tiles have a side of `size` px, the network's input; they are larger if the limit requires
    it, and smaller if the image is. An image dozens of times longer than wide is only sampled.
    Returns no tiles if a side is below `LEAST_PX`.
    """
    shorter = min(height, width)
    if shorter < LEAST_PX:
        return ()
    side = float(min(size, shorter))
    while _count(height, width, side) > most and side < shorter:
        side = min(side * _GROWTH, shorter)
    fine = _grid(height, width, round(side), scale=0)
    coarse = _grid(height, width, round(min(side * _COARSER, shorter)), scale=1)
    if fine[0].side == coarse[0].side:
        coarse = ()
    return _thinned(fine, most - len(coarse)) + coarse


def _count(height: int, width: int, side: float) -> int:
    coarse = min(side * _COARSER, min(height, width))
    return sum(_steps(height, it) * _steps(width, it) for it in (side, coarse))


def _steps(length: int, side: float) -> int:
    return int(np.ceil(max(0.0, length - side) / (_STRIDE * side))) + 1


def _grid(height: int, width: int, side: int, *, scale: int) -> tuple[Tile, ...]:
    tops, lefts = (
        np.linspace(0, length - side, _steps(length, side)).round().astype(int)
        for length in (height, width)
    )
    return tuple(Tile(int(left), int(top), side, scale) for top in tops for left in lefts)


def _thinned(row: tuple[Tile, ...], most: int) -> tuple[Tile, ...]:
    if len(row) <= most:
        return row
    chosen = np.linspace(0, len(row) - 1, max(1, most)).round().astype(int)
    return tuple(row[at] for at in chosen)


def merge_tile_maps(
    placed: Sequence[Tile], maps: np.ndarray, *, height: int, width: int
) -> np.ndarray:
    """Merge tile maps (n, c, c) into one map (rows, columns) float32 of the image.

    A cell of the map is a sixteenth of a fine tile wide. Overlapping tiles of one scale are
    averaged, then the two scales; NaN in cells without a tile.
    """
    step = placed[0].side / _CELLS_PER_TILE
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    found = []
    for scale in sorted({it.scale for it in placed}):
        total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
        for tile, one in zip(placed, maps, strict=True):
            if tile.scale == scale:
                area = _area(tile, rows / height, columns / width)
                total[area] += _stretched(one, area)
                count[area] += 1
        found.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.asarray(_mean(found), np.float32)


def _area(tile: Tile, down: float, across: float) -> tuple[slice, slice]:
    top, left = round(tile.top * down), round(tile.left * across)
    bottom = max(top + 1, round((tile.top + tile.side) * down))
    right = max(left + 1, round((tile.left + tile.side) * across))
    return slice(top, bottom), slice(left, right)


def _stretched(one: np.ndarray, area: tuple[slice, slice]) -> np.ndarray:
    size = area[1].stop - area[1].start, area[0].stop - area[0].start
    return cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def _mean(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of maps per cell, ignoring missing values."""
    known = [np.isfinite(one) for one in maps]
    count = np.sum(known, axis=0)
    total = np.sum(
        [np.where(there, one, 0) for there, one in zip(known, maps, strict=True)], axis=0
    )
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def picture_map(pixels: np.ndarray, read: TileScorer, *, size: int) -> np.ndarray | None:
    """Logit map of an image (h, w, 3) uint8 RGB, computed by tiles; None if it is too small.

    `size` is the side to which `read` resizes tiles, in px.
    """
    height, width = pixels.shape[:2]
    placed = make_tiles(height, width, size=size)
    if not placed:
        return None
    maps = read([tile.of(pixels) for tile in placed])
    return merge_tile_maps(placed, maps, height=height, width=width)


def top_mean(heat: np.ndarray) -> float:
    """Mean of the highest 5 % of a map, at least three cells; NaN for an empty map.

    The map is smoothed first, so that no single cell decides.
    """
    if not np.isfinite(heat).any():
        return float("nan")
    smooth = smooth_map(heat)
    count = max(_LEAST_PLACES, round(_STRONGEST_SHARE * smooth.size))
    return float(np.sort(smooth, axis=None)[-count:].mean())


def smooth_map(heat: np.ndarray) -> np.ndarray:
    """Box-blur a map; cells without a tile are filled with the map's median first."""
    known = np.isfinite(heat)
    filled = np.where(known, heat, np.median(heat[known])).astype(np.float32)
    smooth: np.ndarray = cv2.blur(filled, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE)
    return smooth
