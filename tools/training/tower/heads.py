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
from safetensors.torch import save

from tools.detectors.clip_heads.tower_head import KIND
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


BLOCKS = (4, 8, 12)
"""Of twelve, counted from 1: early, middle and late."""
PENALTY = 3e-3


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear head: logit = Σ weight · features[slots] + bias; `weight` is (k, width)."""

    slots: np.ndarray
    weight: np.ndarray
    bias: float

    def logits(self, table: TowerFeatures) -> np.ndarray:
        """Logits (n,) float64 of samples."""
        logits: np.ndarray = np.empty(len(table))
        for start in range(0, len(table), 512):
            chosen = table.features[start : start + 512, self.slots].astype(np.float64)
            logits[start : start + 512] = (chosen * self.weight).sum(axis=(1, 2)) + self.bias
        return logits


def rows_of(table: TowerFeatures, question: str) -> np.ndarray:
    """The samples of a question (n,) bool: its forgeries, and authentic pictures.

    Manipulated faces are compared only with authentic ones of sources that have both.
    """
    forged = table.label == question
    authentic = table.label == AUTHENTIC
    if question == MANIPULATED:
        authentic &= np.isin(table.source, np.unique(table.source[forged]))
    chosen: np.ndarray = forged | authentic
    return chosen


def train_head(table: TowerFeatures, question: str, *, penalty: float = PENALTY) -> Head:
    """Fit a logistic regression with an L2 penalty on standardised features."""
    blocks = table.features.shape[1] // 2
    slots = np.array([part * blocks + block - 1 for part in (0, 1) for block in BLOCKS])
    chosen = table.features[:, slots].astype(np.float32)
    mean, spread = chosen.mean(axis=0), chosen.std(axis=0) + 1e-4
    # Of about unit length, so that the penalty does not depend on the number of values.
    given = torch.from_numpy(((chosen - mean) / spread / len(slots) ** 0.5).reshape(len(table), -1))
    labels = torch.from_numpy((table.label == question).astype(np.float32))
    weights = torch.from_numpy(_weights(table, question))
    learnt = torch.zeros(given.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [learnt], max_iter=60, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = given @ learnt[:-1] + learnt[-1]
        each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        total = (each * weights).mean() + penalty * learnt[:-1].square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    found = learnt.detach().numpy().astype(np.float64)
    weight = found[:-1].reshape(chosen.shape[1:]) / spread / len(slots) ** 0.5
    return Head(slots, weight, float(found[-1] - (weight * mean).sum()))


def left_out(table: TowerFeatures, question: str) -> Iterator[dict[str, object]]:
    """For each tool of the question: AUC of a head that never saw it, on its `val` pictures.

    The authentic side are the `val` groups of all sources, and for manipulated faces of the tool's
    own source.
    """
    chosen = table.where(rows_of(table, question))
    tools = np.unique(chosen.family[chosen.label == question])
    for tool in tools.tolist():
        theirs = chosen.family == tool
        train = chosen.where((chosen.split == "train") & ~theirs)
        head = train_head(train, question)
        # A tool that was left out has no training pictures: all of its pictures are unseen.
        sources = np.unique(chosen.source[theirs])
        authentic = (chosen.label == AUTHENTIC) & (chosen.split == "val")
        if question == MANIPULATED:
            authentic &= np.isin(chosen.source, sources)
        judged = chosen.where(theirs | authentic)
        scores = head.logits(judged)
        forged = judged.label == question
        yield {
            "tool": tool,
            "pictures": int(theirs.sum()),
            "auc": auc(scores, forged),
            "caught_at_1_percent": tpr_at_fpr(scores, forged, 0.01),
        }


def standardised(head: Head, table: TowerFeatures) -> Head:
    """The same head with mean 0 and standard deviation 1 on the authentic `val` pictures.

    Sources weigh the same, so that scores of both heads can be compared.
    """
    authentic = table.where((table.label == AUTHENTIC) & (table.split == "val"))
    scores, weights = head.logits(authentic), _weights(authentic, AUTHENTIC)
    mean = float(np.average(scores, weights=weights))
    spread = float(np.average((scores - mean) ** 2, weights=weights) ** 0.5)
    return Head(head.slots, head.weight / spread, (head.bias - mean) / spread)


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
    table = TowerFeatures.load(options.work)
    for question, name in NAMES.items():
        if not options.no_left_out:
            for row in left_out(table, question):
                print(json.dumps({"head": name, **row}), flush=True)
        train = table.where(rows_of(table, question) & (table.split == "train"))
        head = standardised(train_head(train, question), table)
        if options.out is not None:
            _save(head, options.out / name, question)


def _save(head: Head, folder: Path, question: str) -> None:
    DetectorDescription(
        KIND, folder.name, "face", "pixels", LICENCE, TRAINED_ON[question],
        settings={"part": "clip_vit_b16", "blocks": list(BLOCKS)},
    ).save(folder)  # fmt: skip
    tensors = {
        "slots": torch.from_numpy(head.slots),
        "weight": torch.from_numpy(head.weight).float(),
        "bias": torch.tensor(head.bias).float(),
    }
    (folder / WEIGHTS_FILE).write_bytes(save(tensors))  # `save_file` makes owner-only files


if __name__ == "__main__":
    main()
