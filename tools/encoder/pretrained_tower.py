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
from itertools import islice
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
SHARED = 64
"""Crops whose states between the lower and the upper half are kept (0.6 MB each): as many as the
batches of a closer look hold at a time."""


@dataclass(frozen=True, eq=False)
class UpperNorms:
    """Other norms for the blocks after the first `start`: four (width,) a block, as in `retuned`.

    `sha256` identifies them.
    """

    start: int
    norms: "Sequence[Tensor]"
    sha256: str


@dataclass(frozen=True, eq=False)
class PretrainedTower:
    """A `transformers` CLIP image tower from a folder of `unmask setup`; loaded at first use.

    `sha256` identifies its weights.
    """

    folder: Path
    sha256: str
    _known: OrderedDict[tuple[bytes, bytes], np.ndarray] = field(
        default_factory=OrderedDict, repr=False
    )
    _shared: "OrderedDict[tuple[bytes, int], Tensor]" = field(
        default_factory=OrderedDict, repr=False
    )
    _starts: set[int] = field(default_factory=set, repr=False)

    @classmethod
    def installed(cls, models_dir: Path) -> "PretrainedTower | None":
        """The tower that `unmask setup` put into the models folder; None without it."""
        part = PRETRAINED_PARTS["clip_vit_b16"]
        if part_status(part, models_dir).state != "here":
            return None
        return cls(pretrained_folder(part, models_dir), part.member_sha256)

    @cached_property
    def network(self) -> "VisionTransformer":
        """The transformer itself. Raises SetupError if its files are damaged."""
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

    def pixels(self, crops: Sequence[np.ndarray]) -> "Tensor":
        """The network's input (n, 3, s, s), normalised, from crops (h, w, 3) uint8 RGB."""
        return self.preprocessing.normalise(self.preprocessing.batch(crops)).to(_dtype())

    def block_features(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """(n, 2 × blocks, width) float16 of crops (h, w, 3) uint8 RGB.

        First the class token of each block, then the mean of its patches.
        """
        return self._cached(crops, None)

    def tuned_features(self, crops: Sequence[np.ndarray], upper: UpperNorms) -> np.ndarray:
        """Like `block_features`, with other norms in the upper blocks.

        The lower blocks are computed once for both. Raises SetupError if the norms do not fit.
        """
        self._starts.add(upper.start)
        return self._cached(crops, upper)

    def _cached(self, crops: Sequence[np.ndarray], upper: UpperNorms | None) -> np.ndarray:
        of = b"" if upper is None else upper.sha256.encode()
        keys = [(blake2b(crop.tobytes(), digest_size=16).digest(), of) for crop in crops]
        # Several threads may ask at once, and each may drop what another has just seen.
        known = {key: self._known.get(key) for key in keys}
        found = {key: features for key, features in known.items() if features is not None}
        new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in found}
        wanted = list(new)
        for start in range(0, len(wanted), BATCH_SIZE):
            batch = wanted[start : start + BATCH_SIZE]
            names, pictures = [name for name, _ in batch], [new[key] for key in batch]
            features = (
                self._plain(names, pictures)
                if upper is None
                else self._tuned(names, pictures, upper)
            )
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
            with torch.inference_mode():
                states = list(self.network.states(self.pixels(crops[start : start + BATCH_SIZE])))
                chosen = torch.stack([states[block - 1].half() for block in blocks], dim=1)
            rows.append(chosen.numpy())
        return np.concatenate(rows) if rows else np.empty((0, len(blocks), 0, 0), np.float16)

    def _plain(self, names: Sequence[bytes], crops: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            states = list(self.network.states(self.pixels(crops)))
            for start in tuple(self._starts):
                self._share(names, start, states[start - 1])
            return _summary(states)

    def _tuned(
        self, names: Sequence[bytes], crops: Sequence[np.ndarray], upper: UpperNorms
    ) -> np.ndarray:
        import torch

        features, start = self.block_features(crops), upper.start
        try:
            blocks = self.network.retuned(start, [it.to(_dtype()) for it in upper.norms])
            with torch.inference_mode():
                states = list(self.network.continued(self._lower(names, crops, start), blocks))
        except (ValueError, RuntimeError) as error:
            raise SetupError(
                f"norms {upper.sha256[:12]} do not fit the tower in {str(self.folder)!r}"
            ) from error
        parts = features.reshape(len(crops), 2, -1, features.shape[-1]).copy()
        parts[:, :, start:] = _summary(states).reshape(len(crops), 2, len(blocks), -1)
        return parts.reshape(features.shape)

    def _lower(self, names: Sequence[bytes], crops: Sequence[np.ndarray], start: int) -> "Tensor":
        """The states of crops after `start` blocks, computed again if they were dropped."""
        import torch

        kept = [self._shared.get((name, start)) for name in names]
        if len(shared := [it for it in kept if it is not None]) == len(names):
            return torch.stack(shared)
        *_, states = islice(self.network.states(self.pixels(crops)), start)
        self._share(names, start, states)
        return states

    def _share(self, names: Sequence[bytes], start: int, states: "Tensor") -> None:
        self._shared.update(
            ((name, start), it.clone()) for name, it in zip(names, states, strict=True)
        )
        while len(self._shared) > SHARED:
            self._shared.popitem(last=False)


def _summary(states: "Sequence[Tensor]") -> np.ndarray:
    """(n, 2 × blocks, width) float16 of states (n, 1 + cells, width)."""
    import torch

    parts = [it[:, 0] for it in states] + [it[:, 1:].float().mean(dim=1) for it in states]
    features: np.ndarray = torch.stack([it.half() for it in parts], dim=1).numpy()
    return features


def _dtype() -> Any:
    """bfloat16 where the processor computes with it: twice as fast, and the same verdicts."""
    import torch

    fast = torch.backends.cpu.get_cpu_capability() == "AVX512" and _has_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def _has_bfloat16() -> bool:
    import torch

    supported: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return supported
