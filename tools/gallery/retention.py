"""Why a gallery may be kept, and until when: its owner's note, stored in the gallery.

Nothing is deleted by itself when the day has passed: every search says so and names the command.
"""

import re
from dataclasses import dataclass
from datetime import date

from tools.errors import SetupError

MAX_BASIS_CHARS = 500


@dataclass(frozen=True, slots=True)
class RetentionNote:
    """The lawful `basis` in the owner's words, and the last day of keeping; empty if not noted."""

    basis: str = ""
    keep_until: str = ""

    def is_overdue(self, today: date | None = None) -> bool:
        """Whether the last day has passed, by this machine's date."""
        if not self.keep_until:
            return False
        return date.fromisoformat(self.keep_until) < (today or date.today())

    @property
    def text(self) -> str:
        """One sentence for a report; empty if nothing is noted."""
        parts = [f"Lawful basis, as noted: {self.basis}"] if self.basis else []
        parts += [f"keep until {self.keep_until}"] if self.keep_until else []
        sentence = "; ".join(parts)
        return sentence and f"{sentence[0].upper()}{sentence[1:]}."


def checked_basis(text: str) -> str:
    """A basis as one line. Raises SetupError if it is too long."""
    line = " ".join(text.split())
    if len(line) > MAX_BASIS_CHARS:
        raise SetupError(f"--basis: at most {MAX_BASIS_CHARS} characters, not {len(line)}")
    return line


def checked_day(text: str) -> str:
    """A day as YYYY-MM-DD; empty stays empty. Raises SetupError for any other form."""
    try:
        if text and not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError(text)
        return text and date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise SetupError(f"--keep-until {text!r} is no day: write it as 2027-01-31") from error


def overdue_notice(name: str, note: RetentionNote) -> str:
    """The sentence for every search of a gallery that is past its date."""
    return (
        f"gallery {name!r} was to be kept until {note.keep_until}: delete it with `unmask forget "
        f"--gallery {name}`, or note another day with `unmask galleries note {name} --keep-until "
        "DATE`; nothing is deleted by itself"
    )
