"""Measure attacked pictures in memory with the code that indexes a folder.

No attacked copy is written to disk; one picture at a time is decoded and attacked in every way.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from evals.options import EvalOptions
from evals.protocol.closer_look import closer_scores
from evals.protocol.measured import MeasuredDataset, load_models
from evals.suites.robustness.perturbations import LEVELS, apply_attack
from tools.errors import ToolError
from tools.gallery.indexing.analysis import AnalysisPool, DecodedImage
from tools.gallery.records import AnalysedImage, FaceRecord
from tools.media.pictures.decoding import Photo
from tools.verdict.calibration import Scores

SAME_FACE_OVERLAP = 0.3
"""Minimum intersection over union to match an attacked face with the original one."""

Analysed = AnalysedImage | ToolError
Case = tuple[str, int]
"""An attack and a level."""

Row = tuple[FaceRecord | None, np.ndarray | None, Scores]
"""The face, the features of the whole picture, and the scores of the closer look."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One attack on one picture at all levels: row, pictures, and the original's shape (h, w)."""

    index: int
    attack: str
    pictures: list[DecodedImage]
    shape: tuple[int, int]


def measure_attacked(
    measured: MeasuredDataset, attacks: Sequence[str], options: EvalOptions
) -> dict[Case, MeasuredDataset]:
    """The same rows measured under each attack and level; a lost face is None.

    Every row must show a face. The face is the one at the original place, scaled with the picture,
    not the largest one after the attack.
    """
    found: dict[Case, list[Row]] = {(attack, level): [] for attack in attacks for level in LEVELS}
    workers = load_models().settings.threads or os.cpu_count() or 1
    pool = AnalysisPool(workers, faces=load_models().faces, encoder=load_models().encoder)
    with pool.running():
        waiting: deque[tuple[_Job, Future[list[Analysed]]]] = deque()
        for job in _jobs(measured, attacks, options):
            waiting.append((job, pool.submit(job.pictures)))
            if len(waiting) > 2 * workers:
                _collect(*waiting.popleft(), measured, found)
        while waiting:
            _collect(*waiting.popleft(), measured, found)
    options.progress(len(measured), len(measured), "under attack")
    return {case: _replaced(measured, rows) for case, rows in found.items()}


def _jobs(
    measured: MeasuredDataset, attacks: Sequence[str], options: EvalOptions
) -> Iterator[_Job]:
    for index, name in enumerate(measured.ids):
        options.progress(index, len(measured), "under attack")
        pixels = measured.picture(index)
        for attack in attacks:
            changed = (
                apply_attack(pixels, attack, level, seed=options.seed, picture=name)
                for level in LEVELS
            )
            shape = pixels.shape[0], pixels.shape[1]
            yield _Job(index, attack, [_opened(it) for it in changed], shape)


def _opened(pixels: np.ndarray) -> DecodedImage:
    # Nothing compared here depends on the file itself: no hash, mark or bytes.
    return DecodedImage(Photo("", pixels, "attacked", 1, 0, unmask_forgery=False), byte_size=0)


def _collect(
    job: _Job, future: "Future[list[Analysed]]", measured: MeasuredDataset,
    found: Mapping[Case, list[Row]],
) -> None:  # fmt: skip
    before = measured.faces[job.index]
    if before is None:
        raise ValueError(f"{measured.ids[job.index]} shows no face; attack only those that do")
    analysed = future.result()
    faces = [
        None if isinstance(it, ToolError) else same_face(before, job.shape, it) for it in analysed
    ]
    pixels = [it.photo.pixels for it in job.pictures]
    closer = closer_scores(pixels, faces, measured.query([job.index]))
    for level, it, face, scores in zip(LEVELS, analysed, faces, closer, strict=True):
        features = None if isinstance(it, ToolError) else it.features
        found[job.attack, level].append((face, features, scores))


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


def _replaced(measured: MeasuredDataset, rows: Sequence[Row]) -> MeasuredDataset:
    missing = np.full(measured.image_features.shape[1], np.nan, np.float32)
    features = [missing if it is None else it for _, it, _ in rows]
    return replace(
        measured,
        faces=tuple(face for face, _, _ in rows),
        image_features=np.array(features, np.float32).reshape(measured.image_features.shape),
        closer=tuple(scores for _, _, scores in rows),
    )
