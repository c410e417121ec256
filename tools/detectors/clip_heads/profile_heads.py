"""Variants of a profile's heads (k, preprocessing, prompts) and their calibrations.

One head has several variants: the neighbours for every k that the paper reports, and whole images
also in the preprocessing of UniFD's authors. Each variant is a detector with its own calibration.
The calibrations, including those of prompts, are in one file beside the heads, because variants
have no folders.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tools.detectors.calibration import Calibration, HasPreprocessing
from tools.detectors.clip_heads.unifd_linear import UnifdLinear
from tools.detectors.clip_heads.unifd_neighbours import NEIGHBOUR_COUNTS, UnifdNeighbours
from tools.detectors.clip_heads.zero_shot import ZeroShot
from tools.detectors.protocol import FeatureDetector, InputKind, qualified_name
from tools.encoder.clip import Encoder
from tools.errors import SetupError

CALIBRATIONS_FILE = "CALIBRATIONS.json"
DEFAULT_PROMPT_SET = "captions"
"""The prompt set whose detector is named just `prompts`."""

PromptPair = tuple[Sequence[str], Sequence[str]]
_INPUTS: tuple[InputKind, ...] = ("face", "image")


def read_calibrations(folder: Path) -> tuple[Calibration, ...]:
    """Read the calibrations beside the heads; empty if there is no such file.

    Raises SetupError if the file is damaged.
    """
    path = folder / CALIBRATIONS_FILE
    if not path.is_file():
        return ()
    try:
        return tuple(Calibration.from_json(row) for row in json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"{path} is damaged: {error}; install Unmask again") from error


def write_calibrations(folder: Path, found: Sequence[Calibration]) -> None:
    """Write the file for `read_calibrations`, one calibration per line."""
    lines = ",\n ".join(json.dumps(asdict(it)) for it in found)
    (folder / CALIBRATIONS_FILE).write_text(f"[\n {lines}\n]\n", "utf-8")


def calibration_of(detector: HasPreprocessing, known: Sequence[Calibration]) -> Calibration | None:
    """The calibration for this detector, checkpoint and preprocessing; None if never fitted."""
    return next((it for it in known if it.matches_detector(detector)), None)


def detector_variants(heads: Sequence[FeatureDetector]) -> Iterator[FeatureDetector]:
    """The heads, each followed by its other variants.

    Face crops are made at the encoder's size, which both preprocessings leave unchanged, so only
    whole images have an `official` variant.
    """
    for head in heads:
        yield head
        yield from _official(head)
        if isinstance(head, UnifdNeighbours):
            for k in NEIGHBOUR_COUNTS:
                if k != head.k and k <= min(len(head.real), len(head.fake)):
                    other = replace(head, k=k, name=f"{head.name}_k{k}")
                    yield other
                    yield from _official(other)


def _official(head: FeatureDetector) -> Iterator[FeatureDetector]:
    if not isinstance(head, UnifdLinear | UnifdNeighbours):
        return
    if head.inputs == "image" and head.preprocessing != "official":
        yield replace(head, preprocessing="official")


def zero_shot_detectors(encoder: Encoder, sets: Mapping[str, PromptPair]) -> Iterator[ZeroShot]:
    """A zero-shot detector for every prompt set (real texts, fake texts), for face and image."""
    for name, (real, fake) in sets.items():
        called = "prompts" if name == DEFAULT_PROMPT_SET else f"prompts_{name}"
        for inputs in _INPUTS:
            yield ZeroShot.from_prompts(encoder, real=real, fake=fake, inputs=inputs, name=called)


def variant_name(detector: HasPreprocessing) -> str:
    """Name of a variant in tables: the qualified name, plus "official" for that preprocessing."""
    official = detector.preprocessing == "official"
    return f"{qualified_name(detector)} official" if official else qualified_name(detector)
