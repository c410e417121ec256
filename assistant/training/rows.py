"""Tokenize dialogues to rows of token ids, with the loss mask.

Text takes the same path as at inference: steps -> `conversation_messages` -> the chat template with
the real tools' schemas. The assistant's turns are found between the template's own marks, which no
content can contain.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from langchain_core.messages import BaseMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from assistant.chat_model.local.chat_template import to_template_messages
from assistant.chat_model.local.template_features import TemplateCapabilities
from assistant.training.dialogues.builder import PLACEHOLDER_IMAGE
from tools import toolkit

IMAGE_TOKENS = 16
TAUGHT_TOOLS = (
    "find_person", "score_fake", "compare_faces", "locate_artifacts", "describe_image",
    "gallery_summary",
)  # fmt: skip
"""The tools in the prompts of the dialogues; a model trained on them is offered no others."""
_HABITS = TemplateCapabilities(
    form="hermes", tool_pictures=True, text_parts=True, supports_thinking=False
)
_SPOKEN = re.compile(r"(?<=<\|im_start\|>assistant\n).*?<\|im_end\|>", re.DOTALL)
_PAD = "<|image_pad|>"


class BlankImages:
    """Blank pictures for a conversation: the real ones are inserted by number later."""

    def pixels(self, handle: str) -> np.ndarray:
        """(2, 2, 3) zeros."""
        return PLACEHOLDER_IMAGE

    def aligned(self, handle: str, size: int) -> np.ndarray:
        """The same."""
        return PLACEHOLDER_IMAGE


@dataclass(frozen=True, slots=True)
class DialogueRow:
    """One dialogue: `prefix` names the common opening; ids and mask are of the rest.

    `pictures` are numbers of harvested pictures, in the order of their places.
    """

    prefix: str
    ids: np.ndarray
    loss_mask: np.ndarray
    pictures: tuple[int, ...]


class DialogueTokenizer:
    """Renders messages with and without tools, and cuts the result into rows."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    @cached_property
    def schemas(self) -> list[dict[str, Any]]:
        """The tools' schemas as a chat model receives them."""
        workspace: Any = None  # schemas are the same for every workspace
        tools = toolkit(workspace, names=TAUGHT_TOOLS)
        return [convert_to_openai_tool(tool) for tool in tools]

    def text(self, messages: Sequence[BaseMessage], *, tools: bool) -> str:
        """The whole prompt and its answers as text; a picture is one pad token."""
        turns = to_template_messages(messages, _HABITS)
        rendered: str = self.processor.apply_chat_template(
            turns, tools=self.schemas if tools else None, tokenize=False
        )
        return rendered

    def row(
        self, messages: Sequence[BaseMessage], pictures: Sequence[int], *, tools: bool,
        last_only: bool = False,
    ) -> DialogueRow:  # fmt: skip
        """A dialogue as a row; with `last_only` the loss covers only the last turn."""
        whole = self.text(messages, tools=tools)
        _, _, rest = whole.partition("<|im_end|>\n")
        rest = rest.replace(_PAD, _PAD * IMAGE_TOKENS)
        coded = self.processor.tokenizer(rest, return_offsets_mapping=True)
        spans = [match.span() for match in _SPOKEN.finditer(rest)]
        if last_only:
            spans = spans[-1:]
        spoken = np.array(
            [any(start <= at < end for start, end in spans) for at, _ in coded["offset_mapping"]]
        )
        ids = np.array(coded["input_ids"], np.int16)
        return DialogueRow("tools" if tools else "plain", ids, spoken, tuple(pictures))

    def prefix(self, *, tools: bool) -> np.ndarray:
        """The token ids of the common opening."""
        from langchain_core.messages import HumanMessage, SystemMessage

        import prompts

        whole = self.text(
            [SystemMessage(prompts.text("assistant")), HumanMessage("Hello")], tools=tools
        )
        opening, mark, _ = whole.partition("<|im_end|>\n")
        return np.array(self.processor.tokenizer(opening + mark)["input_ids"], np.int16)


def mrope_positions(ids: np.ndarray, *, start: int, pad: int, side: int = 4) -> np.ndarray:
    """(3, t) positions in time, height and width as in Qwen3-VL: pictures are grids."""
    places = np.zeros((3, len(ids)), np.int64)
    now, at = start, 0
    while at < len(ids):
        if ids[at] == pad:
            grid = np.arange(IMAGE_TOKENS)
            places[:, at : at + IMAGE_TOKENS] = now + np.stack(
                [grid * 0, grid // side, grid % side]
            )
            now, at = now + side, at + IMAGE_TOKENS
        else:
            places[:, at] = now
            now, at = now + 1, at + 1
    return places


def rows_to_arrays(rows: Sequence[DialogueRow]) -> dict[str, np.ndarray]:
    """Rows as arrays for one .npz file."""
    return {
        "ids": np.concatenate([row.ids for row in rows]),
        "spoken": np.concatenate([row.loss_mask for row in rows]),
        "lengths": np.array([len(row.ids) for row in rows]),
        "tools": np.array([row.prefix == "tools" for row in rows]),
        "pictures": np.array([number for row in rows for number in row.pictures], np.int32),
        "picture_counts": np.array([len(row.pictures) for row in rows]),
    }


def rows_from_arrays(data: Any) -> Iterator[DialogueRow]:
    """The rows stored by `rows_to_arrays`."""
    ends = np.cumsum(data["lengths"])
    picture_ends = np.cumsum(data["picture_counts"])
    ids, spoken, pictures = data["ids"], data["spoken"], data["pictures"]
    for end, length, tools, last, count in zip(
        ends, data["lengths"], data["tools"], picture_ends, data["picture_counts"], strict=True
    ):
        yield DialogueRow(
            "tools" if tools else "plain", ids[end - length : end], spoken[end - length : end],
            tuple(int(number) for number in pictures[last - count : last]),
        )  # fmt: skip
