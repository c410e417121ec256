"""Wait for a chat server in a thread: stream its output, report silence, hang up on request.

The caller can stop at any moment, also while nothing arrives. Hanging up closes the call's
connections: the server notices and need not continue.
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
"""Seconds between reports of silence: the longest delay before a stop takes effect."""

_OPENED = (".connect_tcp.complete", ".start_tls.complete")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Silence:
    """The server has sent nothing for `seconds`; `server` is its address as shown in messages."""

    server: str
    seconds: float


class Line:
    """The connections of one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._cut = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Handle events of an HTTP client's `trace` extension."""
        if event.endswith(_OPENED):
            opened = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.append(opened)
                if self._cut:
                    _shut(opened)

    def cut(self) -> None:
        """Close the connections, including those still being opened."""
        with self._lock:
            self._cut = True
            for each in self._sockets:
                _shut(each)


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended already
        opened.shutdown(socket.SHUT_RDWR)


_LINE: ContextVar[Line | None] = ContextVar("line", default=None)


def line() -> Line | None:
    """The line of this thread's current call, if it can be hung up."""
    return _LINE.get()


def heard(begin: Callable[[], Iterator[T]], *, server: str) -> Iterator[T | Silence]:
    """Yield the output of a call to a server, with `Silence` while nothing arrives.

    Closing the iterator hangs up. Exceptions of the call are raised here.
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
