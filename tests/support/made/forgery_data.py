"""A small version of the data folder with lfw/ and dfdc/, from the synthetic data set's persons.

Every person is a validation person with two photos. DFDC's pairs are crops of the same faces, and
one authentic crop has no face.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

from evals.protocol.measured import load_models
from tests.support.made.dataset import portraits
from tools.forge.forgery import forge

SIDE_PX = 218
CUP = "person_c"
"""The person replaced by the faceless picture; that original is in the reporting half."""
WITHOUT_FACE = f"dfdc/real/{CUP}_cup.jpg"


def build(root: Path) -> Path:
    """Make `root/lfw` and `root/dfdc`; deterministic."""
    shots = {name: _shots(pixels) for name, pixels in portraits().items()}
    _lfw(root / "lfw", shots)
    _dfdc(root / "dfdc", shots)
    return root


def _shots(portrait: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two photos (218, 218, 3) of a person, each with its landmarks (68, 2)."""
    upright = cv2.resize(portrait, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    taken = [upright, np.ascontiguousarray((upright[:, ::-1] * 0.85).astype(np.uint8))]
    found = []
    for pixels, faces in zip(taken, load_models().faces.analyse(taken), strict=True):
        face = max(faces, key=lambda one: one.quality.width_px)
        assert face.landmarks is not None
        found.append((pixels, face.landmarks))
    return found


def _lfw(root: Path, shots: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> None:
    paths, landmarks = [], []
    for person, taken in shots.items():
        (root / "images" / person).mkdir(parents=True)
        for number, (pixels, points) in enumerate(taken, start=1):
            paths.append(f"{person}/{person}_{number:04d}.jpg")
            landmarks.append(points)
            Image.fromarray(pixels).save(root / "images" / paths[-1], quality=95)
    np.savez(
        root / "labels.npz",
        path=np.array(paths),
        landmarks68=np.array(landmarks, np.float16),
        split=np.array(["val"] * len(paths)),
    )


def _dfdc(root: Path, shots: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> None:
    lines = ["fake,real,split"]
    for kind in ("real", "fake"):
        (root / kind).mkdir(parents=True)
    cup = np.asarray(skimage.data.coffee())[:224, :224]
    for number, (person, taken) in enumerate(shots.items()):
        pixels, points = taken[0]
        rng = np.random.default_rng(number)
        forged = forge(pixels, points, family="resynthesis", rng=rng).pixels
        name = f"{person}_cup.jpg" if person == CUP else f"{person}.jpg"
        Image.fromarray(cup if person == CUP else pixels).save(root / "real" / name, quality=90)
        Image.fromarray(forged).save(root / "fake" / f"{person}_fake.jpg", quality=90)
        lines.append(f"{person}_fake.jpg,{name},val")
    (root / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
