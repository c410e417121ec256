"""Preprocessing of a further face embedder, from an optional JSON file beside its ONNX file.

    {"name": "…", "licence": "…", "size": 112, "crop": {"kind": "arcface", "margin": 1.0},
     "mean": 127.5, "std": [127.5, 127.5, 127.5], "order": "RGB",
     "strangers": {"mean": 0.03, "spread": 0.09},
     "beside": {"<sha256 of the first embedder's part>": {"mean": 0.02, "spread": 0.08}}}

Every key may be omitted if the input size implies the preprocessing. `python -m evals run embedder`
measures "strangers" and "beside".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from tools.errors import SetupError

CropMethod = Literal["arcface", "box"]


@dataclass(frozen=True, slots=True)
class ImpostorStatistics:
    """Cosine similarities of different persons: `mean` and `spread` (standard deviation)."""

    mean: float
    spread: float

    def similarity_fraction(self, cosine: float) -> float:
        """Cosine rescaled so that impostors average 0 and an identical image gives 1."""
        return (cosine - self.mean) / (1 - self.mean)


@dataclass(frozen=True, slots=True)
class EmbedderPreprocessing:
    """An embedder's preprocessing: a square crop, then (value − mean) / std per channel.

    `crop` "arcface": aligned to ArcFace's five points; "box": an upright square around the face
    box, as large as its longer side. `margin` enlarges the crop by that factor. `order` is the
    channel order; `mean` and `std` are in the same order, for values 0..255.
    """

    crop: CropMethod
    margin: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str = "RGB"


ARCFACE = EmbedderPreprocessing("arcface", 1.0, (127.5,) * 3, (127.5,) * 3)
"""insightface's networks, including VPL."""

VGGFACE2 = EmbedderPreprocessing("box", 1.3, (131.0912, 103.8827, 91.4953), (1.0, 1.0, 1.0))
"""Networks trained on VGGFace2's loose crops; subtracts that dataset's mean (Cao et al., FG
2018)."""

PREPROCESSING_BY_INPUT_SIZE: Mapping[int, EmbedderPreprocessing] = {112: ARCFACE, 113: VGGFACE2}
"""Default preprocessing by the side of the network's input in px."""


def read_embedder_json(path: Path) -> dict[str, Any]:
    """The JSON beside an embedder; empty if there is none. Raises SetupError if it is invalid."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SetupError(f"{path} is not valid JSON: {error}; correct or delete it") from error
    if not isinstance(content, dict):
        raise SetupError(f"{path} is not a JSON object; correct or delete it")
    return content


def resolve_preprocessing(config: Mapping[str, Any], size: int) -> EmbedderPreprocessing:
    """Preprocessing of a network from its input size in px and its JSON file.

    Raises ValueError if the crop is unspecified, or a value is unknown.
    """
    usual, crop = PREPROCESSING_BY_INPUT_SIZE.get(size), config.get("crop", {})
    if usual is None and "kind" not in crop:
        raise ValueError(
            f"the face crop for an input of {size} px is unknown: set "
            '"crop": {"kind": "arcface" or "box", "margin": 1.0}'
        )
    kind = crop.get("kind", usual.crop if usual else None)
    order = str(config.get("order", "RGB"))
    if kind not in get_args(CropMethod) or order not in ("RGB", "BGR"):
        raise ValueError(f"unknown crop {kind!r} or order {order!r}")
    base = usual if usual and usual.crop == kind else ARCFACE if kind == "arcface" else VGGFACE2
    return replace(
        base,
        margin=float(crop.get("margin", base.margin)),
        # The defaults above are in RGB order.
        mean=_three(config.get("mean", base.mean[:: -1 if order == "BGR" else 1])),
        std=_three(config.get("std", base.std[:: -1 if order == "BGR" else 1])),
        order=order,
    )


def _three(values: Any) -> tuple[float, ...]:
    given = [float(it) for it in values] if isinstance(values, list | tuple) else [float(values)]
    if len(given) not in (1, 3):
        raise ValueError(f"one value for all channels or three, not {len(given)}")
    return tuple(given * (3 // len(given)))
