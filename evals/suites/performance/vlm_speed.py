"""Does streaming through LocalVLM cost anything over transformers' own `generate`?

The same checkpoint in the same process, alternating, so that other load on the machine affects
both: the assistant's own prompt and tools and a picture, greedy, the same tokens. Both times
include the chat template and the processor. `bare` is `model.generate` with a streamer that reads
the clock; `ours` is `LocalVLM.stream`, once plain like `bare`, once with the prompt's shared prefix
cached, once with calls and citations constrained by a grammar. CPU milliseconds of the whole
process are reported too: on a busy machine they are more meaningful.

`ten_explanations`: one by one, and in one batch as the product writes them; see `batch_speed`.

Uses the profile's own checkpoint. Does not show: the speed on a GPU.
"""

import base64
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from PIL import Image

import prompts
from assistant.chat_model.choice import profile_checkpoint_dir
from assistant.chat_model.local.model import LocalVLM
from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.suites.performance.batch_speed import measure_batches
from tools.agent_tools.langchain_tools import toolkit
from tools.agent_tools.workspace import Workspace

TURNS = 12
TOKENS = 64
BATCH_ROUNDS = 3
CITATIONS = tuple(f"H{hit}.E{number}" for hit in (1, 2, 3) for number in range(1, 11))


@dataclass(frozen=True, slots=True)
class Timing:
    """One answer: milliseconds to the first token, tokens/s after it, and CPU time."""

    first_ms: float
    tokens_per_s: float
    cpu_ms: float
    tokens: int


def run(options: EvalOptions) -> dict[str, object]:
    """Measure alternately; `limit` caps the number of rounds."""
    settings = Settings.load()
    model = LocalVLM.load(profile_checkpoint_dir(settings), threads=settings.threads)
    ways = _ways(model, _question(options.seed), _tools(settings, model))
    for measure in ways.values():  # compiled grammars, packed weights
        measure()
    timings: dict[str, list[Timing]] = {way: [] for way in ways}
    for _ in range(options.limit or TURNS):
        for way, measure in ways.items():
            timings[way].append(measure())
    batches = measure_batches(model, settings, rounds=min(BATCH_ROUNDS, options.limit or TURNS))
    own = {"profile": settings.profile, "threads": _threads()}
    return {**own, **_figures(timings), "ten_explanations": batches}


def _question(seed: int) -> list[BaseMessage]:
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks).resize((224, 224)).save(buffer, "JPEG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    content: list[str | dict[Any, Any]] = [
        {"type": "text", "text": "Q1:"},
        {"type": "image", "base64": encoded, "mime_type": "image/jpeg"},
        # Answered in text: a tool call would be constrained by its schema, which needs extra
        # tokens.
        {"type": "text", "text": "What can you find out?"},
    ]
    return [SystemMessage(prompts.text("assistant")), HumanMessage(content)]


def _tools(settings: Settings, model: LocalVLM) -> list[dict[str, Any]]:
    """The schemas of the tools that the model is offered."""
    workspace = Workspace(LoadedModels(settings), home=settings.home)
    return [convert_to_openai_tool(tool) for tool in toolkit(workspace, names=model.known_tools)]


def _ways(
    model: LocalVLM, question: list[BaseMessage], tools: list[dict[str, Any]]
) -> dict[str, Callable[[], Timing]]:
    def ours(**options: Any) -> Timing:
        return _ours(model, question, {"tools": tools, **options})

    def plain() -> Timing:
        with _nothing_remembered(model):
            return ours(constrained=False)

    return {
        "bare": lambda: _bare(model, question, tools),
        "ours": plain,
        "ours_remembering": lambda: ours(constrained=False),
        "ours_constrained": lambda: ours(allowed_citations=CITATIONS),
    }


@contextmanager
def _nothing_remembered(model: LocalVLM) -> Iterator[None]:
    """The whole prompt is processed, as in `generate`."""
    prefixes = model.checkpoint.prefix_cache
    known, prefixes.enabled = prefixes.enabled, False
    try:
        yield
    finally:
        prefixes.enabled = known


def _ours(model: LocalVLM, question: list[BaseMessage], options: dict[str, Any]) -> Timing:
    cpu, started = time.process_time(), time.perf_counter()
    stream = model.stream(question, max_new_tokens=TOKENS, **options)
    last = [*stream][-1]
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    tokens = last.usage_metadata["output_tokens"] if last.usage_metadata else 0
    # The first token may be half a character, or the start of a call: not yet a chunk.
    first_s = last.response_metadata["first_token_s"]
    return Timing(1e3 * first_s, (tokens - 1) / (ended - started - first_s), 1e3 * cpu, tokens)


class _Clock:
    """A streamer for `generate` that records each token's time."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: object) -> None:
        """Called with the prompt first, then with every token."""
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing to do at the end."""


def _bare(model: LocalVLM, question: list[BaseMessage], tools: list[dict[str, Any]]) -> Timing:
    from assistant.chat_model.local.chat_template import prompt_inputs, to_template_messages

    checkpoint, clock = model.checkpoint, _Clock()
    cpu, started = time.process_time(), time.perf_counter()
    turns = to_template_messages(question, checkpoint.habits)
    inputs = prompt_inputs(checkpoint.processor, [turns], checkpoint.habits, tools)
    checkpoint.model.generate(
        **inputs.to(checkpoint.model.device),
        max_new_tokens=TOKENS,
        do_sample=False,
        suppress_tokens=[*checkpoint.suppressed_ids],
        eos_token_id=[*checkpoint.stop_ids],
        pad_token_id=checkpoint.tokenizer.pad_token_id,
        streamer=clock,
    )
    cpu = time.process_time() - cpu
    _, first, *rest = clock.times
    rate = len(rest) / (rest[-1] - first)
    return Timing(1e3 * (first - started), rate, 1e3 * cpu, 1 + len(rest))


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _figures(timings: dict[str, list[Timing]]) -> dict[str, object]:
    """Medians of each variant, and the ratio of ours to bare by round."""
    bare = timings["bare"]
    figures: dict[str, object] = {}
    for way, measured in timings.items():
        pairs = [*zip(measured, bare, strict=True)]
        figures[way] = {
            "first_token_ms": median(it.first_ms for it in measured),
            "tokens_per_s": median(it.tokens_per_s for it in measured),
            "cpu_ms_per_answer": median(it.cpu_ms for it in measured),
            "tokens": median(it.tokens for it in measured),
            "first_token_of_bare": median(it.first_ms / was.first_ms for it, was in pairs),
            "tokens_per_s_of_bare": median(it.tokens_per_s / was.tokens_per_s for it, was in pairs),
            "cpu_of_bare": median(it.cpu_ms / was.cpu_ms for it, was in pairs),
        }
    return figures
