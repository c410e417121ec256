"""LocalVLM: a local vision-language model as a langchain chat model."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
    UsageMetadata,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, InstanceOf

from assistant.chat_model.local.answering import (
    GenerationResult,
    SamplingParams,
    generate,
    generate_batch,
)
from assistant.chat_model.local.constrained import ANY, AUTO, NONE, DecodingConstraints
from assistant.chat_model.local.loading import LoadedCheckpoint, load
from assistant.chat_model.local.template_features import require_tools

_ANY_OF = {True: ANY, "required": ANY, "any": ANY, False: NONE, "none": NONE, None: AUTO}


class LocalVLM(BaseChatModel):
    """A local vision-language checkpoint, loaded in 4 bits; no data leaves the machine.

        model = LocalVLM.load("assistant/chat_model/weights/vlm")
        for chunk in model.bind_tools(tools).stream(messages): ...

    The text streams in chunks; the last one holds tool calls, tokens and times. Closing the stream
    ends the generation at that token. Options of one request, also through `bind`:
    `allowed_citations` (ids that may follow a "[" in the text), `max_new_tokens`, `temperature`,
    `seed`, `constrained`.
    """

    checkpoint: InstanceOf[LoadedCheckpoint] = Field(exclude=True, repr=False)
    max_new_tokens: int = Field(default=512, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    constrained: bool = True
    batch_limit: int = Field(default=10, ge=1)

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        threads: int | None = None,
        device: str | None = None,
        **options: Any,
    ) -> Self:
        """Load a folder or the id of a checkpoint that is on this machine; see `loading.load`."""
        return cls(checkpoint=load(source, threads=threads, device=device), **options)

    @property
    def known_tools(self) -> tuple[str, ...] | None:
        """The tools that the checkpoint was trained with; None: it takes any."""
        return self.checkpoint.known_tools

    @property
    def _llm_type(self) -> str:
        return "unmask-local-vlm"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model_name": self.checkpoint.name, "temperature": self.temperature}

    def bind_tools(
        self,
        tools: Sequence[Mapping[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools to every request; raises SetupError if the template does not show them.

        `tool_choice`: "auto", "any" (a call, no text), "none" or the name of a tool.
        """
        formatted = [convert_to_openai_tool(tool) for tool in tools]
        if formatted:
            require_tools(self.checkpoint.processor, formatted, self.checkpoint.name)
        return self.bind(tools=formatted, tool_choice=tool_choice, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        constraints, sampling = self._request(stop, kwargs)
        spoken = generate(self.checkpoint, messages, constraints, sampling)
        outcome = yield from _chunks(spoken)
        yield ChatGenerationChunk(message=_last_chunk(self._message(outcome)))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        constraints, sampling = self._request(stop, kwargs)
        (outcome,) = generate_batch(self.checkpoint, [messages], [constraints], sampling)
        return ChatResult(generations=[ChatGeneration(message=self._message(outcome))])

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer all prompts, `batch_limit` of them at a time in one padded pass.

        `allowed_citations` may be one list of ids for all prompts or one list per prompt. Callbacks
        are not called, and an error in one prompt fails them all.
        """
        prompts = [self._convert_input(it).to_messages() for it in inputs]
        citations = _for_each(kwargs.pop("allowed_citations", None), len(prompts))
        stop = kwargs.pop("stop", None)
        asked = [self._request(stop, {**kwargs, "allowed_citations": it}) for it in citations]
        answers: list[AIMessage] = []
        for start in range(0, len(prompts), self.batch_limit):
            part = slice(start, start + self.batch_limit)
            constraints = [held for held, _ in asked[part]]
            outcomes = generate_batch(self.checkpoint, prompts[part], constraints, asked[start][1])
            answers += [self._message(outcome) for outcome in outcomes]
        return answers

    def _request(
        self, stop: list[str] | None, options: dict[str, Any]
    ) -> tuple[DecodingConstraints, SamplingParams]:
        if stop:
            raise ValueError("stop strings are not supported; an answer ends where the model ends")
        if unknown := options.keys() - _OPTIONS:
            raise TypeError(f"LocalVLM takes no option {', '.join(sorted(unknown))}")
        citations = options.get("allowed_citations")
        constraints = DecodingConstraints(
            tools=tuple(convert_to_openai_tool(tool) for tool in options.get("tools") or ()),
            tool_choice=_choice(options.get("tool_choice")),
            citations=None if citations is None else tuple(citations),
        )
        sampling = SamplingParams(
            max_new_tokens=options.get("max_new_tokens", self.max_new_tokens),
            temperature=options.get("temperature", self.temperature),
            seed=options.get("seed"),
            constrained=options.get("constrained", self.constrained),
        )
        return constraints, sampling

    def _message(self, outcome: GenerationResult) -> AIMessage:
        tokens = UsageMetadata(
            input_tokens=outcome.input_tokens,
            output_tokens=outcome.output_tokens,
            total_tokens=outcome.input_tokens + outcome.output_tokens,
        )
        return AIMessage(
            content=outcome.text,
            tool_calls=[
                ToolCall(name=it.name, args=dict(it.arguments), id=_call_id(), type="tool_call")
                for it in outcome.calls
            ],
            invalid_tool_calls=[
                InvalidToolCall(
                    type="invalid_tool_call",
                    id=_call_id(),
                    name=it.name,
                    args=it.text,
                    error=it.error,
                )
                for it in outcome.bad
            ],
            usage_metadata=tokens,
            response_metadata={
                "model_name": self.checkpoint.name,
                "finish_reason": outcome.finish,
                "first_token_s": outcome.first_token_s,
                "duration_s": outcome.duration_s,
            },
        )


_OPTIONS = {
    "allowed_citations", "constrained", "max_new_tokens", "seed", "temperature",
    "tool_choice", "tools",
}  # fmt: skip


def _call_id() -> str:
    return f"call_{uuid4().hex[:12]}"


def _choice(wanted: str | bool | None) -> str:
    return str(_ANY_OF.get(wanted, wanted))


def _for_each(citations: Sequence[Any] | None, count: int) -> Sequence[Sequence[str] | None]:
    """Allowed citations per prompt, from one list for all or one list each."""
    if citations is None or not citations or isinstance(citations[0], str):
        return [citations] * count
    if len(citations) != count:
        raise ValueError(f"{len(citations)} lists of citations for {count} prompts")
    return citations


def _chunks(
    spoken: Generator[str, None, GenerationResult],
) -> Generator[ChatGenerationChunk, None, GenerationResult]:
    """Yield the text as chunks; returns the result. Closing it closes the answer."""
    try:
        while True:
            yield ChatGenerationChunk(message=AIMessageChunk(content=next(spoken)))
    except StopIteration as ended:
        outcome: GenerationResult = ended.value
        return outcome
    finally:
        spoken.close()


def _last_chunk(message: AIMessage) -> AIMessageChunk:
    """The message without its text, which was streamed."""
    asked: list[Any] = [(it["name"], it["args"], it["id"]) for it in message.tool_calls]
    # The reason takes the place of the arguments: langchain sees a text as an invalid call, and
    # keeps it.
    asked += [(it["name"], it["error"], it["id"]) for it in message.invalid_tool_calls]
    calls = [
        ToolCallChunk(
            type="tool_call_chunk",
            name=name,
            args=json.dumps(told, ensure_ascii=False),
            id=call_id,
            index=index,
        )
        for index, (name, told, call_id) in enumerate(asked)
    ]
    return AIMessageChunk(
        content="",
        tool_call_chunks=calls,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
