"""A gallery with more than twenty hits of one person: edits and forgeries of one portrait."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from assistant import Settings, Unmask
from tests.support.cases import astronaut_pixels, group_pixels, impersonation
from tools.forge.forgery import forge, save_forgery

CROWD = "crowd"


def build_crowd(home: Path, *, unmask: Unmask | None = None) -> Unmask:
    """Index two dozen pictures of the portrait's person, and a group of others."""
    made = Unmask(Settings(home=home), gallery=CROWD, models=unmask.models if unmask else None)
    folder = home / "crowd"
    folder.mkdir(parents=True)
    portrait = astronaut_pixels()
    for number, pixels in enumerate(_edits(portrait)):
        Image.fromarray(pixels).save(folder / f"edit {number:02}.jpg", quality=90)
    (face,) = made.models.faces.analyse([portrait])[0]
    assert face.landmarks is not None
    for seed in range(6):
        rng = np.random.default_rng(seed)
        forged = forge(portrait, face.landmarks, family="resynthesis", rng=rng)
        save_forgery(forged, folder / f"forged {seed:02}.jpg")
    for seed in range(2):
        save_forgery(impersonation(made, seed=seed), folder / f"swapped {seed:02}.jpg")
    Image.fromarray(group_pixels()).save(folder / "group.png")
    made.index([folder])
    Image.fromarray(portrait).save(home / "ada.png")
    Image.fromarray(np.ascontiguousarray(portrait[:, ::-1])).save(home / "mirrored.png")
    Image.fromarray(group_pixels()).save(home / "group.png")
    return made


def _edits(portrait: np.ndarray) -> list[np.ndarray]:
    """Sixteen harmless edits: crops, sizes, brightness, blur, grey, perspective.

    The last is too different from the portrait to be proven the same photograph: the rule judges it
    as another photo of the person, and finds no forgery.
    """
    edits = [portrait[at : 400 + at, at : 400 + at] for at in (0, 8, 16, 24)]
    edits += [
        np.clip(portrait * share, 0, 255).astype(np.uint8) for share in (0.7, 0.85, 1.15, 1.3)
    ]
    edits += [cv2.GaussianBlur(portrait, (0, 0), sigma) for sigma in (0.6, 1.0, 1.4)]
    edits += [cv2.resize(portrait, (side, side)) for side in (320, 420, 640)]
    edits.append(np.repeat(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2))
    corners = np.array([[0, 0], [512, 0], [512, 512], [0, 512]], np.float32)
    aside = np.array([[150, 0], [512, 150], [362, 437], [0, 512]], np.float32)
    turn = cv2.getPerspectiveTransform(corners, aside)
    edits.append(cv2.warpPerspective(portrait, turn, (512, 512), borderMode=cv2.BORDER_REFLECT))
    return [np.ascontiguousarray(each) for each in edits]
