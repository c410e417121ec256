"""Small networks over the tower's tokens: one for the whole picture, one for an aligned face."""

import torch
from torch import nn
from torch.nn import functional

from assistant.chat_model.looking.attributes import BLOCKS, FACE_BLOCKS, FACE_PARTS, PICTURE_GROUPS

WIDTH = 768
VIEWS = 2
GRID = 7
"""Side of the grid of cells that the picture's head reads: the tower's, two by two averaged."""
FACE_GRID = 14

_PART_CELLS = {
    "eyes": (slice(4, 8), slice(3, 11)),
    "nose": (slice(6, 10), slice(5, 9)),
    "mouth": (slice(9, 13), slice(4, 10)),
}
"""Where the parts lie in an aligned face: rows and columns of its cells."""


class PictureHead(nn.Module):
    """Logits of all classes of all groups from the tokens of a whole and a detail view."""

    def __init__(
        self,
        *,
        of_classes: int = VIEWS * len(BLOCKS) * WIDTH,
        of_cells: int = len(BLOCKS) * WIDTH,
        wide: int = 32,
        narrow: int = 16,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.drop_inputs = nn.Dropout(dropout)
        self.drop_hidden = nn.Dropout(dropout)
        self.classes = nn.Linear(of_classes, wide)
        self.cells = nn.ModuleList(nn.Linear(of_cells, narrow) for _ in range(VIEWS))
        hidden = wide + VIEWS * 2 * narrow + GRID * narrow
        self.last = nn.Linear(hidden, sum(map(len, PICTURE_GROUPS.values())))

    def forward(self, classes: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """Class tokens (n, 2 × b × d) and cells (n, 2, 49, b × d) to logits (n, classes)."""
        parts = [functional.relu(self.classes(self.drop_inputs(classes)))]
        for view, layer in enumerate(self.cells):
            seen = functional.relu(layer(self.drop_inputs(cells[:, view])))
            parts += [seen.mean(dim=1), seen.amax(dim=1)]
            if view == 0:  # where in the picture: the strongest of each column
                grid = seen.reshape(len(seen), GRID, GRID, -1)
                parts.append(grid.amax(dim=1).flatten(1))
        logits: torch.Tensor = self.last(self.drop_hidden(torch.cat(parts, dim=1)))
        return logits


class FaceHead(nn.Module):
    """Logits of an aligned face: of each cell, of each part, and of any alteration at all."""

    def __init__(
        self, *, of_cells: int = FACE_BLOCKS * WIDTH, hidden: int = 32, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.first = nn.Conv2d(of_cells, hidden, 1)
        self.second = nn.Conv2d(3 * hidden, hidden, 1)
        self.cell = nn.Conv2d(hidden, 1, 1)
        self.part = nn.ModuleList(nn.Linear(2 * hidden, 1) for _ in FACE_PARTS)
        self.any = nn.Linear(2 * hidden, 1)

    def forward(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cells (n, 196, b × d) to logits of cells (n, 14, 14), of any and the parts (n, 4)."""
        grid = cells.transpose(1, 2).reshape(len(cells), -1, FACE_GRID, FACE_GRID)
        seen = functional.relu(self.first(self.dropout(grid)))
        around = functional.avg_pool2d(seen, 5, 1, 2, count_include_pad=False)
        whole = seen.mean(dim=(2, 3), keepdim=True).expand_as(seen)
        known = functional.relu(self.second(torch.cat([seen, around, whole], dim=1)))
        said = [self.any(_pooled(known))]
        for layer, (rows, columns) in zip(self.part, _PART_CELLS.values(), strict=True):
            said.append(layer(_pooled(known[:, :, rows, columns])))
        return self.cell(known)[:, 0], torch.cat(said, dim=1)


def _pooled(grid: torch.Tensor) -> torch.Tensor:
    return torch.cat([grid.mean(dim=(2, 3)), grid.amax(dim=(2, 3))], dim=1)


def group_slices() -> dict[str, slice]:
    """Where the classes of each group lie among the logits of a picture."""
    found, start = {}, 0
    for name, classes in PICTURE_GROUPS.items():
        found[name] = slice(start, start + len(classes))
        start += len(classes)
    return found


def pooled_cells(tokens: torch.Tensor) -> torch.Tensor:
    """Cells (n, b, 196, d) as means of two by two, (n, b, 49, d) float32."""
    n, blocks, _, width = tokens.shape
    grid = tokens.float().reshape(n, blocks, GRID, 2, GRID, 2, width)
    return grid.mean(dim=(3, 5)).reshape(n, blocks, GRID * GRID, width)


def side_by_side(cells: torch.Tensor) -> torch.Tensor:
    """Cells of several blocks (…, b, cells, d) as one row per cell, (…, cells, b × d) float32."""
    return cells.float().transpose(-3, -2).flatten(-2)
