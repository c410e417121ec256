"""`unmask lock` and `unmask unlock` on a real gallery and a real case."""

import json
from pathlib import Path

import pytest

from assistant import Settings, Unmask
from assistant.case.locking import require_outside
from assistant.case.record import Case
from tests.assistant.cli.privacy.held import Traces, only_case, state, unmask
from tests.assistant.server.serving import client_of, server_in
from tests.support.cases import GALLERY
from tests.support.made.held_bytes import found_below
from tools.errors import SetupError
from tools.gallery.access_log import accesses
from tools.gallery.record_store import Gallery
from tools.media.hashing import file_sha256


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key file beside the data folder."""
    assert unmask("lock", "--new-key", tmp_path / "unmask.key").exit_code == 0
    return tmp_path / "unmask.key"


def files(data: Path) -> dict[str, bytes]:
    """Every file but caches, logs and locks, and databases, whose journal mode may differ."""
    changing = (".sqlite3", ".jsonl", ".lock")
    held = {it: seen for it, seen in state(data).items() if not it.endswith(changing)}
    return {it: seen for it, seen in held.items() if "/uploads/" not in it}


def test_all_is_locked_opens_nowhere_and_comes_back(
    investigated: Traces, data: Path, query: Path, source: Path, key: Path
) -> None:
    """No byte of the picture is found; every command and the API say one line; nothing is lost."""
    id = only_case(data).id
    before = files(data)
    answer = unmask("lock", "--all", "--key-file", key)
    assert answer.exit_code == 0, answer.output
    assert f"Locked: gallery {GALLERY!r}\nLocked: case {id}\n" in answer.stdout
    assert found_below(data, investigated) == {}
    gallery, case = f"`unmask unlock {GALLERY}`", f"`unmask unlock --case {id}`"
    for words, part in (
        (["find", query, "-g", GALLERY], gallery),
        (["index", source, "-g", GALLERY], gallery),
        (["ask", query, "find fakes", "-g", GALLERY], gallery),
        (["galleries", "log", GALLERY], gallery),
        (["galleries", "note", GALLERY, "--basis", "x"], gallery),
        (["galleries", "upgrade", GALLERY], gallery),
        (["review", id, "list"], case),
        (["cases", "rename", id, "x"], case),
        (["cases", "log", id], case),
        (["cases", "verify"], case),
        (["ask", "why?", "--case", id], case),
        (["forget", "--image", source, "--dry-run"], gallery),
    ):
        answer = unmask(*words)
        told = " ".join((answer.stdout + answer.stderr).split())
        assert (answer.exit_code, part in told) == (1, True), (words, answer.output)
        assert "Traceback" not in told and answer.exception.__class__ is SystemExit, words
    listed = json.loads(unmask("galleries", "list", "--json").stdout)["galleries"]
    assert [gallery in it["problem"] for it in listed if it["name"] == GALLERY] == [True]
    (row,) = json.loads(unmask("cases", "list", "--json").stdout)["cases"]
    assert (row["state"], case in row["damaged"]) == ("locked", True)
    assert found_below(data / "galleries", investigated) == {}
    assert found_below(data / "cases", investigated) == {}
    answer = unmask("unlock", "--all", "--key-file", key)
    assert answer.exit_code == 0, answer.output
    assert files(data) == before
    with Gallery.open_existing(data, GALLERY) as opened:
        assert (opened.problems(), opened.has_image(file_sha256(source))) == ([], True)
        assert [it.what for it in accesses(opened.folder)][-2:] == ["lock", "unlock"]
    assert unmask("cases", "verify", id).exit_code == 0
    assert unmask("find", query, "-g", GALLERY, "--quick", "--json").exit_code == 0


def test_a_passphrase_opens_what_it_locked(data: Path) -> None:
    """From stdin without a terminal; a wrong one is one line, in JSON too, and changes nothing."""
    right = "four words are enough\n"
    assert unmask("lock", GALLERY, "--json", typed=right).stdout.count(GALLERY) == 1
    locked = state(data)
    answer = unmask("unlock", GALLERY, "--json", typed="four words are wrong\n")
    told = json.loads(answer.stdout)
    assert (answer.exit_code, told["unlocked"]) == (1, [])
    assert "the passphrase is wrong" in told["problems"][f"gallery {GALLERY!r}"]
    assert state(data) == locked
    assert unmask("unlock", GALLERY, typed=right).stdout == f"Unlocked: gallery {GALLERY!r}\n"
    assert Gallery.names(data) == [GALLERY]


def test_slips_are_one_line(data: Path, key: Path, tmp_path: Path) -> None:
    """Nothing is locked, and the line says what to do."""
    before = state(data)
    for words, status, part in (
        (["lock"], 2, "name galleries or --case ID, or use --all"),
        (["lock", "x", "--all"], 2, "name galleries or --case ID, or use --all"),
        (["lock", "nix", "--key-file", key], 1, "there is no gallery 'nix'"),
        (["lock", "--case", "../..", "--key-file", key], 1, "there is no case"),
        (["lock", GALLERY, "--key-file", tmp_path / "nix"], 1, "unmask lock --new-key FILE"),
        (["lock", GALLERY], 1, "there is no terminal to ask on"),
        (["lock", "--new-key", data / "key"], 1, "lies in the data folder"),
        (["lock", "--new-key", key], 1, "exists already"),
    ):
        answer = unmask(*words)
        assert (answer.exit_code, part in " ".join(answer.stderr.split())) == (status, True), (
            words, answer.output,
        )  # fmt: skip
    assert state(data) == before
    with pytest.raises(SetupError, match="keep it elsewhere"):
        require_outside(data / "galleries" / "x.key", Settings.load())


def test_a_locked_case_or_gallery_can_be_deleted(
    investigated: Traces, data: Path, key: Path
) -> None:
    """Without its key: that is what makes a lost key harmless."""
    id = only_case(data).id
    for words in (["--case", id], ["--gallery", GALLERY]):
        locked = words[1] if words[0] == "--gallery" else None
        chosen = [locked] if locked else words
        assert unmask("lock", *chosen, "--key-file", key).exit_code == 0
        assert unmask("forget", *words, "--yes").exit_code == 0
    assert not (data / "cases" / id).exists()
    assert Gallery.names(data) == []


def test_the_api_says_that_a_case_is_locked(case: Unmask, tmp_path: Path) -> None:
    """A conflict, with the command that opens it; another user still learns nothing."""
    server = server_in(tmp_path)
    home = server.parts.settings.home
    made = Case.create(home, gallery="x")
    server.parts.ledger.own("case", made.id, "ada")
    (made.folder / "locked.age").touch()
    ada, bob = client_of(server, "ada"), client_of(server, "bob")
    answer = ada.get(f"/api/v1/investigations/{made.id}")
    assert answer.status_code == 409
    assert f"unmask unlock --case {made.id}" in answer.json()["detail"]
    assert bob.get(f"/api/v1/investigations/{made.id}").status_code == 404
