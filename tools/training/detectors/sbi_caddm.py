"""Train SBI, CADDM and their combination.

    python -m tools.training.data.forgery_pool lfw POOL/lfw --rounds 1
    python -m tools.training.data.forgery_pool dfdc POOL/dfdc
    python -m tools.training.detectors.sbi_caddm sbi_caddm POOL \
        --out tools/checkpoints/weights/detectors/sbi_caddm

`sbi` is trained on authentic photographs only, `caddm` on multi-scale swaps of a pool's pairs,
`sbi_caddm` on both. A backbone may start from the weights of the encoder's tower, which was already
trained on the pool's forgeries; its card must then say so.
"""

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.detectors.folders import WEIGHTS_FILE, DetectorDescription, StoredDetector
from tools.detectors.networks.artefact_module import (
    ArtefactNetwork,
    ArtefactOutput,
    artefact_losses,
)
from tools.detectors.networks.caddm import describe_network, to_input_tensor
from tools.forge.forgery import FAMILIES
from tools.training.data.forgery_batches import Pool
from tools.training.data.forgery_pool import HELD_OUT_FAMILY
from tools.training.data.multi_scale_swaps import MultiScaleSwaps
from tools.training.data.pairs import (
    ConcatPairs,
    CropSample,
    EditedPairs,
    PairSource,
    PoolPairs,
)
from tools.training.data.self_blends import SelfBlends
from tools.training.loops.detector_training import NetworkTraining, TrainingOptions

Kind = Literal["sbi", "caddm", "sbi_caddm"]
POOLED = frozenset(FAMILIES) - {HELD_OUT_FAMILY}
BETA = 0.1
"""Weight of the artefact module's losses, as published."""
WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)


class ArtefactLearner(nn.Module):
    """Losses for forged vs. authentic, order within pairs, CADDM's artefact boxes, and a cell map.

    The map is our addition: if the backbone scores its cells, they are trained on the mask.
    """

    def __init__(self, kind: Kind, *, backbone: str = "pocket_tower", size: int = 128) -> None:
        super().__init__()
        self.kind, self.backbone = kind, backbone
        self.size, self.margin = size, 1.0
        self.network = ArtefactNetwork(backbone, module=kind != "sbi")
        self.network.to(memory_format=torch.channels_last)

    def load_backbone(self, tower: Mapping[str, Tensor]) -> None:
        """Initialise the backbone with a tower's weights."""
        self.network.backbone.tower.load_state_dict(dict(tower))

    def losses(self, samples: Sequence[CropSample]) -> Mapping[str, Tensor]:
        """Losses of a batch: first half authentic, second half their forgeries."""
        said = self._said(samples)
        truth = torch.tensor([int(sample.forged) for sample in samples], device=said.logits.device)
        logits = said.logits
        score, half = logits[:, 1] - logits[:, 0], len(samples) // 2
        parts = {
            "told": functional.cross_entropy(logits, truth),
            "order": 0.5 * functional.softplus(score[:half] - score[half:]).mean(),
        }
        known = [sample.mask for sample in samples if sample.mask is not None]
        if said.evidence is not None and len(known) == len(samples):
            parts["where"] = _where(said.evidence, np.stack(known))
        if said.box_offsets is not None:
            boxes = [torch.from_numpy(boxes_of_mask(it)).to(truth.device) for it in samples]
            found = artefact_losses(said, boxes)
            parts |= {name: BETA * value for name, value in found.items()}
        return parts

    def logits(self, samples: Sequence[CropSample]) -> Tensor:
        """(n,), higher is more likely forged."""
        said = self._said(samples)
        scores: Tensor = said.logits[:, 1] - said.logits[:, 0]
        return scores

    def _said(self, samples: Sequence[CropSample]) -> ArtefactOutput:
        device = self.network.decide.weight.device
        said: ArtefactOutput = self.network(
            to_input_tensor([sample.image for sample in samples]).to(device)
        )
        return said

    def groups(self, options: TrainingOptions) -> list[dict[str, Any]]:
        """Parameter groups; a pretrained backbone gets a fifth of the learning rate."""
        known = list(self.network.backbone.parameters())
        own = {id(it) for it in known}
        new = [it for it in self.network.parameters() if id(it) not in own]
        return [{"params": known, "lr": options.rate / 5}, {"params": new, "lr": options.rate}]

    def save(self, folder: Path, *, trained_on: str, families: Sequence[str], name: str) -> None:
        """Write the detector folder: description and weights, matrices in half precision."""
        from safetensors.torch import save_file

        settings = {
            "backbone": self.backbone, "boxed": self.kind != "sbi", "size": self.size,
            "margin": self.margin, "families": list(families),
        }  # fmt: skip
        describe_network(self.kind, settings, trained_on=trained_on, name=name).save(folder)
        state = self.network.state_dict()
        halved = {
            key: (it.half() if it.ndim >= 2 and it.is_floating_point() else it).contiguous().clone()
            for key, it in state.items()
        }
        save_file(halved, folder / WEIGHTS_FILE, metadata={"format": "pt"})


def _where(evidence: Tensor, masks: np.ndarray) -> Tensor:
    """Cross-entropy of cell logits (n, h, w) with each cell's changed share; masks (n, s, s)."""
    truth = torch.from_numpy(masks).to(evidence.device)[:, None]
    size = evidence.shape[1], evidence.shape[2]
    cells = functional.adaptive_avg_pool2d(truth, size)[:, 0]
    each = functional.binary_cross_entropy_with_logits(evidence, cells, reduction="none")
    # Forged cells are rarer; without a weight the map would learn to predict none.
    return (each * (1 + 2 * cells)).mean()


def boxes_of_mask(sample: CropSample) -> np.ndarray:
    """Artefact boxes (k, 4) as shares of the crop: the whole crop, and around each changed area.

    Empty for an authentic crop; only the whole crop if the mask is unknown.
    """
    if not sample.forged:
        return np.zeros((0, 4), np.float32)
    if sample.mask is None:
        return WHOLE
    rows, columns = np.nonzero(sample.mask > 0.1)
    if len(rows) < 16:
        return WHOLE
    side = sample.mask.shape[0]
    around = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / side
    return np.concatenate([WHOLE, around[None].astype(np.float32)])


def source_of(kind: Kind, pairs: PairSource, *, partial: float = 0.2) -> PairSource:
    """The training source of a kind, from pairs of one original."""
    if kind == "sbi":
        return SelfBlends(pairs)
    swaps = MultiScaleSwaps(pairs, partial)
    return swaps if kind == "caddm" else ConcatPairs([swaps, SelfBlends(pairs)])


def pool_pairs(pool: Path) -> PairSource:
    """The training pairs of a pool: LFW's training people and DFDC's training originals."""
    parts = [Pool(pool / "lfw"), Pool(pool / "dfdc" / "train")]
    return ConcatPairs([PoolPairs(part) for part in parts if part.refresh()])


def image_tower_weights(encoder: Path) -> dict[str, Tensor]:
    """Image tower weights of an encoder folder, keyed by their names in the tower."""
    from safetensors.torch import load_file

    start = "visual.trunk."
    state = load_file(encoder / "model.safetensors")
    return {
        name.removeprefix(start): it.float() if it.is_floating_point() else it
        for name, it in state.items()
        if name.startswith(start)
    }


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=get_args(Kind))
    parser.add_argument("pool", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="for checkpoints (default: OUT/../KIND-run)")
    parser.add_argument("--encoder", type=Path, default=Path("tools/checkpoints/weights/encoder"))
    parser.add_argument("--backbone", default="pocket_tower", help="or any timm network")
    parser.add_argument("--begin", type=Path, help="a trained folder of this kind to start from")
    parser.add_argument("--from-scratch", action="store_true", help="without the encoder's tower")
    parser.add_argument("--partial", type=float, default=0.4, help="share of windows (paper: 0.2)")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    learner = ArtefactLearner(given.kind, backbone=given.backbone)
    if given.backbone == "pocket_tower" and not given.from_scratch:
        learner.load_backbone(image_tower_weights(given.encoder))
    if given.begin:
        shelved = StoredDetector(given.begin, DetectorDescription.load(given.begin))
        learner.network.load_state_dict(shelved.tensors())
    source = EditedPairs(source_of(given.kind, pool_pairs(given.pool), partial=given.partial))
    options = TrainingOptions(
        minutes=given.minutes, epochs=None, pairs=given.pairs, rate=given.rate, held_out=0.03,
        patience=10, judged=300, seed=given.seed, threads=given.threads,
    )  # fmt: skip
    work = given.work or given.out.parent / f"{given.kind}-run"
    run = NetworkTraining(learner, source, options, folder=work, name=f"artefacts {given.kind}")
    outcome = run.train(lambda done, found: print(_line(done, found), flush=True))
    begun = not given.from_scratch and given.backbone == "pocket_tower"
    whole = "LFW's training people and DFDC's training videos"
    learner.save(
        given.out,
        trained_on=f"{_LEARNT[given.kind]} of {whole}{BEGUN if begun else ''}",
        families=families_of(given.kind, {*POOLED, VIDEO}, begun=begun),
        name=given.kind,
    )
    print(f"{given.out}: {outcome.figures}")


_LEARNT = {
    "sbi": "self-blends of authentic pictures",
    "caddm": "multi-scale swaps",
    "sbi_caddm": "multi-scale swaps and self-blends",
}
BEGUN = "; begun with the encoder's tower"
VIDEO = "video_deepfake"


def families_of(kind: Kind, pairs: Collection[str], *, begun: bool) -> list[str]:
    """The forgery families a kind was trained on, from those in the pairs and those it generates.

    `begun` adds the families of the pocket encoder's tower, if training started from it.
    """
    known = {"self_blend"} if kind != "caddm" else set()
    if kind != "sbi":
        # A window of a swap is a partial swap in the forge's terms.
        known |= {*pairs, HELD_OUT_FAMILY}
    return sorted(known | ({*POOLED, VIDEO} if begun else set()))


def _line(done: float, found: Mapping[str, float]) -> str:
    return f"{100 * done:.0f} %  " + "  ".join(f"{name} {it:.4f}" for name, it in found.items())


if __name__ == "__main__":
    main()
