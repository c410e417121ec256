"""Fit network detectors on face crops, all with one training loop (`detector_training`)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from tools.detectors.folders import WEIGHTS_FILE
from tools.errors import SetupError
from tools.training.data.pairs import ConcatPairs, PairSource
from tools.training.fitting.data.pairs import SplitSource
from tools.training.fitting.training_context import TrainingContext, TrainingSummary
from tools.training.loops.detector_training import (
    NetworkTraining,
    TrainingOptions,
    TrainingOutcome,
    split_by_group,
)

LEARNING_RATES = {"sbi": 1e-3, "caddm": 1e-3, "sbi_caddm": 1e-3}
PAIRS_PER_BATCH = {"repdfd": 8}
"""Batch sizes that differ from the loop's default. A border is a single picture: many steps are
better than large ones."""

TRAINING_DATA_NOTES = {
    "sbi": "self-blends of authentic pictures only",
    "caddm": "forgeries blended with their originals, at several sizes",
    "sbi_caddm": "both: self-blends, and forgeries blended with their originals",
}
_TRIES = 50
"""Pairs tried before a side is rejected."""


def fit_gend(lesson: TrainingContext) -> TrainingSummary:
    """GenD's recipe: the normalisation of the encoder's tower, and a head."""
    from tools.training.detectors.norm_tuning import NormTuning

    learner = NormTuning(lesson.encoder, seed=lesson.options.seed)
    outcome, options = _run(lesson, learner, lambda source: source)
    detector = learner.detector(lesson.encoder)
    _describe(lesson, detector.preprocessing)
    detector.save(lesson.out / WEIGHTS_FILE, encoder_sha256=lesson.encoder.sha256)
    return _learnt(outcome, options)


def fit_repdfd(lesson: TrainingContext) -> TrainingSummary:
    """RepDFD's recipe: a border, with the candidate's own identity in the prompt."""
    from tools.training.detectors.repdfd import PairsWithIdentities, Reprogramming

    faces = lesson.faces

    def known(source: PairSource) -> PairSource:
        return PairsWithIdentities(source, faces.embed)

    probe = next(
        it.picture.embedding for it in _members(lesson) if it.picture.embedding is not None
    )
    learner = Reprogramming.initial(
        lesson.encoder, embedding_size=len(probe), whose="candidate", seed=lesson.options.seed
    )
    outcome, options = _run(lesson, learner, known)
    detector = learner.detector()
    _describe(lesson, detector.preprocessing)
    detector.save(lesson.out / WEIGHTS_FILE, embedder_sha256=lesson.faces_sha256)
    return _learnt(outcome, options)


def fit_artefact_network(lesson: TrainingContext) -> TrainingSummary:
    """SBI, CADDM or both; a pocket tower starts from the encoder's tower if that is one."""
    from tools.training.detectors.sbi_caddm import (
        BEGUN,
        ArtefactLearner,
        Kind,
        families_of,
        image_tower_weights,
        source_of,
    )

    kind = cast("Kind", lesson.kind)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(lesson.options.seed)
        learner = ArtefactLearner(kind)
    begun = False
    if hasattr(getattr(lesson.encoder.model, "visual", None), "trunk"):
        learner.load_backbone(image_tower_weights(lesson.encoder.folder))
        begun = True
    outcome, options = _run(lesson, learner, lambda source: source_of(kind, source))
    about = lesson.about()
    families = families_of(kind, lesson.families, begun=begun)
    trained_on = f"{about.trained_on}{BEGUN if begun else ''}"
    learner.save(lesson.out, trained_on=trained_on, families=families, name=about.name)
    learnt = _learnt(outcome, options)
    told = {"learns from": TRAINING_DATA_NOTES[kind], "begins with the encoder's tower": begun}
    return replace(learnt, recipe={**told, **learnt.recipe}, families=families)


def _describe(lesson: TrainingContext, preprocessing: str) -> None:
    settings = {"preprocessing": preprocessing, "families": lesson.families}
    lesson.about(encoder_sha256=lesson.encoder.sha256, settings=settings).save(lesson.out)


def _members(lesson: TrainingContext) -> Any:
    return (case.member for case in lesson.learn.evaluation_samples(forgeries=0))


def _run(
    lesson: TrainingContext, learner: Any, seen: Callable[[PairSource], PairSource]
) -> tuple[TrainingOutcome, TrainingOptions]:
    given, own = lesson.options, TrainingOptions()
    pairs = min(PAIRS_PER_BATCH.get(lesson.kind, own.pairs), len(lesson.learn))
    options = TrainingOptions(
        minutes=given.minutes,
        epochs=given.epochs or (None if given.minutes else own.epochs),
        pairs=pairs,
        rate=LEARNING_RATES.get(lesson.kind, own.rate),
        seed=given.seed,
        threads=given.threads,
    )
    source = seen(_sides(lesson, options))
    _check(source, options)
    run = NetworkTraining(learner, source, options, folder=lesson.work, name=f"fit {lesson.kind}")
    return run.train(lesson.progress), options


def _sides(lesson: TrainingContext, options: TrainingOptions) -> PairSource:
    """Both sides, named so that the loop holds out the early-stopping persons."""
    for learnt, stopped in (("a", "b"), ("b", "a")):
        source = ConcatPairs([SplitSource(lesson.learn, learnt), SplitSource(lesson.stop, stopped)])
        _, held = split_by_group(source, share=options.held_out, seed=options.seed)
        if source.group(held[0]) == stopped:
            break
    return source


def _check(source: PairSource, options: TrainingOptions) -> None:
    """Raises SetupError if a side yields no pair: the loop would wait forever."""
    for side in split_by_group(source, share=options.held_out, seed=options.seed):
        rng = np.random.default_rng(options.seed)
        if all(source.draw(index, rng) is None for index in side[:_TRIES]):
            raise SetupError(
                "no pair can be learnt from: faces are too small or cut off, or their landmarks "
                "are not known"
            )


def _learnt(outcome: TrainingOutcome, options: TrainingOptions) -> TrainingSummary:
    recipe = {
        "learning rate": options.rate, "pairs a step": options.pairs, "epochs": options.epochs,
        "minutes": options.minutes, "patience": options.patience, **outcome.figures,
    }  # fmt: skip
    return TrainingSummary(recipe, outcome.curve)
