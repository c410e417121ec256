"""Decoder processes: started when first needed, reused, and replaced when they die."""

import atexit
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tools.media.decoder_process.limits import cpu_limit_s
from tools.media.decoder_process.messages import Closed, receive, send
from tools.media.skip_reasons import UnreadableImage

SILENCE_S = 120.0
"""Seconds of wall time without an answer, beside the processor time allowed, after which a process
is stopped: it waits for a disk, or the machine is too busy."""

_MOST_IDLE = 4
_PIPE_BYTES = 1024 * 1024
# The folder from which the person works may hold files called like modules: -P keeps them out.
_CHILD = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from tools.media.decoder_process.child import answer_parent; answer_parent()"
)

Answer = tuple[dict[str, Any], bytearray]


class DecoderPool:
    """Processes that run functions of our modules over bytes that a stranger chose.

    A function is named `module:name`; it takes the bytes and keyword arguments that JSON can hold,
    and yields (JSON object, bytes) pairs. Threads may share a pool. A decoder process itself
    `runs_here`: what it calls needs no further process.
    """

    def __init__(self) -> None:
        self.runs_here = False
        self._idle: list[_Decoder] = []
        self._turn = threading.Lock()

    def stream(
        self,
        function: str,
        data: bytes = b"",
        *,
        arguments: Mapping[str, Any] | None = None,
        renewed: bool = False,
    ) -> Iterator[Answer]:
        """What the function yields, one by one. Raises UnreadableImage, as the function does.

        If the process dies, that says "too slow" when its processor time was used up, "damaged"
        when the decoder crashed. The limit of that time is for all answers together, or `renewed`
        for each.
        """
        if self.runs_here:
            module, name = function.split(":")
            yield from getattr(importlib.import_module(module), name)(data, **(arguments or {}))
            return
        arguments = dict(arguments or {})
        seconds = cpu_limit_s(len(data) or _size(arguments.get("path")))
        decoder = self._take()
        finished = False
        try:
            request = {"function": function, "arguments": arguments, "renewed": renewed}
            decoder.begin({**request, "cpu_s": seconds}, data)
            while True:
                header, body = decoder.answer()
                if "answer" not in header:
                    finished = True
                    break
                yield header["answer"], body
        finally:
            if finished:
                self._give_back(decoder)
            else:
                decoder.stop()
        if "reason" in header:
            raise UnreadableImage(str(header["reason"]), str(header["detail"]))

    def call(
        self, function: str, data: bytes = b"", *, arguments: Mapping[str, Any] | None = None
    ) -> Answer:
        """What a function yields that yields once."""
        (only,) = self.stream(function, data, arguments=arguments)
        return only

    def close(self) -> None:
        """Stop the idle processes."""
        with self._turn:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.stop()

    def _take(self) -> "_Decoder":
        with self._turn:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.is_usable:
                    return decoder
                decoder.stop()
        return _Decoder()

    def _give_back(self, decoder: "_Decoder") -> None:
        with self._turn:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(decoder)
                return
        decoder.stop()


class _Decoder:
    """One process."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-c", _CHILD, str(Path(__file__).parents[3])]
        try:
            self._child = subprocess.Popen(
                command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise UnreadableImage("unreadable", error.strerror or str(error)) from error
        self._parent, self._cpu_s = os.getpid(), 0
        assert self._child.stdin is not None and self._child.stdout is not None  # noqa: S101
        self._requests, self._answers = self._child.stdin, self._child.stdout
        _widen(self._requests)
        _widen(self._answers)

    @property
    def is_usable(self) -> bool:
        """Whether it lives and is this process's own, not a copy after a fork."""
        return self._parent == os.getpid() and self._child.poll() is None

    def begin(self, header: Mapping[str, Any], data: bytes) -> None:
        self._cpu_s = int(header["cpu_s"])
        try:
            send(self._requests, header, data)
        except OSError as error:
            raise self._death() from error

    def answer(self) -> Answer:
        patience_s = SILENCE_S + 4 * self._cpu_s
        if not _readable(self._answers, patience_s):
            self.stop()
            raise UnreadableImage("too slow", f"no answer for {patience_s:.0f} s")
        try:
            return receive(self._answers)
        except Closed as error:
            raise self._death() from error

    def _death(self) -> UnreadableImage:
        self._close()
        try:
            status = self._child.wait(SILENCE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            status = self._child.wait()
        if sys.platform != "win32" and -status == signal.SIGXCPU:
            return UnreadableImage("too slow", f"more than {self._cpu_s} s of processor time")
        if sys.platform != "win32" and -status == signal.SIGKILL:
            return UnreadableImage("unreadable", "the system ended its decoder")
        return UnreadableImage("damaged", "its decoder crashed")

    def stop(self) -> None:
        if self._parent != os.getpid():
            return
        self._close()
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    def _close(self) -> None:
        for pipe in (self._requests, self._answers):
            try:
                pipe.close()
            except OSError:  # what it did not read is lost with it
                continue


def _size(path: object) -> int:
    try:
        return Path(path).stat().st_size if isinstance(path, str) else 0
    except OSError:
        return 0


def _readable(pipe: IO[bytes], seconds: float) -> bool:
    """Wait until a pipe can be read or is closed."""
    if sys.platform == "win32":  # pipes cannot be waited for there
        return True
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN | select.POLLHUP)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if waiting.poll(left * 1000):
            return True
    return False


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, so that megabytes need fewer turns; where the system can."""
    if sys.platform != "linux":
        return
    import fcntl

    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:  # the user's limit for all pipes together
        return


POOL = DecoderPool()
"""The pool of this process."""

atexit.register(POOL.close)
