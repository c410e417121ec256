"""Trains the heads behind the model's impression on kept tokens; minutes on one core.

    python -m assistant.training.looking.features RUN --data DATA --copies CLONES --models MODELS
    python -m assistant.training.looking.train RUN --out assistant/chat_model/weights/looking

Temperatures, scales and thresholds are chosen on photographs that a head of the same kind has not
learnt from: the training photographs, fold by fold. The test split and the sources that were left
out are only measured. Measured figures go beside the weights: the application quotes them.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from assistant.chat_model.looking.attributes import FACE_PARTS, PICTURE_GROUPS
from assistant.chat_model.looking.heads import (
    VIEWS,
    FaceHead,
    PictureHead,
    group_slices,
    side_by_side,
)
from assistant.chat_model.looking.stored import FACE, FIGURES, PICTURE, save_heads
from assistant.training.looking.calibration import (
    face_thresholds,
    fit_scale,
    fit_temperature,
    thresholds,
)
from assistant.training.looking.card import card
from assistant.training.looking.directions import Directions
from assistant.training.looking.measuring import measure_faces, measure_pictures
from assistant.training.looking.photographs import CALIBRATION, LEFT_OUT, TEST, TRAIN

Arrays = dict[str, np.ndarray]
Loss = Callable[[torch.Tensor], torch.Tensor]

PICTURE_DIRECTIONS, CELL_DIRECTIONS, FACE_DIRECTIONS = 192, 96, 512
PICTURE_FOLDS, FACE_FOLDS = 5, 3
BATCH = 32


def read_splits(run: Path, kind: str, *splits: str) -> Arrays:
    """All chunks of some splits, joined; ValueError if there are none."""
    paths = [path for split in splits for path in sorted(run.glob(f"{kind}-{split}-???.npz"))]
    if not paths:
        raise ValueError(f"{run} holds no {kind} of {splits}: run `features` first")
    chunks = [np.load(path) for path in paths]
    return {name: np.concatenate([it[name] for it in chunks]) for name in chunks[0]}


def picture_tokens(arrays: Arrays) -> tuple[torch.Tensor, torch.Tensor]:
    """Class tokens (n, 2 × b × d) and cells (n, 2, 49, b × d), as the head reads them."""
    return (
        torch.from_numpy(arrays["class"]).float().flatten(1),
        side_by_side(torch.from_numpy(arrays["cells"])),
    )


def fit(model: nn.Module, rows: torch.Tensor, loss: Loss, *, epochs: int, decay: float) -> None:
    """AdamW with a cosine rate over these rows."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=decay)
    steps = epochs * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    drawing = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(epochs):
        order = rows[torch.randperm(len(rows), generator=drawing)]
        for part in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
            value = loss(part)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    model.eval()


def _parts(tokens: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tokens of a few faces at a time: as float32 they would fill the memory."""
    return (tokens[at : at + 64] for at in range(0, len(tokens), 64))


def folds(groups: np.ndarray, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Rows to learn from and rows left out, for each fold; a group stays together."""
    number = torch.from_numpy(np.unique(groups, return_inverse=True)[1] % count)
    return [((number != it).nonzero()[:, 0], (number == it).nonzero()[:, 0])
            for it in range(count)]  # fmt: skip


def picture_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the groups whose class is known."""
    losses = []
    for number, part in enumerate(group_slices().values()):
        known = labels[:, number] >= 0
        if known.any():
            said, truth = logits[known, part], labels[known, number].long()
            losses.append(functional.cross_entropy(said, truth, label_smoothing=0.02))
    return torch.stack(losses).mean()


def train_pictures(run: Path, *, epochs: int) -> tuple[PictureHead, dict[str, Any]]:
    """The picture's head, and its settings: temperature and thresholds of each group."""
    arrays = read_splits(run, "pictures", TRAIN, CALIBRATION)
    raw, raw_cells = picture_tokens(arrays)
    labels = torch.from_numpy(arrays["labels"])
    whole = Directions.of(raw, PICTURE_DIRECTIONS)
    each = [Directions.of(raw_cells[:, view].flatten(0, 1), CELL_DIRECTIONS)
            for view in range(VIEWS)]  # fmt: skip
    tokens = whole.project(raw)
    cells = torch.stack([it.project(raw_cells[:, view]) for view, it in enumerate(each)], dim=1)

    def fitted(rows: torch.Tensor) -> PictureHead:
        torch.manual_seed(0)
        model = PictureHead(of_classes=tokens.shape[1], of_cells=cells.shape[-1])
        fit(model, rows, lambda it: picture_loss(model(tokens[it], cells[it]), labels[it]),
            epochs=epochs, decay=0.3)  # fmt: skip
        return model

    said = np.zeros((len(labels), group_slices()["position"].stop))
    for learnt, left in folds(np.arange(len(labels)), PICTURE_FOLDS):
        model = fitted(learnt)
        with torch.inference_mode():
            said[left.numpy()] = model(tokens[left], cells[left]).numpy()
    settings: dict[str, Any] = {"temperature": {}, "threshold": {}, "pictures": len(labels)}
    for number, (name, part) in enumerate(group_slices().items()):
        truth = arrays["labels"][:, number]
        temperature = fit_temperature(said[:, part], truth)
        chances = softmax(said[:, part] / temperature)
        settings["temperature"][name] = temperature
        settings["threshold"][name] = thresholds(chances, truth, PICTURE_GROUPS[name])
    trained, head = fitted(torch.arange(len(labels))), PictureHead()
    _copy(trained, head)
    whole.fold(trained.classes, head.classes)
    for direction, one, other in zip(each, trained.cells, head.cells, strict=True):
        direction.fold(one, other)
    return head.eval(), settings


def _copy(trained: nn.Module, head: nn.Module) -> None:
    """All weights that have the same shape; those of the first layers are folded."""
    shapes = {name: it.shape for name, it in head.state_dict().items()}
    same = {name: it for name, it in trained.state_dict().items() if it.shape == shapes[name]}
    head.load_state_dict(same, strict=False)


def picture_logits(model: PictureHead, arrays: Arrays) -> np.ndarray:
    """Logits (n, classes) of pictures by a head that takes raw tokens."""
    with torch.inference_mode():
        return np.asarray(model(*picture_tokens(arrays)).numpy(), np.float64)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis."""
    high = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(high / high.sum(axis=-1, keepdims=True))


def train_faces(run: Path, *, epochs: int) -> tuple[FaceHead, dict[str, Any]]:
    """The face's head, and its settings: scale and shift of each output, and thresholds."""
    arrays = read_splits(run, "faces", TRAIN, CALIBRATION)
    kept = torch.from_numpy(arrays["cells"])
    sampled = side_by_side(kept[:, :, ::11]).flatten(0, 1)
    directions = Directions.of(sampled, FACE_DIRECTIONS)
    cells = torch.cat([directions.project(side_by_side(it)) for it in _parts(kept)])
    altered = torch.from_numpy(arrays["altered"]).float()
    truth = torch.from_numpy(face_truth(arrays))

    def fitted(rows: torch.Tensor) -> FaceHead:
        torch.manual_seed(0)
        model = FaceHead(of_cells=cells.shape[-1])

        def loss(part: torch.Tensor) -> torch.Tensor:
            where, said = model(cells[part])
            wanted, known = altered[part], truth[part] >= 0
            return functional.binary_cross_entropy_with_logits(
                where,
                wanted,
                weight=1 + 2 * wanted,  # most cells are untouched
            ) + functional.binary_cross_entropy_with_logits(said[known], truth[part][known])

        fit(model, rows, loss, epochs=epochs, decay=0.3)
        return model

    said = np.zeros(truth.shape)
    pairs = np.arange(len(truth)) // 2
    for learnt, left in folds(pairs, FACE_FOLDS):
        model = fitted(learnt)
        with torch.inference_mode():
            said[left.numpy()] = model(cells[left])[1].numpy()
    settings: dict[str, Any] = {"scale": [], "shift": [], "faces": len(truth)}
    for number in range(1 + len(FACE_PARTS)):
        scale, shift = fit_scale(said[:, number], truth[:, number].numpy())
        settings["scale"].append(scale)
        settings["shift"].append(shift)
    chances = 1 / (1 + np.exp(-(said * settings["scale"] + settings["shift"])))
    settings["threshold"] = face_thresholds(chances, arrays["family"])
    trained, head = fitted(torch.arange(len(truth))), FaceHead()
    _copy(trained, head)
    directions.fold(trained.first, head.first)
    return head.eval(), settings


def face_truth(arrays: Arrays) -> np.ndarray:
    """(n, 4) float32: altered at all, then the parts; -1 where unknown."""
    altered = (arrays["family"] != "authentic").astype(np.float32)
    return np.concatenate([altered[:, None], arrays["parts"].astype(np.float32)], axis=1)


def face_logits(model: FaceHead, arrays: Arrays) -> np.ndarray:
    """Logits (n, 4) of any alteration and of the parts, by a head that takes raw tokens."""
    kept = torch.from_numpy(arrays["cells"])
    with torch.inference_mode():
        rows = [model(side_by_side(it))[1].numpy() for it in _parts(kept)]
    return np.concatenate(rows).astype(np.float64)


def main() -> None:
    """Train, calibrate, measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--picture-epochs", type=int, default=40)
    parser.add_argument("--face-epochs", type=int, default=70)
    given = parser.parse_args()
    picture, about_pictures = train_pictures(given.run, epochs=given.picture_epochs)
    face, about_faces = train_faces(given.run, epochs=given.face_epochs)
    given.out.mkdir(parents=True, exist_ok=True)
    save_heads(given.out, picture, face, {PICTURE: about_pictures, FACE: about_faces})
    figures: dict[str, Any] = {
        "learnt from": {"pictures": about_pictures["pictures"], "faces": about_faces["faces"]}
    }
    for split in (TEST, LEFT_OUT):
        arrays = read_splits(given.run, "pictures", split)
        figures[f"pictures {split}"] = measure_pictures(
            picture_logits(picture, arrays), arrays["labels"], about_pictures
        )
        arrays = read_splits(given.run, "faces", split)
        figures[f"faces {split}"] = measure_faces(
            face_logits(face, arrays), arrays["parts"], arrays["family"], about_faces
        )
    (given.out / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    text = card(figures, {PICTURE: about_pictures, FACE: about_faces})
    (given.out / "CARD.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
