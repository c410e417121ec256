"""The chat model's opinion of a picture: a weak zero-shot forgery detector.

The model answers a question, and the score is log p(yes) - log p(no) of the first word, not the
text: such models write fluently and unreliably about forgeries (arXiv 2506.10474), so scores should
come from the probabilities (arXiv 2507.22469). It has no part in any verdict: no rule names its
score.

    VlmOpinion(LocalVLM.load(folder)).score_images(crops)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.report.pictures.data_uris import thumbnail
from prompts.questions import QUESTIONS, Question
from tools.checkpoints.on_disk import folder_on_disk
from tools.detectors.protocol import InputKind
from tools.faces.alignment import aligned_crop
from tools.media.hashing import combined_sha256
from tools.search.reranking.rerank_input import RerankInput, RerankMeasure, one_by_one

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from assistant.chat_model.local.answer_scoring import AnswerLogOdds, AnswerScorer

VLM_OPINION_SCORE = "vlm/opinion"
"""Its name among the scores of a hit."""

CROP_PX, CROP_MARGIN = 336, 1.3
LONGEST_PX = 1024
MIN_ANSWER_PROBABILITY = 0.01
"""A model whose two answers have a lower total probability has no opinion."""

_NAMES = ("*.safetensors", "*.json", "*.jinja")


@dataclass(frozen=True, eq=False)
class VlmOpinion:
    """A `PictureDetector` based on the chat model; `model` is a LocalVLM or a served model.

    Scores are log-odds of the answer that means forged; NaN for a model that cannot see pictures,
    that returns no probabilities, or whose two answers have less than `min_answer_probability`
    (0..1) together.

    Does not show: whether a face was forged. Models that were not tuned for it are hardly better
    than chance, and judge how natural a picture looks. The pocket model never learnt to look: with
    any share allowed its AUC is 0.49 (0.47 to 0.50) on 100 photographs of LFW's validation persons
    and a face swap of each, and yes and no together are 0.4 % of its first words.
    """

    model: "BaseChatModel"
    inputs: InputKind = "face"
    question: Question = QUESTIONS["forged"]
    min_answer_probability: float = MIN_ANSWER_PROBABILITY
    name = "vlm"

    @property
    def preprocessing(self) -> str:
        """The input shown to the model, and the question."""
        shown = (
            f"aligned face {CROP_PX} px, margin {CROP_MARGIN}"
            if self.inputs == "face"
            else f"whole image, at most {LONGEST_PX} px"
        )
        return f"{shown}; question {self.question.name!r}"

    @cached_property
    def sha256(self) -> str:
        """Hash of the checkpoint's files; for a served model, of its address and name."""
        checkpoint = getattr(self.model, "checkpoint", None)
        if checkpoint is not None:
            return _of_files(checkpoint.name)
        named: Any = self.model
        served = f"{getattr(named, 'openai_api_base', '')} {getattr(named, 'model_name', '')}"
        return sha256(served.encode()).hexdigest()

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The upright face with some of its surroundings, or the whole image, scaled down."""
        if self.inputs == "face" and keypoints is not None:
            return aligned_crop(pixels, keypoints, size=CROP_PX, margin=CROP_MARGIN)
        return thumbnail(pixels, longest_px=LONGEST_PX)

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (h, w, 3) uint8 RGB to log-odds (n,) float64; above 0: more likely forged."""
        told = self.ask(pictures)
        # A NaN share does not pass either.
        return np.where(told.share >= self.min_answer_probability, told.log_odds, np.nan)

    def ask(self, pictures: Sequence[np.ndarray]) -> "AnswerLogOdds":
        """The log-odds, and the probability that the two answers have together."""
        from assistant.chat_model.local.answer_scoring import AnswerLogOdds

        if self._reader is None:
            return AnswerLogOdds.none(len(pictures))
        question = self.question
        return self._reader.odds(
            pictures, question.text, one=question.forged, other=question.authentic
        )

    @cached_property
    def _reader(self) -> "AnswerScorer | None":
        from assistant.chat_model.local.answer_scoring import answer_scorer

        return answer_scorer(self.model)


def opinion_measurement(model: "BaseChatModel") -> RerankMeasure:
    """The `vlm/opinion` measure for reranking; None if the model has no opinion."""
    opinion = VlmOpinion(model)

    @one_by_one
    def measured(look: RerankInput) -> Mapping[str, float | None]:
        (odds,) = opinion.score_images([opinion.crop_input(look.pixels, look.face.keypoints)])
        return {VLM_OPINION_SCORE: None if np.isnan(odds) else float(odds)}

    return measured


def _of_files(source: str) -> str:
    folder = folder_on_disk(source) or Path(source)
    return combined_sha256([path for pattern in _NAMES for path in folder.glob(pattern)])
