"""Train a face embedder by distillation from a strong teacher, on the faces in `face_collection`.

    python -m tools.training.data.face_collection --data ../shared/data --copies COPIES \
        --work runs/taught/faces &
    python -m tools.training.faces.distilled_embedder --data ../shared/data \
        --work runs/taught --minutes 240
    python -m evals.suites.weights.embedder_candidate runs/taught/embedder.onnx \
        --data ../shared/data

Training starts as soon as the first faces are collected and loads new ones as they arrive. The
student gets an augmented crop; its target is the teacher's vector of the clean crop. Besides the
collected faces it gets synthetic ones, labelled during training: swaps by our forge, and averages
of two aligned faces. (The forge's morphs stay excluded from all shipped models.)

Uses one CPU core and writes a checkpoint every few minutes; a restarted run resumes. `--minutes` is
the total over all sessions; the learning rate falls during the last 60 %, so extending a run raises
it again. `--export-only` writes the ONNX file of the newest checkpoint.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tools.errors import SetupError, ToolError
from tools.forge.forgery import forge
from tools.training.data.face_collection import MARGIN, Collection, inner
from tools.training.faces.embedder import save_onnx
from tools.training.faces.embedder_network import Mirrored, embedder, rectified
from tools.training.faces.face_crops import augmented, jitter, to_input_tensor
from tools.training.faces.teacher import WHERE, Teacher
from tools.training.loops.averaged_run import AveragedRun
from tools.training.loops.background import prefetch

_TO_CROP = np.array([[1.0, 0, -MARGIN], [0, 1, -MARGIN]])
"""Offset of the ArcFace crop in a collected face."""
_LOG_EVERY = 50  # steps
_LOOK_EVERY = 200  # steps, for faces that were collected meanwhile


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """All settings that determine the weights, apart from the data.

    Training ends at `minutes` or `steps`, whichever comes first.
    """

    widths: tuple[int, ...] = (64, 64, 128, 128, 128, 128, 256, 256)
    stem: tuple[int, ...] = (32, 64)
    minutes: float = 240.0
    steps: int = 1_000_000
    batch: int = 96
    rate: float = 3e-3
    hold: float = 0.4
    similarity_weight: float = 5.0
    swapped: float = 0.05
    overlaid: float = 0.12
    seed: int = 0

    def done(self, run: AveragedRun) -> float:
        """Completed share of the training, 0..1 and beyond."""
        return max(run.spent_s / (60 * self.minutes), run.step / self.steps)


@dataclass(slots=True)
class DistillationBatches:
    """Batches of augmented faces with the teacher's vectors of the clean ones.

    `folder` holds a collection that may grow.
    """

    collection: Collection
    teacher: Teacher
    recipe: DistillationConfig
    _order: Iterator[int] = field(default_factory=lambda: iter(()))

    def batches(self, *, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless images (b, 3, 112, 112) in [−1, 1] and unit vectors (b, d).

        Raises SetupError if fewer faces are collected than one batch needs.
        """
        step, recipe = first, self.recipe
        while True:
            if (step - first) % _LOOK_EVERY == 0 and self.collection.refresh() < recipe.batch:
                raise SetupError(
                    f"no faces in {str(self.collection.folder)!r}: "
                    "run `python -m tools.training.data.face_collection` first"
                )
            rng = np.random.default_rng((recipe.seed, step))
            generator = torch.Generator().manual_seed(recipe.seed * 100_003 + step)
            faces, labels = self._drawn(rng)
            crops = [augmented(face, _TO_CROP, rng=rng) for face in faces]
            yield jitter(to_input_tensor(crops), generator=generator), torch.from_numpy(labels)
            step += 1

    def _drawn(self, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
        """Clean faces with margin, and their labels; newly collected faces come first."""
        batch = self.recipe.batch
        swapped, overlaid = round(self.recipe.swapped * batch), round(self.recipe.overlaid * batch)
        made: list[np.ndarray] = []
        while len(made) < swapped + overlaid:
            one, other = (self.collection.face(self._next(rng)) for _ in range(2))
            new = (
                swap(one[0], one[1], face=other[0], landmarks=other[1], rng=rng)
                if len(made) < swapped
                else overlay(one[0], other[0], share=float(rng.uniform(0.3, 0.7)))
            )
            if new is not None:
                made.append(new)
        known = [self.collection.face(self._next(rng)) for _ in range(batch - len(made))]
        labels = [np.stack([vector for _, _, vector in known])]
        if made:
            labels.insert(0, self.teacher.embed(inner(np.stack(made))))
        return [*made, *(face for face, _, _ in known)], np.concatenate(labels)

    def _next(self, rng: np.random.Generator) -> int:
        """Indices of the next faces; each face is used once before any repeats."""
        index = next(self._order, None)
        if index is None:
            self._order = iter(rng.permutation(self.collection.refresh()).tolist())
            index = next(self._order)
        return index


def swap(
    body: np.ndarray,
    landmarks_of_body: np.ndarray,
    *,
    face: np.ndarray,
    landmarks: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Swap the face onto the other body with our forge, (144, 144, 3) uint8; None if that fails."""
    try:
        return forge(
            body, landmarks_of_body, family="face_swap", rng=rng, source_pixels=face,
            source_landmarks=landmarks,
        ).pixels  # fmt: skip
    except ToolError:
        return None


def overlay(one: np.ndarray, other: np.ndarray, *, share: float) -> np.ndarray:
    """Average of two aligned faces, with weight `share` on the first."""
    mixed: np.ndarray = cv2.addWeighted(one, share, other, 1 - share, 0)
    return mixed


def loss_of(
    embeddings: Tensor, labels: Tensor, *, similarity_weight: float
) -> tuple[Tensor, float]:
    """The loss, and the mean cosine to the teacher.

    Teacher cosine, and the batch's similarity matrix (Tung and Mori 2019).
    """
    student = F.normalize(embeddings.float())
    labels = F.normalize(labels)
    cosine = (student * labels).sum(1).mean()
    similarity = F.mse_loss(student @ student.T, labels @ labels.T)
    return 1.0 - cosine + similarity_weight * similarity, float(cosine.detach())


def train(lessons: DistillationBatches, *, work: Path, save_minutes: float = 4.0) -> nn.Module:
    """Train or resume; returns the averaged network, in evaluation mode."""
    recipe = lessons.recipe
    run = load_or_start_run(recipe, work=work, dimension=lessons.teacher.dimension)
    run.model.train()
    began, since, saved = time.monotonic(), run.spent_s, run.spent_s
    cosines: list[float] = []
    for images, labels in prefetch(lessons.batches(first=run.step)):
        run.spent_s = since + time.monotonic() - began
        done = recipe.done(run)
        if done >= 1:
            break
        with torch.autocast("cpu", torch.bfloat16):
            embeddings = run.model(images.contiguous(memory_format=torch.channels_last))
        loss, cosine = loss_of(embeddings, labels, similarity_weight=recipe.similarity_weight)
        run.update(loss, done=done)
        cosines.append(cosine)
        if run.step % _LOG_EVERY == 0:
            _log(run, lessons, float(np.mean(cosines)))
            cosines = []
        if run.spent_s - saved > 60 * save_minutes:
            run.save()
            saved = run.spent_s
    run.save()
    return run.average.eval()


def load_or_start_run(recipe: DistillationConfig, *, work: Path, dimension: int) -> AveragedRun:
    """A new run, or the one whose checkpoint is in the folder."""
    torch.manual_seed(recipe.seed)
    network = embedder(recipe.widths, dimension=dimension, activation=rectified, stem=recipe.stem)
    network.to(memory_format=torch.channels_last)
    return AveragedRun(
        network,
        rate=recipe.rate,
        steps=recipe.steps,
        checkpoint=work / "checkpoint.pt",
        hold=recipe.hold,
        muon=True,
    )


def _log(run: AveragedRun, lessons: DistillationBatches, cosine: float) -> None:
    faces = lessons.collection.refresh()
    spent = run.spent_s / 60
    seen = run.step * lessons.recipe.batch
    told = f"step {run.step} cosine {cosine:.3f} seen {seen} of {faces} faces {spent:.1f} min"
    print(told, flush=True)


def main() -> None:
    """Parse the command line, train, and export."""
    defaults = DistillationConfig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/taught"))
    parser.add_argument("--faces", type=Path, help="the collection; default: faces in --work")
    parser.add_argument("--output", type=Path, help="default: embedder.onnx in --work")
    parser.add_argument("--minutes", type=float, default=defaults.minutes)
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--mirrored", action="store_true", help="export with mirror averaging (twice the time)"
    )
    parser.add_argument(
        "--export-only", action="store_true", help="export the newest checkpoint only"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    recipe = replace(defaults, minutes=options.minutes, rate=options.rate)
    collection = Collection(options.faces or options.work / "faces")
    teacher = Teacher(options.data / WHERE)
    if options.export_only:
        # The run may still be active in another process: its checkpoint is only read.
        run = load_or_start_run(recipe, work=options.work, dimension=teacher.dimension)
        network, _ = run.average.eval(), collection.refresh()
        print(f"after {run.step} steps, {run.spent_s / 60:.0f} min")
    else:
        network = train(DistillationBatches(collection, teacher, recipe), work=options.work)
    example = to_input_tensor(
        [inner(collection.face(row)[0][None])[0] for row in range(8)]
    ).contiguous()
    output = options.output or options.work / "embedder.onnx"
    exported = Mirrored(network).eval() if options.mirrored else network
    difference = save_onnx(exported, output, example=example)
    print(f"wrote {output.name}, largest difference to torch {difference:.1e}")


if __name__ == "__main__":
    main()
