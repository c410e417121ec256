"""Features probed by the suite `leakage`: detectors' inputs, scores, and references."""

from collections.abc import Sequence

import cv2
import numpy as np

from assistant.settings import Settings
from evals.protocol.measured import MeasuredDataset, load_models
from tools.checkpoints.store import PROFILES, locate
from tools.detectors import UnifdLinear
from tools.encoder.clip import Encoder
from tools.errors import SetupError

PIXELS_SIDE = 24
BATCH = 32


def features_of(measured: MeasuredDataset) -> dict[str, np.ndarray]:
    """Each kind of features (n, d) by name; all pictures must show a face.

    The face embedding is trained to identify persons and grey pixels need no network: they are the
    upper and lower reference. A detector score missing for any picture is left out, since it cannot
    be compared.
    """
    found = {
        "face embedding": measured.embeddings,
        "encoder face": measured.face_features,
        "encoder image": measured.image_features,
        "grey pixels": _pixels(measured),
    }
    scores = measured.scores()
    complete = {name: one for name, one in scores.items() if np.isfinite(one).all()}
    for name, values in complete.items():
        found[f"score {name}"] = values[:, None]
    if len(complete) > 1:
        found["all scores"] = np.stack([*complete.values()], axis=1)
    found |= _without_detectors(measured)
    return found | _other_encoders(measured)


def project_out(features: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Features (n, d) with their component along a direction (d,) removed: what a linear score
    ignores."""
    unit = direction / np.linalg.norm(direction)
    left: np.ndarray = features - np.outer(features @ unit, unit)
    return left


def _without_detectors(measured: MeasuredDataset) -> dict[str, np.ndarray]:
    """The features with the direction of each linear detector projected out."""
    found = {}
    for detector in load_models().detectors:
        if isinstance(detector, UnifdLinear):
            face = detector.inputs == "face"
            features = measured.face_features if face else measured.image_features
            name = f"encoder {detector.inputs} without {detector.name}"
            found[name] = project_out(features, detector.weight)
    return found


def _pixels(measured: MeasuredDataset) -> np.ndarray:
    """(n, 576) grey levels 0..1 of the aligned faces."""
    crops = [measured.face_crop(row, size=PIXELS_SIDE) for row in range(len(measured))]
    grey = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).ravel() for crop in crops]
    return np.array(grey, np.float32) / 255


def _other_encoders(measured: MeasuredDataset) -> dict[str, np.ndarray]:
    """Features of other profiles' encoders on this machine, with their original preprocessing."""
    settings = Settings.load()
    found = {}
    for profile, rows in PROFILES.items():
        if profile == settings.profile or "encoder" not in rows:
            continue
        try:
            folder = locate(rows["encoder"], settings.models_dir)
        except SetupError:
            continue  # never downloaded: one reference less
        encoder = Encoder.load(folder, threads=settings.threads)
        found[f"raw {rows['encoder'].name} face"] = _encoded(measured, encoder)
    return found


def _encoded(measured: MeasuredDataset, encoder: Encoder) -> np.ndarray:
    batches: Sequence[range] = [
        range(at, min(at + BATCH, len(measured))) for at in range(0, len(measured), BATCH)
    ]
    size, margin = encoder.image_size, encoder.face_margin
    return np.concatenate(
        [
            encoder.encode_images(
                [measured.face_crop(row, size=size, margin=margin) for row in batch]
            )
            for batch in batches
        ]
    )
