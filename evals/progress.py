"""How far a run is, on stderr: a line on a terminal, nothing in a log."""

import sys
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)  # fmt: skip

from assistant.console.output import escape_terminal, stderr_console


class ProgressLine:
    """Shows progress while it is entered; call it as `EvalOptions.progress` is called."""

    def __init__(self, suite: str, *, quiet: bool = False) -> None:
        self._bar = Progress(
            SpinnerColumn(), TextColumn(escape_terminal(suite), markup=False),
            TextColumn("{task.description}", markup=False), BarColumn(),
            MofNCompleteColumn(), TimeElapsedColumn(),
            console=stderr_console(), transient=True, disable=quiet or not sys.stderr.isatty(),
        )  # fmt: skip
        self._task: TaskID | None = None

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

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take note of how far it is; a `total` of 0 is not known."""
        if self._task is None:
            self._task = self._bar.add_task("")
        self._bar.update(
            self._task, description=escape_terminal(what), completed=done, total=total or None
        )
