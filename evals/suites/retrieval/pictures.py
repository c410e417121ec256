"""Plots of face retrieval: similarity distributions with authentic and with forged mates."""

from collections.abc import Mapping

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset
from evals.suites.retrieval.ranking import Mates, RetrievalResult

KINDS = ("another person", "same person")


def draw(
    found: Mapping[Mates, RetrievalResult], measured: MeasuredDataset, options: EvalOptions
) -> None:
    """ROC, DET and histograms of the comparisons, and the embeddings in two dimensions."""
    if options.output is None:
        return
    from evals.plots.curves import det, histograms, roc
    from evals.plots.scatter import tsne, umap

    folder = options.output
    scored = {
        f"{mates} mates": (
            np.concatenate([one.genuine[0], one.impostor[0]]),
            np.repeat([True, False], [len(one.genuine[0]), len(one.impostor[0])]),
        )
        for mates, one in found.items()
        if len(one.genuine[0])
    }
    roc(folder, "verification-roc", scored, title="Verification of persons", kinds=KINDS)
    det(folder, "verification-det", scored, title="Verification of persons", kinds=KINDS)
    histograms(folder, "cosine", scored, title="Cosine similarity of face embeddings",
               x_label="cosine similarity", kinds=KINDS)  # fmt: skip
    known = measured.take(np.flatnonzero(measured.labelled))
    persons = [row.depicted_id for row in known.rows]
    for file, method, scatter in (("tsne", "t-SNE", tsne), ("umap", "UMAP", umap)):
        scatter(
            folder, f"embeddings-{file}", known.embeddings, known.forged, persons=persons,
            title=f"Face embeddings, {method}", seed=options.seed,
        )  # fmt: skip
