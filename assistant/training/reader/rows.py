"""Token rows of request examples: the shared beginning once, and each example's own tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from assistant.chat_model.local.chat_template import to_template_messages
from assistant.chat_model.local.template_features import TemplateCapabilities
from tools import toolkit

_HABITS = TemplateCapabilities(
    form="hermes", tool_pictures=True, text_parts=True, supports_thinking=False
)
TURN_END = "<|im_end|>\n"
_SPEAKS = "<|im_start|>assistant\n"


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Token ids after the shared beginning; the last `answer` of them are learnt."""

    ids: np.ndarray
    answer: int


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Padded rows (n, t); `wanted` holds the next token where it is learnt, -1 elsewhere."""

    ids: torch.Tensor
    mask: torch.Tensor
    wanted: torch.Tensor


class RequestTokenizer:
    """Renders examples with the chat template and the tools, and tokenizes them."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        workspace: Any = None  # schemas are the same for every workspace
        self._tools = [convert_to_openai_tool(tool) for tool in toolkit(workspace)]

    def beginning(self, system: BaseMessage) -> torch.Tensor:
        """The ids (1, p) that all prompts share."""
        text = self._text([system, HumanMessage("a")]).partition(TURN_END)[0] + TURN_END
        return torch.tensor([self._ids(text)])

    def row(self, messages: Sequence[BaseMessage]) -> RequestRow:
        """The row of an example; its last message is the answer."""
        rest = self._text(messages).partition(TURN_END)[2].removesuffix("\n")
        prompt, mark, answer = rest.rpartition(_SPEAKS)
        asked, spoken = self._ids(prompt + mark), self._ids(answer)
        return RequestRow(np.array([*asked, *spoken]), len(spoken))

    def batch(self, rows: Sequence[RequestRow], *, pad: int) -> RowBatch:
        """Rows padded on the right."""
        longest = max(len(row.ids) for row in rows)
        ids = np.full((len(rows), longest), pad)
        wanted = np.full((len(rows), longest), -1)
        for at, row in enumerate(rows):
            end, start = len(row.ids), len(row.ids) - row.answer
            ids[at, :end] = row.ids
            wanted[at, start - 1 : end - 1] = row.ids[start:]
        filled = np.array([[place < len(row.ids) for place in range(longest)] for row in rows])
        return RowBatch(torch.tensor(ids), torch.tensor(filled), torch.tensor(wanted))

    def _text(self, messages: Sequence[BaseMessage]) -> str:
        turns = to_template_messages(messages, _HABITS)
        return str(self.tokenizer.apply_chat_template(turns, tools=self._tools, tokenize=False))

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
