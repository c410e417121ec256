"""The real page, `unmask chat`, as a process of its own: its address, log, memory and processor."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from assistant.settings import Settings

SAMPLE_EVERY_S = 10.0
_START_S = 900.0
_COMMAND = "from assistant.cli.main import main; main()"
_ADDRESS = re.compile(r"The chat is at\s+(http://\S+)")
_FAULTS = re.compile(
    r"^Traceback \(most recent call last\)|ended with a fault|^Exception in |^Fatal ", re.MULTILINE
)


def page_command(*arguments: str) -> list[str]:
    """The command line of `unmask chat` in this interpreter."""
    return [sys.executable, "-c", _COMMAND, "chat", "--port", "0", *arguments]


def page_environment(settings: Settings, **more: str) -> dict[str, str]:
    """This environment, with the settings' folders; what the page says is written at once."""
    given = {
        "UNMASK_HOME": settings.home,
        "UNMASK_MODELS_DIR": settings.models_dir,
        "UNMASK_CONFIG_DIR": settings.config_dir,
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **{name: str(it) for name, it in given.items()}, **more}


class PageProcess:
    """A running page; its memory is sampled while it runs."""

    def __init__(
        self, settings: Settings, log: Path, *arguments: str, sample_s: float = SAMPLE_EVERY_S,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._log, self._sample_s = log, sample_s
        self._ended = threading.Event()
        self.memory: list[tuple[float, float]] = []
        with log.open("w") as said:
            self._process = subprocess.Popen(
                page_command(*arguments), cwd=Path(__file__).parents[4], stdout=said, stderr=said,
                env=page_environment(settings, **(environment or {})),
            )  # fmt: skip
        self.address = self._started()

    def __enter__(self) -> Self:
        threading.Thread(target=self._sample, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ended.set()
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text("utf-8", "replace")

    def log_faults(self) -> int:
        """Tracebacks and logged faults so far."""
        return log_faults(self.log())

    def cpu_s(self) -> float:
        """Processor time so far, that of helpers which ended included."""
        # The name in brackets may hold spaces; fields 14 to 17 are times in ticks.
        stat = Path(f"/proc/{self._process.pid}/stat").read_text("ascii", "replace")
        fields = stat.rpartition(")")[2].split()
        return sum(int(it) for it in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii", "replace")
        line = next(it for it in status.splitlines() if it.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def _started(self) -> str:
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self.alive:
            if found := _ADDRESS.search(self.log()):
                return found[1]
            time.sleep(0.2)
        if self.alive:
            self._process.kill()
        raise RuntimeError(f"the page did not start: {self.log().strip()[-500:]}")

    def _sample(self) -> None:
        began = time.monotonic()
        while self.alive:
            try:
                self.memory.append((time.monotonic() - began, self.memory_mb()))
            except (OSError, StopIteration):  # it ends just now
                return
            if self._ended.wait(self._sample_s):
                return


def log_faults(log: str) -> int:
    """Tracebacks and faults in a log."""
    return len(_FAULTS.findall(log))


def memory_figures(samples: list[tuple[float, float]]) -> dict[str, float]:
    """MB at the ends, at most, and the slope after the first quarter in MB a minute.

    The half-width of the slope's 95 % interval takes samples for independent, which neighbouring
    ones are not: it is too narrow. NaN with fewer than four samples after the first quarter.
    """
    times, sizes = np.array(samples or [(0.0, np.nan)]).T
    later = times >= times[-1] / 4
    slope = error = float("nan")
    if later.sum() >= 4:
        fit, covariance = np.polyfit(times[later] / 60, sizes[later], 1, cov=True)
        slope, error = float(fit[0]), 1.96 * float(covariance[0, 0]) ** 0.5
    return {
        "at the start (MB)": float(sizes[0]),
        "at the end (MB)": float(sizes[-1]),
        "most (MB)": float(sizes.max()),
        "slope after the first quarter (MB/min)": slope,
        "half-width of its interval (MB/min)": error,
        "samples": float(len(samples)),
    }
