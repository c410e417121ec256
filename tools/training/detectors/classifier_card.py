"""Test figures and model card of a trained classifier."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.detectors.networks.class_labels import ClassMapping, LabelMeaning
from tools.training.data.class_folders import ClassFolderDataset, LabelledImage, Split, split_sha256
from tools.training.detectors.classifier_run import ClassifierOptions, TrainingProgress

CARD = "CARD.md"


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierEvaluation:
    """Test figures by name, and the confusion matrix (k, k): true class by row, predicted by
    column.

    `figures` are `pictures`, `accuracy`, `macro f1`, `majority accuracy`, `majority macro f1`
    (always predicting the most common class) and `auc fake against real`; figures that cannot be
    measured are absent.
    """

    figures: Mapping[str, float]
    confusion: np.ndarray
    classes: ClassMapping
    at: TrainingProgress


def measured(
    probabilities: np.ndarray, true: np.ndarray, classes: ClassMapping, *, at: TrainingProgress
) -> ClassifierEvaluation:
    """Figures from probabilities (n, k) and true class indices (n,)."""
    from sklearn.metrics import roc_auc_score

    count = len(classes.labels)
    counts = _confusion(true, probabilities.argmax(axis=1), count)
    commonest = np.full(len(true), np.bincount(true, minlength=count).argmax())
    always = _confusion(true, commonest, count)
    figures = {
        "pictures": float(len(true)),
        "accuracy": _accuracy(counts), "macro f1": macro_f1(counts),
        "majority accuracy": _accuracy(always), "majority macro f1": macro_f1(always),
    }  # fmt: skip
    fake = probabilities[:, list(classes.fake)].sum(axis=1)
    forged = np.isin(true, classes.fake)
    if 0 < forged.sum() < len(forged):
        figures["auc fake against real"] = float(roc_auc_score(forged, fake))
    return ClassifierEvaluation(figures, counts, classes, at)


def macro_f1(counts: np.ndarray) -> float:
    """Mean of 2·TP / (true + predicted) over the classes that occur."""
    sizes = counts.sum(axis=0) + counts.sum(axis=1)
    there = sizes > 0
    return float((2 * np.diag(counts)[there] / sizes[there]).mean())


def _accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum())


def _confusion(true: np.ndarray, named: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(true * count + named, minlength=count * count).reshape(count, count)


def write(
    folder: Path,
    trained: ClassifierEvaluation,
    options: ClassifierOptions,
    *,
    found: ClassFolderDataset,
    parts: Mapping[Split, Sequence[LabelledImage]],
    task: tuple[Mapping[str, LabelMeaning], Mapping[str, int]],
) -> None:
    """Write the card; `task` gives the meaning of each class and the class of each folder."""
    text = "\n\n".join([
        f"# {folder.name}",
        _recipe(trained, options),
        _data(found, parts, task),
        "## On the test part\n\nMeasured once, after training; not used for model selection.\n\n"
        + _rows(["figure", "value"], [[k, f"{v:.4g}"] for k, v in trained.figures.items()]),
        "Confusion matrix, true class by row:\n\n" + _matrix(trained),
        "## Training curve\n\n" + _curve(trained.at),
        _LIMITS,
    ])  # fmt: skip
    (folder / CARD).write_text(text + "\n", "utf-8")


_LIMITS = """## Limits

It always predicts one of its own classes; an unknown generator gets the name of another. It may
rely on other differences between the folders (size, crop, compression, source) instead of traces
of the generator. Its probabilities are not calibrated. A detector may fail on pictures unlike its
training data: measure it on yours (`python -m evals run attribution --data DIR`)."""


def _recipe(trained: ClassifierEvaluation, options: ClassifierOptions) -> str:
    at = trained.at
    loss = "AdaGrad, binary cross-entropy" if options.binary else "Adam, cross-entropy"
    began = "random weights" if options.start is None else f"the weights of {options.start.name}"
    why = {
        "epochs": "all epochs were completed",
        "minutes": "the time limit was reached: it may not have converged",
        "patience": "it no longer improved",
    }
    said = (
        f"{options.network} on whole pictures of {options.height} × {options.width} px, from "
        f"{began}; {loss}, constant rate. {at.step} steps in {at.spent_s / 60:.1f} minutes; ended "
        f"because {why[at.ended_by]}. The weights are those of step {at.best_step}, at the "
        f"lowest validation loss ({at.best_loss:.4g})."
    )
    told = [[name, str(value)] for name, value in options.told().items()]
    return said + "\n\n" + _rows(["told", "value"], told)


def _data(
    found: ClassFolderDataset,
    parts: Mapping[Split, Sequence[LabelledImage]],
    task: tuple[Mapping[str, LabelMeaning], Mapping[str, int]],
) -> str:
    meanings, targets = task
    names = list(meanings)
    counts = {part: Counter(it.label for it in parts[part]) for part in parts}
    rows = [
        [folder, names[place], meanings[names[place]]]
        + [str(counts[part][folder]) for part in parts]
        for folder, place in targets.items()
    ]
    groups = ", ".join(
        f"{len({it.group for it in pictures})} to {part}" for part, pictures in parts.items()
    )
    return (
        "## Data\n\n"
        + _rows(["folder", "class", "meaning", *parts], rows)
        + f"\n\nPersons or originals: {groups}; none is in two parts. Split {split_sha256(parts)}. "
        f"Left out: {len(found.skipped)} undecodable files, {found.copies} copies."
    )


def _matrix(trained: ClassifierEvaluation) -> str:
    labels = list(trained.classes.labels)
    rows = [[label, *map(str, row)] for label, row in zip(labels, trained.confusion, strict=True)]
    return _rows(["", *labels], rows)


def _curve(at: TrainingProgress) -> str:
    if not at.curve:
        return "Training ended before the first validation."
    rows = [[f"{value:.4g}" for value in found.values()] for found in at.curve]
    return _rows([*at.curve[0]], rows)


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
