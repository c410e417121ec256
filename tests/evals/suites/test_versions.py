"""The suite of other versions on a few made pictures."""

from pathlib import Path

import pytest
from PIL import Image

from assistant import Unmask
from evals.options import EvalOptions
from evals.suites.same_photograph import versions
from tests.support.cases import astronaut_pixels, forged_group, group_pixels
from tools.errors import SetupError


def test_a_swap_is_found_by_its_original(
    case: Unmask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whom it shows and what it was made from; without LFW nothing else is measured."""
    monkeypatch.setattr(versions, "LoadedModels", lambda _: case.models)
    root = tmp_path / "deepfakes"
    root.mkdir()
    pictures = {
        "fake": forged_group(case.models.faces),
        "her": astronaut_pixels(),
        "group": group_pixels(),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(root / f"{name}.png")
    rows = "fake,authentic_source,authentic_target,method\nfake.png,her.png,group.png,ours\n"
    (root / "swaps.csv").write_text(rows, encoding="utf-8")
    figures = versions.run(EvalOptions(tmp_path))
    assert isinstance(figures["found"], dict)
    told = figures["found"]["published tools"]
    assert (told["swaps"], told["searched"], told["found"]) == (1, 1, 1.0)
    assert told["altered"]["this one"] == 1
    assert figures["same face"] == {"pairs": 0, "proven": {}}


def test_a_folder_without_swaps_is_one_line(tmp_path: Path) -> None:
    """It says what was looked for."""
    with pytest.raises(SetupError, match="neither deepfakes/, lfw/ nor dfdc/"):
        versions.run(EvalOptions(tmp_path))
