"""Assemble the reader's checkpoint: a pretrained language model with our adapters merged into it.

    MODELS/assembled/reader-<hash>/ model.safetensors, config.json, tokenizer*.json, …

The hash is that of both sources, so a change of either makes a new folder. Only the adapters ship
with Unmask; the language model comes from `unmask setup`.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from tools.checkpoints.pretrained.store import SOURCE, WEIGHTS
from tools.checkpoints.table import CHAT_WEIGHTS_DIR
from tools.errors import SetupError
from tools.media.hashing import file_sha256

ADAPTERS_DIR = CHAT_WEIGHTS_DIR / "reader"
ADAPTERS, TEMPLATE = "adapters.safetensors", "chat_template.jinja"
ASSEMBLED_FOLDER = "assembled"


def assembled_reader(language_model: Path, models_dir: Path, adapters: Path = ADAPTERS_DIR) -> Path:
    """The folder of the assembled checkpoint, made at the first call; older ones are removed.

    `language_model` is the installed part's folder. Raises SetupError if a file is missing or the
    two do not belong together, or if the folder cannot be written.
    """
    template = (adapters / TEMPLATE).read_bytes()
    sources = [file_sha256(language_model / SOURCE), file_sha256(adapters / ADAPTERS)]
    sources.append(hashlib.sha256(template).hexdigest())
    name = f"reader-{hashlib.sha256(' '.join(sources).encode()).hexdigest()[:16]}"
    folder = models_dir / ASSEMBLED_FOLDER / name
    if not folder.is_dir():
        try:
            _assemble(language_model, adapters, folder)
        except OSError as error:
            raise SetupError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _assemble(language_model: Path, adapters: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".reader.") as place:
        made = Path(place) / folder.name
        made.mkdir()
        merged = merge_adapters(load_file(language_model / WEIGHTS), load_file(adapters / ADAPTERS))
        (made / WEIGHTS).write_bytes(save(merged, {"format": "pt"}))
        for file in language_model.glob("*.json"):
            if file.name != SOURCE:
                shutil.copyfile(file, made / file.name)
        shutil.copyfile(adapters / TEMPLATE, made / TEMPLATE)
        for older in folder.parent.glob("reader-*"):
            shutil.rmtree(older, ignore_errors=True)
        made.replace(folder)


def merge_adapters(
    weights: Mapping[str, torch.Tensor], adapters: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Weights (out, in) plus up (out, r) times down (r, in) of each adapted layer, in their type.

    Adapters are named `<layer>.down` and `<layer>.up`; their scale is part of `up`. LoRA, Hu et
    al., arXiv 2106.09685. Raises SetupError for an adapter of a layer that the weights do not have.
    """
    merged = dict(weights)
    for name in sorted(it.removesuffix(".down") for it in adapters if it.endswith(".down")):
        layer = f"{name}.weight"
        if layer not in merged:
            raise SetupError(f"the adapters change {layer!r}, which the language model lacks")
        change = adapters[f"{name}.up"].float() @ adapters[f"{name}.down"].float()
        merged[layer] = (merged[layer].float() + change).to(merged[layer].dtype)
    return merged
