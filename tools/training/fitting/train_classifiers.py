"""Fit whole-picture classifiers: authentic vs. forged, or which forgery method.

Each folder below the forgeries is a class; forgeries made by us are one class. These are written to
disk with their photographs, marked as forgeries, for the duration of the job.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from tools.detectors.folders import DetectorDescription
from tools.detectors.networks.class_labels import LabelMeaning
from tools.forge.forgery import Forgery, ForgeryRecipe, save_forgery
from tools.media.hashing import file_sha256
from tools.training.data.class_folders import LabelledImage, Split, write_split
from tools.training.detectors.classifier_run import ClassifierOptions, ClassifierRun
from tools.training.fitting.data.pairs import FORGERY, FolderPairs, ForgedPairs, family_of
from tools.training.fitting.training_context import TrainingContext, TrainingSummary

NETWORKS = {
    "efficientnet": "efficientnet_b0",
    "resnet50": "resnet50",
    "vit": "vit_tiny_patch16_224",
    "small_cnn": "small_cnn",
}
REAL = "real"


def fit_classifier(lesson: TrainingContext) -> TrainingSummary:
    """Fit one of `NETWORKS`: several classes if the forgeries are in several sub-folders, otherwise
    two."""
    from tools.detectors.networks.classifier import save_classifier

    parts: dict[Split, list[LabelledImage]] = {
        "learn": list(_pictures(lesson, lesson.learn, "learn")),
        "judge": list(_pictures(lesson, lesson.stop, "judge")),
        "test": [],
    }
    labels = sorted({it.label for part in parts.values() for it in part} - {REAL})
    binary = len(labels) == 1
    classes: dict[str, LabelMeaning] = {REAL: "real"}
    classes |= {"fake": "fake"} if binary else dict.fromkeys(labels, "fake")
    targets = {REAL: 0} | {label: 1 if binary else at for at, label in enumerate(labels, 1)}
    options = _options(lesson, binary=binary)
    run = ClassifierRun(parts, targets, options, folder=lesson.work / "network")
    at = run.train(lesson.progress)
    about: DetectorDescription = lesson.about()
    settings = {
        "network": options.network, "classes": classes, "binary": binary,
        "height": options.height, "width": options.width,
    }  # fmt: skip
    save_classifier(
        lesson.out, run.network.state_dict(), settings, licence=about.licence,
        trained_on=about.trained_on,
    )  # fmt: skip
    # The training would name the detector after its folder; use the user's name instead.
    replace(DetectorDescription.load(lesson.out), name=about.name).save(lesson.out)
    own: dict[Split, list[LabelledImage]] = {
        "learn": list(_own(lesson.learn)), "judge": list(_own(lesson.stop)), "test": [],
    }  # fmt: skip
    write_split(own, lesson.out, seed=options.seed)
    recipe = {**options.told(), "classes": ", ".join(classes), "ended by": at.ended_by}
    return TrainingSummary(recipe, at.curve)


def _options(lesson: TrainingContext, *, binary: bool) -> ClassifierOptions:
    given = lesson.options
    told = ClassifierOptions(
        NETWORKS[lesson.kind], binary=binary, minutes=given.minutes, seed=given.seed,
        threads=given.threads,
    )  # fmt: skip
    return told if given.epochs is None else replace(told, epochs=given.epochs)


def _own(source: FolderPairs) -> Iterator[LabelledImage]:
    """The user's own files of a side, so that evaluations can exclude them."""
    for member in {
        case.member.picture.id: case.member for case in source.evaluation_samples(forgeries=0)
    }.values():
        label = family_of(member) if member.picture.forged else REAL
        yield LabelledImage(member.picture.path, label, member.person, member.picture.id)


def _pictures(lesson: TrainingContext, source: FolderPairs, side: str) -> Iterator[LabelledImage]:
    """Files of a side with their classes."""
    if isinstance(source, ForgedPairs):
        yield from _made(lesson, source, lesson.work / "pictures" / side)
        return
    for case in source.evaluation_samples(forgeries=0):
        picture = case.member.picture
        label = family_of(case.member) if picture.forged else REAL
        yield LabelledImage(picture.path, label, case.member.person, picture.id)


def _made(lesson: TrainingContext, source: ForgedPairs, folder: Path) -> Iterator[LabelledImage]:
    """Photographs and their forgeries, both re-encoded so that the encoding reveals nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(len(source)):
        real, fake = (folder / f"{index:06d}_{kind}.png" for kind in (REAL, FORGERY))
        if not fake.is_file():
            rng = np.random.default_rng([lesson.options.seed, len(folder.name), index])
            drawn = source.draw(index, rng)
            if drawn is None:
                continue
            Image.fromarray(drawn.real.pixels).save(real)
            mask = np.zeros(drawn.fake.pixels.shape[:2], np.float32)
            recipe = ForgeryRecipe(drawn.family, "", lesson.options.seed, {})
            made = folder / f"{index:06d}_new.png"
            save_forgery(Forgery(drawn.fake.pixels, mask, (), recipe), made)
            # Renamed last: an incomplete file of an interrupted job is made again.
            made.replace(fake)
        for path, label in ((real, REAL), (fake, FORGERY)):
            yield LabelledImage(path, label, source.group(index), file_sha256(path))
        lesson.progress(0.0, {"pictures made": float(index + 1)})
