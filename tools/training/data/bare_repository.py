"""Read pictures from a bare git clone of a public repository, without a checkout."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.errors import SetupError


@dataclass(frozen=True, eq=False)
class BareRepository:
    """The newest commit of a bare git repository."""

    folder: Path

    @cached_property
    def files(self) -> dict[str, str]:
        """Blob name by path, for every file. Raises SetupError if git cannot read the folder."""
        listed = self._git("ls-tree", "-r", "-z", "HEAD").decode("utf-8", "surrogateescape")
        rows = (row.split("\t", 1) for row in listed.split("\0") if row)
        return {path: about.split()[2] for about, path in rows}

    def text(self, path: str) -> str:
        """One file as text."""
        return self._git("cat-file", "blob", self.files[path]).decode("utf-8")

    def blobs(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        """The bytes of these files, in order; None for a file that is listed but absent."""
        asked = "".join(f"{self.files[path]}\n" for path in paths).encode()
        answer, at = self._git("cat-file", "--batch", stdin=asked), 0
        for _ in paths:
            end = answer.index(b"\n", at)
            told = answer[at:end].split()
            if told[-1] == b"missing":
                yield None
                at = end + 1
                continue
            size = int(told[2])
            yield answer[end + 1 : end + 1 + size]
            at = end + size + 2

    def _git(self, *words: str, stdin: bytes = b"") -> bytes:
        command = ["git", f"--git-dir={self.folder}", *words]
        # Without this, a clone that lacks its large files would fetch them from the network.
        environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=environment, check=False
        )
        if done.returncode:
            reason = done.stderr.decode("utf-8", "replace").strip()
            raise SetupError(f"git cannot read {str(self.folder)!r}: {reason}")
        return done.stdout
