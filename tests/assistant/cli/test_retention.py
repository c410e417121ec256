"""Notes and logs on the command line: what a search, a report, the list and doctor say."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant import Settings
from assistant.case.record import Case
from assistant.cli import doctor
from assistant.cli.main import app
from assistant.profile import LoadedModels
from tests.support.stand_ins import FINGERPRINT, FakeEncoder, FakeFaceAnalyser, write_pictures
from tools.gallery.access_log import login_name


@pytest.fixture
def photo(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery `case42` of three pictures, with stand-ins for the neural parts."""
    parts = {
        "faces": FakeFaceAnalyser(), "encoder": FakeEncoder(), "fingerprint": FINGERPRINT,
        "detectors": [], "pixel_detectors": [], "second_embedder": None, "rule": None,
    }  # fmt: skip
    for name, part in parts.items():
        monkeypatch.setattr(LoadedModels, name, part)
    first, *_ = write_pictures(tmp_path / "photos", 3)
    assert unmask("index", tmp_path / "photos", "-g", "case42").exit_code == 0
    return first


def unmask(*words: str | Path) -> Result:
    """One run of the command line."""
    return CliRunner().invoke(app, [str(each) for each in words])


def test_a_note_is_shown_wherever_the_gallery_is(photo: Path, tmp_path: Path) -> None:
    """The list, doctor, JSON and the report's page; a second note changes only what it names."""
    assert unmask("galleries", "note", "case42", "--basis", "consent <b>").exit_code == 0
    told = unmask("galleries", "note", "case42", "--keep-until", "2999-01-31").stdout
    assert "Lawful basis, as noted: consent <b>; keep until 2999-01-31." in told
    (listed,) = json.loads(unmask("galleries", "list", "--json").stdout)["galleries"]
    assert (listed["basis"], listed["keep_until"]) == ("consent <b>", "2999-01-31")
    assert "2999-01-31" in unmask("galleries", "list").stdout
    (check,) = doctor.check_galleries(Settings.load())
    assert check.state == "ok" and "keep until 2999-01-31" in check.detail
    page = tmp_path / "page.html"
    found = unmask("find", photo, "-g", "case42", "--quick", "--page", page, "--json")
    assert "keep until 2999-01-31" in json.loads(found.stdout)["retention"]
    assert "consent &lt;b&gt;; keep until 2999-01-31" in page.read_text()


def test_past_its_day_every_search_says_so(photo: Path) -> None:
    """The notice names the command; the gallery stays; doctor warns."""
    assert unmask("galleries", "note", "case42", "--keep-until", "2020-01-01").exit_code == 0
    for _ in range(2):
        answer = unmask("find", photo, "-g", "case42", "--quick")
        assert answer.exit_code == 0
        assert "unmask forget --gallery case42" in " ".join(answer.stderr.split())
        assert "note: quick search: the proof by another version" in answer.stderr
    (check,) = doctor.check_galleries(Settings.load())
    assert check.state == "warning" and "was to be kept until 2020-01-01" in check.detail
    assert "was to be kept until" in " ".join(unmask("galleries", "list").stdout.split())


def test_mistakes_are_one_line(photo: Path) -> None:
    """Unknown galleries and cases, and days that are none."""
    for words, part in (
        (("galleries", "note", "nix", "--basis", "x"), "there is no gallery 'nix'"),
        (("galleries", "note", "case42", "--keep-until", "soon"), "is no day"),
        (("galleries", "log", "nix"), "there is no gallery 'nix'"),
        (("cases", "log", "nix"), "there is no case 'nix'"),
    ):
        answer = unmask(*words)
        assert answer.exit_code == 1
        assert part in " ".join(answer.stderr.split()), answer.stderr
    assert unmask("cases", "log").exit_code == 2


def test_accesses_are_logged_without_names(photo: Path, tmp_path: Path) -> None:
    """Search, report and deletion, with the login's name; no file, face or person."""
    unmask("find", photo, "-g", "case42", "--quick", "--page", tmp_path / "page.html")
    assert unmask("forget", "--image", photo, "--yes").exit_code == 0
    logged = json.loads(unmask("galleries", "log", "case42", "--json").stdout)["accesses"]
    assert [it["what"] for it in logged] == ["search", "export", "forget"]
    assert {it["who"] for it in logged} == {login_name()}
    text = (Settings.load().galleries_dir / "case42" / "access.jsonl").read_text()
    assert photo.name not in text and "photos" not in text
    assert "export" in unmask("galleries", "log", "case42").stdout


def test_pruning_is_logged_as_a_deletion(photo: Path) -> None:
    """It deletes embeddings and features like any other deletion."""
    photo.unlink()
    unmask("index", photo.parent, "-g", "case42")
    assert unmask("galleries", "prune", "case42").stdout.startswith("Forgot 1 image")
    logged = json.loads(unmask("galleries", "log", "case42", "--json").stdout)["accesses"]
    assert [it["what"] for it in logged] == ["forget"]


def test_checking_a_case_is_logged_in_it(home: Path) -> None:
    """`cases verify` is an access."""
    begun = Case.create(home, gallery="case42")
    assert "No access is logged." in unmask("cases", "log", begun.id).stdout
    assert unmask("cases", "verify", begun.id).exit_code == 0
    (logged,) = json.loads(unmask("cases", "log", begun.id, "--json").stdout)["accesses"]
    assert (logged["who"], logged["what"]) == (login_name(), "verify")


def test_doctor_names_an_interrupted_deletion(home: Path) -> None:
    """What was begun and not finished is a warning with what to do."""
    from assistant.case.forgetting import journal
    from assistant.case.forgetting.request import ForgetRequest

    assert list(doctor.check_deletions(Settings.load())) == []
    request = ForgetRequest("image", "a" * 64)
    journal.begin(home, request, counts={}, galleries=(), cases=(), resumed=None)
    (check,) = doctor.check_deletions(Settings.load())
    assert check.state == "warning" and "unmask forget" in check.hint
    assert "a" * 64 not in next((home / "forgetting").glob("*.json")).read_text()
