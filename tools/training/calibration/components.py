"""What the verdict rule is fitted with while there is none: the profile's parts, and video frames.

Frames of DFDC's validation originals, the half that is for fitting: without them the rule knows
press photographs only and is too sure of itself on frames of videos. They name nobody, so they
serve the question that is asked without a query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tools.detectors import FeatureDetector
from tools.detectors.calibration import Calibration
from tools.detectors.protocol import AnyDetector
from tools.detectors.scoring import run_detector
from tools.encoder.clip import Encoder
from tools.faces.analyser import FaceAnalyser
from tools.faces.further_embedders import FaceEmbedder
from tools.gallery.records import FaceRecord
from tools.search.query import Query
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.reference_comparison import reference_scores
from tools.search.reranking.rerank_input import RerankInput
from tools.search.reranking.reranker import iter_readable_photos
from tools.search.reranking.second_opinion import second_scores
from tools.search.same_photograph.scores import same_photograph_scores
from tools.training.calibration.detector_pictures import InMemoryInputs, dfdc_files
from tools.training.data.forgery_pool import read_rgb
from tools.verdict.calibration import Scores

ScoresAndLabel = tuple[dict[str, float | None], bool]
"""Raw scores of a picture, and whether it is forged."""


@dataclass(frozen=True, slots=True)
class CalibrationModels:
    """What is measured with, as `search.instruments.Instruments`, while there is no rule yet."""

    faces: FaceAnalyser
    encoder: Encoder
    detectors: Sequence[FeatureDetector]
    pixel_detectors: Sequence[AnyDetector]
    second_embedder: FaceEmbedder | None = None
    notices: Sequence[str] = ()
    rule: None = None
    profile: str = "pocket"
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    localising_detectors: Sequence[tuple[AnyDetector, Calibration | None]] = ()

    def further(
        self, pixels: np.ndarray, record: FaceRecord, scores: Scores, query: Query
    ) -> dict[str, float | None]:
        """What detectors of pixels, and the query's own pictures, say of a leading hit."""
        photos = tuple(iter_readable_photos(query))
        look = RerankInput(pixels, record.face, scores, query, photos, self)
        return {
            **picture_scores(look), **second_scores(look), **reference_scores(look),
            **same_photograph_scores(look),
        }  # fmt: skip

    def video_frames(self, data: Path) -> list[ScoresAndLabel]:
        """Scores of DFDC's pictures with a face, by the names that they have in the rule."""
        files = [
            (data / "dfdc" / name, forged)
            for fake, real in dfdc_files(data, "fit")
            for name, forged in ((fake, True), (real, False))
        ]
        pictures = [read_rgb(path) for path, _ in files]
        views = InMemoryInputs.from_pictures(pictures, faces=self.faces, encoder=self.encoder)
        judged = [run_detector(it, views) for it in (*self.detectors, *self.pixel_detectors)]
        columns = {it.detector: it.logits for it in judged}
        return [
            ({name: float(logits[row]) for name, logits in columns.items()}, forged)
            for row, (_, forged) in enumerate(files)
            if views.keypoints[row] is not None
        ]
