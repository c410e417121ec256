"""How an embedder wants its faces, and what else may be said of one in a JSON beside its file.

    {"name": "…", "licence": "…", "size": 112, "crop": {"kind": "arcface", "margin": 1.0},
     "mean": 127.5, "std": [127.5, 127.5, 127.5], "order": "RGB",
     "strangers": {"mean": 0.03, "spread": 0.09},
     "beside": {"<sha256 of the first embedder's part>": {"mean": 0.02, "spread": 0.08}}}

All of it may be left out where the input's size says enough. `python -m evals run embedder`
measures the strangers.
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
    """Cosines of faces of different persons: their `mean` and `spread` (standard deviation)."""

    mean: float
    spread: float

    def similarity_fraction(self, cosine: float) -> float:
        """How far a cosine is on the way from strangers (0 on average) to the same picture (1)."""
        return (cosine - self.mean) / (1 - self.mean)


@dataclass(frozen=True, slots=True)
class EmbedderPreprocessing:
    """How an embedder wants its faces: a square crop, and (value − mean) / std of each channel.

    `crop` "arcface": turned upright onto ArcFace's five points; "box": the upright square around
    the face's box, by its longer side. `margin` says how much more than that is shown. `order` is
    that of the channels, whose `mean` and `std` are given in the same order, of values 0..255.
    """

    crop: CropMethod
    margin: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str = "RGB"


ARCFACE = EmbedderPreprocessing("arcface", 1.0, (127.5,) * 3, (127.5,) * 3)
"""insightface's networks, VPL's too."""

VGGFACE2 = EmbedderPreprocessing("box", 1.3, (131.0912, 103.8827, 91.4953), (1.0, 1.0, 1.0))
"""Networks trained on VGGFace2's loose crops, less the mean of that set (Cao et al., FG 2018)."""

PREPROCESSING_BY_INPUT_SIZE: Mapping[int, EmbedderPreprocessing] = {112: ARCFACE, 113: VGGFACE2}
"""What a network wants when nobody says it, by the side of its input in px."""


def read_embedder_json(path: Path) -> dict[str, Any]:
    """The JSON beside an embedder; empty when there is none. Raises SetupError when unusable."""
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SetupError(f"{path} is no JSON: {error}; correct or delete it") from error
    if not isinstance(told, dict):
        raise SetupError(f"{path} is no JSON object; correct or delete it")
    return told


def resolve_preprocessing(told: Mapping[str, Any], size: int) -> EmbedderPreprocessing:
    """What a network of that input size in px wants, by its row and by what its JSON says.

    Raises ValueError when they leave it open, or say what is not known here.
    """
    usual, crop = PREPROCESSING_BY_INPUT_SIZE.get(size), told.get("crop", {})
    if usual is None and "kind" not in crop:
        raise ValueError(
            f'of an input of {size} px nobody knows how faces are cut: say "crop": '
            '{"kind": "arcface" or "box", "margin": 1.0}'
        )
    kind = crop.get("kind", usual.crop if usual else None)
    order = str(told.get("order", "RGB"))
    if kind not in get_args(CropMethod) or order not in ("RGB", "BGR"):
        raise ValueError(f"crop {kind!r} and order {order!r} are not known")
    base = usual if usual and usual.crop == kind else ARCFACE if kind == "arcface" else VGGFACE2
    return replace(
        base,
        margin=float(crop.get("margin", base.margin)),
        # Our own rows are written red first.
        mean=_three(told.get("mean", base.mean[:: -1 if order == "BGR" else 1])),
        std=_three(told.get("std", base.std[:: -1 if order == "BGR" else 1])),
        order=order,
    )


def _three(values: Any) -> tuple[float, ...]:
    given = [float(it) for it in values] if isinstance(values, list | tuple) else [float(values)]
    if len(given) not in (1, 3):
        raise ValueError(f"one value for all channels or three, not {len(given)}")
    return tuple(given * (3 // len(given)))
