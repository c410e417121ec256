"""Detectors score authenticity, from features, pictures or identities; one file each.

What a detector is stands in `protocol`; `judging` asks any of them, `calibrating` reads their
logits as probabilities. Features are computed once, at indexing, so a `FeatureDetector` scores any
number of faces again at next to no cost; those that look at pixels are for the leading hits.

Two lists say which there are. `FEATURE_HEADS` are the files of a profile, whose detectors make its
verdict: to add one, write a class with the protocol's members and a line there. `shelf.KINDS` are
those that lie in folders of their own, shipped or fitted by the user.
"""

from collections.abc import Callable
from pathlib import Path

from tools.detectors.clip_heads.unifd_linear import PUBLIC_HEAD, UnifdLinear
from tools.detectors.clip_heads.unifd_neighbours import UnifdNeighbours
from tools.detectors.clip_heads.zero_shot import ZeroShot
from tools.detectors.networks.community_forensics import CommunityForensics
from tools.detectors.networks.image_classifier import ImageClassifier
from tools.detectors.protocol import (
    AnyDetector,
    FeatureDetector,
    IdentityDetector,
    InputKind,
    PixelDetector,
    qualified_name,
)
from tools.errors import SetupError

# File in the heads' folder, what it works on, how it is read.
FEATURE_HEADS: tuple[tuple[str, InputKind, Callable[..., FeatureDetector]], ...] = (
    ("face_linear.safetensors", "face", UnifdLinear.load),
    ("face_bank.safetensors", "face", UnifdNeighbours.load),
    ("image_linear.safetensors", "image", UnifdLinear.load),
    ("image_bank.safetensors", "image", UnifdNeighbours.load),
    # The head its authors published; it serves both, see its docstring.
    (PUBLIC_HEAD, "face", UnifdLinear.load_public),
    (PUBLIC_HEAD, "image", UnifdLinear.load_public),
)


def load_detectors(folder: Path, encoder_sha256: str) -> list[FeatureDetector]:
    """The detectors whose heads lie in `folder`, in a fixed order.

    Raises SetupError when there is none, and when a head was trained on another encoder than the
    one whose `sha256` is given: its scores would be numbers without meaning.
    """
    found = [
        load(folder / file, inputs=inputs, encoder_sha256=encoder_sha256)
        for file, inputs, load in FEATURE_HEADS
        if (folder / file).is_file()
    ]
    if not found:
        raise SetupError(f"no detector's head lies in {folder}; see `unmask models verify`")
    return found


__all__ = [
    "FEATURE_HEADS",
    "AnyDetector",
    "CommunityForensics",
    "FeatureDetector",
    "IdentityDetector",
    "ImageClassifier",
    "InputKind",
    "PixelDetector",
    "UnifdLinear",
    "UnifdNeighbours",
    "ZeroShot",
    "load_detectors",
    "qualified_name",
]
