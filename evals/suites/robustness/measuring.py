"""Measure attacked pictures in memory with the code that indexes a folder.

No attacked copy is written to disk; one picture at a time is decoded and attacked in every way.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models
from evals.suites.robustness.perturbations import LEVELS, apply_attack
from tools.errors import ToolError
from tools.gallery.indexing.analysis import AnalysisPool, DecodedImage
from tools.gallery.records import AnalysedImage, FaceRecord
from tools.media.images import Photo

SAME_FACE_OVERLAP = 0.3
"""Minimum intersection over union to match an attacked face with the original one."""

Analysed = AnalysedImage | ToolError
Case = tuple[str, int]
"""An attack and a level."""


def measure_attacked(
    measured: MeasuredDataset, attacks: Sequence[str], options: EvalOptions
) -> dict[Case, MeasuredDataset]:
    """The same rows measured under each attack and level; a lost face is None.

    Every row must show a face. The face is the one at the original place, scaled with the picture,
    not the largest one after the attack.
    """
    found: dict[Case, list[tuple[FaceRecord | None, np.ndarray | None]]] = {
        (attack, level): [] for attack in attacks for level in LEVELS
    }
    workers = load_models().settings.threads or os.cpu_count() or 1
    pool = AnalysisPool(workers, faces=load_models().faces, encoder=load_models().encoder)
    with pool.running():
        waiting: deque[tuple[int, str, tuple[int, int], Future[list[Analysed]]]] = deque()
        for index, attack, opened, shape in _jobs(measured, attacks, options):
            waiting.append((index, attack, shape, pool.submit(opened)))
            if len(waiting) > 2 * workers:
                _collect(waiting.popleft(), measured, found)
        while waiting:
            _collect(waiting.popleft(), measured, found)
    options.progress(len(measured), len(measured), "under attack")
    return {case: _replaced(measured, rows) for case, rows in found.items()}


def _jobs(
    measured: MeasuredDataset, attacks: Sequence[str], options: EvalOptions
) -> Iterator[tuple[int, str, list[DecodedImage], tuple[int, int]]]:
    """One attack on one picture at all levels: row, attack, pictures, the original's shape."""
    for index, name in enumerate(measured.ids):
        options.progress(index, len(measured), "under attack")
        pixels = measured.picture(index)
        for attack in attacks:
            changed = (
                apply_attack(pixels, attack, level, seed=options.seed, picture=name)
                for level in LEVELS
            )
            yield index, attack, [_opened(it) for it in changed], (pixels.shape[0], pixels.shape[1])


def _opened(pixels: np.ndarray) -> DecodedImage:
    # Nothing compared here depends on the file itself: no hash, mark or bytes.
    return DecodedImage(Photo("", pixels, "attacked", 1, 0, unmask_forgery=False), byte_size=0)


def _collect(
    job: tuple[int, str, tuple[int, int], "Future[list[Analysed]]"], measured: MeasuredDataset,
    found: Mapping[Case, list[tuple[FaceRecord | None, np.ndarray | None]]],
) -> None:  # fmt: skip
    index, attack, shape, future = job
    before = measured.faces[index]
    if before is None:
        raise ValueError(f"{measured.ids[index]} shows no face; attack only those that do")
    for level, analysed in zip(LEVELS, future.result(), strict=True):
        if isinstance(analysed, ToolError):
            found[attack, level].append((None, None))
        else:
            face = same_face(before, shape, analysed)
            found[attack, level].append((face, analysed.features))


def same_face(
    before: FaceRecord, shape: tuple[int, int], analysed: AnalysedImage
) -> FaceRecord | None:
    """The face that overlaps most with its place in the picture of `shape` (h, w), or None."""
    scale = np.array([analysed.width / shape[1], analysed.height / shape[0]] * 2)
    place = before.face.box * scale
    overlaps = [_overlap(place, it.face.box) for it in analysed.faces]
    if not overlaps or max(overlaps) < SAME_FACE_OVERLAP:
        return None
    best = analysed.faces[int(np.argmax(overlaps))]
    if best.features is None:
        return None
    return replace(before, face=best.face, features=best.features, face_hash=best.face_hash)


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    corner, end = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.maximum(end - corner, 0)))
    total = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2])) - shared
    return shared / total if total > 0 else 0.0


def _replaced(
    measured: MeasuredDataset, rows: Sequence[tuple[FaceRecord | None, np.ndarray | None]]
) -> MeasuredDataset:
    missing = np.full(measured.image_features.shape[1], np.nan, np.float32)
    features = [missing if row is None else row for _, row in rows]
    return replace(
        measured,
        faces=tuple(face for face, _ in rows),
        image_features=np.array(features, np.float32).reshape(measured.image_features.shape),
    )
