"""Constrained decoding: grammars of calls and citations over a real tokenizer, without a model."""

import pytest
import xgrammar

from assistant.chat_model.local.constrained import DecodingConstraints, GrammarCache
from assistant.conversation.steps import ToolCall
from assistant.conversation.tool_calls import ToolCallFormat
from tests.support.scripted_model import format_calls
from tests.support.tiny_models import tokenizer

pytestmark = pytest.mark.fast

TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "find_person",
            "description": "Search.",
            "parameters": {
                "type": "object",
                "properties": {
                    "photos": {"type": "array", "items": {"type": "string"}},
                    "title": {"type": "string"},
                    "top": {"type": "integer", "default": 10},
                    "face": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                },
                "required": ["photos"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "gallery_summary",
            "description": "What is there.",
            "parameters": {"type": "object", "properties": {}},
        },
    },
)
FORMS: tuple[ToolCallFormat, ToolCallFormat] = ("hermes", "qwen_xml")
VALID = (
    ToolCall("find_person", {"photos": ["Q1", "Q12"]}),
    ToolCall("find_person", {"photos": [], "title": "an artist", "top": 5, "face": None}),
    ToolCall("gallery_summary", {}),
)


@pytest.fixture(scope="module")
def grammars() -> GrammarCache:
    """Grammars over a tiny tokenizer."""
    words = tokenizer(("<|im_start|>",))
    return GrammarCache(words, vocabulary=len(words), stop_ids=[words.eos_token_id])


def allowed(
    grammars: GrammarCache,
    constraints: DecodingConstraints,
    text: str,
    form: ToolCallFormat = "hermes",
) -> bool:
    """Whether the text can be written, ending here."""
    matcher = xgrammar.GrammarMatcher(grammars.compiled(constraints, form))
    return matcher.accept_string(text) and matcher.is_completed()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", VALID)
def test_calls_as_templates_write_them_are_allowed(
    grammars: GrammarCache, form: ToolCallFormat, call: ToolCall
) -> None:
    """What the chat template repeats of a call is just what the model may write, also in a row."""
    text = format_calls([call], form).replace("\nNone\n", "\nnull\n")
    assert allowed(grammars, DecodingConstraints(tools=TOOLS), text, form)
    assert allowed(
        grammars, DecodingConstraints(tools=TOOLS, tool_choice="any"), f"{text}\n{text}", form
    )
    assert allowed(grammars, DecodingConstraints(tools=TOOLS), f"I look.\n\n{text}\nThere.", form)


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "drop_gallery", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "find_person", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "find_person", "arguments": {"photos": "Q1"}}\n</tool_call>',
        '<tool_call>\n{"name": "find_person", "arguments": {"photos": ["</tool_call>"]}}\n',
        '<tool_call>\n{"name": "gallery_summary", "arguments": {"of": "x"}}\n</tool_call>',
        "<tool_call>",
        "<think>",
    ],
)
def test_no_other_call_can_be_written(grammars: GrammarCache, text: str) -> None:
    """Made-up tools and arguments, missing ones, wrong types, half calls and thoughts cannot."""
    assert not allowed(grammars, DecodingConstraints(tools=TOOLS), text)


def test_a_choice_of_tool_leaves_no_other(grammars: GrammarCache) -> None:
    """ "any" is a call and nothing else, a name is that tool, "none" is text."""
    call = format_calls([ToolCall("gallery_summary", {})], "hermes")
    other = format_calls([ToolCall("find_person", {"photos": ["Q1"]})], "hermes")

    assert not allowed(grammars, DecodingConstraints(tools=TOOLS, tool_choice="any"), "Hello")
    assert allowed(grammars, DecodingConstraints(tools=TOOLS, tool_choice="gallery_summary"), call)
    assert not allowed(
        grammars, DecodingConstraints(tools=TOOLS, tool_choice="gallery_summary"), other
    )
    assert allowed(grammars, DecodingConstraints(tools=TOOLS, tool_choice="none"), "Hello")
    assert not allowed(grammars, DecodingConstraints(tools=TOOLS, tool_choice="none"), call)


def test_brackets_hold_what_may_be_cited(grammars: GrammarCache) -> None:
    """A bracket opens an allowed id in full; with none allowed there are no brackets at all."""
    some = DecodingConstraints(tools=TOOLS, citations=("H1.E1", "H1.E12"))
    call = format_calls([ToolCall("find_person", {"photos": ["Q1"]})], "hermes")

    assert allowed(grammars, some, "It stands out [H1.E12], and [H1.E1]. a < b.")
    assert allowed(grammars, some, f"It stands out [H1.E1].\n{call}")
    assert not allowed(grammars, some, "It stands out [H2.E1].")
    assert not allowed(grammars, some, "It stands out [H1.E1")
    assert not allowed(grammars, some, "See [the page].")
    for nothing in (
        DecodingConstraints(citations=()),
        DecodingConstraints(tools=TOOLS, citations=()),
    ):
        assert allowed(grammars, nothing, "It stands out.")
        assert not allowed(grammars, nothing, "It stands out [H1.E1].")
    assert allowed(grammars, DecodingConstraints(tools=TOOLS), "See [the page].")


def test_every_kind_of_fact_is_offered_as_a_whole(grammars: GrammarCache) -> None:
    """Handles of two and three digits, lists and verdicts are written in full or not at all."""
    constraints = DecodingConstraints(
        citations=("H1.verdict", "H12.verdict", "H120.P2", "hits.no_forgery_found")
    )
    for cite in constraints.citations or ():
        assert allowed(grammars, constraints, f"[{cite}].")
    for wrong in ("[H2.verdict].", "[H12.P2].", "[H1200.P2].", "[hits.fake].", "[H120.verdict]."):
        assert not allowed(grammars, constraints, wrong)
