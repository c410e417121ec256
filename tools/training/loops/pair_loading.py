"""Prepare batches of pairs in worker processes, for training on a GPU.

One CPU core prepares about 600 pairs/s (`forgery_batches.prepare`); a GPU needs thousands.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from tools.training.data.forgery_batches import Batch, BatchStream, Pool

_PATIENCE_S = 300
"""Timeout of a batch."""

# Sent between processes as tensors through shared memory; arrays would be copied twice.
Parcel = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[tuple[str, str]]]


class PairIterableDataset(IterableDataset[Parcel]):
    """An endless stream of prepared batches; every worker draws its own pairs."""

    def __init__(
        self, folders: Mapping[str, Path], shares: Mapping[str, float], *, pairs: int, seed: int
    ) -> None:
        self.folders, self.shares = dict(folders), dict(shares)
        self.pairs, self.seed = pairs, seed

    def __iter__(self) -> Iterator[Parcel]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, 0 if worker is None else worker.id])
        cv2.setNumThreads(1)
        pools = {name: Pool(folder) for name, folder in self.folders.items()}
        for batch in BatchStream(pools, self.shares, rng).batches(self.pairs):
            tensors = (torch.from_numpy(it) for it in (batch.images, batch.maps, batch.weights))
            yield *tensors, batch.kinds  # type: ignore[misc]  # three tensors


def batches_of_processes(
    folders: Mapping[str, Path],
    shares: Mapping[str, float],
    *,
    pairs: int,
    processes: int,
    seed: int,
) -> Iterator[Batch]:
    """Endless batches from worker processes; raises ValueError if there is no chunk."""
    work = PairIterableDataset(folders, shares, pairs=pairs, seed=seed)
    # Forked processes inherit locks held by threads that do not exist in them, and may deadlock.
    loader = DataLoader(
        work, batch_size=None, num_workers=processes, prefetch_factor=4, collate_fn=_as_it_is,
        multiprocessing_context="spawn", timeout=_PATIENCE_S,
    )  # fmt: skip
    for images, maps, weights, kinds in loader:
        yield Batch(images.numpy(), maps.numpy(), weights.numpy(), kinds)


def _as_it_is(parcel: Any) -> Any:
    return parcel
