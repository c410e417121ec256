"""GenD: tune a tower's normalisation layers, and a head on unit-length features.

Recipe of "Deepfake Detection that Generalizes Across Benchmarks" (WACV 2026, arXiv 2508.06248):
cross-entropy + 0.5 · uniformity + 0.1 · alignment (Wang & Isola, ICML 2020) on features of length
one, AdamW at 3e-4 without weight decay, authentic and forged of the same original in one batch. Our
changes: any encoder's tower, and a higher learning rate for the head, since a pocket training lasts
minutes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.detectors.clip_heads.norm_tuned import (
    NormTunedDetector,
    copy_image_tower,
    detector_from_tower,
    norm_parameters,
    normalised_features,
)
from tools.encoder.clip import Encoder
from tools.training.data.pairs import CropSample
from tools.training.loops.detector_training import TrainingOptions

UNIFORMITY, ALIGNMENT = 0.5, 0.1
HEAD_RATE = 30.0
"""Learning rate factor of the head: it starts at zero, on features of length one."""


class NormTuning(nn.Module):
    """A `Learner` (see `detector_training`); its state holds tuned parameters only."""

    def __init__(self, encoder: Encoder, *, seed: int = 0) -> None:
        super().__init__()
        self.size, self.margin = encoder.image_size, encoder.face_margin
        self.pictures, self.device = encoder.preprocessing, encoder.device
        tower = copy_image_tower(encoder)
        tuned = [it.requires_grad_() for it in norm_parameters(tower).values()]
        # Not registered as a module: it always runs in evaluation mode, including the running
        # statistics, and checkpoints hold only the tuned parameters.
        self._frozen = (tower,)
        self.norms = nn.ParameterList(tuned)
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.head = nn.Linear(encoder.dimension, 2).to(encoder.device)

    def features(self, samples: Sequence[CropSample]) -> Tensor:
        """Features (n, d) of crops, length one; differentiable."""
        batch = self.pictures.batch([sample.image for sample in samples]).to(self.device)
        channels_last = batch.contiguous(memory_format=torch.channels_last)
        return normalised_features(self._frozen[0], self.pictures.normalise(channels_last))

    def losses(self, samples: Sequence[CropSample]) -> Mapping[str, Tensor]:
        """Cross-entropy, uniformity and alignment, weighted for summing."""
        features = self.features(samples)
        truth = torch.tensor([int(sample.forged) for sample in samples], device=self.device)
        return {
            "told": functional.cross_entropy(self.head(features), truth),
            "uniformity": UNIFORMITY * uniformity(features),
            "alignment": ALIGNMENT * alignment(features, truth),
        }

    def logits(self, samples: Sequence[CropSample]) -> Tensor:
        """(n,) forged minus authentic."""
        logits = self.head(self.features(samples))
        difference: Tensor = logits[:, 1] - logits[:, 0]
        return difference

    def groups(self, options: TrainingOptions) -> list[dict[str, Any]]:
        """Parameter groups: normalisation at the base rate, the head faster; no weight decay."""
        head = {"params": list(self.head.parameters()), "lr": HEAD_RATE * options.rate}
        norms = {"params": list(self.norms), "lr": options.rate}
        return [{**group, "weight_decay": 0.0} for group in (norms, head)]

    def detector(self, encoder: Encoder) -> NormTunedDetector:
        """The trained detector, with its own copy of the tower."""
        tower = copy_image_tower(encoder)
        with torch.no_grad():
            for parameter, learnt in zip(norm_parameters(tower).values(), self.norms, strict=True):
                parameter.copy_(learnt)
        weight, bias = (it.detach().clone() for it in (self.head.weight, self.head.bias))
        return detector_from_tower(tower, weight, bias, encoder=encoder)


def uniformity(features: Tensor) -> Tensor:
    """log of the mean over pairs of exp(−2 ‖zᵢ − zⱼ‖²); low where features spread out."""
    apart = _squared_distances(features)
    one, other = torch.triu_indices(len(features), len(features), offset=1)
    return apart[one, other].mul(-2).exp().mean().log()


def alignment(features: Tensor, truth: Tensor) -> Tensor:
    """Mean ‖zᵢ − zⱼ‖² over pairs of one label; low if classes are compact. 0 without a pair."""
    same = torch.triu(truth[:, None] == truth[None, :], diagonal=1)
    apart = _squared_distances(features)[same]
    return apart.mean() if len(apart) else features.sum() * 0


def _squared_distances(features: Tensor) -> Tensor:
    """(n, n) squared distances of features of length one."""
    return 2 - 2 * features @ features.T
