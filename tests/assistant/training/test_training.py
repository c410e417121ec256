"""Training of the pocket VLM: its readings, its tokens, its dialogues."""

import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from assistant.grounding.checker import check_sentences
from assistant.training import mean_weights
from assistant.training.dialogues import grammar, narration, wordings
from assistant.training.dialogues.generator import dialogue
from assistant.training.dialogues.material import ToolResultPool
from tools.verdict.evidence import MEASURES

pytestmark = pytest.mark.fast

READS = ("same person", "high", "raised", "ordinary", "ordinary", "like the query photos",
         "alike", "another photograph", "enough detail", "not marked")  # fmt: skip
REGIONS = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary")


def scored(handle: str, verdict: str | None, same: str, forged: str) -> dict[str, Any]:
    """What score_fake answers."""
    chosen = range(10) if verdict else (1, 2, 3, 4, 8, 9)
    probabilities = {f"{handle}.P2": forged}
    if verdict:
        probabilities = {f"{handle}.P1": same, **probabilities, f"{handle}.P3": "likely"}
    return {
        "image": handle,
        **({"verdict": verdict} if verdict else {}),
        "probabilities": probabilities,
        "evidence": [
            {"id": f"{handle}.E{n + 1}", "name": MEASURES[n].name,
             "reads": same if n == 0 else READS[n]} for n in chosen
        ],
    }  # fmt: skip


def record() -> dict[str, Any]:
    """One harvested search with a hit of every verdict."""
    lines = [
        ("impersonation", "same person", "forged"), ("inconclusive", "uncertain", "forged"),
        ("inconclusive", "same person", "uncertain"),
        ("no forgery found", "same person", "no sign of forgery"),
        ("other", "another person", "no sign of forgery"),
    ]  # fmt: skip
    hits = [f"H{number}" for number in range(1, len(lines) + 1)]
    names = ["Q1", *hits]
    return {
        "find": {
            "hits": [
                {"id": hit, "verdict": verdict, "identity": same, "forgery": forged}
                for hit, (verdict, same, forged) in zip(hits, lines, strict=True)
            ],
            "counts": {}, "warnings": [],
        },
        "gallery": {"gallery": "default", "images": "G1", "faces": "G2", "without face": "G3",
                    "skipped": "G4", "state": "ready"},
        "scores": {
            "Q1": scored("Q1", None, "", "uncertain"),
            **{hit: scored(hit, *line) for hit, line in zip(hits, lines, strict=True)},
        },
        "located": {
            name: {"image": name, "limits": "", "evidence": [
                {"id": f"{name}.E{number}", "region": region, "reads": "strong"}
                for number, region in enumerate(REGIONS, start=11)]}
            for name in names
        },
        "described": {
            name: {"image": name, "format": "JPEG", "size": "small", "faces": "one",
                   "quality": [], "metadata": {}} for name in names
        },
        "compared": [
            {"comparison": "C1", "faces": ["Q1", "H1"], "probabilities": {"C1.P1": same},
             "evidence": [{"id": f"C1.{name}", "name": name, "reads": reads} for name, reads in
                          (("E1", same), ("E7", "alike"), ("E8", "another photograph"))]}
            for same in ("same person", "uncertain", "another person")
        ],
        "pictures": dict.fromkeys(names, 0), "faces": dict.fromkeys(names, 0),
    }  # fmt: skip


@pytest.fixture(scope="module")
def tool_results() -> ToolResultPool:
    """A harvest of one search."""
    found = ToolResultPool()
    found.take(record(), 0)
    return found


def test_everything_that_is_learnt_passes_the_checker(tool_results: ToolResultPool) -> None:
    """No sentence of any dialogue would be refused in use."""
    refused: Counter[str] = Counter()
    for seed in range(150):
        for text, ground in dialogue(tool_results, random.Random(seed)).targets:  # noqa: S311
            refused.update(it.finding for it in check_sentences(text, ground) if it.finding)
    assert refused == {}


def test_a_reading_changes_its_own_sentence_only() -> None:
    """An explanation follows the tool's answer: what speaks for the verdict comes first."""
    before = scored("H3", "impersonation", "same person", "forged")
    after = json.loads(json.dumps(before))
    readings = {"H3.E2": "ordinary", "H3.E4": "high"}
    for item in after["evidence"]:
        item["reads"] = readings.get(item["id"], item["reads"])
    texts = [narration.explained(it).split(". ") for it in (before, after)]
    different = [(one, other) for one, other in zip(*texts, strict=True) if one != other]
    assert len(different) == 1
    places = [different[0][1].index(it) for it in ("[H3.E4]", "but", "[H3.E2]")]
    assert places == sorted(places)


def test_wordings_are_many() -> None:
    """A request has hundreds of wordings, all slots filled."""
    rng = random.Random(0)  # noqa: S311
    said = {grammar.draw_wording(wordings.WHY, rng, hit="hit 3") for _ in range(500)}
    assert len(said) > 300
    assert not any("<" in text or "|" in text for text in said)


def test_handles_are_copied_letter_by_letter() -> None:
    """`H13.E2` is never one token, whatever the corpus looks like."""
    from assistant.training.tokenizer import train_tokenizer

    bpe = train_tokenizer(["H13.E2 [H13.E2] H13.E2"] * 50, size=400)
    pieces = [bpe.decode([token]) for token in bpe.encode(" [H13.E2]").ids]
    assert pieces == [" [", "H", "1", "3", ".E", "2", "]"]


@pytest.fixture(scope="module")
def small() -> tuple[Any, Any]:
    """An untrained model with its processor."""
    import torch

    from assistant.training import architecture, tokenizer
    from assistant.training.corpus import TEMPLATE

    torch.manual_seed(0)
    words = tokenizer.to_transformers_tokenizer(
        tokenizer.train_tokenizer(["find H3 in [H3.E2]"] * 9, size=400)
    )
    made = tokenizer.processor(words, TEMPLATE.read_text(encoding="utf-8"))
    return architecture.new(made.tokenizer).eval(), made


def test_a_shared_beginning_changes_nothing(small: tuple[Any, Any]) -> None:
    """Reading the common beginning once gives what the model itself gives, pictures included."""
    import torch
    from PIL import Image

    from assistant.training.forward import SharedPrefixBatch, hidden_states
    from assistant.training.rows import mrope_positions

    model, processor = small
    pixels = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
    content = [{"type": "text", "text": "Q1:"}, {"type": "image", "image": Image.fromarray(pixels)}]
    inputs = processor.apply_chat_template(
        [{"role": "system", "content": [{"type": "text", "text": "find"}]},
         {"role": "user", "content": content}],
        tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True,
    )  # fmt: skip
    start, ids = 5, inputs["input_ids"][0]
    pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    places = mrope_positions(ids[start:].numpy(), start=start, pad=pad)
    rest = ids[start:].expand(2, -1)
    rows = SharedPrefixBatch(
        ids[:start], rest, torch.from_numpy(places)[:, None].expand(3, 2, -1),
        inputs["pixel_values"].repeat(2, 1), inputs["image_grid_thw"].repeat(2, 1),
    )  # fmt: skip
    with torch.no_grad():
        whole = model(**inputs).logits[0, start:]
        shared = model.lm_head(hidden_states(model, rows))
    assert torch.allclose(shared[1], whole, atol=1e-5)


def test_only_the_assistants_words_are_learnt(
    small: tuple[Any, Any], tool_results: ToolResultPool
) -> None:
    """The mask covers calls and answers with their end, and nothing of people or tools."""
    from assistant.training.corpus import pieces
    from assistant.training.rows import DialogueTokenizer

    _, processor = small
    writer = DialogueTokenizer(processor)
    piece = next(pieces(tool_results, random.Random(3), explanations=0.0))  # noqa: S311
    row = writer.row(piece.messages, piece.pictures, tools=piece.tools)
    learnt = processor.tokenizer.decode(row.ids[row.loss_mask])
    spoken = [message for message in piece.messages if message.type == "ai"]
    assert learnt.count("<|im_end|>") == len(spoken)
    assert all(message.text in learnt for message in spoken)
    assert "<tool_response>" not in learnt


def test_the_mean_of_two_runs_is_halfway() -> None:
    """Weights are averaged name by name, in the precision they are kept in; others are refused."""
    one = {"a": torch.tensor([1.0, 3.0], dtype=torch.bfloat16)}
    other = {"a": torch.tensor([2.0, 5.0], dtype=torch.bfloat16)}
    found = mean_weights.average_weights(one, other)["a"]
    assert found.tolist() == [1.5, 4.0]
    assert found.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="different weights"):
        mean_weights.average_weights(one, {"b": other["a"]})
