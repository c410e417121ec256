"""UniFD's linear classifier: one logit on frozen CLIP features.

Ojha, Li & Lee, "Towards Universal Fake Image Detectors that Generalize Across Generative
Models", CVPR 2023 (arXiv 2302.10174): logit = w·f + b on features that are not normalised,
p(fake) = sigmoid(logit), label 1 = fake.
"""

import pickle
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tools.checkpoints.store import expected_fingerprint
from tools.checkpoints.table import PUBLIC_HEAD, PUBLIC_HEAD_SHA256, UNIFD_ENCODER
from tools.detectors.clip_heads.head_files import head_sha256, read_head, write_head
from tools.detectors.protocol import InputKind
from tools.encoder.preprocessing import Mode
from tools.errors import SetupError
from tools.media.hashing import file_sha256

__all__ = ["PUBLIC_HEAD", "UnifdLinear"]

# Measured on the published file: norm of w, b, and the first weights.
PUBLIC_NORM, PUBLIC_BIAS = 6.2001, -0.5167
PUBLIC_FIRST = (-0.31958, -0.11331, -0.17839)
PUBLIC_DIMENSION = 768


@dataclass(frozen=True, slots=True, eq=False)
class UnifdLinear:
    """`weight` (d,) and `bias` of the linear layer, float64; `sha256` is empty unless loaded.

    Does not show: where an image was changed, nor by what. It was trained on one family of
    forgeries; on others, and after heavy recompression, its logit may be uninformative. The sigmoid
    of its logit is not a calibrated probability.
    """

    weight: np.ndarray
    bias: float
    inputs: InputKind
    preprocessing: Mode = "resize"
    name: str = "unifd_linear"
    sha256: str = ""

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) to logits (n,) float64; a row with NaN scores NaN."""
        if features.ndim != 2 or features.shape[1] != len(self.weight):
            raise ValueError(f"features must be (n, {len(self.weight)}), not {features.shape}")
        logits: np.ndarray = features.astype(np.float64) @ self.weight + self.bias
        return logits

    @classmethod
    def load(
        cls, path: Path, *, inputs: InputKind, encoder_sha256: str, preprocessing: Mode = "resize"
    ) -> "UnifdLinear":
        """Load `{"weight": (1, d), "bias": (1,)}`. Raises SetupError, see `read_head`.

        A head is trained on features of one `preprocessing`; its scores with the other one are a
        different measurement.
        """
        arrays, _ = read_head(path, encoder_sha256=encoder_sha256, shapes={"weight": 2, "bias": 1})
        found = cls._of(arrays["weight"], arrays["bias"], inputs=inputs)
        sha256 = head_sha256(path, encoder_sha256)
        return replace(found, preprocessing=preprocessing, sha256=sha256)

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Save for `load`; further `header` fields describe the training."""
        arrays = {
            "weight": self.weight[None].astype(np.float32),
            "bias": np.array([self.bias], dtype=np.float32),
        }
        write_head(path, arrays, encoder_sha256=encoder_sha256, **header)

    @classmethod
    def load_public(
        cls,
        path: Path,
        *,
        inputs: InputKind,
        encoder_sha256: str | None = None,
        preprocessing: Mode = "resize",
    ) -> "UnifdLinear":
        """Load the published `fc_weights.pth` (only tensors are unpickled).

        Its authors evaluate it with `preprocessing="official"`; on face crops it is used with
        `resize`, which is our choice and was not measured by them. `encoder_sha256`, if given, must
        be that of OpenAI's ViT-L/14, whose features it was trained on. Raises SetupError if the
        file is not such a head.
        """
        encoder = expected_fingerprint(UNIFD_ENCODER)
        if encoder_sha256 not in (None, encoder):
            raise SetupError(
                f"{path} needs the encoder {UNIFD_ENCODER.name!r}: "
                "run `unmask models download full`"
            )
        weight, bias = _unpickle_tensors(path)
        if file_sha256(path) == PUBLIC_HEAD_SHA256:
            _check_published_values(weight[0], float(bias[0]))
        found = cls._of(weight, bias, inputs=inputs)
        return replace(found, preprocessing=preprocessing, sha256=head_sha256(path, encoder))

    @classmethod
    def _of(cls, weight: np.ndarray, bias: np.ndarray, *, inputs: InputKind) -> "UnifdLinear":
        if weight.shape[0] != 1 or bias.shape != (1,):
            raise SetupError(f"a linear head is (1, d) and (1,), not {weight.shape}, {bias.shape}")
        return cls(weight[0].astype(np.float64), float(bias[0]), inputs)


def _unpickle_tensors(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import torch

    if not path.is_file():
        raise SetupError(f"{path} is missing: run `unmask models download full`")
    if not zipfile.is_zipfile(path):
        raise SetupError(f"{path} is refused: not a PyTorch file of tensors")
    try:
        # Saved on cuda:0. weights_only refuses objects other than tensors: a pickle can execute
        # code.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise SetupError(f"{path} is refused: {reason}") from error
    tensors = state.items() if isinstance(state, dict) else ()
    shapes = {name: tuple(getattr(value, "shape", ())) for name, value in tensors}
    if shapes != {"weight": (1, PUBLIC_DIMENSION), "bias": (1,)}:
        raise SetupError(f"{path} is not UniFD's head: it holds {shapes}")
    return state["weight"].float().numpy(), state["bias"].float().numpy()


def _check_published_values(weight: np.ndarray, bias: float) -> None:
    """The published file must give the published values; otherwise our parsing has a bug."""
    measured = (float(np.linalg.norm(weight)), bias, *weight[:3].tolist())
    published = (PUBLIC_NORM, PUBLIC_BIAS, *PUBLIC_FIRST)
    if not np.allclose(measured, published, atol=1e-4):
        raise RuntimeError(f"UniFD's head reads as {measured}, published is {published}")
