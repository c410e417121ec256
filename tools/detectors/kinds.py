"""Loads a detector of any kind from its folder.

To add a kind, write its detector, a row in `DETECTOR_LOADERS`, and its name in
`folders.DETECTOR_KINDS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tools.detectors.folders import (
    MEND,
    TOWER_KINDS,
    WEIGHTS_FILE,
    StoredDetector,
    training_command,
)
from tools.detectors.protocol import AnyDetector, IdentityDetector, IdentityRole
from tools.encoder.clip import Encoder
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError

DetectorLoader = Callable[[StoredDetector, Encoder], AnyDetector]


def _caddm(found: StoredDetector, encoder: Encoder) -> AnyDetector:
    from tools.detectors.networks.caddm import Caddm

    return Caddm.load(found)


def _classifier(found: StoredDetector, encoder: Encoder) -> AnyDetector:
    from tools.detectors.networks.classifier import ClassifierNetwork

    return ClassifierNetwork.load(found)


def _gend(found: StoredDetector, encoder: Encoder) -> AnyDetector:
    from tools.detectors.clip_heads import gend
    from tools.detectors.clip_heads.norm_tuned import NormTunedDetector

    # The published layout has a config and its own tower.
    if (found.folder / gend.CONFIG).is_file():
        published = gend.Gend.load(found.folder)
        return replace(published, name=found.about.name, sha256=found.sha256)
    tuned = NormTunedDetector.load(found.folder / WEIGHTS_FILE, encoder=encoder)
    return replace(tuned, name=found.about.name, sha256=found.sha256)


def _repdfd(found: StoredDetector, encoder: Encoder) -> AnyDetector:
    from tools.detectors.clip_heads.repdfd import Repdfd

    whose: IdentityRole = "query" if found.about.kind == "repdfd_query" else "candidate"
    read = Repdfd.load(found.folder / WEIGHTS_FILE, encoder=encoder, identity=whose)
    return replace(read, display_name=found.about.name, checkpoint=found.sha256)


def _patches(found: StoredDetector, encoder: Encoder) -> AnyDetector:
    from tools.detectors.clip_heads.patches import PatchDetector

    return PatchDetector.load(found, encoder)


def _tower_head(found: StoredDetector, tower: PretrainedTower | None) -> AnyDetector:
    from tools.detectors.clip_heads.tower_head import TowerHead

    if tower is None:
        raise SetupError(f"{found.title} reads the pretrained CLIP tower: run `unmask setup`")
    return TowerHead.load(found, tower)


def _head(found: StoredDetector, encoder: Encoder) -> AnyDetector:
    """A detector on the encoder's features, named as in its folder's description.

    `settings` may set its preprocessing and, for neighbours, `k`.
    """
    from tools.detectors.clip_heads.prompt_tuning import ClipAdapter, Coop, LinearProbe
    from tools.detectors.clip_heads.unifd_linear import UnifdLinear
    from tools.detectors.clip_heads.unifd_neighbours import UnifdNeighbours

    heads: Mapping[str, Callable[..., Any]] = {
        "unifd_linear": UnifdLinear.load,
        "unifd_neighbours": UnifdNeighbours.load,
        "coop": Coop.load,
        "clip_adapter": ClipAdapter.load,
        "linear_probe": LinearProbe.load,
    }
    about, file = found.about, found.folder / WEIGHTS_FILE
    options = {
        name: value for name, value in (about.settings or {}).items()
        if name == "preprocessing" or (name == "k" and about.kind == "unifd_neighbours")
    }  # fmt: skip
    head = heads[about.kind](file, inputs=about.inputs, encoder_sha256=encoder.sha256, **options)
    named: AnyDetector = replace(head, name=about.name, sha256=found.sha256)
    return named


DETECTOR_LOADERS: Mapping[str, DetectorLoader] = {
    "unifd_linear": _head,
    "unifd_neighbours": _head,
    "coop": _head,
    "clip_adapter": _head,
    "linear_probe": _head,
    "gend": _gend,
    "repdfd": _repdfd,
    "repdfd_query": _repdfd,
    "classifier": _classifier,
    "sbi": _caddm,
    "caddm": _caddm,
    "sbi_caddm": _caddm,
    "patches": _patches,
}
"""Loaders of all detector kinds, by name."""


def load_detector(
    found: StoredDetector,
    encoder: Encoder,
    *,
    tower: PretrainedTower | None = None,
    embedder_sha256: str | None = None,
) -> AnyDetector:
    """Load a detector. Raises SetupError if its encoder, tower or weights do not match.

    `encoder` is the profile's; detectors with their own network ignore it. `tower` is the one of
    `unmask setup`, None if it is not installed. `embedder_sha256` is the
    face embedder in use: detectors that take an identity accept only the embedder they were trained
    with. Pass None if no embedding will be given.
    """
    if found.about.kind in TOWER_KINDS:
        return _tower_head(found, tower)
    wanted = found.about.encoder_sha256
    if wanted not in (None, encoder.sha256):
        raise SetupError(
            f"{found.folder} was trained on the encoder {wanted!r}, in use is "
            f"{encoder.sha256!r}: train it again ({training_command(found.about.kind)})"
        )
    try:
        detector = DETECTOR_LOADERS[found.about.kind](found, encoder)
    except (KeyError, TypeError, ValueError) as error:
        raise SetupError(
            f"{found.folder} does not fit its kind, {found.about.kind!r} ({error!r}); {MEND}"
        ) from error
    if isinstance(detector, IdentityDetector) and embedder_sha256 is not None:
        learnt = detector.embedder_sha256
        if learnt not in ("", embedder_sha256):
            raise SetupError(
                f"{found.folder} was trained with the face embedder {learnt!r}, in use is "
                f"{embedder_sha256!r}: train it again ({training_command(found.about.kind)})"
            )
    return detector
