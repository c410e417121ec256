"""Zero-shot detector: is an image closer to prompts for forged or for authentic images?

CLIP embeds images and texts in one space (Radford et al., "Learning Transferable Visual Models From
Natural Language Supervision", ICML 2021, section 3.1), so text prompts make a detector without
training. Several wordings of a class are averaged, as CLIP's authors do; here we average the
cosines instead of the text features, so that every wording has the same weight, however far it is
from the others.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.detectors.clip_heads.unifd_neighbours import l2_normalise_rows
from tools.detectors.protocol import InputKind
from tools.encoder.preprocessing import Mode


class TextEncoder(Protocol):
    """Encodes prompts to features: `tools.encoder.clip.Encoder`, or another CLIP."""

    @property
    def sha256(self) -> str:
        """Identifies its checkpoint."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to features (n, d) of unit length, in the space of image features."""


@dataclass(frozen=True, slots=True, eq=False)
class ZeroShot:
    """Unit text features `real` (r, d) and `fake` (f, d).

    Does not show: where, nor what was done. It measures similarity to images that people describe
    with these words; if the words were not learned together with forgeries, as in the published
    CLIP, that says little about being forged.
    """

    real: np.ndarray
    fake: np.ndarray
    inputs: InputKind
    preprocessing: Mode = "resize"
    name: str = "prompts"
    sha256: str = ""

    def __post_init__(self) -> None:
        shapes = self.real.shape, self.fake.shape
        if any(len(shape) != 2 or not shape[0] for shape in shapes) or shapes[0][1] != shapes[1][1]:
            raise ValueError(f"texts must be (r, d) and (f, d), at least one each, not {shapes}")

    @classmethod
    def from_prompts(
        cls,
        encoder: TextEncoder,
        *,
        real: Sequence[str],
        fake: Sequence[str],
        inputs: InputKind,
        name: str = "prompts",
        preprocessing: Mode = "resize",
    ) -> "ZeroShot":
        """A detector for these prompts. Raises ValueError if a class has none.

        It has no weights of its own: its `sha256` is `prompts_sha256`.
        """
        sha256 = prompts_sha256(encoder.sha256, real=real, fake=fake)
        texts = encoder.encode_texts(real), encoder.encode_texts(fake)
        return cls(*texts, inputs, preprocessing, name, sha256)

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) to scores (n,) float64 in -2..2; a row with NaN, or of zeros, scores NaN.

        Mean cosine to the fake texts minus mean cosine to the real texts: 0 is undecided, higher is
        more likely forged. Ordered like a logit, but not one.
        """
        dimension = self.real.shape[1]
        if features.ndim != 2 or features.shape[1] != dimension:
            raise ValueError(f"features must be (n, {dimension}), not {features.shape}")
        rows = l2_normalise_rows(features).astype(np.float64)
        scores: np.ndarray = (rows @ self.fake.T).mean(axis=1) - (rows @ self.real.T).mean(axis=1)
        return scores


def prompts_sha256(encoder_sha256: str, *, real: Sequence[str], fake: Sequence[str]) -> str:
    """Identifies a zero-shot detector: a hash of the encoder and the prompts."""
    content = "\n".join([encoder_sha256, *real, "", *fake])
    return hashlib.sha256(content.encode()).hexdigest()
