"""Forgery detectors for faces and images, from CLIP features, pixels or identities.

`protocol` defines what a detector is, `scoring` runs one, `calibration` turns its logits into
probabilities. Features are computed once, at indexing, so a `FeatureDetector` can score any number
of faces again at almost no cost; detectors that need pixels are for the leading hits.

Two lists define the available detectors. `FEATURE_HEADS` are the head files of a profile, whose
detectors make its verdict: to add one, write a class that implements the protocol and a line there.
`folders.DETECTOR_KINDS` are those in folders of their own, shipped or fitted by the user.
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

# File in the heads folder, input kind, loader.
FEATURE_HEADS: tuple[tuple[str, InputKind, Callable[..., FeatureDetector]], ...] = (
    ("face_linear.safetensors", "face", UnifdLinear.load),
    ("face_bank.safetensors", "face", UnifdNeighbours.load),
    ("image_linear.safetensors", "image", UnifdLinear.load),
    ("image_bank.safetensors", "image", UnifdNeighbours.load),
    # The head published by UniFD's authors, used for both inputs; see its docstring.
    (PUBLIC_HEAD, "face", UnifdLinear.load_public),
    (PUBLIC_HEAD, "image", UnifdLinear.load_public),
)


def load_detectors(folder: Path, encoder_sha256: str) -> list[FeatureDetector]:
    """Load the detectors whose heads are in `folder`, in a fixed order.

    Raises SetupError if there is none, or if a head was trained on an encoder other than
    `encoder_sha256`: its scores would be meaningless.
    """
    found = [
        load(folder / file, inputs=inputs, encoder_sha256=encoder_sha256)
        for file, inputs, load in FEATURE_HEADS
        if (folder / file).is_file()
    ]
    if not found:
        raise SetupError(f"{folder} has no detector head; see `unmask models verify`")
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
