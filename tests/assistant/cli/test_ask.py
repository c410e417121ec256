"""`unmask ask`, `chat` and `cases` in process: real tools and pictures, a scripted model."""

import json
import re
import sqlite3
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import assistant.chat_model.choice
from assistant import Unmask
from assistant.agent.reader_turns import READ_CALL_PREFIX
from assistant.case.forgetting.reports import reports_in
from assistant.case.record import cases_folder
from assistant.case.signed.record_file import CASE_DB_FILE
from assistant.cli.casework.transcript import TurnReporter
from assistant.cli.main import app
from assistant.conversation.steps import CheckedSentence, ModelText, ToolCall
from assistant.profile import LoadedModels
from tests.support.cases import GALLERY
from tests.support.scripted_model import ScriptedModel, tool_call_reply
from tools.errors import SetupError

FIND = tool_call_reply(("find_person", {"photos": ["Q1"]}))
ANSWER = "I searched the gallery: [S1]. [H1.P2]. H1 is genuine [H1.P3]. Rome is very old."
REPLIES = [FIND, ANSWER, "Still genuine."]
RIGHT = "[H1.P2]."

FORGED = re.compile(
    r"(?:H1 was most likely forged|Whether H1 was forged is uncertain) \((?:over )?\d\d %\)\."
)
"""As a fitted rule may read the forged hit of `tests.support.cases`, filled in with its value."""


@pytest.fixture
def model(case: Unmask, monkeypatch: pytest.MonkeyPatch) -> ScriptedModel:
    """A scripted model in place of the checkpoint; the gallery and its weights are real."""
    model = ScriptedModel()
    monkeypatch.setenv("UNMASK_HOME", str(case.settings.home))
    monkeypatch.setattr(assistant.chat_model.choice, "load_chat_model", lambda settings: model)
    for part in ("faces", "encoder", "detectors", "rule", "fingerprint"):
        monkeypatch.setattr(LoadedModels, part, getattr(case.models, part))
    return model


@pytest.fixture
def photo(case: Unmask) -> str:
    """The query photo."""
    return str(case.settings.home / "SECRET_NAME.png")


def unmask(*words: str) -> Result:
    """One run of the command line."""
    return CliRunner().invoke(app, list(words))


def test_the_answer_comes_with_its_values(model: ScriptedModel, photo: str) -> None:
    """Tools are told as they run, citations become values, and whose words are whose is marked."""
    model.replies = [*REPLIES]
    result = unmask("ask", photo, "find fakes of this person", "-g", GALLERY)
    assert result.exit_code == 0, result.output
    assert "find_person" in result.stderr
    assert "case " in result.stderr
    first, *_ = result.stdout.splitlines()
    assert first.startswith("I searched the gallery: 3 images were compared. ")
    assert FORGED.search(first)
    assert "(fixed wording)" in first
    assert "Rome is very old. (unchecked, the model's own words)" in first
    assert "genuine" not in first
    assert re.search(r"H1 +(?:impersonation|inconclusive)", result.stdout)
    assert "forged.jpg" in result.stdout


def test_json_is_one_object(model: ScriptedModel, photo: str) -> None:
    """Answer, sentences, facts, steps and hits, for scripts."""
    model.replies = [
        tool_call_reply(("find_person", {"photos": ["Q1"]}), ("describe_image", {"image": "Q1"})),
        RIGHT,
        RIGHT,
        "H2.",
        "H3.",
        *["No."] * 6,
    ]
    result = unmask("ask", photo, "-g", GALLERY, "--json", "--explain")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["question"] == "Find fakes of this person."
    assert FORGED.match(data["answer"])
    assert data["sentences"][0]["cites"] == ["H1.P2"]
    assert data["facts"]["H1.P2"]["reads"] in ("forged", "uncertain")
    assert data["hits"][0]["verdict"] in ("impersonation", "inconclusive")
    assert data["steps"][0]["kind"] == "user_turn"
    assert list(data["explanations"]) == ["H1", "H2", "H3"]
    assert "base64" not in result.stdout


def test_every_part_of_an_answer_is_in_the_json() -> None:
    """A question in two parts has two answers, and the sentences are those of both."""
    parts = [
        step
        for number, text in enumerate(("Two hits are forged.", "H1 was found twice."))
        for step in (
            ToolCall("reviewed", {}, f"{READ_CALL_PREFIX}{number}"),
            ModelText((CheckedSentence(text, source="plain"),), 0, 0.0),
        )
    ]
    agent: Any = SimpleNamespace(
        ask=lambda question, photos: iter(parts),
        case=SimpleNamespace(id="20261120-193816-0fecd7", steps_with_facts=list),
        workspace=SimpleNamespace(gallery=GALLERY, last_search=None),
    )
    told = TurnReporter(agent, show=False)
    told.turn("which are forged, and was H1 found twice?", ())
    data = told.to_json("which are forged, and was H1 found twice?")
    assert data["answer"] == "Two hits are forged. H1 was found twice."
    assert [it["text"] for it in data["sentences"]] == [
        "Two hits are forged.", "H1 was found twice.",
    ]  # fmt: skip


def test_a_case_can_be_gone_on_with(model: ScriptedModel, photo: str) -> None:
    """The next question knows the photo and the hits of the one before."""
    model.replies = [FIND, RIGHT, RIGHT]
    begun = json.loads(unmask("ask", photo, "find fakes", "-g", GALLERY, "--json").stdout)
    again = unmask("ask", "why?", "--case", begun["case"], "--json")
    assert again.exit_code == 0, again.output
    assert FORGED.fullmatch(json.loads(again.stdout)["answer"])
    model.replies = [RIGHT]
    short = unmask("ask", "why?", "--case", begun["case"])
    assert "forged.jpg" not in short.stdout  # the list is shown after a search, and when it changes


def test_a_map_is_a_file_of_the_case(model: ScriptedModel, photo: str, case: Unmask) -> None:
    """Its path stands below the answer; the file is private and goes with the case's reports."""
    model.replies = [FIND, RIGHT]
    begun = json.loads(unmask("ask", photo, "find fakes", "-g", GALLERY, "--json").stdout)["case"]
    model.replies = [tool_call_reply(("locate_artifacts", {"image": "H1"})), "[H1.regions]."]
    answer = unmask("ask", "where does H1 look forged?", "--case", begun)
    assert answer.exit_code == 0, answer.output
    told = re.search(r"^The map of H1: (\S+)$", answer.stdout, re.MULTILINE)
    assert told is not None
    file = Path(told[1])
    assert file.parent == cases_folder(case.settings.home) / begun
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Image.open(file) as picture:
        assert picture.width > picture.height  # every map, side by side, with its words
    assert reports_in(file.parent) == (file,)


def test_an_unknown_gallery_is_said_before_any_greeting(model: ScriptedModel) -> None:
    """One line that names the galleries there are; no model is asked."""
    answer = unmask("ask", "hello", "-g", "elsewhere")
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"error: there is no gallery 'elsewhere'; there are {GALLERY}")
    assert model.received_prompts == []
    assert unmask("ask", "why?", "--case", "never").exit_code == 1


def test_cases_are_listed_and_checked(model: ScriptedModel, photo: str, case: Unmask) -> None:
    """A record that was changed is said to be, with exit status 1."""
    model.replies = [FIND, RIGHT]
    begun = json.loads(unmask("ask", photo, "find fakes", "-g", GALLERY, "--json").stdout)["case"]
    assert begun in unmask("cases").stdout
    assert "unchanged" in unmask("cases", begun).stdout
    record = cases_folder(case.settings.home) / begun / CASE_DB_FILE
    with sqlite3.connect(record) as connection:
        connection.execute("UPDATE entries SET body = replace(body, 'fakes', 'ghosts')")
    connection.close()
    changed = unmask("cases", begun, "--json")
    assert changed.exit_code == 1
    assert json.loads(changed.stdout)["ok"] is False


def test_mistakes_are_one_line(model: ScriptedModel, case: Unmask) -> None:
    """A broken photo and a server that is gone end with status 1 and no traceback."""
    broken = unmask("ask", str(case.settings.home / "SECRET_TEXT.jpg"), "find fakes", "-g", GALLERY)
    assert broken.exit_code == 1
    assert "SECRET_TEXT.jpg" in broken.stderr
    assert model.received_prompts == []
    model.replies = [SetupError("no server at that address")]
    gone = unmask("ask", "hello")
    assert gone.exit_code == 1
    assert gone.stderr.startswith("error: no server at that address")


def test_a_chat_for_others_asks_for_logins(home: Path) -> None:
    """Listening beyond this machine without a login is refused before anything loads."""
    result = unmask("chat", "--host", "0.0.0.0")  # noqa: S104 - that is what is refused
    assert result.exit_code == 1
    assert "UNMASK_AUTH" in result.stderr


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_a_chat_for_this_machine_needs_no_login(
    home: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every address that only this machine reaches counts, as it does for the server."""
    served: list[str] = []
    monkeypatch.setattr("assistant.chat.serving.serve", lambda it, **_: served.append(it.host))
    assert unmask("chat", "--host", host).exit_code == 0
    assert served == [host]


@pytest.mark.parametrize("command", ["ask", "chat", "cases"])
def test_help_teaches_by_example(command: str) -> None:
    """The help shows a command to copy."""
    result = unmask(command, "--help")
    assert result.exit_code == 0
    assert f"unmask {command}" in result.stdout
