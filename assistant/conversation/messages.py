"""Chat messages: turn typed steps into the prompt that a chat model reads.

The pocket model is trained on exactly these messages, so a change here requires retraining it.
Pictures are at most `PICTURE_SIDE_PX` large; each checkpoint's processor resizes them further.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

import prompts
from assistant.conversation.quotations import strip_quotations
from assistant.conversation.steps import (
    CheckedSentence,
    Failed,
    ModelText,
    Step,
    Stopped,
    ToolCall,
    ToolContent,
    ToolResult,
    UserTurn,
    join_sentences,
)
from tools.errors import ToolError

PICTURE_SIDE_PX = 224
"""Longest side of a picture in a prompt, in px."""

CONTEXT_BUDGET_CHARS = 24_000
"""Characters of a conversation, without pictures, above which its oldest parts are shortened."""

_SHORTENED = json.dumps({"note": "shortened; call the tool again"})
_UNANSWERED = json.dumps({"error": "the turn ended before this tool answered"})
_ENDINGS = {Stopped: "I stopped.", Failed: "An error ended this turn."}
_PLAIN_ONLY = "I gave the measured facts."

ContentBlock = dict[Any, Any]


class PromptImages(Protocol):
    """The source of a conversation's pictures; the pictures of a workspace are one."""

    def pixels(self, handle: str) -> np.ndarray:
        """The picture behind a handle: (h, w, 3) uint8 RGB."""

    def aligned(self, handle: str, size: int) -> np.ndarray:
        """Its face, upright and aligned: (size, size, 3) uint8 RGB."""


def conversation_messages(
    steps: Sequence[Step], pictures: PromptImages, *, budget: int = CONTEXT_BUDGET_CHARS
) -> list[BaseMessage]:
    """The prompt for the model's next message: the system prompt and the conversation so far.

    Beyond `budget` characters the oldest tool results are shortened first, then the oldest turns
    are left out; the latest turn stays whole.
    """
    turns = _turns(steps)
    messages = [list(_messages(turn, pictures)) for turn in turns]
    _shorten(messages, budget)
    return [SystemMessage(prompts.text("assistant")), *(each for turn in messages for each in turn)]


def explanation_messages(
    pictures: PromptImages, *, hit: str, photo: str, evidence: str
) -> list[BaseMessage]:
    """The prompt for a hit's explanation: query face, the hit's face and the hit's facts.

    `evidence` is the text that `score_fake` returns for the hit.
    """
    blocks: list[str | ContentBlock] = []
    for handle in (photo, hit):
        blocks += [
            _text(f"{handle}:"),
            image_content_block(pictures.aligned(handle, PICTURE_SIDE_PX)),
        ]
    blocks.append(_text(prompts.text("explanation", hit=hit, evidence=evidence)))
    return [SystemMessage(prompts.text("assistant")), HumanMessage(blocks)]


def repair_messages(
    asked: Sequence[BaseMessage], draft: str, *, sentence: str, finding: str
) -> list[BaseMessage]:
    """The prompt to rewrite one refused sentence of a draft."""
    again = prompts.text("repair", sentence=sentence, finding=finding)
    return [*asked, AIMessage(draft), HumanMessage(again)]


def user_message(turn: UserTurn, pictures: PromptImages) -> HumanMessage:
    """The user's text, after the attached photos, each under its handle.

    Quoted words of other people are left out: see `quotations`.
    """
    blocks: list[str | ContentBlock] = []
    for handle in turn.photos:
        blocks += [_text(f"{handle}:"), _photo_block(pictures, handle)]
    return HumanMessage([*blocks, _text(strip_quotations(turn.text))])


def _photo_block(pictures: PromptImages, handle: str) -> ContentBlock:
    """A query photo; if its file is gone, the conversation continues without it."""
    try:
        return image_content_block(pictures.pixels(handle))
    except ToolError:
        return _text("(the file of this photo is gone)")


def image_content_block(pixels: np.ndarray, *, side: int = PICTURE_SIDE_PX) -> ContentBlock:
    """A picture as a content block: JPEG, at most `side` px, without metadata."""
    scale = side / max(pixels.shape[:2])
    if scale < 1:
        size = [max(1, round(edge * scale)) for edge in (pixels.shape[1], pixels.shape[0])]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"no JPEG can be made of {pixels.shape}")
    encoded = base64.b64encode(data.tobytes()).decode("ascii")
    return {"type": "image", "base64": encoded, "mime_type": "image/jpeg"}


def _text(text: str) -> ContentBlock:
    return {"type": "text", "text": text}


def _turns(steps: Sequence[Step]) -> list[list[Step]]:
    """Group steps by turn; a turn begins with a user's message."""
    turns: list[list[Step]] = []
    for step in steps:
        if isinstance(step, UserTurn) or not turns:
            turns.append([])
        turns[-1].append(step)
    return turns


def _messages(turn: Sequence[Step], pictures: PromptImages) -> Iterator[BaseMessage]:
    """The messages of one turn; the model's text and its tool calls form one message."""
    said, calls = "", list[ToolCall]()
    open_calls: dict[str, ToolCall] = {}
    for step in turn:
        if calls and not isinstance(step, ToolCall):
            yield _request(said, calls)
            open_calls |= {call.id: call for call in calls}
            said, calls = "", []
        match step:
            case UserTurn():
                yield user_message(step, pictures)
            case ModelText():
                said = _history_text(step.sentences)
            case ToolCall():
                calls.append(step)
            case ToolResult():
                open_calls.pop(step.call_id, None)
                yield _result(step.call_id, step.name, step.content)
            case Stopped() | Failed():
                said = _ENDINGS[type(step)]
    if calls:
        yield _request(said, calls)
        said = ""
        open_calls |= {call.id: call for call in calls}
    yield from (_result(call.id, call.name, _UNANSWERED) for call in open_calls.values())
    if said:
        yield AIMessage(said)


def _history_text(sentences: tuple[CheckedSentence, ...]) -> str:
    """The model's own words: it must not learn to type numbers, as the plain writer does."""
    own = tuple(sentence for sentence in sentences if sentence.source == "model")
    return join_sentences(own) or _PLAIN_ONLY


def _request(said: str, calls: Sequence[ToolCall]) -> AIMessage:
    asked = [
        {"name": call.name, "args": dict(call.arguments), "id": call.id, "type": "tool_call"}
        for call in calls
    ]
    return AIMessage(said, tool_calls=asked)


def _result(call_id: str, name: str, content: ToolContent) -> ToolMessage:
    return ToolMessage(content, tool_call_id=call_id, name=name)  # type: ignore[arg-type]


def _shorten(turns: list[list[BaseMessage]], budget: int) -> None:
    """Shorten the turns to fit the budget, oldest first; the last one is never changed."""
    for turn in turns[:-1]:
        for place, message in enumerate(turn):
            if _size(turns) <= budget:
                return
            if isinstance(message, ToolMessage):
                turn[place] = _result(message.tool_call_id, message.name or "", _SHORTENED)
    while len(turns) > 1 and _size(turns) > budget:
        del turns[0]


def _size(turns: Sequence[Sequence[BaseMessage]]) -> int:
    return sum(len(message.text) for turn in turns for message in turn)
