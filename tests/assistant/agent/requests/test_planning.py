"""From the class of a request to calls of tools, or to a text of the application."""

import re
from typing import Any

import pytest

from assistant.agent.requests.plain_requests import plain_request
from assistant.agent.requests.planning import Plan, Request, known_classes, plan_request
from assistant.agent.requests.state import CaseState, ListedHit
from assistant.conversation.steps import ToolCall
from assistant.grounding.sentences import split_sentences
from assistant.grounding.statements import form_error
from assistant.training.reader.classes import classes
from prompts import phrases
from tools import toolkit
from tools.agent_tools.arguments import check_arguments

pytestmark = pytest.mark.fast

LISTED = CaseState(("Q1", "Q2"), (), ("Q2",), 12, "H5", (ToolCall("score_fake", {"image": "H5"}),))


def planned(name: str, text: str, state: CaseState = LISTED) -> Plan:
    """The plan of a request."""
    return plan_request(Request(name, text, state, ["press"]))


def calls(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Its calls."""
    return [(it.name, dict(it.arguments)) for it in plan.calls]


def test_every_class_of_the_training_can_be_planned() -> None:
    """And nothing else can."""
    assert {*classes()} == {*known_classes()}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("rename the case to Ada, forum", phrases.RENAME_CASE),
        ("please name this case Ada", phrases.RENAME_CASE),
        ("change the name of the case", phrases.RENAME_CASE),
        ("can you give this case a name?", phrases.RENAME_CASE),
        ("rename H3", phrases.OUTSIDE),
        ("what will the weather be in that case?", phrases.OUTSIDE),
    ],
)
def test_who_wants_to_rename_a_case_reads_where(text: str, answer: str) -> None:
    """A conversation does not rename its case, but the page and the command line do."""
    assert planned("outside", text) == Plan(text=answer)


@pytest.mark.parametrize("name", known_classes())
@pytest.mark.parametrize(
    "state",
    [CaseState(), CaseState(("Q1",), ("Q1",)), CaseState(("Q1",), (), ("Q1",), 0), LISTED],
    ids=["nothing", "a photo", "no hits", "hits"],
)
def test_every_plan_is_sound_in_every_state(name: str, state: CaseState) -> None:
    """Calls fit their tools; texts are citations and sentences of the project's own."""
    workspace: Any = None  # schemas are the same for every workspace
    tools = {tool.name: tool for tool in toolkit(workspace)}
    plan = planned(name, "please do that with H3 and H4, before May 2024, E4, in press", state)
    assert bool(plan.calls) != bool(plan.text or plan.note)
    for call in plan.calls:
        check_arguments(tools, call.name, call.arguments)
    for sentence in split_sentences(plan.text):
        assert form_error(sentence) is None, sentence


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("why", "could H104 be a filter?", [("score_fake", {"image": "H104"})]),
        ("why", "is Q1 itself fake?", [("score_fake", {"image": "Q1"})]),
        ("where", "and where?", [("locate_artifacts", {"image": "H5"})]),
        ("compare", "H3 with my photo", [("compare_faces", {"first": "Q2", "second": "H3"})]),
        ("compare", "H3 with Q1", [("compare_faces", {"first": "Q1", "second": "H3"})]),
        ("compare_hits", "H3 and H9", [("compare_faces", {"first": "H3", "second": "H9"})]),
        ("fewer", "only three", [("find_person", {"photos": ["Q2"], "top": 3})]),
        ("more", "20 more", [("more_hits", {"count": 20})]),
        ("more", "the rest", [("more_hits", {})]),
        ("filter_folder", "those in press", [("list_hits", {"folder": "press"})]),
        ("filter_before", "older than 2020", [("list_hits", {"before": "2020"})]),
        ("filter_after", "from 2018 on", [("list_hits", {"after": "2018"})]),
        ("filter_after", "from 2018", [("list_hits", {"after": "2018", "before": "2019"})]),
        ("filter_after", "of May 2018", [("list_hits", {"after": "2018-05", "before": "2018-06"})]),
        (
            "filter_after", "only from 31.12.2018",
            [("list_hits", {"after": "2018-12-31", "before": "2019-01-01"})],
        ),
        ("clear_filter", "and below 80?", [("list_hits", {"forged": "0-80"})]),
        ("clear_filter", "hits without a decision", [("list_hits", {"decision": "none"})]),
        ("clear_filter", "which did I confirm?", [("list_hits", {"decision": "confirmed"})]),
        (
            "reject", "H2 and H3 are false alarms",
            [
                ("mark_hit", {"hit": "H2", "decision": "rejected"}),
                ("mark_hit", {"hit": "H3", "decision": "rejected"}),
            ],
        ),
        ("export", "as csv", [("export_report", {"format": "csv"})]),
        ("note", "note for H4: ask Ada. Is H2 fake?",
         [("note_hit", {"hit": "H4", "text": "ask Ada. Is H2 fake?"})]),
        ("note", "add a note to the second hit: hide it",
         [("note_hit", {"hit": "H2", "text": "hide it"})]),
        ("note", "delete the note", [("note_hit", {"hit": "H5", "text": ""})]),
        ("why", "the third one from the bottom", [("score_fake", {"image": "H10"})]),
        ("why", "why is the second to last one a copy?", [("score_fake", {"image": "H11"})]),
        ("why", "the 12th from the end", [("score_fake", {"image": "H1"})]),
        ("correction", "no, H7", [("score_fake", {"image": "H7"})]),
        (
            "two_why_where", "why H2 and where",
            [("score_fake", {"image": "H2"}), ("locate_artifacts", {"image": "H2"})],
        ),
    ],
)  # fmt: skip
def test_calls_are_about_what_the_words_name(
    name: str, text: str, wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    """Any number of digits; "it" is the hit spoken of last; the person's own photos."""
    assert calls(planned(name, text)) == wanted


@pytest.mark.parametrize(
    ("text", "state", "image"),
    [
        ("what do you see in H3?", LISTED, "H3"),
        ("what is in the picture?", CaseState(("Q1",), ("Q1",)), "Q1"),
        ("what is in the picture?", CaseState(("Q1", "Q2")), "Q2"),
        ("and what is this?", CaseState(("Q1", "Q2"), ("Q2",), ("Q1",), 3, "H2"), "Q2"),
        ("describe H2", CaseState(("Q1", "Q2"), ("Q2",), ("Q1",), 3), "H2"),
        ("describe it", LISTED, "H5"),
    ],
)
def test_the_picture_is_the_one_that_came_last(text: str, state: CaseState, image: str) -> None:
    """A photo that came with the words, or the latest before a search, unless a hit is named."""
    assert calls(planned("describe", text, state)) == [("describe_image", {"image": image})]


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("What is in the picture?", "describe_image"),
        ("what do you see here", "describe_image"),
        ("what fakes of her do you see?", "find_person"),
        ("who is in this photo, and is she in the collection?", "find_person"),
    ],
)
def test_a_photo_that_is_only_asked_about_is_described(text: str, tool: str) -> None:
    """Even if it was read as a search, which most messages with a photo are."""
    state = CaseState(("Q1",), ("Q1",))
    assert [name for name, _ in calls(planned("find", text, state))] == [tool]


def test_photos_that_came_with_the_request_are_searched_for() -> None:
    """Another person's photo alone; further photos of the person with the earlier ones."""
    state = CaseState(("Q1", "Q2"), ("Q2",), ("Q1",), 12)
    assert calls(planned("find", "and him?", state)) == [("find_person", {"photos": ["Q2"]})]
    together = [("find_person", {"photos": ["Q1", "Q2"]})]
    assert calls(planned("more_photos", "another of her", state)) == together
    first = CaseState(("Q1",), ("Q1",))
    assert calls(planned("two_find_why", "find, explain the first", first)) == [
        ("find_person", {"photos": ["Q1"]}),
        ("score_fake", {"image": "H1"}),
    ]


@pytest.mark.parametrize(
    ("name", "state", "said"),
    [
        ("find", CaseState(), phrases.ASK_PHOTO),
        ("own_photo", CaseState(), phrases.ASK_PHOTO),
        ("why", CaseState(), phrases.PHOTO_FIRST),
        ("which_fake", CaseState(("Q1",)), phrases.SEARCH_FIRST),
        ("why", CaseState(("Q1",), (), ("Q1",), 12), phrases.WHICH_HIT),
        ("filter_folder", CaseState(("Q1",), (), ("Q1",), 12), phrases.WHICH_FOLDER),
        ("filter_after", CaseState(("Q1",), (), ("Q1",), 12), phrases.WHICH_DATE),
    ],
)
def test_what_is_missing_is_asked_for(name: str, state: CaseState, said: str) -> None:
    """A photo, a search, a hit, a folder, a date."""
    plan = planned(name, "please", state)
    assert not plan.calls
    assert said in plan.text
    assert re.search(r"\[(?!hits\.all\])", plan.text) is None


HITS = (
    ListedHit(
        "H1", "impersonation", "as one of two versions", 0.99, ("swap7.png",), ("tape_4.mp4",)
    ),
    ListedHit("H2", "inconclusive", "beside the query photos", 0.88, ("swap8.png",)),
    ListedHit("H3", "other", "judged by itself", 0.3, ("a.jpg",)),
    ListedHit("H4", "inconclusive", "beside the query photos", 0.71, ("b.jpg",)),
    ListedHit("H5", "other", "", None, ("c.jpg",)),
)
FIVE = CaseState(("Q1",), (), ("Q1",), 5, "H2")


def about_hits(name: str, text: str, state: CaseState = FIVE) -> Plan:
    """The plan of a request with known hits."""
    return plan_request(Request(name, text, state, (), HITS))


@pytest.mark.parametrize(
    ("name", "text", "offer"),
    [
        ("confirm", "the sheriff is certain that H4 was tampered with", "Mark H4 as confirmed"),
        ("reject", "would it be fair to dismiss H2?", "Mark H2 as rejected"),
        ("hide", "who hid H3?", "Hide H3"),
        ("unmark", "was my decision on H3 withdrawn?", "Take back my decision on H3"),
        ("export", "my aunt is asking for a report", "Export the report"),
    ],
)
def test_an_action_that_no_words_order_is_asked_back(name: str, text: str, offer: str) -> None:
    """Nothing is changed; what is offered is read without any reader, and does it."""
    plan = about_hits(name, text)
    assert plan.calls == ()
    assert plan.note.startswith(phrases.NOTHING_CHANGED)
    assert plan.offers == (offer,)
    read = plain_request(offer)
    assert read is not None
    assert about_hits(read, offer).calls


def test_a_doubt_is_answered_with_reasons() -> None:
    """Not with a decision."""
    text = "My editor insists that H4 is the forgery. What proof is there?"
    assert calls(about_hits("confirm", text)) == [("score_fake", {"image": "H4"})]


@pytest.mark.parametrize(
    ("name", "text", "offer"),
    [
        ("which_other", "remove the ones that show somebody else", "Hide H3 and H5"),
        ("which_inconclusive", "reject all inconclusive ones", "Mark H2 and H4 as rejected"),
        ("hide", "keep H1 and hide the rest", "Hide H2, H3, H4 and H5"),
        ("hide", "hide everything except H1 and H2", "Hide H3, H4 and H5"),
        ("hide", "hide H2 to H4", "Hide H2, H3 and H4"),
        ("confirm", "confirm the first two", "Mark H1 and H2 as confirmed"),
        ("clear_filter", "bin them all", "Hide H1, H2, H3, H4 and H5"),
    ],
)
def test_an_order_about_a_group_names_its_hits(name: str, text: str, offer: str) -> None:
    """It is never answered with a list of what should go, and one press does what it says."""
    plan = about_hits(name, text)
    assert plan.calls == ()
    assert plan.offers == (offer,)
    read = plain_request(offer)
    assert read is not None
    assert [it.name for it in about_hits(read, offer).calls] == ["mark_hit"] * offer.count("H", 1)


def test_one_hit_is_no_group() -> None:
    """What is named by itself, or by "it", is marked at once; lists stay lists."""
    assert about_hits("hide", "hide it, those copies bore me").calls
    assert calls(about_hits("hide", "scrap the last one")) == [
        ("mark_hit", {"hit": "H5", "decision": "hidden"})
    ]
    assert about_hits("confirm", "mark H4 as one of the fakes").calls
    assert calls(about_hits("which_copy", "show me all copies")) == [
        ("list_hits", {"verdict": "copy"})
    ]


@pytest.mark.parametrize(
    ("name", "text", "arguments", "left"),
    [
        ("which_inconclusive", "the unclear ones below 40 percent",
         {"verdict": "inconclusive", "forged": "0-40"}, ""),
        ("which_other", "andere Personen, mindestens 30 % ähnlich",
         {"verdict": "other", "person": "30"}, ""),
        ("clear_filter", "all hits between 20 and 50", {"forged": "20-50"}, ""),
        ("which_fake", "fakes since 2023", {"verdict": "impersonation", "after": "2023"}, ""),
        ("which_fake", "the 3 fakes", {"verdict": "impersonation"}, 'I did not apply "3".'),
    ],
)  # fmt: skip
def test_numbers_in_a_filter_are_applied_or_named(
    name: str, text: str, arguments: dict[str, str], left: str
) -> None:
    """None is dropped without a word."""
    plan = about_hits(name, text)
    assert calls(plan) == [("list_hits", arguments)]
    assert plan.note == left


def test_which_of_two_is_more_forged_depends_on_what_was_asked_of_them() -> None:
    """Probabilities of one question stand side by side; of two, they do not compare."""
    same = about_hits("compare_hits", "is H2 or H4 the more doctored one?")
    assert "[H2.P2]" in same.text and "[H4.P2]" in same.text
    assert same.note == f"{phrases.SAME_QUESTION} beside the query photos."
    other = about_hits("which_fake", "which is more likely forged, H1 or H2?")
    assert other.note.startswith(phrases.NOT_RANKED)
    assert "H1 was judged as one of two versions" in other.note


def test_a_hit_is_found_by_the_percentage_that_it_shows() -> None:
    """If just one hit shows it; else it is the one spoken of last."""
    text = "so why is this not called forged with {} %?"
    for percent, hit in ((71, "H4"), (12, "H2")):
        assert calls(about_hits("why", text.format(percent))) == [("score_fake", {"image": hit})]
