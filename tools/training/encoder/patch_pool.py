"""Encoder features of tiles of authentic and forged pictures, cached on disk for the patch head.

The encoder is frozen, so each tile is encoded once, regardless of the number of epochs.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tools.detectors.clip_heads.patches import local_patch_features
from tools.encoder.clip import Encoder
from tools.encoder.tiles import Tile, make_tiles
from tools.training.data.forgery_pool import ForgeryPair, LfwPhotographs, through_jpeg
from tools.training.data.scene_pairs import drawn_family, resized, scene_pair

TILES_EACH = 2
CHUNK = 100


@dataclass(frozen=True, slots=True, eq=False)
class TilePair:
    """One tile of an authentic picture and of its forgery.

    `cells` (2, c, h, w) float16, authentic first; `mask` (h, w) float32 in 0..1, the forged share
    of each cell.
    """

    cells: np.ndarray
    mask: np.ndarray
    family: str
    person: str


def write(data: Path, folder: Path, encoder: Encoder, *, photos: int, seed: int) -> None:
    """Fill the folder with tiles of LFW's training persons; resumes an interrupted run."""
    faces = LfwPhotographs.load(data, split="train")
    order = np.random.default_rng(seed).permutation(len(faces.paths))[:photos]
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(order), CHUNK):
        stem = folder / f"tiles_{start // CHUNK:03d}"
        if not stem.with_suffix(".json").is_file():
            rng = np.random.default_rng([seed, start])
            chosen = [int(index) for index in order[start : start + CHUNK]]
            _write(stem, list(_lessons(faces, chosen, encoder, rng)))
            print(f"{min(start + CHUNK, len(order))} of {len(order)} photographs", flush=True)


def read(folder: Path) -> Iterator[TilePair]:
    """All tiles in the folder, with memory-mapped cells."""
    for about in sorted(folder.glob("tiles_*.json")):
        cells = np.load(about.with_suffix(".npy"), mmap_mode="r")
        for row, note in zip(cells, json.loads(about.read_text("utf-8")), strict=True):
            mask = np.array(note["mask"], np.float32)
            yield TilePair(row, mask, note["family"], note["person"])


def _write(stem: Path, lessons: list[TilePair]) -> None:
    np.save(stem.with_suffix(".npy"), np.stack([it.cells for it in lessons]))
    notes = [
        {"family": it.family, "person": it.person, "mask": it.mask.round(3).tolist()}
        for it in lessons
    ]
    # The description is written last: a chunk that has one is complete.
    stem.with_suffix(".json").write_text(json.dumps(notes), "utf-8")


def _lessons(
    faces: LfwPhotographs, chosen: list[int], encoder: Encoder, rng: np.random.Generator
) -> Iterator[TilePair]:
    for index in chosen:
        pair = scene_pair(faces, index, family=drawn_family(rng), rng=rng)
        if pair is not None:
            yield from _of_pair(pair, str(faces.people[index]), encoder, rng)


def _of_pair(
    pair: ForgeryPair, person: str, encoder: Encoder, rng: np.random.Generator
) -> Iterator[TilePair]:
    real, fake, mask = _as_published(pair, rng)
    placed = _drawn_tiles(mask, rng, size=encoder.image_size)
    seen = local_patch_features(encoder, [it.of(one) for it in placed for one in (real, fake)])
    if seen is None:
        raise ValueError("this encoder has no cells to learn from")
    for number, tile in enumerate(placed):
        cells = seen[2 * number : 2 * number + 2]
        share = cv2.resize(tile.of(mask), cells.shape[:1:-1], interpolation=cv2.INTER_AREA)
        yield TilePair(cells.astype(np.float16), share / np.float32(255), pair.family, person)


def _as_published(
    pair: ForgeryPair, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resize and compress both members identically, as happens when pictures are shared."""
    pictures = [pair.real, pair.fake, pair.mask]
    if rng.random() < 0.35:
        pictures = resized(pictures, float(rng.uniform(0.65, 1.3)))
    real, fake, mask = pictures
    if rng.random() < 0.75:
        quality = int(rng.integers(60, 98))
        real, fake = through_jpeg(real, quality), through_jpeg(fake, quality)
    return real, fake, mask


def _drawn_tiles(mask: np.ndarray, rng: np.random.Generator, *, size: int) -> list[Tile]:
    """A few tiles at both scales, preferring tiles of which at least a quarter was forged."""
    placed = make_tiles(*mask.shape[:2], size=size)
    forged = np.array([float(it.of(mask).mean()) / 255 >= 0.25 for it in placed])
    weights = np.where(forged, 3.0, 1.0)
    count = min(TILES_EACH, len(placed))
    drawn = rng.choice(len(placed), count, replace=False, p=weights / weights.sum())
    return [placed[int(at)] for at in drawn]
