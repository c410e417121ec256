"""Train the pocket face detector: `python -m tools.training.faces.detector`.

Uses scenes composed of Labelled Faces in the Wild (`detector_scenes.py`); takes about 35 minutes on
one core.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tools.training.data.labelled_faces import load_labelled_faces
from tools.training.data.textures import natural_backgrounds
from tools.training.faces.detector_network import (
    FaceDetectorNetwork,
    Targets,
    anchor_centres,
    assign_anchors,
    detection_loss,
)
from tools.training.faces.detector_scenes import SceneMaker
from tools.training.loops.averaged_run import AveragedRun
from tools.training.loops.onnx_export import export

SIDE = 320
RATE = 2.5e-3


def main() -> None:
    """Train, resuming from the checkpoint if there is one, and export."""
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    faces = load_labelled_faces(options.data, "train")
    unlabelled = _load_unlabelled(options.unlabelled)
    maker = SceneMaker(faces, natural_backgrounds(), side=SIDE, unlabelled=unlabelled)
    model = FaceDetectorNetwork().to(memory_format=torch.channels_last)
    run = AveragedRun(model, rate=RATE, steps=options.steps, checkpoint=options.checkpoint)
    centres, sizes = anchor_centres(SIDE)
    started, seen = time.monotonic(), {"score": 0.0, "box": 0.0, "points": 0.0}
    while run.step < options.steps:
        rng = np.random.default_rng((options.seed, run.step))
        images, targets = batch(maker, rng, options.batch)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = torch.cat(model.maps(images), 1)
        parts = detection_loss(predicted.float(), targets, centres=centres, sizes=sizes)
        run.update(torch.stack(list(parts.values())).sum())
        seen = {k: 0.98 * v + 0.02 * float(parts[k].detach()) for k, v in seen.items()}
        if run.step % 50 == 0:
            figures = " ".join(f"{k} {v:.4f}" for k, v in seen.items())
            print(f"step {run.step} {time.monotonic() - started:.0f} s {figures}", flush=True)
        if run.step % 250 == 0 or run.step == options.steps:
            run.save()
            export_detector(run.average, options.output)


def batch(maker: SceneMaker, rng: np.random.Generator, size: int) -> tuple[Tensor, Targets]:
    """Images (size, 3, side, side), normalised, and the targets for `detection_loss`."""
    pixels, image, anchor, boxes, points = [], [], [], [], []
    judged = torch.ones(size, len(anchor_centres(maker.side)[1]))
    for number in range(size):
        scene = maker.scene(rng)
        pixels.append(scene.pixels)
        positives, owner, ignored = assign_anchors(scene.boxes, scene.ignored, maker.side)
        judged[number, ignored] = 0
        image += [number] * len(positives)
        anchor.append(positives)
        boxes += [scene.boxes[face] for face in owner]
        points += [scene.keypoints[face].reshape(10) for face in owner]
    targets = Targets(
        image=torch.tensor(image, dtype=torch.long),
        anchor=torch.from_numpy(np.concatenate(anchor)),
        boxes=torch.from_numpy(np.array(boxes, np.float32).reshape(-1, 4)),
        keypoints=torch.from_numpy(np.array(points, np.float32).reshape(-1, 10)),
        judged=judged,
    )
    return normalised(np.stack(pixels)), targets


def normalised(pixels: np.ndarray) -> Tensor:
    """(b, h, w, 3) uint8 RGB to insightface's input: (b, 3, h, w), (value - 127.5) / 128."""
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127.5) / 128


def export_detector(model: nn.Module, path: Path) -> None:
    """Write the nine-output ONNX file, for any height and width that are multiples of 32."""
    names = [f"{kind}_{stride}" for kind in ("score", "box", "points") for stride in (8, 16, 32)]
    axes: dict[str, dict[int, str]] = {name: {0: f"anchors_{name}"} for name in names}
    axes["image"] = {2: "height", 3: "width"}
    export(model, torch.zeros(1, 3, 320, 320), path, outputs=names, dynamic=axes)


def _load_unlabelled(path: Path | None) -> dict[int, np.ndarray] | None:
    if path is None:
        return None
    with np.load(path) as stored:
        rows, boxes = stored["rows"], stored["boxes"]
    return {int(row): boxes[rows == row] for row in np.unique(rows)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--output", type=Path, default=Path("tools/checkpoints/weights/faces/detection.onnx")
    )
    parser.add_argument("--checkpoint", type=Path, default=Path("detector.pt"))
    parser.add_argument("--unlabelled", type=Path, help="rows and boxes of faces without a label")
    parser.add_argument("--steps", type=int, default=3800)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
