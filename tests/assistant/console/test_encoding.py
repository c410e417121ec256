"""Terminal encodings and file names: escaped output, and JSON that every parser accepts."""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.cli.main import main
from assistant.console.output import escape_terminal
from evals.runs.folder import EvalRun, load_run, write_run
from evals.runs.samples import SampleWriter
from tests.assistant.cli.test_cli import faces as faces  # a fixture
from tests.support.stand_ins import FakeFaceAnalyser, picture
from tools.media.file_names import encodable

ENCODINGS = ("cp1252", "latin-1", "ascii", "cp437", "utf-8")
NAMES = (
    "фото.png".encode(), b"bytes\xff\xfe.png", b"new\nline.png", "bidi\u202egnp.png".encode(),
    b"esc\x1b[31m.png", ("é" * 120 + ".png").encode(), b"[red]x.png", "\u2028\u0085.png".encode(),
    b"tab\tcr\r.png", "😀.png".encode(), b"q\"uo'te\\x41.png", b" lead.png", "ﷺ\u200f.png".encode(),
)  # fmt: skip


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures with every such name, and a damaged one."""
    folder = tmp_path_factory.mktemp("named")
    for number, name in enumerate(NAMES):
        buffer = io.BytesIO()
        Image.fromarray(picture(number)).save(buffer, "PNG")
        (folder / os.fsdecode(name)).write_bytes(buffer.getvalue())
    (folder / os.fsdecode(b"broken\xff\n\xd1.png")).write_text("no picture")
    return folder


@pytest.fixture
def unmask(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """A function that runs `unmask` on strict streams of an encoding: status, stdout, stderr."""
    monkeypatch.setattr("assistant.library_environment.harden_library_environment", lambda: None)
    request.addfinalizer(lambda: logging.captureWarnings(False))

    def run(encoding: str, *arguments: object) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        with monkeypatch.context() as context:
            context.setattr(sys, "stdout", streams[0])
            context.setattr(sys, "stderr", streams[1])
            context.setattr(sys, "argv", ["unmask", *map(str, arguments)])
            with pytest.raises(SystemExit) as left:
                main()
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
        return int(left.value.code or 0), out, err

    return run


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_in_every_encoding(
    unmask, faces: FakeFaceAnalyser, named: Path, tmp_path: Path, encoding: str
) -> None:  # fmt: skip
    """No command fails for what the console's encoding lacks, and nothing steers the terminal."""
    query, page = named / os.fsdecode(NAMES[0]), tmp_path / os.fsdecode(b"\xd1\xff.html")
    runs = [
        ("index", named), ("find", query), ("find", query, "--explain", "--page", page),
        ("galleries", "list"), ("models", "list"), ("cases",), ("detectors",),
    ]  # fmt: skip
    for arguments in runs:
        status, out, err = unmask(encoding, *arguments)
        assert status == 0, err
        assert all(it.isprintable() for line in (out + err).split("\n") for it in line), arguments
    assert page.read_text(encoding="utf-8")
    for arguments in (("find", named / "ф"), ("find", query, "-g", "ф\u202e"), ("cases", "ф")):
        status, out, err = unmask(encoding, *arguments)
        assert (status, out) == (1, "")
        assert err.startswith("error: ")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_read_by_any_reader(
    unmask, faces: FakeFaceAnalyser, named: Path, encoding: str
) -> None:  # fmt: skip
    """One object, no lone surrogate, and every name in it once, escaped the same everywhere."""
    query = named / os.fsdecode(NAMES[1])
    wanted = sorted(encodable(os.fsdecode(name)) for name in NAMES)
    status, out, _ = unmask(encoding, "index", named, "--json")
    assert status == 0
    told = json.loads(out)
    assert [Path(it["path"]).name for it in told["skipped_files"]] == ["broken\\xff\n\\xd1.png"]
    status, out, _ = unmask(encoding, "find", query, "--top", 50, "--json")
    assert status == 0
    findings = json.loads(out)
    json.dumps(findings, ensure_ascii=False).encode("utf-8")
    assert sorted(Path(hit["path"]).name for hit in findings["hits"]) == wanted
    for arguments in (["galleries", "list"], ["models", "list"], ["cases"], ["detectors"]):
        status, out, _ = unmask(encoding, *arguments, "--json")
        assert status == 0
        json.dumps(json.loads(out), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_real_process(tmp_path: Path, named: Path, variables: dict[str, str]) -> None:
    """The same in a process of its own, whose file names the locale cannot read."""
    script = "from assistant.cli.main import main; main()"
    command = [os.fsencode(it) for it in (sys.executable, "-c", script, "find", named)]
    command[-1] += b"/\xd1\x84\xff.png"
    environment = {**os.environ, "UNMASK_HOME": str(tmp_path), **variables}
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 1
    (line,) = done.stderr.decode("ascii").splitlines()
    assert line.startswith("error: ")


def test_text_with_half_characters() -> None:
    """Bytes that are no UTF-8 are escaped; whole characters (LC_ALL=C) and all else are kept."""
    assert encodable("plain фото") == "plain фото"
    assert encodable(os.fsdecode(b"a\xff")) == "a\\xff"
    assert encodable(b"\xd1\x84".decode("ascii", "surrogateescape")) == "ф"
    assert encodable("\ud800x") == "\\xed\\xa0\\x80x"
    assert escape_terminal("a\udcffb\u202ec") == "a\\xffb\\u202ec"


def test_a_runs_files_hold_any_name(tmp_path: Path) -> None:
    """`run.json` and `samples.jsonl` are UTF-8 whatever a file is called."""
    name = os.fsdecode(b"bad\xff\n.png")
    run = EvalRun(
        "s", "q", "t", 0.0, {}, {"root": name}, {}, {name: {"x": name, "y": np.float64(1)}}
    )
    write_run(tmp_path, run)
    assert load_run(tmp_path).figures == {"bad\\xff\n.png": {"x": "bad\\xff\n.png", "y": 1.0}}
    SampleWriter(tmp_path).score(id=name, group=name, set="s", label=1, scores={"a": 0.5})
    (line,) = (tmp_path / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["id"] == "bad\\xff\n.png"


LONG = ("a" * 300, "a" * 5000, "/b" * 4000, "ф" * 200, "x" * 300 + ".jpg")


@pytest.mark.parametrize("name", LONG)
def test_names_of_any_length(
    unmask, faces: FakeFaceAnalyser, named: Path, name: str
) -> None:  # fmt: skip
    """A name that no file can have is one short line, wherever it stands."""
    photo = named / os.fsdecode(NAMES[0])
    assert unmask("utf-8", "index", named)[0] == 0
    runs = (
        ("find", name), ("find", photo, name), ("index", name), ("index", named, name),
        ("find", photo, "-g", name), ("index", named, "-g", name), ("galleries", "prune", name),
        ("galleries", "forget", name), ("cases", name), ("models", "verify", name),
        ("fit", "unifd_linear", "--real", name), ("find", photo, "--page", name),
        ("fit", "unifd_linear", "--real", named, "--fake", name),
    )  # fmt: skip
    for arguments in runs:
        status, out, err = unmask("utf-8", *arguments)
        assert (status, out) == (1, ""), arguments
        (line,) = err.splitlines()
        assert line.startswith("error: ")
        assert len(line) < 1000


@pytest.mark.parametrize("command", ["index", "find"])
def test_an_empty_name_is_not_the_current_folder(
    unmask, faces: FakeFaceAnalyser, home: Path, command: str
) -> None:  # fmt: skip
    """`unmask index "$UNSET"` indexes nothing."""
    status, out, err = unmask("utf-8", command, "")
    assert (status, out) == (2, "")
    assert "is empty" in err
    assert not home.exists()
