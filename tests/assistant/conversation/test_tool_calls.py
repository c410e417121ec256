"""Model text and tool calls: both forms, in pieces, and what is done about mistakes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.tool_calls import (
    FunctionCall,
    InvalidFunctionCall,
    ToolCallFormat,
    ToolCallParser,
    detect_format,
    format_calls,
    parse_text,
    repair_text,
    validate_call,
)

pytestmark = pytest.mark.fast

FIND = {
    "type": "object",
    "properties": {
        "photos": {"type": "array", "items": {"type": "string"}},
        "top": {"type": "integer", "default": 10},
        "face": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "exact": {"type": "boolean"},
        "share": {"type": "number"},
        "note": {"type": "string"},
        "range": {"type": "object", "properties": {"least": {"type": "integer"}}},
    },
    "required": ["photos"],
}
SCHEMAS = {"find_person": FIND, "gallery_summary": {"type": "object", "properties": {}}}
CALLS = (
    FunctionCall("find_person", {"photos": ["Q1", "Q2"], "top": 5}),
    FunctionCall("gallery_summary", {}),
)
FORMS: tuple[ToolCallFormat, ToolCallFormat] = ("hermes", "qwen_xml")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_back(form: ToolCallFormat) -> None:
    """Calls survive writing, reading and checking; the text before them is shown without them."""
    shown, calls = parse_text(f"I search.\n\n{format_calls(CALLS, form)}", form)

    assert shown == "I search."
    assert (
        tuple(validate_call(call, SCHEMAS) for call in calls if isinstance(call, FunctionCall))
        == CALLS
    )


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(), before=st.text("ab <tool_cal>\n", max_size=30))
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
    assert isinstance(call, InvalidFunctionCall)
    assert error in call.error
    assert call.error in repair_text([call])


@pytest.mark.parametrize(
    ("given_arguments", "expected"),
    [
        ({"photos": "Q1"}, {"photos": ["Q1"]}),
        ({"photos": '["Q1", "Q2"]', "top": "5"}, {"photos": ["Q1", "Q2"], "top": 5}),
        ({"photos": ["Q1"], "top": 5.0}, {"photos": ["Q1"], "top": 5}),
        ({"photos": ["Q1"], "top": None}, {"photos": ["Q1"]}),
        ({"photos": ["Q1"], "face": "None"}, {"photos": ["Q1"], "face": None}),
        ({"photos": ["Q1"], "face": "2"}, {"photos": ["Q1"], "face": 2}),
        ({"photos": ["Q1"], "exact": "True"}, {"photos": ["Q1"], "exact": True}),
        ({"photos": ["Q1"], "share": "0.5"}, {"photos": ["Q1"], "share": 0.5}),
        ({"photos": ["Q1"], "note": 7}, {"photos": ["Q1"], "note": "7"}),
        ({"photos": ["Q1"], "range": '{"least": "3"}'}, {"photos": ["Q1"], "range": {"least": 3}}),
    ],
)
def test_arguments_get_the_types_of_the_schema(given_arguments: dict, expected: dict) -> None:
    """Text becomes the number, list or nothing that it stands for; nothing else changes."""
    assert validate_call(FunctionCall("find_person", given_arguments), SCHEMAS) == FunctionCall(
        "find_person", expected
    )


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (
            FunctionCall("find", {}),
            "no tool is called 'find'; there are: find_person, gallery_summary",
        ),
        (FunctionCall("find_person", {}), "'photos' is a required property"),
        (
            FunctionCall("find_person", {"photos": ["Q1"], "top": "many"}),
            "top: 'many' is not of type",
        ),
        (FunctionCall("find_person", {"photos": ["Q1"], "top": True}), "top: True is not of type"),
        (
            FunctionCall("gallery_summary", {"of": 1}),
            "no argument is called 'of'; it takes: no arguments",
        ),
    ],
)
def test_wrong_arguments_are_named(call: FunctionCall, error: str) -> None:
    """What cannot be put right is told to the model with the argument's name."""
    bad = validate_call(call, SCHEMAS)
    assert isinstance(bad, InvalidFunctionCall)
    assert error in bad.error


def test_the_form_is_read_from_the_template() -> None:
    """A template's own example of a call tells the form; one without calls has none."""
    assert detect_format("<tool_call>\\n<function=example>") == "qwen_xml"
    assert detect_format('<tool_call>\\n{"name": <function-name>') == "hermes"
    assert detect_format("{{ messages }}") is None
