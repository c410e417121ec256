"""Evaluate trained generator classifiers on a data set's pictures.

Uses the installed detectors (`<models>/detectors`, or shipped) with several classes, made by
`python -m tools.training.detectors.classifier`. Pictures used to train or validate a network, as
recorded in its folder, are excluded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.protocol.measured import MeasuredDataset, load_models
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.folders import DETECTORS_FOLDER, StoredDetector, find_stored_detectors
from tools.detectors.networks.classifier import KIND, ClassifierNetwork
from tools.errors import SetupError
from tools.media.hashing import file_sha256
from tools.training.data.class_folders import seen_in_training

_AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class AttributionNetwork:
    """A network, its title, and whether a file (by sha256) was in its training data."""

    title: str
    network: ClassifierNetwork
    learnt: Callable[[str], bool]

    @classmethod
    def of(cls, found: StoredDetector) -> "AttributionNetwork":
        """The network of a folder; raises SetupError if it cannot be read."""
        network = ClassifierNetwork.load(found)
        return cls(found.title, network, seen_in_training(found.folder))

    def may_be_asked(self, pictures: MeasuredDataset, row: int) -> bool:
        """Whether that picture's file was not in its training data."""
        return not self.learnt(file_sha256(pictures.root / pictures.rows[row].path))

    def probabilities(
        self, pictures: MeasuredDataset, rows: np.ndarray, *, real: str
    ) -> tuple[list[str], np.ndarray]:
        """Sorted names (k,) and probabilities (n, k); authentic classes are merged into `real`."""
        labels = self.network.classes
        of = [real if at in labels.real else name for at, name in enumerate(labels.labels)]
        names = sorted(set(of))
        found = [np.empty((0, len(of)))]
        for start in range(0, len(rows), _AT_ONCE):
            some = [pictures.picture(int(row)) for row in rows[start : start + _AT_ONCE]]
            found.append(self.network.attribute(some))
        said = np.concatenate(found)
        columns = [said[:, np.array(of) == name].sum(axis=1) for name in names]
        return names, np.stack(columns, axis=1)


def installed_networks(left_out: Callable[[str], None]) -> Iterator[AttributionNetwork]:
    """The installed networks with more classes than fake and real.

    Unreadable ones are left out and reported to `left_out`.
    """

    def unread(_: Path, error: SetupError) -> None:
        left_out(str(error))

    folders = [WEIGHTS_DIR / DETECTORS_FOLDER, load_models().settings.models_dir / DETECTORS_FOLDER]
    for found in find_stored_detectors(folders, left_out=unread):
        if found.about.kind == KIND and not (found.about.settings or {}).get("binary"):
            try:
                network = AttributionNetwork.of(found)
            except SetupError as error:
                left_out(str(error))
            else:
                yield network
