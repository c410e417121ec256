"""The systems of the reproduced experiment: probabilities of forgery, one column each."""

from collections.abc import Mapping, Sequence

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models
from tools.checkpoints.store import PROFILES, locate
from tools.checkpoints.table import PUBLIC_HEAD
from tools.detectors import FeatureDetector, UnifdLinear
from tools.search.query import Query
from tools.search.scoring import score_faces

BATCH = 16
HEAD = "unifd_linear"


def systems(
    pictures: MeasuredDataset, queries: Sequence[Query], options: EvalOptions
) -> dict[str, np.ndarray]:
    """Every system's probability (n,) float64 that a picture is forged; NaN: not measured."""
    scores = pictures.scores()
    found = {"unifd_as_published": _sigmoid(_as_published(pictures, options))}
    for name, column in (("unifd_whole_image", "image"), ("unifd_face_crop", "face")):
        if f"{column}/{HEAD}" in scores:
            found[name] = _sigmoid(scores[f"{column}/{HEAD}"])
    found["fused"] = pictures.fused()
    found["query_aware"] = query_aware(pictures, queries)
    return found


def query_aware(pictures: MeasuredDataset, queries: Sequence[Query]) -> np.ndarray:
    """The rule's probability of forgery (n,), each face with its most similar query."""
    values, rule = np.full(len(pictures), np.nan), load_models().rule
    seen = np.flatnonzero(pictures.found)
    if rule is None or not len(queries) or not len(seen):
        return values
    templates = np.stack([query.template for query in queries])
    nearest = (pictures.embeddings[seen] @ templates.T).argmax(axis=1)
    for number in np.unique(nearest):
        rows = seen[nearest == number]
        some = pictures.take(rows)
        compared = score_faces(queries[number], some.columns, detectors=load_models().detectors)
        for row, face, scores in zip(rows, some.faces, compared, strict=True):
            usable = face is not None and face.face.quality.usable
            probability = rule.assess(scores, usable=usable).fake_probability
            values[row] = np.nan if probability is None else probability
    return values


def published_head() -> tuple[FeatureDetector, bool]:
    """The linear head for whole pictures, and whether it is the published UniFD head."""
    settings = load_models().settings
    folder = locate(PROFILES[settings.profile]["heads"], settings.models_dir)
    if (folder / PUBLIC_HEAD).is_file():
        sha256 = load_models().encoder.sha256
        return UnifdLinear.load_public(
            folder / PUBLIC_HEAD, inputs="image", encoder_sha256=sha256, preprocessing="official"
        ), True
    own = [it for it in load_models().detectors if (it.inputs, it.name) == ("image", HEAD)]
    return own[0], False


def checkpoints() -> Mapping[str, str]:
    """Description of the checkpoints used in place of UniFD."""
    _, public = published_head()
    size = load_models().encoder.image_size
    own = f"the {load_models().profile} profile's own image head, not the published one"
    return {
        "encoder_sha256": load_models().encoder.sha256,
        "unifd_head": f"published ({PUBLIC_HEAD})" if public else own,
        "unifd_preprocessing": f"official: centre {size}×{size} px, not resized",
    }


def _as_published(pictures: MeasuredDataset, options: EvalOptions) -> np.ndarray:
    """Logits (n,) of the whole pictures, preprocessed as in UniFD's `validate.py`."""
    head, _ = published_head()
    logits = []
    for start in range(0, len(pictures), BATCH):
        options.progress(start, len(pictures), "UniFD as published")
        some = range(start, min(start + BATCH, len(pictures)))
        features = load_models().encoder.encode_images(
            [pictures.picture(index) for index in some], mode="official"
        )
        logits.append(head.score(features))
    return np.concatenate([*logits, np.empty(0)])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700)))
    return found
