"""Cache the tower's features of all samples, so that heads train in minutes.

    python -m tools.training.tower.features --data ../shared/data --copies COPIES --work RUN

Needs the CLIP part of `unmask setup`. COPIES is described in `tools.training.data.face_sources`.
Every chunk is one `.npz` file with features (n, slots, width) float16, `label`, `source`, `family`,
`group` and `split`; finished chunks are kept, so a restarted run resumes.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from tools.checkpoints.table import WEIGHTS_DIR
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError
from tools.faces.analyser import FaceAnalyser
from tools.training.tower.samples import SampleSources, TowerSample, planned

CHUNK = 128
_FIELDS = ("label", "source", "family", "group", "split")


@dataclass(frozen=True, slots=True, eq=False)
class TowerFeatures:
    """Features (n, slots, width) float16 of samples, and their columns (n,) of text."""

    features: np.ndarray
    label: np.ndarray
    source: np.ndarray
    family: np.ndarray
    group: np.ndarray
    split: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: np.ndarray) -> "TowerFeatures":
        """The rows of a mask or of indices."""
        return TowerFeatures(*(getattr(self, it)[chosen] for it in ("features", *_FIELDS)))

    @classmethod
    def load(cls, folder: Path) -> "TowerFeatures":
        """All finished chunks. Raises SetupError if there are none."""
        parts = [np.load(path) for path in sorted(folder.glob("*.npz"))]
        if not parts:
            raise SetupError(f"no features in {str(folder)!r}: run tools.training.tower.features")
        return cls(*(np.concatenate([it[name] for it in parts]) for name in ("features", *_FIELDS)))


def cache_features(sources: SampleSources, tower: PretrainedTower, work: Path) -> None:
    """Make all missing chunks."""
    for name, make in planned(sources):
        if (work / f"{name}.done").is_file():
            continue
        for number, samples in enumerate(_cut(make())):
            file = work / f"{name}-{number:03d}.npz"
            if not file.is_file():
                _write(file, samples, tower)
        (work / f"{name}.done").touch()
        print(f"{name} done", flush=True)


def _write(file: Path, samples: Sequence[TowerSample], tower: PretrainedTower) -> None:
    columns = {it: np.array([getattr(one, it) for one in samples]) for it in _FIELDS}
    features = tower.block_features([it.crop for it in samples])
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, allow_pickle=False, features=features, **columns)
    partial.replace(file)


def _cut(samples: Iterator[TowerSample]) -> Iterator[list[TowerSample]]:
    while chunk := list(islice(samples, CHUNK)):
        yield chunk


def main() -> None:
    """Parse the command line and cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--copies", type=Path, required=True, help="folder of bare repositories")
    parser.add_argument("--models", type=Path, required=True, help="Unmask's models folder")
    parser.add_argument("--work", type=Path, default=Path("runs/tower"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    faces = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1)
    sources = SampleSources(options.data, options.copies, faces, options.seed)
    tower = PretrainedTower.installed(options.models)
    if tower is None:
        raise SetupError(f"no CLIP tower in {str(options.models)!r}: run `unmask setup`")
    cache_features(sources, tower, options.work)


if __name__ == "__main__":
    main()
