"""Map thresholds: a heat map shows a finding only above the values of authentic photographs.

Every map has a maximum somewhere. It is compared with the maxima of authentic photographs of
persons not used in any training: of each kind of photograph at most a share `alpha` shows a
finding. Fitted by `python -m tools.training.calibration.map_scales` for one encoder; for other
encoders there is no threshold, and their maps stay unchanged.
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
"""Maps whose maximum is the strongest region, or the region farthest from the query photos."""

SMALL_PICTURE, LARGE_PICTURE = "small_picture_map", "large_picture_map"
"""Whole-image maps, by their strongest cells. Large images have more and sharper cells."""

SMALL_PX = 320
"""Maximum longest side of a small image, in px."""

NO_FINDING_TEXT = "nothing stands out from authentic photographs"


@dataclass(frozen=True, slots=True)
class MapThreshold:
    """A map with a maximum above `finding`, in the map's own unit, shows a finding.

    At most `alpha` of the authentic photographs of each kind exceed it; `persons` counts the
    persons by kind (for web photographs, with few persons, the photographs). Does not show: the
    rate for other kinds of photographs, such as scans or screens.
    """

    finding: float
    alpha: float
    persons: Mapping[str, int]


def image_map_name(height: int, width: int) -> str:
    """Name of the whole-image map for an image of this size (px)."""
    return SMALL_PICTURE if max(height, width) <= SMALL_PX else LARGE_PICTURE


def map_threshold(
    name: str, encoder: object, *, path: Path = MAP_THRESHOLDS_FILE
) -> MapThreshold | None:
    """The threshold of a map by this encoder; None if it was not measured."""
    return read_map_thresholds(path).get((str(getattr(encoder, "sha256", "")), name))


@cache
def read_map_thresholds(path: Path = MAP_THRESHOLDS_FILE) -> Mapping[tuple[str, str], MapThreshold]:
    """By (encoder sha256, map name); raises SetupError if the file is damaged."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        return {
            (str(content["encoder_sha256"]), str(name)): MapThreshold(
                float(row["finding"]), float(row["alpha"]), dict(row["persons"])
            )
            for name, row in content["maps"].items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{path} cannot be used: {error}; see `unmask models verify`") from error
