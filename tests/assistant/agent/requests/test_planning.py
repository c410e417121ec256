"""From the class of a request to calls of tools, or to a text of the application."""

import re
from dataclasses import replace
from typing import Any

import pytest

from assistant.agent.requests.list_words import NAMED_HITS
from assistant.agent.requests.plain_requests import plain_request
from assistant.agent.requests.planning import known_classes, plan_request
from assistant.agent.requests.plans.request import Plan, Request
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
        ("compare", "the second pic I gave you next to nr 5",
         [("compare_faces", {"first": "Q2", "second": "H5"})]),
        ("compare_hits", "hit 7 with the photo 2 which I gave",
         [("compare_faces", {"first": "Q2", "second": "H7"})]),
        ("compare", "H3 with Q1", [("compare_faces", {"first": "Q1", "second": "H3"})]),
        ("compare_hits", "H3 and H9", [("compare_faces", {"first": "H3", "second": "H9"})]),
        ("fewer", "search again, only three", [("find_person", {"photos": ["Q2"], "top": 3})]),
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
        ("clear_filter", "only those I confirmed", [("list_hits", {"decision": "confirmed"})]),
        ("reviews", "which did I confirm?", [("reviewed", {"decision": "confirmed"})]),
        (
            "reviews", "which fakes did I confirm?",
            [("list_hits", {"verdict": "impersonation", "decision": "confirmed", "stays": True})],
        ),
        (
            "which_fake", "which fakes did I confirm?",
            [("list_hits", {"verdict": "impersonation", "decision": "confirmed", "stays": True})],
        ),
        (
            "reject", "H2 and H3 are false alarms",
            [
                ("mark_hit", {"hit": "H2", "decision": "rejected"}),
                ("mark_hit", {"hit": "H3", "decision": "rejected"}),
            ],
        ),
        ("export", "as csv", [("export_report", {"format": "csv"})]),
        ("export", "as csv and json",
         [("export_report", {"format": "csv"}), ("export_report", {"format": "json"})]),
        ("note", "note for H4: ask Ada. Is H2 fake?",
         [("note_hit", {"hit": "H4", "text": "ask Ada. Is H2 fake?"})]),
        ("note", "add a note to the second hit: hide it",
         [("note_hit", {"hit": "H2", "text": "hide it"})]),
        ("note", "write down that H5 came from Telegram",
         [("note_hit", {"hit": "H5", "text": "came from Telegram"})]),
        ("note", "delete the note", [("note_hit", {"hit": "H5", "text": ""})]),
        ("why", "the third one from the bottom", [("score_fake", {"image": "H10"})]),
        ("why", "why is the second to last one a copy?", [("score_fake", {"image": "H11"})]),
        ("why", "the 12th from the end", [("score_fake", {"image": "H1"})]),
        ("correction", "no, H7", [("score_fake", {"image": "H7"})]),
        ("undo", "undo only H3", [("mark_hit", {"hit": "H3", "decision": "none"})]),
        ("undo", "undo that", [("undo", {})]),
        ("undo", "undo the last 2", [("undo", {})]),
        ("find", "find fakes of her, the best one first", [("find_person", {"photos": ["Q2"]})]),
        ("find", "find the worst 7", [("find_person", {"photos": ["Q2"], "top": 7})]),
        ("reject", "reject H1, H3 and H4",
         [("mark_hit", {"hit": it, "decision": "rejected"}) for it in ("H1", "H3", "H4")]),
        ("file_facts", "when was H3 taken?", [("file_facts", {"image": "H3"})]),
        ("file_facts", "its size?", [("file_facts", {"image": "H5"})]),
        ("file_facts", "EXIF of Q1", [("file_facts", {"image": "Q1"})]),
        ("file_facts", "which is the oldest?",
         [("list_hits", {"sort": "date reversed", "stays": True})]),
        ("sort_date", "sort by date, oldest first", [("list_hits", {"sort": "date reversed"})]),
        ("sort_date", "newest first", [("list_hits", {"sort": "date"})]),
        ("sort_forgery", "by forgery, lowest first",
         [("list_hits", {"sort": "forgery reversed"})]),
        ("sort_forgery", "sort by forgery, at least 80 %",
         [("list_hits", {"sort": "forgery", "forged": "80"})]),
        ("sort_rank", "reverse the order", [("list_hits", {"sort": "rank reversed"})]),
        ("reviews", "what did I note on H4?", [("reviewed", {"hit": "H4"})]),
        ("reviews", "and my note there?", [("reviewed", {"hit": "H5"})]),
        ("reviews", "what have I decided so far?", [("reviewed", {})]),
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
        ("named_person", CaseState(), phrases.ASK_PHOTO),
        ("named_person", LISTED, phrases.BY_PHOTO),
        ("file_facts", CaseState(("Q1",), (), ("Q1",), 12), phrases.WHICH_HIT),
        ("reviews", CaseState(("Q1",)), phrases.SEARCH_FIRST),
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


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("is the photo I just checked real or not", False),
        ("which of the two I compared is fake?", False),
        ("I just checked H3 with the press office, why is it open?", True),
        ("we checked with her lawyer, is my photo clean?", True),
    ],
)
def test_the_chat_says_that_it_does_not_see_the_other_tabs(text: str, seen: bool) -> None:
    """An answer about the query photo would be taken for one about the photo on the tab."""
    assert (planned("own_photo", text) == Plan(text=phrases.NOT_SEEN)) is not seen


def test_before_a_search_a_name_is_that_of_the_photo() -> None:
    """ "Any fakes of Ada?" beside Ada's photo searches for it; "who is H3?" does not."""
    photo = CaseState(("Q1",), (), ("Q1",))
    assert calls(planned("named_person", "any fakes of Ada?", photo)) == [
        ("find_person", {"photos": ["Q1"]})
    ]


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
        ("hide", "keep H1 and hide the rest", "Hide H2, H3, H4 and H5"),
        ("hide", "hide everything except H1 and H2", "Hide H3, H4 and H5"),
        ("hide", "hide everything except the first two", "Hide H3, H4 and H5"),
        ("hide", "hide all but the inconclusive ones", "Hide H1, H3 and H5"),
        ("reject", "reject all that are not fakes", "Mark H2, H3, H4 and H5 as rejected"),
        ("which_other", "hide everything that's not him", "Hide H3 and H5"),
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


@pytest.mark.parametrize(
    ("name", "text", "handles", "decision"),
    [
        ("which_inconclusive", "reject all inconclusive ones", "H2 H4", "rejected"),
        ("confirm", "mark all inconclusive as confirmed", "H2 H4", "confirmed"),
        ("confirm", "mark all inconclusive as fakes", "H2 H4", "confirmed"),
        ("unmark", "unmark the fakes", "H1", "none"),
    ],
)
def test_an_order_about_a_verdict_marks_its_hits(
    name: str, text: str, handles: str, decision: str
) -> None:
    """At once: the verdict says which hits are meant, and one undo takes all of it back."""
    assert calls(about_hits(name, text)) == [
        ("mark_hit", {"hit": it, "decision": decision}) for it in handles.split()
    ]


@pytest.mark.parametrize("word", ["thru", "through", "till", "until"])
def test_a_range_holds_what_lies_between(word: str) -> None:
    """However its two ends are joined."""
    listed = [ListedHit(f"H{at}", "other") for at in range(1, 10)]
    for text in (f"reject 3 {word} 5", f"reject hits 3 {word} 5"):
        name = plain_request(text)
        assert name == "reject"
        plan = plan_request(Request(name, text, LISTED, listed=listed))
        assert [it.arguments["hit"] for it in plan.calls] == ["H3", "H4", "H5"]
    assert plain_request(f"show 3 {word} 5") == NAMED_HITS


@pytest.mark.parametrize(
    "text",
    [
        "hide everything thats not elon",
        "hide everything that isn't elon",
        "remove all but the ones from the BBC",
        "get rid of everything that is not a fake",
        "reject the rest except elon",
    ],
)
def test_who_leaves_out_what_is_no_hit_is_asked_which(text: str) -> None:
    """An exception that names no hit never makes the order one about all hits."""
    act = plain_request(text)
    assert act in ("hide", "reject")
    for name in (act, "which_genuine"):  # as a reading might take it
        plan = about_hits(name, text)
        assert (plan.calls, plan.offers) == ((), ())
        assert phrases.LEAVE_OUT in plan.note


@pytest.mark.parametrize(
    ("text", "act", "handles"),
    [
        ("reject H3 and H4, that's not him", "reject", "H3 H4"),
        ("reject H5, thats not him", "reject", "H5"),
        ("please mark H3 as rejected, it looks just like H5", "reject", "H3"),
        ("reject H3, H4 is fine", "reject", "H3"),
        ("reject H3, but not H4", "reject", "H3"),
        ("confirm H1 and H2 because they are the same man", "confirm", "H1 H2"),
        ("hide H3, all of these are boring", "hide", "H3"),
    ],
)
def test_an_order_with_a_reason_is_the_order(text: str, act: str, handles: str) -> None:
    """About the hits of its own words; the reason marks none and asks for nothing."""
    assert plain_request(text) == act
    decision = {"reject": "rejected", "confirm": "confirmed", "hide": "hidden"}[act]
    assert calls(about_hits(act, text)) == [
        ("mark_hit", {"hit": it, "decision": decision}) for it in handles.split()
    ]


def test_a_condition_is_no_reason() -> None:
    """Nor is a question, or a pair that is compared; only numbers need no asking back."""
    for text in ("reject H5, if it is a copy", "reject H5, or is it him?", "H1, they look alike"):
        assert plain_request(text) is None, text
    assert plain_request("compare H1 and H2, they look alike") is None
    marked = [it.arguments["hit"] for it in about_hits("reject", "reject H3 to H5, not him").calls]
    assert marked == ["H3", "H4", "H5"]
    (offer,) = about_hits("reject", "reject the last three").offers
    assert offer == "Mark H3, H4 and H5 as rejected"


def test_the_one_of_an_unknown_word_is_not_the_one_spoken_of_last() -> None:
    """Which one is asked; "the same one" and ordinals are known."""
    plan = about_hits("why", "is the obama one fake?")
    assert (plan.calls, plan.note) == ((), 'The file name of no listed hit contains "obama".')
    assert phrases.WHICH_HIT in plan.text
    assert about_hits("reject", "reject the obama one").calls == ()
    for text, hit in (("is the same one fake?", "H2"), ("is the third one fake?", "H3")):
        assert calls(about_hits("why", text)) == [("score_fake", {"image": hit})]


@pytest.mark.parametrize(
    ("name", "text"),
    [("fewer", "tell me the top two"), ("fewer", "top 2"), ("find", "only the worst 2")],
)
def test_the_first_hits_are_told_without_a_new_search(name: str, text: str) -> None:
    """In the order in which they are listed; a search would cut the list."""
    plan = plan_request(Request(name, text, FIVE, (), HITS, shown=("H4", "H1", "H3")))
    assert plan.calls == ()
    assert plan.opening == "First hits of 3 as listed now: H4 and H1."
    assert plan.text == "[H4.verdict], and [H4.P2]. [H1.verdict], and [H1.P2]."
    assert plan.note == phrases.LIST_KEPT


def test_an_exception_is_no_comparison() -> None:
    """Of two named hits, which a reading takes for a pair to compare."""
    assert plain_request("hide everything except H1 and H2") == "hide"
    assert plain_request("delete all data except my photos") == "about_privacy"
    assert plain_request("hide everything not in press") is None


def test_hidden_hits_are_marked_with_no_group() -> None:
    """They are in no list that the user sees; the answer says so."""
    listed = [replace(HITS[1], decision="hidden"), HITS[3]]
    text = "mark all inconclusive as confirmed"
    plan = plan_request(Request("confirm", text, FIVE, (), listed))
    assert calls(plan) == [("mark_hit", {"hit": "H4", "decision": "confirmed"})]
    assert plan.note == "Hidden before and left so: H2."
    back = plan_request(Request("unmark", "unmark all inconclusive", FIVE, (), listed))
    assert [it["hit"] for _, it in calls(back)] == ["H2", "H4"]


def test_the_hit_that_reads_most_forged_is_named_with_its_reasons() -> None:
    """An impersonation before a higher probability of another question; strangers beside it."""
    plan = about_hits("most_forged", "which is most likely faked?")
    assert calls(plan) == [("score_fake", {"image": "H1"})]
    assert plan.opening == (
        "H1 reads most forged: the probability of a forgery is 99 %, judged as one of two versions."
    )
    assert plan.note == ""
    beside = (
        replace(HITS[1], forged=0.6),
        HITS[3],
        replace(HITS[0], verdict="inconclusive", handle="H9"),
        replace(HITS[2], forged=0.95),
    )
    plan = plan_request(Request("most_forged", "the worst one", FIVE, (), beside))
    assert calls(plan) == [("score_fake", {"image": "H4"})]
    assert plan.note == (
        "Judged as one of two versions, H9 reads most forged (99 %); that is another question, and "
        "the two do not compare. Judged by itself, H3 reads most forged (95 %), and shows another "
        "person."
    )
    shown = Request("most_forged", "the worst of these", FIVE, (), HITS, shown=("H3", "H4"))
    plan = plan_request(shown)
    assert calls(plan) == [("score_fake", {"image": "H4"})]
    assert plan.note == "Only the hits that the filter lists count: 2 of 5."
    nothing = plan_request(Request("most_forged", "the worst one", FIVE, (), HITS[4:]))
    assert nothing.text == "[hits.all]. [hits.unassessed]."


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("how many are fake? one number", "[S2]. [S8]."),
        ("how many are someone else", "[S6]. [S8]."),
        ("how many could not be assessed", "[S7]. [S8]."),
        ("how many pictures were compared", "[S8]."),
    ],
)
def test_the_count_that_is_asked_for_stands_first(text: str, begins: str) -> None:
    """All counts follow it, so that a zero is no all-clear."""
    assert about_hits("counts", text).text.startswith(begins)


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("alike", "are there duplicates?", "[hits.alike]. [hits.copy]."),
        ("unassessed", "what was not measured?", "[hits.unassessed]."),
        (
            "not_forged",
            "which should I not call fake?",
            "[hits.inconclusive]. [hits.no_forgery_found].",
        ),
        ("forged_others", "do strangers read as forged?", "[hits.forged_others]."),
    ],
)
def test_questions_about_the_whole_list_are_answered_by_its_facts(
    name: str, text: str, answer: str
) -> None:
    """Before a search, it is asked for."""
    assert about_hits(name, text).text.startswith(answer)
    assert phrases.SEARCH_FIRST in planned(name, text, CaseState(("Q1",))).text


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("and what speaks against that?", "[H2.against]."),
        ("is there any evidence against it", "[H2.against]."),
        ("does anything speak for it being real?", "[H2.against]."),
        ("was spricht dagegen?", "[H2.against]."),
        ("why is H2 here?", ""),
        ("what speaks against my photo Q1?", ""),
    ],
)
def test_what_speaks_against_a_verdict_is_said_first(text: str, before: str) -> None:
    """Of the hit spoken of last; the whole explanation follows."""
    plan = about_hits("why", text)
    assert (plan.text, [it.name for it in plan.calls]) == (before, ["score_fake"])


@pytest.mark.parametrize(
    ("name", "text", "stays"),
    [
        ("filter_after", "which of these are from 2019?", True),
        ("filter_folder", "are there any forged ones in press?", True),
        ("filter_folder", "can you tell me what lies in press?", True),
        ("which_other", "who of them is somebody else?", True),
        ("sort_forgery", "which one has the highest score?", True),
        ("filter_after", "only those from 2019", False),
        ("filter_after", "can you show me those from 2019?", False),
        ("filter_folder", "anything in press? then list only that", False),
        ("filter_folder", "which lie in press? Show me nothing else.", False),
        ("clear_filter", "and below 80?", False),
    ],
)
def test_a_question_leaves_the_list_as_it_is(name: str, text: str, stays: bool) -> None:
    """Only an order changes what is listed."""
    request = Request(name, text, FIVE, ["press"], HITS)
    (listing,) = plan_request(request).calls
    assert listing.name == "list_hits"
    assert listing.arguments.get("stays", False) is stays


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("are there any forged ones in folder press?", {"verdict": "impersonation"}),
        ("which copies lie in the press folder?", {"verdict": "copy"}),
        ("show only those in the folder press", {}),
        ("how many hits are in folder press?", {}),
    ],
)
def test_what_is_called_a_folder_is_one(text: str, given: dict[str, str]) -> None:
    """Also if it has a person's name; a verdict beside it is kept."""
    assert plain_request(text) == "filter_folder"
    (_, arguments), *_ = calls(planned("filter_folder", text))
    stays = {"stays": True} if text.endswith("?") else {}
    assert arguments == {"folder": "press", **given, **stays}


def test_a_count_within_a_folder_or_year_is_no_count_of_all() -> None:
    """A folder that does not exist holds no hit."""
    assert calls(planned("counts", "how many of them are in press?")) == [
        ("list_hits", {"folder": "press", "stays": True})
    ]
    assert calls(planned("counts", "how many fakes from 2019?")) == [
        ("list_hits", {"after": "2019", "before": "2020", "verdict": "impersonation",
                       "stays": True})
    ]  # fmt: skip
    assert calls(planned("filter_folder", "anything in folder nowhere?")) == [
        ("list_hits", {"folder": "nowhere", "stays": True})
    ]
    for text in ("are all from the same folder?", "show hits regardless of folder and date"):
        assert plain_request(text) is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("hide", "hide all from the BBC", "from the BBC"),
        ("hide", "hide everything that was taken before 2019", "that was taken before 2019"),
        ("which_copy", "reject all copies from press", "from press"),
        ("hide", "hide the rest from Bob", "from Bob"),
        ("hide", "hide all photos of Jeb Bush", "of Jeb Bush"),
        ("reject", "reject everything that looks like a painting", "that looks like a painting"),
    ],
)
def test_a_group_that_no_rule_knows_is_never_all_hits(name: str, text: str, words: str) -> None:
    """Its words are repeated, and the hits are asked for."""
    assert plain_request(text) == (None if "2019" in text else text.partition(" ")[0])
    plan = about_hits(name, text)
    assert (plan.calls, plan.offers) == ((), ())
    assert phrases.WHICH_OF_THEM.format(words=f'"{words}"') in plan.note


@pytest.mark.parametrize(
    "text",
    [
        "hide all of them from the list",
        "hide all in one go",
        "remove all hits with the verdict inconclusive",
        "hide all that are inconclusive",
        "hide everything of him",
    ],
)
def test_words_that_restrict_nothing_leave_the_group(text: str) -> None:
    """The list and its hits are what is spoken of."""
    assert about_hits("hide", text).offers


def test_how_sure_it_is_of_a_version_states_what_is_proven() -> None:
    """That another version exists, and which of the two the scores accuse."""
    assert "[H1.E34]. [H1.E37]." in about_hits("sure", "how sure are you about H1?").text
    assert "E34" not in about_hits("sure", "how sure are you about H2?").text


def test_a_percentage_is_that_of_the_hits_that_show_it() -> None:
    """Of a forgery or of the person, with the question that it answers."""
    listed = (*HITS[:1], replace(HITS[1], person=0.994), replace(HITS[3], forged=0.881))
    plan = plan_request(Request("percentage", "what does 88% mean?", FIVE, (), listed))
    assert plan.opening == (
        "88 % is the probability of a forgery of H2, judged beside the query photos. 88 % is the "
        "probability of a forgery of H4, judged beside the query photos."
    )
    assert calls(plan) == [("explain_term", {"term": "probability"})]
    both = plan_request(Request("percentage", "what is the 99 % of H2?", FIVE, (), listed))
    assert both.opening == "99 % is the probability that H2 shows the query person."
    none = plan_request(Request("percentage", "and 12 %?", FIVE, (), listed))
    assert none.opening == "No listed hit shows 12 %."


def test_a_count_of_genuine_pictures_says_what_is_counted() -> None:
    """Finding no forgery is no proof; counts of forgeries need no such word."""
    assert about_hits("counts", "how many are real?").note == phrases.NOT_GENUINE
    assert about_hits("counts", "how many are fake?").note == ""


def test_hits_are_listed_by_the_names_of_their_files() -> None:
    """Not taken for a person's name."""
    plan = about_hits("named_files", "which hits are named elon?")
    assert calls(plan) == [("list_hits", {"name": "elon", "stays": True})]


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


def test_unhiding_never_offers_to_hide() -> None:
    """ "Them" are all hidden hits, which are named before one press brings them back."""
    listed = [replace(HITS[0], decision="hidden"), replace(HITS[2], decision="hidden"), HITS[3]]
    plan = plan_request(Request("unmark", "unhide them", FIVE, (), listed))
    assert plan.calls == ()
    assert plan.offers == ("Take back my decision on H1 and H3",)


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("confirm the top three except H2", "Mark H1 and H3 as confirmed"),
        ("reject the last 2", "Mark H4 and H5 as rejected"),
        ("hide the two weakest", "Hide H4 and H5"),
        ("reject the weakest 2", "Mark H4 and H5 as rejected"),
    ],
)
def test_an_order_about_an_end_of_the_list_is_no_question_for_a_list(text: str, offer: str) -> None:
    """Those at that end are named and wait for one press."""
    plan = about_hits(plain_request(text) or "fewer", text)
    assert plan.calls == ()
    assert plan.offers == (offer,)


def test_everything_is_not_undone_by_undoing_one_message() -> None:
    """The latest message is offered."""
    plan = planned("undo", "undo everything I did today")
    assert plan.calls == ()
    assert plan.offers == ("Undo",)


def test_the_top_of_the_list_is_what_the_user_sees_there() -> None:
    """Hidden hits and those that a filter leaves out do not count."""
    text = "confirm the top two"
    plan = plan_request(Request("confirm", text, FIVE, (), HITS, shown=("H2", "H4", "H5")))
    assert plan.offers == ("Mark H2 and H4 as confirmed",)


def test_there_are_notes_points_at_no_hit() -> None:
    """ "What notes are there?" is about all hits, not about the one that was spoken of last."""
    assert calls(planned("reviews", "what notes are there?")) == [("reviewed", {})]
    assert calls(planned("reviews", "my note there?")) == [("reviewed", {"hit": "H5"})]


def test_no_decision_is_offered_to_be_taken_back_that_nobody_made() -> None:
    """What was decided is told instead."""
    assert not about_hits("unmark", "was my decision on H3 withdrawn?").offers
    text = "would marking H4 change its verdict?"
    plan = plan_request(Request("unmark", text, FIVE, (), HITS))
    assert (calls(plan), plan.offers) == ([("reviewed", {"hit": "H4"})], ())
    marked = [replace(it, decision="rejected") for it in HITS]
    plan = plan_request(Request("unmark", text, FIVE, (), marked))
    assert plan.offers == ("Take back my decision on H4",)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("compare_hits", "are H1, H2 and H4 the same picture?",
         [("compare_faces", {"first": "H1", "second": "H2"}),
          ("compare_faces", {"first": "H1", "second": "H4"})]),
        ("counts", "how many in press vs forum?",
         [("list_hits", {"folder": "press", "stays": True}),
          ("list_hits", {"folder": "forum", "stays": True})]),
        ("which_copy", "since they are copies, the section can go",
         [("list_hits", {"verdict": "copy", "stays": True})]),
        ("hide", "hide H2 to H4",
         [("mark_hit", {"hit": it, "decision": "hidden"}) for it in ("H2", "H3", "H4")]),
        ("find", "any more forgeries of her about?", []),
        ("more", "are there more than these?", []),
    ],
)  # fmt: skip
def test_a_question_or_a_remark_keeps_the_list(
    name: str, text: str, wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    """Every hit and folder that is named counts; no search begins that nobody ordered."""
    plan = plan_request(Request(name, text, LISTED, ["press", "forum"], HITS))
    assert calls(plan) == wanted


def test_a_corrected_mark_is_taken_back() -> None:
    """The hit that was meant gets it; what was only asked about is asked again."""
    before = (ToolCall("mark_hit", {"hit": "H2", "decision": "rejected"}),)
    marked = [replace(HITS[1], decision="rejected")]
    request = Request("correction", "not 2. 3.", replace(LISTED, before=before), (), marked)
    meant = ("mark_hit", {"hit": "H3", "decision": "rejected"})
    assert calls(plan_request(request)) == [("undo", {}), meant]
    assert calls(plan_request(replace(request, listed=HITS))) == [meant]


def test_a_group_is_told_whether_it_shows_the_person() -> None:
    """Each of "the first three"; and a report of some hits says that it holds all."""
    plan = about_hits("same_person", "are the first three the man in my photo?")
    assert plan.text == "[H1.P1]. [H2.P1]. [H3.P1]."
    assert about_hits("export", "a pdf with only the fakes").note == phrases.WHOLE_REPORT
