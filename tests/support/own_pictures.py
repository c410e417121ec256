"""A user's own pictures as input of `unmask fit`: few pictures of few people, some unusable."""

import shutil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from evals.datasets.manifest import Manifest
from evals.protocol.measured import load_models
from tools.forge.forgery import forge, save_forgery
from tools.training.fitting.run import FitModels
from tools.training.fitting.training_context import FitOptions

QUICK = FitOptions(pairs=24)
TAKEN = ("clip0_000", "clip1_001")
"""Two synthetic pictures per person, from two clips."""


def engines() -> FitModels:
    """The pocket profile's models."""
    return FitModels(load_models().encoder, load_models().faces, load_models().fingerprint["faces"])


def photos(made: Manifest, root: Path) -> Path:
    """A folder of authentic photos with a sub-folder for each of seven persons."""
    for file in sorted((made.root / "real").glob("*/*.jpg")):
        if file.stem.endswith(TAKEN):
            target = root / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return root


def with_bad_files(root: Path) -> Path:
    """Adds a broken file, one without a face, a duplicate, and a marked forgery to the folder."""
    some = sorted(root.glob("*/*.jpg"))
    (root / "torn.jpg").write_bytes(some[0].read_bytes()[:2000])
    (root / "letter.jpg").write_text("no picture")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(root / "wall.png")
    shutil.copyfile(some[0], root / "again.jpg")
    pixels = np.asarray(Image.open(some[1]))
    (face,) = load_models().faces.analyse([pixels])[0]
    assert face.landmarks is not None
    rng = np.random.default_rng(0)
    save_forgery(
        forge(pixels, face.landmarks, family="resynthesis", rng=rng), root / "slipped_in.png"
    )
    return root


def forgeries(real: Path, root: Path) -> Path:
    """A forgery of every photo, with the same name, in a sub-folder per method."""
    for number, file in enumerate(sorted(real.glob("*/*.jpg"))):
        pixels = np.asarray(Image.open(file)).copy()
        (face,) = load_models().faces.analyse([pixels])[0]
        nose = face.keypoints[2].astype(int)
        how = ("smudged", "patched")[number % 2]
        part = pixels[nose[1] - 20 : nose[1] + 20, nose[0] - 20 : nose[0] + 20]
        part[:] = cv2.GaussianBlur(part, (0, 0), 4) if how == "smudged" else part[:, ::-1]
        target = root / how / f"{file.stem}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target, quality=92)
    return root
