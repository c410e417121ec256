"""Train the pocket face embedder: a small ArcFace-style network distilled on LFW.

    python -m tools.training.faces.embedder --data ../shared/data --work runs/embedder
    python -m tools.training.faces.embedder --data ../shared/data --work runs/swaps \
        --start runs/embedder/checkpoint.pt --swaps 9200 --epochs 16 --peak-rate 1.2e-3 --keep 0.4

The second command fine-tunes on face swaps, labelled with the person of the inner face, and writes
the mean of both runs' weights, which handles photographs and swaps.

The student gets augmented crops; the targets are the clean images' unit vectors in
`data/lfw/labels.npz`. Runs on one CPU core, writes a checkpoint every epoch and resumes from it;
`--export-only` writes the ONNX file of the newest checkpoint. Only `train` persons are used for
training; `val` is for `python -m evals run embedder`.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tools.checkpoints.table import WEIGHTS_DIR
from tools.training.faces.embedder_network import DIMENSION, Mirrored, embedder
from tools.training.faces.face_crops import (
    EmbeddingTrainingFaces,
    augmented_crop,
    jitter,
    load_lfw,
    plain_crop,
    to_input_tensor,
)
from tools.training.faces.swapped_faces import make_swaps, with_swaps
from tools.training.loops.onnx_export import export

ONNX_FILE = WEIGHTS_DIR / "faces" / "recognition.onnx"


@dataclass(frozen=True, slots=True)
class EmbedderConfig:
    """All settings that determine the weights, apart from the data."""

    widths: tuple[int, ...] = (48, 48, 96, 96, 192, 192)
    epochs: int = 36
    batch: int = 64
    peak_rate: float = 3e-3
    weight_decay: float = 0.05
    similarity_weight: float = 5.0
    identity_weight: float = 0.05
    identity_scale: float = 24.0
    identity_margin: float = 0.1
    average_decay: float = 0.998
    seed: int = 0


def identity_centres(faces: EmbeddingTrainingFaces) -> Tensor:
    """Mean teacher vector of each person: (persons, 256), unit length."""
    teacher, person = torch.from_numpy(faces.teacher), torch.from_numpy(faces.person)
    sums = torch.zeros(int(person.max()) + 1, DIMENSION).index_add_(0, person, teacher)
    return F.normalize(sums)


def distillation_loss(
    embeddings: Tensor, teacher: Tensor, *, person: Tensor, centres: Tensor, recipe: EmbedderConfig
) -> tuple[Tensor, Tensor]:
    """Return (total loss, mean cosine to the teacher) of a batch.

    Teacher cosine; the batch's similarity matrix (Tung and Mori 2019); and a margin softmax
    (CosFace, Wang et al. 2018) whose class weights are the teacher's own identity centres.
    """
    student = F.normalize(embeddings.float())
    cosine = (student * teacher).sum(1).mean()
    similarity = F.mse_loss(student @ student.T, teacher @ teacher.T)
    logits = student @ centres.T - recipe.identity_margin * F.one_hot(person, len(centres))
    identity = F.cross_entropy(recipe.identity_scale * logits, person)
    total = 1.0 - cosine + recipe.similarity_weight * similarity + recipe.identity_weight * identity
    return total, cosine.detach()


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything stored in a checkpoint."""

    network: nn.Module
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.OneCycleLR

    def save(self, path: Path, *, epoch: int) -> None:
        """Write the state after an epoch (0-based) atomically."""
        partial = path.with_suffix(".partial")
        state = {name: getattr(self, name).state_dict() for name in self.__slots__}
        torch.save({"epoch": epoch, **state}, partial)
        partial.replace(path)

    def restore(self, path: Path) -> int:
        """Load the state if a checkpoint exists; returns the epoch (0-based) to resume at."""
        if not path.is_file():
            return 0
        saved = torch.load(path, weights_only=True)
        for name in self.__slots__:
            getattr(self, name).load_state_dict(saved[name])
        return int(saved["epoch"]) + 1


def build_training_state(
    recipe: EmbedderConfig, *, steps: int, start: Path | None = None
) -> TrainingState:
    """New weights or those of a finished run, their running average, AdamW, one-cycle schedule."""
    torch.manual_seed(recipe.seed)
    network = embedder(recipe.widths).to(memory_format=torch.channels_last)
    if start is not None:
        network.load_state_dict(finished(start))
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.peak_rate, weight_decay=recipe.weight_decay, fused=True
    )
    averaging = get_ema_multi_avg_fn(recipe.average_decay)  # type: ignore[no-untyped-call]
    return TrainingState(
        network=network,
        average=AveragedModel(network, multi_avg_fn=averaging, use_buffers=True),
        optimiser=optimiser,
        schedule=torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.peak_rate, total_steps=steps + 1, pct_start=0.15
        ),
    )


def finished(checkpoint: Path) -> dict[str, Tensor]:
    """The averaged weights of a finished run, by name."""
    averaged: dict[str, Tensor] = torch.load(checkpoint, weights_only=True)["average"]
    prefix = "module."
    return {name.removeprefix(prefix): v for name, v in averaged.items() if prefix in name}


@torch.no_grad()
def blend(network: nn.Module, weights: dict[str, Tensor], *, share: float) -> None:
    """Interpolate the network's weights back towards the starting weights by `share` (0..1).

    This keeps most of the fine-tuning and restores what it had degraded (WiSE-FT, Wortsman et al.,
    CVPR 2022).
    """
    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(weights[name], share)


def run_epoch(
    faces: EmbeddingTrainingFaces,
    parts: TrainingState,
    *,
    forward: Callable[[Tensor], Tensor],
    centres: Tensor,
    recipe: EmbedderConfig,
    epoch: int,
) -> float:
    """Use every training image once, augmented; returns the mean cosine to the teacher."""
    rng = np.random.default_rng((recipe.seed, epoch))
    generator = torch.Generator().manual_seed(recipe.seed * 1000 + epoch)
    teacher, person = torch.from_numpy(faces.teacher), torch.from_numpy(faces.person)
    steps, cosines = len(faces.pixels) // recipe.batch, []
    parts.network.train()
    for chosen in rng.permutation(len(faces.pixels))[: steps * recipe.batch].reshape(steps, -1):
        crops = [augmented_crop(faces, index, rng=rng) for index in chosen]
        images = jitter(to_input_tensor(crops), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            embeddings = forward(images.contiguous(memory_format=torch.channels_last))
        rows = torch.from_numpy(chosen)
        loss, cosine = distillation_loss(
            embeddings, teacher[rows], person=person[rows], centres=centres, recipe=recipe
        )
        parts.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        parts.optimiser.step()
        parts.schedule.step()
        parts.average.update_parameters(parts.network)
        cosines.append(float(cosine))
    return float(np.mean(cosines))


def train(
    faces: EmbeddingTrainingFaces,
    *,
    recipe: EmbedderConfig,
    work: Path,
    compiled: bool,
    last: bool,
    start: Path | None = None,
) -> nn.Module:
    """Train or resume; returns the averaged network, in evaluation mode.

    `last` uses the newest checkpoint without further training; `start` is the checkpoint of a
    finished run to fine-tune.
    """
    steps = len(faces.pixels) // recipe.batch
    parts = build_training_state(recipe, steps=recipe.epochs * steps, start=start)
    checkpoint = work / "checkpoint.pt"
    first = parts.restore(checkpoint)
    forward = torch.compile(parts.network) if compiled else parts.network
    centres = identity_centres(faces)
    for epoch in range(first, first if last else recipe.epochs):
        started = time.perf_counter()
        cosine = run_epoch(
            faces, parts, forward=forward, centres=centres, recipe=recipe, epoch=epoch
        )
        parts.save(checkpoint, epoch=epoch)
        speed = steps * recipe.batch / (time.perf_counter() - started)
        told = f"epoch {epoch + 1}/{recipe.epochs} cosine {cosine:.3f} {speed:.0f} img/s"
        print(told, flush=True)
    return parts.average.module.eval()


def save_onnx(network: nn.Module, path: Path, *, example: Tensor) -> float:
    """Write the ONNX file with insightface's ArcFace signature; returns the largest difference to
    torch."""
    import onnxruntime

    axes = {"image": {0: "n"}, "embedding": {0: "n"}}
    export(network, example, path, outputs=["embedding"], dynamic=axes)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (written,) = session.run(None, {"image": example.numpy()})
    with torch.no_grad():
        expected = F.normalize(network(example))
    return float((expected - F.normalize(torch.from_numpy(written))).abs().max())


def main() -> None:
    """Parse the command line, train, and export."""
    defaults = EmbedderConfig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/embedder"))
    parser.add_argument("--output", type=Path, default=ONNX_FILE)
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--identity-weight", type=float, default=defaults.identity_weight)
    parser.add_argument("--peak-rate", type=float, default=defaults.peak_rate)
    parser.add_argument("--start", type=Path, help="checkpoint of a finished run to start from")
    parser.add_argument("--keep", type=float, default=0.0, help="share of its weights to keep")
    parser.add_argument("--swaps", type=int, default=0, help="number of additional face swaps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="without a C++ compiler")
    parser.add_argument(
        "--export-only", action="store_true", help="export the newest checkpoint only"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    recipe = EmbedderConfig(
        epochs=options.epochs,
        identity_weight=options.identity_weight,
        peak_rate=options.peak_rate,
    )
    faces = load_lfw(options.data, "train")
    if options.swaps:
        swaps = options.work / "swaps.npz"
        if not swaps.is_file():
            make_swaps(options.data, swaps, count=options.swaps, seed=recipe.seed + 3)
        faces = with_swaps(faces, swaps)
    network = train(
        faces,
        recipe=recipe,
        work=options.work,
        compiled=not options.no_compile,
        last=options.export_only,
        start=options.start,
    )
    if options.start:
        blend(network, finished(options.start), share=options.keep)
    example = to_input_tensor([plain_crop(faces, index) for index in range(8)]).contiguous()
    difference = save_onnx(Mirrored(network).eval(), options.output, example=example)
    print(f"wrote {options.output.name}, largest difference to torch {difference:.1e}")


if __name__ == "__main__":
    main()
