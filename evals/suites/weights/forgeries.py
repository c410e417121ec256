"""How well are forgeries detected, of families seen and not seen in training?

Data and protocol, all on persons or originals excluded from training:
- `lfw/<family>`: LFW's `val` persons, forged by our own forge; authentic and forged file are both
  re-encoded as JPEG 92, crops come from the labelled landmarks. One family was excluded from
  training entirely.
- `dfdc`: pairs of DFDC's `val` originals; crops come from the shipped face detector.
- `swaps/<method>`: clean demo images of real face-swap generators against their own authentic
  sources and targets. A handful of correlated frames: a smoke test.
- `generated/<generator>`: whole-face synthesis against FFHQ.

Figures are AUCs of the shipped detectors, 0.5 is chance; intervals: 95 %, percentile bootstrap
over persons or originals. `n` counts authentic and forged pictures whose face was found.

These are the figures on the cards of the pocket weights, for the heads only and on crops from
labelled landmarks; `evals.suites.detector_table.suite` evaluates every detector on every family,
with faces detected as in a search, on the half of these persons not used for calibration.

Does not show: results on current generators, whether thresholds hold on other sources (an AUC
ignores a shifted scale), nor differences between groups of people: the data has no such labels.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from evals.options import EvalOptions
from prompts.captions import FAKE_PROMPTS, REAL_PROMPTS
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import ZeroShot, load_detectors
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop, crop_matrix
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import FAMILIES
from tools.metrics import auc, auc_interval, interval
from tools.training.data.forgery_batches import patch_label_map
from tools.training.data.forgery_pool import (
    HELD_OUT_FAMILY,
    ForgeryPair,
    LfwPhotographs,
    forged_pair,
    read_rgb,
    through_jpeg,
)

IMAGES_PER_FAMILY = 400
ROUNDS = 200

Crop = Callable[[np.ndarray], np.ndarray | None]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """A picture with its face crop (None: no face found), label and group.

    `cells` (16, 16) is the changed share of each cell of the crop, if known.
    """

    crop: np.ndarray | None
    whole: np.ndarray
    forged: bool
    group: str
    cells: np.ndarray | None = None


def run(options: EvalOptions) -> dict[str, object]:
    """AUC of every detector on every set, with intervals and counts."""
    if not (options.data / "lfw" / "labels.npz").is_file():
        raise SetupError(f"no labelled faces below {str(options.data)!r}: pass --data DIR")
    # On a busy machine, threads that wait for each other within a layer made this eight times
    # slower.
    encoder = Encoder.load(WEIGHTS_DIR / "encoder", threads=1)
    analyser = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1)

    def crop(pixels: np.ndarray) -> np.ndarray | None:
        faces = analyser.analyse([pixels])[0]
        if not faces:
            return None
        largest = max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2])))
        return aligned_crop(
            pixels, largest.keypoints, size=encoder.image_size, margin=encoder.face_margin
        )

    figures: dict[str, object] = {"held_out_family": HELD_OUT_FAMILY}
    for name, pictures in _sets(options, encoder, crop):
        figures[name] = measure(pictures, encoder, seed=options.seed)
        if pictures and pictures[0].cells is not None:
            figures[f"{name}/where"] = localisation(pictures, encoder, seed=options.seed)
    return figures


def _sets(
    options: EvalOptions, encoder: Encoder, crop: Crop
) -> Iterator[tuple[str, list[LabelledPicture]]]:
    for family in FAMILIES:
        yield f"lfw/{family}", lfw_pictures(options, encoder, family=family)
    yield "dfdc", dfdc_pictures(options.data, crop, limit=options.limit)
    for method, pictures in swap_pictures(options.data, crop).items():
        yield f"swaps/{method}", pictures
    for generator in ("stylegan2", "sd21"):
        yield f"generated/{generator}", generated_pictures(options.data, crop, generator=generator)


def lfw_pictures(options: EvalOptions, encoder: Encoder, *, family: str) -> list[LabelledPicture]:
    """Photos of validation persons and one forgery of each, both re-encoded identically."""
    faces = LfwPhotographs.load(options.data, split="val")
    rng = np.random.default_rng([options.seed, FAMILIES.index(family)])
    found = []
    for index in rng.permutation(len(faces.paths))[: options.limit or IMAGES_PER_FAMILY]:
        pair = forged_pair(faces, int(index), family=family, rng=rng)
        if pair is None:
            continue
        for pixels, forged in ((pair.real, False), (pair.fake, True)):
            whole = through_jpeg(pixels, 92)
            crop = aligned_crop(
                whole, pair.keypoints, size=encoder.image_size, margin=encoder.face_margin
            )
            cells = _changed_cells(pair, encoder)
            found.append(LabelledPicture(crop, whole, forged, str(faces.people[index]), cells))
    return found


def _changed_cells(pair: ForgeryPair, encoder: Encoder) -> np.ndarray:
    matrix = crop_matrix(pair.keypoints, size=encoder.image_size, margin=encoder.face_margin)
    half = cv2.resize(pair.mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return patch_label_map(half, matrix)


def dfdc_pictures(data: Path, crop: Crop, *, limit: int | None) -> list[LabelledPicture]:
    """Both members of the validation pairs."""
    with (data / "dfdc" / "pairs.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "val"][:limit]
    found = []
    for row in rows:
        for kind, forged in (("real", False), ("fake", True)):
            pixels = read_rgb(data / "dfdc" / kind / row[kind])
            found.append(LabelledPicture(crop(pixels), pixels, forged, row["real"]))
    return found


def swap_pictures(data: Path, crop: Crop) -> dict[str, list[LabelledPicture]]:
    """Fakes of each method with their sources and targets, each file once."""
    with (data / "deepfakes" / "swaps.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    files: dict[str, dict[str, tuple[bool, str]]] = {}
    for row in rows:
        of_method = files.setdefault(row["method"], {})
        # Frames of one clip are nearly identical, so its folder is the group.
        group = str(Path(row["fake"]).parent) if "/fake/" in row["fake"] else row["fake"]
        of_method[row["fake"]] = (True, group)
        for part in ("authentic_source", "authentic_target"):
            of_method.setdefault(row[part], (False, group))
    found: dict[str, list[LabelledPicture]] = {}
    for method, members in files.items():
        found[method] = []
        for name, (forged, group) in members.items():
            pixels = read_rgb(data / "deepfakes" / name)
            found[method].append(LabelledPicture(crop(pixels), pixels, forged, group))
    return found


def generated_pictures(data: Path, crop: Crop, *, generator: str) -> list[LabelledPicture]:
    """Synthesised faces against photographs of the same size and compression."""
    found = []
    for folder, forged in ((f"fake_{generator}", True), ("real_ffhq", False)):
        for path in sorted((data / "deepfakes" / "generated" / folder).iterdir()):
            pixels = read_rgb(path)
            found.append(LabelledPicture(crop(pixels), pixels, forged, path.name))
    return found


def scores_of(pictures: Sequence[LabelledPicture], encoder: Encoder) -> dict[str, np.ndarray]:
    """Scores (n,) of the shipped heads by name and input, and of zero-shot prompts on faces."""
    features = {inputs: _features(pictures, encoder, inputs) for inputs in ("face", "image")}
    prompts = ZeroShot.from_prompts(encoder, real=REAL_PROMPTS, fake=FAKE_PROMPTS, inputs="face")
    found = {"face/prompts": prompts.score(features["face"])}
    for detector in load_detectors(WEIGHTS_DIR / "heads", encoder.sha256):
        name = f"{detector.inputs}/{detector.name}"
        found[name] = detector.score(features[detector.inputs])
    return found


def _features(pictures: Sequence[LabelledPicture], encoder: Encoder, inputs: str) -> np.ndarray:
    rows = [picture.crop if inputs == "face" else picture.whole for picture in pictures]
    blank = np.zeros((encoder.image_size, encoder.image_size, 3), np.uint8)
    encoded = encoder.encode_images([blank if row is None else row for row in rows])
    encoded[[row is None for row in rows]] = np.nan
    return encoded


def localisation(
    pictures: Sequence[LabelledPicture], encoder: Encoder, *, seed: int
) -> dict[str, object]:
    """Mean AUC of the tower's map for ranking changed cells above unchanged ones within a crop.

    `prior` is the same for the authentic crop, against the mask of its forgery: the AUC from
    knowing that faces are forged in the middle, without seeing any forgery.
    """
    import torch

    model: Any = encoder.model
    crops = [picture.crop for picture in pictures if picture.crop is not None]
    with torch.inference_mode():
        maps = [
            model.visual.trunk.evidence(encoder.preprocess(crops[start : start + 32]))
            for start in range(0, len(crops), 32)
        ]
    found: dict[bool, list[float]] = {False: [], True: []}
    for picture, evidence in zip(pictures, torch.cat(maps).numpy(), strict=True):
        if picture.cells is not None:
            changed, untouched = picture.cells > 0.5, picture.cells == 0
            known = changed | untouched
            found[picture.forged].append(auc(evidence[known], changed[known]))
    return {
        "cell_auc": float(np.nanmean(found[True])),
        "interval": interval(found[True], seed=seed),
        "prior": float(np.nanmean(found[False])),
    }


def measure(
    pictures: Sequence[LabelledPicture], encoder: Encoder, *, seed: int
) -> dict[str, object]:
    """AUC and interval of each scorer on one set; NaN if a class is missing."""
    labels = np.array([picture.forged for picture in pictures])
    found = np.array([picture.crop is not None for picture in pictures])
    groups = [picture.group for picture in pictures]
    figures: dict[str, object] = {
        "n": {"authentic": int((found & ~labels).sum()), "forged": int((found & labels).sum())},
        "without_a_face": int((~found).sum()),
    }
    for name, scores in scores_of(pictures, encoder).items():
        of_faces = np.where(found, scores, np.nan)
        figures[name] = {
            "auc": auc(of_faces, labels),
            "interval": auc_interval(of_faces, labels, groups, seed=seed, rounds=ROUNDS),
        }
    return figures
