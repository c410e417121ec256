"""One computation at a time: a fair queue for everything that runs the models.

A request waits in the order of its arrival; a long job lets others go first between two batches.
Work that nobody waits for any more is stopped at its next step.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from assistant.server.problems import Problem

Result = TypeVar("Result")

MAX_WAITING = 16
"""Requests that may wait for their turn; further ones are told to come back."""

_LOOK_EVERY_S = 0.25


class Cancelled(Exception):
    """Nobody waits for the result any more."""


class Turns:
    """A fair lock between threads: turns are given in the order in which they were asked for."""

    def __init__(self) -> None:
        self._books = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @contextlib.contextmanager
    def taken(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Hold the turn. Raises Cancelled if `stop` is set before it comes."""
        self._take(stop)
        try:
            yield
        finally:
            self._pass_on()

    @property
    def is_waited_for(self) -> bool:
        """Whether anyone waits for the turn."""
        with self._books:
            return bool(self._waiting)

    def give_way(self) -> None:
        """Let everyone who waits go first; called by the holder of the turn."""
        if self.is_waited_for:
            self._pass_on()
            self._take(None)

    def _take(self, stop: threading.Event | None) -> None:
        mine = threading.Event()
        with self._books:
            if not self._taken:
                self._taken = True
                return
            self._waiting.append(mine)
        while not mine.wait(_LOOK_EVERY_S if stop else None):
            if stop is not None and stop.is_set():
                with self._books:
                    if not mine.is_set():
                        self._waiting.remove(mine)
                        raise Cancelled
        if stop is not None and stop.is_set():
            self._pass_on()
            raise Cancelled

    def _pass_on(self) -> None:
        with self._books:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class ModelLane:
    """Runs work of requests in threads, one at a time, and stops it when the client leaves."""

    def __init__(self, turns: Turns | None = None, *, max_waiting: int = MAX_WAITING) -> None:
        self.turns = turns or Turns()
        self._max_waiting, self._admitted = max_waiting, 0
        self._threads = anyio.CapacityLimiter(max_waiting + 1)

    async def run(
        self, work: Callable[[threading.Event], Result], *, request: Request | None = None
    ) -> Result:
        """The result of `work`, which gets an event that says whether to stop.

        Raises Problem (503) if too many wait already, and Cancelled if the client has left.
        """
        if self._admitted > self._max_waiting:
            raise Problem(
                503, "too many requests wait for the models: try again in 10 s",
                headers={"Retry-After": "10"},
            )  # fmt: skip
        stop = threading.Event()

        def in_turn() -> Result:
            with self.turns.taken(stop):
                return work(stop)

        self._admitted += 1
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, request, stop)
                try:
                    # In a thread that cannot be interrupted: `stop` asks it to end.
                    with anyio.CancelScope(shield=True):
                        result = await anyio.to_thread.run_sync(in_turn, limiter=self._threads)
                finally:
                    tasks.cancel_scope.cancel()
            return result
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._admitted -= 1


async def _watch(request: Request | None, stop: threading.Event) -> None:
    """Set `stop` when the client has left, or when the server ends the request."""
    try:
        while request is None or not await request.is_disconnected():
            await anyio.sleep(_LOOK_EVERY_S)
    finally:
        stop.set()


def check(stop: threading.Event) -> None:
    """Raise Cancelled if `stop` is set; called between two steps of a computation."""
    if stop.is_set():
        raise Cancelled
