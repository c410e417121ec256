"""Reproduce the project's first experiment, end to end on any data set with identities.

Lee & Ha 2024 used UniFD as published (94 % of the authentic and 42 % of the forged pictures of one
data set correct; 99 % and 1 % on Celeb-DF) and plotted the features of encoder and face embedder by
real/fake and by identity. Here, on the same pictures:

- *unifd_as_published*: the whole picture, cropped in its centre without resizing, as UniFD's own
  evaluation does; with the head that its authors published where the profile has it, else with the
  profile's own (`checkpoints` says which);
- *unifd_whole_image*: the same on the resized picture; *unifd_face_crop*: on aligned face crops;
- *fused*: the verdict's rule without a query;
- *query_aware*: the rule with the query most similar to the face, whoever it depicts.

Each calls a picture forged above a probability of 0.5. *retrieval mAP*: impersonations ranked by
P(same person) · P(forged), over the protocol of `evals.protocol`; query photos are in no figure.
`average_accuracy` is the mean of the two classes, `accuracy` counts pictures, as the slides'
"average" for Celeb-DF did.

Does not show: the effect of a query of another person (the rule then ignores it), nor general
results if the data are a handful of demo pictures: see `note`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from evals.options import EvalOptions
from evals.protocol.data import prepare_dataset
from evals.protocol.duplicates import near_duplicates
from evals.protocol.measured import MeasuredDataset
from evals.protocol.protocol import build_plan
from evals.runs.peers import align_scores, read_scores
from evals.runs.samples import SampleWriter
from evals.suites.impersonation.figures import ORDERS, average_precisions, summary
from evals.suites.impersonation.search_results import RankedImage, SearchResult, run_queries
from evals.suites.reproduction.pictures import draw
from evals.suites.reproduction.systems import checkpoints, systems
from tools.errors import SetupError
from tools.metrics import accuracies, auc, auc_interval, grouped_interval

SMALL = 200
"""With fewer forgeries, figures show that the experiment runs, not performance."""


def run(options: EvalOptions) -> dict[str, object]:
    """Accuracies, AUC and retrieval mAP of every system, and of other systems' scores."""
    data = prepare_dataset(options)
    measured = data.measured
    how = build_plan(
        measured.rows, measured.found, seed=options.seed, alike=near_duplicates(measured)
    )  # fmt: skip
    if not how.questions:
        raise SetupError(f"no person in {str(options.data)!r} has both a photo and a forgery")
    made = run_queries(measured, how, options)
    gallery = measured.take(how.gallery)
    queries = [measured.query(it.references) for it in how.questions if it.references]
    scores = systems(gallery, queries, options)
    scores |= {
        f"peer {name}": align_scores(read_scores(file), gallery.ids).values
        for name, file in options.peers
    }
    draw(measured, gallery, scores, options)
    _keep(gallery, scores, data.manifest.name, options)
    return {
        **data.figures(),
        "note": note(gallery),
        "checkpoints": checkpoints(),
        "authentic": int((gallery.labelled & ~gallery.forged).sum()),
        "forged": int(gallery.forged.sum()),
        "queries": len(how.questions),
        "left_out": dict(how.left_out),
        "systems": {
            name: _figures(gallery, column, made, options.seed) for name, column in scores.items()
        },
        "rule_order": summary("mAP", average_precisions(made, ORDERS["mAP"]), seed=options.seed),
    }


def note(gallery: MeasuredDataset) -> str:
    """Limits of the conclusions, given the size of the data."""
    forged = [row for row in gallery.rows if row.label == "fake"]
    persons = len({row.depicted_id for row in forged})
    frames = sum(row.video_id is not None for row in forged)
    size = f"{len(forged)} forgeries of {persons} persons, {frames} of them frames of clips"
    return size if len(forged) >= SMALL else f"smoke test, not a benchmark: {size}"


def _figures(
    gallery: MeasuredDataset, probabilities: np.ndarray, made: Sequence[SearchResult], seed: int
) -> dict[str, object]:
    """Figures of one system; NaN if a class is missing. Pictures without a score are left out and
    counted."""
    labels, groups = gallery.forged, gallery.groups
    found = accuracies(probabilities, labels)
    figures: dict[str, object] = {"without_a_score": int(np.isnan(probabilities).sum())}
    for name, of in _ACCURACIES.items():
        figures[name] = getattr(found, of)

        def statistic(values: np.ndarray, truth: np.ndarray, of: str = of) -> float:
            return float(getattr(accuracies(values, truth), of))

        figures[f"{name}_95"] = grouped_interval(
            statistic, groups, probabilities, labels, seed=seed
        )  # fmt: skip
    figures["auc"] = auc(probabilities, labels)
    figures["auc_95"] = auc_interval(probabilities, labels, groups, seed=seed)
    by_file = _by_file(gallery, probabilities)

    def order(it: RankedImage) -> float:
        fake = by_file.get(it.id)
        return -0.5 if it.same is None or fake is None else it.same * fake

    return figures | summary("retrieval_mAP", average_precisions(made, order), seed=seed)


def _by_file(gallery: MeasuredDataset, probabilities: np.ndarray) -> dict[str, float]:
    """The mean over the scored frames of each file."""
    frames: dict[str, list[float]] = defaultdict(list)
    for row, value in zip(gallery.rows, probabilities, strict=True):
        if not np.isnan(value):
            frames[row.path].append(float(value))
    return {path: float(np.mean(values)) for path, values in frames.items()}


_ACCURACIES: Mapping[str, str] = {
    "real_accuracy": "real",
    "fake_accuracy": "fake",
    "average_accuracy": "average",
    "accuracy": "accuracy",
}


def _keep(
    gallery: MeasuredDataset, scores: Mapping[str, np.ndarray], name: str, options: EvalOptions
) -> None:
    samples, groups = SampleWriter(options.output), gallery.groups
    for place, row in enumerate(gallery.rows):
        if gallery.labelled[place]:
            samples.score(
                id=gallery.ids[place],
                group=str(groups[place]),
                set=name,
                label=int(row.label == "fake"),
                scores={system: float(column[place]) for system, column in scores.items()},
                method=row.method,
            )
