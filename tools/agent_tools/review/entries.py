"""What a reviewer records about a picture: a decision, or a note in their own words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from tools.agent_tools.hit_filter import DECISIONS, DecisionWord
from tools.errors import ToolError
from tools.verdict.handles import quote_untrusted

MAX_NOTE_LENGTH = 2000
"""Characters of a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What decisions and notes have in common: which picture (`image_id`), who, and when.

    `at` is ISO 8601, UTC. `hit` is the picture's handle at that time, "" if it was not listed;
    `user` is the login's name, or "unknown". `undoes` is true if it restores what was before the
    latest one. `message` numbers the user's message that asked for it, 0 outside of a conversation.
    """

    image_id: str
    at: str
    user: str
    hit: str = ""
    undoes: bool = False
    message: int = 0

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild it from `to_json`."""
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(_Entry):
    """A reviewer's decision about a picture; "none" takes back the one before."""

    decision: DecisionWord

    @property
    def is_empty(self) -> bool:
        """Whether no decision is in force after it."""
        return self.decision == "none"

    def emptied(self) -> Self:
        """The same without a decision."""
        return replace(self, decision="none")


@dataclass(frozen=True, slots=True, kw_only=True)
class HitNote(_Entry):
    """A reviewer's note on a picture, in their own words; an empty one removes the one before."""

    text: str

    @property
    def is_empty(self) -> bool:
        """Whether no note is in force after it."""
        return not self.text

    def emptied(self) -> Self:
        """The same without words."""
        return replace(self, text="")


ReviewEntry = Decision | HitNote
"""What a reviewer recorded about a picture."""


def known_decision(decision: str) -> DecisionWord:
    """A decision as written; ToolError if there is none of that name."""
    word = next((it for it in DECISIONS if it == decision.strip().casefold()), None)
    if word is None:
        raise ToolError(
            f"there is no decision {quote_untrusted(decision)}; decisions are "
            f"{', '.join(DECISIONS)}"
        )
    return word
