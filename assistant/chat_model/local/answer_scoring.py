"""Score a chat model's answers about a picture by the probability of the first token.

The probabilities are read after the chat template in one forward pass per picture, so they do not
depend on the rest of the answer (arXiv 2507.22469). Local models return the probabilities of all
tokens; servers return those of the likeliest few, if any.
"""

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from langchain_core.messages import AIMessage, HumanMessage
from PIL import Image

from assistant.chat_model.local.chat_template import prompt_inputs
from assistant.chat_model.local.loading import LoadedCheckpoint
from assistant.chat_model.local.model import LocalVLM
from assistant.chat_model.served.errors import ChatServerError
from assistant.chat_model.served.model import ServedVLM

TOP_LOGPROBS = 20
"""Number of likeliest tokens whose probability a server should return; the protocol's maximum."""

# Statuses of servers that take no pictures, or return no probabilities: 500 is llama.cpp's.
_DOES_NOT_KNOW = {400, 415, 422, 500, 501}


@dataclass(frozen=True, slots=True, eq=False)
class AnswerLogOdds:
    """Log-odds for n pictures: `log_odds` (n,) float64, log p(one answer) - log p(the other).

    `share` (n,) float64 in 0..1 is p(one) + p(other): near 0 the model would answer something
    different, and the odds mean little. Both are NaN if the model sees no pictures or neither
    answer is found.
    """

    log_odds: np.ndarray
    share: np.ndarray

    @classmethod
    def none(cls, count: int) -> "AnswerLogOdds":
        """The result for `count` pictures without an answer: all NaN."""
        return cls(np.full(count, np.nan), np.full(count, np.nan))


class AnswerScorer(Protocol):
    """Scores the answers of one model."""

    def odds(
        self, pictures: Sequence[np.ndarray], text: str, *, one: Sequence[str], other: Sequence[str]
    ) -> AnswerLogOdds:
        """Score pictures (h, w, 3) uint8 RGB; `one` and `other` are lower-case answer words."""


def answer_scorer(model: Any) -> AnswerScorer | None:
    """The scorer for a chat model; None for a kind that returns no probabilities."""
    if isinstance(model, LocalVLM):
        return LocalAnswerScorer(model.checkpoint, model.batch_limit)
    return ServedAnswerScorer(model) if isinstance(model, ServedVLM) else None


@dataclass(frozen=True)
class LocalAnswerScorer:
    """Scores a local checkpoint, `batch` pictures at a time."""

    checkpoint: LoadedCheckpoint
    batch: int = 8

    def odds(
        self, pictures: Sequence[np.ndarray], text: str, *, one: Sequence[str], other: Sequence[str]
    ) -> AnswerLogOdds:
        """See `AnswerScorer`; NaN for a model whose processor takes no pictures."""
        answers = self.tokens(one), self.tokens(other)
        ids = [sorted(mine - theirs) for mine, theirs in (answers, answers[::-1])]
        sees = hasattr(self.checkpoint.processor, "image_processor")
        if not pictures or not sees or not all(ids):
            return AnswerLogOdds.none(len(pictures))
        starts = range(0, len(pictures), self.batch)
        parts = [self._first(pictures[at : at + self.batch], text) for at in starts]
        chances = torch.cat(parts).double()
        mine, theirs = (torch.logsumexp(chances[:, tokens], dim=1) for tokens in ids)
        share = torch.logaddexp(mine, theirs).exp()
        return AnswerLogOdds((mine - theirs).numpy(), share.numpy())

    def tokens(self, words: Sequence[str]) -> frozenset[int]:
        """First tokens of all spellings of the words: capitals, spaces before and after.

        For a word that is no single token, the first tokens of its spellings.
        """
        found = [self._texts_by_word.get(word) or self._beginnings(word) for word in words]
        return frozenset().union(*found)

    @cached_property
    def _texts_by_word(self) -> Mapping[str, frozenset[int]]:
        tokenizer = self.checkpoint.tokenizer
        texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        by_word: dict[str, set[int]] = {}
        for token, text in enumerate(texts):
            by_word.setdefault(text.strip().casefold(), set()).add(token)
        return {word: frozenset(tokens) for word, tokens in by_word.items() if word}

    def _beginnings(self, word: str) -> frozenset[int]:
        tokenizer = self.checkpoint.tokenizer
        spellings = (word, word.capitalize(), word.upper())
        firsts = {
            tokenizer.encode(before + spelling, add_special_tokens=False)[0]
            for spelling in spellings
            for before in ("", " ")
        }
        # A space alone begins any word.
        return frozenset(token for token in firsts if tokenizer.decode([token]).strip())

    def _first(self, pictures: Sequence[np.ndarray], text: str) -> torch.Tensor:
        """Log-probabilities (n, vocabulary) of the first token of a text answer, on the CPU.

        As in the chat without tools, tokens that no answer may hold are excluded.
        """
        checkpoint = self.checkpoint
        turns = [[_asked(Image.fromarray(picture), text)] for picture in pictures]
        inputs = prompt_inputs(checkpoint.processor, turns, checkpoint.habits)
        with checkpoint.lock, torch.inference_mode():
            told = checkpoint.model.generate(
                **inputs.to(checkpoint.model.device),
                max_new_tokens=1,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=checkpoint.tokenizer.pad_token_id or checkpoint.stop_ids[0],
                output_logits=True,
                return_dict_in_generate=True,
            )
        logits = told.logits[0].to("cpu", torch.float32, copy=True)
        logits[:, [*checkpoint.suppressed_ids]] = -math.inf
        if checkpoint.tool_call_open_id is not None:
            logits[:, checkpoint.tool_call_open_id] = -math.inf
        chances: torch.Tensor = logits.log_softmax(dim=-1)
        return chances


def _asked(picture: Any, text: str) -> dict[str, Any]:
    content = [{"type": "image", "image": picture}, {"type": "text", "text": text}]
    return {"role": "user", "content": content}


@dataclass(frozen=True)
class ServedAnswerScorer:
    """Scores a served model: one request per picture, after two that test whether it sees any."""

    model: ServedVLM

    def odds(
        self, pictures: Sequence[np.ndarray], text: str, *, one: Sequence[str], other: Sequence[str]
    ) -> AnswerLogOdds:
        """See `AnswerScorer`. An answer outside the likeliest tokens counts as the last of them.

        So log-odds of very sure models are bounds, limited by the length of the server's list.
        """
        if not pictures or not self.sees:
            return AnswerLogOdds.none(len(pictures))
        rows = [_odds_among(self._told(picture, text), one, other) for picture in pictures]
        return AnswerLogOdds(*np.array(rows, np.float64).T)

    @cached_property
    def sees(self) -> bool:
        """Whether another picture changes the probabilities; False if the server returns none."""
        rng = np.random.default_rng(0)
        blocks = rng.integers(0, 256, (2, 7, 7, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
        first, second = (self._told(picture, "Describe.") for picture in blocks)
        return bool(first) and first != second

    def _told(self, picture: np.ndarray, text: str) -> dict[str, float]:
        """Log-probabilities of the likeliest first tokens; empty if the server returns none."""
        content: list[str | dict[Any, Any]] = [_block(picture), {"type": "text", "text": text}]
        asked = self.model.bind(logprobs=True, top_logprobs=TOP_LOGPROBS, max_tokens=1)
        try:
            answer = asked.invoke([HumanMessage(content)])
        except ChatServerError as error:
            if error.status not in _DOES_NOT_KNOW:
                raise
            return {}
        return dict(_likeliest(answer))


def _likeliest(answer: AIMessage) -> Iterator[tuple[str, float]]:
    told = answer.response_metadata.get("logprobs") or {}
    for first in (told.get("content") or [])[:1]:
        for token in first.get("top_logprobs") or []:
            yield token["token"], float(token["logprob"])


def _odds_among(
    told: Mapping[str, float], one: Sequence[str], other: Sequence[str]
) -> tuple[float, float]:
    """Log-odds and share of two answers among the returned tokens; NaN if neither is among them."""
    chances = [
        [chance for token, chance in told.items() if token.strip().casefold() in words]
        for words in (one, other)
    ]
    if not any(chances):
        return math.nan, math.nan
    last = min(told.values())
    mine, theirs = (float(np.logaddexp.reduce(found)) if found else last for found in chances)
    share = sum(math.exp(chance) for found in chances for chance in found)
    return mine - theirs, min(share, 1.0)


def _block(picture: np.ndarray) -> dict[str, str]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"type": "image", "base64": encoded, "mime_type": "image/png"}
