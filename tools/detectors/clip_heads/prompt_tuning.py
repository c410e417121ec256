"""CLIP adapted to forgery detection by prompt tuning (CoOp), a CLIP-Adapter, or a linear probe.

Khan & Dang-Nguyen, "CLIPping the Deception: Adapting Vision-Language Models for Universal Deepfake
Detection", ICMR 2024. The encoder stays frozen and all three need only its features, so faces are
scored without reading images again; `tools.training.detectors.prompt_tuning` trains them. Class 0
is authentic, 1 is forged; a score is the difference of the two logits, so its sigmoid is the
paper's softmax.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

from tools.detectors.clip_heads.head_files import head_sha256, read_head, write_head
from tools.detectors.clip_heads.unifd_neighbours import l2_normalise_rows
from tools.detectors.protocol import InputKind
from tools.encoder.clip import Encoder
from tools.encoder.preprocessing import Mode
from tools.errors import SetupError

if TYPE_CHECKING:
    import torch

CLASS_NAMES = ("real", "fake")
"""Class words, authentic first."""
ADAPTER_PROMPTS = ("a real photo.", "a fake photo.")
ADAPTER_RATIO = 0.4
"""Weight of the adapter's output in a feature; the rest is the original feature."""

ContextPosition = Literal["front", "end"]


@dataclass(frozen=True, slots=True, eq=False)
class Coop:
    """CoOp: class features `texts` (2, d), unit length, computed from `context` (m, w).

    `position` says whether a class word comes before its context (as published) or after it. Does
    not show: where or how an image was changed. Learned contexts are not readable words. The
    published ones still ranked forgeries of other generators well, but a fixed threshold failed on
    them: calibrate before deciding.
    """

    texts: np.ndarray
    context: np.ndarray
    scale: float
    inputs: InputKind
    position: ContextPosition = "front"
    preprocessing: Mode = "resize"
    name: str = "coop"
    sha256: str = ""

    SHAPES: ClassVar[dict[str, int]] = {"texts": 2, "context": 2}

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) to logits (n,) float64; a row with NaN, or all zeros, scores NaN."""
        return _cosine_logits(features, self.texts, self.scale)

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Save for `load`; further `header` fields describe the training."""
        note = {"scale": repr(self.scale), "position": self.position, **header}
        arrays = _float32(texts=self.texts, context=self.context)
        write_head(path, arrays, encoder_sha256=encoder_sha256, **note)

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "Coop":
        """Load a file from `save`. Raises SetupError, see `read_head`."""
        arrays, header = read_head(path, encoder_sha256=encoder_sha256, shapes=cls.SHAPES)
        _two(arrays["texts"], path)
        position: ContextPosition = "end" if header.get("position") == "end" else "front"
        return cls(
            arrays["texts"], arrays["context"], _scale(header, path), inputs, position,
            preprocessing, sha256=head_sha256(path, encoder_sha256),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ClipAdapter:
    """CLIP-Adapter: `down` (h, d), `up` (d, h) and unit class features `texts` (2, d).

    f' = 0.4 · relu(up · relu(down · f)) + 0.6 · f, then cosines. Does not show: where or how an
    image was changed; it fits its training forgeries, and on others may be worse than CoOp.
    """

    down: np.ndarray
    up: np.ndarray
    texts: np.ndarray
    scale: float
    inputs: InputKind
    share: float = ADAPTER_RATIO
    preprocessing: Mode = "resize"
    name: str = "clip_adapter"
    sha256: str = ""

    SHAPES: ClassVar[dict[str, int]] = {"down": 2, "up": 2, "texts": 2}

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d), not normalised, to logits (n,) float64; a row with NaN scores NaN."""
        _check(features, self.down.shape[1])
        wide = features.astype(np.float64)
        adapted = np.maximum(np.maximum(wide @ self.down.T, 0) @ self.up.T, 0)
        mixed = self.share * adapted + (1 - self.share) * wide
        return _cosine_logits(mixed, self.texts, self.scale)

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Save for `load`; further `header` fields describe the training."""
        note = {"scale": repr(self.scale), "share": repr(self.share), **header}
        arrays = _float32(down=self.down, up=self.up, texts=self.texts)
        write_head(path, arrays, encoder_sha256=encoder_sha256, **note)

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "ClipAdapter":
        """Load a file from `save`. Raises SetupError, see `read_head`."""
        arrays, header = read_head(path, encoder_sha256=encoder_sha256, shapes=cls.SHAPES)
        down, up, texts = arrays["down"], arrays["up"], arrays["texts"]
        _two(texts, path)
        if down.shape != up.shape[::-1] or down.shape[1] != texts.shape[1]:
            raise SetupError(f"{path} is not an adapter: {down.shape}, {up.shape}, {texts.shape}")
        share = float(header.get("share", ADAPTER_RATIO))
        return cls(
            down, up, texts, _scale(header, path), inputs, share, preprocessing,
            sha256=head_sha256(path, encoder_sha256),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LinearProbe:
    """Linear probe: `weight` (2, d) and `bias` (2,) on unnormalised features.

    Does not show: where or how an image was changed. As published, it generalises worst of the
    three to forgeries of other generators.
    """

    weight: np.ndarray
    bias: np.ndarray
    inputs: InputKind
    preprocessing: Mode = "resize"
    name: str = "linear_probe"
    sha256: str = ""

    SHAPES: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1}

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d), not normalised, to logits (n,) float64; a row with NaN scores NaN."""
        _check(features, self.weight.shape[1])
        authentic, forged = self.weight.astype(np.float64)
        offset = float(self.bias[1]) - float(self.bias[0])
        logits: np.ndarray = features.astype(np.float64) @ (forged - authentic) + offset
        return logits

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Save for `load`; further `header` fields describe the training."""
        arrays = _float32(weight=self.weight, bias=self.bias)
        write_head(path, arrays, encoder_sha256=encoder_sha256, **header)

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "LinearProbe":
        """Load a file from `save`. Raises SetupError, see `read_head`."""
        arrays, _ = read_head(path, encoder_sha256=encoder_sha256, shapes=cls.SHAPES)
        _two(arrays["weight"], path)
        _two(arrays["bias"], path)
        sha256 = head_sha256(path, encoder_sha256)
        return cls(arrays["weight"], arrays["bias"], inputs, preprocessing, sha256=sha256)


PromptTunedDetector = Coop | ClipAdapter | LinearProbe


def prompt_features(
    encoder: Encoder,
    context: "torch.Tensor",
    *,
    words: Sequence[str] = CLASS_NAMES,
    position: ContextPosition = "front",
) -> "torch.Tensor":
    """Unit text features (len(words), d) of prompts with the learned `context` (m, w).

    `[V]₁…[V]ₘ word.` for `end`, `word [V]₁…[V]ₘ.` for `front`; differentiable in the context, which
    all words share. Raises SetupError if the context does not fit into the encoder's context
    length.
    """
    import torch

    if position not in get_args(ContextPosition):
        raise ValueError(f"position must be one of {get_args(ContextPosition)}, not {position!r}")
    count = len(context)
    # Single-token placeholders give the positions of the context and of the end of text.
    plain = encoder.tokens([f"{word}." for word in words])
    lengths = (plain != 0).sum(dim=1)
    if int(lengths.max()) + count > plain.shape[1]:
        raise SetupError(
            f"a context of {count} does not fit into the encoder's {plain.shape[1]} tokens"
        )
    filler = " ".join(["x"] * count)
    order = "{filler} {word}." if position == "end" else "{word} {filler}."
    tokens = encoder.tokens([order.format(filler=filler, word=word) for word in words])
    # Start, word, context, full stop, end: the word may be several tokens long.
    starts = lengths - 2 if position == "front" else torch.ones_like(lengths)
    embedded = encoder.token_embeddings(tokens)
    rows = [
        torch.cat([row[:start], context, row[start + count :]])
        for row, start in zip(embedded, starts.tolist(), strict=True)
    ]
    features = encoder.encode_embeddings(torch.stack(rows), tokens)
    return torch.nn.functional.normalize(features, dim=1)


def _cosine_logits(features: np.ndarray, texts: np.ndarray, scale: float) -> np.ndarray:
    """scale · (cos(f, forged) − cos(f, authentic)), (n,) float64."""
    _check(features, texts.shape[1])
    authentic, forged = l2_normalise_rows(texts)
    logits: np.ndarray = scale * (
        l2_normalise_rows(features).astype(np.float64) @ (forged - authentic)
    )
    return logits


def _check(features: np.ndarray, dimension: int) -> None:
    if features.ndim != 2 or features.shape[1] != dimension:
        raise ValueError(f"features must be (n, {dimension}), not {features.shape}")


def _float32(**arrays: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}


def _two(array: np.ndarray, path: Path) -> None:
    if len(array) != 2:
        raise SetupError(f"{path} has {len(array)} classes, not authentic and forged")


def _scale(header: dict[str, str], path: Path) -> float:
    try:
        return float(header["scale"])
    except (KeyError, ValueError) as error:
        raise SetupError(f"{path} does not give the scale of its cosines") from error
