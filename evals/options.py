"""Options shared by all evaluations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evals.datasets.manifest import Manifest


def no_progress(done: int, total: int, what: str) -> None:
    """Ignore the progress of a run."""


def forgotten(manifest: "Manifest") -> None:
    """Do not record the measured manifest."""


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """Location of the data, limits and callbacks of an evaluation.

    `data` is the folder that holds `lfw/`, `dfdc/` and `deepfakes/`, or one data set; `limit` caps
    the samples (None: all of them); `output` is a folder for samples, pictures and the gallery of
    the run (None: keep nothing); `layout` names the layout of `data` (None: detect it); `peers` are
    (name, file of scores) of other systems, evaluated by the same protocol; `copies` is a folder of
    bare clones of public repositories, `<owner>+<name>/repo` each (None: `data`).

    `progress(done, total, what)` may be called at any rate: `total` 0 means unknown, `what` is a
    few words ("indexing", "blur 3 of 5"). `record(manifest)` is called with every evaluated
    manifest: its digest is stored in the run, and runs over different data are not compared.
    """

    data: Path
    limit: int | None = None
    seed: int = 0
    output: Path | None = None
    layout: str | None = None
    peers: tuple[tuple[str, Path], ...] = ()
    copies: Path | None = None
    progress: Callable[[int, int, str], None] = field(
        default=no_progress, compare=False, repr=False
    )
    record: Callable[["Manifest"], None] = field(default=forgotten, compare=False, repr=False)
