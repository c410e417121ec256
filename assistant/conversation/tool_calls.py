"""Parse tool calls from a model's streamed text: the two formats that open models write.

*Hermes* (Qwen2 to Qwen3-VL, and many others) is JSON between tags:

    <tool_call>
    {"name": "find_person", "arguments": {"photos": ["Q1"]}}
    </tool_call>

*Qwen XML* (Qwen3-Coder, Qwen3.5 and later) has one tag per argument; JSON values are parsed:

    <tool_call>
    <function=find_person>
    <parameter=photos>
    ["Q1"]
    </parameter>
    </function>
    </tool_call>

Pure: no model, no tokenizer, no schema. An unreadable call becomes an `InvalidToolCall`, whose
`error` is written for the model. The tools check the arguments (`check_arguments`).
"""

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from assistant.conversation.steps import ToolCall

ToolCallFormat = Literal["hermes", "qwen_xml"]

CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

# Also a number of thousands of digits is a ValueError, and brackets in brackets exhaust the stack.
_UNREADABLE = (ValueError, RecursionError)

_FUNCTION = re.compile(r"<function=([^>\n]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(
    r"<parameter=([^>\n]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class InvalidToolCall:
    """An attempted call that cannot run; `error` is the explanation for the model."""

    text: str
    error: str
    name: str = ""


def detect_format(template: str) -> ToolCallFormat | None:
    """The call format that a chat template uses; None if it contains neither."""
    if CALL_OPEN not in template:
        return None
    return "qwen_xml" if "<function=" in template else "hermes"


def parse_call(body: str, form: ToolCallFormat) -> ToolCall | InvalidToolCall:
    """Parse the text between the tags as a call; arguments are not checked yet."""
    # A model may write the other form than its template's: the text itself decides.
    if form == "qwen_xml" or "<function=" in body:
        return _from_xml(body)
    return _from_json(body)


def _from_xml(body: str) -> ToolCall | InvalidToolCall:
    function = _FUNCTION.search(body)
    if function is None:
        return InvalidToolCall(body.strip(), "the call has no <function=NAME>")
    arguments = {
        found.group(1).strip(): _from_xml_value(found.group(2))
        for found in _PARAMETER.finditer(function.group(2))
    }
    return ToolCall(function.group(1).strip(), arguments)


def _from_xml_value(text: str) -> Any:
    try:
        return json.loads(text)
    except _UNREADABLE:
        return text


def _from_json(body: str) -> ToolCall | InvalidToolCall:
    text = body.strip()
    try:
        spoken = json.loads(text)
    except json.JSONDecodeError as error:
        return InvalidToolCall(
            text, f"the call is not JSON: {error.msg} at character {error.pos + 1}"
        )
    except _UNREADABLE:
        return InvalidToolCall(
            text,
            "the call is not JSON that can be read: it nests too deep or has a number too long",
        )
    if not isinstance(spoken, dict) or not isinstance(spoken.get("name"), str):
        return InvalidToolCall(text, 'the call is not {"name": …, "arguments": {…}}')
    arguments = spoken.get("arguments", {})
    if isinstance(arguments, str):  # encoded twice, as in OpenAI's API
        with contextlib.suppress(*_UNREADABLE):
            arguments = json.loads(arguments)
    if not isinstance(arguments, dict):
        return InvalidToolCall(text, '"arguments" is not an object', name=spoken["name"])
    return ToolCall(spoken["name"], arguments)


class ToolCallParser:
    """Parse streamed text: returns the visible text and collects the tool calls.

    Thoughts (`<think>`) are dropped. White space at both ends is dropped; around a call it becomes
    one line break. The pieces may be cut anywhere.
    """

    def __init__(self, form: ToolCallFormat) -> None:
        self.form = form
        self.calls: list[ToolCall | InvalidToolCall] = []
        self._buffer = ""
        self._closing = ""  # the tag that ends the current block; "" in text
        self._shown = False
        self._fresh = True  # at the start, or after a tag: white space is still dropped

    def feed(self, piece: str) -> str:
        """Process the next piece of text; returns what can be shown now."""
        self._buffer += piece
        shown = ""
        while (step := self._step()) is not None:
            shown += step
        return shown

    def finish(self) -> str:
        """End the text: returns the last visible part; a truncated call becomes an invalid one."""
        rest, self._buffer = self._buffer, ""
        if self._closing == CALL_CLOSE:
            self.calls.append(InvalidToolCall(rest.strip(), "the call breaks off"))
            rest = ""
        elif self._closing:
            rest = ""
        self._closing = ""
        return self._visible(rest.rstrip())

    def _step(self) -> str | None:
        """Process one step; returns None if more text is needed."""
        return self._close() if self._closing else self._open()

    def _close(self) -> str | None:
        body, tag, rest = self._buffer.partition(self._closing)
        if not tag:
            return None
        if self._closing == CALL_CLOSE:
            self.calls.append(parse_call(body, self.form))
        self._buffer, self._closing, self._fresh = rest, "", True
        return ""

    def _open(self) -> str | None:
        found = [
            (at, tag) for tag in (CALL_OPEN, THINK_OPEN) if (at := self._buffer.find(tag)) >= 0
        ]
        if found:
            at, tag = min(found)
            text, self._buffer = self._buffer[:at], self._buffer[at + len(tag) :]
            self._closing = CALL_CLOSE if tag == CALL_OPEN else THINK_CLOSE
            return self._visible(text.rstrip())
        sure = len(self._buffer) - _undecided(self._buffer)
        text, self._buffer = self._buffer[:sure], self._buffer[sure:]
        return self._visible(text) if text else None

    def _visible(self, text: str) -> str:
        if not self._fresh:
            return text
        text = text.lstrip()
        if not text:
            return ""
        before = "\n" if self._shown else ""
        self._shown, self._fresh = True, False
        return before + text


def _undecided(text: str) -> int:
    """The number of trailing characters that may still open a call, or precede one."""
    longest = max(len(CALL_OPEN), len(THINK_OPEN)) - 1
    ends = (n for n in range(min(longest, len(text)), 0, -1) if _may_open(text[-n:]))
    tag = next(ends, 0)
    before = text[: len(text) - tag]
    return len(text) - len(before.rstrip())


def _may_open(end: str) -> bool:
    return CALL_OPEN.startswith(end) or THINK_OPEN.startswith(end)
