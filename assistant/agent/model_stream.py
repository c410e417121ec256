"""A model's answer as it streams: pieces of text, silence of a server, and a stop at any token."""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

from assistant.conversation.server_wait import Silence

WAITING_AFTER_S = 3
"""Seconds of silence after which the user sees that the chat server is being waited for. Models on
a fast machine answer sooner."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of streamed text, not yet checked."""

    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The chat server at address `server` has sent nothing for `seconds` whole seconds."""

    server: str
    seconds: int


Passing = TextDelta | Waiting
"""Events shown while a step is being made; they are not recorded."""


class TurnCancelled(Exception):
    """The user stopped the turn."""


@dataclass(frozen=True, slots=True)
class ModelStream:
    """Requests to `model`, which end with TurnCancelled as soon as `stopping` is set."""

    model: BaseChatModel
    stopping: threading.Event

    def message(
        self, bound: Runnable[LanguageModelInput, AIMessage], asked: list[BaseMessage]
    ) -> Generator[Passing, None, AIMessage]:
        """Stream the next message of the model as `bound`: yields its text, returns it whole."""
        whole: Any = None
        stream, waited = self._heard(lambda: iter(bound.stream(asked))), 0
        try:
            for chunk in stream:
                if self.stopping.is_set():
                    raise TurnCancelled
                if isinstance(chunk, Silence):
                    before, waited = waited, int(chunk.seconds)
                    if waited >= WAITING_AFTER_S and waited != before:
                        yield Waiting(chunk.server, waited)
                    continue
                whole = chunk if whole is None else whole + chunk
                if chunk.text:
                    yield TextDelta(chunk.text)
        finally:
            # Closing it ends the generation at once; the garbage collector would do so some time
            # later.
            getattr(stream, "close", lambda: None)()
        return whole if whole is not None else AIMessage("")

    def texts(self, call: Callable[[], list[str]]) -> list[str]:
        """The result of a call to the model."""
        hearing = self._heard(lambda: iter((call(),)))
        answers: list[str] = []
        try:
            for each in hearing:
                if self.stopping.is_set():
                    raise TurnCancelled
                answers = answers if isinstance(each, Silence) else each
        finally:
            getattr(hearing, "close", lambda: None)()
        return answers

    def _heard(self, begin: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Yield a model call's output; a served model adds `Silence`, during which to stop."""
        listen = getattr(self.model, "heard", None)
        return begin() if listen is None else listen(begin)
