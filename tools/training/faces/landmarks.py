"""Train the 68-landmark model: `python -m tools.training.faces.landmarks`.

Learns the landmarks of Labelled Faces in the Wild from crops as insightface makes them (centred on
the detected box, 1.5 times as large, 192 px); takes about 20 minutes on one free core.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.faces.alignment import box_from_landmarks, transform_points
from tools.training.data.labelled_faces import MIRROR_68, LandmarkTrainingFaces, load_labelled_faces
from tools.training.faces.detector import normalised
from tools.training.faces.detector_network import Block, conv
from tools.training.faces.detector_scenes import degrade
from tools.training.loops.averaged_run import AveragedRun
from tools.training.loops.onnx_export import export

SIDE = 192
RATE = 2e-3


class Landmarker(nn.Module):
    """Crops (b, 3, 192, 192), (RGB - 127.5) / 128, to (b, 136): x, y in -1..1 of 68 landmarks.

    A coarse first convolution does most of the downsampling: landmarks need less resolution than a
    192 px face has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(3, 32, 7, 4),
            conv(32, 64, stride=2), Block(64),
            conv(64, 96, stride=2), Block(96), Block(96),
            conv(96, 96, stride=2), Block(96),
            conv(96, 48, 1),
        )  # fmt: skip
        self.place = nn.Linear(48 * 6 * 6, 136)
        nn.init.normal_(self.place.weight, std=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        """Landmark coordinates (b, 136)."""
        features = self.body(images).flatten(1)
        # Eight significant bits, as in the convolutions, would be a precision of half a pixel.
        with torch.autocast("cpu", enabled=False):
            placed: Tensor = self.place(features.float())
        return placed


def crop_matrix(box: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    """insightface's crop matrix (2, 3) for a box; `rng` adds the errors of a detector."""
    centre, size = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
    if rng is not None:
        centre = centre + rng.normal(0, 0.04, 2) * size
        size *= 2.0 ** rng.normal(0, 0.09)
    scale = SIDE / (1.5 * size)
    return np.hstack([np.eye(2) * scale, (SIDE / 2 - centre * scale)[:, None]])


def example(
    faces: LandmarkTrainingFaces, row: int, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """A crop (192, 192, 3) uint8 and its landmarks (68, 2) in -1..1; augmented if `rng` is
    given."""
    landmarks = faces.landmarks[row].astype(np.float64)
    motion = np.eye(2, 3) if rng is None else _turned(rng, landmarks)
    moved = transform_points(landmarks, motion)
    if np.linalg.det(motion[:, :2]) < 0:
        moved = moved[MIRROR_68]
    cut = crop_matrix(box_from_landmarks(moved), rng)
    both = np.vstack([cut, [0, 0, 1]]) @ np.vstack([motion, [0, 0, 1]])
    crop = cv2.warpAffine(faces.photos[row], both[:2], (SIDE, SIDE))
    if rng is not None:
        crop = _worsened(crop, rng)
    return crop, (transform_points(moved, cut) / (SIDE // 2) - 1).astype(np.float32)


def _turned(rng: np.random.Generator, landmarks: np.ndarray) -> np.ndarray:
    angle = np.deg2rad(np.clip(rng.normal(0, 13), -40, 40))
    stretch = np.exp(rng.normal(0, 0.05))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([mirror * stretch, 1 / stretch])
    middle = landmarks.mean(axis=0)
    return np.hstack([linear, (middle - linear @ middle)[:, None]])


def _worsened(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lower resolution, an occluder in front of the face, and `degrade`."""
    if rng.random() < 0.25:
        few = int(rng.integers(24, 128))
        small = cv2.resize(crop, (few, few), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.15:
        x, y = rng.integers(20, 150, 2)
        width, height = rng.integers(15, 80, 2)
        crop[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return degrade(crop, rng)


def batch(
    faces: LandmarkTrainingFaces, rows: np.ndarray, rng: np.random.Generator | None
) -> tuple[Tensor, Tensor]:
    """Crops (n, 3, 192, 192), normalised, and landmarks (n, 68, 2)."""
    crops, points = zip(*(example(faces, int(row), rng) for row in rows), strict=True)
    return normalised(np.stack(crops)), torch.from_numpy(np.stack(points))


@torch.no_grad()
def mean_error(model: nn.Module, faces: LandmarkTrainingFaces) -> float:
    """Mean distance from the labels, as a share of the distance between the eyes' centres."""
    errors = []
    for rows in np.array_split(np.arange(len(faces)), max(1, len(faces) // 64)):
        images, truth = batch(faces, rows, None)
        found = model(images).view(-1, 68, 2)
        eyes = (truth[:, 36:42].mean(1) - truth[:, 42:48].mean(1)).norm(dim=1)
        errors.append((found - truth).norm(dim=2).mean(1) / eyes)
    return float(torch.cat(errors).mean())


def main() -> None:
    """Train, resuming from the checkpoint if there is one, and export."""
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    faces = load_labelled_faces(options.data, "train")
    unseen = load_labelled_faces(options.data, "val", limit=200)
    model = Landmarker().to(memory_format=torch.channels_last)
    run = AveragedRun(model, rate=RATE, steps=options.steps, checkpoint=options.checkpoint)
    started, seen = time.monotonic(), 0.0
    while run.step < options.steps:
        rng = np.random.default_rng((options.seed, run.step))
        images, truth = batch(faces, rng.integers(len(faces), size=options.batch), rng)
        with torch.autocast("cpu", torch.bfloat16):
            found = model(images)
        loss = functional.smooth_l1_loss(found.float().view(-1, 68, 2), truth, beta=0.01) * 10
        run.update(loss)
        seen = 0.98 * seen + 0.02 * float(loss.detach())
        if run.step % 50 == 0:
            print(f"step {run.step} {time.monotonic() - started:.0f} s {seen:.4f}", flush=True)
        if run.step % 200 == 0 or run.step == options.steps:
            run.save()
            average = run.average.eval()
            print(f"error on unseen people {mean_error(average, unseen):.4f}", flush=True)
            names = {"image": {0: "faces"}, "landmarks": {0: "faces"}}
            blank = torch.zeros(1, 3, SIDE, SIDE)
            export(average, blank, options.output, outputs=["landmarks"], dynamic=names)


def _options() -> argparse.Namespace:
    output = Path("tools/checkpoints/weights/faces/landmarks_68.onnx")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=output)
    parser.add_argument("--checkpoint", type=Path, default=Path("landmarks.pt"))
    parser.add_argument("--steps", type=int, default=4600)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
