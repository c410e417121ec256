"""Planned turns, decided by the application: the right hit, the right photo, the right answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.agent.directed_turns import PlannedTurn
from assistant.agent.model_stream import TextDelta
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.conversation.steps import ModelText, Step, ToolCall, ToolResult, join_sentences
from prompts.phrases import WHICH_FACE
from tests.support.cases import GALLERY, astronaut_pixels
from tests.support.scripted_model import ScriptedModel, tool_call_reply
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError

FOUND = "[S1]."


@pytest.fixture
def model() -> ScriptedModel:
    """A model that says what the test writes down."""
    return ScriptedModel()


@pytest.fixture
def agent(case: Unmask, model: ScriptedModel, tmp_path: Path) -> Agent:
    """An agent on a fresh workspace; the closer look measures nothing further."""
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    return Agent(model, workspace, Case.create(tmp_path, gallery=GALLERY))


@pytest.fixture
def photos(case: Unmask, tmp_path: Path) -> list[Path]:
    """A portrait, and the same one with its colours changed."""
    portrait, other = tmp_path / "one.png", tmp_path / "other.png"
    Image.fromarray(astronaut_pixels()).save(portrait)
    Image.fromarray(np.ascontiguousarray(astronaut_pixels()[:, ::-1, ::-1])).save(other)
    return [portrait, other]


def turn(agent: Agent, *args: object, **options: object) -> list[Step]:
    """A turn's steps."""
    return [it for it in agent.ask(*args, **options) if not isinstance(it, TextDelta)]  # type: ignore[arg-type]


def pressed(name: str, **arguments: object) -> PlannedTurn:
    """What a button asks for."""
    about = str(arguments.get("image", ""))
    return PlannedTurn((ToolCall(name, arguments),), about if about.startswith("H") else None)


def calls(steps: list[Step]) -> list[tuple[str, dict[str, object]]]:
    """The calls of a turn."""
    return [(it.name, dict(it.arguments)) for it in steps if isinstance(it, ToolCall)]


def answer(steps: list[Step]) -> ModelText:
    """What was said last."""
    (*_, said) = steps
    assert isinstance(said, ModelText)
    return said


def test_a_press_calls_its_tool_and_the_model_only_words_it(
    agent: Agent, model: ScriptedModel, photos: list[Path]
) -> None:
    """A model that would look at H1 has no say: H3 is read, recorded and spoken of."""
    agent.workspace.find_person([agent.workspace.add_photo(photos[0])])
    model.replies = ["[H3.P1]."]
    steps = turn(agent, "Why is H3 so?", plan=lambda _: pressed("score_fake", image="H3"))
    assert calls(steps) == [("score_fake", {"image": "H3"})]
    assert model.offered_tools == [[]]  # no tool was on offer
    assert join_sentences(answer(steps).sentences) == "[H3.P1]."
    assert agent.case.steps() == steps
    assert agent.case.verify() == ()


def test_what_a_press_must_say_is_said_once(
    agent: Agent, model: ScriptedModel, photos: list[Path]
) -> None:
    """After the model's words, unless they cite it."""
    agent.workspace.find_person([agent.workspace.add_photo(photos[0])])
    plan = replace(pressed("score_fake", image="H3"), cites="[H3.P1]. [H3.P2].")
    model.replies = ["[H3.P1]."]
    said = answer(turn(agent, "How sure are you?", plan=lambda _: plan)).sentences
    assert [it.cites for it in said] == [("H3.P1",), ("H3.P2",)]


@pytest.mark.parametrize(
    "reply",
    ["H1 was forged [H1.P2].", "", "All hits are forged.", SetupError("no server there")],
)  # fmt: skip
def test_a_model_that_fails_or_strays_is_replaced(
    agent: Agent, model: ScriptedModel, photos: list[Path], reply: object
) -> None:
    """Words about another hit, none, false ones or a dead server: the template's about H2."""
    agent.workspace.find_person([agent.workspace.add_photo(photos[0])])
    model.replies = [reply]
    steps = turn(agent, "Why is H2 so?", plan=lambda _: pressed("score_fake", image="H2"))
    said = answer(steps).sentences
    assert {sentence.source for sentence in said} == {"plain"}
    assert any(id_.startswith("H2.") for sentence in said for id_ in sentence.cites)
    assert not any(id_.startswith("H1.") for sentence in said for id_ in sentence.cites)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("gallery_summary", {}),
        ("describe_image", {"image": "H2"}),
        ("locate_artifacts", {"image": "H1"}),
        ("compare_faces", {"first": "Q1", "second": "H2"}),
        ("score_fake", {"image": "Q1"}),
        ("find_person", {"photos": ["Q1"], "top": 2}),
        ("score_fake", {"image": "H99"}),
    ],
)
def test_every_tool_has_a_text_without_a_model(
    agent: Agent, model: ScriptedModel, photos: list[Path], name: str, arguments: dict[str, object]
) -> None:
    """Whatever was called, there is something to read that cites only what exists."""
    agent.workspace.find_person([agent.workspace.add_photo(photos[0])])
    model.replies = [SetupError("gone")]
    steps = turn(agent, "A press", plan=lambda _: pressed(name, **arguments))
    said = answer(steps).sentences
    assert join_sentences(said)
    assert all(agent.workspace.fact(id_) for sentence in said for id_ in sentence.cites)


def test_a_retry_of_a_press_is_the_press(
    agent: Agent, model: ScriptedModel, photos: list[Path]
) -> None:
    """Asked again, the same call is made, and again by nobody's choice."""
    from assistant.agent.directed_turns import last_planned_turn

    agent.workspace.find_person([agent.workspace.add_photo(photos[0])])
    model.replies = [SetupError("gone"), SetupError("gone")]
    first = turn(agent, "Why?", plan=lambda _: pressed("score_fake", image="H3"))
    again = last_planned_turn(agent.case.steps())
    assert again is not None
    assert calls(turn(agent, "Why?", plan=lambda _: again)) == calls(first)
    assert again.about == "H3"


@pytest.mark.parametrize("text", ["Compare these two photos.", "Is one of these a fake?"])
def test_two_photos_are_compared_and_the_authentic_one_is_asked_for(
    agent: Agent, model: ScriptedModel, photos: list[Path], text: str
) -> None:
    """Nothing is searched with either of them until somebody says which is authentic."""
    model.replies = ["[C1.P1]."]
    steps = turn(agent, text, photos)
    assert calls(steps) == [("compare_faces", {"first": "Q1", "second": "Q2"})]
    assert agent.pending_question is not None
    assert agent.pending_question.photos == ("Q1", "Q2")
    assert "Which of them is authentic" in answer(steps).sentences[-1].text
    with pytest.raises(ToolError, match="only authentic photos"):
        agent.workspace.find_person(["Q1", "Q2"])
    with pytest.raises(ToolError, match="only authentic photos"):
        agent.workspace.find_person(["Q1"])

    model.replies = ["[C1.P1]."]
    steps = turn(agent, "Q2 is authentic")
    assert [name for name, _ in calls(steps)] == ["compare_faces", "score_fake"]
    assert calls(steps)[1] == ("score_fake", {"image": "Q1"})
    assert agent.pending_question is None
    assert agent.workspace.find_person(["Q2"]).hits
    with pytest.raises(ToolError, match="search with Q2"):
        agent.workspace.find_person(["Q1"])


def test_the_suspected_photo_is_never_the_measure(
    agent: Agent, model: ScriptedModel, photos: list[Path], case: Unmask, tmp_path: Path
) -> None:
    """Told which is which, both are measured; a resumed case still knows."""
    model.replies = ["[C1.P1]."]
    steps = turn(agent, "Is the second a fake of the first?", photos)
    assert [name for name, _ in calls(steps)] == ["compare_faces", "score_fake"]
    assert calls(steps)[1] == ("score_fake", {"image": "Q2"})
    assert agent.workspace.excluded_photos == {"Q2"}
    model.replies = [tool_call_reply(("find_person", {"photos": ["Q1", "Q2"]})), "[Q1.faces]."]
    results = [it for it in turn(agent, "Search with both") if isinstance(it, ToolResult)]
    assert [it.ok for it in results] == [False]
    resumed = restore_case(agent.case, case.models, home=case.settings.home)
    assert Agent(model, resumed.workspace, agent.case).workspace.excluded_photos == {"Q2"}


def test_a_face_is_chosen_and_the_turn_goes_on(
    agent: Agent, model: ScriptedModel, case: Unmask
) -> None:
    """A group is asked about once; "face 2" then searches with that one."""
    group = case.settings.home / "SECRET_GROUP.png"
    model.replies = [tool_call_reply(("find_person", {"photos": ["Q1"], "top": 3})), WHICH_FACE]
    turn(agent, "Find fakes of this person", [group])
    pending_question = agent.pending_question
    assert pending_question is not None
    assert len(pending_question.boxes) == agent.workspace.pictures.count_faces("Q1") > 2
    model.replies = [FOUND]
    steps = turn(agent, "face 2")
    assert calls(steps) == [("find_person", {"photos": ["Q1"], "top": 3})]
    assert agent.pending_question is None
    assert agent.workspace.last_search is not None
    chosen = agent.workspace.last_search[1].faces[0].box
    assert tuple(float(edge) for edge in chosen) == pending_question.boxes[1]


def test_a_typed_count_and_a_typed_hit_are_obeyed(
    agent: Agent, model: ScriptedModel, photos: list[Path]
) -> None:
    """A model that asks for five, or for H1, gets what the person wrote."""
    model.replies = [tool_call_reply(("find_person", {"photos": ["[Q1]"], "top": 5})), FOUND]
    steps = turn(agent, "find the top 50 fakes of her", photos[:1])
    assert calls(steps) == [("find_person", {"photos": ["Q1"], "top": 50})]
    model.replies = [tool_call_reply(("score_fake", {"image": "H1"})), "[H3.P1]."]
    assert calls(turn(agent, "How sure are you about hit 3?"))[0][1] == {"image": "H3"}


def test_one_broken_photo_records_nothing(agent: Agent, photos: list[Path], tmp_path: Path) -> None:
    """A turn is asked as a whole or not at all."""
    (tmp_path / "broken.jpg").write_text("no picture")
    before = agent.case.entries()
    with pytest.raises(ToolError, match=r"broken\.jpg"):
        turn(agent, "find fakes", [photos[0], tmp_path / "broken.jpg"])
    assert agent.case.entries() == before
    assert not agent.workspace.photos


def test_a_case_that_goes_on_knows_what_was_asked(
    agent: Agent, model: ScriptedModel, case: Unmask
) -> None:
    """Another process goes on with "face 2" as if it had asked itself."""
    group = case.settings.home / "SECRET_GROUP.png"
    model.replies = [tool_call_reply(("find_person", {"photos": ["Q1"]})), "[Q1.faces]."]
    turn(agent, "Find fakes of this person", [group])
    resumed = restore_case(agent.case, case.models, home=case.settings.home)
    other = Agent(model, resumed.workspace, agent.case)
    assert other.pending_question == agent.pending_question
    assert other.pending_question is not None
    model.replies = [FOUND]
    assert calls(turn(other, "the second one")) == [("find_person", {"photos": ["Q1"]})]
