"""CLIP adapted to forgeries by learnt prompts (CoOp), an adapter, or a linear probe.

Khan & Dang-Nguyen, "CLIPping the Deception: Adapting Vision-Language Models for Universal
Deepfake Detection", ICMR 2024. The encoder stays frozen and every one of the three needs nothing
but its features, so faces are scored without reading pictures again; `tools.training.
prompt_tuning` learns them. Of their two classes 0 is authentic and 1 forged; a score is the
difference of the two logits, so its sigmoid is the paper's softmax.
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
"""The words of the two classes, authentic first."""
ADAPTER_PROMPTS = ("a real photo.", "a fake photo.")
ADAPTER_RATIO = 0.4
"""How much of an adapted feature comes from the adapter; the rest is the feature as it was."""

ContextPosition = Literal["front", "end"]


@dataclass(frozen=True, slots=True, eq=False)
class Coop:
    """The class features `texts` (2, d), of length one, that `context` (m, w) led to.

    `position` says whether a class's word stands before its context (as published) or behind.
    Does not show: where or how a picture was changed. Learnt words are no words: what a context
    says cannot be read. Published ones kept ranking forgeries of other makers well while a fixed
    threshold failed on them: calibrate before deciding.
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
        """(n, d) features to (n,) logits float64; a row with NaN, or of zeros, scores NaN."""
        return _cosine_logits(features, self.texts, self.scale)

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Write what `load` reads; further `header` fields say how it was trained."""
        note = {"scale": repr(self.scale), "position": self.position, **header}
        arrays = _float32(texts=self.texts, context=self.context)
        write_head(path, arrays, encoder_sha256=encoder_sha256, **note)

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "Coop":
        """Read what `save` wrote. Raises SetupError, see `read_head`."""
        arrays, header = read_head(path, encoder_sha256=encoder_sha256, shapes=cls.SHAPES)
        _two(arrays["texts"], path)
        position: ContextPosition = "end" if header.get("position") == "end" else "front"
        return cls(
            arrays["texts"], arrays["context"], _scale(header, path), inputs, position,
            preprocessing, sha256=head_sha256(path, encoder_sha256),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ClipAdapter:
    """`down` (h, d) and `up` (d, h), and the class features `texts` (2, d), of length one.

    f' = 0.4 · relu(up · relu(down · f)) + 0.6 · f, then cosines. Does not show: where or how a
    picture was changed; it fitted to the forgeries it saw, on others it may be worse than CoOp.
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
        """(n, d) features, not normalised, to (n,) logits float64; a row with NaN scores NaN."""
        _check(features, self.down.shape[1])
        wide = features.astype(np.float64)
        adapted = np.maximum(np.maximum(wide @ self.down.T, 0) @ self.up.T, 0)
        mixed = self.share * adapted + (1 - self.share) * wide
        return _cosine_logits(mixed, self.texts, self.scale)

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Write what `load` reads; further `header` fields say how it was trained."""
        note = {"scale": repr(self.scale), "share": repr(self.share), **header}
        arrays = _float32(down=self.down, up=self.up, texts=self.texts)
        write_head(path, arrays, encoder_sha256=encoder_sha256, **note)

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "ClipAdapter":
        """Read what `save` wrote. Raises SetupError, see `read_head`."""
        arrays, header = read_head(path, encoder_sha256=encoder_sha256, shapes=cls.SHAPES)
        down, up, texts = arrays["down"], arrays["up"], arrays["texts"]
        _two(texts, path)
        if down.shape != up.shape[::-1] or down.shape[1] != texts.shape[1]:
            raise SetupError(f"{path} is no adapter: {down.shape}, {up.shape}, {texts.shape}")
        share = float(header.get("share", ADAPTER_RATIO))
        return cls(
            down, up, texts, _scale(header, path), inputs, share, preprocessing,
            sha256=head_sha256(path, encoder_sha256),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LinearProbe:
    """`weight` (2, d) and `bias` (2,) on features as they are.

    Does not show: where or how a picture was changed. Of the three the one that carried over
    least to other makers' forgeries, as published.
    """

    weight: np.ndarray
    bias: np.ndarray
    inputs: InputKind
    preprocessing: Mode = "resize"
    name: str = "linear_probe"
    sha256: str = ""

    SHAPES: ClassVar[dict[str, int]] = {"weight": 2, "bias": 1}

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, d) features, not normalised, to (n,) logits float64; a row with NaN scores NaN."""
        _check(features, self.weight.shape[1])
        authentic, forged = self.weight.astype(np.float64)
        offset = float(self.bias[1]) - float(self.bias[0])
        logits: np.ndarray = features.astype(np.float64) @ (forged - authentic) + offset
        return logits

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Write what `load` reads; further `header` fields say how it was trained."""
        arrays = _float32(weight=self.weight, bias=self.bias)
        write_head(path, arrays, encoder_sha256=encoder_sha256, **header)

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "LinearProbe":
        """Read what `save` wrote. Raises SetupError, see `read_head`."""
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
    """Features (len(words), d), of length one, of the prompts that `context` (m, w) makes.

    `[V]₁…[V]ₘ word.` for `end`, `word [V]₁…[V]ₘ.` for `front`; differentiable in the context,
    which all words share. Raises SetupError when the encoder's texts are too short for it.
    """
    import torch

    if position not in get_args(ContextPosition):
        raise ValueError(f"position must be one of {get_args(ContextPosition)}, not {position!r}")
    count = len(context)
    # Placeholders of one token each show where everything stands, and where a text ends.
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
        raise SetupError(f"{path} does not say what its cosines are multiplied with") from error
