"""Turns that a request reader understands: the application plans calls and words results."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.agent.model_stream import TextDelta
from assistant.agent.requests.reader import Reading
from assistant.case.record import Case
from assistant.conversation.steps import ModelText, Step, ToolCall, ToolResult, join_sentences
from prompts import phrases
from tests.support.cases import GALLERY, astronaut_pixels
from tests.support.scripted_model import ScriptedModel
from tools.agent_tools.workspace import Workspace


class ScriptedReader:
    """Reads each request as the test says; unknown words have no likely class."""

    def __init__(self, readings: Mapping[str, str]) -> None:
        self._readings = readings

    def read(self, text: str, *, with_photo: bool) -> Reading:
        """The class that stands beside the words."""
        name = self._readings.get(text)
        return Reading(name or "hide", 0.9 if name else 0.2, "why")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A portrait."""
    Image.fromarray(astronaut_pixels()).save(tmp_path / "one.png")
    return tmp_path / "one.png"


@pytest.fixture
def agent(case: Unmask, tmp_path: Path) -> Agent:
    """An agent whose chat model must not be asked."""
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    reader = ScriptedReader(
        {
            "anybody abusing her face?": "find",
            "find, and explain the first": "two_find_why",
            "the weather?": "outside",
            "that one?": "why",
            "explain H999": "why",
            "what about H2": "where",
            "sorry, H3": "correction",
            "which are forged": "which_fake",
            "away with H2": "hide",
            "take that back": "undo",
        }
    )
    record = Case.create(tmp_path, gallery=GALLERY)
    return Agent(ScriptedModel(), workspace, record, reader=reader)


def turn(agent: Agent, *args: object) -> list[Step]:
    """A turn's steps."""
    return [it for it in agent.ask(*args) if not isinstance(it, TextDelta)]  # type: ignore[arg-type]


def calls(steps: list[Step]) -> list[tuple[str, dict[str, object]]]:
    """The calls of a turn."""
    return [(it.name, dict(it.arguments)) for it in steps if isinstance(it, ToolCall)]


def said(steps: list[Step]) -> str:
    """The answer, all of it the application's."""
    last = steps[-1]
    assert isinstance(last, ModelText)
    assert {it.source for it in last.sentences} == {"plain"}
    return join_sentences(last.sentences)


def test_the_tool_runs_and_the_application_words_it(agent: Agent, photo: Path) -> None:
    """No model is asked for words."""
    steps = turn(agent, "anybody abusing her face?", [photo])
    assert calls(steps) == [("find_person", {"photos": ["Q1"]})]
    assert [it.ok for it in steps if isinstance(it, ToolResult)] == [True]
    assert "I compared" in said(steps)


def test_two_requests_in_one_are_both_answered(agent: Agent, photo: Path) -> None:
    """The second call is about what the first one found."""
    steps = turn(agent, "find, and explain the first", [photo])
    assert [it.ok for it in steps if isinstance(it, ToolResult)] == [True, True]
    assert "H1" in said(steps)


def test_what_is_missing_or_outside_is_said(agent: Agent, photo: Path) -> None:
    """No photo, another job, no hit that "that one" could be, a hit that does not exist."""
    assert phrases.PHOTO_FIRST in said(turn(agent, "that one?"))
    assert said(turn(agent, "the weather?")) == phrases.OUTSIDE
    turn(agent, "anybody abusing her face?", [photo])
    assert phrases.WHICH_HIT in said(turn(agent, "that one?"))
    answered = said(turn(agent, "explain H999"))
    assert "H999" in answered


def test_it_and_the_other_one_are_understood(agent: Agent, photo: Path) -> None:
    """A correction repeats the last question; "that one" is the hit spoken of last."""
    turn(agent, "anybody abusing her face?", [photo])
    assert calls(turn(agent, "what about H2")) == [("locate_artifacts", {"image": "H2"})]
    assert calls(turn(agent, "sorry, H3")) == [("locate_artifacts", {"image": "H3"})]
    assert calls(turn(agent, "that one?")) == [("score_fake", {"image": "H3"})]


def test_a_decision_is_made_and_taken_back(agent: Agent, photo: Path) -> None:
    """Hidden, listed without it, and back again."""
    turn(agent, "anybody abusing her face?", [photo])
    assert "H2 is marked as hidden" in said(turn(agent, "away with H2"))
    assert "Undone" in said(turn(agent, "take that back"))


def test_an_unsure_reading_changes_nothing(agent: Agent, photo: Path) -> None:
    """The application asks again instead of hiding a hit."""
    turn(agent, "anybody abusing her face?", [photo])
    steps = turn(agent, "krzlbrmft H2")
    assert calls(steps) == []
    assert said(steps) == phrases.UNSURE
