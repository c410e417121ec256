"""The table of detectors that `unmask fit` can train.

To add one, write a function from a `TrainingContext` to a `TrainingSummary`, and a row. Heavy
imports happen when a row is used, so that the table can be shown at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tools.training.fitting.training_context import InputKind, TrainingContext, TrainingSummary


@dataclass(frozen=True, slots=True)
class TrainerEntry:
    """A row: a one-line description, allowed inputs, supported options, and crop size in px.

    `crop_px` 0 means the encoder's input size.
    """

    title: str
    inputs: tuple[InputKind, ...]
    options: frozenset[str]
    fit: Callable[[TrainingContext], TrainingSummary]
    needs: str = "features"
    crop_px: int = 0


def _unifd_linear(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_on_features import fit_unifd_linear

    return fit_unifd_linear(lesson)


def _unifd_neighbours(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_on_features import fit_unifd_neighbours

    return fit_unifd_neighbours(lesson)


def _tuned(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_on_features import fit_prompt_tuning

    return fit_prompt_tuning(lesson)


def _gend(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_networks import fit_gend

    return fit_gend(lesson)


def _repdfd(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_networks import fit_repdfd

    return fit_repdfd(lesson)


def _artefacts(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_networks import fit_artefact_network

    return fit_artefact_network(lesson)


def _classifier(lesson: TrainingContext) -> TrainingSummary:
    from tools.training.fitting.train_classifiers import fit_classifier

    return fit_classifier(lesson)


_BOTH: tuple[InputKind, ...] = ("face", "image")
_FACE: tuple[InputKind, ...] = ("face",)
_IMAGE: tuple[InputKind, ...] = ("image",)
_AT_ONCE, _IN_EPOCHS = frozenset[str](), frozenset({"epochs"})
_IN_TIME = frozenset({"epochs", "minutes"})


def _features(
    title: str, options: frozenset[str], fit: Callable[[TrainingContext], TrainingSummary]
) -> TrainerEntry:
    return TrainerEntry(title, _BOTH, options, fit)


def _pixels(
    title: str,
    inputs: tuple[InputKind, ...],
    fit: Callable[[TrainingContext], TrainingSummary],
    crop_px: int = 0,
) -> TrainerEntry:
    return TrainerEntry(title, inputs, _IN_TIME, fit, "pixels", crop_px)


TRAINERS: Mapping[str, TrainerEntry] = {
    "unifd_linear": _features("a linear layer on features (UniFD)", _AT_ONCE, _unifd_linear),
    "unifd_neighbours": _features("the nearest pictures (UniFD)", _AT_ONCE, _unifd_neighbours),
    "coop": _features("a learnt prompt (CoOp)", _IN_EPOCHS, _tuned),
    "clip_adapter": _features("an adapter on features (CLIP-Adapter)", _IN_EPOCHS, _tuned),
    "linear_probe": _features("a linear probe, trained in steps", _IN_EPOCHS, _tuned),
    "gend": _pixels("the encoder's normalisation, tuned (GenD)", _FACE, _gend),
    "repdfd": _pixels("a learnt border, the face in the prompt (RepDFD)", _FACE, _repdfd),
    "sbi": _pixels("a network on self-blended photos (SBI)", _FACE, _artefacts, 128),
    "caddm": _pixels("a network that boxes artefacts (CADDM)", _FACE, _artefacts, 128),
    "sbi_caddm": _pixels("both of these together", _FACE, _artefacts, 128),
    "efficientnet": _pixels("EfficientNet-B0 on whole pictures", _IMAGE, _classifier, 224),
    "resnet50": _pixels("ResNet-50 on whole pictures", _IMAGE, _classifier, 224),
    "vit": _pixels("a small ViT on whole pictures", _IMAGE, _classifier, 224),
    "small_cnn": _pixels("five convolutions on whole pictures", _IMAGE, _classifier, 224),
}
