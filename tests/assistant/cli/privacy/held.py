"""Runs of the command line on a data folder, and what lies in it."""

from pathlib import Path

from typer.testing import CliRunner, Result

from assistant.case.catalogue import list_cases
from assistant.case.record import Case
from assistant.cli.main import app

Traces = dict[str, list[bytes]]
"""Byte sequences that betray a picture, by kind."""


def unmask(*words: str | Path, typed: str | None = None) -> Result:
    """One run of the command line."""
    return CliRunner().invoke(app, [str(each) for each in words], input=typed)


def write(path: Path, text: str) -> None:
    """Write a file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def only_case(data: Path) -> Case:
    """The one case there is."""
    (summary,) = list_cases(data)
    return Case.open(data, summary.id)


def state(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes, SQLite's shared memory aside."""
    files = sorted(it for it in folder.rglob("*") if it.is_file())
    return {str(it): it.read_bytes() for it in files if not it.name.endswith(("-shm", "-wal"))}
