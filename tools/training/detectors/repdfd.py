"""Learns RepDFD: a border around the face, for an encoder that stays as it is.

Recipe of "Standing on the Shoulders of Giants" (AAAI 2025, arXiv 2409.02664): the border is added
to the normalised input, prompts hold the face's embedding through a frozen random projection,
cross-entropy of exp(s) · cosines, AdamW with a decay of 2e-4. Two identities can stand in the
prompt: the candidate's own, as published, or the person's that is looked for, which is ours.
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
from tools.training.loops.picture_run import TrainingOptions

DECAY = 2e-4
BORDER_RATE = 30.0
"""A border is no weight: it may go so many times faster, at about 0.01. The published rate, 1.0,
left the pocket encoder near chance, and 0.1 below where it began."""
SWAPS = frozenset({"face_swap", "video_deepfake"})
"""Families that put another person's face into a photograph: who is depicted is no longer its
person, and a pool does not say who else. Of partial swaps most of the face stays."""

Embed = Callable[[Sequence[tuple[np.ndarray, np.ndarray]]], Sequence[np.ndarray]]
"""Pictures with their faces' keypoints to embeddings (e,) of length one each."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentityTrainingImage(TrainingImage):
    """A look with the identity (e,) that is to stand in its prompt."""

    identity: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(slots=True, eq=False)
class PairsWithIdentities(DerivedPairs):
    """A source whose looks know who they are, or who is looked for.

    For `query` that is another authentic photograph of the same person, where the source has one;
    of a swap it is the forged face's own embedding, since that is the person it depicts.
    """

    embed: Embed
    whose: IdentityRole = "candidate"
    _members: dict[str, list[int]] = field(default_factory=dict)

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """As the source draws, with identities."""
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
        """Where training begins: no border, and a face is a word as large as the encoder's own.

        A smaller one would be drowned by the words around it, whoever it is.
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
        """Side of the crops, px; they are shrunk into the border afterwards."""
        return self._judge[0].encoder.image_size

    @property
    def margin(self) -> float:
        """The encoder's own."""
        return self._judge[0].encoder.face_margin

    def losses(self, samples: Sequence[CropSample]) -> Mapping[str, Tensor]:
        """Cross-entropy of the scaled cosines."""
        truth = torch.tensor([int(sample.forged) for sample in samples], device=self.delta.device)
        return {"told": functional.cross_entropy(self._logits(samples), truth)}

    def logits(self, samples: Sequence[CropSample]) -> Tensor:
        """(n,) forged less authentic."""
        logits = self._logits(samples)
        return logits[:, 1] - logits[:, 0]

    def groups(self, options: TrainingOptions) -> list[dict[str, Any]]:
        """The border alone, much faster than weights are learnt, with the published decay."""
        rate = BORDER_RATE * options.rate
        return [{"params": [self.delta], "lr": rate, "weight_decay": DECAY}]

    def detector(self) -> Repdfd:
        """What was learnt, as a detector."""
        return replace(self._judge[0], delta=self.delta.detach().cpu().numpy().copy())

    def _logits(self, samples: Sequence[CropSample]) -> Tensor:
        judge = self._judge[0]
        with torch.no_grad():
            texts = judge.text_features(np.stack([_identity(sample) for sample in samples]))
        pictures = judge.apply_border([sample.image for sample in samples], self.delta)
        return judge.logits(judge.encoder.forward(pictures), texts)


def with_identity(look: TrainingImage, identity: np.ndarray) -> IdentityTrainingImage:
    """The same look, and whose it is."""
    parts = {it.name: getattr(look, it.name) for it in fields(TrainingImage)}
    return IdentityTrainingImage(**parts, identity=identity)


def _swapped(drawn: TrainingPair) -> bool:
    return drawn.family in SWAPS


def _identity(sample: CropSample) -> np.ndarray:
    if not isinstance(sample.look, IdentityTrainingImage):
        raise ValueError("RepDFD learns from looks whose identity is known: use WithIdentities")
    return sample.look.identity
