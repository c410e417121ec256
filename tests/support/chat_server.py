"""Serve the chat page in a process, for tests: `python -m tests.support.chat_server HOME MODEL`.

MODEL is "scripted", "stubborn" (always looks at H1), or a value of the settings. Prints the page's
address and serves until its input ends. It is a process because a server needs sockets, which tests
may not open.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk

from assistant.library_environment import harden_library_environment
from assistant.settings import Settings
from prompts.phrases import ABILITIES
from tests.support.scripted_model import ScriptedModel, tool_call_reply

SLOW_QUESTION = "Tell me everything at length"
"""This question gets an answer slow enough to be stopped."""


class SlowModel(ScriptedModel):
    """Streams word by word, like a model on a laptop."""

    pause_s: float = 0.02

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._stream(*args, **kwargs):
            time.sleep(self.pause_s)
            yield chunk


def reply(messages: list[BaseMessage]) -> str | AIMessage:
    """The scripted model's reply to the latest message."""
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return _of_a_result(last)
    asked = last.text.strip() if isinstance(last, HumanMessage) else ""
    photos = [handle for handle in ("Q1", "Q2", "Q3") if f"{handle}:" in _all_text(messages)]
    if "fakes" in asked:
        if not photos:
            return "Please give me a photo of the person first."
        return tool_call_reply(("find_person", {"photos": photos}))
    if "an impersonation" in asked or "sure" in asked:
        return tool_call_reply(("score_fake", {"image": _hit_in(asked)}))
    if "look forged" in asked:
        return tool_call_reply(("locate_artifacts", {"image": _hit_in(asked)}))
    if SLOW_QUESTION in asked:
        return "I can search the gallery. " * 400
    return ABILITIES


def _of_a_result(result: ToolMessage) -> str:
    if result.name == "find_person":
        return "I searched the gallery: [S1], and [S2]. [H1.verdict]: [H1.P1], and [H1.P2]."
    if result.name == "score_fake":
        return "[H1.E1], and [H1.E2]."
    return "[H1.regions]."


def stubborn(messages: list[BaseMessage]) -> str | AIMessage:
    """A model that treats every hit as the first, and searches for three."""
    last = messages[-1]
    if isinstance(last, HumanMessage) and "fakes" in last.text:
        return tool_call_reply(("find_person", {"photos": ["Q1"], "top": 3}))
    if isinstance(last, ToolMessage) and last.name == "find_person":
        return "I compared [S1] faces."
    return "H1 shows the same person [H1.E1], and its forgery score is high [H1.E2]."


def _hit_in(text: str) -> str:
    return next(word.strip("?.") for word in text.split() if word.startswith("H"))


def _all_text(messages: list[BaseMessage]) -> str:
    return " ".join(message.text for message in messages if isinstance(message, HumanMessage))


def main(home: Path, name: str) -> None:
    """Serve a page over a data folder until the input ends."""
    harden_library_environment()
    settings = Settings(home=home, port=0, threads=1, folders=(home / "collection",), vlm=name)

    from assistant.chat.serving import build_app
    from assistant.chat_model.choice import load_chat_model

    script = {"scripted": reply, "stubborn": stubborn}.get(name)
    model = SlowModel(replies=[script] * 1000) if script else load_chat_model(settings)
    page, options = build_app(settings, model=model)
    _, address, _ = page.launch(**options, prevent_thread_lock=True, quiet=True)
    print(address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
