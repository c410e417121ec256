"""CADDM's network: a backbone, and a multi-scale artefact detection module.

Dong et al., "Implicit Identity Leakage: The Stumbling Block to Improving Deepfake Detection
Generalization", CVPR 2023 (arXiv 2210.14457), section 4: identity shows in the whole image,
artefacts in small areas; a network that must locate them learns less about identity. Anchors of
four sizes in both orientations lie on maps of 7, 5, 3 and 1 cells per side; sizes and steps are the
paper's, as fractions of the crop, so they hold for any crop size. Written from the paper's
description.
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
"""Hard negatives (anchors without an artefact) in the loss per positive anchor."""


def anchors() -> Tensor:
    """Anchor centres and sizes (168, 4), cx cy w h as fractions of the crop, clipped to it."""
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
    """The network's output for n images.

    `logits` (n, 2): authentic, forged. Per anchor: `box_offsets` (n, 168, 4), and `box_logits` (n,
    168, 2), background or artefact; both are None without the module. `evidence` (n, h, w) are the
    pocket tower's own logits per cell; None for other backbones.
    """

    logits: Tensor
    box_offsets: Tensor | None
    box_logits: Tensor | None
    evidence: Tensor | None = None


class ArtefactModule(nn.Module):
    """Maps (n, width, h, w) to anchor offsets and logits, and a final feature (n, width)."""

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
    """Residual block of two convolutions; k = 3 removes one cell on each side."""

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
    """`backbone` is our pocket tower or any timm network; `module`: with CADDM's artefact module.

    The final score sums the features of the whole image and of the module's last cell, as
    published.
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
        """Images (n, 3, s, s), values in -1..1."""
        cells, pooled, evidence = self.backbone(images)
        whole = self.whole(pooled)
        if self.module is None:
            return ArtefactOutput(self.decide(functional.relu(whole)), None, None, evidence)
        offsets, artefacts, last = self.module(self.narrow(cells))
        logits = self.decide(functional.relu(whole + last))
        return ArtefactOutput(logits, offsets, artefacts, evidence)


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
    """The last feature map of a timm network, and its mean."""

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


def decode_boxes(output: ArtefactOutput, *, least: float, most: int) -> list[Tensor]:
    """Artefact boxes of each image: (k, 5), x1 y1 x2 y2 as fractions of the crop, score in 0..1.

    At most `most` with a score of at least `least`, highest first, after non-maximum suppression at
    an IoU of 0.5. Raises ValueError for a network without the module.
    """
    from torchvision.ops import nms

    if output.box_offsets is None or output.box_logits is None:
        raise ValueError("a network without the artefact module finds no boxes")
    scores = output.box_logits.float().softmax(dim=2)[..., 1]
    found = []
    for moves, score in zip(output.box_offsets.float(), scores, strict=True):
        corners = _corners(_moved(moves, anchors().to(moves.device))).clamp(0, 1)
        kept = nms(corners, score, MIN_ANCHOR_IOU)
        kept = kept[score[kept] >= least][:most]
        found.append(torch.cat([corners[kept], score[kept, None]], dim=1))
    return found


def artefact_losses(output: ArtefactOutput, boxes: Sequence[Tensor]) -> Mapping[str, Tensor]:
    """SSD's location and confidence losses; `boxes` (k, 4) of each image, x1 y1 x2 y2.

    Positive anchors are those with an IoU of at least 0.5 with a box, and the best one of every
    box. Both losses are divided by their number; of the negatives only the hardest count, two per
    positive.
    """
    if output.box_offsets is None or output.box_logits is None:
        raise ValueError("a network without the artefact module has no such losses")
    base = anchors().to(output.box_offsets.device)
    matched = [_matched(box, base) for box in boxes]
    positive = torch.stack([which >= 0 for which in matched])
    count = max(1, int(positive.sum()))
    wanted = torch.zeros_like(output.box_offsets)
    for row, (which, box) in enumerate(zip(matched, boxes, strict=True)):
        if len(box):
            wanted[row] = _moves(box[which.clamp(min=0)], base)
    location = functional.smooth_l1_loss(
        output.box_offsets[positive], wanted[positive], reduction="sum"
    )
    each = functional.cross_entropy(
        output.box_logits.flatten(0, 1).float(), positive.flatten().long(), reduction="none"
    )
    flat = positive.flatten()
    hardest = each[~flat].topk(min(int((~flat).sum()), NEGATIVE_RATIO * count)).values
    confidence = each[flat].sum() + hardest.sum()
    return {"location": location / count, "confidence": confidence / count}


def _matched(boxes: Tensor, base: Tensor) -> Tensor:
    """Index (168,) of the box each anchor is matched to; -1 for none."""
    if not len(boxes):
        return torch.full((len(base),), -1, device=base.device)
    from torchvision.ops import box_iou

    overlap = box_iou(_corners(base), boxes)
    best, which = overlap.max(dim=1)
    which = torch.where(best >= MIN_ANCHOR_IOU, which, -1)
    # Every box gets its best anchor, however small their overlap.
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
