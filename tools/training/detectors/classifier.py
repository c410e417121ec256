"""Train an image classifier on a folder per class: fake vs. real, or which generator was used.

    python -m tools.training.detectors.classifier NETWORK DIR --out FOLDER [--binary]

NETWORK is efficientnet_b0, tf_efficientnet_lite0, resnet50, vit_tiny_patch16_224 or small_cnn. The
defaults follow Goia, "Deepfake Detection in Facial Images": pictures of 218 × 178 px, batches of
32, learning rate 1e-4, at most 15 epochs, Adam and cross-entropy (with --binary AdaGrad and binary
cross-entropy), 70 % training, 15 % validation, 15 % test. Unlike the thesis, no person and no
original is in two parts (`class_folders`), training stops early, and an interrupted run resumes
when it is started again. The thesis started from ImageNet weights: --start takes such a file, for
Lite0 that of `unmask setup`, MODELS/parts/efficientnet_lite0/model.safetensors.

FOLDER becomes a detector (`tools.detectors.folders`): weights, detector.json, CARD.md with the test
figures, and split.json. FOLDER/training holds the checkpoint and may be deleted. If MLflow is
installed, the run is tracked in a local store, mlflow.db beside FOLDER. The same networks with a
calibration: `unmask fit efficientnet --real DIR/real --fake DIR`.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tools.detectors.folders import DESCRIPTION_FILE, StoredDetector
from tools.detectors.networks.architectures import ARCHITECTURES
from tools.detectors.networks.class_labels import LabelMeaning
from tools.detectors.networks.classifier import ClassifierNetwork, save_classifier
from tools.errors import SetupError
from tools.media.pictures.decoding import read_photo
from tools.training.data import class_folders
from tools.training.data.class_folders import (
    SPLIT,
    ClassFolderDataset,
    LabelledImage,
    label_meanings,
    split_by_group,
    write_split,
)
from tools.training.detectors.classifier_card import CARD, ClassifierEvaluation, measured, write
from tools.training.detectors.classifier_run import (
    ClassifierOptions,
    ClassifierRun,
    Progress,
    TrainingProgress,
)
from tools.training.tracking import (
    TrackedRun,
    log_run,
    mlflow_installed,
    require_mlflow,
    resolve_store_uri,
)

UNSAID = "not stated: depends on the licence of the training pictures"


@dataclass(frozen=True, slots=True)
class ClassificationTask:
    """The classification task: `classes` in output order, and the class index of each folder."""

    classes: dict[str, LabelMeaning]
    targets: dict[str, int]

    @classmethod
    def from_labels(
        cls, labels: Sequence[str], *, binary: bool, real: Sequence[str]
    ) -> "ClassificationTask":
        """Task from the folder names; with `binary`, all fake classes are merged."""
        said = label_meanings(labels, real=real)
        if binary:
            return cls(
                {"real": "real", "fake": "fake"},
                {label: int(meaning == "fake") for label, meaning in said.items()},
            )
        return cls(said, {label: place for place, label in enumerate(said)})


def train(
    found: ClassFolderDataset,
    options: ClassifierOptions,
    *,
    out: Path,
    real: Sequence[str] = (),
    source: str = "a list of pictures",
    licence: str = UNSAID,
    progress: Progress | None = None,
) -> ClassifierEvaluation:
    """Train a network and write it to `out` as a detector of that name.

    `found` comes from `class_folders.in_folders` or `listed`; `real` names authentic classes whose
    names do not say so. Raises SetupError for unusable data, and if `out` holds another training.
    """
    labels = sorted({it.label for it in found.pictures})
    task = ClassificationTask.from_labels(labels, binary=options.binary, real=real)
    parts = split_by_group(found.pictures, seed=options.seed)
    run = ClassifierRun(parts, task.targets, options, folder=out / "training")
    at = run.train(progress)
    shelved = save_classifier(
        out, run.network.state_dict(), _settings(task, options), licence=licence,
        trained_on=f"{len(parts['learn'])} pictures of {len(labels)} classes, from {source}",
    )  # fmt: skip
    trained = _measured(shelved, run, task, at)
    write_split(parts, out, seed=options.seed)
    write(out, trained, options, found=found, parts=parts, task=(task.classes, task.targets))
    return trained


def _settings(task: ClassificationTask, options: ClassifierOptions) -> dict[str, object]:
    return {
        "network": options.network, "classes": task.classes, "binary": options.binary,
        "height": options.height, "width": options.width,
    }  # fmt: skip


def _measured(
    shelved: StoredDetector, run: ClassifierRun, task: ClassificationTask, at: TrainingProgress
) -> ClassifierEvaluation:
    """Probabilities of the saved detector on the test part, run as in production."""
    detector = ClassifierNetwork.load(shelved)
    test: list[LabelledImage] = list(run.parts["test"])
    said = [detector.attribute(pixels) for pixels in _pixels(test)]
    true = run.labels(test).numpy()
    return measured(np.concatenate(said), true, detector.classes, at=at)


def _pixels(pictures: Sequence[LabelledImage], *, at_once: int = 64) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(pictures), at_once):
        yield [read_photo(it.path).pixels for it in pictures[start : start + at_once]]


def to_tracked_run(
    trained: ClassifierEvaluation, options: ClassifierOptions, out: Path
) -> TrackedRun:
    """A run of the MLflow experiment `unmask/classifiers`; the weights are not uploaded."""
    return TrackedRun(
        "classifiers", out.name,
        params={**options.told(), "classes": ", ".join(trained.classes.labels)},
        metrics={f"test {name}": value for name, value in trained.figures.items()},
        tags={"folder": str(out), "ended by": trained.at.ended_by},
        curve=trained.at.curve,
        files=[(out / name, "") for name in (DESCRIPTION_FILE, CARD, SPLIT)],
    )  # fmt: skip


def _shown(done: float, found: Mapping[str, float]) -> None:
    said = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    print(f"{done:6.1%}  {said}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    given = _parser().parse_args(arguments)
    if given.track:
        require_mlflow()
    cv2.setNumThreads(1)
    found = class_folders.read_class_folders(given.folder)
    for problem in found.skipped:
        print(f"left out: {problem}", flush=True)
    options = ClassifierOptions(
        network=given.network, binary=given.binary, height=given.height, width=given.width,
        batch=given.batch, rate=given.rate, epochs=given.epochs, minutes=given.minutes,
        patience=given.patience, mirrored=not given.unmirrored, judged=given.judged,
        seed=given.seed, threads=given.threads, device=given.device, start=given.start,
    )  # fmt: skip
    trained = train(
        found, options, out=given.out, real=given.real, source=given.folder.name,
        licence=given.licence, progress=_shown,
    )  # fmt: skip
    for name, value in trained.figures.items():
        print(f"test {name}: {value:.4g}")
    if given.track or (given.track is None and mlflow_installed()):
        uri = resolve_store_uri(given.mlflow, given.out.absolute().parent)
        print(_kept(to_tracked_run(trained, options, given.out), uri))


def _kept(run: TrackedRun, uri: str) -> str:
    """Where the run is tracked, or why it is not: a tracking failure must not lose the training."""
    try:
        log_run(run, uri)
    except SetupError as error:
        return f"not tracked: {error}"
    return f"tracked: mlflow ui --backend-store-uri {uri}"


def _parser() -> argparse.ArgumentParser:
    told = ClassifierOptions(network="")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("network", choices=[*ARCHITECTURES])
    add("folder", type=Path, metavar="DIR", help="a folder per class")
    add("--out", type=Path, required=True, metavar="FOLDER", help="the detector's folder")
    add("--binary", action="store_true", help="fake vs. real, for all generators")
    add("--real", action="append", default=[], metavar="CLASS", help="is authentic; repeatable")
    add("--height", type=int, default=told.height, metavar="PX")
    add("--width", type=int, default=told.width, metavar="PX")
    add("--batch", type=int, default=told.batch)
    add("--rate", type=float, default=told.rate, help="default: %(default)s")
    add("--epochs", type=int, default=told.epochs, help="at most (default: %(default)s)")
    add("--minutes", type=float, help="at most")
    add("--patience", type=int, default=told.patience, help="epochs without improvement")
    add("--unmirrored", action="store_true", help="no horizontal flips")
    add("--judged", type=int, default=told.judged, help="validation pictures per epoch")
    add("--seed", type=int, default=told.seed)
    add("--threads", type=int, help="CPU threads (default: torch's)")
    add("--device", help="cpu, cuda … (default: the best available)")
    add("--start", type=Path, metavar="FILE", help="timm's weights to start from, safetensors")
    add("--track", action=argparse.BooleanOptionalAction, help="default: if MLflow is installed")
    add("--mlflow", default="", metavar="URI", help="its store (default: mlflow.db beside FOLDER)")
    add("--licence", default=UNSAID, help="of the weights, for detector.json")
    return parser


if __name__ == "__main__":
    main()
