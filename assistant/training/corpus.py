"""The training corpus: dialogues, explanations and repairs, tokenized for `pocket_vlm`.

    python -m assistant.training.corpus CORPUS HARVEST… --dialogues 40000 --explanations 20000

Messages come from `assistant.conversation.messages`, the tools' schemas from `tools.toolkit`, the
format from the chat template: training and inference use the same prompts. Every target sentence
passes the checker (`assistant.grounding.checker`); a dialogue with a sentence that fails is left
out.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, BaseMessage

from assistant.conversation.messages import (
    conversation_messages,
    explanation_messages,
    repair_messages,
)
from assistant.grounding.checker import FactContext, check_sentences
from assistant.grounding.sentences import split_sentences
from assistant.training import tokenizer
from assistant.training.dialogues import narration as say
from assistant.training.dialogues.builder import DialogueBuilder
from assistant.training.dialogues.generator import dialogue
from assistant.training.dialogues.material import ToolResultPool, to_compact_json
from assistant.training.rows import BlankImages, DialogueRow, DialogueTokenizer, rows_to_arrays
from tools.checkpoints.table import CHAT_WEIGHTS_DIR
from tools.verdict.handles import CITATION_PATTERN

MOST_TOKENS = 1400
TEMPLATE = CHAT_WEIGHTS_DIR / "vlm" / "chat_template.jinja"


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """Messages to learn from: all of the assistant's turns, or the last one only."""

    messages: list[BaseMessage]
    pictures: tuple[int, ...]
    tools: bool
    last_only: bool = False


def pieces(
    tool_results: ToolResultPool, rng: random.Random, *, explanations: float
) -> Iterator[TrainingExample]:
    """The examples of one draw: an explanation, or a dialogue; some with a repair."""
    if rng.random() < explanations:
        yield from _explanation(tool_results, rng)
    else:
        yield from _dialogue(tool_results, rng)


def _passes(targets: Sequence[tuple[str, FactContext]]) -> bool:
    return all(
        one.finding is None for text, context in targets for one in check_sentences(text, context)
    )


def _dialogue(tool_results: ToolResultPool, rng: random.Random) -> Iterator[TrainingExample]:
    builder = dialogue(tool_results, rng)
    if not _passes(builder.targets):
        return
    messages = conversation_messages(builder.steps, BlankImages())
    if any("shortened; call" in message.text for message in messages):
        return  # the answers no longer follow from the shortened results
    yield TrainingExample(messages, tuple(builder.shown), tools=True)
    if rng.random() < 0.05:
        text, context = builder.targets[-1]
        yield from _repair(messages[:-1], text, context, tuple(builder.shown), rng)


def _explanation(tool_results: ToolResultPool, rng: random.Random) -> Iterator[TrainingExample]:
    builder = DialogueBuilder(tool_results, rng)
    builder.new_photo()
    search = tool_results.search(rng, top=rng.choice((3, 10, 10, 26)))
    if not search.hits:
        return
    builder.set_search(search)
    photo, hit = builder.photos["Q1"], rng.choice(search.hits)
    name = hit.line["id"]
    if rng.random() < 0.1:
        hit.score["evidence"] += [
            {"id": item["id"], "name": f"signs of forgery at the {item['region']}",
             "reads": item["reads"]} for item in hit.located["evidence"]
        ]  # fmt: skip
        builder.learn(hit.score)
    text = say.explained(hit.score)
    base = builder.context()
    context = FactContext(base.fact, frozenset([name]))
    if not _passes([(text, context)]):
        return
    asked = explanation_messages(
        BlankImages(), hit=name, photo="Q1", evidence=to_compact_json(hit.score)
    )
    pictures = (photo.face, hit.face)
    yield TrainingExample([*asked, AIMessage(text)], pictures, tools=False)
    if rng.random() < 0.08:
        yield from _repair(asked, text, context, pictures, rng)


def _repair(
    asked: Sequence[BaseMessage], text: str, context: FactContext, pictures: tuple[int, ...],
    rng: random.Random,
) -> Iterator[TrainingExample]:  # fmt: skip
    """A corrupted sentence, refused by the checker, and its correction."""
    parts = split_sentences(text)
    place = rng.randrange(len(parts))
    spoilt = _spoilt(parts[place], rng)
    found = [one.finding for one in check_sentences(spoilt, context) if one.finding]
    if len(found) != 1:
        return
    draft = " ".join([*parts[:place], spoilt, *parts[place + 1 :]])
    prompt = repair_messages(asked, draft, sentence=spoilt, finding=found[0])
    yield TrainingExample([*prompt, AIMessage(parts[place])], pictures, tools=False, last_only=True)


def _spoilt(sentence: str, rng: random.Random) -> str:
    """The sentence with a typical model error: typed words, or a citation of a missing fact."""
    cites = CITATION_PATTERN.findall(sentence)
    if not cites:
        return sentence
    one = rng.choice(cites)
    subject = one.partition(".")[0]
    typed = f"{subject} is {rng.choice(_TYPED)}" if "." in one and subject[0] in "QHC" else "none"
    wrong = f"[{rng.choice('HHQC')}{rng.randint(30, 99)}.{rng.choice(('P1', 'P2', 'E2', 'E4'))}]"
    return sentence.replace(f"[{one}]", rng.choice((typed, wrong)), 1)


_TYPED = ("forged", "fake", "authentic", "the same person", "another person", "real", "high")


def _drawn(given: tuple[list[Path], int, int, float]) -> list[TrainingExample]:
    """Examples from one seed; runs in its own process."""
    folders, seed, count, explanations = given
    tool_results = ToolResultPool.read(*folders)
    found = []
    for number in range(count):
        rng = random.Random(f"{seed}-{number}")  # noqa: S311 - not for secrets
        found += [*pieces(tool_results, rng, explanations=explanations)]
    return found


def _rows(given: tuple[list[Path], int, int, float, Path]) -> list[DialogueRow]:
    from transformers import AutoProcessor

    *rest, folder = given
    writer = DialogueTokenizer(AutoProcessor.from_pretrained(folder))
    rows = [
        writer.row(piece.messages, piece.pictures, tools=piece.tools, last_only=piece.last_only)
        for piece in _drawn(tuple(rest))  # type: ignore[arg-type]
    ]
    return [row for row in rows if len(row.ids) <= MOST_TOKENS and row.loss_mask.any()]


def fit_tokenizer(folders: list[Path], folder: Path, *, count: int = 1500) -> None:
    """Fit a tokenizer to the corpus and write it as a processor."""
    found = _drawn((folders, -1, count, 0.3))
    template = TEMPLATE.read_text(encoding="utf-8")
    # Rendering needs a processor; any tokenizer works for that.
    plain = DialogueTokenizer(
        tokenizer.processor(
            tokenizer.to_transformers_tokenizer(tokenizer.train_tokenizer(["a"])), template
        )
    )
    texts = []
    for number, piece in enumerate(found):
        whole = plain.text(piece.messages, tools=piece.tools)
        # The opening is the same everywhere: a few dozen copies are enough.
        texts.append(whole if number % 30 == 0 else whole.partition("<|im_end|>\n")[2])
    tokenizer.save(texts, folder, template=template)


def main() -> None:
    """Command line; see the module's docstring."""
    from transformers import AutoProcessor

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("harvest", type=Path, nargs="+")
    parser.add_argument("--draws", type=int, default=40000)
    parser.add_argument("--explanations", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--name", default="rows0")
    parser.add_argument("--tokenizer", type=Path, help="a model's folder, to go on from it")
    given = parser.parse_args()
    folder = given.corpus / "processor"
    if given.tokenizer is not None:
        AutoProcessor.from_pretrained(given.tokenizer).save_pretrained(folder)
    elif not folder.is_dir():
        fit_tokenizer(given.harvest, folder)
    size = 500
    jobs = [
        (given.harvest, given.seed * 100_000 + start, size, given.explanations, folder)
        for start in range(0, given.draws, size)
    ]
    rows: list[DialogueRow] = []
    if given.processes == 1:
        for job in jobs:
            rows += _rows(job)
    else:
        with Pool(given.processes) as pool:
            for some in pool.imap(_rows, jobs):
                rows += some
    arrays: dict[str, Any] = {**rows_to_arrays(rows)}
    np.savez_compressed(given.corpus / f"{given.name}.npz", **arrays)
    spoken = sum(int(row.loss_mask.sum()) for row in rows)
    tokens = sum(len(row.ids) for row in rows)
    print(json.dumps({"rows": len(rows), "tokens": tokens, "spoken": spoken}))


if __name__ == "__main__":
    main()
