"""The decoder process: answers requests within limits of memory and processor time, or dies.

It cannot write files, and leaves no core file. Its standard output carries messages only, and what
libraries print about damaged files goes nowhere: it could hold names.
"""

import gc
import importlib
import os
from collections.abc import Iterator
from typing import IO, Any

from tools.media.decoder_process.limits import (
    CPU_S_PER_ANSWER,
    TOO_MUCH_MEMORY,
    limit_cpu,
    limit_memory_and_files,
    used_cpu_s,
)
from tools.media.decoder_process.messages import Closed, receive, send
from tools.media.decoder_process.pool import POOL
from tools.media.skip_reasons import UnreadableImage


def answer_parent() -> None:
    """Read requests from standard input until it closes."""
    with os.fdopen(os.dup(1), "wb", 0) as answers, os.fdopen(0, "rb", 0, closefd=False) as requests:
        _silence()
        POOL.runs_here = True
        limit_memory_and_files()
        while True:
            try:
                header, data = receive(requests)
                _answer(header, bytes(data), answers)
            except (Closed, BrokenPipeError):
                return


def _answer(header: dict[str, Any], data: bytes, answers: IO[bytes]) -> None:
    module, name = header["function"].split(":")
    try:
        limit = header["cpu_s"]
        until_s = limit_cpu(limit)
        function = getattr(importlib.import_module(module), name)
        found: Iterator[tuple[dict[str, Any], memoryview]] = function(data, **header["arguments"])
        for answer, body in found:
            send(answers, {"answer": answer}, body)
            until_s = limit_cpu(limit) if header["renewed"] else until_s + CPU_S_PER_ANSWER
            limit_cpu(until_s - used_cpu_s())
        send(answers, {"end": True})
    except UnreadableImage as error:
        send(answers, _refusal(error.reason, error.detail))
    except MemoryError:
        send(answers, _refusal("unreadable", "out of memory"))
    if "path" in header["arguments"]:
        gc.collect()  # containers of videos lie in cycles, and keep threads and frames


def _refusal(reason: str, detail: str) -> dict[str, Any]:
    if reason == "unreadable" and "out of memory" in detail:
        reason, detail = "too large", TOO_MUCH_MEMORY
    return {"reason": reason, "detail": detail}


def _silence() -> None:
    import warnings

    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
