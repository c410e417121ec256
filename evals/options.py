"""What every evaluation can be told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evals.datasets.manifest import Manifest


def no_progress(done: int, total: int, what: str) -> None:
    """Show nothing: the progress of a run that nobody watches."""


def forgotten(manifest: "Manifest") -> None:
    """Keep no record of what was measured."""


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """Where the data lies and how much of it to use.

    `data` is the folder that holds `lfw/`, `dfdc/` and `deepfakes/`, or one data set; `limit` caps
    the samples (None: all of them); `output` is a folder for samples, pictures and the gallery of
    the run (None: keep nothing); `layout` names how `data` is laid out (None: recognise it);
    `peers` are (name, file of scores) of other systems, measured by the same protocol.

    `progress(done, total, what)` is called by an evaluation as it goes on, as often as it likes:
    `total` 0 says that the end is not known yet, `what` is a few words ("indexing", "blur 3 of 5").
    `record(manifest)` is called with every manifest that is measured, as it is measured: its
    digest goes into the run's record, and runs over other data are not compared.
    """

    data: Path
    limit: int | None = None
    seed: int = 0
    output: Path | None = None
    layout: str | None = None
    peers: tuple[tuple[str, Path], ...] = ()
    progress: Callable[[int, int, str], None] = field(
        default=no_progress, compare=False, repr=False
    )
    record: Callable[["Manifest"], None] = field(default=forgotten, compare=False, repr=False)
