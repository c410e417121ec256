"""The pocket encoder's image tower: a small convolutional network that keeps local evidence.

A forged mouth covers 1 % of a crop, so average pooling would lose it. The tower therefore scores
every cell, and pools the cells with the strongest evidence in addition to the mean of all cells.
"""

from collections import OrderedDict
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

# Numbers of strongest cells (of 16 × 16) that are averaged: a mouth, and a third of a face.
_TOP_CELLS = (8, 40)


class PocketTower(nn.Module):
    """Images (n, 3, s, s), normalised, to features (n, `num_features`), with a map on the way.

    `evidence(x)` gives the logit map (n, s/8, s/8), supervised in training with the forged region.
    Does not show: which tool made a forgery, or whether a cell without a score is authentic.
    """

    default_cfg: ClassVar[dict[str, object]] = {"pool_size": None, "input_size": (3, 128, 128)}

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(6, 32, stride=2), _conv(32, 32))
        self.fine = nn.Sequential(_conv(32, 64, stride=2), _Block(64))
        self.middle = nn.Sequential(_conv(64, 128, stride=2), _Block(128), _Block(128), _Block(128))
        self.coarse = nn.Sequential(_conv(128, 192, stride=2), _Block(192), _conv(192, 128, size=1))
        self.mix = _conv(128, 160)
        self.score = nn.Conv2d(160, 1, 1, bias=True)
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.num_features = 2 * 160 + len(_TOP_CELLS) + 1
        if self.score.bias is not None:
            # Most cells of most images are authentic: start with a low logit.
            nn.init.constant_(self.score.bias, -2.0)

    def cells(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of each cell (n, 160, h, w), and its evidence logit (n, h, w)."""
        *_, mixed = self._depths(images)
        return mixed, self.score(mixed).squeeze(1)

    def local(self, images: torch.Tensor) -> torch.Tensor:
        """Features of each cell from every depth of the tower: (n, 449, s/8, s/8) float32.

        For heads that detect other traces than the tower was trained on: the first layers still
        hold what the last ones discard.
        """
        stem, fine, middle, mixed = self._depths(images)
        mean = functional.avg_pool2d(fine, 2)
        spread = (functional.avg_pool2d(fine * fine, 2) - mean * mean).clamp(min=0).sqrt()
        seen = [mixed, self.score(mixed), middle, mean, spread, functional.avg_pool2d(stem, 4)]
        return torch.cat(seen, dim=1).float()

    def _depths(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        # Forgery traces are mostly in the fine, invisible residual: amplify it.
        residual = 3 * (images - _blurred(images))
        stem = self.stem(torch.cat([images, residual], dim=1))
        fine = self.fine(stem)
        middle = self.middle(fine)
        context = functional.interpolate(
            self.coarse(middle), size=middle.shape[-2:], mode="nearest"
        )
        return stem, fine, middle, self.mix(middle + context)

    def pool(self, cells: torch.Tensor, evidence: torch.Tensor) -> torch.Tensor:
        """Image features: mean, evidence-weighted mean, strongest logits, mean logit."""
        flat, logits = cells.flatten(2).float(), evidence.flatten(1).float()
        weights = torch.softmax(self.sharpness * logits, dim=1)
        weighted = torch.einsum("ncl,nl->nc", flat, weights)
        ranked = logits.sort(dim=1, descending=True).values
        tops = [ranked[:, :count].mean(dim=1, keepdim=True) for count in _TOP_CELLS]
        parts = [flat.mean(dim=2), weighted, *tops, logits.mean(dim=1, keepdim=True)]
        return torch.cat(parts, dim=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (n, `num_features`) float32."""
        return self.pool(*self.cells(images))

    def evidence(self, images: torch.Tensor) -> torch.Tensor:
        """Forgery logits (n, s/8, s/8)."""
        return self.cells(images)[1]

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Does nothing: the tower has no classifier. timm calls this on its models."""
        if num_classes:
            raise ValueError("the pocket tower gives features; open_clip adds the projection")


class PocketClip(nn.Module):
    """The image half of a CLIP model whose tower is the pocket tower: all that a search needs.

    Modules and weights have the names that open_clip gives them (`visual.trunk`, `visual.head`);
    building it imports neither open_clip nor what that brings along. `dimension` is the features'.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        trunk = PocketTower()
        projection = nn.Linear(trunk.num_features, dimension, bias=False)
        head = nn.Sequential(OrderedDict(proj=projection))
        self.visual = nn.Sequential(OrderedDict(trunk=trunk, head=head))

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Features (n, dimension) of normalised images (n, 3, s, s), not normalised."""
        features: torch.Tensor = self.visual(images)
        return features


def _blurred(images: torch.Tensor) -> torch.Tensor:
    """3 × 3 box blur; sums of slices are faster than pooling on a CPU."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9


class _Block(nn.Module):
    """Residual block of two dense 3 × 3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        norm = nn.BatchNorm2d(width)
        nn.init.zeros_(norm.weight)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.second(self.first(x)))


def _conv(width_in: int, width_out: int, *, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(inplace=True),
    )
