"""Trains the heads behind the model's impression on kept tokens; minutes on one core.

    python -m assistant.training.looking.features RUN --data DATA --copies CLONES --models MODELS
    python -m assistant.training.looking.train RUN --out assistant/chat_model/weights/looking

The training split is learnt from; the calibration split chooses the number of epochs, temperatures
and thresholds; the test split and the sources that were left out are only measured. Measured
figures go beside the weights: the application quotes them.
"""

import argparse
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from assistant.looking.attributes import FACE_PARTS, PICTURE_GROUPS
from assistant.looking.heads import FaceHead, PictureHead, group_slices
from assistant.looking.stored import FACE, PICTURE, save_heads
from assistant.training.looking.calibration import (
    face_thresholds,
    fit_scale,
    fit_temperature,
    thresholds,
)
from assistant.training.looking.measuring import measure_faces, measure_pictures
from assistant.training.looking.photographs import CALIBRATION, LEFT_OUT, TEST, TRAIN

Arrays = dict[str, np.ndarray]
FEATURES = ("class", "cells")


def read_split(run: Path, kind: str, split: str) -> Arrays:
    """All chunks of a split, joined; ValueError if there are none."""
    chunks = [np.load(path) for path in sorted(run.glob(f"{kind}-{split}-???.npz"))]
    if not chunks:
        raise ValueError(f"{run} holds no {kind} of the split {split!r}: run `features` first")
    return {name: np.concatenate([it[name] for it in chunks]) for name in chunks[0]}


class Standard:
    """Mean and spread of tokens over the training split, folded into the weights at the end."""

    def __init__(self, train: Arrays) -> None:
        self.statistics = {}
        for name in FEATURES:
            tokens = train[name]
            if name == "cells":  # one statistic for all cells
                tokens = np.moveaxis(tokens[:, ..., ::7, :], -2, 1)
                tokens = tokens.reshape(-1, *tokens.shape[2:])
            values = torch.from_numpy(tokens).float()
            mean, spread = values.mean(dim=0), values.std(dim=0) + 1e-3
            self.statistics[name] = (mean, spread) if name == "class" else (
                mean.unsqueeze(-2), spread.unsqueeze(-2))  # fmt: skip

    def __call__(self, arrays: Arrays, name: str, rows: np.ndarray) -> torch.Tensor:
        mean, spread = self.statistics[name]
        return (torch.from_numpy(arrays[name][rows]).float() - mean) / spread


def _fold(layer: nn.Linear | nn.Conv2d, mean: torch.Tensor, spread: torch.Tensor) -> None:
    """Let a layer take raw tokens: w((x − m) / s) + b = (w / s) x + (b − w m / s)."""
    with torch.no_grad():
        weight = layer.weight.flatten(1) / spread.flatten()
        assert layer.bias is not None
        layer.bias -= weight @ mean.flatten()
        layer.weight.copy_(weight.view_as(layer.weight))


def _fit(
    model: nn.Module,
    count: int,
    loss: Callable[[np.ndarray], torch.Tensor],
    check: Callable[[], float],
    *,
    epochs: int,
    rate: float,
    decay: float,
) -> int:
    """AdamW with a cosine rate; keeps the epoch with the lowest check. Returns its number."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    batch = 48
    steps = max(1, epochs * -(-count // batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = np.random.default_rng(0)
    best, kept, chosen = float("inf"), deepcopy(model.state_dict()), 0
    for epoch in range(epochs):
        model.train()
        order = rng.permutation(count)
        total = 0.0
        for start in range(0, count, batch):
            value = loss(np.sort(order[start : start + batch]))
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(value.detach())
        model.eval()
        now = check()
        if now < best:
            best, kept, chosen = now, deepcopy(model.state_dict()), epoch + 1
        print(f"epoch {epoch + 1}: loss {total * batch / count:.3f}, calibration {now:.3f}",
              flush=True)  # fmt: skip
    model.load_state_dict(kept)
    return chosen


def picture_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the groups whose class is known."""
    losses = []
    for number, part in enumerate(group_slices().values()):
        known = labels[:, number] >= 0
        if known.any():
            losses.append(functional.cross_entropy(
                logits[known, part], labels[known, number].long(), label_smoothing=0.02))  # fmt: skip
    return torch.stack(losses).mean()


def train_pictures(run: Path, *, epochs: int) -> tuple[PictureHead, dict[str, Any]]:
    """The picture's head, and its settings: temperature and thresholds of each group."""
    torch.manual_seed(0)
    train, held = read_split(run, "pictures", TRAIN), read_split(run, "pictures", CALIBRATION)
    standard, model = Standard(train), PictureHead()

    def logits(arrays: Arrays, rows: np.ndarray) -> torch.Tensor:
        said: torch.Tensor = model(*(standard(arrays, name, rows) for name in FEATURES))
        return said

    def loss(rows: np.ndarray) -> torch.Tensor:
        return picture_loss(logits(train, rows), torch.from_numpy(train["labels"][rows]))

    everything = np.arange(len(held["labels"]))
    truth = torch.from_numpy(held["labels"])

    def check() -> float:
        with torch.inference_mode():
            return float(picture_loss(logits(held, everything), truth))

    chosen = _fit(model, len(train["labels"]), loss, check, epochs=epochs, rate=1e-3, decay=0.1)
    mean, spread = standard.statistics["class"]
    _fold(model.classes, mean, spread)
    mean, spread = standard.statistics["cells"]
    for view, layer in enumerate(model.cells):
        _fold(layer, mean[view], spread[view])
    said = picture_logits(model, held)
    settings: dict[str, Any] = {"temperature": {}, "threshold": {}, "epochs": chosen,
                                "pictures": len(train["labels"])}  # fmt: skip
    for number, (name, part) in enumerate(group_slices().items()):
        temperature = fit_temperature(said[:, part], held["labels"][:, number])
        chances = softmax(said[:, part] / temperature)
        settings["temperature"][name] = temperature
        settings["threshold"][name] = thresholds(
            chances, held["labels"][:, number], PICTURE_GROUPS[name]
        )
    return model, settings


def picture_logits(model: PictureHead, arrays: Arrays) -> np.ndarray:
    """Logits (n, classes) of a split by a head that takes raw tokens."""
    model.eval()
    with torch.inference_mode():
        given = (torch.from_numpy(arrays[name]).float() for name in FEATURES)
        return np.asarray(model(*given).numpy(), np.float64)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis."""
    high = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(high / high.sum(axis=-1, keepdims=True))


def train_faces(run: Path, *, epochs: int) -> tuple[FaceHead, dict[str, Any]]:
    """The face's head, and its settings: scale and shift of each output, and thresholds."""
    torch.manual_seed(0)
    train, held = read_split(run, "faces", TRAIN), read_split(run, "faces", CALIBRATION)
    standard, model = Standard({"class": train["class"], "cells": train["cells"]}), FaceHead()

    def loss_of(arrays: Arrays, rows: np.ndarray) -> torch.Tensor:
        cells, said = model(standard(arrays, "cells", rows))
        wanted = torch.from_numpy(arrays["altered"][rows]).float()
        weight = 1 + 2 * wanted  # most cells are untouched
        where = functional.binary_cross_entropy_with_logits(cells, wanted, weight=weight)
        truth = torch.from_numpy(face_truth(arrays)[rows])
        known = truth >= 0
        named = functional.binary_cross_entropy_with_logits(said[known], truth[known])
        return where + named

    everything = np.arange(len(held["parts"]))

    def check() -> float:
        with torch.inference_mode():
            return float(loss_of(held, everything))

    chosen = _fit(model, len(train["parts"]), lambda rows: loss_of(train, rows), check,
                  epochs=epochs, rate=1.5e-3, decay=0.1)  # fmt: skip
    mean, spread = standard.statistics["cells"]
    _fold(model.first, mean[:, 0], spread[:, 0])
    said, truth = face_logits(model, held), face_truth(held)
    settings: dict[str, Any] = {"scale": [], "shift": [], "epochs": chosen,
                                "faces": len(train["parts"])}  # fmt: skip
    for number in range(1 + len(FACE_PARTS)):
        scale, shift = fit_scale(said[:, number], truth[:, number])
        settings["scale"].append(scale)
        settings["shift"].append(shift)
    chances = 1 / (1 + np.exp(-(said * settings["scale"] + settings["shift"])))
    settings["threshold"] = face_thresholds(chances, held["family"])
    return model, settings


def face_truth(arrays: Arrays) -> np.ndarray:
    """(n, 4) float32: altered at all, then the parts; -1 where unknown."""
    altered = (arrays["family"] != "authentic").astype(np.float32)
    return np.concatenate([altered[:, None], arrays["parts"].astype(np.float32)], axis=1)


def face_logits(model: FaceHead, arrays: Arrays) -> np.ndarray:
    """Logits (n, 4) of any alteration and of the parts, by a head that takes raw tokens."""
    model.eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(arrays["parts"]), 64):
            given = torch.from_numpy(arrays["cells"][start : start + 64]).float()
            rows.append(model(given)[1].numpy())
    return np.concatenate(rows).astype(np.float64)


def main() -> None:
    """Train, calibrate, measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--picture-epochs", type=int, default=30)
    parser.add_argument("--face-epochs", type=int, default=20)
    given = parser.parse_args()
    picture, about_pictures = train_pictures(given.run, epochs=given.picture_epochs)
    face, about_faces = train_faces(given.run, epochs=given.face_epochs)
    settings = {PICTURE: about_pictures, FACE: about_faces}
    given.out.mkdir(parents=True, exist_ok=True)
    save_heads(given.out, picture, face, settings)
    figures: dict[str, Any] = {}
    for split in (TEST, LEFT_OUT):
        arrays = read_split(given.run, "pictures", split)
        figures[f"pictures {split}"] = measure_pictures(
            picture_logits(picture, arrays), arrays["labels"], about_pictures)  # fmt: skip
        arrays = read_split(given.run, "faces", split)
        figures[f"faces {split}"] = measure_faces(
            face_logits(face, arrays), arrays["parts"], arrays["family"], about_faces)  # fmt: skip
    text = json.dumps(figures, indent=1)
    (given.out / "FIGURES.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
