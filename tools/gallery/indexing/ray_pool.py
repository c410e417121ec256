"""Analyse batches on Ray actors, each a process with models of its own.

The process that indexes reads the files, hands out batches and is the only one that writes the
record. A batch whose actor dies is analysed again by a new one, and what comes back is recorded
once, because only the last answer reaches the writer. Pixels and results travel through Ray's
object store; nothing is read from files of Ray's.

Not covered: the death of the indexing process itself; run the job again, as without Ray.
"""

import contextlib
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tools.errors import SetupError, ToolError
from tools.gallery.indexing.analysis import (
    DecodedImage,
    FaceAnalysisProtocol,
    ImageEncoder,
    analyse_batch,
)
from tools.gallery.records import AnalysedImage
from tools.media.skip_reasons import UnreadableImage

LoadModels = Callable[[], tuple[FaceAnalysisProtocol, ImageEncoder]]
"""Loads the models, in the actor's process; sent there, so its arguments must be plain data."""

_ATTEMPTS = 2  # a worker may be killed once by chance; a picture that kills two is at fault


class RayAnalysisPool:
    """As many actors as `workers`, one core each, on this machine or in a running cluster.

    `address` is a cluster's ("auto", "HOST:6379"); this machine must be one of its nodes. Raises
    SetupError if Ray is not installed or no cluster answers.
    """

    def __init__(self, workers: int, *, load: LoadModels, address: str = "") -> None:
        self.workers = workers
        self._load, self._address = load, address
        self.worker_pids: list[int] = []
        """The process ids of all workers so far, also of those that died."""
        self._ray = _imported()
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="ray")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the actors inside this context; batches not started by its end are dropped."""
        self._connect()
        try:
            for actor in [self._started() for _ in range(self.workers)]:
                self._idle.put(self._ready(actor))
            yield
        finally:
            self._executor.shutdown(cancel_futures=True)
            self._ray.shutdown()

    def submit(self, batch: Sequence[DecodedImage]) -> "Future[list[AnalysedImage | ToolError]]":
        """Queue a batch for analysis."""
        return self._executor.submit(self._analyse, list(batch))

    def _analyse(self, batch: list[DecodedImage]) -> list[AnalysedImage | ToolError]:
        if not batch:
            return []
        for _ in range(_ATTEMPTS):
            actor = self._idle.get()
            try:
                answer = self._ray.get(actor.analyse.remote(batch))
            except self._deaths():
                actor = self._ready(self._started())
            else:
                return [_received(each) for each in answer]
            finally:
                self._idle.put(actor)
        if len(batch) == 1:
            return [UnreadableImage("unreadable", "its analysis ended the worker's process")]
        # One picture ends its worker: find it by analysing them one by one.
        return [self._analyse([each])[0] for each in batch]

    def _connect(self) -> None:
        where: dict[str, Any] = (
            {"address": self._address}
            if self._address
            else {"address": "local", "num_cpus": self.workers, "include_dashboard": False}
        )
        try:
            self._ray.init(**where, log_to_driver=False, logging_level="error")
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise SetupError(
                f"Ray does not start ({reason}): index without --engine, or see `ray status`"
            ) from error

    def _started(self) -> Any:
        # Actors are not restarted by Ray: the pool has to know, to look at what each one got.
        return self._ray.remote(num_cpus=1, max_restarts=0)(_Analyser).remote(self._load)

    def _ready(self, actor: Any) -> Any:
        """The actor once its models are loaded; SetupError if they cannot be."""
        try:
            self.worker_pids.append(self._ray.get(actor.pid.remote()))
        except self._deaths() as error:
            reason = str(error).strip().splitlines()[-1]
            raise SetupError(
                f"a Ray worker cannot load the models ({reason}): index without --engine, or "
                "install the same version and models on every machine of the cluster"
            ) from error
        return actor

    def _deaths(self) -> tuple[type[Exception], ...]:
        failures = self._ray.exceptions
        return (
            failures.RayActorError,
            failures.WorkerCrashedError,
            failures.OutOfMemoryError,
            failures.ObjectLostError,
        )


class _Analyser:
    """What runs in an actor."""

    def __init__(self, load: LoadModels) -> None:
        self._faces, self._encoder = load()
        _ = self._encoder.image_size  # one that is loaded on demand is loaded now

    def pid(self) -> int:
        """Answers when the models are loaded."""
        return os.getpid()

    def analyse(self, batch: Sequence[DecodedImage]) -> list[AnalysedImage | tuple[str, str]]:
        """Results; errors as plain text, since exceptions do not survive the way."""
        found = analyse_batch(batch, faces=self._faces, encoder=self._encoder)
        return [_sent(each) for each in found]


def _sent(result: AnalysedImage | ToolError) -> AnalysedImage | tuple[str, str]:
    if isinstance(result, UnreadableImage):
        return result.reason, result.detail
    return ("", str(result)) if isinstance(result, ToolError) else result


def _received(answer: AnalysedImage | tuple[str, str]) -> AnalysedImage | ToolError:
    if isinstance(answer, AnalysedImage):
        return answer
    reason, detail = answer
    return UnreadableImage(reason, detail) if reason else ToolError(detail)


def _imported() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise SetupError(
            "Ray is not installed: run `pip install -e '.[ray]'`, or index without --engine"
        ) from error
    return ray
