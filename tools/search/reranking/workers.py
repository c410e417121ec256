"""Run batches in parallel, each on one core, and yield their results in order.

Small networks gain little from splitting one picture over several cores, and where other programs
are busy, the cores would wait for each other at every operator.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def map_on_cores(work: Callable[[Batch], Result], batches: Sequence[Batch]) -> Iterator[Result]:
    """The results of `work` in the order of the batches, as soon as they are there.

    Uses as many cores as PyTorch may. An error of a batch is raised in its place; those that were
    not started are dropped.
    """
    workers = min(_cores(), len(batches))
    if workers < 2:
        yield from map(work, batches)
        return
    with _one_thread_per_operator():
        pool = ThreadPoolExecutor(workers, "closer-look", initializer=_use_one_core)
        try:
            yield from pool.map(work, batches)
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else os.cpu_count() or 1


@contextmanager
def _one_thread_per_operator() -> Iterator[None]:
    """OpenCV's and PyTorch's numbers of threads belong to the process: restored at the end."""
    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else 1
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        if torch:
            torch.set_num_threads(before[1])


def _use_one_core() -> None:
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)  # for this thread and threads started until it is reset
