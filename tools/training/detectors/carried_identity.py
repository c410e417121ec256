"""Carry RepDFD's projection of identities over to another face embedder, without a new training.

    python -m tools.training.detectors.carried_identity OLD_EMBEDDER.onnx --data ../shared/data

RepDFD's learnt border stays; its projection (k, old width) is multiplied by the least-squares map
from the new embedder's vectors to the old one's, fitted on LFW's training people. Prints how alike
mapped and true old vectors are on a held-out tenth of the people. Calibrate the detectors again
afterwards.
"""

import argparse
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from tools.checkpoints.store import fingerprint
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.folders import DETECTORS_FOLDER, WEIGHTS_FILE
from tools.training.faces.face_crops import load_lfw, plain_crop
from tools.training.faces.teacher import Teacher

NAMES = ("repdfd", "repdfd_query")


def linear_map(new: np.ndarray, old: np.ndarray, *, penalty: float = 1e-3) -> np.ndarray:
    """The (old width, new width) matrix M that minimises |M · new − old|², with a small penalty.

    `new` (n, d) and `old` (n, e) are unit vectors of the same faces.
    """
    gram = new.T @ new + penalty * len(new) / new.shape[1] * np.eye(new.shape[1])
    found: np.ndarray = np.linalg.solve(gram, new.T @ old).T
    return found


def carry_over(file: Path, matrix: np.ndarray, *, embedder_sha256: str) -> None:
    """Rewrite a RepDFD checkpoint for the embedder with this fingerprint."""
    tensors = load_file(file)
    with safe_open(file, "numpy") as opened:
        header = dict(opened.metadata() or {})
    header["embedder_sha256"] = embedder_sha256
    tensors["projection"] = (tensors["projection"] @ matrix).astype(np.float32)
    file.write_bytes(save(tensors, header))


def main() -> None:
    """Parse the command line and carry both detectors over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path, help="the embedder that they were trained with")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--faces", type=int, default=2500)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    faces = load_lfw(options.data, "train")
    rows = np.random.default_rng(0).permutation(len(faces.pixels))[: options.faces]
    crops = np.stack([plain_crop(faces, row) for row in rows])
    new, old = (
        Teacher(file).embed(crops)
        for file in (WEIGHTS_DIR / "faces" / "recognition.onnx", options.old)
    )
    held = np.array([zlib.crc32(str(it).encode()) % 10 == 0 for it in faces.person[rows]])
    mapped = new[held] @ linear_map(new[~held], old[~held]).T
    alike = (mapped * old[held]).sum(axis=1) / np.linalg.norm(mapped, axis=1)
    print(json.dumps({"held_out": int(held.sum()), "mean_cosine": float(alike.mean())}))
    matrix = linear_map(new, old)
    for name in NAMES:
        file = WEIGHTS_DIR / DETECTORS_FOLDER / name / WEIGHTS_FILE
        carry_over(file, matrix, embedder_sha256=fingerprint("pocket", Path())["faces"])
        print(f"carried over {name}")


if __name__ == "__main__":
    main()
