"""Plots of the reproduced experiment: features by real/fake and by person, ROC, histograms."""

from collections.abc import Mapping

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset


def draw(
    measured: MeasuredDataset,
    gallery: MeasuredDataset,
    scores: Mapping[str, np.ndarray],
    options: EvalOptions,
) -> None:
    """t-SNE and UMAP of all features, ROC and histograms of all systems, for a run's folder."""
    if options.output is None:
        return
    from evals.plots.curves import histograms, roc
    from evals.plots.scatter import tsne, umap

    known = measured.take(np.flatnonzero(measured.labelled))
    features = {
        "encoder-image": ("Encoder features of whole pictures", known.image_features),
        "encoder-face": ("Encoder features of face crops", known.face_features),
        "face-embedding": ("Face embeddings", known.embeddings),
    }
    persons = [row.depicted_id for row in known.rows]
    done = 0
    for name, (title, values) in features.items():
        for method, scatter in (("t-SNE", tsne), ("UMAP", umap)):
            options.progress(done, 2 * len(features), "pictures")
            scatter(
                options.output, f"{name}-{method.replace('-', '').lower()}", values,
                known.forged, persons=persons, title=f"{title}, {method}", seed=options.seed,
            )  # fmt: skip
            done += 1
    scored = {
        name.replace("_", " "): (column, gallery.forged) for name, column in scores.items()
    }  # fmt: skip
    roc(options.output, "roc", scored, title="Authentic or forged")
    histograms(
        options.output, "probabilities", scored, title="Probability of forgery",
        x_label="probability", threshold=0.5,
    )  # fmt: skip
