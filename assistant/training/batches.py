"""Batches of rows with similar length and a common prefix, and their pictures as patches."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assistant.training.forward import SharedPrefixBatch
from assistant.training.rows import DialogueRow, mrope_positions

SIDE = 8
"""Patches along a side of a picture: 128 px in patches of 16 px."""


@dataclass(frozen=True, slots=True)
class DialogueBatch:
    """Rows with one prefix; `wanted` (b, t) are the target tokens, -100 where there is no loss."""

    rows: SharedPrefixBatch
    wanted: Tensor

    @property
    def loss_mask(self) -> int:
        """The number of target tokens."""
        return int((self.wanted >= 0).sum())


class PatchStore:
    """All harvested pictures as the processor's patches, in half precision."""

    def __init__(self, folders: Sequence[Path], processor: Any) -> None:
        from PIL import Image

        patches = []
        for folder in folders:
            for path in sorted((folder / "pictures").glob("*.jpg")):
                seen = processor.image_processor(
                    Image.open(path).convert("RGB"), return_tensors="pt"
                )
                if seen["image_grid_thw"].tolist() != [[1, SIDE, SIDE]]:
                    raise ValueError(f"{path.name} is not square: {seen['image_grid_thw']}")
                patches.append(seen["pixel_values"].half())
        self._patches = torch.stack(patches)

    def of(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Patches (n · 64, d) and grids (n, 3) of some pictures."""
        if not numbers:
            return None, None
        chosen = self._patches[list(numbers)].float()
        return chosen.flatten(0, 1), torch.tensor([[1, SIDE, SIDE]] * len(numbers))


class DialogueSampler:
    """Rows grouped by prefix and length, drawn repeatedly in another order."""

    def __init__(
        self,
        rows: Sequence[DialogueRow],
        beginnings: Mapping[str, np.ndarray],
        pictures: PatchStore,
        *,
        pad: int,
        image: int,
    ) -> None:
        self.rows, self.pictures, self.pad, self.image = rows, pictures, pad, image
        self.beginnings = {
            name: torch.from_numpy(ids.astype(np.int64)) for name, ids in beginnings.items()
        }

    def batches(self, rng: np.random.Generator, *, tokens: int) -> Iterator[DialogueBatch]:
        """Endless batches of about `tokens` tokens; each round uses every row once."""
        while True:
            plan = self._plan(rng, tokens)
            for place in rng.permutation(len(plan)):
                yield self.batch(plan[int(place)])

    def _plan(self, rng: np.random.Generator, tokens: int) -> list[list[DialogueRow]]:
        by_beginning: dict[str, list[DialogueRow]] = defaultdict(list)
        for place in rng.permutation(len(self.rows)):
            by_beginning[self.rows[int(place)].prefix].append(self.rows[int(place)])
        plan: list[list[DialogueRow]] = []
        for rows in by_beginning.values():
            # Sorted by length, but coarsely: neighbours differ from round to round.
            rows.sort(key=lambda row: len(row.ids) // 12)
            group: list[DialogueRow] = []
            for row in rows:
                if group and (len(group) + 1) * max(len(row.ids), len(group[0].ids)) > tokens:
                    plan.append(group)
                    group = []
                group.append(row)
            if group:
                plan.append(group)
        return plan

    def batch(self, rows: Sequence[DialogueRow]) -> DialogueBatch:
        """Rows with one prefix, padded on the right."""
        beginning = self.beginnings[rows[0].prefix]
        longest = max(len(row.ids) for row in rows)
        rest = torch.full((len(rows), longest), self.pad)
        wanted = torch.full((len(rows), longest), -100)
        places = torch.zeros(3, len(rows), longest, dtype=torch.long)
        for number, row in enumerate(rows):
            ids = row.ids.astype(np.int64)
            rest[number, : len(ids)] = torch.from_numpy(ids)
            aims = np.where(row.loss_mask[1:], ids[1:], -100)
            wanted[number, : len(aims)] = torch.from_numpy(aims)
            places[:, number, : len(ids)] = torch.from_numpy(
                mrope_positions(ids, start=len(beginning), pad=self.image)
            )
        patches, grids = self.pictures.of([it for row in rows for it in row.pictures])
        return DialogueBatch(SharedPrefixBatch(beginning, rest, places, patches, grids), wanted)
