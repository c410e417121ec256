"""Conversation steps: JSON round trip, and the model's output as one text."""

import json

import pytest

from assistant.conversation.steps import (
    CheckedSentence,
    Explanation,
    Failed,
    ModelText,
    Step,
    Stopped,
    ToolCall,
    ToolResult,
    UserTurn,
    from_json,
    join_sentences,
    to_json,
)

pytestmark = pytest.mark.fast

SENTENCE = CheckedSentence("H1 is forged [H1.P2].", ("H1.P2",), "plain", "it typed a number")
EVERY_KIND: list[Step] = [
    UserTurn("find fakes of this person", ("Q1", "Q2")),
    ModelText((SENTENCE, CheckedSentence("Ask on.")), tokens=None, duration_s=0.5),
    ToolCall("find_person", {"photos": ["Q1"], "top": 5}, "call_1"),
    ToolResult("call_1", "find_person", '{"hits": []}', ok=True, duration_s=0.1, count=0),
    ToolResult("call_2", "describe_image", [{"type": "text", "text": "{}"}], False, 0.1),
    Explanation("H1", (SENTENCE,)),
    Stopped("I was say"),
    Failed("the disk is full"),
]


@pytest.mark.parametrize("step", EVERY_KIND, ids=lambda step: type(step).__name__)
def test_a_step_survives_json(step: Step) -> None:
    """Every kind comes back from JSON as it was, types included."""
    assert from_json(json.loads(json.dumps(to_json(step)))) == step


def test_an_unknown_step_is_refused() -> None:
    """A record of a newer program is not read as something else."""
    with pytest.raises(KeyError):
        from_json({"kind": "thought", "text": "hm"})


def test_sentences_read_as_one_text() -> None:
    """Sentences follow each other, items of a list stand on lines of their own, gaps vanish."""
    sentences = tuple(map(CheckedSentence, ("Two points.", "- One.", "", "- Another.")))
    assert join_sentences(sentences) == "Two points.\n- One.\n- Another."
