"""How often the model's impression is right: its suite, on made data and without a tower."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from evals.options import EvalOptions
from evals.runs.figures import flatten_figures, number
from evals.runs.samples import NAME
from evals.suites.agent import looking
from tests.support.cases import astronaut_pixels, other_pixels
from tools.errors import SetupError

HEADLINES = (
    "places validation.authentic", "places validation.false_alarms",
    "attributes validation.screenshot.pictures", "screenshot_added.pictures",
)  # fmt: skip


class MeanColours:
    """Tokens that know a view's mean colour only."""

    def block_tokens(self, crops: list[np.ndarray], blocks: tuple[int, ...]) -> np.ndarray:
        """(n, blocks, 197, 768) float16."""
        tokens = np.zeros((len(crops), len(blocks), 197, 768), np.float16)
        for row, crop in enumerate(crops):
            tokens[row, ..., :3] = crop.mean(axis=(0, 1)) / 255
        return tokens


@pytest.fixture
def data(case: Unmask, tmp_path: Path) -> Path:
    """Two persons of LFW's `val`, a web photograph, and a video face with its original."""
    people = {"Ada": astronaut_pixels(), "Tom": other_pixels()}
    paths, landmarks = [], []
    for name, pixels in people.items():
        (tmp_path / "lfw" / "images" / name).mkdir(parents=True)
        paths.append(f"{name}/{name}_0001.jpg")
        Image.fromarray(pixels).save(tmp_path / "lfw" / "images" / paths[-1])
        landmarks.append(case.models.faces.analyse([pixels])[0][0].landmarks)
    np.savez(
        tmp_path / "lfw" / "labels.npz", path=np.array(paths), split=np.array(["val"] * 2),
        landmarks68=np.stack(landmarks),
    )  # fmt: skip
    (tmp_path / "photos" / "ada").mkdir(parents=True)
    Image.fromarray(people["Ada"]).save(tmp_path / "photos" / "ada" / "01.jpg")
    for kind in ("real", "fake"):
        (tmp_path / "dfdc" / kind).mkdir(parents=True)
        face = people["Ada"][20:244, 110:334].copy()
        if kind == "fake":
            face[90:130, 90:140] //= 2
        Image.fromarray(face).save(tmp_path / "dfdc" / kind / f"{kind}.png")
    (tmp_path / "dfdc" / "pairs.csv").write_text("fake,real,split\nfake.png,real.png,val\n")
    return tmp_path


def test_it_runs_to_its_figures(
    data: Path, case: Unmask, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pictures, faces with their forgeries, and a line for each picture."""
    monkeypatch.setattr(LoadedModels, "tower", MeanColours())
    monkeypatch.setattr(LoadedModels, "faces", case.models.faces)
    figures = looking.run(EvalOptions(data, limit=3, output=tmp_path))
    flat = flatten_figures(figures)
    for name in HEADLINES:
        assert math.isfinite(number(flat[name])), name
    assert number(flat["places validation.altered"]) == 3
    lines = [json.loads(it) for it in (tmp_path / NAME).read_text("utf-8").splitlines()]
    assert len({it["id"] for it in lines}) == 6


def test_without_the_tower_it_says_what_to_do(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the command."""
    monkeypatch.setattr(LoadedModels, "tower", None)
    assert Settings.load().home == home
    with pytest.raises(SetupError, match="unmask setup"):
        looking.run(EvalOptions(tmp_path))
