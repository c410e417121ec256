"""Shows every training picture to the tower once and keeps its tokens; a stopped run goes on.

python -m assistant.training.looking.features RUN --data DATA --copies CLONES --models MODELS
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from assistant.chat_model.looking.attributes import BLOCKS, FACE_BLOCKS
from assistant.chat_model.looking.heads import GRID, pooled_cells
from assistant.chat_model.looking.views import detail_view, whole_view
from assistant.training.looking.described import described
from assistant.training.looking.faces import CELLS, AlteredFaces, drawn
from assistant.training.looking.photographs import (
    CALIBRATION,
    LEFT_OUT,
    TEST,
    TRAIN,
    Photographs,
)
from tools.checkpoints.table import WEIGHTS_DIR
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError
from tools.faces.analyser import FaceAnalyser

CHUNK = 24
"""Pictures, or draws of faces, in a file."""
CHUNKS = {
    "pictures": {TRAIN: 50, CALIBRATION: 7, TEST: 11, LEFT_OUT: 8},
    "faces": {TRAIN: 46, CALIBRATION: 7, TEST: 12, LEFT_OUT: 14},
}


class FeatureRun:
    """A folder of chunks; `faces` finds faces in photographs."""

    def __init__(self, folder: Path, tower: PretrainedTower, *, data: Path, copies: Path,
                 faces: FaceAnalyser) -> None:  # fmt: skip
        self.folder, self.tower = folder, tower
        self.photographs = Photographs(data, copies, faces)
        self.altered = AlteredFaces(data, copies, faces)

    def make(self, chunks: dict[str, dict[str, int]], *, chunk: int = CHUNK) -> None:
        """Make all chunks that are not there yet, all kinds and splits side by side."""
        self.folder.mkdir(parents=True, exist_ok=True)
        makers: dict[str, Callable[..., dict[str, np.ndarray]]] = {
            "pictures": self._pictures, "faces": self._faces,
        }  # fmt: skip
        wanted = [((at + 0.5) / count, kind, split, at) for kind, splits in chunks.items()
                  for split, count in splits.items() for at in range(count)]  # fmt: skip
        for _, kind, split, at in sorted(wanted):
            path = self.folder / f"{kind}-{split}-{at:03d}.npz"
            if path.exists():
                continue
            started = time.monotonic()
            arrays = makers[kind](split, at * chunk, chunk)
            part = path.with_suffix(".part.npz")
            np.savez(part, **arrays)  # type: ignore[arg-type]
            part.rename(path)
            print(f"{path.name} {time.monotonic() - started:.0f} s", flush=True)

    def _pictures(self, split: str, start: int, count: int) -> dict[str, np.ndarray]:
        made = [described(self.photographs, split, it) for it in range(start, start + count)]
        views = [view(it.pixels) for it in made for view in (whole_view, detail_view)]
        tokens = self.tower.block_tokens(views, BLOCKS)
        cells = torch.from_numpy(np.ascontiguousarray(tokens[:, :, 1:]))
        shape = len(made), 2, len(BLOCKS)
        return {
            "class": tokens[:, :, 0].reshape(*shape, -1),
            "cells": pooled_cells(cells).half().numpy().reshape(*shape, GRID**2, -1),
            "labels": np.stack([it.labels for it in made]),
            "source": np.array([it.source for it in made]),
        }

    def _faces(self, split: str, start: int, count: int) -> dict[str, np.ndarray]:
        made = [*drawn(self.altered, split, start, count)]
        tokens = self.tower.block_tokens([it.view for it in made], BLOCKS)
        return {
            "class": tokens[:, :, 0],
            "cells": tokens[:, :FACE_BLOCKS, 1:],
            "altered": np.stack([it.cells for it in made]).reshape(-1, CELLS, CELLS),
            "parts": np.stack([it.parts for it in made]),
            "source": np.array([it.source for it in made]),
            "family": np.array([it.family for it in made]),
        }


def main() -> None:
    """Make the features of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    for name in ("data", "copies", "models"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    tower = PretrainedTower.installed(given.models)
    if tower is None:
        raise SetupError("the tower is missing: run `unmask setup`")
    faces = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1)
    FeatureRun(given.run, tower, data=given.data, copies=given.copies, faces=faces).make(CHUNKS)


if __name__ == "__main__":
    main()
