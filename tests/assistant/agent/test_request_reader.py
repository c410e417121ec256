"""Turns that a request reader understands: the application plans calls and words results."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.agent.model_stream import TextDelta
from assistant.agent.requests.reader import Reading
from assistant.case.record import Case
from assistant.cli.casework.transcript import TurnReporter
from assistant.conversation.steps import ModelText, Step, ToolCall, ToolResult, join_sentences
from assistant.report.pictures.map_files import write_map
from prompts import phrases
from prompts.languages import IN_ENGLISH
from tests.support.cases import GALLERY, astronaut_pixels
from tests.support.scripted_model import ScriptedModel
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError


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
            "and this one?": "why",
            "explain H999": "why",
            "what about H2": "where",
            "sorry, H3": "correction",
            "which are forged": "which_fake",
            "away with H2": "hide",
            "take that back": "undo",
            "look for her": "find",
            "show where H1 was altered": "where",
            "list the copies": "which_copy",
            "explain H99": "why",
            "my notary is sure that H2 is a montage": "confirm",
            "remove all of them": "clear_filter",
            "zeig mir bitte alle Kopien von ihr": "which_copy",
            "warum ist das nicht mein Bild?": "why",
            "why is missing_77.png here": "why",
            "where was one.png altered": "where",
            "mark it confirmed": "confirm",
            "sort by forged probability": "sort_forgery",
            "tell me the top two": "fewer",
            "explain the beckham one": "why",
            "describe the tall one": "describe",
            "tell me what E34 is": "measure",
        }
    )
    record = Case.create(tmp_path, gallery=GALLERY)
    return Agent(ScriptedModel(), workspace, record, reader=reader)


def turn(agent: Agent, *args: object) -> list[Step]:
    """A turn's steps."""
    return [it for it in agent.ask(*args) if not isinstance(it, TextDelta)]  # type: ignore[arg-type]


class LostServer(ScriptedModel):
    """A chat model on a server that is gone."""

    def _generate(self, *_: object, **__: object) -> ChatResult:
        raise SetupError("no server at http://127.0.0.1:1: the connection failed")

    def _stream(self, *_: object, **__: object) -> Iterator[ChatGenerationChunk]:
        raise SetupError("no server at http://127.0.0.1:1: the connection failed")


def test_a_lost_chat_server_leaves_its_turn_to_the_stand_in(case: Unmask, tmp_path: Path) -> None:
    """The error is told, and the request is read and answered; without a stand-in, it ends."""
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    record = Case.create(tmp_path, gallery=GALLERY)
    reader = ScriptedReader({"what is in this gallery": "gallery"})
    stands_in = Agent(LostServer(), workspace, record, stand_in=lambda: reader)
    steps = turn(stands_in, "what is in this gallery")
    assert calls(steps) == [("gallery_summary", {})]
    first, *_, last = (join_sentences(it.sentences) for it in steps if isinstance(it, ModelText))
    assert "no answer: no server at http://127.0.0.1:1" in first
    assert "The gallery holds" in last
    with pytest.raises(SetupError, match="the connection failed"):
        turn(Agent(LostServer(), workspace, record), "what is in this gallery")


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


def test_parts_are_answered_in_order_each_from_what_the_one_before_found(
    agent: Agent, photo: Path
) -> None:
    """The hit exists only after the search; what is not understood is named."""
    steps = turn(agent, "look for her, then show where H1 was altered and go krzlbrmft", [photo])
    assert calls(steps) == [
        ("find_person", {"photos": ["Q1"]}), ("locate_artifacts", {"image": "H1"}),
    ]  # fmt: skip
    found, located = (it for it in steps if isinstance(it, ModelText))
    assert "I compared" in join_sentences(found.sentences)
    assert "H1" in join_sentences(located.sentences)
    assert 'not sure what you ask for with "go krzlbrmft"' in join_sentences(located.sentences)
    assert phrases.ALSO_POSSIBLE in join_sentences(located.sentences)
    facts = agent.case.steps_with_facts()
    assert "H1.regions" in next(facts for step, facts in facts if step == located)


def test_what_was_not_come_to_is_offered_again(agent: Agent, photo: Path) -> None:
    """After a refusal the rest of a question waits for one press."""
    turn(agent, "look for her", [photo])
    agent.workspace.hit("H1").path.rename(photo.parent / "elsewhere.png")
    try:
        steps = turn(agent, "show where H1 was altered, then list the copies")
    finally:
        (photo.parent / "elsewhere.png").rename(agent.workspace.hit("H1").path)
    answer = steps[-1]
    assert isinstance(answer, ModelText)
    assert answer.offers == ("list the copies",)
    assert 'I have not come to "list the copies" yet.' in join_sentences(answer.sentences)


def test_a_search_offers_the_hits_that_it_did_not_list(agent: Agent, photo: Path) -> None:
    """The answer says how many there are, and the offer lists the rest, whoever reads it."""
    turn(agent, "look for her", [photo])
    compared = agent.workspace.find_person(["Q1"], top=1).compared
    steps = turn(agent, "Show 1 more hit")
    assert calls(steps) == [("more_hits", {"count": 1})]
    answer = steps[-1]
    assert isinstance(answer, ModelText)
    assert f"2 of {compared} are listed" in join_sentences(answer.sentences)
    assert answer.offers == ("Show 1 more hit",)
    last = turn(agent, answer.offers[0])[-1]
    assert isinstance(last, ModelText)
    assert last.offers == ()


@pytest.mark.parametrize("handle", ["H1", "H2", "H3"])
def test_the_words_about_maps_are_what_all_maps_show(
    agent: Agent, photo: Path, tmp_path: Path, handle: str
) -> None:
    """What stands out is named and drawn, in the answer and in the file; nothing else is."""
    turn(agent, "look for her", [photo])
    maps = agent.workspace.examinations.maps(agent.workspace.take_snapshot(handle))
    said = agent.workspace.fact(f"{handle}.regions").reads
    shows = maps.located.has_finding or bool(maps.beside)
    version = agent.workspace.hit(handle).version is not None
    assert all(clause in said for clause in maps.beside)
    assert ("map is" in said) == maps.located.has_finding
    assert ("; " in said or ", but " in said or "map is" in said) == (shows or version)
    with Image.open(write_map(agent.workspace, handle, tmp_path)) as file:
        hue, saturation, _ = np.moveaxis(np.asarray(file.convert("HSV")), -1, 0)
    warm = (saturation > 120) & ((hue < 40) | (hue > 245))
    assert (warm.mean() > 0.004) == (shows or version)


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


def test_what_nobody_ordered_is_done_only_after_a_yes(agent: Agent, photo: Path) -> None:
    """A report of what somebody thinks marks nothing; the answer to the question does."""
    turn(agent, "anybody abusing her face?", [photo])
    for answer, made in (
        ("no", []),
        ("yes please", [("mark_hit", {"hit": "H2", "decision": "confirmed"})]),
    ):
        steps = turn(agent, "my notary is sure that H2 is a montage")
        assert calls(steps) == []
        assert said(steps) == (f"{phrases.NOTHING_CHANGED} Do you want me to mark H2 as confirmed?")
        asked = steps[-1]
        assert isinstance(asked, ModelText)
        assert asked.offers == ("Mark H2 as confirmed",)
        assert calls(turn(agent, answer)) == made


def test_an_order_about_all_hits_hides_them_after_one_press(agent: Agent, photo: Path) -> None:
    """What was read as a list is not listed."""
    turn(agent, "anybody abusing her face?", [photo])
    asked = turn(agent, "remove all of them")[-1]
    assert isinstance(asked, ModelText)
    assert calls(turn(agent, asked.offers[0])) == [
        ("mark_hit", {"hit": hit, "decision": "hidden"}) for hit in ("H1", "H2", "H3")
    ]


def test_a_note_and_the_mark_after_it_are_about_one_hit(agent: Agent, photo: Path) -> None:
    """ "It" is the hit of the note, whatever was spoken of before."""
    turn(agent, "anybody abusing her face?", [photo])
    turn(agent, "sorry, H3")
    steps = turn(agent, 'put a note on H2 that says "ask Ada and Ben", and mark it confirmed')
    assert calls(steps) == [
        ("note_hit", {"hit": "H2", "text": "ask Ada and Ben"}),
        ("mark_hit", {"hit": "H2", "decision": "confirmed"}),
    ]


def test_the_top_of_a_sorted_list_is_told_and_the_list_kept(agent: Agent, photo: Path) -> None:
    """In the order just asked for, and without a new search."""
    turn(agent, "anybody abusing her face?", [photo])
    steps = turn(agent, "sort by forged probability, then tell me the top two")
    assert calls(steps) == [("list_hits", {"sort": "forgery"})]
    first = agent.workspace.review.listed().hits
    assert len(first) == 3
    opening = f"First hits of 3 as listed now: {first[0]} and {first[1]}."
    assert opening in said(steps)
    assert phrases.LIST_KEPT in said(steps)


def test_another_language_is_answered_and_remarked_on_once(agent: Agent, photo: Path) -> None:
    """In that language, at the beginning of the first answer."""
    turn(agent, "anybody abusing her face?", [photo])
    first = said(turn(agent, "zeig mir bitte alle Kopien von ihr"))
    assert first.startswith(IN_ENGLISH["German"])
    assert IN_ENGLISH["German"] not in said(turn(agent, "warum ist das nicht mein Bild?"))


def test_a_file_that_is_no_hit_is_said_to_be_none(agent: Agent, photo: Path) -> None:
    """The answer is not about the hit that was spoken of last."""
    turn(agent, "anybody abusing her face?", [photo])
    turn(agent, "what about H2")
    steps = turn(agent, "why is missing_77.png here")
    assert calls(steps) == []
    assert 'No listed hit and no photo of yours is called "missing_77.png".' in said(steps)
    assert calls(turn(agent, "where was one.png altered")) == [
        ("locate_artifacts", {"image": "Q1"})
    ]


def test_this_one_is_the_hit_that_was_opened_since_the_answer(agent: Agent, photo: Path) -> None:
    """Only until the next answer, and only if it is a hit of the latest search."""
    turn(agent, "anybody abusing her face?", [photo])
    turn(agent, "what about H2")
    agent.point_at("H3")
    assert calls(turn(agent, "and this one?")) == [("score_fake", {"image": "H3"})]
    turn(agent, "what about H2")
    assert calls(turn(agent, "that one?")) == [("score_fake", {"image": "H2"})]
    agent.point_at("H999")
    assert calls(turn(agent, "and this one?")) == [("score_fake", {"image": "H2"})]


def test_every_part_is_told_on_the_terminal(agent: Agent, photo: Path) -> None:
    """Also where no tool was called for it."""
    turn(agent, "look for her", [photo])
    told = TurnReporter(agent, show=False)
    told.turn("is the list complete, and which hit is the strongest?", [])
    answer = told.to_json("")["answer"]
    assert phrases.MAY_LACK in answer
    assert phrases.ORDER_OF_HITS in answer


def test_no_part_is_dropped_because_its_answer_begins_alike(agent: Agent, photo: Path) -> None:
    """Each one that is not there is named; a measure is explained beside a question back."""
    turn(agent, "look for her", [photo])
    told = TurnReporter(agent, show=False)
    told.turn("explain the beckham one and describe the tall one", [])
    answer = told.to_json("")["answer"]
    assert "beckham" in answer
    assert "tall" in answer
    told.turn("tell me what E34 is, then mark H2", [])
    answer = told.to_json("")["answer"]
    assert "E34" in answer
    assert phrases.AS_WHAT in answer
