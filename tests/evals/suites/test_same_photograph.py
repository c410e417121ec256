"""The same-photograph suite on a few made pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from evals.options import EvalOptions
from evals.suites.same_photograph import suite
from tools.errors import SetupError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two persons of LFW's layout: one with a photograph that is there twice, one with another."""
    twice = Image.fromarray(data.astronaut()[:400, 40:440])
    pictures = {
        "Ada_A/Ada_A_0001.png": twice,
        "Ada_A/Ada_A_0002.png": twice.crop((20, 10, 390, 380)),
        "Ada_A/Ada_A_0003.png": Image.fromarray(data.coffee()),
        "Bob_B/Bob_B_0001.png": Image.fromarray(data.chelsea()),
    }
    for name, picture in pictures.items():
        path = tmp_path / "lfw" / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    turns = np.linspace(0, 2 * np.pi, 68)
    oval = np.stack([185 + 40 * np.cos(turns), 130 + 50 * np.sin(turns)], 1)
    np.savez(
        tmp_path / "lfw" / "labels.npz",
        path=list(pictures),
        landmarks68=np.stack([oval] * len(pictures)).astype(np.float16),
        split=["val"] * len(pictures),
    )
    return tmp_path


def test_it_names_what_is_there_twice_and_finds_what_was_edited(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three pairs of one person one is proven; edits of every kind are; strangers are not."""
    monkeypatch.setattr(suite, "FALSE_PAIRS", 10)
    monkeypatch.setattr(suite, "TRUE_PHOTOS", 1)
    figures = suite.run(EvalOptions(folder, seed=3))
    false, true = figures["false"], figures["true"]
    assert isinstance(false, dict)
    assert isinstance(true, dict)
    assert false["lfw, one person"]["pairs"] == 3
    assert false["lfw, one person"]["proven_pairs"] == ["Ada_A_0001.png Ada_A_0002.png"]
    assert false["lfw, strangers"]["proven"] == 0
    assert false["lfw, strangers"]["pairs"] > 0
    assert true["lfw"]["photos"] == 1
    assert true["lfw"]["mirror"]["proven"] == 1
    assert 0 <= true["lfw"]["two of them"]["proven"] <= 1


def test_a_folder_without_photographs_is_one_line(tmp_path: Path) -> None:
    """It says what was looked for."""
    with pytest.raises(SetupError, match="neither lfw/ nor photos/"):
        suite.run(EvalOptions(tmp_path))
