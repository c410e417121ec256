"""Features of pool pairs from the frozen encoder, computed once and cached in chunks.

Half of the crops are degraded as in the encoder's training, so that a head learns from both clean
and degraded pictures.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tools.encoder.clip import Encoder
from tools.training.data.pairs import CropSample, PairSource, crops
from tools.training.detectors.prompt_tuning import LabelledFeatures

PIECE = 250
"""Pairs per chunk: the most work that an interrupted run repeats."""


def features_of(
    drawn: Mapping[str, tuple[PairSource, int]], encoder: Encoder, *, folder: Path, seed: int
) -> LabelledFeatures:
    """Features of the given number of pairs per source, authentic and forged, with persons as
    groups.

    Chunks already in `folder` are reused if encoder and sizes match.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = []
    for name, (source, count) in drawn.items():
        told = f"{name} {len(source)} {count} {seed} {PIECE} {encoder.sha256}"
        stem = f"{name}_{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        order = np.random.default_rng(seed).permutation(len(source))[:count]
        for start in range(0, len(order), PIECE):
            file = folder / f"{stem}_{start:06d}.npz"
            if not file.is_file():
                _write(source, order[start : start + PIECE], encoder, file, seed=seed + start)
            with np.load(file) as kept:
                pieces.append((kept["features"], kept["labels"], kept["groups"]))
    features, labels, groups = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return LabelledFeatures.from_rows(features, labels, groups)


def _write(
    source: PairSource, indices: np.ndarray, encoder: Encoder, file: Path, *, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    samples: list[CropSample] = []
    for index in indices.tolist():
        drawn = source.draw(index, rng)
        if drawn is None:
            continue
        samples += crops(
            drawn, rng, group=source.group(index), size=encoder.image_size,
            margin=encoder.face_margin, augment=rng.random() < 0.5,
        )  # fmt: skip
    features = encoder.encode_images([sample.image for sample in samples])
    labels = np.array([sample.forged for sample in samples], np.uint8)
    groups = np.array([sample.group for sample in samples])
    # Write atomically: numpy needs this file name ending.
    partial = file.with_name(f"partial_{file.name}")
    np.savez(partial, features=features, labels=labels, groups=groups)
    partial.replace(file)
    print(file.stem, len(samples), flush=True)
