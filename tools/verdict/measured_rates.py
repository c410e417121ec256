"""What the tests of a forgery question found: misses on unseen tools, and how usual a value is.

Both come from `fitted_on` of the verdict rule, measured with persons held out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.verdict.units import format_percent


@dataclass(frozen=True, slots=True)
class UnseenToolMissRate:
    """Miss rate on `forgeries` by tools that no part was trained on.

    `what` describes them, and the question that was asked of them; `passed` of them read "no sign
    of forgery"; `most` is the one-sided 95 % upper limit of the miss rate, assuming independent
    forgeries.
    """

    what: str
    forgeries: int
    passed: int
    most: float

    @property
    def kind(self) -> str:
        """The forgeries alone, where it is known what was asked of them."""
        return self.what.partition(" (")[0]

    @property
    def share(self) -> float:
        """Miss rate, 0..1."""
        return self.passed / self.forgeries

    @property
    def short_text(self) -> str:
        """Wording for use inside a sentence."""
        return (
            f"{self.passed} of {self.forgeries} {self.what} also passed, at most "
            f"{100 * self.most:.0f} % at 95 % confidence"
        )

    @property
    def text(self) -> str:
        """Wording shown beside a verdict that finds nothing."""
        return (
            f"{self.passed} of {self.forgeries} {self.what} also passed "
            f"({100 * self.share:.0f} %; at most {100 * self.most:.0f} % at 95 % confidence)"
        )


@dataclass(frozen=True, slots=True)
class ShareReaching:
    """How many of the `pictures` of a kind read at least as forged as a face at hand."""

    what: str
    pictures: int
    reaching: int

    @property
    def text(self) -> str:
        """Wording for use inside a sentence."""
        if not self.reaching:
            return f"none of {self.pictures} {self.what}"
        return f"{format_percent(self.reaching / self.pictures)} of {self.what}"


def reached_record(what: str, probabilities: Sequence[float]) -> dict[str, Any]:
    """How many of a kind's cross-validated probabilities (0..1) reach 0 %, 1 % … 100 %."""
    given = np.asarray(probabilities, float)
    return {"what": what, "reaching": [int((given >= it / 100).sum()) for it in range(101)]}


def shares_reaching(
    records: Sequence[Mapping[str, Any]], probability: float
) -> tuple[ShareReaching, ...]:
    """How many pictures of each kind have at least this probability (0..1), in whole percents.

    Rounded as it is shown.
    """
    return tuple(
        ShareReaching(it["what"], it["reaching"][0], it["reaching"][round(100 * probability)])
        for it in records
    )


def in_words(reached: Sequence[ShareReaching]) -> str:
    """One sentence with all kinds, authentic and forged; empty if nothing was counted."""
    if not reached:
        return ""
    *others, last = (it.text for it in reached)
    known = f"{', '.join(others)} and {last}" if others else last
    return f"In tests, {known} read at least as forged"
