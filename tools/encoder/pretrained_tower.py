"""The pretrained CLIP image tower of `unmask setup`: features of all its blocks.

Features of early and middle blocks show forgeries that the last block no longer shows (RINE:
Koutlis & Papadopoulos, 2024), so the detectors on this tower read every block.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.checkpoints.pretrained import PRETRAINED_PARTS, part_status, pretrained_folder
from tools.encoder.preprocessing import Preprocessing
from tools.errors import SetupError

if TYPE_CHECKING:
    from torch import Tensor

    from tools.encoder.vision_transformer import VisionTransformer

BATCH_SIZE = 8
REMEMBERED = 512
"""Crops whose features are kept (36 KB each): all detectors on the tower read the same crop."""


@dataclass(frozen=True, eq=False)
class PretrainedTower:
    """A `transformers` CLIP image tower from a folder of `unmask setup`; loaded at first use.

    `sha256` identifies its weights.
    """

    folder: Path
    sha256: str
    _known: OrderedDict[bytes, np.ndarray] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def installed(cls, models_dir: Path) -> "PretrainedTower | None":
        """The tower that `unmask setup` put into the models folder; None without it."""
        part = PRETRAINED_PARTS["clip_vit_b16"]
        if part_status(part, models_dir).state != "here":
            return None
        return cls(pretrained_folder(part, models_dir), part.member_sha256)

    @cached_property
    def _network(self) -> "VisionTransformer":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from tools.encoder.vision_transformer import VisionTransformer

        try:
            config = json.loads((self.folder / "config.json").read_text("utf-8"))
            tensors = load_file(self.folder / "model.safetensors")
            return VisionTransformer.build(config, tensors, dtype=_dtype())
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise SetupError(
                f"{str(self.folder)!r} cannot be loaded ({error}); delete it and run `unmask setup`"
            ) from error

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """As written beside the weights."""
        try:
            config = json.loads((self.folder / "preprocessing.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SetupError(f"{str(self.folder)!r} is damaged: run `unmask setup`") from error
        return Preprocessing.from_config(config, size=int(config["size"]))

    def block_features(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 2 × blocks, width) float16 of crops (h, w, 3) uint8 RGB.

        First the class token of each block, then the mean of its patches.
        """
        keys = [blake2b(crop.tobytes(), digest_size=16).digest() for crop in crops]
        # Several threads may ask at once, and each may drop what another has just seen.
        known = {key: self._known.get(key) for key in keys}
        found = {key: features for key, features in known.items() if features is not None}
        new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in found}
        wanted = list(new)
        for start in range(0, len(wanted), BATCH_SIZE):
            batch = wanted[start : start + BATCH_SIZE]
            features = self._features(self.preprocessing.batch([new[key] for key in batch]))
            found |= zip(batch, features, strict=True)
        rows = [found[key] for key in keys]
        self._known.update(found)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return np.stack(rows) if rows else np.empty((0, 0, 0), np.float16)

    def block_tokens(self, crops: Sequence[np.ndarray], blocks: Sequence[int]) -> np.ndarray:
        """(n, blocks, 1 + cells, width) float16 of crops (h, w, 3) uint8 RGB; not cached.

        `blocks` count from 1. The class token comes first, then the cells row by row.
        """
        import torch

        rows: list[np.ndarray] = []
        for start in range(0, len(crops), BATCH_SIZE):
            images = self.preprocessing.batch(crops[start : start + BATCH_SIZE])
            with torch.inference_mode():
                states = self._states(images)
                chosen = torch.stack([states[block - 1].half() for block in blocks], dim=1)
            rows.append(chosen.numpy())
        return np.concatenate(rows) if rows else np.empty((0, len(blocks), 0, 0), np.float16)

    def _features(self, images: "Tensor") -> np.ndarray:
        import torch

        with torch.inference_mode():
            states = self._states(images)
            parts = [it[:, 0] for it in states] + [it[:, 1:].float().mean(dim=1) for it in states]
            features: np.ndarray = torch.stack([it.half() for it in parts], dim=1).numpy()
        return features

    def _states(self, images: "Tensor") -> Sequence["Tensor"]:
        """The output of each block for images (n, 3, s, s) uint8: (n, 1 + cells, width)."""
        pixels = self.preprocessing.normalise(images).to(_dtype())
        return list(self._network.states(pixels))


def _dtype() -> Any:
    """bfloat16 where the processor computes with it: twice as fast, and the same verdicts."""
    import torch

    fast = torch.backends.cpu.get_cpu_capability() == "AVX512" and _has_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def _has_bfloat16() -> bool:
    import torch

    supported: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return supported
