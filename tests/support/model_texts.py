"""Texts as models write them: tool calls in either form, and a whole text read at once."""

import json
from collections.abc import Iterable

from assistant.conversation.steps import ToolCall
from assistant.conversation.tool_calls import (
    CALL_CLOSE,
    CALL_OPEN,
    InvalidToolCall,
    ToolCallFormat,
    ToolCallParser,
)


def format_calls(calls: Iterable[ToolCall], form: ToolCallFormat) -> str:
    """The calls as a model of this form writes them, one below the other."""
    body = _xml_body if form == "qwen_xml" else _json_body
    return "\n".join(f"{CALL_OPEN}\n{body(call)}\n{CALL_CLOSE}" for call in calls)


def _json_body(call: ToolCall) -> str:
    return json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)


def _xml_body(call: ToolCall) -> str:
    parameters = (
        f"<parameter={name}>\n{_xml_value(value)}\n</parameter>\n"
        for name, value in call.arguments.items()
    )
    return f"<function={call.name}>\n{''.join(parameters)}</function>"


def _xml_value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)  # as the templates' `| string`: True, None, 10


def parse_text(
    text: str, form: ToolCallFormat
) -> tuple[str, tuple[ToolCall | InvalidToolCall, ...]]:
    """A whole text at once: what people may see, and the calls."""
    reader = ToolCallParser(form)
    shown = reader.feed(text)
    shown += reader.finish()
    return shown, tuple(reader.calls)
