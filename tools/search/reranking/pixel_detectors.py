"""Run the profile's pixel-based detectors on one hit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tools.detectors.clip_heads.tower_head import (
    FORGED,
    MANIPULATED,
    SYNTHESISED,
    forged_logit,
)
from tools.detectors.protocol import qualified_name
from tools.detectors.scoring import run_detector
from tools.search.reranking.rerank_input import RerankInput


def picture_scores(rerank_input: RerankInput) -> dict[str, float | None]:
    """Logits by detector title, higher is more forged; empty if the profile has no detector."""
    views, asked = _OneView(rerank_input), rerank_input.requested_scores
    known = rerank_input.instruments.pixel_detectors
    if asked is not None and FORGED in asked:
        asked = asked | {MANIPULATED, SYNTHESISED}
    judged = [
        run_detector(each, views)
        for each in known
        if asked is None or qualified_name(each) in asked
    ]
    found = {
        scored.detector: float(logit) if np.isfinite(logit := scored.logits[0]) else None
        for scored in judged
    }
    both = {MANIPULATED, SYNTHESISED} <= found.keys()
    return found | ({FORGED: forged_logit(found)} if both else {})


@dataclass(frozen=True, slots=True, eq=False)
class _OneView:
    """A hit as detector input (`tools.detectors.protocol.DetectorInputs`) with one row."""

    look: RerankInput

    def __len__(self) -> int:
        return 1

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
        """(1, e) float32: embedding of the hit's face."""
        return self.look.face.embedding[None]

    @property
    def query(self) -> np.ndarray:
        """(e,) float32: embedding of the query person."""
        return self.look.query.template

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """The picture, and the face's keypoints, None if not measured."""
        points = self.look.face.keypoints
        yield self.look.pixels, points if np.isfinite(points).all() else None
