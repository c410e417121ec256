"""The pocket face detector's network, targets and loss, in SCRFD's output format.

The format is that of "Sample and Computation Redistribution for Efficient Face Detection" (Guo et
al., ICLR 2022). The network is ours: few dense convolutions, because small dense ones are fastest
on a CPU, and a narrow map at stride 8, which costs the most time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
# Two anchors per cell; each is responsible for faces of about its size (square root of the area).
ANCHOR_PX = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
# Half width, in cells, of the square around a face's centre in which anchors are positive.
REACH = (1.0, 1.5)
# Subtracted from the score logit on export, so that insightface's usual threshold of 0.5 separates
# faces from hands and badges on web photographs (0.57 in training).
SCORE_SHIFT = 0.3


class Block(nn.Module):
    """Residual block of two 3×3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, width, h, w) to the same shape."""
        return functional.relu(x + self.second(self.first(x)))


def conv(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, *, active: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation and, if active, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if active else []))


class FaceDetectorNetwork(nn.Module):
    """Images (b, 3, h, w), (RGB - 127.5) / 128, to nine maps; h and w are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, stride=2), conv(16, 32, stride=2))
        self.stage8 = nn.Sequential(conv(32, 48, stride=2), Block(48), Block(48))
        self.stage16 = nn.Sequential(conv(48, 64, stride=2), Block(64), Block(64))
        self.stage32 = nn.Sequential(conv(64, 96, stride=2), Block(96), Block(96))
        self.lateral = nn.ModuleList(conv(w, 48, 1, active=False) for w in (48, 64, 96))
        self.smooth = nn.ModuleList(conv(48, 48) for _ in STRIDES)
        self.predict = nn.ModuleList(nn.Conv2d(48, 2 * 15, 1) for _ in STRIDES)
        for layer in self.predict:
            nn.init.normal_(layer.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            with torch.no_grad():
                layer.bias.view(2, 15)[:, 0] = -4.0  # type: ignore[operator]

    def maps(self, images: Tensor) -> list[Tensor]:
        """Per stride (b, 2 h w, 15): score logit, four log distances, ten offsets, in anchors."""
        c8 = self.stage8(self.stem(images))
        c16 = self.stage16(c8)
        c32 = self.stage32(c16)
        p8, p16, p32 = (f(c) for f, c in zip(self.lateral, (c8, c16, c32), strict=True))
        p16 = p16 + functional.interpolate(p32, scale_factor=2.0)
        p8 = p8 + functional.interpolate(p16, scale_factor=2.0)
        outputs = []
        levels = zip((p8, p16, p32), self.smooth, self.predict, strict=True)
        for features, smooth, predict in levels:
            grid = predict(smooth(functional.relu(features)))
            outputs.append(grid.permute(0, 2, 3, 1).reshape(len(images), -1, 15))
        return outputs

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """SCRFD's nine outputs for one image: scores 0..1, box and keypoint distances, per stride.

        Distances are in strides, from the cell's corner (x, y) = stride * (column, row).
        """
        scores, boxes, points = [], [], []
        for grid, stride, anchors in zip(self.maps(images), STRIDES, ANCHOR_PX, strict=True):
            unit = grid.new_tensor([a / 2 / stride for a in anchors])[None, :, None]
            cells = grid.reshape(-1, 2, 15)
            scores.append((cells[..., :1].reshape(-1, 1) - SCORE_SHIFT).sigmoid())
            boxes.append((cells[..., 1:5].exp() * unit).reshape(-1, 4))
            points.append((cells[..., 5:] * unit).reshape(-1, 10))
        return (*scores, *boxes, *points)


def anchor_centres(side: int) -> tuple[Tensor, Tensor]:
    """Corner (n, 2) px and size (n,) px of every anchor of a square image, in output order."""
    centres, sizes = [], []
    for stride, anchors in zip(STRIDES, ANCHOR_PX, strict=True):
        steps = torch.arange(side // stride, dtype=torch.float32) * stride
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        centres.append(torch.stack([x, y], -1).reshape(-1, 1, 2).expand(-1, 2, 2).reshape(-1, 2))
        sizes.append(torch.tensor(anchors).repeat(len(steps) ** 2))
    return torch.cat(centres), torch.cat(sizes)


def assign_anchors(
    boxes: list[np.ndarray], ignored: list[np.ndarray], side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Assign anchors to faces.

    Returns the positive anchors (p,), the face (p,) of each, and the ignored anchors (m,). A face
    is assigned to the anchor size nearest to its own; an anchor size nearly as near is positive
    too, and a somewhat near one is ignored.
    """
    offsets = np.cumsum([0, *(2 * (side // s) ** 2 for s in STRIDES)])
    owner = np.full(offsets[-1], -1)
    for box in ignored:
        for level, stride in enumerate(STRIDES):
            owner[_cells(box, stride, side) + offsets[level]] = -2
    order = sorted(range(len(boxes)), key=lambda i: -_size(boxes[i]))
    for face in order:  # small faces last: with the fewest cells, they win conflicts
        octaves = np.abs(np.log2(np.array(ANCHOR_PX) / _size(boxes[face])))
        nearest = octaves.min()
        for level, stride in enumerate(STRIDES):
            for anchor in range(2):
                distance = octaves[level, anchor]
                if distance > 0.85 and distance > nearest:
                    continue
                positive = distance == nearest or distance < 0.65
                x, y = (boxes[face][:2] + boxes[face][2:]) / 2
                reach = REACH[anchor] * stride
                around = np.array([x - reach, y - reach, x + reach, y + reach])
                cells = _cells(around, stride, side)[anchor::2] + offsets[level]
                if positive:
                    owner[cells] = face
                else:
                    owner[cells[owner[cells] == -1]] = -2
    positives = np.flatnonzero(owner >= 0)
    return positives, owner[positives], np.flatnonzero(owner == -2)


def _size(box: np.ndarray) -> float:
    return float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))


def _cells(box: np.ndarray, stride: int, side: int) -> np.ndarray:
    """Indices of the anchors, within a stride's map, whose corner lies in the box."""
    columns = side // stride
    x1, y1 = np.clip(np.ceil(box[:2] / stride), 0, columns).astype(int)
    x2, y2 = np.clip(np.floor(box[2:] / stride) + 1, 0, columns).astype(int)
    grid = np.arange(y1, y2)[:, None] * columns + np.arange(x1, x2)
    return np.asarray((grid.reshape(-1, 1) * 2 + np.arange(2)).reshape(-1))


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Training targets of a batch: the `image` and `anchor` index (p,) of each of p positives,

    `boxes` (p, 4) and `keypoints` (p, 10) px; `judged` (b, n) is 0 where the score has no loss.
    """

    image: Tensor
    anchor: Tensor
    boxes: Tensor
    keypoints: Tensor
    judged: Tensor


def detection_loss(
    predicted: Tensor, targets: Targets, *, centres: Tensor, sizes: Tensor
) -> dict[str, Tensor]:
    """Quality focal loss on the score, DIoU on the box, smooth L1 on the keypoints.

    `predicted` (b, n, 15); `centres` and `sizes` come from `anchor_centres`.
    """
    image, anchor = targets.image, targets.anchor
    cells = predicted[image, anchor]
    half = sizes[anchor, None] / 2
    distances = cells[:, 1:5].clamp(-4, 4).exp() * half
    corner = centres[anchor]
    found = torch.cat([corner - distances[:, :2], corner + distances[:, 2:]], 1)
    iou, diou = iou_and_distance_iou(found, targets.boxes)
    points = (targets.keypoints - corner.repeat(1, 5)) / half
    # The score predicts how well the box fits, so that suppression keeps the best box, but every
    # true face scores above the usual threshold of 0.5.
    target = torch.zeros_like(predicted[..., 0])
    target[image, anchor] = 0.5 + 0.5 * iou.detach().clamp(0, 1)
    logits = predicted[..., 0]
    focus = (logits.sigmoid() - target).abs() ** 2
    score = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    count = max(1, len(image))
    return {
        "score": (score * focus * targets.judged).sum() / count,
        "box": 2 * (1 - diou).sum() / count,
        "points": 2
        * functional.smooth_l1_loss(cells[:, 5:], points, beta=0.1, reduction="sum")
        / (10 * count),
    }


def iou_and_distance_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union and its distance variant (Zheng et al., 2020) of box pairs (p, 4)."""
    area = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    inner = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    iou = inner / (area - inner + 1e-6)
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).square().sum(1)
    apart = ((a[:, 2:] + a[:, :2] - b[:, 2:] - b[:, :2]) / 2).square().sum(1)
    return iou, iou - apart / (hull + 1e-6)
