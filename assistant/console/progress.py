"""Progress on stderr: a bar on a terminal, an occasional line in a log."""

import sys
import time
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from assistant.console.output import badge, escape_terminal, pluralize, stderr_console

if TYPE_CHECKING:
    from tools.gallery.indexing.progress import IndexProgress
    from tools.search.results import Findings

_LINE_EVERY_S = 30.0
_FIRST_SHOWN = 5


class ProgressDisplay(Progress):
    """Bars while the context is open; if stderr is no terminal, occasional lines instead."""

    def __init__(
        self, *columns: str | ProgressColumn, transient: bool = True, quiet: bool = False
    ) -> None:
        hidden = quiet or not sys.stderr.isatty()
        super().__init__(*columns, console=stderr_console(), transient=transient, disable=hidden)
        self._bars: dict[str, TaskID] = {}
        self._last_line = time.monotonic()
        self._pending, self._begun = "", False

    def show(self, name: str, done: float, total: float | None, **changes: Any) -> None:
        """Move the bar of this name; its first call creates it."""
        if name not in self._bars:
            self._bars[name] = self.add_task(escape_terminal(name), total=total, **changes)
        self.update(self._bars[name], completed=done, total=total, **changes)

    def write_line(self, line: str) -> None:
        """Write a line to a log, unless one was written a moment ago."""
        now, self._pending = time.monotonic(), line
        if self.disable and now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            self._write_pending()

    def stop(self) -> None:
        """End the display; a log that holds an earlier line gets the last one, too."""
        super().stop()
        if self.disable and self._begun:
            self._write_pending()

    def _write_pending(self) -> None:
        if self._pending:
            sys.stderr.write(f"{self._pending}\n")
        self._pending, self._begun = "", True


class IndexingDisplay(ProgressDisplay):
    """Shows indexing with its rate and the remaining time; call it with each progress."""

    def __init__(self) -> None:
        super().__init__("indexing", BarColumn(), "{task.fields[state]}")

    def __call__(self, progress: "IndexProgress") -> None:
        """Update the display from an indexing progress."""
        state = format_progress(progress)
        self.show("", progress.files_done, progress.files_total, state=state)
        self.write_line(f"indexing: {state}")


class CountingDisplay(ProgressDisplay):
    """Shows a number done of a total; call it with both."""

    def __init__(self, what: str) -> None:
        self._what = escape_terminal(what)
        name = TextColumn(self._what, markup=False)
        super().__init__(name, BarColumn(), "{task.completed} of {task.total}")

    def __call__(self, done: int, total: int) -> None:
        """Update the display."""
        # Removed as soon as it is done: the next output takes its place.
        self.show("", done, total, visible=done < total)
        self.refresh()
        self.write_line(f"{self._what}: {done} of {total}")


class RerankingDisplay(CountingDisplay):
    """Shows the hits as first ranked, then how many of the leading ones were reranked."""

    def __init__(self) -> None:
        super().__init__("looking closer")

    def show_ranked(self, findings: "Findings") -> None:
        """List the first hits, if this is a terminal."""
        if self.disable:
            return
        found = pluralize(len(findings.hits), "hit")
        self.console.print(f"{found} ranked; verdicts may change with the closer look:")
        for hit in findings.hits[:_FIRST_SHOWN]:
            name = f"{escape_terminal(hit.path.name)}{hit.at}"
            self.console.print(
                Text.assemble(f"{hit.rank:>4} ", badge(hit.verdict), f" {name}"), overflow="fold"
            )


class CheckingDisplay(ProgressDisplay):
    """Shows the stages of a check or turn; call it with the stage, the number done, the total."""

    def __init__(self) -> None:
        super().__init__("{task.description}", BarColumn(), "{task.completed} of {task.total}")

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Update a stage; a finished one disappears."""
        self.show(stage, done, total, visible=done < total)
        self.write_line(f"{stage}: {done} of {total}")


class DownloadDisplay(ProgressDisplay):
    """Shows downloads, one bar per file; call it with name, bytes so far, bytes in total."""

    def __init__(self) -> None:
        name = TextColumn("{task.description}", markup=False)
        super().__init__(name, BarColumn(), DownloadColumn(), transient=False)

    __call__ = ProgressDisplay.show


class FitDisplay(ProgressDisplay):
    """Shows the step of a fitting run, its share done and its message."""

    def __init__(self) -> None:
        name, said = (
            TextColumn(f"{{task.{of}}}", markup=False) for of in ("description", "fields[said]")
        )
        super().__init__(name, BarColumn(), TimeElapsedColumn(), said)

    def __call__(self, what: str, share: float, said: str) -> None:
        """Update the share of a step; the previous step is finished."""
        said = escape_terminal(said)
        for before in [name for name in self._bars if name != what]:
            self.remove_task(self._bars.pop(before))
        self.show(what, share, 1.0, said=said)
        self.write_line(f"{what}: {share:.0%}, {said}")


class EvaluationDisplay(ProgressDisplay):
    """Shows the progress of an evaluation on a terminal only; call it as `EvalOptions.progress`."""

    def __init__(self, suite: str, *, quiet: bool = False) -> None:
        what = TextColumn("{task.fields[what]}", markup=False)
        super().__init__(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), what, BarColumn(),
            MofNCompleteColumn(), TimeElapsedColumn(), quiet=quiet,
        )  # fmt: skip
        self._suite = suite

    def __call__(self, done: int, total: int, what: str) -> None:
        """Update the progress; a `total` of 0 means unknown."""
        self.show(self._suite, done, total or None, what=escape_terminal(what))


def format_progress(progress: "IndexProgress") -> str:
    """One line with progress, rate and remaining time."""
    left = f", {format_duration(progress.eta_s)} left" if progress.eta_s is not None else ""
    return (
        f"{progress.files_done:,} of {pluralize(progress.files_total, 'file')}, "
        f"{pluralize(progress.faces_found, 'face')}, {progress.skipped:,} skipped, "
        f"{progress.files_per_s:.1f} files/s{left}"
    )


def format_duration(seconds: float) -> str:
    """Format seconds for reading: 40 s, 12 min, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
