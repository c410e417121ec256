"""The request reader's checkpoint: adapters merged into a language model, once per pair."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.chat_model.reader.assembly import assembled_reader, merge_adapters
from tools.errors import SetupError

pytestmark = pytest.mark.fast

LAYER = "model.layers.0.mlp.up_proj"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A language model's folder, as `unmask setup` leaves it."""
    folder = tmp_path / "parts" / "lm"
    folder.mkdir(parents=True)
    save_file(
        {f"{LAYER}.weight": torch.ones(4, 3, dtype=torch.float16)}, folder / "model.safetensors"
    )
    for name in ("config.json", "tokenizer.json", "source.json"):
        (folder / name).write_text(json.dumps({"name": name}))
    return folder


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """Adapters of its only layer."""
    folder = tmp_path / "adapters"
    folder.mkdir()
    low = {f"{LAYER}.down": torch.full((2, 3), 0.5), f"{LAYER}.up": torch.full((4, 2), 2.0)}
    save_file(low, folder / "adapters.safetensors")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


def test_a_layer_gets_the_product_of_its_adapters(
    base: Path, adapters: Path, tmp_path: Path
) -> None:
    """W + up · down, in the weights' type; what the tokenizer needs lies beside it."""
    folder = assembled_reader(base, tmp_path / "models", adapters)
    merged = load_file(folder / "model.safetensors")[f"{LAYER}.weight"]
    assert merged.dtype == torch.float16
    assert torch.equal(merged, torch.full((4, 3), 3.0, dtype=torch.float16))
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"}


def test_it_is_made_once_and_again_for_other_adapters(
    base: Path, adapters: Path, tmp_path: Path
) -> None:
    """The folder's name says what it was made of; the older one goes."""
    first = assembled_reader(base, tmp_path / "models", adapters)
    made = (first / "model.safetensors").stat().st_mtime_ns
    assert assembled_reader(base, tmp_path / "models", adapters) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == made
    (adapters / "chat_template.jinja").write_text("{{ tools }}")
    second = assembled_reader(base, tmp_path / "models", adapters)
    assert second != first
    assert [it.name for it in second.parent.iterdir()] == [second.name]


def test_adapters_of_another_model_are_refused() -> None:
    """They name a layer that is not there."""
    low = {"other.down": torch.ones(1, 1), "other.up": torch.ones(1, 1)}
    with pytest.raises(SetupError, match=r"other\.weight"):
        merge_adapters({f"{LAYER}.weight": torch.ones(1, 1)}, low)


def test_a_folder_that_cannot_be_written_is_said(
    base: Path, adapters: Path, tmp_path: Path
) -> None:
    """A file where the models folder should be: one line, no traceback."""
    (tmp_path / "models").write_text("")
    with pytest.raises(SetupError, match="cannot write"):
        assembled_reader(base, tmp_path / "models", adapters)
