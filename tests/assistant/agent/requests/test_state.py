"""The state of a case, from its steps."""

import pytest

from assistant.agent.requests.state import CaseState, state_of
from assistant.conversation.steps import (
    CheckedSentence,
    ModelText,
    Step,
    ToolCall,
    ToolResult,
    UserTurn,
)

pytestmark = pytest.mark.fast


def searched(*photos: str, hits: int, call: str = "a", ok: bool = True) -> list[Step]:
    """A search for the photos, with so many hits."""
    lines = ",".join(f'{{"id":"H{number}"}}' for number in range(1, hits + 1))
    content = f'{{"hits":[{lines}]}}' if ok else '{"error":"no face"}'
    return [
        ToolCall("find_person", {"photos": [*photos]}, call),
        ToolResult(call, "find_person", content, ok, 0.0),
    ]


def test_the_state_follows_from_the_steps() -> None:
    """Photos add up, a search replaces the hits, the hit spoken of last is known."""
    steps: list[Step] = [
        UserTurn("find fakes", ("Q1",)),
        *searched("Q1", hits=12),
        ModelText((CheckedSentence("[H3.P1].", ("H3.P1",)),), None, 0.0),
        UserTurn("and this man", ("Q2",)),
    ]
    state = state_of(steps)
    assert (state.photos, state.new, state.searched) == (("Q1", "Q2"), ("Q2",), ("Q1",))
    assert (state.hits, state.last) == (12, "H3")
    assert [call.name for call in state.before] == ["find_person"]
    steps += [*searched("Q2", hits=2, call="b"), UserTurn("why is it fake?", ())]
    state = state_of(steps)
    assert (state.new, state.searched, state.hits, state.last) == ((), ("Q2",), 2, "")


def test_a_refused_search_changes_nothing() -> None:
    """The hits of before are still listed."""
    steps: list[Step] = [
        UserTurn("find fakes", ("Q1",)),
        *searched("Q1", hits=4),
        UserTurn("and her", ("Q2",)),
        *searched("Q2", hits=0, call="b", ok=False),
        UserTurn("which are fake?", ()),
    ]
    assert (state_of(steps).hits, state_of(steps).searched) == (4, ("Q1",))


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        ("Listed: 1 hit, H4 (impersonation).", "H4"),
        ("The verdict on H4 is impersonation. H4 leads.", "H4"),
        ("Listed: 2 hits, H4 and H6.", "H2"),
        ("H4 to H6 show another person.", "H2"),
        ("54 images were compared.", "H2"),
    ],
)
def test_the_only_hit_that_an_answer_names_is_spoken_of(answer: str, last: str) -> None:
    """ "Why?" after a list of one is about it; after a longer list, about the hit before it."""
    steps: list[Step] = [
        UserTurn("find fakes", ("Q1",)),
        *searched("Q1", hits=12),
        ModelText((CheckedSentence("H2 is open.", ("H2.verdict",)),), None, 0.0),
        UserTurn("which are fake?"),
        ModelText((CheckedSentence(answer, ("hits.impersonation",), "plain"),), None, 0.0),
        UserTurn("why?"),
    ]
    assert state_of(steps).last == last


def test_a_list_of_many_hits_is_no_hit_spoken_of() -> None:
    """ "It" after a list of ten is not the tenth."""
    cites = tuple(f"H{number}.verdict" for number in range(1, 11))
    steps: list[Step] = [
        UserTurn("find fakes", ("Q1",)),
        *searched("Q1", hits=10),
        ModelText((CheckedSentence("They are listed.", cites),), None, 0.0),
        UserTurn("why is it fake?", ()),
    ]
    assert state_of(steps).last == ""
    assert state_of([UserTurn("hello")]) == CaseState()
