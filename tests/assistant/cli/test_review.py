"""`unmask review` and `unmask about` in process, on a recorded case."""

import json
import stat
from pathlib import Path

import jsonschema
import pypdfium2
import pytest
from typer.testing import CliRunner, Result

from assistant import Unmask
from assistant.case.record import Case
from assistant.cli.main import app
from assistant.profile import LoadedModels
from assistant.report.contents.model import report_schema
from tests.support.cases import GALLERY
from tools.gallery.access_log import accesses
from tools.gallery.database_file import gallery_folder


@pytest.fixture
def record(case: Unmask, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case with a search for the portrait; the gallery and its weights are real."""
    home = case.settings.home
    monkeypatch.setenv("UNMASK_HOME", str(home))
    for part in ("faces", "encoder", "detectors", "rule", "fingerprint"):
        monkeypatch.setattr(LoadedModels, part, getattr(case.models, part))
    record = Case.create(home, gallery=GALLERY)
    (copy,) = record.keep_photos([home / "SECRET_NAME.png"])
    record.begin_turn("find fakes", {"Q1": copy}, gallery=GALLERY)
    record.record_search({"photos": ["Q1"], "top": 3}, {"hits": []})
    return record


def unmask(*words: str) -> Result:
    """One run of the command line."""
    return CliRunner().invoke(app, list(words))


def test_hits_of_a_case_are_marked_and_exported(record: Case) -> None:
    """A decision is in the record, the list and the report; undo takes it back."""
    done = unmask("review", record.id, "mark", "H2", "rejected")
    assert done.exit_code == 0
    assert "H2 is marked as rejected; the verdict stays:" in done.stdout
    (made,) = record.decisions()
    shown = json.loads(unmask("review", record.id, "list", "--sort", "name", "--json").stdout)
    assert sorted(shown["listed"]) == ["H1", "H2", "H3"]
    assert shown["hits"][1]["decision"] == {
        "decision": "rejected", "at": made.at, "user": made.user,
    }  # fmt: skip
    noted = unmask("review", record.id, "note", "H2", "=seen", "in May")
    assert noted.stdout == "The note on H2 is written. No verdict changes.\n"
    shown = json.loads(unmask("review", record.id, "list", "--decision", "none", "--json").stdout)
    assert sorted(shown["listed"]) == ["H1", "H3"]
    assert shown["hits"][1]["reviewer_note"]["text"] == "=seen in May"
    assert unmask("review", record.id, "export", "csv").exit_code == 0
    report = Path(record.folder / "report.csv")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert f",rejected,{made.user},'=seen in May,{made.user},," in report.read_text()
    assert "note on H2 is removed" in unmask("review", record.id, "undo").stdout
    assert "no longer marked as rejected" in unmask("review", record.id, "undo").stdout
    empty = unmask("review", record.id, "undo")
    assert (empty.exit_code, "nothing to undo" in empty.stderr) == (1, True)
    assert record.verify() == ()
    logged = [it.what for it in accesses(record.folder)]
    assert logged == ["decision", "list", "note", "list", "export", "undo", "undo", "undo"]
    assert [*accesses(gallery_folder(record.folder.parents[1], GALLERY))][-4].what == "export"


def test_a_search_that_cannot_be_repeated_is_not_denied(record: Case) -> None:
    """With its gallery locked or gone the case was said to have no search."""
    (copy,) = record.photos().values()
    record.begin_turn("again", {"Q1": copy}, gallery="gone")
    record.record_search({"photos": ["Q1"], "top": 3}, {"hits": []})
    for words in (["list"], ["mark", "H1", "rejected"], ["export", "csv"], ["undo"]):
        refused = unmask("review", record.id, *words)
        said = " ".join(refused.stderr.split())
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert said.startswith("error: the latest search could not be run again: "), said
        assert "'gone'" in said and "find_person" not in said


def test_a_case_is_reported_replayed_and_handed_over(
    record: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PDF, JSON by the schema, a bundle; in another home and with another key it is replayed."""
    unmask("review", record.id, "mark", "H1", "confirmed")
    assert unmask("review", record.id, "export", "pdf").exit_code == 0
    text = _text(record.folder / "report.pdf")
    for words in ("Question and propositions", "Exhibits", "Findings", "times more probable",
                  "Limits and alternative", "Custody", "Signature", "decision: confirmed",
                  record.head[:16]):  # fmt: skip
        assert words in text, words
    assert unmask("review", record.id, "export", "json").exit_code == 0
    report = json.loads((record.folder / "report.json").read_text())
    jsonschema.validate(report, report_schema(), cls=jsonschema.Draft202012Validator)
    assert [it["label"] for it in report["exhibits"]] == ["Q1", "H1", "H2", "H3"]
    assert {it["state"] for it in report["exhibits"]} == {"unchanged"}
    # The recorded findings of the fixture are empty: record those of the search that was shown.
    made = report["methods"]["instruments"]
    findings = {key: report[key] for key in ("hits", "faces")}
    record.record_search({"photos": ["Q1"], "top": 3}, findings, made_with=made)
    bundle = tmp_path / "case.zip"
    assert unmask("cases", "export", record.id, "--to", str(bundle)).exit_code == 0
    key = unmask("cases", "key").stdout.strip()

    monkeypatch.setenv("UNMASK_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("UNMASK_CONFIG_DIR", str(tmp_path / "config"))
    assert f"signed with the key {key}" in unmask("cases", "verify", str(bundle)).stdout
    assert unmask("cases", "import", str(bundle), "--key", "0" * 16).exit_code == 1
    assert unmask("cases", "import", str(bundle), "--key", key).exit_code == 0
    replayed = unmask("cases", "replay", record.id)
    assert "3 of 3 verdicts as recorded." in replayed.stdout
    assert "are the recorded ones" in replayed.stdout
    assert replayed.exit_code == 0


def _text(pdf: Path) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("mark", "H1"), 2, "mark HIT DECISION"),
        (("burn",), 2, "one of list, mark, note, undo, export"),
        (("undo", "--verdict", "copy"), 2, "belongs to `list`"),
    ],
)
def test_wrong_usage_is_explained(words: tuple[str, ...], code: int, says: str, home: Path) -> None:
    """Before any model is loaded."""
    done = unmask("review", "20260101-000000-abcdef", *words)
    assert done.exit_code == code
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_the_project_describes_itself(home: Path) -> None:
    """The topics, their texts with figures, and the error that lists them."""
    assert "accuracy" in unmask("about").stdout
    assert "no legal advice" in unmask("about", "law").stdout
    text = json.loads(unmask("about", "accuracy", "--json").stdout)["text"]
    assert "persons" in text
    wrong = unmask("about", "weather")
    assert wrong.exit_code == 1
    assert "topics are abilities" in wrong.stderr
