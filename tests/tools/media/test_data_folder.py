"""An unusable data folder (a file, missing, read-only, disk full): one line, nothing lost."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from assistant.cli.doctor import check_disk, check_home
from assistant.cli.main import app
from assistant.settings import Settings
from evals.__main__ import main as evals
from tests.support.stand_ins import picture
from tools.errors import SetupError
from tools.media.data_folder import as_setup_error, require_writable

READING = (
    ("find", "PHOTO"), ("models", "list"), ("models", "verify"), ("cases",), ("cases", "x"),
    ("galleries", "list"), ("galleries", "prune", "x"), ("galleries", "forget", "x", "--yes"),
    ("detectors",),
)  # fmt: skip
WRITING = (
    ("index", "PHOTOS"), ("ask", "PHOTO", "hi"), ("ask", "hi"), ("chat", "--port", "0"), ("demo",),
    ("fit", "unifd_linear", "--real", "PHOTOS"),
)  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture."""
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(picture(1)).save(folder / "person.png")
    return folder


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A read-only disk and a full one, where the tests may mount them."""
    read_only, full = (tmp_path_factory.mktemp(name) for name in ("read_only", "full"))
    mounts = [
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(read_only)],
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)],
    ]
    for mount in mounts:
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("mounting needs rights that this machine does not give")
    try:
        with pytest.raises(OSError, match="No space"):
            (full / "fill").write_bytes(bytes(1 << 20))
        yield {"read-only": read_only / "home", "full": full / "home"}
    finally:
        for folder in (read_only, full):
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def refusal(arguments: tuple[str, ...], photos: Path) -> str:
    """The one line with which a command ends."""
    names = {"PHOTO": str(photos / "person.png"), "PHOTOS": str(photos)}
    result = CliRunner().invoke(app, [names.get(each, each) for each in arguments])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = result.stderr.splitlines()
    assert not result.stdout
    return line


@pytest.mark.parametrize("arguments", READING + WRITING, ids=" ".join)
@pytest.mark.parametrize("below", [False, True])
def test_a_home_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path, arguments: tuple[str, ...],
    below: bool,
) -> None:  # fmt: skip
    """Every command says so in a line that names UNMASK_HOME, and leaves the file alone."""
    file = tmp_path / "home"
    file.write_text("a file")
    monkeypatch.setenv("UNMASK_HOME", str(file / "deeper" if below else file))
    line = refusal(arguments, photos)
    assert line.startswith("error: ")
    assert "UNMASK_HOME" in line
    assert "is not a folder" in line
    assert file.read_text() == "a file"


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
@pytest.mark.parametrize("kind", ["read-only", "full"])
def test_a_home_that_cannot_be_written(
    disks: dict[str, Path], monkeypatch: pytest.MonkeyPatch, photos: Path,
    arguments: tuple[str, ...], kind: str,
) -> None:  # fmt: skip
    """A command that writes says so before it computes anything."""
    monkeypatch.setenv("UNMASK_HOME", str(disks[kind]))
    line = refusal(arguments, photos)
    assert line.startswith("error: the data folder")
    assert "UNMASK_HOME" in line
    assert {"read-only": "read-only file system", "full": "no space left"}[kind] in line


@pytest.mark.parametrize("kind", ["read-only", "full"])
def test_what_only_reads_works_all_the_same(
    disks: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Listing needs no room and no rights."""
    monkeypatch.setenv("UNMASK_HOME", str(disks[kind]))
    for command in (["galleries", "list"], ["cases"], ["models", "list"], ["detectors"]):
        assert CliRunner().invoke(app, command).exit_code == 0


@pytest.mark.parametrize("kind", ["read-only", "full"])
def test_the_doctor_sees_it(disks: dict[str, Path], kind: str) -> None:
    """A folder that cannot be written has a broken mark."""
    check = check_home(disks[kind])
    assert check.state == "broken"
    assert "UNMASK_HOME" in check.hint


@pytest.mark.parametrize("name", ["a file", "a" * 300, "x/" * 3000])
def test_the_doctor_reports_what_it_cannot_look_at(tmp_path: Path, name: str) -> None:
    """A home that no file system takes is reported, not raised."""
    (tmp_path / "a file").write_text("")
    home = tmp_path / name
    assert check_home(home).state == "broken"
    assert check_disk(home).state in ("ok", "warning", "broken")


def test_a_home_that_no_file_system_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    """A name that is too long is one line for every command, and `doctor` goes through."""
    monkeypatch.setenv("UNMASK_HOME", str(tmp_path / ("a" * 300)))
    for arguments in READING + WRITING:
        line = refusal(arguments, photos)
        assert "too long" in line
        assert "UNMASK_HOME" in line
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "broken" in result.stdout


def test_a_missing_home_is_made(tmp_path: Path) -> None:
    """A home that is not there yet is no fault."""
    home = tmp_path / "not" / "yet"
    assert check_home(home).state == "ok"
    assert not home.exists()
    require_writable(home)
    assert [*home.iterdir()] == []


@pytest.mark.parametrize("kind", ["file", "read-only", "full"])
def test_evaluations_say_it_as_well(
    disks: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str,
    photos: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """`python -m evals run` ends with the same line."""
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("UNMASK_HOME", str(disks.get(kind, tmp_path / "home")))
    assert evals(["run", "leakage", "--data", str(photos)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the data folder")
    assert "UNMASK_HOME" in line


def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails in the data folder later is a line too; what fails elsewhere is none of its."""
    home = Settings(home=tmp_path / "home").home
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "no space left" in str(as_setup_error(full, home))
    inside = NotADirectoryError(
        errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(home / "cases" / "x")
    )
    assert isinstance(as_setup_error(inside, home), SetupError)
    outside = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(tmp_path / "else"))
    assert as_setup_error(outside, home) is None
    missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(home / "x"))
    assert as_setup_error(missing, home) is None  # a bug of ours
    assert as_setup_error(BrokenPipeError(errno.EPIPE, ""), home) is None


def test_a_record_that_cannot_be_written_meanwhile(disks: dict[str, Path], tmp_path: Path) -> None:
    """SQLite's own words for it become the same line."""
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(disks["read-only"].parent / "new.sqlite3").execute("CREATE TABLE a (b)")
    assert "UNMASK_HOME" in str(as_setup_error(caught.value, tmp_path))
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(":memory:").execute("no statement")
    assert as_setup_error(caught.value, tmp_path) is None
