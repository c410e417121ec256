"""UniFD's nearest-neighbour classifier: is an image closer to known forgeries or to originals?

Ojha, Li & Lee, CVPR 2023 (arXiv 2302.10174): cosine distance in CLIP space to a bank of real and a
bank of fake images. The authors published no code for it: the vote follows the paper, the
continuous score is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.detectors.clip_heads.head_files import head_sha256, read_head, write_head
from tools.detectors.protocol import InputKind
from tools.encoder.preprocessing import Mode
from tools.errors import SetupError

NEIGHBOUR_COUNTS = (1, 3, 5, 9)
"""Values of k reported in the paper."""
MAX_NEIGHBOURS = NEIGHBOUR_COUNTS[-1]
NAME = "unifd_neighbours"
CHUNK_VALUES = 16_000_000
"""Similarities held in memory at once, about 64 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class UnifdNeighbours:
    """Banks of real (r, d) and fake (f, d) features, float32 of unit length, and k.

    `sha256` is empty unless loaded. Does not show: more than the bank contains. A forgery of a kind
    missing from the bank is as far from its fakes as from its originals, so its score is near zero.
    """

    real: np.ndarray
    fake: np.ndarray
    inputs: InputKind
    k: int = MAX_NEIGHBOURS
    preprocessing: Mode = "resize"
    name: str = NAME
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.k not in NEIGHBOUR_COUNTS:
            raise ValueError(f"k must be one of {NEIGHBOUR_COUNTS}, not {self.k!r}")
        if min(len(self.real), len(self.fake)) < self.k:
            raise SetupError(
                f"{len(self.real)} real and {len(self.fake)} fake features are too few for "
                f"{self.k} neighbours"
            )

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) to scores (n,) float64 in -2..2; a row with NaN, or of zeros, scores NaN.

        Mean cosine distance to the k nearest originals minus that to the k nearest forgeries: 0 is
        undecided, higher is more likely forged. Ordered like a logit, but not one.
        """
        scores = np.empty(len(features))
        for rows, real, fake in self._nearest(features):
            # Distance is 1 - similarity, which reverses the difference.
            scores[rows] = fake.mean(axis=1) - real.mean(axis=1)
        return scores

    def _nearest(self, features: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Chunks of rows with their k highest similarities to each bank, in descending order."""
        if features.ndim != 2 or features.shape[1] != self.real.shape[1]:
            raise ValueError(f"features must be (n, {self.real.shape[1]}), not {features.shape}")
        chunk = max(1, CHUNK_VALUES // (len(self.real) + len(self.fake)))
        for start in range(0, len(features), chunk):
            rows = slice(start, start + chunk)
            directions = l2_normalise_rows(features[rows])
            yield (
                rows,
                _best(directions @ self.real.T, self.k),
                _best(directions @ self.fake.T, self.k),
            )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        inputs: InputKind,
        encoder_sha256: str,
        k: int = MAX_NEIGHBOURS,
        preprocessing: Mode = "resize",
    ) -> "UnifdNeighbours":
        """Load a bank: `features` (n, d) float16 of unit length, `labels` (n,) uint8, 1 = fake.

        The default `k` is the best published one; other values are part of the name
        (`unifd_neighbours_k3`), so that all of them can be in one table. Raises SetupError, see
        `read_head`.
        """
        arrays, _ = read_head(
            path, encoder_sha256=encoder_sha256, shapes={"features": 2, "labels": 1}
        )
        # Stored in half precision, so normalise again after loading.
        features, forged = l2_normalise_rows(arrays["features"]), arrays["labels"] == 1
        if len(features) != len(forged):
            raise SetupError(f"{path} holds {len(features)} features and {len(forged)} labels")
        name = NAME if k == MAX_NEIGHBOURS else f"{NAME}_k{k}"
        sha256 = head_sha256(path, encoder_sha256)
        return cls(features[~forged], features[forged], inputs, k, preprocessing, name, sha256)

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Save for `load`; further `header` fields describe how the bank was made."""
        features = np.concatenate([self.real, self.fake])
        labels = np.repeat([0, 1], [len(self.real), len(self.fake)])
        arrays: dict[str, np.ndarray] = {
            "features": features.astype(np.float16),
            "labels": labels.astype(np.uint8),
        }
        write_head(path, arrays, encoder_sha256=encoder_sha256, **header)


def l2_normalise_rows(features: np.ndarray) -> np.ndarray:
    """L2-normalise rows (n, d) to float32; zero rows become NaN."""
    wide = features.astype(np.float32)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, np.nan), dtype=np.float32)


def _best(similarities: np.ndarray, k: int) -> np.ndarray:
    """The k highest values of each row, descending, (n, k) float64."""
    highest = np.partition(similarities, -k, axis=1)[:, -k:]
    ordered: np.ndarray = np.sort(highest, axis=1)[:, ::-1].astype(np.float64)
    return ordered
