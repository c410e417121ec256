"""Generate one answer: decode token ids to the visible text and the tool calls."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from tokenizers.decoders import DecodeStream

from assistant.chat_model.local.chat_template import prompt_inputs, to_template_messages
from assistant.chat_model.local.constrained import DecodingConstraints, GrammarLogitsProcessor
from assistant.chat_model.local.decoding import generate_token_ids
from assistant.chat_model.local.loading import LoadedCheckpoint
from assistant.conversation.steps import ToolCall
from assistant.conversation.tool_calls import InvalidToolCall, ToolCallParser

ChatPrompt = Sequence[BaseMessage]


@dataclass(frozen=True)
class SamplingParams:
    """Sampling parameters; `constrained` enables decoding by a grammar."""

    max_new_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    constrained: bool = True


@dataclass(frozen=True)
class GenerationResult:
    """A finished answer; `finish` is "stop", "length" or "tool_calls".

    Times are in seconds from the request, and include reading the prompt.
    """

    text: str
    calls: tuple[ToolCall, ...]
    bad: tuple[InvalidToolCall, ...]
    input_tokens: int
    output_tokens: int
    first_token_s: float
    duration_s: float
    finish: str


class ResponseStream:
    """One answer of the model, decoded token by token.

    `text` is the text shown; after `finish`, `calls` are the readable calls and `bad` the
    unreadable ones. `tokens` counts the stop token too; `stopped` is true if the model ended the
    answer.
    """

    def __init__(self, checkpoint: LoadedCheckpoint) -> None:
        self.text = ""
        self.tokens = 0
        self.stopped = False
        self._stops = frozenset(checkpoint.stop_ids)
        self._silent = frozenset(checkpoint.suppressed_ids)
        self._words = checkpoint.tokenizer.backend_tokenizer
        self._stream = DecodeStream(skip_special_tokens=False)
        self._reader = ToolCallParser(checkpoint.habits.form)

    def hear(self, token: int) -> str:
        """Add the next token; returns the text that can be shown now."""
        self.tokens += 1
        self.stopped = token in self._stops
        if self.stopped or token in self._silent:
            return ""
        piece = self._stream.step(self._words, token) or ""
        return self._show(self._reader.feed(piece))

    def finish(self) -> str:
        """End the answer; returns the last text to show."""
        return self._show(self._reader.finish())

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the answer."""
        return tuple(it for it in self._reader.calls if isinstance(it, ToolCall))

    @property
    def bad(self) -> tuple[InvalidToolCall, ...]:
        """The unreadable tool calls of the answer."""
        return tuple(it for it in self._reader.calls if isinstance(it, InvalidToolCall))

    def _show(self, piece: str) -> str:
        self.text += piece
        return piece


def generate(
    checkpoint: LoadedCheckpoint,
    messages: ChatPrompt,
    constraints: DecodingConstraints,
    sampling: SamplingParams,
) -> Generator[str, None, GenerationResult]:
    """Yield the text as it is generated; returns the result. Closing it ends the generation."""
    hearing = _Hearing(checkpoint, [messages], [constraints], sampling)
    for _, piece in hearing:
        yield piece
    return hearing.results()[0]


def generate_batch(
    checkpoint: LoadedCheckpoint,
    prompts: Sequence[ChatPrompt],
    constraints: Sequence[DecodingConstraints],
    sampling: SamplingParams,
) -> list[GenerationResult]:
    """Generate answers to several prompts in one padded pass."""
    hearing = _Hearing(checkpoint, prompts, constraints, sampling)
    for _ in hearing:
        pass
    return hearing.results()


def _ids(
    checkpoint: LoadedCheckpoint, system: BaseMessage, question: str, tools: list[dict[str, Any]]
) -> torch.Tensor:
    turns = to_template_messages([system, HumanMessage(question)], checkpoint.habits)
    inputs = prompt_inputs(checkpoint.processor, [turns], checkpoint.habits, tools)
    ids: torch.Tensor = inputs["input_ids"]
    return ids


class _Hearing:
    """One generation for one or several prompts; yields (prompt, text) pieces as they come."""

    def __init__(
        self,
        checkpoint: LoadedCheckpoint,
        prompts: Sequence[ChatPrompt],
        constraints: Sequence[DecodingConstraints],
        sampling: SamplingParams,
    ) -> None:
        if len({held.tools_text for held in constraints}) > 1:
            raise ValueError("the prompts of one batch have the same tools")
        self._checkpoint = checkpoint
        self._prompts = prompts
        self._bounds = constraints
        self._sampling = sampling
        self._transcripts = [ResponseStream(checkpoint) for _ in prompts]
        self._input_tokens = [0] * len(prompts)
        self._started = perf_counter()
        self._first_s = [0.0] * len(prompts)
        self._last_s = [0.0] * len(prompts)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for row in self._rows():
            since = perf_counter() - self._started
            for index, token in enumerate(row):
                if token is None:
                    continue
                transcript = self._transcripts[index]
                self._first_s[index] = self._first_s[index] or since
                self._last_s[index] = since
                if piece := transcript.hear(token):
                    yield index, piece
        for index, transcript in enumerate(self._transcripts):
            if piece := transcript.finish():
                yield index, piece

    def _rows(self) -> Iterator[list[int | None]]:
        checkpoint, sampling = self._checkpoint, self._sampling
        habits = checkpoint.habits
        conversations = [to_template_messages(messages, habits) for messages in self._prompts]
        tools = [dict(tool) for tool in self._bounds[0].tools]
        inputs = prompt_inputs(checkpoint.processor, conversations, habits, tools)
        self._input_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        return generate_token_ids(
            checkpoint,
            inputs,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
            suppressed=self._silenced(),
            processors=self._processors(),
            prefix=self._prefix(tools),
        )

    def _prefix(self, tools: list[dict[str, Any]]) -> str | None:
        """The cache key of the beginning that this system prompt and these tools share."""
        first, *others = [messages[0] for messages in self._prompts]
        checkpoint = self._checkpoint
        if not isinstance(first, SystemMessage) or not checkpoint.prefix_cache.enabled:
            return None
        if any(it.content != first.content for it in others):
            return None
        key = f"{first.content}\n{self._bounds[0].tools_text}"
        with checkpoint.lock, torch.inference_mode():
            if key not in checkpoint.prefix_cache:
                checkpoint.prefix_cache.learn(
                    key, *(_ids(checkpoint, first, it, tools) for it in "ab")
                )
        return key

    def _silenced(self) -> list[int]:
        """Token ids to suppress; with no tool to call, also the one that opens tool calls."""
        opening = self._checkpoint.tool_call_open_id
        callable_ = any(held.callable for held in self._bounds)
        extra = [] if callable_ or opening is None else [opening]
        return [*self._checkpoint.suppressed_ids, *extra]

    def _processors(self) -> list[GrammarLogitsProcessor]:
        checkpoint = self._checkpoint
        form = checkpoint.habits.form
        if not self._sampling.constrained:
            return []
        grammars = [
            None if held.free else checkpoint.grammars.compiled(held, form) for held in self._bounds
        ]
        return (
            [GrammarLogitsProcessor(grammars, width=checkpoint.vocabulary)] if any(grammars) else []
        )

    def results(self) -> list[GenerationResult]:
        """The results, after the text has ended."""
        return [
            GenerationResult(
                text=it.text,
                calls=it.calls,
                bad=it.bad,
                input_tokens=input_tokens,
                output_tokens=it.tokens,
                first_token_s=first_s,
                duration_s=last_s,
                finish="length" if not it.stopped else "tool_calls" if it.calls else "stop",
            )
            for it, input_tokens, first_s, last_s in zip(
                self._transcripts, self._input_tokens, self._first_s, self._last_s, strict=True
            )
        ]
