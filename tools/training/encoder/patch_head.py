"""Fit the patch detector: a small head on the encoder tower's local features.

    python -m tools.training.encoder.patch_head --data ../shared/data

Tiles of LFW's training persons and of our forge's scene and face forgeries of them pass through the
frozen encoder once (`tools.training.encoder.patch_pool`, resumable). The head learns to predict the
forged share of each cell. A tenth of the persons is held out for early stopping; LFW's validation
persons are reserved for `python -m evals run scenes`.
"""

import argparse
import zlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from tools.detectors.clip_heads.patch_head import CONTEXT_KERNEL_SIZE, PatchHead
from tools.detectors.clip_heads.patches import KIND, NAME
from tools.detectors.folders import WEIGHTS_FILE, DetectorDescription
from tools.encoder.clip import Encoder
from tools.forge.forgery import SCENE_FAMILIES
from tools.training.data.scene_pairs import FACE_FAMILIES
from tools.training.encoder import patch_pool
from tools.training.encoder.patch_pool import TilePair

BATCH = 16
EPOCHS = 12
_AUTHENTIC_BELOW = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class FittedPatchHead:
    """The head and its AUC over the cells of held-out persons."""

    head: PatchHead
    cell_auc: float
    lessons: int
    persons: int


def fit_patch_head(
    lessons: Sequence[TilePair], *, epochs: int = EPOCHS, seed: int = 0
) -> FittedPatchHead:
    """Train on tiles; raises ValueError if no person is left for validation."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    kept = [it for it in lessons if not is_held_out(it.person)]
    tested = [it for it in lessons if is_held_out(it.person)]
    if not kept or not tested:
        raise ValueError(f"{len(lessons)} tiles show too few persons to hold any out")
    mean, spread = _scale(kept, rng)
    network = PatchHead(torch.from_numpy(mean), torch.from_numpy(spread))
    steps = epochs * (len(kept) // BATCH + 1)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    best = deepcopy(network), -np.inf
    for epoch in range(epochs):
        network.train()
        order = rng.permutation(len(kept))
        for start in range(0, len(order), BATCH):
            chosen = [kept[int(at)] for at in order[start : start + BATCH]]
            optimiser.zero_grad()
            torch.autograd.backward(_loss(network, chosen))
            optimiser.step()
            schedule.step()
        found = patch_auc(network, tested)
        print(f"epoch {epoch + 1} of {epochs}: AUC {found:.4f} on held-out persons", flush=True)
        if found > best[1]:
            best = deepcopy(network).eval(), found
    return FittedPatchHead(*best, len(lessons), len({it.person for it in lessons}))


def is_held_out(person: str) -> bool:
    """Whether a person is among the held-out tenth; depends only on the name."""
    return zlib.crc32(person.encode()) % 10 == 0


def patch_auc(head: PatchHead, lessons: Sequence[TilePair]) -> float:
    """AUC: share of pairs of a forged and an authentic cell that the head ranks correctly."""
    from sklearn.metrics import roc_auc_score

    scores, labels = [], []
    for it in lessons:
        found = head.logits(it.cells)[:, ::2, ::2]
        mask = it.mask[::2, ::2]
        scores += [found[0].ravel(), found[1][mask > 0.5], found[1][mask == 0]]
        labels += [np.full(len(one), at == 1) for at, one in enumerate(scores[-3:])]
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))


def _scale(lessons: Sequence[TilePair], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (c,) of the cells' values, from a few hundred tiles."""
    few = rng.permutation(len(lessons))[:300]
    values = np.concatenate(
        [np.asarray(lessons[int(at)].cells, np.float32)[:, :, ::3, ::3] for at in few]
    )
    flat = values.transpose(1, 0, 2, 3).reshape(values.shape[1], -1)
    return flat.mean(axis=1), flat.std(axis=1) + 1e-3


def _loss(network: nn.Module, chosen: Sequence[TilePair]) -> torch.Tensor:
    """Cross-entropy of each cell with its forged share; forged and authentic cells have equal
    weight."""
    cells = np.concatenate([np.asarray(it.cells, np.float32) for it in chosen])
    masks = np.stack([it.mask for it in chosen])
    wanted = np.stack([np.zeros_like(masks), masks], axis=1).reshape(-1, *masks.shape[1:])
    share = max(0.02, float((wanted > _AUTHENTIC_BELOW).mean()))
    weights = np.where(wanted > _AUTHENTIC_BELOW, 0.5 / share, 0.5 / (1 - share))
    return nn.functional.binary_cross_entropy_with_logits(
        network(torch.from_numpy(cells)),
        torch.from_numpy(wanted.astype(np.float32)),
        weight=torch.from_numpy(weights.astype(np.float32)),
    )


_CARD = """# Patches

Licence of the weights: *research and evaluation*, as of the encoder whose cells they read.

`model.safetensors`: {channels} values of a cell to {hidden}; these beside their means over the
{around} by {around} cells around and over the tile, to {hidden} and to one logit, higher is more
likely forged. They fit the encoder {encoder} alone.

**Data and recipe.** `python -m tools.training.encoder.patch_head`: {lessons:,} tiles of {persons:,}
of LFW's training people, each authentic and forged by our forge: six in ten in what surrounds the
face (painted over, pasted, made again), the rest in the face. Black wedges at the borders were cut
off first. Both members of a pair were resized and compressed alike. The encoder is frozen; the head
learnt for each cell how much of it was forged, and a tenth of the persons said when to stop.

**Figures.** Cells of the persons left out, who also chose when to stop: AUC {cell_auc:.3f}. What
pictures of persons never seen give is measured by `python -m evals run scenes`. Partial swaps and
morphs were never learnt from.

**Limits.** It learnt from traces that the forge imitates: sharpness, noise, grids, compression. A
real generator may leave others, and a strong compression afterwards wipes them out. Text, logos,
screens and strong blur can stand out in authentic pictures. It was never calibrated unless
`calibration.json` lies beside this card.
"""


def save(fitted: FittedPatchHead, folder: Path, encoder: Encoder) -> None:
    """Write the detector folder: description, weights and card."""
    DetectorDescription(
        kind=KIND,
        name=NAME,
        inputs="image",
        needs="pixels",
        licence="research and evaluation",
        trained_on=(
            f"{fitted.lessons:,} tiles of LFW's training people ({fitted.persons:,}) and of our "
            "forge's forgeries of them, scenes and faces"
        ),
        encoder_sha256=encoder.sha256,
        settings={
            "cell_auc": round(fitted.cell_auc, 4),
            "families": [*FACE_FAMILIES, *SCENE_FAMILIES],
        },
    ).save(folder)
    fitted.head.save(folder / WEIGHTS_FILE)
    hidden, channels = fitted.head.first.weight.shape[:2]
    card = _CARD.format(
        channels=channels, hidden=hidden, around=CONTEXT_KERNEL_SIZE, encoder=encoder.sha256[:12],
        lessons=fitted.lessons, persons=fitted.persons, cell_auc=fitted.cell_auc,
    )  # fmt: skip
    (folder / "CARD.md").write_text(card, "utf-8")


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/patch_tiles"), help="about 3 GB")
    parser.add_argument("--encoder", type=Path, default=Path("tools/checkpoints/weights/encoder"))
    parser.add_argument(
        "--out", type=Path, default=Path("tools/checkpoints/weights/detectors/patches")
    )
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    encoder = Encoder.load(given.encoder, threads=given.threads)
    patch_pool.write(given.data, given.cache, encoder, photos=given.photos, seed=given.seed)
    fitted = fit_patch_head(list(patch_pool.read(given.cache)), seed=given.seed)
    save(fitted, given.out, encoder)


if __name__ == "__main__":
    main()
