"""Listens to a chat server: what it sends arrives as it comes, silence is told, leaving hangs up.

A thread waits for the server, so that whoever asked can stop at any moment, also while nothing
comes. Hanging up closes the call's connections: the server sees it and need not go on.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

POLL_S = 0.2
"""How often silence is told: the longest that a wish to stop waits."""

_OPENED = (".connect_tcp.complete", ".start_tls.complete")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came from a server for so long; `server` is its address, as messages have it."""

    server: str
    seconds: float


class Line:
    """The connections of one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._cut = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """What an HTTP client does, as it tells its `trace` extension."""
        if event.endswith(_OPENED):
            opened = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.append(opened)
                if self._cut:
                    _shut(opened)

    def cut(self) -> None:
        """End the connections, and every one that is still being made."""
        with self._lock:
            self._cut = True
            for each in self._sockets:
                _shut(each)


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended already
        opened.shutdown(socket.SHUT_RDWR)


_LINE: ContextVar[Line | None] = ContextVar("line", default=None)


def line() -> Line | None:
    """The line of the call that this thread makes, if somebody may hang up on it."""
    return _LINE.get()


def heard(begin: Callable[[], Iterator[T]], *, server: str) -> Iterator[T | Silence]:
    """What a call to a server yields, with `Silence` while nothing comes.

    Closing the iterator hangs up. Whatever the call raises is raised here.
    """
    calling, arrived = Line(), queue.SimpleQueue[T | Line]()

    def listen() -> None:
        _LINE.set(calling)
        try:
            for each in begin():
                arrived.put(each)
        finally:
            arrived.put(calling)  # the line itself: nothing more comes

    executor = ThreadPoolExecutor(1, thread_name_prefix="listening")
    ended = executor.submit(copy_context().run, listen)
    executor.shutdown(wait=False)
    since = time.monotonic()
    try:
        while True:
            try:
                each = arrived.get(timeout=POLL_S)
            except queue.Empty:
                yield Silence(server, time.monotonic() - since)
                continue
            if isinstance(each, Line):
                ended.result()
                return
            since = time.monotonic()
            yield each
    finally:
        calling.cut()
