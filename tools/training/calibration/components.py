"""Models and video frames used to fit the verdict rule, before a rule exists.

The frames come from the fitting half of DFDC's validation originals. Without them the rule would be
fitted on press photographs only and be overconfident on video frames. DFDC does not name its
people, so these frames serve only the question that needs no query.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tools.detectors import FeatureDetector
from tools.detectors.calibration import Calibration
from tools.detectors.clip_heads.tower_head import FORGED, forged_logit
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
from tools.training.data.face_sources import reserved_originals, split_of
from tools.training.data.forgery_pool import read_rgb
from tools.verdict.calibration import Scores

ScoresAndLabel = tuple[dict[str, float | None], bool]
"""Raw scores of a picture, and whether it is forged."""


@dataclass(frozen=True, slots=True)
class CalibrationModels:
    """Models for measuring, as in `search.instruments.Instruments` but without a verdict rule."""

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
    look: None = None

    def further(
        self, pixels: np.ndarray, record: FaceRecord, scores: Scores, query: Query
    ) -> dict[str, float | None]:
        """Scores of a leading hit by pixel detectors and by comparison with the query's own
        pictures."""
        photos = tuple(iter_readable_photos(query))
        look = RerankInput(pixels, record.face, scores, query, photos, self)
        measures = picture_scores, second_scores, reference_scores, same_photograph_scores
        return {name: value for it in measures for name, value in it([look])[0].items()}

    def video_frames(self, data: Path) -> list[ScoresAndLabel]:
        """Scores of DFDC pictures that contain a face, keyed by their names in the rule."""
        files = [
            (data / "dfdc" / name, forged)
            for fake, real in dfdc_files(data, "fit")
            for name, forged in ((fake, True), (real, False))
        ]
        return self._scored(files)

    def generated(self, data: Path) -> list[ScoresAndLabel]:
        """Scores of wholly synthesised faces, and of the portraits beside them.

        Of the split on which no head was trained.
        """
        reserved = reserved_originals(data)
        with (data / "synthesis" / "manifest.csv").open(newline="", encoding="utf-8") as lines:
            files = [
                (data / "synthesis" / row["path"], row["label"] == "fake")
                for row in csv.DictReader(lines)
                if row["base_id"] not in reserved and split_of(row["base_id"]) == "val"
            ]
        return self._scored(files)

    def _scored(self, files: Sequence[tuple[Path, bool]]) -> list[ScoresAndLabel]:
        pictures = [read_rgb(path) for path, _ in files]
        views = InMemoryInputs.from_pictures(pictures, faces=self.faces, encoder=self.encoder)
        judged = [run_detector(it, views) for it in (*self.detectors, *self.pixel_detectors)]
        columns = {it.detector: it.logits for it in judged}
        rows = [
            {name: float(logits[row]) for name, logits in columns.items()}
            for row in range(len(files))
        ]
        return [
            ({**scores, FORGED: forged_logit(scores)}, forged)
            for row, (scores, (_, forged)) in enumerate(zip(rows, files, strict=True))
            if views.keypoints[row] is not None
        ]
