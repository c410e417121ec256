"""Whether a folder is locked: one file says so, and nothing in the folder is read while it exists.

Every place that opens a gallery, a case or another folder of personal data asks here first.
"""

from pathlib import Path

from tools.errors import SetupError
from tools.media.paths import is_file

ARCHIVE = "locked.age"
"""The encrypted archive. While it exists it is the whole truth: other files are leftovers."""

WRAPPED_KEY = "locked.key.age"
"""The archive's key, encrypted with a passphrase; absent if the archive opens with a key file."""


def is_locked(folder: Path) -> bool:
    """Whether the contents of a folder lie in an encrypted archive."""
    return is_file(folder / ARCHIVE)


def require_unlocked(folder: Path, what: str, *, unlock: str) -> None:
    """Raise SetupError, which names the command `unmask unlock` + `unlock`, for a locked folder."""
    if is_locked(folder):
        raise SetupError(f"{what} is locked: open it with `unmask unlock {unlock}`")
