"""CADDM's network: a backbone, and a module that finds artefacts of several sizes on its map.

Dong et al., "Implicit Identity Leakage: The Stumbling Block to Improving Deepfake Detection
Generalization", CVPR 2023 (arXiv 2210.14457), section 4: who is in a picture shows in the whole of
it, artefacts show in small areas; a network that must say where they are learns less of who it is.
Anchors of four sizes in both orientations lie on maps of 7, 5, 3 and 1 cells a side; sizes and
steps are the paper's, in shares of the crop, so that they hold for crops of any size. Written from
the paper's description.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURE_MAP_SIZES = (7, 5, 3, 1)
ANCHOR_STEPS = (32 / 224, 45 / 224, 75 / 224, 1.0)
ANCHOR_SIZES = ((40 / 224, 80 / 224), (80 / 224, 120 / 224), (120 / 224, 160 / 224), (1.0, 1.0))
BOX_VARIANCES = (0.1, 0.2)
MIN_ANCHOR_IOU = 0.5
NEGATIVE_RATIO = 2
"""Anchors without an artefact that count, for each with one: those that look most like one."""


def anchors() -> Tensor:
    """Centres and sizes (168, 4), cx cy w h in shares of the crop, clipped into it."""
    found = []
    for cells, step, (low, high) in zip(FEATURE_MAP_SIZES, ANCHOR_STEPS, ANCHOR_SIZES, strict=True):
        for row in range(cells):
            for column in range(cells):
                centre = [(column + 0.5) * step, (row + 0.5) * step]
                found += [[*centre, low, high], [*centre, high, low]]
    corners = _corners(torch.tensor(found)).clamp(0, 1)
    return torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)


@dataclass(frozen=True, slots=True)
class ArtefactOutput:
    """What the network says of n pictures.

    `logits` (n, 2): authentic, forged; of every anchor `box_offsets` (n, 168, 4), its correction,
    and `box_logits` (n, 168, 2), nothing or an artefact. Without the module the two are None.
    `evidence` (n, h, w) are the pocket tower's own logits of each cell; None of other backbones.
    """

    logits: Tensor
    box_offsets: Tensor | None
    box_logits: Tensor | None
    evidence: Tensor | None = None


class ArtefactModule(nn.Module):
    """Maps (n, width, h, w) to moves and artefacts of the anchors, and (n, width) of the last."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            [_Shrinking(width, 1), _Shrinking(width, 3), _Shrinking(width, 3), _Shrinking(width, 3)]
        )
        kernels = (3, 3, 3, 1)
        self.heads = nn.ModuleList(
            nn.Conv2d(width, 2 * (4 + 2), kernel, padding=kernel // 2) for kernel in kernels
        )

    def forward(self, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """In the order of `anchors`."""
        x = functional.adaptive_max_pool2d(cells, FEATURE_MAP_SIZES[0])
        found = []
        for level, head in zip(self.levels, self.heads, strict=True):
            x = level(x)
            found.append(head(x).permute(0, 2, 3, 1).reshape(len(x), -1, 6))
        every = torch.cat(found, dim=1)
        return every[..., :4], every[..., 4:], x.flatten(1)


class _Shrinking(nn.Module):
    """Two convolutions around a shortcut of the same reach; k = 3 takes one cell off each side."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, kernel, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Conv2d(width, width, kernel, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


class ArtefactNetwork(nn.Module):
    """`backbone` is our pocket tower or the name of any timm network; `module`: with CADDM's.

    The final score sums what the whole picture gave and the module's last cell, as published.
    """

    def __init__(self, backbone: str, *, module: bool, width: int = 128) -> None:
        super().__init__()
        self.backbone = _backbone(backbone)
        cells, pooled = self.backbone.widths
        self.narrow = nn.Conv2d(cells, width, 1)
        self.whole = nn.Linear(pooled, width)
        self.module = ArtefactModule(width) if module else None
        self.decide = nn.Linear(width, 2)

    def forward(self, images: Tensor) -> ArtefactOutput:
        """Pictures (n, 3, s, s), values in -1..1."""
        cells, pooled, evidence = self.backbone(images)
        said = self.whole(pooled)
        if self.module is None:
            return ArtefactOutput(self.decide(functional.relu(said)), None, None, evidence)
        moves, artefacts, last = self.module(self.narrow(cells))
        return ArtefactOutput(self.decide(functional.relu(said + last)), moves, artefacts, evidence)


class _PocketBackbone(nn.Module):
    """The pocket encoder's tower: its cells, and its own pooling over them."""

    def __init__(self) -> None:
        super().__init__()
        from tools.encoder.pocket_tower import PocketTower

        self.tower = PocketTower()
        self.widths = 160, self.tower.num_features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cells, evidence = self.tower.cells(images)
        return cells, self.tower.pool(cells, evidence), evidence


class _TimmBackbone(nn.Module):
    """The last map of a timm network, and its mean."""

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        tower: Any = timm.create_model(name, pretrained=False, features_only=True)
        self.tower = tower
        width = int(tower.feature_info.channels()[-1])
        self.widths = width, width

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, None]:
        cells: Tensor = self.tower(images)[-1]
        return cells, cells.mean(dim=(2, 3)), None


def _backbone(name: str) -> _PocketBackbone | _TimmBackbone:
    return _PocketBackbone() if name == "pocket_tower" else _TimmBackbone(name)


def decode_boxes(said: ArtefactOutput, *, least: float, most: int) -> list[Tensor]:
    """Artefacts of each picture: (k, 5), x1 y1 x2 y2 in shares of the crop and a score in 0..1.

    At most `most` with a score of `least` or more, the surest first; of boxes that overlap by half
    the surer one. Raises ValueError for a network without the module.
    """
    from torchvision.ops import nms

    if said.box_offsets is None or said.box_logits is None:
        raise ValueError("a network without the artefact module finds no boxes")
    scores = said.box_logits.float().softmax(dim=2)[..., 1]
    found = []
    for moves, score in zip(said.box_offsets.float(), scores, strict=True):
        corners = _corners(_moved(moves, anchors().to(moves.device))).clamp(0, 1)
        kept = nms(corners, score, MIN_ANCHOR_IOU)
        kept = kept[score[kept] >= least][:most]
        found.append(torch.cat([corners[kept], score[kept, None]], dim=1))
    return found


def artefact_losses(said: ArtefactOutput, boxes: Sequence[Tensor]) -> Mapping[str, Tensor]:
    """SSD's losses of location and of confidence; `boxes` (k, 4) of each picture, x1 y1 x2 y2.

    An anchor that overlaps a box by half, and the best one of every box, stand for it. Both are
    divided by how many do; of the others the hardest count, two for each.
    """
    if said.box_offsets is None or said.box_logits is None:
        raise ValueError("a network without the artefact module has no such losses")
    base = anchors().to(said.box_offsets.device)
    matched = [_matched(box, base) for box in boxes]
    positive = torch.stack([which >= 0 for which in matched])
    count = max(1, int(positive.sum()))
    wanted = torch.zeros_like(said.box_offsets)
    for row, (which, box) in enumerate(zip(matched, boxes, strict=True)):
        if len(box):
            wanted[row] = _moves(box[which.clamp(min=0)], base)
    location = functional.smooth_l1_loss(
        said.box_offsets[positive], wanted[positive], reduction="sum"
    )
    each = functional.cross_entropy(
        said.box_logits.flatten(0, 1).float(), positive.flatten().long(), reduction="none"
    )
    flat = positive.flatten()
    hardest = each[~flat].topk(min(int((~flat).sum()), NEGATIVE_RATIO * count)).values
    confidence = each[flat].sum() + hardest.sum()
    return {"location": location / count, "confidence": confidence / count}


def _matched(boxes: Tensor, base: Tensor) -> Tensor:
    """(168,) which box each anchor stands for; -1 for none."""
    if not len(boxes):
        return torch.full((len(base),), -1, device=base.device)
    from torchvision.ops import box_iou

    overlap = box_iou(_corners(base), boxes)
    best, which = overlap.max(dim=1)
    which = torch.where(best >= MIN_ANCHOR_IOU, which, -1)
    # Every box has an anchor, however badly the best one fits.
    which[overlap.argmax(dim=0)] = torch.arange(len(boxes), device=base.device)
    return which


def _corners(centred: Tensor) -> Tensor:
    half = centred[:, 2:] / 2
    return torch.cat([centred[:, :2] - half, centred[:, :2] + half], dim=1)


def _moved(moves: Tensor, base: Tensor) -> Tensor:
    centres = base[:, :2] + moves[:, :2] * BOX_VARIANCES[0] * base[:, 2:]
    sizes = base[:, 2:] * (moves[:, 2:] * BOX_VARIANCES[1]).clamp(max=4).exp()
    return torch.cat([centres, sizes], dim=1)


def _moves(boxes: Tensor, base: Tensor) -> Tensor:
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    shift = (centres - base[:, :2]) / (BOX_VARIANCES[0] * base[:, 2:])
    return torch.cat([shift, (sizes.clamp(min=1e-3) / base[:, 2:]).log() / BOX_VARIANCES[1]], dim=1)
