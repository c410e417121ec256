"""Questions about the whole list of hits, in a user's own words."""

import pytest

from assistant import Unmask
from assistant.agent.list_questions import plan_hit_list_turn, requested_lists
from tests.support.cases import workspace_of

FAKE, REAL = "[hits.impersonation].", "[hits.no_forgery_found]."


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("which are fake?", FAKE),
        ("Which ones are fake", FAKE),
        ("which of these images are forged?", FAKE),
        ("So, which of them are probably deepfakes?", FAKE),
        ("What are the fakes?", FAKE),
        ("show me the fakes", FAKE),
        ("list all forged images", FAKE),
        ("Which hits look manipulated?", FAKE),
        ("which are real?", REAL),
        ("Which pictures are authentic?", REAL),
        ("which ones are not fake?", REAL),
        ("which are inconclusive?", "[hits.inconclusive]."),
        ("which are copies?", "[hits.copy]."),
        ("Which are somebody else?", "[hits.other]."),
    ],
)
def test_which_list_is_asked_for(text: str, begins: str) -> None:
    """A plain question about a list is answered by that list, whatever a model would choose."""
    _, cites = requested_lists(text) or ("", "")
    assert cites.startswith(begins)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("show me only the impersonations", "impersonation"),
        ("please list all forged images", "impersonation"),
        ("show the inconclusive ones", "inconclusive"),
        ("list the copies", "copy"),
    ],
)
def test_a_list_that_is_to_be_shown_is_filtered(case: Unmask, text: str, verdict: str) -> None:
    """Words alone would leave the screen as it is, and the next order would sort all hits."""
    workspace = workspace_of(case)
    hits = workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")]).hits
    planned = plan_hit_list_turn(text, hits)
    assert planned is not None
    assert [(it.name, it.arguments) for it in planned.calls] == [
        ("list_hits", {"verdict": verdict})
    ]
    asked = plan_hit_list_turn("which are inconclusive?", hits)
    assert asked is not None and not asked.calls


@pytest.mark.parametrize(
    "text",
    [
        "why do you think H3 is fake?",
        "which tool made the fakes?",
        "what does inconclusive mean?",
        "Find fakes of this person.",
        "show me the top 50 fakes",
        "which part of H2 is fake?",
        "what is a copy?",
        "which of these is most likely fake?",
        "which one looks most manipulated?",
        "what are deepfakes?",
        "thanks",
    ],
)
def test_other_questions_are_left_to_the_model(text: str) -> None:
    """Only what is plain is read; a part, a reason, a search or a meaning is no list."""
    assert requested_lists(text) is None


def test_a_hit_that_is_not_there_is_said_not_to_be(case: Unmask) -> None:
    """H99 is not taken for H9, however it is written; hits that are there are the model's."""
    workspace = workspace_of(case)
    hits = workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")]).hits
    for text in ("H99?", "why is h99 fake", "Compare H1 and H99.", "what of hit 99?"):
        directed = plan_hit_list_turn(text, hits)
        assert directed is not None and directed.extra_text == "There is no H99.", text
    gone = plan_hit_list_turn("H99 and H1?", hits, lambda handle: f"{handle} was a cup.")
    assert gone is not None and gone.extra_text == "There is no H99. H99 was a cup."
    order = plan_hit_list_turn("tell me what E34 is, then confirm H99", hits)
    assert order is not None
    assert order.extra_text == 'There is no H99. I have not come to "tell me what E34 is" yet.'
    for text in ("why is H1 fake?", "show the top 99 hits", "thanks"):
        assert plan_hit_list_turn(text, hits) is None, text
