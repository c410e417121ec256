"""How much more processor time does a search take beside other work than alone?

The demo's gallery is searched for its person, with the networks loaded and the closer look not
known from before, in three situations: *idle* (one process), *neighbour* (beside a process that
never rests), *four* (four processes that search at the same moment, each with a gallery of its
own). Situations alternate, so that other work on the machine affects all of them. Figures are
medians of processor and wall time over rounds; ratios are of each round to its idle search, with
the range of the rounds. `--limit` sets the rounds (5 without it).

Threads are what the application chooses: `threads` has the settings in force.

Does not show: more cores; searches within one server, which run one at a time (suite `soak`).
"""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from assistant.demo import DEMO_GALLERY, write_demo_images
from assistant.investigation import Unmask
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.suites.performance.search_speed import forget_measured

ROUNDS, TOGETHER = 5, 4
_ENVIRONMENT = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME", "OPENBLAS_NUM_THREADS",
                "MKL_NUM_THREADS")  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchCost:
    """Seconds of one search: processor time of its process, and wall time."""

    cpu_s: float
    wall_s: float


def run(options: EvalOptions) -> dict[str, object]:
    """Search alone and beside other work, in turns."""
    costs: dict[str, list[list[SearchCost]]] = {"idle": [], "neighbour": [], "four": []}
    with TemporaryDirectory() as name, ExitStack() as stack:
        searchers = [
            stack.enter_context(Searcher(Path(name) / str(number))) for number in range(TOGETHER)
        ]
        threads = searchers[0].threads
        rounds = options.limit or ROUNDS
        for number in range(rounds):
            options.progress(number, rounds, "rounds")
            costs["idle"].append(search_together(searchers[:1]))
            with busy_neighbour():
                costs["neighbour"].append(search_together(searchers[:1]))
            costs["four"].append(search_together(searchers))
    load = os.getloadavg()[0]
    return {"rounds": rounds, "cores": os.cpu_count(), "load average at the end": load,
            "threads": threads, **load_figures(costs)}  # fmt: skip


def load_figures(costs: dict[str, list[list[SearchCost]]]) -> dict[str, object]:
    """Medians of each situation, and the ratios of its rounds to the idle search."""
    idle = [median(it.cpu_s for it in each) for each in costs["idle"]]
    found: dict[str, object] = {}
    for situation, rounds in costs.items():
        cpu = [median(it.cpu_s for it in each) for each in rounds]
        ratios = sorted(one / alone for one, alone in zip(cpu, idle, strict=True))
        found[situation] = {
            "cpu_s": median(cpu),
            "wall_s": median(it.wall_s for each in rounds for it in each),
            "cpu_over_idle": median(ratios),
            "cpu_over_idle_least": ratios[0],
            "cpu_over_idle_most": ratios[-1],
        }
    return found


class Searcher:
    """A child process that searches the demo's gallery when it is told to."""

    def __init__(self, home: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._child = context.Process(target=_serve, args=(home, theirs))
        self._child.start()
        theirs.close()  # so that a dead child is detected instead of waited for
        self.threads: dict[str, Any] = {}

    def __enter__(self) -> "Searcher":
        self.threads = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._child.join()

    def begin(self) -> None:
        """Start a search."""
        self._ours.send("search")

    def cost(self) -> SearchCost:
        """Wait for the end of the search."""
        return SearchCost(*self._ours.recv())


def search_together(searchers: Sequence[Searcher]) -> list[SearchCost]:
    """One search of each, all begun at the same moment."""
    for searcher in searchers:
        searcher.begin()
    return [searcher.cost() for searcher in searchers]


@contextmanager
def busy_neighbour() -> Iterator[int]:
    """A process that takes all it can of one core; gives its id."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def _serve(home: Path, parent: Connection) -> None:
    unmask = Unmask(Settings.load().model_copy(update={"home": home}), gallery=DEMO_GALLERY)
    folder = home / "pictures"
    folder.mkdir(parents=True)
    query, _ = write_demo_images(folder, unmask.models.faces)
    unmask.index([folder])
    unmask.find(query)  # loads the networks
    parent.send(_threads())
    while True:
        try:
            parent.recv()
        except EOFError:
            return
        forget_measured(unmask)
        wall, cpu = time.perf_counter(), time.process_time()
        unmask.find(query)
        parent.send((time.process_time() - cpu, time.perf_counter() - wall))


def _threads() -> dict[str, Any]:
    """The environment and the sizes of the thread pools of this process."""
    import cv2
    import torch

    return {
        **{name: os.environ.get(name, "not set") for name in _ENVIRONMENT},
        "torch": torch.get_num_threads(),
        "torch between operators": torch.get_num_interop_threads(),
        "OpenCV": cv2.getNumThreads(),
        "ONNX Runtime": Settings.load().threads or os.cpu_count(),
    }
