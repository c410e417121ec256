"""Training pairs of an authentic picture and a forgery from folders, existing or forged on the fly.

`MatchedPairs` pairs each forgery of a folder with its original (the file of the same name), else
with a picture of the same person, else with any picture. `ForgedPairs` needs no forgeries:
`tools.forge.forgery` makes them from the authentic photographs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tools.errors import ToolError
from tools.forge.forgery import ALL_FAMILIES, FAMILIES, FAMILIES_WITH_SOURCE, SCENE_FAMILIES, forge
from tools.training.data.forgery_pool import HELD_OUT_FAMILY, difference_mask, through_jpeg
from tools.training.data.pairs import PairSource, TrainingImage, TrainingPair
from tools.training.fitting.data.crops import WorkingImageReader
from tools.training.fitting.data.dataset import PersonImage

FACE_FAMILIES = tuple(family for family in FAMILIES if family != HELD_OUT_FAMILY)
IMAGE_FAMILIES = (*FACE_FAMILIES, *SCENE_FAMILIES)
FORGERY = "forgery"
"""The family of forgeries that are in no sub-folder."""
_TRIES = 3


class FolderPairs(PairSource, Protocol):
    """A pair source that also provides single pictures for evaluation."""

    @property
    def families(self) -> tuple[str, ...]:
        """The forgery families in it."""

    def evaluation_samples(self, *, forgeries: int) -> "list[EvaluationSample]":
        """Every authentic picture, and about `forgeries` forgeries, or all existing ones."""

    def show(self, case: "EvaluationSample", *, seed: int) -> TrainingImage | None:
        """The picture of a sample, equal for equal seeds; None if it is missing or cannot be
        made."""


@dataclass(frozen=True, slots=True)
class EvaluationSample:
    """One evaluation picture: a forgery of a `family`, or authentic (no family)."""

    member: PersonImage
    family: str | None
    number: int

    @property
    def forged(self) -> bool:
        """Whether it is a forgery."""
        return self.family is not None


@dataclass(frozen=True, slots=True, eq=False)
class ForgedPairs:
    """Photographs of one part with forgeries of them; a swap uses another photograph of the part.

    Each photograph is drawn `rounds` times per epoch, with a different forgery each time.
    """

    members: Sequence[PersonImage]
    looks: WorkingImageReader
    families: tuple[str, ...]
    rounds: int = 1

    def __len__(self) -> int:
        return len(self.members) * self.rounds

    def group(self, index: int) -> str:
        """The person of the photograph."""
        return self.members[index % len(self.members)].person

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """A photograph and a forgery of it, half of the time both through one JPEG encoder."""
        member = self.members[index % len(self.members)]
        for _ in range(_TRIES):
            drawn = self.forged(member, str(rng.choice(self.families)), rng)
            if drawn is not None:
                return drawn
        return None

    def forged(
        self, member: PersonImage, family: str, rng: np.random.Generator
    ) -> TrainingPair | None:
        """One forgery; None if this photograph cannot be forged with this family."""
        try:
            real = self.looks.look(member.picture)
            source = self._source(member, rng) if family in FAMILIES_WITH_SOURCE else None
            if real.landmarks is None or (family in FAMILIES_WITH_SOURCE and source is None):
                return None
            forgery = forge(
                real.pixels, real.landmarks, family=family, rng=rng,
                source_pixels=None if source is None else source.pixels,
                source_landmarks=None if source is None else source.landmarks,
            )  # fmt: skip
        except ToolError:
            return None
        pixels = _compressed(rng, real.pixels, forgery.pixels)
        mask = (forgery.mask * 255).astype(np.uint8)
        return TrainingPair(
            TrainingImage(pixels[0], real.keypoints, real.landmarks, np.zeros_like(mask)),
            TrainingImage(pixels[1], real.keypoints, real.landmarks, mask),
            family,
            paired=True,
        )

    def evaluation_samples(self, *, forgeries: int) -> list[EvaluationSample]:
        """The photographs, then their forgeries, cycling through the families."""
        rounds = min(len(self.families), max(1, -(-forgeries // len(self.members))))
        found = [EvaluationSample(it, None, at) for at, it in enumerate(self.members)]
        for at, it in enumerate(self.members):
            chosen = [self.families[(at + k) % len(self.families)] for k in range(rounds)]
            found += [EvaluationSample(it, family, at) for family in chosen]
        return found

    def show(self, case: EvaluationSample, *, seed: int) -> TrainingImage | None:
        """The photograph or its forgery, half of them compressed once more."""
        known = (None, *ALL_FAMILIES)
        rng = np.random.default_rng([seed, case.number, known.index(case.family)])
        if case.family is not None:
            drawn = self.forged(case.member, case.family, rng)
            return None if drawn is None else drawn.fake
        try:
            look = self.looks.look(case.member.picture)
        except ToolError:
            return None
        return replace(look, pixels=_compressed(rng, look.pixels)[0])

    def _source(self, member: PersonImage, rng: np.random.Generator) -> TrainingImage | None:
        """A photograph of a person who is not in the target."""
        for at in rng.permutation(len(self.members)):
            other = self.members[int(at)]
            if not other.persons & member.persons and other.picture.landmarks is not None:
                return self.looks.look(other.picture)
        return None


@dataclass(frozen=True, slots=True, eq=False)
class MatchedPairs:
    """Authentic and forged pictures of one split, as pairs; see `match_originals`."""

    pairs: Sequence[tuple[PersonImage, PersonImage]]
    looks: WorkingImageReader
    rounds: int = 1

    @property
    def families(self) -> tuple[str, ...]:
        """The sub-folders of the forgeries."""
        return tuple(sorted({family_of(forged) for _, forged in self.pairs}))

    def __len__(self) -> int:
        return len(self.pairs) * self.rounds

    def group(self, index: int) -> str:
        """The person of the authentic picture."""
        return self.pairs[index % len(self.pairs)][0].person

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """The pair as stored; None if a file is missing or has no face to crop."""
        authentic, forged = self.pairs[index % len(self.pairs)]
        paired = forged.original is authentic.picture
        try:
            real = self.looks.look(authentic.picture)
            fake = self.looks.look(forged.picture, like=authentic.picture if paired else None)
        except ToolError:
            return None
        if paired:
            mask = difference_mask(real.pixels, fake.pixels)
            real = TrainingImage(real.pixels, real.keypoints, real.landmarks, np.zeros_like(mask))
            fake = TrainingImage(fake.pixels, fake.keypoints, fake.landmarks, mask)
        return TrainingPair(real, fake, family_of(forged), paired)

    def evaluation_samples(self, *, forgeries: int) -> list[EvaluationSample]:
        """Every picture once."""
        members = dict.fromkeys(it for pair in self.pairs for it in pair)
        return [
            EvaluationSample(it, family_of(it) if it.picture.forged else None, at)
            for at, it in enumerate(members)
        ]

    def show(self, case: EvaluationSample, *, seed: int) -> TrainingImage | None:
        """The file, unchanged."""
        try:
            return self.looks.look(case.member.picture)
        except ToolError:
            return None


@dataclass(frozen=True, slots=True, eq=False)
class SplitSource:
    """A source whose pairs all belong to one side of a given split."""

    source: PairSource
    name: str

    def __len__(self) -> int:
        return len(self.source)

    def group(self, index: int) -> str:
        """The name of the side."""
        return self.name

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """The source's pair."""
        return self.source.draw(index, rng)


def match_originals(
    members: Sequence[PersonImage], *, seed: int
) -> list[tuple[PersonImage, PersonImage]]:
    """Match each forgery with its original, a picture of its person, or any picture.

    Unmatched authentic pictures are paired with the forgeries again, in turn.
    """
    rng = np.random.default_rng(seed)
    authentic = [it for it in members if not it.picture.forged]
    forged = [it for it in members if it.picture.forged]
    originals = {it.picture.id: it for it in authentic}
    anybody = _endless(authentic, rng)
    of_person: dict[str, Iterator[PersonImage]] = {}
    for name in sorted({name for it in authentic for name in it.persons}):
        of_person[name] = _endless([it for it in authentic if name in it.persons], rng)
    pairs = []
    for it in forged:
        known = None if it.original is None else originals.get(it.original.id)
        likely = next((of_person[name] for name in sorted(it.persons) if name in of_person), None)
        pairs.append((known or next(likely or anybody), it))
    taken = {pair[0].picture.id for pair in pairs}
    again = _endless(forged, rng)
    return pairs + [(it, next(again)) for it in authentic if it.picture.id not in taken]


def family_of(member: PersonImage) -> str:
    """The first sub-folder of a forgery: the tool or method."""
    parts = member.picture.name.parts
    return parts[0] if len(parts) > 1 else FORGERY


def _compressed(rng: np.random.Generator, *pictures: np.ndarray) -> list[np.ndarray]:
    """Half of the time a shared JPEG encoder for both, otherwise none."""
    if rng.random() < 0.5:
        return list(pictures)
    quality = int(rng.integers(60, 99))
    return [through_jpeg(it, quality) for it in pictures]


def _endless(members: Sequence[PersonImage], rng: np.random.Generator) -> Iterator[PersonImage]:
    while True:
        yield from (members[int(at)] for at in rng.permutation(len(members)))
