"""From what strength on a map says anything: what authentic photographs reach too is no finding.

A map lights up somewhere in every picture. Its strongest value is held against those of authentic
photographs of persons whom nothing was trained on: of each kind of photograph at most a share
`alpha` shows anything. Fitted by `python -m tools.training.calibration.map_scales` for one encoder;
for another one nothing is known, and its maps stay as they are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError

MAP_THRESHOLDS_FILE = WEIGHTS_DIR / "references" / "map_scales.json"
TOWER, DISTANCE = "tower_map", "distance_map"
"""Strongest region of the face, farthest region from the query photos."""

SMALL_PICTURE, LARGE_PICTURE = "small_picture_map", "large_picture_map"
"""Strongest places of a whole picture. A large one has more of them, and sharper ones."""

SMALL_PX = 320
"""Longest side of a small picture."""

NO_FINDING_TEXT = "nothing stands out from authentic photographs"


@dataclass(frozen=True, slots=True)
class MapThreshold:
    """A map whose strongest value is above `finding` says something, in the map's own unit.

    At most `alpha` of the authentic photographs of each kind do; `persons` were counted by kind
    (of web photographs, which show few persons, the photographs).
    Does not show: what other kinds of photographs do, such as scans or screens.
    """

    finding: float
    alpha: float
    persons: Mapping[str, int]


def image_map_name(height: int, width: int) -> str:
    """The name of the map of a whole picture of this size (px)."""
    return SMALL_PICTURE if max(height, width) <= SMALL_PX else LARGE_PICTURE


def map_threshold(
    name: str, encoder: object, *, path: Path = MAP_THRESHOLDS_FILE
) -> MapThreshold | None:
    """How a map by this encoder is to be read; None where nobody measured it."""
    return read_map_thresholds(path).get((str(getattr(encoder, "sha256", "")), name))


@cache
def read_map_thresholds(path: Path = MAP_THRESHOLDS_FILE) -> Mapping[tuple[str, str], MapThreshold]:
    """By (sha256 of the encoder, name of the map); raises SetupError for a damaged file."""
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text("utf-8"))
        return {
            (str(told["encoder_sha256"]), str(name)): MapThreshold(
                float(it["finding"]), float(it["alpha"]), dict(it["persons"])
            )
            for name, it in told["maps"].items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{path} cannot be used: {error}; see `unmask models verify`") from error
