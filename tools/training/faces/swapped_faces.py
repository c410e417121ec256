"""Face swaps as training samples for the embedder, labelled with the owner of the inner face.

A swap keeps the body owner's hair, ears and outline; an embedder trained only on photographs relies
on those and misses the person depicted by the swap. `tools.forge.forgery` pastes each training
photograph's face onto others; the label is the face's owner.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import keypoints_from_landmarks
from tools.faces.analyser import recognition_matrix
from tools.forge.forgery import forge
from tools.training.data.forgery_pool import LfwPhotographs, through_jpeg
from tools.training.faces.embedder_network import SIZE
from tools.training.faces.face_crops import EmbeddingTrainingFaces

FAMILIES = ("face_swap",)
"""The forge's families that paste a whole face onto another person's head."""


def make_swaps(data: Path, file: Path, *, count: int, seed: int) -> None:
    """Write `count` swaps of LFW's training people: pictures, alignments, and face owners.

    Bodies are drawn by `LfwPhotographs.source_for`: usually the candidate with the most similar
    head pose.
    """
    faces, rng = LfwPhotographs.load(data, split="train"), np.random.default_rng(seed)
    pixels, alignments, owners = [], [], []
    for index in rng.permutation(np.resize(np.arange(len(faces.paths)), count)):
        swap = _swap(faces, int(index), rng)
        if swap is not None:
            pixels.append(swap[0])
            alignments.append(swap[1])
            owners.append(index)
    np.savez(file, pixels=np.stack(pixels), alignment=np.stack(alignments), owner=np.array(owners))


def _swap(
    faces: LfwPhotographs, owner: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    body = faces.source_for(owner, rng)
    try:
        forgery = forge(
            faces.read(body),
            faces.landmarks[body],
            family=str(rng.choice(FAMILIES)),
            rng=rng,
            source_pixels=faces.read(owner),
            source_landmarks=faces.landmarks[owner],
        )
    except ToolError:
        return None  # a swap of this pair failed
    quality = int(rng.integers(60, 99))
    aligned = recognition_matrix(keypoints_from_landmarks(faces.landmarks[body]), size=SIZE)
    return through_jpeg(forgery.pixels, quality), aligned


def with_swaps(faces: EmbeddingTrainingFaces, file: Path) -> EmbeddingTrainingFaces:
    """The photographs followed by the swaps, with the face owner's vector and identity."""
    with np.load(file) as swaps:
        owner = swaps["owner"]
        return replace(
            faces,
            pixels=[*faces.pixels, *swaps["pixels"]],
            alignment=np.concatenate([faces.alignment, swaps["alignment"]]),
            teacher=np.concatenate([faces.teacher, faces.teacher[owner]]),
            person=np.concatenate([faces.person, faces.person[owner]]),
        )
