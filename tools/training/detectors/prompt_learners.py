"""Prompt tuning modules: CoOp's context, CLIP-Adapter and a linear probe.

Each is a small module from features (n, d) to logits (n, 2), authentic and forged. After training
it becomes the detector with the same arithmetic.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.detectors.clip_heads.prompt_tuning import (
    ADAPTER_PROMPTS,
    ADAPTER_RATIO,
    ClipAdapter,
    ContextPosition,
    Coop,
    LinearProbe,
    PromptTunedDetector,
    prompt_features,
)
from tools.detectors.protocol import InputKind
from tools.encoder.clip import Encoder

Kind = Literal["coop", "clip_adapter", "linear_probe"]


CLIP_SPREAD = 0.02
"""CLIP's word embeddings are initialised with N(0, 0.02²), as are published contexts."""


class CoopLearner(nn.Module):
    """`context` (m, w), shared by both classes, initialised with N(0, σ²).

    σ is the published 0.02, or that of the encoder's own words if larger: beside larger words a
    context of CLIP's scale has little effect and hardly trains.
    """

    def __init__(self, encoder: Encoder, *, context: int, position: ContextPosition) -> None:
        super().__init__()
        self.encoder, self.position = encoder, position
        spread = max(CLIP_SPREAD, word_spread(encoder))
        drawn = spread * torch.randn(context, encoder.text_width)
        self.context = nn.Parameter(drawn.to(encoder.device))

    def forward(self, features: Tensor) -> Tensor:
        """Scaled cosines to the two current prompts."""
        return _cosines(features, self._texts(), self.encoder.logit_scale)

    def detector(self, inputs: InputKind) -> PromptTunedDetector:
        """The trained detector."""
        with torch.inference_mode():
            texts = _array(self._texts())
        scale, context = self.encoder.logit_scale, _array(self.context)
        return Coop(texts, context, scale, inputs, self.position)

    def _texts(self) -> Tensor:
        return prompt_features(self.encoder, self.context, position=self.position)


class AdapterLearner(nn.Module):
    """Two linear layers without bias; the hidden layer has half the width."""

    texts: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.scale = encoder.logit_scale
        width = encoder.dimension
        self.down = nn.Linear(width, width // 2, bias=False, device=encoder.device)
        self.up = nn.Linear(width // 2, width, bias=False, device=encoder.device)
        texts = torch.from_numpy(encoder.encode_texts(ADAPTER_PROMPTS)).to(encoder.device)
        self.register_buffer("texts", texts, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Scaled cosines of the adapted features to the two prompts."""
        adapted = functional.relu(self.up(functional.relu(self.down(features))))
        mixed = ADAPTER_RATIO * adapted + (1 - ADAPTER_RATIO) * features
        return _cosines(mixed, self.texts, self.scale)

    def detector(self, inputs: InputKind) -> PromptTunedDetector:
        """The trained detector."""
        down, up = _array(self.down.weight), _array(self.up.weight)
        return ClipAdapter(down, up, _array(self.texts), self.scale, inputs)


class ProbeLearner(nn.Module):
    """One linear layer, initialised with N(0, 0.01²) and zero bias."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.linear = nn.Linear(encoder.dimension, 2, device=encoder.device)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """The two logits."""
        logits: Tensor = self.linear(features)
        return logits

    def detector(self, inputs: InputKind) -> PromptTunedDetector:
        """The trained detector."""
        return LinearProbe(_array(self.linear.weight), _array(self.linear.bias), inputs)


PromptLearner = CoopLearner | AdapterLearner | ProbeLearner


def learner(
    kind: Kind, encoder: Encoder, *, context: int, position: ContextPosition, seed: int
) -> PromptLearner:
    """A learner initialised from `seed`; torch's global generator is not used."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        if kind == "coop":
            return CoopLearner(encoder, context=context, position=position)
        return AdapterLearner(encoder) if kind == "clip_adapter" else ProbeLearner(encoder)


def word_spread(encoder: Encoder) -> float:
    """The standard deviation of the word embeddings of the two plainest prompts.

    Not over all 49,408: an encoder trained on few captions never updated most of them.
    """
    with torch.inference_mode():
        tokens = encoder.tokens(ADAPTER_PROMPTS)
        return float(encoder.token_embeddings(tokens)[tokens != 0].std())


def _cosines(features: Tensor, texts: Tensor, scale: float) -> Tensor:
    return scale * functional.normalize(features, dim=1) @ texts.T


def _array(tensor: Tensor) -> np.ndarray:
    values: np.ndarray = tensor.detach().float().cpu().numpy().copy()
    return values
