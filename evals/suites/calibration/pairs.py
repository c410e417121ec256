"""Draw pairs of faces of the same and of different persons, suitable for a bootstrap.

Persons are grouped into disjoint couples, and pairs are drawn only within a couple. Couples are
therefore independent and can be resampled; pairs of all with all, in which each person occurs in
hundreds, cannot.
"""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evals.datasets import ManifestRow

PICTURES_PER_PERSON = 60
PAIRS_PER_PERSON = 10
MOST_PAIRS = 10_000

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class FacePairs:
    """m pairs: `first` and `second` (m,) are rows, `same` (m,) bool, `person_pair_ids` (m,) int."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    person_pair_ids: np.ndarray
    persons: int

    def __len__(self) -> int:
        return len(self.first)


def authentic_pairs(rows: Sequence[ManifestRow], usable: Sequence[bool], *, seed: int) -> FacePairs:
    """Balanced pairs of authentic pictures with a face, each from two different videos or photos.

    As many pairs of different persons as of the same one, or fewer if there are no more; at most 10
    per person and 10,000 in total.
    """
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    pictures = _by_person(rows, usable, rng=rng)
    names = sorted(pictures)
    rng.shuffle(names)
    same: list[tuple[Pair, int]] = []
    different: list[tuple[Pair, int]] = []
    for couple, (one, other) in enumerate(zip(names[::2], names[1::2], strict=False)):
        for name in (one, other):
            same += [(pair, couple) for pair in _within(pictures[name], rows, rng)]
        across = [*itertools.product(pictures[one], pictures[other])]
        drawn = rng.sample(across, min(2 * PAIRS_PER_PERSON, len(across)))
        different += [(pair, couple) for pair in drawn]
    count = min(len(same), len(different), MOST_PAIRS // 2)
    kept = [*rng.sample(same, count), *rng.sample(different, count)]
    return _pairs(kept, same=count, persons=len(names) // 2 * 2)


def forged_pairs(rows: Sequence[ManifestRow], usable: Sequence[bool], *, seed: int) -> FacePairs:
    """Pairs of a person's forgeries and authentic pictures; `same` is always true."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    pictures = _by_person(rows, usable, rng=rng)
    forgeries = _by_person(rows, usable, label="fake", rng=rng)
    found: list[tuple[Pair, int]] = []
    persons = sorted(pictures.keys() & forgeries.keys())
    for number, name in enumerate(persons):
        across = [*itertools.product(forgeries[name], pictures[name])]
        drawn = rng.sample(across, min(PAIRS_PER_PERSON, len(across)))
        found += [(pair, number) for pair in drawn]
    return _pairs(found[:MOST_PAIRS], same=len(found), persons=len(persons))


def _by_person(
    rows: Sequence[ManifestRow], usable: Sequence[bool], *, rng: random.Random, label: str = "real"
) -> dict[str, list[int]]:
    """Up to 60 pictures with a face per known person."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, (row, face) in enumerate(zip(rows, usable, strict=True)):
        if face and row.label == label and row.depicted_id is not None:
            found[row.depicted_id].append(index)
    return {
        name: rng.sample(them, min(PICTURES_PER_PERSON, len(them)))
        for name, them in sorted(found.items())
    }


def _within(
    pictures: Sequence[int], rows: Sequence[ManifestRow], rng: random.Random
) -> Iterator[Pair]:
    """Pairs of one person's pictures; never two frames of one video, which are nearly the same."""
    apart = [
        (first, second)
        for first, second in itertools.combinations(pictures, 2)
        if (rows[first].video_id or rows[first].path)
        != (rows[second].video_id or rows[second].path)
    ]
    yield from rng.sample(apart, min(PAIRS_PER_PERSON, len(apart)))


def _pairs(drawn: Sequence[tuple[Pair, int]], *, same: int, persons: int) -> FacePairs:
    return FacePairs(
        first=np.array([pair[0] for pair, _ in drawn], int),
        second=np.array([pair[1] for pair, _ in drawn], int),
        same=np.arange(len(drawn)) < same,
        person_pair_ids=np.array([couple for _, couple in drawn], int),
        persons=persons,
    )
