"""Fit detectors that need only the encoder's features, which are computed once and cached.

Half of the crops are degraded as in the encoder's training, so that a head learns from both clean
and degraded pictures.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from tools.detectors.clip_heads.unifd_linear import UnifdLinear
from tools.detectors.clip_heads.unifd_neighbours import UnifdNeighbours, l2_normalise_rows
from tools.detectors.folders import WEIGHTS_FILE
from tools.errors import SetupError
from tools.training.data.pairs import TrainingPair, crops
from tools.training.detectors import prompt_tuning
from tools.training.detectors.prompt_learners import Kind
from tools.training.encoder.heads import fit_linear
from tools.training.fitting.data.pairs import FolderPairs
from tools.training.fitting.training_context import TrainingContext, TrainingSummary

CHUNK = 64
"""Pairs per cached chunk: the most work that an interrupted job repeats."""
MAX_BANK_SIZE = 2000
"""Pairs in a neighbour bank."""


@dataclass(frozen=True, slots=True, eq=False)
class PairFeatures:
    """Features of pairs: authentic and forged (n, d) float32."""

    real: np.ndarray
    fake: np.ndarray


def fit_unifd_linear(lesson: TrainingContext) -> TrainingSummary:
    """UniFD's linear layer: logistic regression with equal weights for all pairs."""
    found = _joined(_features(lesson, "learn"), _features(lesson, "stop"))
    weight, bias = fit_linear(found.real, found.fake, np.ones(len(found.real)))
    detector = UnifdLinear(weight, bias, lesson.about().inputs)
    return _written(lesson, detector, {"pairs": len(found.real)})


def fit_unifd_neighbours(lesson: TrainingContext) -> TrainingSummary:
    """UniFD's banks: unit-length features of authentic and of forged pictures."""
    found = _joined(_features(lesson, "learn"), _features(lesson, "stop"))
    kept = np.random.default_rng(lesson.options.seed).permutation(len(found.real))[:MAX_BANK_SIZE]
    detector = UnifdNeighbours(
        l2_normalise_rows(found.real[kept]),
        l2_normalise_rows(found.fake[kept]),
        lesson.about().inputs,
    )
    return _written(lesson, detector, {"pairs": len(kept), "neighbours": detector.k})


def fit_prompt_tuning(lesson: TrainingContext) -> TrainingSummary:
    """CoOp, CLIP-Adapter or a linear probe, by their published recipes, with early stopping."""
    kind = cast("Kind", lesson.kind)
    learn, stop = _features(lesson, "learn"), _features(lesson, "stop")
    rows = [part for found in (learn, stop) for part in (found.real, found.fake)]
    labels = np.concatenate([
        np.full(len(part), number % 2) for number, part in enumerate(rows)
    ])  # fmt: skip
    options = replace(prompt_tuning.RECIPES[kind], seed=lesson.options.seed)
    if lesson.options.epochs is not None:
        options = replace(options, epochs=lesson.options.epochs)

    def named(learnt: str, stopped: str) -> prompt_tuning.LabelledFeatures:
        counts = len(learn.real) + len(learn.fake), len(stop.real) + len(stop.fake)
        groups = np.repeat([learnt, stopped], counts)
        return prompt_tuning.LabelledFeatures.from_rows(np.concatenate(rows), labels, groups)

    def holds_out(data: prompt_tuning.LabelledFeatures, name: str) -> bool:
        held = prompt_tuning.held_out(data, share=options.held_out, seed=options.seed)
        return set(data.groups[held]) == {name}

    # Held out by name, one of two: the held-out name becomes the early-stopping side.
    data = named("a", "b")
    if not holds_out(data, "b"):
        data = named("b", "a")
    fit = prompt_tuning.fit_prompts(
        kind, data, encoder=lesson.encoder, inputs=lesson.about().inputs, options=options,
        checkpoint=lesson.work / "tuning.pt", progress=lambda said: lesson.progress(1.0, {}),
    )  # fmt: skip
    curve = [
        {"epoch": float(epoch), "loss": loss, "held_out_loss": held}
        for epoch, (loss, held) in enumerate(fit.losses, 1)
    ]
    found = _written(lesson, fit.detector, {**asdict(options), "pairs": len(learn.real)})
    return replace(found, curve=curve)


def _written(lesson: TrainingContext, detector: Any, recipe: dict[str, Any]) -> TrainingSummary:
    about = lesson.about(
        encoder_sha256=lesson.encoder.sha256,
        settings={"preprocessing": detector.preprocessing, "families": lesson.families},
    )
    about.save(lesson.out)
    detector.save(
        lesson.out / WEIGHTS_FILE, encoder_sha256=lesson.encoder.sha256, inputs=about.inputs
    )
    return TrainingSummary({**recipe, "preprocessing": detector.preprocessing})


def _features(lesson: TrainingContext, side: str) -> PairFeatures:
    """Features of every pair of a side; reuses chunks of an earlier run."""
    source = lesson.learn if side == "learn" else lesson.stop
    parts = []
    before = len(lesson.learn) if side == "stop" else 0
    total = len(lesson.learn) + len(lesson.stop)
    for start in range(0, len(source), CHUNK):
        file = lesson.work / f"{side}_{start:06d}.npz"
        if not file.is_file():
            found = _chunk(lesson, source, range(start, min(start + CHUNK, len(source))))
            _keep(found, file)
        with np.load(file) as kept:
            parts.append(PairFeatures(kept["real"], kept["fake"]))
        lesson.progress((before + min(start + CHUNK, len(source))) / total, {})
    found = _joined(*parts)
    if not len(found.real):
        raise SetupError(
            "no forgery could be made from the authentic training photos: their faces "
            "are too small or cut off"
        )
    return found


def _chunk(lesson: TrainingContext, source: FolderPairs, indices: Sequence[int]) -> PairFeatures:
    pairs = []
    for index in indices:
        # A separate generator per pair, so that interruptions do not change the result.
        rng = np.random.default_rng([lesson.options.seed, int(source is lesson.stop), index])
        drawn = source.draw(index, rng)
        if drawn is not None:
            pairs.append(_inputs(lesson, drawn, rng))
    real, fake = (lesson.encoder.encode_images([pair[at] for pair in pairs]) for at in (0, 1))
    return PairFeatures(real, fake)


def _inputs(
    lesson: TrainingContext, drawn: TrainingPair, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    if lesson.whole:
        return drawn.real.pixels, drawn.fake.pixels
    encoder = lesson.encoder
    real, fake = crops(
        drawn, rng, group="", size=encoder.image_size, margin=encoder.face_margin,
        augment=rng.random() < 0.5,
    )  # fmt: skip
    return real.image, fake.image


def _joined(*parts: PairFeatures) -> PairFeatures:
    return PairFeatures(
        np.concatenate([it.real for it in parts]), np.concatenate([it.fake for it in parts])
    )


def _keep(found: PairFeatures, file: Path) -> None:
    """Write atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".new")
    with partial.open("wb") as out:
        np.savez(out, real=found.real, fake=found.fake)
    partial.replace(file)
