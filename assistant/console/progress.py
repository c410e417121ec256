"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from assistant.console.output import escape_terminal, pluralize, stderr_console

if TYPE_CHECKING:
    from tools.gallery.indexing.progress import IndexProgress

_LINE_EVERY_S = 30.0


class _Display:
    """A bar while it is entered; where stderr is no terminal, a line now and then instead."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def _log(self, line: str) -> None:
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            sys.stderr.write(f"{line}\n")


class IndexingDisplay(_Display):
    """Shows indexing with its rate and the time that is left; call it with each progress."""

    def __init__(self) -> None:
        bar = Progress(
            TextColumn("indexing"), BarColumn(), TextColumn("{task.fields[state]}"),
            console=stderr_console(), transient=True, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        super().__init__(bar)
        self._task: TaskID | None = None

    def __call__(self, progress: "IndexProgress") -> None:
        """Take note of how far indexing is."""
        state = format_progress(progress)
        if self._task is None:
            self._task = self._bar.add_task("", total=progress.files_total, state=state)
        self._bar.update(
            self._task, total=progress.files_total, completed=progress.files_done, state=state
        )
        self._log(f"indexing: {state}")


class RerankingDisplay(_Display):
    """Shows how many of the leading hits were looked at closer; call it with both numbers."""

    def __init__(self) -> None:
        bar = Progress(
            TextColumn("looking closer"), BarColumn(),
            TextColumn("{task.completed} of {task.total}"),
            console=stderr_console(), transient=True, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        super().__init__(bar)
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        """Take note of how far the closer look is."""
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
        # Gone at once when it is done: what is said next takes its place.
        self._bar.update(
            self._task, completed=done, total=total, visible=done < total, refresh=done == total
        )
        self._log(f"looking closer: {done} of {total}")


def format_progress(progress: "IndexProgress") -> str:
    """How far, how fast, and how long still, in a line."""
    left = f", {format_duration(progress.eta_s)} left" if progress.eta_s is not None else ""
    return (
        f"{progress.files_done:,} of {pluralize(progress.files_total, 'file')}, "
        f"{pluralize(progress.faces_found, 'face')}, {progress.skipped:,} skipped, "
        f"{progress.files_per_s:.1f} files/s{left}"
    )


def format_duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class DownloadDisplay(_Display):
    """Shows downloads, a bar a file; call it with name, bytes here, bytes in all."""

    def __init__(self) -> None:
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
            console=stderr_console(), disable=not sys.stderr.isatty(),
        )  # fmt: skip
        super().__init__(bar)
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Take note of how much of a file is here."""
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(escape_terminal(name), total=total_bytes)
        self._bar.update(self._tasks[name], completed=done_bytes, total=total_bytes)
