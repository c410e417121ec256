"""Questions with a premise: the answer says first whether it holds."""

import pytest

from assistant.agent.requests.plain_requests import plain_request
from assistant.agent.requests.planning import plan_request
from assistant.agent.requests.plans.claims import CLAIM, Claim, claim_of
from assistant.agent.requests.plans.request import Plan, Request
from assistant.agent.requests.state import CaseState, ListedHit
from prompts import phrases

pytestmark = pytest.mark.fast

HITS = (
    ListedHit("H1", "impersonation", "beside the query photos", 0.99),
    ListedHit("H2", "inconclusive", "beside the query photos", 0.6),
    ListedHit("H3", "no forgery found", "beside the query photos", 0.02),
    ListedHit("H4", "copy", "as an altered query photo", 0.1),
)
COUNTS = {"impersonation": 3, "inconclusive": 5, "no forgery found": 1, "copy": 1, "other": 2}
STATE = CaseState(("Q1",), (), ("Q1",), 4, "H2")


def answered(text: str, counts: dict[str, int] | None = None) -> Plan:
    """The plan of a text that is read as a claim by its words alone."""
    assert plain_request(text) == CLAIM
    request = Request(CLAIM, text, STATE, (), HITS, counts=COUNTS if counts is None else counts)
    return plan_request(request)


@pytest.mark.parametrize(
    ("text", "opening", "about"),
    [
        ("so 17 are probably fakes, right?", "No, not 17.", "[count.impersonation]."),
        ("so three are fake?", "Yes, by the verdicts.", "[count.impersonation]."),
        ("you found 3 fakes, right?", "Yes, by the verdicts.", "[hits.impersonation]."),
        ("are they all fake?", "No, not all of them.", "[S8]."),
        ("most of them are fake, right?", "No, not most of them.", "[S8]."),
        ("so none of them is fake?", "No.", "[count.impersonation]."),
        ("so there are no copies?", "No.", "[hits.copy]."),
        ("are all inconclusive ones real?", "No, that stays open.", "[hits.inconclusive]."),
        ("so all strangers are real?", "No, that is not shown.", "[hits.other]."),
        ("are the strangers fakes?", "No, not by the verdict.", "[hits.forged_others]."),
        ("are all not assessed ones fake?", "", "[hits.not_assessed]."),
        ("is every copy authentic?", "No, that is not shown.", "[hits.copy]."),
        ("the copies are fakes, right?", "No, not by the verdict.", "[hits.copy]."),
        ("so H3 is definitely genuine?", "No, that is not shown.", "[H3.verdict]"),
        ("H1 is real, isn't it?", "No, not by the verdict.", "[H1.verdict]"),
        ("H1 is fake, right?", "Yes, by the verdict.", "[H1.P2]"),
        ("is H1 definitely fake?", "By the verdict, yes, but not for certain.", "[H1.P2]"),
        ("H4 is fake, why?", "No, not by the verdict.", "[H4.verdict]"),
        ("since none of them is a copy, I can skip that", "No.", "[hits.copy]."),
        ("so it is a fake?", "No, that stays open.", "[H2.verdict]"),
        ("does that mean H3 is not fake?", "No, that is not shown.", "[H3.verdict]"),
        ("H1 and H2 are fakes, right?", "No, not of all of them.", "[H2.verdict]"),
        ("are H1 and H2 both fake?", "No, not of all of them.", "[H2.verdict]"),
        (
            "is it certain that H1 is forged?",
            "By the verdict, yes, but not for certain.",
            "[H1.P2]",
        ),
        ("only 3 are inconclusive, right?", "No, not 3.", "[count.inconclusive]."),
        ("is H2 a fake, yes or no?", "No, that stays open.", "[H2.verdict]"),
        ("there are 12 swaps, aren't there?", "No, not 12.", "[count.impersonation]."),
        ("you are sure all 18 are fake?", "No, not 18.", "[count.impersonation]."),
        ("is the list free of fakes?", "No.", "[count.impersonation]."),
        ("sind alle echt?", "No, not all of them.", "[S8]."),
        ("H1 ist gefälscht, oder?", "Yes, by the verdict.", "[H1.verdict]"),
        ("H4 is a copy, right?", "Yes, by the verdict.", "[H4.verdict]"),
    ],
)
def test_the_answer_begins_with_yes_or_no(text: str, opening: str, about: str) -> None:
    """Then the true count or verdict."""
    plan = answered(text)
    assert plan.opening == opening
    assert about in plan.text


@pytest.mark.parametrize(
    "text", ["so H3 is genuine?", "one is real, right?", "so all of them are authentic?"]
)
def test_that_a_picture_is_genuine_is_never_confirmed(text: str) -> None:
    """Whatever the counts are, the answer says what finding no forgery does not show."""
    plan = answered(text, {"no forgery found": 1})
    assert phrases.NOT_GENUINE in plan.note
    assert plan.opening in ("No, that is not shown.", "Yes, no forgery was found in so many.")


def test_no_fakes_are_no_all_clear() -> None:
    """Other verdicts can hide one."""
    plan = answered("so there are no fakes?", {"inconclusive": 4})
    assert (plan.opening, plan.note) == ("By the verdicts, none.", phrases.NO_ALL_CLEAR)


@pytest.mark.parametrize(
    "text",
    [
        "is H3 fake?",
        "are any of them fake?",
        "which are fake?",
        "are there fakes in press?",
        "H3 is fake",
        "mark H3 as fake",
        "the others are fake?",
        "is his watch real?",
        "are all my files stored for certain?",
    ],
)
def test_open_questions_and_orders_claim_nothing(text: str) -> None:
    """They are read as before."""
    assert claim_of(text) is None


def test_what_is_claimed_of_a_group() -> None:
    """Its verdict, or none for all pictures."""
    assert claim_of("are all inconclusive ones real?") == Claim(
        "no forgery found", group="inconclusive"
    )
    assert claim_of("are most of them forged?") == Claim("impersonation", most=True)
