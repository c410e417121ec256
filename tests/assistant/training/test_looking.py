"""The recipe behind the model's impression: descriptions are true, and training runs to the end."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import skimage.data

from assistant.chat_model.looking import stored
from assistant.chat_model.looking.attributes import BLOCKS, FACE_BLOCKS, PICTURE_GROUPS
from assistant.chat_model.looking.heads import FACE_GRID, GRID, WIDTH
from assistant.chat_model.looking.reading import name_attributes
from assistant.training.looking import directions, train
from assistant.training.looking.calibration import interval, threshold
from assistant.training.looking.described import described
from assistant.training.looking.measuring import compare_places, was_altered
from assistant.training.looking.photographs import Photograph, Photographs

GROUPS = list(PICTURE_GROUPS)


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    """Two photographs, of which one shows a face."""
    known = {
        "portrait": Photograph(skimage.data.astronaut(), np.array([[170, 60, 280, 200.0]]), True),
        "cup": Photograph(skimage.data.coffee(), np.zeros((0, 4)), True),
    }
    rows = {"train": [("lfw", "portrait"), ("objects", "cup")]}
    stub = SimpleNamespace(listed=rows, read=lambda _, name: known[name])
    return cast(Photographs, stub)


def test_descriptions_are_true(photographs: Photographs) -> None:
    """Grey pictures have no colours, and colourful ones have; the same number is the same."""
    seen: dict[int, int] = {}
    for number in range(60):
        made = described(photographs, "train", number)
        label = made.labels[GROUPS.index("colour")]
        wide = np.ptp(made.pixels.astype(int), axis=2).mean()
        if label == 1:
            assert wide < 8, number
        elif label == 0 and made.labels[GROUPS.index("screenshot")] == 0:
            assert wide > 8, number
        for group, value in zip(GROUPS, made.labels, strict=True):
            assert -1 <= value < len(PICTURE_GROUPS[group])
        seen[int(label)] = seen.get(int(label), 0) + 1
    assert {0, 1} < seen.keys()
    again = described(photographs, "train", 7)
    np.testing.assert_array_equal(again.pixels, described(photographs, "train", 7).pixels)


def test_training_runs_from_tokens_to_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On made tokens that carry their labels: it learns them, and writes weights and figures."""
    rng = np.random.default_rng(0)
    for split in ("train", "calibration", "test", "left_out"):
        count = 32
        labels = np.stack([rng.integers(0, len(it), count) for it in PICTURE_GROUPS.values()], 1)
        classes = rng.normal(0, 0.1, (count, 2, len(BLOCKS), WIDTH))
        for group in range(len(GROUPS)):
            classes[np.arange(count), 0, 0, 10 * group + labels[:, group]] += 3
        np.savez(tmp_path / f"pictures-{split}-000.npz", labels=labels.astype(np.int8), **{
            "class": classes.astype(np.float16),
            "cells": rng.normal(0, 0.1, (count, 2, len(BLOCKS), GRID**2, WIDTH)).astype(np.float16),
            "source": np.array(["made"] * count),
        })  # fmt: skip
        altered = np.arange(count) % 2
        cells = rng.normal(0, 0.1, (count, FACE_BLOCKS, FACE_GRID**2, WIDTH))
        cells[altered == 1, 0, :, :200] += 1
        np.savez(tmp_path / f"faces-{split}-000.npz", **{
            "class": rng.normal(0, 0.1, (count, len(BLOCKS), WIDTH)).astype(np.float16),
            "cells": cells.astype(np.float16),
            "altered": np.repeat(altered, FACE_GRID**2).reshape(count, FACE_GRID, -1),
            "parts": np.repeat(altered[:, None], 3, 1).astype(np.int8),
            "source": np.array(["made"] * count),
            "family": np.where(altered == 1, "face_swap", "authentic"),
        })  # fmt: skip
    out = tmp_path / "out"
    told = ["train", str(tmp_path), "--out", str(out), "--picture-epochs", "2"]
    monkeypatch.setattr("sys.argv", [*told, "--face-epochs", "12"])
    monkeypatch.setattr(train, "PICTURE_FOLDS", 2)
    monkeypatch.setattr(train, "FACE_FOLDS", 2)
    monkeypatch.setattr(train, "FACE_DIRECTIONS", 16)
    monkeypatch.setattr(directions, "SAMPLED_ROWS", 64)
    train.main()
    picture, _, settings = stored.load_heads(out)
    arrays = train.read_splits(tmp_path, "pictures", "test")
    logits = train.picture_logits(picture, arrays)
    assert name_attributes(logits[0], settings[stored.PICTURE]) is not None
    figures = json.loads((out / stored.FIGURES).read_text("utf-8"))
    assert figures["faces test"]["auc_altered"] > 0.8
    assert figures["faces test"]["altered"] == 16
    assert "| **test** | 16 |" in (out / "CARD.md").read_text("utf-8")


def test_chance_is_what_the_same_names_would_give() -> None:
    """Two faces, eyes named for both, altered in one: right in half, by chance in half."""
    from assistant.chat_model.looking.reading import Named

    parts = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]])
    family = np.array(["region_swap", "region_swap", "authentic"])
    eyes = Named("altered", "eyes", 0.9)
    found = compare_places([eyes, eyes, None], parts, family)
    assert (found["right"], found["chance"], found["false_alarms"]) == (0.5, 0.5, 0.0)
    assert was_altered("whole face", np.array([1, 1, 1]))
    assert not was_altered("whole face", np.array([1, -1, 1]))
    low, high = interval(9, 10)
    assert 0.5 < low < 0.9 < high < 1


def test_a_threshold_asks_for_precision() -> None:
    """The lowest step at which nine of ten are right; none if it is never reached."""
    chances = np.array([[0.1, 0.9]] * 20 + [[0.4, 0.6]] * 20)
    labels = np.array([1] * 20 + [0] * 20)
    assert 0.6 < threshold(chances, labels, 1) <= 0.9
    assert threshold(chances, np.zeros(40, int), 1) > 1
