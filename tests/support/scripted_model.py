"""A chat model with scripted replies, for tests of the code around a model.

Replies are a queue; requests are recorded. It streams, calls tools and fails as scripted.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from assistant.conversation.steps import ToolCall
from assistant.conversation.tool_calls import (
    CALL_CLOSE,
    CALL_OPEN,
    InvalidToolCall,
    ToolCallFormat,
    ToolCallParser,
)

Reply = str | AIMessage | Exception | Callable[[list[BaseMessage]], str | AIMessage]


class ScriptedModel(BaseChatModel):
    """Returns `replies` one after the other.

    A reply is text, a message (`tool_call_reply` makes one that calls tools), an exception to
    raise, or a function of the messages. `received_prompts` holds the messages of every request,
    `offered_tools` the names of its tools, `streamed` counts the chunks sent.
    """

    replies: list[Any] = Field(default_factory=list)
    received_prompts: list[list[BaseMessage]] = Field(default_factory=list)
    offered_tools: list[list[str]] = Field(default_factory=list)
    streamed: int = 0
    tokens: int | None = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """The model with these tools."""
        offered = [convert_to_openai_tool(tool)["function"]["name"] for tool in tools]
        return self.bind(tools=offered, **kwargs)

    def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[AIMessage]:
        """Sequential: the queue is ordered."""
        return [self.invoke(each, **kwargs) for each in inputs]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages, kwargs)
        for piece in re.findall(r"\s*\S+", reply.text):
            self.streamed += 1
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        asked: list[Any] = [
            (it["name"], json.dumps(it["args"]), it["id"]) for it in reply.tool_calls
        ]
        asked += [(it["name"], it["args"], it["id"]) for it in reply.invalid_tool_calls]
        last = AIMessageChunk(
            content="",
            tool_call_chunks=[
                ToolCallChunk(type="tool_call_chunk", name=name, args=args, id=id_, index=place)
                for place, (name, args, id_) in enumerate(asked)
            ],
            usage_metadata=reply.usage_metadata,
        )
        yield ChatGenerationChunk(message=last)

    def _reply(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> AIMessage:
        self.received_prompts.append(list(messages))
        self.offered_tools.append(list(kwargs.get("tools") or []))
        if not self.replies:
            raise AssertionError("the script is over, and the model was asked again")
        reply: Reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if callable(reply) and not isinstance(reply, BaseMessage):
            reply = reply(messages)
        message = AIMessage(reply) if isinstance(reply, str) else reply
        assert isinstance(message, AIMessage)
        if self.tokens is not None:
            usage = {"input_tokens": 0, "output_tokens": self.tokens, "total_tokens": self.tokens}
            message = message.model_copy(update={"usage_metadata": usage})
        return message


def tool_call_reply(*calls: tuple[str, dict[str, Any]], text: str = "") -> AIMessage:
    """A reply that calls tools: `tool_call_reply(("find_person", {"photos": ["Q1"]}))`."""
    return AIMessage(
        text,
        tool_calls=[
            {"name": name, "args": arguments, "id": f"call_{place}", "type": "tool_call"}
            for place, (name, arguments) in enumerate(calls, start=1)
        ],
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
