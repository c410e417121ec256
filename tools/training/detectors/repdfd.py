"""RepDFD: learn a border around the face as a visual prompt for a frozen encoder.

Recipe of "Standing on the Shoulders of Giants" (AAAI 2025, arXiv 2409.02664): the border is added
to the normalised input, prompts contain the face's embedding through a frozen random projection,
cross-entropy of exp(s) · cosines, AdamW with weight decay 2e-4. The prompt can hold one of two
identities: the candidate's own, as published, or the query person's, which is our variant.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.detectors.clip_heads.repdfd import Repdfd
from tools.detectors.protocol import IdentityRole
from tools.encoder.clip import Encoder
from tools.training.data.pairs import CropSample, DerivedPairs, TrainingImage, TrainingPair
from tools.training.detectors.prompt_learners import word_spread
from tools.training.loops.detector_training import TrainingOptions

DECAY = 2e-4
BORDER_RATE = 30.0
"""Learning rate factor of the border, about 0.01 in effect. The published rate, 1.0, left the
pocket encoder near chance, and 0.1 below its starting point."""
SWAPS = frozenset({"face_swap", "video_deepfake"})
"""Families that paste another person's face into a photograph: the depicted person is no longer the
photograph's, and a pool does not record the other. Partial swaps keep most of the face."""

Embed = Callable[[Sequence[tuple[np.ndarray, np.ndarray]]], Sequence[np.ndarray]]
"""Maps pictures with face keypoints to embeddings (e,) of length one."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentityTrainingImage(TrainingImage):
    """A picture with the identity embedding (e,) for its prompt."""

    identity: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(slots=True, eq=False)
class PairsWithIdentities(DerivedPairs):
    """Adds identity embeddings to a source's pictures: the candidate's own, or the query person's.

    For `query` this is another authentic photograph of the same person, if the source has one; for
    a swap it is the forged face's own embedding, since the swap depicts that person.
    """

    embed: Embed
    whose: IdentityRole = "candidate"
    _members: dict[str, list[int]] = field(default_factory=dict)

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """The source's pair with identities."""
        drawn = self.source.draw(index, rng)
        if drawn is None:
            return None
        looks = [drawn.real, drawn.fake]
        other = self._another(index, drawn.real, rng) if self.whose == "query" else None
        asked = looks if other is None else [other, drawn.fake if _swapped(drawn) else other]
        vectors = self.embed([(look.pixels, look.keypoints) for look in asked])
        real, fake = (with_identity(*pair) for pair in zip(looks, vectors, strict=True))
        return replace(drawn, real=real, fake=fake)

    def _another(
        self, index: int, shown: TrainingImage, rng: np.random.Generator
    ) -> TrainingImage | None:
        """Another authentic photograph of the person; a pool may hold one photograph twice."""
        for at in rng.permutation(self._of_person(self.source.group(index)))[:4]:
            drawn = None if at == index else self.source.draw(int(at), rng)
            if drawn is not None and not np.array_equal(drawn.real.keypoints, shown.keypoints):
                return drawn.real
        return None

    def _of_person(self, person: str) -> list[int]:
        if not self._members:
            for index in range(len(self.source)):
                self._members.setdefault(self.source.group(index), []).append(index)
        return self._members[person]


class Reprogramming(nn.Module):
    """A `TrainableDetector` of `delta` (3, s, s); it takes `IdentityTrainingImage`s."""

    def __init__(self, judge: Repdfd) -> None:
        super().__init__()
        self._judge = (judge,)
        begun = torch.from_numpy(judge.delta.copy()).to(judge.encoder.device)
        self.delta = nn.Parameter(begun)

    @classmethod
    def initial(
        cls, encoder: Encoder, *, embedding_size: int, whose: IdentityRole, seed: int = 7
    ) -> "Reprogramming":
        """Initial state: a zero border, and a face projected to the norm of the encoder's own
        words.

        With a smaller norm the surrounding words would dominate.
        """
        judge = Repdfd.initial(
            encoder, embedding_size=embedding_size, spread=word_spread(encoder), seed=seed
        )
        return cls(replace(judge, identity=whose))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Reprogramming":
        # The encoder is frozen: a copy of the learner shares it.
        twin = Reprogramming(self._judge[0])
        twin.load_state_dict(self.state_dict())
        return twin

    @property
    def size(self) -> int:
        """Side of the crops, px; they are later shrunk into the border."""
        return self._judge[0].encoder.image_size

    @property
    def margin(self) -> float:
        """The encoder's margin."""
        return self._judge[0].encoder.face_margin

    def losses(self, samples: Sequence[CropSample]) -> Mapping[str, Tensor]:
        """Cross-entropy of the scaled cosines."""
        truth = torch.tensor([int(sample.forged) for sample in samples], device=self.delta.device)
        return {"told": functional.cross_entropy(self._logits(samples), truth)}

    def logits(self, samples: Sequence[CropSample]) -> Tensor:
        """(n,) forged minus authentic."""
        logits = self._logits(samples)
        return logits[:, 1] - logits[:, 0]

    def groups(self, options: TrainingOptions) -> list[dict[str, Any]]:
        """The border only, at a much higher rate than weights, with the published weight decay."""
        rate = BORDER_RATE * options.rate
        return [{"params": [self.delta], "lr": rate, "weight_decay": DECAY}]

    def detector(self) -> Repdfd:
        """The trained detector."""
        return replace(self._judge[0], delta=self.delta.detach().cpu().numpy().copy())

    def _logits(self, samples: Sequence[CropSample]) -> Tensor:
        judge = self._judge[0]
        with torch.no_grad():
            texts = judge.text_features(np.stack([_identity(sample) for sample in samples]))
        pictures = judge.apply_border([sample.image for sample in samples], self.delta)
        return judge.logits(judge.encoder.forward(pictures), texts)


def with_identity(look: TrainingImage, identity: np.ndarray) -> IdentityTrainingImage:
    """A copy of the picture with its identity embedding."""
    parts = {it.name: getattr(look, it.name) for it in fields(TrainingImage)}
    return IdentityTrainingImage(**parts, identity=identity)


def _swapped(drawn: TrainingPair) -> bool:
    return drawn.family in SWAPS


def _identity(sample: CropSample) -> np.ndarray:
    if not isinstance(sample.look, IdentityTrainingImage):
        raise ValueError("RepDFD needs pictures with identities: use PairsWithIdentities")
    return sample.look.identity
