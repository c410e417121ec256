"""Split persons into training, early-stopping, calibration and test parts.

A person is in one part only. A picture with several persons, such as a swap, belongs to a part if
all of them do, and is left out otherwise.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from tools.errors import SetupError

Split = Literal["learn", "stop", "calibrate", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SPLIT_FRACTIONS: Mapping[Split, float] = {"learn": 0.5, "stop": 0.1, "calibrate": 0.2, "test": 0.2}
"""Shares of the pictures. `stop` is for early stopping; trainers without it train on this part
too."""
MIN_PERSONS: Mapping[Split, int] = {"learn": 2, "stop": 1, "calibrate": 2, "test": 2}
"""Minimum persons per part: two where one must provide a face for another."""
_TRIES = 100

PersonsAndLabel = tuple[frozenset[str], bool]
"""The persons in a picture, and whether it is forged."""


def assign_splits(
    pictures: Sequence[PersonsAndLabel], *, seed: int, forgeries: bool
) -> Mapping[str, Split]:  # fmt: skip
    """The part of every person; equal pictures and seeds give equal parts.

    With `forgeries`, every part must hold authentic and forged pictures, otherwise authentic ones.
    Raises SetupError if there are too few persons, or no random draw meets this.
    """
    counts = Counter(name for persons, forged in pictures for name in persons if not forged)
    for persons, _ in pictures:
        counts.update(dict.fromkeys(persons, 0))
    names, needed = sorted(counts), sum(MIN_PERSONS.values())
    if len(names) < needed:
        found = "1 person has" if len(names) == 1 else f"{len(names)} persons have"
        raise SetupError(
            f"{found} been found, {needed} are needed to train and test on different persons: "
            "add photos of more people (a sub-folder for each helps)"
        )
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        parts = _dealt([names[at] for at in rng.permutation(len(names))], counts)
        if _serves(pictures, parts, forgeries=forgeries):
            return parts
    kinds = "authentic and forged pictures" if forgeries else "authentic pictures"
    raise SetupError(
        f"{len(names)} persons cannot be divided so that each of {len(SPLITS)} parts "
        f"holds {kinds}: "
        "add persons, or pictures of the missing kind"
    )


def split_of(persons: Iterable[str], parts: Mapping[str, Split]) -> Split | None:
    """The part in which a picture of these persons may be used; None if they are in different
    parts."""
    found = {parts[name] for name in persons}
    return found.pop() if len(found) == 1 else None


def _dealt(names: Sequence[str], counts: Mapping[str, int]) -> dict[str, Split]:
    """First each part's minimum, then each person to the part with the largest deficit."""
    parts: dict[str, Split] = {}
    waiting = [part for part in SPLITS for _ in range(MIN_PERSONS[part])]
    held: Counter[Split] = Counter()
    total = sum(counts.values()) or 1
    for name, part in zip(names, waiting, strict=False):
        parts[name] = part
        held[part] += counts[name]
    for name in names[len(waiting) :]:
        lacking: Split = max(SPLITS, key=lambda part: SPLIT_FRACTIONS[part] - held[part] / total)
        parts[name] = lacking
        held[lacking] += counts[name]
    return parts


def _serves(
    pictures: Sequence[PersonsAndLabel], parts: Mapping[str, Split], *, forgeries: bool
) -> bool:
    kinds = (False, True) if forgeries else (False,)
    found = {(split_of(persons, parts), forged) for persons, forged in pictures}
    return all((part, forged) in found for part in SPLITS for forged in kinds)
