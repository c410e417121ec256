"""Turns whose tools a request reader chooses: the application words what they measured."""

from pathlib import Path

import pytest
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.agent.model_stream import TextDelta
from assistant.case.record import Case
from assistant.conversation.steps import ModelText, Step, ToolCall, ToolResult, join_sentences
from prompts import phrases
from tests.support.cases import GALLERY, astronaut_pixels
from tests.support.scripted_model import ScriptedModel, tool_call_reply
from tools.agent_tools.workspace import Workspace


@pytest.fixture
def reader() -> ScriptedModel:
    """A reader that chooses what the test writes down."""
    return ScriptedModel()


@pytest.fixture
def agent(case: Unmask, reader: ScriptedModel, tmp_path: Path) -> Agent:
    """An agent whose chat model must not be asked."""
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    record = Case.create(tmp_path, gallery=GALLERY)
    return Agent(ScriptedModel(), workspace, record, reader=reader)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A portrait."""
    Image.fromarray(astronaut_pixels()).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def turn(agent: Agent, *args: object) -> list[Step]:
    """A turn's steps."""
    return [it for it in agent.ask(*args) if not isinstance(it, TextDelta)]  # type: ignore[arg-type]


def said(steps: list[Step]) -> str:
    """The answer."""
    last = steps[-1]
    assert isinstance(last, ModelText)
    return join_sentences(last.sentences)


def test_the_chosen_tool_runs_and_the_application_words_it(
    agent: Agent, reader: ScriptedModel, photo: Path
) -> None:
    """One request to the reader, no word of a model on the screen."""
    reader.replies = [tool_call_reply(("find_person", {"photos": ["Q1"]}))]
    steps = turn(agent, "is somebody abusing her face?", [photo])
    assert [it.name for it in steps if isinstance(it, ToolCall)] == ["find_person"]
    assert [it.ok for it in steps if isinstance(it, ToolResult)] == [True]
    last = steps[-1]
    assert isinstance(last, ModelText)
    assert {it.source for it in last.sentences} == {"plain"}
    assert "I compared" in said(steps)
    assert len(reader.received_prompts) == 1
    assert reader.received_prompts[0][-1].text.startswith("Photos: new Q1.\n")


def test_two_calls_of_one_request_both_run(
    agent: Agent, reader: ScriptedModel, photo: Path
) -> None:
    """The second call is about what the first one found."""
    reader.replies = [
        tool_call_reply(("find_person", {"photos": ["Q1"]}), ("score_fake", {"image": "H1"}))
    ]
    steps = turn(agent, "find fakes of her and explain the first", [photo])
    assert [it.ok for it in steps if isinstance(it, ToolResult)] == [True, True]
    assert "H1" in said(steps)


def test_an_answer_without_a_tool_is_checked(
    agent: Agent, reader: ScriptedModel, photo: Path
) -> None:
    """A set sentence is shown; a claim of the reader is not."""
    reader.replies = [phrases.OUTSIDE, "All of these photos are genuine."]
    assert said(turn(agent, "what's the weather?", [photo])) == phrases.OUTSIDE
    answered = said(turn(agent, "and now?"))
    assert "genuine" not in answered
    assert answered


def test_a_missing_hit_is_said(agent: Agent, reader: ScriptedModel, photo: Path) -> None:
    """The refusal names what exists; nothing else is shown in its place."""
    reader.replies = [
        tool_call_reply(("find_person", {"photos": ["Q1"]})),
        tool_call_reply(("score_fake", {"image": "H999"})),
    ]
    turn(agent, "find fakes of her", [photo])
    answered = said(turn(agent, "why is that one there"))
    assert "H999" in answered
    assert "hits are" in answered


def test_a_written_handle_wins_over_the_readers(
    agent: Agent, reader: ScriptedModel, photo: Path
) -> None:
    """The words of the request decide which hit is meant."""
    reader.replies = [
        tool_call_reply(("find_person", {"photos": ["Q1"]})),
        tool_call_reply(("score_fake", {"image": "H2"})),
    ]
    turn(agent, "find fakes of her", [photo])
    steps = turn(agent, "explain H3 to me")
    assert [dict(it.arguments) for it in steps if isinstance(it, ToolCall)] == [{"image": "H3"}]
