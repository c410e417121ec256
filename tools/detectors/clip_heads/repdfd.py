"""RepDFD: CLIP reprogrammed by a learned border around the face and a prompt with its embedding.

Lin et al., "Standing on the Shoulders of Giants: Reprogramming Visual-Language Model for General
Deepfake Detection", AAAI 2025 (arXiv 2409.02664). The image is shrunk to `ratio` of the input and
framed by a learned perturbation, added after normalisation. The prompt of the forged class contains
a word replaced by the face's embedding, through a fixed random projection. The paper uses the
candidate face's own identity; `identity="query"` uses the query person's, which is our variant.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.detectors.clip_heads.head_files import read_head, write_head
from tools.detectors.protocol import IdentityRole, require_keypoints
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop

if TYPE_CHECKING:
    import torch

REAL_PROMPT = "A real photo of a person"
FAKE_PROMPT = "A fake photo of a FE person"
FACE_WORD = "FE"
SHRINK_RATIO = 0.7
MAX_LOGIT_SCALE = 100.0
"""The published training clamps the logit scale to exp(4.6052)."""


@dataclass(frozen=True, slots=True, eq=False)
class Repdfd:
    """`delta` (3, s, s) float32, whose centre is not used, and `projection` (p, e) float32.

    s is the encoder's input size and e the embedding dimension. `identity` says whose embedding it
    takes; `embedder_sha256` is the embedder it was trained with, if known. A detector loaded from a
    folder has that folder's `display_name` and `checkpoint`. Does not show: where a face was
    changed. A score with another person's embedding than in training is a different measurement,
    and has a different name.
    """

    encoder: Encoder
    delta: np.ndarray
    projection: np.ndarray
    ratio: float = SHRINK_RATIO
    identity: IdentityRole = "candidate"
    embedder_sha256: str = ""
    checkpoint: str = ""
    display_name: str = ""
    inputs: Literal["face"] = "face"

    def __post_init__(self) -> None:
        size, width = self.encoder.image_size, self.encoder.text_width
        if self.delta.shape != (3, size, size):
            raise SetupError(
                f"the perturbation {self.delta.shape} does not frame the encoder's {size} px"
            )
        if self.projection.ndim != 2 or len(self.projection) > width:
            raise SetupError(
                f"the projection {self.projection.shape} does not fit words of {width} values"
            )

    @property
    def name(self) -> str:
        """Its display name; by default `repdfd`, or `repdfd_query` for the query's identity."""
        return self.display_name or ("repdfd" if self.identity == "candidate" else "repdfd_query")

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        outer = self.encoder.image_size
        inner = int(outer * self.ratio)
        return (
            f"aligned face of margin {self.encoder.face_margin:g} at {inner} px, as the encoder "
            f"resizes and normalises, within a learnt border to {outer} px"
        )

    @property
    def sha256(self) -> str:
        """Identifies it: `checkpoint`, or a hash of its parameters and the encoder's sha256."""
        if self.checkpoint:
            return self.checkpoint
        note = f"{self.ratio} {self.encoder.sha256}".encode()
        return hashlib.sha256(self.delta.tobytes() + self.projection.tobytes() + note).hexdigest()

    @classmethod
    def initial(
        cls, encoder: Encoder, *, embedding_size: int = 512, spread: float | None = None,
        seed: int = 7,
    ) -> "Repdfd":  # fmt: skip
        """Initial state for training: no perturbation, a projection drawn from N(0, `spread`²).

        `spread` is the standard deviation of the word that a unit-length embedding becomes; None is
        the published 1/p, for embeddings that are not normalised.
        """
        size, width = encoder.image_size, encoder.text_width
        drawn = np.random.default_rng(seed).normal(
            0, 1 / width if spread is None else spread, (width, embedding_size)
        )
        return cls(encoder, np.zeros((3, size, size), np.float32), drawn.astype(np.float32))

    def score(
        self, pictures: Sequence[np.ndarray], identities: np.ndarray, *, batch_size: int = 16
    ) -> np.ndarray:
        """Face crops (h, w, 3) uint8 RGB and embeddings (n, e) to logits (n,) float64.

        Higher is more likely forged; the sigmoid is the published softmax, not a calibrated
        probability. A row of `identities` with NaN scores NaN.
        """
        import torch

        if identities.shape != (len(pictures), self.projection.shape[1]):
            raise ValueError(
                f"identities must be ({len(pictures)}, {self.projection.shape[1]}), "
                f"not {identities.shape}"
            )
        scores = np.full(len(pictures), np.nan)
        known = np.flatnonzero(np.isfinite(identities).all(axis=1))
        with torch.inference_mode():
            for start in range(0, len(known), batch_size):
                rows = known[start : start + batch_size]
                # One query is encoded once, however many faces are compared with it.
                people, whose = np.unique(identities[rows], axis=0, return_inverse=True)
                texts = self.text_features(people)[whose.reshape(-1)]
                images = self.encoder.forward(self.apply_border([pictures[row] for row in rows]))
                logits = self.logits(images, texts)
                scores[rows] = (logits[:, 1] - logits[:, 0]).double().cpu().numpy()
        return scores

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The aligned face at the encoder's input size; raises ValueError without keypoints."""
        encoder, points = self.encoder, require_keypoints(keypoints)
        return aligned_crop(pixels, points, size=encoder.image_size, margin=encoder.face_margin)

    def apply_border(
        self, pictures: Sequence[np.ndarray], delta: "torch.Tensor | None" = None
    ) -> "torch.Tensor":
        """Images to the framed input (n, 3, s, s); differentiable in `delta`, if given."""
        import torch

        outer = self.encoder.image_size
        inner = int(outer * self.ratio)
        low = (outer - inner) // 2
        high = outer - inner - low
        small = replace(self.encoder.preprocessing, size=inner)
        batch = small.normalise(small.batch(pictures).to(self.encoder.device))
        if delta is None:
            delta = torch.from_numpy(self.delta).to(batch.device)
        border = torch.ones_like(delta)
        border[:, low : low + inner, low : low + inner] = 0
        return torch.nn.functional.pad(batch, (low, high, low, high)) + border * delta

    def text_features(self, identities: np.ndarray) -> "torch.Tensor":
        """Embeddings (n, e) to unit text features (n, 2, d): the authentic and forged prompts."""
        import torch

        encoder = self.encoder
        plain = encoder.tokens([REAL_PROMPT])
        real = encoder.encode_embeddings(encoder.token_embeddings(plain), plain)
        tokens = encoder.tokens([FAKE_PROMPT]).expand(len(identities), -1)
        words = torch.from_numpy(identities.astype(np.float32) @ self.projection.T)
        # If the projection is narrower than the tower's embeddings, the rest is zero.
        words = torch.nn.functional.pad(words, (0, encoder.text_width - words.shape[1]))
        is_face = (tokens == encoder.tokens([FACE_WORD])[0, 1])[..., None]
        embedded = encoder.token_embeddings(tokens)
        fake = encoder.encode_embeddings(
            torch.where(is_face, words.to(encoder.device)[:, None], embedded), tokens
        )
        both = torch.stack([real.expand_as(fake), fake], dim=1)
        return torch.nn.functional.normalize(both, dim=2)

    def logits(self, images: "torch.Tensor", texts: "torch.Tensor") -> "torch.Tensor":
        """Features (n, d) and `text_features` (n, 2, d) to logits (n, 2): authentic, forged."""
        import torch

        directions = torch.nn.functional.normalize(images, dim=1)
        scale = min(self.encoder.logit_scale, MAX_LOGIT_SCALE)
        return scale * (texts @ directions[..., None])[..., 0]

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        encoder: Encoder,
        identity: IdentityRole = "candidate",
    ) -> "Repdfd":
        """Load a file from `save`. Raises SetupError if it does not match the encoder."""
        arrays, header = read_head(
            path, encoder_sha256=encoder.sha256, shapes={"delta": 3, "projection": 2}
        )
        ratio, learnt = float(header["ratio"]), header.get("embedder_sha256", "")
        return cls(encoder, arrays["delta"], arrays["projection"], ratio, identity, learnt)

    def save(self, path: Path, *, embedder_sha256: str, **header: object) -> None:
        """Save for `load`; further `header` fields describe the training."""
        arrays = {
            "delta": self.delta.astype(np.float32),
            "projection": self.projection.astype(np.float32),
        }
        note = {"embedder_sha256": embedder_sha256, "ratio": self.ratio, **header}
        write_head(path, arrays, encoder_sha256=self.encoder.sha256, **note)
