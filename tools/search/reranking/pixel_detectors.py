"""Run the profile's pixel-based detectors on hits: one pass of each detector over all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tools.detectors.clip_heads.tower_head import (
    FORGED,
    MANIPULATED,
    SYNTHESISED,
    forged_logit,
)
from tools.detectors.protocol import AnyDetector, qualified_name
from tools.detectors.scoring import run_detector
from tools.faces.blocking import blocking_level
from tools.faces.noise import noise_level
from tools.faces.rescaled_blocking import rescaled_blocking_level
from tools.search.reranking.rerank_input import RerankInput
from tools.verdict.rule import BLOCKS, NOISE, RESCALED


def picture_scores(looks: Sequence[RerankInput]) -> list[dict[str, float | None]]:
    """Logits by detector title, higher is more forged, and what may hide a forgery.

    Empty if the profile has no detector.
    """
    found: list[dict[str, float | None]] = [{} for _ in looks]
    detectors = looks[0].instruments.pixel_detectors if looks else ()
    for detector in detectors:
        rows = [row for row, look in enumerate(looks) if _is_asked(detector, look)]
        if not rows:
            continue
        scored = run_detector(detector, _Views([looks[row] for row in rows]))
        for row, logit in zip(rows, scored.logits, strict=True):
            found[row][scored.detector] = float(logit) if np.isfinite(logit) else None
    for scores in found:
        if {MANIPULATED, SYNTHESISED} <= scores.keys():
            scores[FORGED] = forged_logit(scores)
    for row, look in enumerate(looks if detectors else ()):
        if look.asks_for(NOISE):
            found[row][NOISE] = noise_level(look.pixels, look.face.keypoints)
        if look.asks_for(BLOCKS):
            found[row][BLOCKS] = blocking_level(look.pixels, look.face.box)
        if look.asks_for(RESCALED):
            found[row][RESCALED] = rescaled_blocking_level(look.pixels, look.face.box)
    return found


def _is_asked(detector: AnyDetector, look: RerankInput) -> bool:
    name = qualified_name(detector)
    return look.asks_for(name) or (name in (MANIPULATED, SYNTHESISED) and look.asks_for(FORGED))


@dataclass(frozen=True, slots=True, eq=False)
class _Views:
    """Hits of one query as detector input (`tools.detectors.protocol.DetectorInputs`)."""

    looks: Sequence[RerankInput]

    def __len__(self) -> int:
        return len(self.looks)

    @property
    def face_features(self) -> np.ndarray:
        """Empty: feature-based detectors already ran during the search."""
        return np.empty((0, 0), np.float32)

    @property
    def image_features(self) -> np.ndarray:
        """Empty, for the same reason."""
        return np.empty((0, 0), np.float32)

    @property
    def embeddings(self) -> np.ndarray:
        """(n, e) float32: embeddings of the hits' faces."""
        return np.stack([look.face.embedding for look in self.looks])

    @property
    def query(self) -> np.ndarray:
        """(e,) float32: embedding of the query person."""
        return self.looks[0].query.template

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """The pictures, and the faces' keypoints, None if not measured."""
        for look in self.looks:
            points = look.face.keypoints
            yield look.pixels, points if np.isfinite(points).all() else None
