"""Tune the norms of the tower's upper blocks, and a head, on pairs of a forgery and its original.

    python -m tools.training.tower.tuned --pairs RUN/pairs --models MODELS --work RUN \\
        --minutes 52 --begin face/clip_manipulation --out tools/checkpoints/weights/detectors

Follows GenD (Yermakov et al., WACV 2026, arXiv 2508.06248): only scales and shifts of LayerNorms
are tuned, authentic and forged of one original are in the same batch. Our changes: the lower blocks
stay as they are, so that nothing is propagated through them here, and the plain tower and the tuned
one share them where they are used; the head reads early, middle and late blocks and starts as the
linear head of the plain tower; each pair also has a ranking loss. Some pairs have a harmless edit,
of both pictures or of the authentic one alone, so that a filter does not look like a forgery. The
learning rate falls by the clock. RUN keeps the log and a checkpoint; a restarted run continues with
the time that is left.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn
from torch.nn import functional

from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.clip_heads.tower_head import KIND, MANIPULATED, UNTUNED, TowerHead
from tools.detectors.folders import (
    DETECTORS_FOLDER,
    WEIGHTS_FILE,
    DetectorDescription,
    find_stored_detectors,
)
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError
from tools.metrics.detection import auc
from tools.training.data.harmless_edits import edited_pair
from tools.training.tower.heads import BLOCKS, LICENCE
from tools.training.tower.samples import history

SHIPPED = WEIGHTS_DIR / DETECTORS_FOLDER
TRAINED_ON = "DFDC's training videos, our forge on LFW and UTKFace"
START = 6
"""Blocks that stay as they are."""
SHARES = {"dfdc-train": 0.75, "lfw-train": 0.13, "utkface-train": 0.12}
PAIRS = 4
"""A batch: larger ones make fewer steps in the same time."""
NORM_RATE, HEAD_RATE, WARM_UP = 1e-3, 1e-4, 0.05
NOTED, SAVED = 10, 50
LOG, CHECKPOINT = "log.jsonl", "checkpoint.safetensors"
HELD = ("dfdc-val", "utkface-val")
"""Sets to choose by: originals and photographs that neither head was trained on."""


@dataclass(frozen=True, slots=True, eq=False)
class Lower:
    """What the untouched blocks give for crops: `states` (n, 1 + cells, width) of the last of them,
    and `features` (n, 2, START, width) of each, class token and mean of the patches.
    """

    states: Tensor
    features: Tensor


class TunedTop(nn.Module):
    """Norms of the upper blocks, and a linear head on standardised features of its slots.

    Begins as `linear`, a head on the plain tower, or as one with norms of its own.
    """

    spread: Tensor
    mean: Tensor

    def __init__(self, linear: TowerHead) -> None:
        super().__init__()
        tower = linear.tower
        self._tower = (tower,)  # not part of the state
        self.slots = torch.from_numpy(linear.slots)
        weight = torch.from_numpy(linear.weight).float()
        norms = (
            [
                getattr(norm, kind)
                for block in tower.network.blocks[START:]
                for norm in (block.first_norm, block.second_norm)
                for kind in ("weight", "bias")
            ]
            if linear.upper is None
            else linear.upper.norms
        )
        self.norms = nn.ParameterList([nn.Parameter(it.float().clone()) for it in norms])
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.tensor(linear.bias, dtype=torch.float32))
        self.register_buffer("spread", torch.ones_like(weight))
        self.register_buffer("mean", torch.zeros_like(weight))

    def features(self, lower: Lower) -> Tensor:
        """(n, slots, width) of the chosen slots, differentiable."""
        network, kind = self._tower[0].network, lower.states.dtype
        blocks = network.retuned(START, [it.to(kind) for it in self.norms])
        states = list(network.continued(lower.states, blocks))
        whole = torch.cat([lower.features, _class_and_mean(states)], dim=2)
        return whole.flatten(1, 2)[:, self.slots]

    def logits(self, lower: Lower) -> Tensor:
        """(n,) logits."""
        standard = (self.features(lower) - self.mean) / self.spread
        return (standard * self.weight).sum(dim=(1, 2)) + self.bias

    def standardise(self, lower: Lower) -> None:
        """Set the scale of every feature from some crops; the logits stay the same."""
        with torch.no_grad():
            found = self.features(lower)
            self.mean, self.spread = found.mean(dim=0), found.std(dim=0) + 1e-4
            self.bias.add_((self.weight * self.mean).sum())
            self.weight.mul_(self.spread)


def lower_half(tower: PretrainedTower, crops: np.ndarray) -> Lower:
    """The untouched blocks on crops (n, 224, 224, 3) uint8."""
    pixels = tower.pixels(list(crops))
    with torch.no_grad():
        states = list(islice(tower.network.states(pixels), START))
    return Lower(states[-1], _class_and_mean(states))


def _class_and_mean(states: Sequence[Tensor]) -> Tensor:
    """(n, 2, blocks, width): the class token of each block, and the mean of its patches."""
    each = [torch.stack([it[:, 0].float(), it[:, 1:].float().mean(dim=1)], 1) for it in states]
    return torch.stack(each, dim=2)


@dataclass(eq=False)
class PairReader:
    """Draws pairs of all sets by `SHARES`, each with a new history; sets may still be growing."""

    folder: Path
    rng: np.random.Generator
    _known: dict[str, list[tuple[np.ndarray, str]]] = field(default_factory=dict)
    _left: dict[str, list[int]] = field(default_factory=dict)
    _read: set[Path] = field(default_factory=set)

    def batch(self) -> np.ndarray:
        """(2 × PAIRS, 224, 224, 3) uint8: authentic and forged in turn."""
        names = [name for name in SHARES if self._available(name)]
        shares = np.array([SHARES[name] for name in names])
        drawn = self.rng.choice(len(names), size=PAIRS, p=shares / shares.sum())
        return np.concatenate([self._pair(names[it]) for it in drawn.tolist()])

    def _available(self, name: str) -> bool:
        if not self._left.get(name):
            known = self._known.setdefault(name, [])
            for path in sorted(set(self.folder.glob(f"{name}-*.npz")) - self._read):
                self._read.add(path)
                with np.load(path) as chunk:
                    known += zip(chunk["crops"], chunk["family"].tolist(), strict=True)
            self._left[name] = self.rng.permutation(len(known)).tolist()
        return bool(self._left[name])

    def _pair(self, name: str) -> np.ndarray:
        if not self._available(name):
            raise SetupError(f"no pairs {name!r} in {str(self.folder)!r}")
        crops, _ = self._known[name][self._left[name].pop()]
        authentic, forged = edited_pair(crops[0], crops[1], self.rng)
        return with_history(np.stack([authentic, forged]), self.rng)


def with_history(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A pair (2, 224, 224, 3) after the same random history."""
    seed = int(rng.integers(1 << 31))
    return np.stack([history(it, np.random.default_rng(seed)) for it in crops])


def ahead(tower: PretrainedTower, reader: PairReader) -> Iterator[Lower]:
    """Batches through the lower half, computed in a thread beside the training."""
    made: Queue[Lower | BaseException] = Queue(maxsize=4)

    def make() -> None:
        torch.set_num_threads(1)
        try:
            while True:
                made.put(lower_half(tower, reader.batch()))
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            made.put(error)

    Thread(target=make, daemon=True).start()
    while True:
        got = made.get()
        if isinstance(got, BaseException):
            raise got
        yield got


def loss_of(logits: Tensor) -> Tensor:
    """Cross-entropy of both, and a ranking loss of each pair; authentic and forged in turn."""
    authentic, forged = logits[0::2], logits[1::2]
    told: Tensor = functional.softplus(authentic).mean() + functional.softplus(-forged).mean()
    ranked: Tensor = functional.softplus(authentic - forged).mean()
    return told / 2 + ranked


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Logits (2 × pairs,) of a set that is never trained on, authentic and forged in turn: of the
    tuned tower, and of the head that it began as.
    """

    name: str
    tuned: np.ndarray
    began: np.ndarray

    @classmethod
    def judged(cls, folder: Path, name: str, top: TunedTop, began: TowerHead) -> "HeldOut":
        """Judge the first chunk of a set, each pair after one history that is always the same."""
        rng, rows, before = np.random.default_rng(7), list[Tensor](), list[np.ndarray]()
        with np.load(folder / f"{name}-000.npz") as chunk, torch.no_grad():
            for pair in chunk["crops"]:
                crops = with_history(pair, rng)
                rows.append(top.logits(lower_half(began.tower, crops)))
                before.append(began.score_images(list(crops)))
        return cls(name, torch.cat(rows).numpy(), np.concatenate(before))

    def figures(self) -> dict[str, object]:
        """AUC, and the share of pairs in which the forgery scores higher."""
        forged = np.arange(len(self.tuned)) % 2 == 1
        both = {"tuned": self.tuned, "began": self.began}
        return {"held": self.name, "pairs": len(forged) // 2} | {
            name: {
                "auc": round(float(auc(found, forged)), 4),
                "ranked": round(float((found[1::2] > found[0::2]).mean()), 4),
            }
            for name, found in both.items()
        }


def save_head(top: TunedTop, folder: Path, held: Sequence[HeldOut]) -> None:
    """Write the detector; its logits have mean 0 and standard deviation 1 on the authentic pictures
    of `held`, each set with equal weight.
    """
    known = [it.tuned[0::2] for it in held]
    mean = float(np.mean([it.mean() for it in known]))
    spread = float(np.mean([((it - mean) ** 2).mean() for it in known]) ** 0.5)
    with torch.no_grad():
        weight = top.weight / top.spread
        bias = top.bias - (weight * top.mean).sum()
        tensors = {
            "norms": torch.stack(list(top.norms)).clone(),
            "slots": top.slots,
            "weight": (weight / spread).contiguous(),
            "bias": (bias - mean) / spread,
        }
    DetectorDescription(
        KIND, folder.name, "face", "pixels", LICENCE, TRAINED_ON,
        settings={"part": "clip_vit_b16", "blocks": list(BLOCKS), "start": START},
    ).save(folder)  # fmt: skip
    (folder / WEIGHTS_FILE).write_bytes(save(tensors))  # `save_file` makes owner-only files


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="Unmask's models folder")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="folder of detectors to write to")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--begin", default=UNTUNED, help=f"a shipped head, or {MANIPULATED}")
    parser.add_argument("--rate", type=float, default=NORM_RATE)
    parser.add_argument("--head-rate", type=float, default=HEAD_RATE)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    tower = PretrainedTower.installed(options.models)
    if tower is None:
        raise SetupError(f"no CLIP tower in {str(options.models)!r}: run `unmask setup`")
    stored = next(it for it in find_stored_detectors([SHIPPED]) if it.title == options.begin)
    linear = TowerHead.load(stored, tower)
    top = TunedTop(linear)
    train(
        top,
        ahead(tower, PairReader(options.pairs, np.random.default_rng(options.seed))),
        options.work,
        done=by_clock(options.work, 60 * options.minutes),
        rates=(options.rate, options.head_rate),
    )
    held = [HeldOut.judged(options.pairs, name, top, linear) for name in HELD]
    for one in held:
        _note(options.work, one.figures())
    if options.out is not None:
        save_head(top, options.out / MANIPULATED.removeprefix("face/"), held)


def train(
    top: TunedTop,
    batches: Iterator[Lower],
    work: Path,
    *,
    done: Callable[[int], float],
    rates: tuple[float, float] = (NORM_RATE, HEAD_RATE),
) -> None:
    """Train until `done` (of the steps of this run) says 1; keep log and checkpoint in `work`.

    `rates` are the highest of norms and head; they fall to zero with what is left.
    """
    some = [next(batches) for _ in range(6)]
    top.standardise(
        Lower(torch.cat([it.states for it in some]), torch.cat([it.features for it in some]))
    )
    if (work / CHECKPOINT).is_file():
        top.load_state_dict(load_file(work / CHECKPOINT))
    parameters = [list(top.norms), [top.weight, top.bias]]
    groups: list[dict[str, Any]] = [
        {"params": it, "most": most} for it, most in zip(parameters, rates, strict=True)
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0, betas=(0.9, 0.98))
    step, recent = 0, list[tuple[float, float]]()
    while (part := done(step)) < 1.0:
        for group in optimiser.param_groups:
            falling = 0.5 * (1 + math.cos(math.pi * part))
            group["lr"] = group["most"] * min(1.0, part / WARM_UP) * falling
        optimiser.zero_grad()
        logits = top.logits(next(batches))
        loss = loss_of(logits)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(top.parameters(), 1.0)
        optimiser.step()
        step += 1
        recent.append((loss.item(), (logits[1::2] > logits[0::2]).float().mean().item()))
        if len(recent) == NOTED:
            mean, ranked = np.mean(recent, axis=0).round(4).tolist()
            _note(work, {"step": step, "done": round(part, 4), "loss": mean, "ranked": ranked})
            recent.clear()
        if step % SAVED == 0:
            _keep(top, work, part)
    _keep(top, work, 1.0)


def _keep(top: TunedTop, work: Path, part: float) -> None:
    partial = work / f"{CHECKPOINT}.partial"
    save_file(top.state_dict(), partial, metadata={"done": str(part)})
    partial.replace(work / CHECKPOINT)


def by_clock(work: Path, seconds: float) -> Callable[[int], float]:
    """The part of the time that is spent, with that of an earlier run in `work`."""
    spent = 0.0
    if (work / CHECKPOINT).is_file():
        with safe_open(work / CHECKPOINT, "pt") as stored:
            spent = float(stored.metadata()["done"])
    began = time.monotonic()
    return lambda _: spent + (time.monotonic() - began) / seconds


def _note(work: Path, row: Mapping[str, object]) -> None:
    with (work / LOG).open("a", encoding="utf-8") as log:
        print(json.dumps(row), file=log)


if __name__ == "__main__":
    main()
