"""Train the heads on the tower's block features, one per question.

    python -m tools.training.tower.heads --work RUN [--out tools/checkpoints/weights/detectors]

Needs the features of `tools.training.tower.features`. Every pair of source and class weighs the
same, so that no source stands for a class. First each source or generator is left out once, which
says how a head reads tools that it never saw; then the head that ships is trained on all `train`
groups, and its scores are standardised on the authentic ones of `val`.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import save_file

from tools.detectors.clip_heads.tower_head import KIND, head_logits
from tools.detectors.folders import WEIGHTS_FILE, DetectorDescription
from tools.metrics.detection import auc, tpr_at_fpr
from tools.training.tower.features import TowerFeatures
from tools.training.tower.samples import AUTHENTIC, MANIPULATED, SYNTHESISED

NAMES = {MANIPULATED: "clip_manipulation", SYNTHESISED: "clip_synthesis"}
LICENCE = "research and evaluation (trained on photographs for research; see the card)"
TRAINED_ON = {
    MANIPULATED: "DFDC's training videos, our forge on LFW, UTKFace and FFHQ, retouched portraits",
    SYNTHESISED: "StyleGAN 1 and 2, SDXL, FLUX.1 dev and schnell; photographs of six sources",
}


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """All settings that determine the weights, apart from the data."""

    width: int = 64
    epochs: int = 24
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.1
    dropout: float = 0.3
    noise: float = 0.1
    seed: int = 0


def rows_of(table: TowerFeatures, question: str) -> np.ndarray:
    """The samples of a question (n,) bool: its forgeries, and authentic pictures.

    Manipulated faces are compared only with authentic ones of sources that have both.
    """
    forged = table.label == question
    authentic = table.label == AUTHENTIC
    if question == MANIPULATED:
        authentic &= np.isin(table.source, np.unique(table.source[forged]))
    return forged | authentic


def train_head(table: TowerFeatures, question: str, config: HeadConfig) -> dict[str, torch.Tensor]:
    """Fit a head on these samples; returns the tensors of `head_logits`."""
    torch.manual_seed(config.seed)
    features = torch.from_numpy(table.features.astype(np.float32))
    labels = torch.from_numpy((table.label == question).astype(np.float32))
    weights = torch.from_numpy(_weights(table, question))
    slots, width = features.shape[1:]
    tensors = {
        "mean": features.mean(dim=0),
        "scale": features.std(dim=0).clamp_min(1e-4),
        "project": torch.randn(width, config.width) / width**0.5,
        "project_bias": torch.zeros(config.width),
        "importance": torch.zeros(slots, config.width),
        "out": torch.randn(config.width) / config.width**0.5,
        "bias": torch.zeros(()),
    }
    learnt = [tensors[name].requires_grad_() for name in _LEARNT]
    optimiser = torch.optim.AdamW(learnt, lr=config.rate, weight_decay=config.decay)
    steps = config.epochs * -(-len(labels) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, total_steps=steps)
    for _ in range(config.epochs):
        for rows in torch.randperm(len(labels)).split(config.batch):
            given = features[rows]
            given = given + config.noise * torch.randn_like(given) * tensors["scale"]
            kept = torch.rand(len(rows), 1, width) > config.dropout
            given = torch.where(kept, given, tensors["mean"])
            logits = head_logits(given, tensors)
            each = F.binary_cross_entropy_with_logits(logits, labels[rows], reduction="none")
            optimiser.zero_grad()
            (each * weights[rows]).mean().backward()
            optimiser.step()
            schedule.step()
    return {name: it.detach() for name, it in tensors.items()}


_LEARNT = ("project", "project_bias", "importance", "out", "bias")


def logits_of(table: TowerFeatures, tensors: dict[str, torch.Tensor]) -> np.ndarray:
    """Logits (n,) float64 of samples."""
    with torch.inference_mode():
        parts = torch.from_numpy(table.features).split(512)
        return torch.cat([head_logits(it.float(), tensors) for it in parts]).double().numpy()


def left_out(
    table: TowerFeatures, question: str, config: HeadConfig
) -> Iterator[dict[str, object]]:
    """For each tool of the question: AUC of a head that never saw it, on its `val` pictures.

    The authentic side are the `val` groups of all sources, and for manipulated faces of the tool's
    own source.
    """
    chosen = table.where(rows_of(table, question))
    tools = np.unique(chosen.family[chosen.label == question])
    for tool in tools.tolist():
        theirs = chosen.family == tool
        train = chosen.where((chosen.split == "train") & ~theirs)
        tensors = train_head(train, question, config)
        # A tool that was left out has no training pictures: all of its pictures are unseen.
        sources = np.unique(chosen.source[theirs])
        authentic = (chosen.label == AUTHENTIC) & (chosen.split == "val")
        if question == MANIPULATED:
            authentic &= np.isin(chosen.source, sources)
        judged = chosen.where(theirs | authentic)
        scores = logits_of(judged, tensors)
        forged = judged.label == question
        yield {
            "tool": tool,
            "pictures": int(theirs.sum()),
            "auc": auc(scores, forged),
            "caught_at_1_percent": tpr_at_fpr(scores, forged, 0.01),
        }


def standardised(tensors: dict[str, torch.Tensor], table: TowerFeatures) -> dict[str, torch.Tensor]:
    """The same head with mean 0 and standard deviation 1 on the authentic `val` pictures.

    Sources weigh the same, so that scores of both heads can be compared.
    """
    authentic = table.where((table.label == AUTHENTIC) & (table.split == "val"))
    scores, weights = logits_of(authentic, tensors), _weights(authentic, AUTHENTIC)
    mean = float(np.average(scores, weights=weights))
    spread = float(np.average((scores - mean) ** 2, weights=weights) ** 0.5)
    return {**tensors, "out": tensors["out"] / spread, "bias": (tensors["bias"] - mean) / spread}


def _weights(table: TowerFeatures, question: str) -> np.ndarray:
    """Equal weight for every pair of source and class; each class has half of the weight."""
    keys = np.char.add(table.source.astype(str), np.where(table.label == question, "+", "-"))
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[place]
    for forged in (True, False):
        its = (table.label == question) == forged
        weights[its] *= 0.5 * len(table) / max(weights[its].sum(), 1e-9)
    found: np.ndarray = weights.astype(np.float32)
    return found


def main() -> None:
    """Parse the command line, report what was left out, and write the heads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/tower"))
    parser.add_argument("--out", type=Path, help="folder of detectors to write to")
    parser.add_argument("--no-left-out", action="store_true", help="skip the report")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table, config = TowerFeatures.load(options.work), HeadConfig()
    for question, name in NAMES.items():
        if not options.no_left_out:
            for row in left_out(table, question, config):
                print(json.dumps({"head": name, **row}), flush=True)
        train = table.where(rows_of(table, question) & (table.split == "train"))
        tensors = standardised(train_head(train, question, config), table)
        if options.out is not None:
            folder = options.out / name
            DetectorDescription(
                KIND, name, "face", "pixels", LICENCE, TRAINED_ON[question],
                settings={"part": "clip_vit_b16"},
            ).save(folder)  # fmt: skip
            small = {key: it.half().contiguous() for key, it in tensors.items()}
            save_file(small, folder / WEIGHTS_FILE)


if __name__ == "__main__":
    main()
