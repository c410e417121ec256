"""Ten explanations in one batch of LocalVLM against one by one, and against a batch of `generate`.

The prompts are those of `unmask ask --explain`, for ten hits of the demo's gallery; the ways take
turns, on the same threads. `one_by_one` is as fast as one answer gets: with the prompt's beginning
remembered. `bare_batch` is `model.generate` on the same padded prompts, without a grammar: its
answers are longer or shorter than ours, and only its tokens a second compare.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from langchain_core.messages import BaseMessage

from assistant.chat_model.local.model import LocalVLM
from assistant.conversation.messages import explanation_messages
from assistant.demo import DEMO_GALLERY, write_demo_images
from assistant.grounding.repair import citable_fact_ids
from assistant.investigation import Unmask
from assistant.settings import Settings
from tools.agent_tools.langchain_tools import toolkit
from tools.agent_tools.workspace import Workspace

EXPLANATIONS = 10
_BARE_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the model is asked, and what each answer may cite."""

    asked: list[list[BaseMessage]]
    citations: list[list[str]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Seconds of wall and processor time of all explanations, their tokens and texts."""

    wall_s: float
    cpu_s: float
    tokens: int
    texts: tuple[str, ...] = ()


def measure_batches(model: LocalVLM, settings: Settings, *, rounds: int) -> dict[str, object]:
    """Medians of the ways, and ratios by round."""
    with tempfile.TemporaryDirectory() as name:
        prompts = demo_prompts(settings.model_copy(update={"home": Path(name)}))
    ways: dict[str, Callable[[], Batch]] = {
        "one_by_one": lambda: _in_batches_of(1, model, prompts),
        "batch": lambda: _in_batches_of(EXPLANATIONS, model, prompts),
        "bare_batch": lambda: _bare(model, prompts.asked),
    }
    ways["one_by_one"]()  # compiled grammars, the remembered beginning
    measured: dict[str, list[Batch]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, measure in ways.items():
            measured[way].append(measure())
    return _figures(measured)


def demo_prompts(settings: Settings) -> Prompts:
    """The prompts that explain the first ten hits of the demo's search."""
    unmask = Unmask(settings, gallery=DEMO_GALLERY)
    folder = settings.home / "pictures"
    folder.mkdir()
    query, _ = write_demo_images(folder, unmask.models.faces)
    unmask.index([folder])
    workspace = Workspace(unmask.models, home=settings.home, gallery=DEMO_GALLERY)
    photo = workspace.add_photo(query)
    workspace.find_person([photo])
    (score_fake,) = toolkit(workspace, names=["score_fake"])
    hits = [hit.handle for hit in workspace.hits[:EXPLANATIONS]]
    return Prompts(
        [
            explanation_messages(
                workspace.pictures, hit=hit, photo=photo,
                evidence=str(score_fake.invoke({"image": hit})),
            )
            for hit in hits
        ],
        [citable_fact_ids(workspace, [hit]) for hit in hits],
    )  # fmt: skip


def _in_batches_of(size: int, model: LocalVLM, prompts: Prompts) -> Batch:
    limited = model.model_copy(update={"batch_limit": size})
    cpu, began = time.process_time(), time.perf_counter()
    answers = limited.batch([*prompts.asked], allowed_citations=prompts.citations)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    tokens = sum(it.usage_metadata["output_tokens"] for it in answers if it.usage_metadata)
    return Batch(wall_s, cpu_s, tokens, tuple(it.text for it in answers))


def _bare(model: LocalVLM, asked: Sequence[list[BaseMessage]]) -> Batch:
    from assistant.chat_model.local.chat_template import prompt_inputs, to_template_messages

    checkpoint = model.checkpoint
    cpu, began = time.process_time(), time.perf_counter()
    turns = [to_template_messages(it, checkpoint.habits) for it in asked]
    inputs = prompt_inputs(checkpoint.processor, turns, checkpoint.habits, [])
    made = checkpoint.model.generate(
        **inputs.to(checkpoint.model.device),
        max_new_tokens=_BARE_TOKENS,
        do_sample=False,
        suppress_tokens=[*checkpoint.suppressed_ids],
        eos_token_id=[*checkpoint.stop_ids],
        pad_token_id=checkpoint.tokenizer.pad_token_id,
    )
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    answers = made[:, inputs["input_ids"].shape[1] :]
    return Batch(wall_s, cpu_s, int((answers != checkpoint.tokenizer.pad_token_id).sum()))


def _figures(measured: dict[str, list[Batch]]) -> dict[str, object]:
    alone, bare = measured["one_by_one"], measured["bare_batch"]
    figures: dict[str, object] = {"explanations": EXPLANATIONS}
    for way, batches in measured.items():
        figures[way] = {
            "wall_s": median(it.wall_s for it in batches),
            "cpu_s": median(it.cpu_s for it in batches),
            "tokens": median(it.tokens for it in batches),
            "times_faster_than_one_by_one": _ratio(alone, batches, lambda it: it.wall_s),
            "… by processor time": _ratio(alone, batches, lambda it: it.cpu_s),
            "tokens_per_cpu_s_of_bare": _ratio(batches, bare, lambda it: it.tokens / it.cpu_s),
            "same_texts": sum(map(_same, zip(alone[0].texts, batches[0].texts, strict=False))),
        }
    return figures


def _ratio(one: Sequence[Batch], other: Sequence[Batch], of: Callable[[Batch], float]) -> float:
    return median(of(a) / of(b) for a, b in zip(one, other, strict=True))


def _same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]
