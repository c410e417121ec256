"""Fit the usual differences between authentic photos of one person, for `reference_comparison`.

    python -m tools.training.calibration.references --data ../shared/data

Uses LFW's `val` persons of the first half (`benchmark_cases.split_persons`) that have two or more
photos. Each photo is compared with up to two others of the same person. The mean distance at each
place, its spread, and the mean and spread of the encoder's channels are written to one small JSON
file, bound to the encoder. Faces are symmetric, so the means are symmetrised. The second half is
for `python -m evals run references`. Run this again after retraining the encoder.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np

from tools.encoder.clip import Encoder
from tools.faces.alignment import keypoints_from_landmarks
from tools.faces.analyser import Face
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.reranking.reference_comparison import (
    PARAMETERS_FILE,
    ChannelStatistics,
    ReferenceBaseline,
    aligned_patch_features,
    nearest_distances,
)
from tools.training.calibration.benchmark_cases import LabelledPortrait, portraits, split_persons
from tools.training.data.forgery_pool import through_jpeg

PHOTOS = 2


def measure(
    people: dict[str, list[LabelledPortrait]], *, encoder: Encoder, seed: int
) -> ReferenceBaseline:
    """The usual distances; all persons have equal weight, regardless of their number of photos.

    Raises ValueError if no person has two photos or the encoder has no cells.
    """
    rng = np.random.default_rng(seed)
    seen = [_cells(shots, encoder, rng) for shots in people.values() if len(shots) >= 2]
    if not seen:
        raise ValueError("no person has two photos")
    channels = ChannelStatistics.of(np.concatenate(seen))
    each = [np.stack(list(_distances(channels.standardised(it), rng))) for it in seen]
    weights = np.concatenate([np.full(len(it), 1 / len(it)) for it in each]) / len(each)
    known = np.concatenate(each)
    mean = np.einsum("n,nhw->hw", weights, (known + known[:, :, ::-1]) / 2)
    spread = np.sqrt(np.einsum("n,nhw->hw", weights, (known - mean) ** 2).mean())
    return ReferenceBaseline(encoder.sha256, channels, mean.astype(np.float32), float(spread))


def _cells(shots: list[LabelledPortrait], encoder: Encoder, rng: np.random.Generator) -> np.ndarray:
    cells = aligned_patch_features([_look(shot, rng) for shot in shots], encoder=encoder)
    if cells is None:
        raise ValueError("this encoder has no cells")
    return cells


def _distances(cells: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for index in range(len(cells)):
        others = np.delete(np.arange(len(cells)), index)
        yield nearest_distances(cells[index], cells[rng.permutation(others)[:PHOTOS]])


def _look(shot: LabelledPortrait, rng: np.random.Generator) -> FaceInImage:
    pixels = through_jpeg(shot.pixels(), int(rng.integers(75, 96)))
    placed = SimpleNamespace(
        keypoints=keypoints_from_landmarks(shot.landmarks), landmarks=shot.landmarks
    )
    return pixels, cast(Face, placed)


def main() -> None:
    """Parse the command line, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", type=Path, default=Path("tools/checkpoints/weights/encoder"))
    parser.add_argument("--output", type=Path, default=PARAMETERS_FILE)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    people, _ = split_persons(portraits(options.data, split="val"))
    found = measure(people, encoder=Encoder.load(options.encoder, threads=1), seed=options.seed)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    told = {"cells": found.to_json(), "measured_on": "LFW val, first half of the persons"}
    options.output.write_text(json.dumps(told) + "\n", encoding="utf-8")
    print(f"wrote {options.output.name}: usual distance {found.mean.mean():.3f}")


if __name__ == "__main__":
    main()
