"""Train CoOp's context, CLIP-Adapter or a linear probe on features of the frozen encoder.

    python -m tools.training.detectors.prompt_tuning coop FEATURES.npz \
        --out HEADS/face_coop.safetensors

FEATURES.npz holds `features` (n, d), not normalised, `labels` (n,), 1 = forged, `groups` (n,), the
person or original of each row, and `encoder_sha256`. The recipes are those of "CLIPping the
Deception" (ICMR 2024). Held-out rows belong to other groups than the training rows; training stops
when their loss no longer falls, resumes an interrupted run, and writes a card.
"""

import argparse
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.detectors.clip_heads.prompt_tuning import ContextPosition, PromptTunedDetector
from tools.detectors.protocol import InputKind
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.training.detectors.prompt_learners import Kind, PromptLearner, learner
from tools.training.detectors.prompt_tuning_card import write_card

WARM_UP_RATE = 1e-5
LEAST_GAIN = 1e-4
"""Minimum decrease of the held-out loss that counts as an improvement."""


@dataclass(frozen=True, slots=True)
class PromptTuningOptions:
    """Training options; `warm_up` epochs use a constant tiny rate, the others a cosine schedule."""

    epochs: int = 20
    rate: float = 2e-3
    momentum: float = 0.9
    decay: float = 5e-4
    warm_up: int = 1
    batch: int = 16
    patience: int = 5
    held_out: float = 0.2
    seed: int = 0
    context: int = 16
    position: ContextPosition = "front"


RECIPES: Mapping[Kind, PromptTuningOptions] = {
    "coop": PromptTuningOptions(),
    "clip_adapter": PromptTuningOptions(),
    "linear_probe": PromptTuningOptions(rate=3e-3, momentum=0, decay=0, warm_up=0),
}


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFeatures:
    """`features` (n, d) float32 without NaN, `forged` (n,) bool, `groups` (n,) of persons."""

    features: np.ndarray
    forged: np.ndarray
    groups: np.ndarray
    dropped: int = 0

    @classmethod
    def from_rows(
        cls, features: np.ndarray, labels: np.ndarray, groups: np.ndarray
    ) -> "LabelledFeatures":
        """Measured rows; rows with NaN are left out and counted as `dropped`."""
        if not len(features) == len(labels) == len(groups) or features.ndim != 2:
            raise SetupError(
                f"{features.shape} features, {len(labels)} labels and {len(groups)} groups "
                "do not belong together"
            )
        known = np.isfinite(features).all(axis=1)
        kept = features[known].astype(np.float32), labels[known].astype(bool)
        return cls(*kept, groups[known].astype(str), int((~known).sum()))

    def take(self, rows: np.ndarray) -> "LabelledFeatures":
        """The rows of a mask (n,)."""
        return replace(
            self, features=self.features[rows], forged=self.forged[rows], groups=self.groups[rows]
        )

    @property
    def digest(self) -> str:
        """sha256 of all fields."""
        text = "\n".join(self.groups.tolist()).encode()
        return hashlib.sha256(self.features.tobytes() + self.forged.tobytes() + text).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class PromptTuningResult:
    """The best detector, the losses (training, held out) of every epoch, and held-out figures."""

    detector: PromptTunedDetector
    losses: tuple[tuple[float, float], ...]
    figures: Mapping[str, float]


def held_out(data: LabelledFeatures, *, share: float, seed: int) -> np.ndarray:
    """A mask (n,) of about `share` of the rows; no group is on both sides, both classes are.

    Raises SetupError if the groups cannot be split in this way.
    """
    names, which = np.unique(data.groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(100):
        order = rng.permutation(len(names))
        rows = np.cumsum(np.bincount(which, minlength=len(names))[order])
        # At least one group, and further groups up to the share.
        chosen = order[: max(1, int(np.searchsorted(rows, share * len(which), side="right")))]
        held = np.isin(which, chosen)
        if all(len(np.unique(data.forged[side])) == 2 for side in (held, ~held)):
            return np.asarray(held)
    raise SetupError(
        f"{len(names)} persons cannot be divided so that both parts hold authentic and forged "
        "pictures: add persons, or pictures of the missing kind"
    )


def fit_prompts(
    kind: Kind,
    data: LabelledFeatures,
    *,
    encoder: Encoder,
    inputs: InputKind = "face",
    options: PromptTuningOptions | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[str], None] = print,
) -> PromptTuningResult:
    """Train one of `Kind` on features of `encoder`; equal seeds give equal weights.

    `checkpoint` is written after every epoch and resumed if it belongs to the same data, options
    and encoder; otherwise SetupError is raised.
    """
    options = options or RECIPES[kind]
    if data.features.shape[1] != encoder.dimension:
        raise SetupError(
            f"features of {data.features.shape[1]} values are not those of the encoder in "
            f"{encoder.folder}, which have {encoder.dimension}"
        )
    held = held_out(data, share=options.held_out, seed=options.seed)
    train, test = data.take(~held), data.take(held)
    model = learner(
        kind, encoder, context=options.context, position=options.position, seed=options.seed
    )
    identity = f"{kind} {sorted(asdict(options).items())} {encoder.sha256} {data.digest}"
    run = _Run(model, options, checkpoint, hashlib.sha256(identity.encode()).hexdigest())
    while not run.done:
        loss = run.learn(train)
        run.judge(loss, _loss(model, test))
        progress(f"epoch {run.epoch}: loss {loss:.4f}, held out {run.losses[-1][1]:.4f}")
    model.load_state_dict(run.best)
    detector = model.detector(inputs)
    figures = {"persons_learnt": len(set(train.groups)), "persons_held_out": len(set(test.groups))}
    figures |= {"rows_learnt": len(train.forged), "rows_held_out": len(test.forged)}
    figures |= {"rows_dropped": data.dropped, "epochs": run.epoch}
    return PromptTuningResult(detector, tuple(run.losses), {**figures, **_figures(detector, test)})


class _Run:
    """The complete state of a training, as stored in a checkpoint."""

    def __init__(
        self,
        model: PromptLearner,
        options: PromptTuningOptions,
        checkpoint: Path | None,
        identity: str,
    ) -> None:
        self.model, self.options = model, options
        self.checkpoint, self.identity = checkpoint, identity
        self.optimiser = torch.optim.SGD(
            model.parameters(), options.rate, options.momentum, weight_decay=options.decay
        )
        self.epoch, self.waited = 0, 0
        self.losses: list[tuple[float, float]] = []
        self.best = _copied(model)
        if checkpoint is not None and checkpoint.is_file():
            self._resume(checkpoint)

    @property
    def done(self) -> bool:
        return self.epoch >= self.options.epochs or self.waited >= self.options.patience

    def learn(self, data: LabelledFeatures) -> float:
        """Train one epoch; the mean loss of its batches."""
        wanted = self.options
        for group in self.optimiser.param_groups:
            wave = 0.5 + 0.5 * math.cos(math.pi * self.epoch / wanted.epochs)
            group["lr"] = WARM_UP_RATE if self.epoch < wanted.warm_up else wanted.rate * wave
        # The order depends only on seed and epoch, so a resumed run equals an uninterrupted one.
        order = np.random.default_rng((wanted.seed, self.epoch)).permutation(len(data.forged))
        losses = []
        for start in range(0, len(order), wanted.batch):
            rows = order[start : start + wanted.batch]
            loss = functional.cross_entropy(*_batch(self.model, data, rows))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def judge(self, loss: float, held: float) -> None:
        """End an epoch: keep the weights if the held-out loss fell, and write the checkpoint."""
        fallen = held < min((past for _, past in self.losses), default=math.inf) - LEAST_GAIN
        self.waited = 0 if fallen or self.epoch < self.options.warm_up else self.waited + 1
        if fallen:
            self.best = _copied(self.model)
        self.losses.append((loss, held))
        self.epoch += 1
        if self.checkpoint is not None:
            self._save(self.checkpoint)

    def _save(self, path: Path) -> None:
        """Write the checkpoint atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        state = {name: getattr(self, name) for name in ("identity", "epoch", "waited", "best")}
        state["losses"] = [list(pair) for pair in self.losses]
        state |= {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        torch.save(state, partial)
        partial.replace(path)

    def _resume(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["identity"] != self.identity:
            raise SetupError(
                f"{path} belongs to another training: other data, options or encoder; "
                "delete it or use another --checkpoint"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.waited, self.best = state["epoch"], state["waited"], state["best"]
        self.losses = [(loss, held) for loss, held in state["losses"]]


def _batch(
    model: PromptLearner, data: LabelledFeatures, rows: np.ndarray | slice
) -> tuple[Tensor, Tensor]:
    device = next(model.parameters()).device
    features = torch.from_numpy(data.features[rows]).to(device)
    return model(features), torch.from_numpy(data.forged[rows].astype(np.int64)).to(device)


def _loss(model: PromptLearner, data: LabelledFeatures) -> float:
    with torch.inference_mode():
        return float(functional.cross_entropy(*_batch(model, data, slice(None))))


def _copied(model: PromptLearner) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _figures(detector: PromptTunedDetector, data: LabelledFeatures) -> dict[str, float]:
    """AUC, and accuracies at a logit of 0, on the held-out rows."""
    from sklearn.metrics import roc_auc_score

    scores = detector.score(data.features)
    return {
        "auc": float(roc_auc_score(data.forged, scores)),
        "real_accuracy": float((scores[~data.forged] <= 0).mean()),
        "fake_accuracy": float((scores[data.forged] > 0).mean()),
    }


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=get_args(Kind))
    parser.add_argument("features", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path("tools/checkpoints/weights/encoder"))
    parser.add_argument("--inputs", choices=get_args(InputKind), default="face")
    parser.add_argument("--checkpoint", type=Path, help="checkpoint to resume")
    parser.add_argument("--source", default="not stated", help="training data, for the card")
    for name, kind in (("epochs", int), ("rate", float), ("batch", int), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--context", type=int, help="number of words that CoOp learns")
    parser.add_argument("--position", choices=get_args(ContextPosition))
    given = parser.parse_args()
    names = ("epochs", "rate", "batch", "seed", "context", "position")
    chosen = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    options = replace(RECIPES[given.kind], **chosen)
    encoder = Encoder.load(given.encoder)
    with np.load(given.features) as stored:
        if str(stored["encoder_sha256"]) != encoder.sha256:
            raise SystemExit(f"{given.features} holds features of another encoder")
        data = LabelledFeatures.from_rows(stored["features"], stored["labels"], stored["groups"])
    found = fit_prompts(
        given.kind, data, encoder=encoder, inputs=given.inputs, options=options,
        checkpoint=given.checkpoint or given.out.with_suffix(".pt"),
    )  # fmt: skip
    note = {"inputs": given.inputs, "seed": options.seed, "data_sha256": data.digest}
    found.detector.save(given.out, encoder_sha256=encoder.sha256, **note)
    recipe = {**asdict(options), "encoder_sha256": encoder.sha256, **note}
    card = write_card(
        given.out, given.kind, recipe=recipe, figures=found.figures, source=given.source
    )
    print(f"{given.out}, {card}: AUC {found.figures['auc']:.3f} on held-out persons")


if __name__ == "__main__":
    main()
