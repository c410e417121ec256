"""Batches of authentic and forged pairs for training the encoder: crops, augmentation, labels.

Both members of a pair get the same crop, compression, blur and colour changes, so that they differ
only in the forgery.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from prompts.captions import caption_class
from tools.faces.alignment import crop_matrix
from tools.training.data.forgery_pool import through_jpeg

SIZE = 128
CELLS = 16
MARGIN = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pairs: the first half authentic, the second half their forgeries in the same order.

    `images` (2n, s, s, 3) uint8 RGB; `maps` (2n, 16, 16) float32 in 0..1, the changed share of each
    cell; `weights` (2n,) in 0..1, the certainty of each label; `kinds` of `caption_class`.
    """

    images: np.ndarray
    maps: np.ndarray
    weights: np.ndarray
    kinds: list[tuple[str, str]]


class Pool:
    """The memory-mapped chunks in a folder; a pool may be larger than memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: set[str] = set()
        self._rows: list[tuple[int, int]] = []
        self._chunks: list[tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, object]]]] = []

    def refresh(self) -> int:
        """Load new chunks; returns the number of pairs."""
        for path in sorted(self.folder.glob("*.json")):
            if path.stem in self._known:
                continue
            self._known.add(path.stem)
            real, fake, mask = (
                np.load(self.folder / f"{path.stem}_{part}.npy", mmap_mode="r")
                for part in ("real", "fake", "mask")
            )
            notes = json.loads(path.read_text())
            self._rows += [(len(self._chunks), row) for row in range(len(notes))]
            self._chunks.append((real, fake, mask, notes))
        return len(self._rows)

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, object]]:
        """Authentic and forged picture, mask at half their size, and the pair's metadata."""
        chunk, row = self._rows[index]
        real, fake, mask, notes = self._chunks[chunk]
        return real[row], fake[row], mask[row], notes[row]

    def notes(self, index: int) -> dict[str, object]:
        """The pair's metadata only."""
        chunk, row = self._rows[index]
        return self._chunks[chunk][3][row]


@dataclass(slots=True)
class BatchStream:
    """Endless shuffled pairs of several pools, mixed by `shares`; pools may grow during the run."""

    pools: Mapping[str, Pool]
    shares: Mapping[str, float]
    rng: np.random.Generator

    def batches(self, pairs: int) -> Iterator[Batch]:
        """Batches of `pairs` pairs; raises ValueError if all pools are empty."""
        orders: dict[str, Iterator[int]] = {}
        while True:
            sizes = {name: pool.refresh() for name, pool in self.pools.items()}
            names = [name for name, size in sizes.items() if size and self.shares[name] > 0]
            if not names:
                raise ValueError("no chunk of pairs in any pool")
            weights = np.array([self.shares[name] for name in names])
            drawn = []
            for name in self.rng.choice(names, size=pairs, p=weights / weights.sum()):
                index = next(orders.get(name, iter(())), None)
                if index is None:
                    orders[name] = iter(self.rng.permutation(sizes[name]).tolist())
                    index = next(orders[name])
                drawn.append(prepare(*self.pools[name].pair(index), rng=self.rng))
            yield collate(drawn)


PreparedPair = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, str]]


def prepare(
    real: np.ndarray,
    fake: np.ndarray,
    mask: np.ndarray,
    notes: Mapping[str, object],
    *,
    rng: np.random.Generator,
) -> PreparedPair:
    """One augmented pair: two crops (s, s, 3) uint8, the map (16, 16) float32, the class."""
    whole = notes["family"] != "video_deepfake" and rng.random() < 0.15
    points = np.array(notes["keypoints"], dtype=np.float64)
    matrix = _whole_matrix(real, rng) if whole else face_matrix(points, rng)
    kind = caption_class(str(notes["family"]), tuple(notes["regions"]))  # type: ignore[arg-type]
    if rng.random() < 0.5:
        matrix = np.array([[-1.0, 0, SIZE - 1], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
        swap = {"the left eye": "the right eye", "the right eye": "the left eye"}
        kind = kind[0], " and ".join(swap.get(part, part) for part in kind[1].split(" and "))
    crops = Degradation(rng)(warped(real, matrix), warped(fake, matrix))
    return crops[0], crops[1], patch_label_map(mask, matrix), kind


def patch_label_map(mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The changed share of each cell of the crop, (16, 16) float32; the mask has half the
    resolution.

    The mask is also warped to half the crop's size, so the matrix's linear part is unchanged.
    """
    half = matrix.copy()
    half[:, 2] = (matrix[:, 2] + matrix[:, :2] @ [0.5, 0.5] - 0.5) / 2
    warped = cv2.warpAffine(
        np.ascontiguousarray(mask), half, (SIZE // 2, SIZE // 2), borderMode=cv2.BORDER_REFLECT_101
    )
    cells = cv2.resize(warped.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    shares: np.ndarray = cells / 255
    return shares


def collate(drawn: Sequence[PreparedPair]) -> Batch:
    """Combine prepared pairs into one batch."""
    images = np.stack([pair[0] for pair in drawn] + [pair[1] for pair in drawn])
    maps = np.stack([pair[2] for pair in drawn])
    # A deepfake that hardly differs from its original has a label, but no visible evidence.
    sure = np.clip(maps.mean(axis=(1, 2)) / 0.01, 0.2, 1.0)
    kinds = [caption_class(None, ())] * len(drawn) + [pair[3] for pair in drawn]
    return Batch(
        images,
        np.concatenate([np.zeros_like(maps), maps]).astype(np.float32),
        np.concatenate([sure, sure]).astype(np.float32),
        kinds,
    )


def face_matrix(
    keypoints: np.ndarray, rng: np.random.Generator, *, size: int = SIZE, margin: float = MARGIN
) -> np.ndarray:
    """Matrix (2, 3) of the aligned crop with the small shift and rotation errors of a detector."""
    points = np.array(keypoints, dtype=np.float64)
    points += rng.normal(0, 0.03 * np.linalg.norm(points[1] - points[0]), points.shape)
    matrix = crop_matrix(points, size=size, margin=margin * float(rng.uniform(0.92, 1.1)))
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(-6, 6)), 1.0)
    turn[:, 2] = turn[:, 2] + rng.uniform(-size / 32, size / 32, 2)
    turned: np.ndarray = turn @ np.vstack([matrix, [0, 0, 1]])
    return turned


def _whole_matrix(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Matrix of the whole picture, or of most of it."""
    height, width = picture.shape[:2]
    scale = SIZE / min(height, width) * float(rng.uniform(1.0, 1.2))
    slack = np.array([width, height]) * scale - SIZE
    shift = -slack * rng.uniform(0, 1, 2)
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def warped(picture: np.ndarray, matrix: np.ndarray, *, size: int = SIZE) -> np.ndarray:
    """A picture (h, w, 3) warped by the matrix to (size, size, 3), with mirrored borders."""
    crop: np.ndarray = cv2.warpAffine(
        np.ascontiguousarray(picture),
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return crop


class Degradation:
    """A random chain of degradations, applied identically to both members of a pair."""

    def __init__(self, rng: np.random.Generator, *, size: int = SIZE) -> None:
        self.table = _colours(rng) if rng.random() < 0.6 else None
        self.grey = rng.random() < 0.04
        self.factor = float(rng.uniform(1.2, 2.2)) if rng.random() < 0.14 else 1.0
        self.sigma = float(rng.uniform(0.3, 1.0)) if rng.random() < 0.1 else 0.0
        self.noise = None
        if rng.random() < 0.08:
            spread = rng.uniform(1, 6)
            self.noise = rng.normal(0, spread, (size, size, 3)).astype(np.int16)
        self.quality = int(rng.integers(40, 100)) if rng.random() < 0.35 else None

    def __call__(self, *crops: np.ndarray) -> list[np.ndarray]:
        """The crops, all degraded identically."""
        return [self._apply(crop) for crop in crops]

    def _apply(self, crop: np.ndarray) -> np.ndarray:
        if self.table is not None:
            crop = cv2.LUT(crop, self.table)
        if self.grey:
            crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if self.factor > 1:
            side = crop.shape[0]
            small = round(side / self.factor)
            reduced = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
            crop = cv2.resize(reduced, (side, side), interpolation=cv2.INTER_LINEAR)
        if self.sigma:
            crop = cv2.GaussianBlur(crop, (0, 0), self.sigma)
        if self.noise is not None:
            crop = np.clip(crop + self.noise, 0, 255).astype(np.uint8)
        return crop if self.quality is None else through_jpeg(crop, self.quality)


def _colours(rng: np.random.Generator) -> np.ndarray:
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3)
    shift = rng.uniform(-12, 12) + rng.uniform(-5, 5, 3)
    curve = 255 * np.linspace(0, 1, 256) ** rng.uniform(0.75, 1.3)
    table: np.ndarray = np.clip(curve[:, None] * gain + shift, 0, 255).astype(np.uint8)[:, None, :]
    return table
