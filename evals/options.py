"""What every evaluation can be told."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """Where the data lies and how much of it to use.

    `data` is the folder that holds `lfw/`, `dfdc/` and `deepfakes/`; `limit` caps the samples
    (None: all of them); `output` is a folder for pictures and tables (None: keep nothing).
    """

    data: Path
    limit: int | None = None
    seed: int = 0
    output: Path | None = None
