"""Train the pocket profile's second face embedder: small, and different in kind from the first.

    python -m tools.training.faces.further_embedder --data ../shared/data --work runs/second

It differs from the first (`tools.training.faces.embedder`) in its input (the whole head instead of
the inner face), its architecture (fire modules), and its supervision (a margin softmax over
identities with learnt prototypes; the first's teacher has a lower weight). It was never trained on
face swaps, so a swap optimised for the first embedder matches it only through its pixels.

Runs on one CPU core, writes checkpoints and resumes from them; `--export-only` writes the ONNX file
of the newest. Only LFW's `train` persons are used for training. The impostor cosines beside the
file are those of the first half of the `val` persons (`benchmark_cases.split_persons`).
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tools.checkpoints.store import fingerprint
from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import box_from_landmarks, keypoints_from_landmarks
from tools.faces.analyser import FaceAnalyser
from tools.faces.embedder_input import ImpostorStatistics
from tools.faces.further_embedders import SHIPPED_EMBEDDER, FaceEmbedder, widen_crop_matrix
from tools.training.calibration.benchmark_cases import portraits, split_persons
from tools.training.faces.embedder import identity_centres, save_onnx
from tools.training.faces.embedder_network import Mirrored
from tools.training.faces.face_crops import (
    EmbeddingTrainingFaces,
    augmented_crop,
    jitter,
    load_lfw,
    plain_crop,
    to_input_tensor,
)
from tools.training.faces.further_embedder_network import SIZE, second_embedder
from tools.training.loops.averaged_run import AveragedRun
from tools.training.loops.background import prefetch

MARGIN = 1.3
"""Margin of its crops: from the hair to below the chin, with both ears."""

_WANTS = {
    "name": "pocket second embedder",
    "licence": "research and evaluation (trained on LFW; see CARD.md)",
    "crop": {"kind": "arcface", "margin": MARGIN},
}


@dataclass(frozen=True, slots=True)
class SecondEmbedderConfig:
    """All settings that determine the weights, apart from the data."""

    steps: int = 3300
    batch: int = 64
    rate: float = 3e-3
    teacher_weight: float = 0.5
    similarity_weight: float = 2.5
    identity_weight: float = 0.15
    identity_scale: float = 24.0
    identity_margin: float = 0.2
    seed: int = 0


class PrototypeEmbedder(nn.Module):
    """The network and one learnt prototype per person, initialised with the teacher's mean."""

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        self.network = second_embedder()
        self.prototypes = nn.Parameter(centres.clone())


def loss_of(
    learner: PrototypeEmbedder,
    embeddings: Tensor,
    *,
    teacher: Tensor,
    person: Tensor,
    recipe: SecondEmbedderConfig,
) -> tuple[Tensor, dict[str, float]]:
    """The total loss of a batch, and its parts.

    ArcFace's margin softmax (Deng et al., CVPR 2019) over the prototypes; cosine to the teacher;
    the batch's similarity matrix (Tung and Mori, ICCV 2019).
    """
    student = F.normalize(embeddings)
    cosines = (student @ F.normalize(learner.prototypes).T).clamp(-0.999, 0.999)
    own = cosines.gather(1, person[:, None])
    moved = torch.cos(torch.acos(own) + recipe.identity_margin)
    logits = cosines.scatter(1, person[:, None], moved)
    identity = F.cross_entropy(recipe.identity_scale * logits, person)
    agreement = (student * teacher).sum(1).mean()
    similarity = F.mse_loss(student @ student.T, teacher @ teacher.T)
    total = (
        recipe.identity_weight * identity
        + recipe.teacher_weight * (1.0 - agreement)
        + recipe.similarity_weight * similarity
    )
    return total, {"identity": float(identity.detach()), "teacher": float(agreement.detach())}


def seen_wide(faces: EmbeddingTrainingFaces) -> EmbeddingTrainingFaces:
    """The same photographs, cropped with our margin."""
    return replace(
        faces,
        alignment=np.stack(
            [widen_crop_matrix(it, size=SIZE, margin=MARGIN) for it in faces.alignment]
        ),
    )


def _batches(
    faces: EmbeddingTrainingFaces, recipe: SecondEmbedderConfig, *, first: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless augmented images (b, 3, s, s) and their row numbers."""
    step = first
    while True:
        rng = np.random.default_rng((recipe.seed, step))
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + step)
        chosen = rng.choice(len(faces.pixels), recipe.batch, replace=False)
        crops = [augmented_crop(faces, int(index), rng=rng) for index in chosen]
        yield jitter(to_input_tensor(crops), generator=generator), torch.from_numpy(chosen)
        step += 1


def train(
    faces: EmbeddingTrainingFaces,
    *,
    recipe: SecondEmbedderConfig,
    work: Path,
    compiled: bool = False,
    last: bool = False,
) -> nn.Module:
    """Train or resume; returns the averaged network, in evaluation mode.

    `last` uses the newest checkpoint without further training. Raises SetupError if there is none.
    """
    torch.manual_seed(recipe.seed)
    learner = PrototypeEmbedder(identity_centres(faces))
    learner.to(memory_format=torch.channels_last)
    file = work / "checkpoint.pt"
    if last and not file.is_file():
        raise SetupError(f"no checkpoint at {str(file)!r}: run without --export-only first")
    run = AveragedRun(learner, rate=recipe.rate, steps=recipe.steps, checkpoint=file)
    if not last:
        _go_on(run, learner, faces, recipe=recipe, compiled=compiled)
    network: nn.Module = run.average.network  # type: ignore[assignment]
    return network.eval()


def _go_on(
    run: AveragedRun,
    learner: PrototypeEmbedder,
    faces: EmbeddingTrainingFaces,
    *,
    recipe: SecondEmbedderConfig,
    compiled: bool,
) -> None:
    teacher, person = torch.from_numpy(faces.teacher), torch.from_numpy(faces.person)
    forward = torch.compile(learner.network) if compiled else learner.network
    run.model.train()
    started = time.perf_counter()
    for images, rows in prefetch(_batches(faces, recipe, first=run.step)):
        if run.step >= recipe.steps:
            break
        embeddings = forward(images.contiguous(memory_format=torch.channels_last))
        loss, parts = loss_of(
            learner, embeddings, teacher=teacher[rows], person=person[rows], recipe=recipe
        )
        run.update(loss)
        if run.step % 25 == 0 or run.step == recipe.steps:
            run.save()
            spent = (time.perf_counter() - started) / 60
            told = " ".join(f"{name} {value:.3f}" for name, value in parts.items())
            print(f"step {run.step}/{recipe.steps} {told} {spent:.1f} min", flush=True)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFace:
    """A face at its labelled position; pixels of its picture."""

    box: np.ndarray
    keypoints: np.ndarray

    @classmethod
    def from_landmarks(cls, landmarks: np.ndarray) -> "LabelledFace":
        """From 68 iBUG landmarks (68, 2) px."""
        return cls(box_from_landmarks(landmarks), keypoints_from_landmarks(landmarks))


def strangers_of(vectors: np.ndarray, person: np.ndarray) -> ImpostorStatistics:
    """Cosines between unit vectors (n, d) of different persons."""
    rows, columns = np.triu_indices(len(person), 1)
    strange = person[rows] != person[columns]
    cosines = (vectors @ vectors.T)[rows, columns][strange]
    return ImpostorStatistics(round(float(cosines.mean()), 4), round(float(cosines.std()), 4))


def write_beside(path: Path, *, data: Path) -> None:
    """Write the JSON file beside the embedder: its crop geometry and its impostor cosines.

    Includes the impostor cosines of the pocket profile's first embedder; both on the first half of
    the val persons.
    """
    path.with_suffix(".json").write_text(json.dumps(_WANTS), encoding="utf-8")
    people, _ = split_persons(portraits(data, split="val"))
    shots = [shot for each in people.values() for shot in each]
    person = np.unique([shot.person for shot in shots], return_inverse=True)[1]
    looks = [(shot.pixels(), LabelledFace.from_landmarks(shot.landmarks)) for shot in shots]
    analyser = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1)
    first = np.stack(analyser.embed([(pixels, face.keypoints) for pixels, face in looks]))
    known = {
        "strangers": asdict(strangers_of(FaceEmbedder.load(path).embed(looks), person)),
        "beside": {fingerprint("pocket", Path())["faces"]: asdict(strangers_of(first, person))},
    }
    told = json.dumps({**_WANTS, **known}, indent=1)
    path.with_suffix(".json").write_text(told + "\n", encoding="utf-8")


def main() -> None:
    """Parse the command line, train, and export."""
    defaults = SecondEmbedderConfig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/second"))
    parser.add_argument("--output", type=Path, default=SHIPPED_EMBEDDER)
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler")
    parser.add_argument(
        "--export-only", action="store_true", help="export the newest checkpoint only"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    recipe = replace(defaults, steps=options.steps)
    faces = seen_wide(load_lfw(options.data, "train"))
    network = train(
        faces, recipe=recipe, work=options.work, compiled=options.compile, last=options.export_only
    )
    example = to_input_tensor([plain_crop(faces, index) for index in range(8)]).contiguous()
    difference = save_onnx(Mirrored(network).eval(), options.output, example=example)
    write_beside(options.output, data=options.data)
    print(f"wrote {options.output.name}, largest difference to torch {difference:.1e}")


if __name__ == "__main__":
    main()
