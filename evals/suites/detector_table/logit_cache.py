"""Cache of detector logits in the run's folder, so that an interrupted run resumes."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models
from evals.runs.figures import jsonable
from evals.runs.folder import write_atomically
from evals.suites.detection.detector_inputs import MeasuredViews
from evals.suites.detector_table.detector_list import EvaluatedDetector
from tools.detectors.protocol import IdentityDetector, PixelDetector
from tools.detectors.scoring import BATCH_SIZE, run_detector


@dataclass(frozen=True, slots=True, eq=False)
class LogitCache:
    """Logits (n,) by key for exactly these pictures; `path` None: in memory only.

    `pictures` is a sha256 that identifies the pictures.
    """

    path: Path | None
    pictures: str
    logits: dict[str, np.ndarray]

    @classmethod
    def of(cls, name: str, told: object, output: Path | None) -> "LogitCache":
        """The cache of an earlier run under this name, if it is for the same pictures."""
        pictures = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        if output is None:
            return cls(None, pictures, {})
        path = output / "home" / "answers" / f"{name}.json"
        kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        mine = kept.get("logits", {}) if kept.get("pictures") == pictures else {}
        return cls(path, pictures, {name: np.array(it, float) for name, it in mine.items()})

    def holds(self, keys: Iterable[str]) -> bool:
        """Whether all of these keys are cached."""
        return {*keys} <= {*self.logits}

    def add(self, key: str, logits: np.ndarray) -> None:
        """Add logits and write them to disk at once."""
        self.logits[key] = logits
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            told = {"pictures": self.pictures, "logits": jsonable(self.logits)}
            write_atomically(self.path, json.dumps(told))

    def ask(
        self,
        entrants: Sequence[EvaluatedDetector],
        views: MeasuredViews,
        on_detector: Callable[[int, str], None],
    ) -> dict[str, np.ndarray]:
        """Logits (n,) by name; NaN where a detector cannot measure. Cached detectors are not run
        again.

        `on_detector` is called with the number and name of the next detector.
        """
        official: MeasuredViews | None = None
        for number, it in enumerate(entrants):
            on_detector(number, it.name)
            if it.key in self.logits:
                continue
            shown = views
            if it.detector.preprocessing == "official":
                shown = official = official or views.seen_in("official", load_models().encoder)
            self.add(it.key, run_detector(it.detector, shown).logits)
        return {it.name: self.logits[it.key] for it in entrants}


def collect_logits(
    measured: MeasuredDataset,
    entrants: Sequence[EvaluatedDetector],
    options: EvalOptions,
    *,
    digest: str,
) -> dict[str, np.ndarray]:
    """Every detector's logits (n,) by name; NaN where nothing was measured.

    A few pictures at a time are read once for all pixel detectors, so that large data sets need no
    more memory than small ones; cached results are reused. `digest` is the manifest's.
    """
    found = {it.name: np.full(len(measured), np.nan) for it in entrants}
    for start in range(0, len(measured), BATCH_SIZE):
        rows = np.arange(start, min(start + BATCH_SIZE, len(measured)))
        some = measured.take(rows)
        told = [digest, some.ids, load_models().fingerprint]
        kept = LogitCache.of(f"pictures-{start:07}", told, options.output)
        views = MeasuredViews.of(some)
        if any(_looks(it) for it in entrants if it.key not in kept.logits):
            views = views.held()
        on_detector = partial(_tell, options, start, len(measured))
        for name, logits in kept.ask(entrants, views, on_detector).items():
            found[name][rows] = logits
    return found


def _tell(options: EvalOptions, done: int, total: int, number: int, name: str) -> None:
    options.progress(done, total, f"asking {name}")


def _looks(entrant: EvaluatedDetector) -> bool:
    """Whether it needs pixels, or features that indexing does not compute."""
    detector = entrant.detector
    looking = isinstance(detector, PixelDetector | IdentityDetector)
    return looking or detector.preprocessing == "official"
