"""The token of one run of the server: in an owner-only file, valid until the server ends.

Programs of the same user read the file; nobody has to create a token to try the API on this
machine. Only its hash is kept in memory.
"""

import contextlib
import hmac
from collections.abc import Iterator
from pathlib import Path

from assistant.server.access.roles import SCOPES, Identity
from assistant.server.access.tokens import TokenStore, digest, new_secret
from tools.errors import SetupError
from tools.gallery.access_log import OWNER
from tools.media.private_files import open_private, private_folder


def run_token_file(config_dir: Path) -> Path:
    """Where a running server keeps its token."""
    return config_dir / "serve-token"


class Keyring:
    """Everything that opens the gate: stored tokens, and the token of this run if there is one."""

    def __init__(self, tokens: TokenStore, run_secret: str | None = None) -> None:
        self._tokens = tokens
        self._run = None if run_secret is None else digest(run_secret)

    def find(self, secret: str) -> Identity | None:
        """Whose secret this is; None for an unknown one."""
        if self._run is not None and hmac.compare_digest(digest(secret), self._run):
            return Identity(OWNER, frozenset(SCOPES), "admin")
        return self._tokens.find(secret)


@contextlib.contextmanager
def run_token(config_dir: Path) -> Iterator[str]:
    """Write a new token for this run; the file is gone afterwards. Raises SetupError."""
    path, secret = run_token_file(config_dir), new_secret()
    try:
        private_folder(config_dir)
        with open_private(path) as file:
            file.write(secret + "\n")
    except OSError as error:
        raise SetupError(
            f"the server's token cannot be written to {str(path)!r} ({error.strerror}): choose "
            "another folder by setting UNMASK_CONFIG_DIR"
        ) from error
    try:
        yield secret
    finally:
        # Another server of the same user may have written its own in the meantime.
        with contextlib.suppress(OSError):
            if path.read_text("utf-8").strip() == secret:
                path.unlink()
