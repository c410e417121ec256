"""Training a detector: from a pool on disk to a folder that loads, with a card; resumed."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support.made.pairs import MadePairs, write_pool
from tests.support.tiny_clip import tiny_clip
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.folders import find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.training.detectors import train as training
from tools.training.detectors.pool_features import features_of
from tools.training.detectors.train import pool_parts


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A tiny CLIP."""
    return tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")[0]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of six persons and of twelve originals."""
    return write_pool(tmp_path_factory.mktemp("pool"))


def train(
    monkeypatch: pytest.MonkeyPatch, kind: str, pool: Path, encoder: Encoder, out: Path
) -> None:
    """The command, for hardly a second."""
    options = {"--out": out, "--encoder": encoder.folder, "--faces": WEIGHTS_DIR / "faces"}
    given = [str(part) for pair in options.items() for part in pair]
    monkeypatch.setattr("sys.argv", ["tuned", kind, str(pool), *given, "--minutes", "0.01"])
    training.main()


@pytest.mark.parametrize("kind", ["gend", "repdfd_query", "linear_probe"])
def test_the_command_fills_a_folder_of_the_shelf(
    kind: str, pool: Path, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Description, weights that load, and a card; started again, it goes on and agrees."""
    out = tmp_path / "shelf" / kind
    train(monkeypatch, kind, pool, encoder, out)
    (one,) = find_stored_detectors([tmp_path / "shelf"])
    detector = load_detector(one, encoder)
    assert one.title == f"face/{kind}"
    assert (detector.name, one.about.query) == (kind, kind == "repdfd_query")
    assert (one.about.settings or {})["preprocessing"] == detector.preprocessing
    card = (out / "CARD.md").read_text("utf-8")
    for said in ("Licence", "Limits", "dfdc | ", "lfw | ", "Recipe", "24 pairs"):
        assert said in card
    before = load_file(out / "model.safetensors")
    capsys.readouterr()
    train(monkeypatch, kind, pool, encoder, out)
    again = load_file(out / "model.safetensors")
    assert before.keys() == again.keys()
    assert all(np.array_equal(before[name], again[name]) for name in before)
    assert "epoch 1:" not in capsys.readouterr().out


def test_features_are_computed_once(encoder: Encoder, tmp_path: Path) -> None:
    """Pieces that lie there are read; rows are named by person, and both classes are as many."""
    drawn = {"lfw": (MadePairs(), 12)}
    data = features_of(drawn, encoder, folder=tmp_path, seed=0)
    assert (len(data.forged), int(data.forged.sum())) == (24, 12)
    assert set(data.groups) <= {MadePairs().group(index) for index in range(30)}
    (piece,) = tmp_path.glob("*.npz")
    with np.load(piece) as kept:
        changed = dict(kept)
    changed["features"] = changed["features"] * 0
    np.savez(piece, **changed)
    again = features_of(drawn, encoder, folder=tmp_path, seed=0)
    assert not again.features.any()
    other = features_of(drawn, encoder, folder=tmp_path, seed=1)
    assert other.features.any()


def test_a_folder_without_pairs_is_a_setup_error(tmp_path: Path) -> None:
    """The person is told what makes a pool."""
    with pytest.raises(SetupError, match="forgery_pool"):
        pool_parts(tmp_path)
