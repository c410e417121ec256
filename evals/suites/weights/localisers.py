"""Do heat maps point at the forged region, and at none in an authentic photograph?

LFW's `val` persons; region swaps and inpainting by our own forge, whose changed regions are
known, beside the authentic photographs; both as JPEGs of one quality (75 to 95). Faces and
landmarks come from the shipped analyser, as in an investigation.

- `top_is_forged`: how often the region with the highest value was forged, with the rate of a random
  region (`chance`).
- `strong_was_forged`, `read_was_forged`: of the regions that read strong (strong or weak) in
  forgeries, the share that was forged.
- `forged_regions_read`: of the forged regions, the share that read strong or weak.
- `authentic_strong`, `authentic_read`: authentic photographs with at least one such region.
- `compared`: all localisers compared, see `evals.suites.weights.localiser_comparison`.

Does not show: results on forgeries that the forge does not make.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.suites.weights.localiser_comparison import compare_localisers
from tools.detectors import FeatureDetector
from tools.localisers import LOCALISERS, REGIONS, Localiser
from tools.localisers.regions import localise_with
from tools.training.data.forgery_pool import LfwPhotographs, forged_pair, through_jpeg

FAMILIES = ("region_swap", "inpainting")
PHOTOS, SLOW_PHOTOS = 150, 40
"""Photographs, each used authentic and forged once; fewer for a localiser without readings."""


@dataclass(frozen=True, slots=True, eq=False)
class LocaliserReading:
    """One localiser's values and readings of one photograph, in the order of `REGIONS`."""

    family: str
    forged: np.ndarray
    values: np.ndarray
    reads: tuple[str, ...]


def run(options: EvalOptions) -> dict[str, object]:
    """The figures of every localiser supported by this encoder; `limit` caps the photographs."""
    parts = LoadedModels(Settings.load())
    figures: dict[str, object] = {
        localiser.name: _figures(list(_readings(parts, localiser, options)))
        for localiser in LOCALISERS
        if _works(localiser, parts)
    }
    return {**figures, "compared": compare_localisers(parts, options)}


def _works(localiser: Localiser, parts: LoadedModels) -> bool:
    grey = np.full((parts.encoder.image_size, parts.encoder.image_size, 3), 127, np.uint8)
    return localiser.heatmap(grey, encoder=parts.encoder, head=_head(parts)) is not None


def _head(parts: LoadedModels) -> FeatureDetector:
    return next(it for it in parts.detectors if it.inputs == "face")


def _readings(
    parts: LoadedModels, localiser: Localiser, options: EvalOptions
) -> Iterator[LocaliserReading]:
    faces, rng = LfwPhotographs.load(options.data, split="val"), np.random.default_rng(options.seed)
    most = options.limit or (SLOW_PHOTOS if localiser.strong is None else PHOTOS)
    for number, index in enumerate(rng.permutation(len(faces.paths))[:most]):
        family = FAMILIES[number % len(FAMILIES)]
        pair = forged_pair(faces, int(index), family=family, rng=rng)
        if pair is None:
            continue
        quality = int(rng.integers(75, 96))
        for pixels, regions, kind in (
            (pair.real, (), "authentic"), (pair.fake, pair.regions, family),
        ):  # fmt: skip
            found = _read(parts, localiser, through_jpeg(pixels, quality))
            if found is not None:
                truth = np.array([name in regions for name in REGIONS])
                yield LocaliserReading(kind, truth, *found)


def _read(
    parts: LoadedModels, localiser: Localiser, pixels: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Values and readings of the central face; None if there is none."""
    centre = np.array([pixels.shape[1], pixels.shape[0]]) / 2
    found = parts.faces.analyse([pixels])[0]
    if not found:
        return None
    face = min(found, key=lambda it: float(np.linalg.norm(it.keypoints.mean(axis=0) - centre)))
    located = localise_with(localiser, pixels, face, encoder=parts.encoder, head=_head(parts))
    if located is None:
        return None
    values = [np.nan if it.value is None else it.value for it in located.evidence]
    return np.array(values), tuple(it.reads for it in located.evidence)


def _figures(readings: Sequence[LocaliserReading]) -> dict[str, object]:
    authentic = [it for it in readings if it.family == "authentic"]
    figures: dict[str, object] = {
        "authentic_photos": len(authentic),
        "authentic_strong": _share("strong" in it.reads for it in authentic),
        "authentic_read": _share({"strong", "weak"} & set(it.reads) for it in authentic),
    }
    for family in FAMILIES:
        figures[family] = _of_family([it for it in readings if it.family == family])
    return figures


def _of_family(readings: Sequence[LocaliserReading]) -> dict[str, float]:
    known = [it for it in readings if it.forged.any()]
    each = [
        (was, reads)
        for it in known
        for was, reads in zip(it.forged, it.reads, strict=True)
    ]  # fmt: skip
    return {
        "photos": len(known),
        "top_is_forged": _share(it.forged[int(np.nanargmax(it.values))] for it in known),
        "chance": float(np.mean([it.forged.mean() for it in known])) if known else float("nan"),
        "strong_was_forged": _share(was for was, reads in each if reads == "strong"),
        "read_was_forged": _share(was for was, reads in each if reads in ("strong", "weak")),
        "forged_regions_read": _share(reads in ("strong", "weak") for was, reads in each if was),
    }


def _share(flags: Iterable[object]) -> float:
    known = [bool(flag) for flag in flags]
    return float(np.mean(known)) if known else float("nan")
