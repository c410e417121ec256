"""Parsing tool calls in model text: both formats, streamed in pieces, and malformed calls."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.conversation.steps import ToolCall
from assistant.conversation.tool_calls import (
    InvalidToolCall,
    ToolCallFormat,
    ToolCallParser,
    detect_format,
    parse_call,
)
from tests.support.scripted_model import format_calls, parse_text

pytestmark = pytest.mark.fast

CALLS = (
    ToolCall("find_person", {"photos": ["Q1", "Q2"], "top": 5}),
    ToolCall("gallery_summary", {}),
)
FORMS: tuple[ToolCallFormat, ToolCallFormat] = ("hermes", "qwen_xml")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_back(form: ToolCallFormat) -> None:
    """Calls survive writing, reading and checking; the text before them is shown without them."""
    shown, calls = parse_text(f"I search.\n\n{format_calls(CALLS, form)}", form)

    assert shown == "I search."
    assert calls == CALLS


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(), before=st.text("ab <tool_cal>\n", max_size=30))
@settings(deadline=None)  # machines may be busy
def test_pieces_may_be_cut_anywhere(form: ToolCallFormat, seed: int, before: str) -> None:
    """However the text is cut, the same is shown and called, and no tag is ever shown."""
    text = f"{before}{format_calls(CALLS, form)}\nDone."
    cuts = sorted(random.Random(seed).choices(range(len(text)), k=12))  # noqa: S311 - where to cut
    reader = ToolCallParser(form)
    pieces = [reader.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    shown = "".join(pieces) + reader.finish()

    assert (shown, tuple(reader.calls)) == parse_text(text, form)
    assert "<tool_call>" not in shown


def test_text_is_not_held_back() -> None:
    """Text that cannot open a call is shown at once."""
    reader = ToolCallParser("hermes")
    assert [reader.feed(piece) for piece in (" Two", " hits", " <", "b>", " end")] == [
        "Two",
        " hits",
        "",
        " <b>",
        " end",
    ]


def test_thoughts_are_neither_shown_nor_called() -> None:
    """What stands between think tags is dropped, a call inside it too."""
    text = '<think>\nmaybe <tool_call>{"name": "x"}</tool_call>\n</think>\n\nHello.'
    assert parse_text(text, "hermes") == ("Hello.", ())
    assert parse_text("<think>and then", "hermes") == ("", ())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<tool_call>\nfind_person(Q1)\n</tool_call>", "not JSON"),
        ('<tool_call>{"name": "find_person", "arg', "breaks off"),
        ('<tool_call>{"photos": ["Q1"]}</tool_call>', '{"name"'),
        ('<tool_call>{"name": "find_person", "arguments": 3}</tool_call>', "not an object"),
        ("<tool_call>\n<function=find_person\n</tool_call>", "<function=NAME>"),
    ],
)
def test_what_is_no_call_says_why(text: str, error: str) -> None:
    """A call that cannot be read becomes a reason for the model, never an exception or text."""
    shown, (call,) = parse_text(text, "hermes")

    assert shown == ""
    assert isinstance(call, InvalidToolCall)
    assert error in call.error


def test_the_form_is_read_from_the_template() -> None:
    """A template's own example of a call tells the form; one without calls has none."""
    assert detect_format("<tool_call>\\n<function=example>") == "qwen_xml"
    assert detect_format('<tool_call>\\n{"name": <function-name>') == "hermes"
    assert detect_format("{{ messages }}") is None


@given(st.text() | st.text('[]{}<>=/":, 01', max_size=40), st.data())
@settings(deadline=None)  # machines may be busy
def test_any_body_is_a_call_or_says_why(body: str, draw: st.DataObject) -> None:
    """Both forms, whatever stands between the tags."""
    form = draw.draw(st.sampled_from(FORMS))
    found = parse_call(draw.draw(st.sampled_from(("", "<function=a><parameter=b>"))) + body, form)
    assert isinstance(found, ToolCall) or found.error.isprintable()


@pytest.mark.parametrize("value", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000])
def test_json_without_measure_is_no_call(value: str) -> None:
    """Brackets in brackets and endless numbers end the call, not the turn."""
    assert isinstance(parse_call(value, "hermes"), InvalidToolCall)
    twice = json.dumps({"name": "find_person", "arguments": value})
    assert isinstance(parse_call(twice, "hermes"), InvalidToolCall)
    written = f"<function=find_person><parameter=photos>{value}</parameter></function>"
    assert parse_call(written, "qwen_xml") == ToolCall("find_person", {"photos": value})
