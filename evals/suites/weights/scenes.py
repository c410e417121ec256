"""Do face crops, whole images or patches reveal forgeries beside the face?

Prompt-guided inpainting, compositing and re-generation leave the face and the identity unchanged.
The forge imitates them (`tools.forge.scenes`); they are compared with forged faces, among them two
families excluded from the training of all shipped models, morph and partial swap. Two sources:

- `lfw/<family>`: LFW's `val` persons, without the black wedges at the borders, about 200 px;
- `photos/<family>`: web photographs of five athletes at their original size, up to 1,200 px, often
  with several people; left out if the folder is missing.

Every photograph is forged once in each family; authentic and forged picture are both JPEGs of
quality 92. Faces of LFW are cropped by the labelled landmarks, those of the web by ours, from the
authentic picture.

- AUC of the face detectors, of the whole-image heads, and of three readings of the patch grid
  (`tools.search.reranking.patch_grid`): `image/patches` if its weights are installed, the
  shipped image head on each tile, the tower's own evidence; their number is the mean of the
  strongest twentieth of the map.
- `pointing`: how often the strongest place of the map was forged (a quarter of it at least);
  `chance` is the forged share of the picture, `authentic_map` the result of the authentic picture's
  map against the same truth. `iou`: of the truth with as many of the strongest places.
- `crop_changed`: the share of the face crop that was forged; at zero, a face detector can separate
  them only by chance.

Intervals: 95 %, bootstrap over LFW's persons; over photographs on the web's, whose five persons are
too few. Does not show: results on real generators; the forge imitates their traces, and
`image/patches` was trained on the same families with other persons.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from evals.options import EvalOptions
from evals.suites.weights.scene_photos import SceneImage, authentic_shots, forged_shots, sources
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import load_detectors
from tools.detectors.clip_heads.patches import PatchDetector
from tools.detectors.folders import DETECTORS_FOLDER, TOWER_KINDS, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import AnyDetector, IdentityDetector, qualified_name
from tools.detectors.scoring import run_detector
from tools.encoder.clip import Encoder
from tools.encoder.tiles import TileScorer, picture_map, top_mean
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop, crop_matrix, warp
from tools.metrics import auc, auc_interval, grouped_interval, mean
from tools.metrics.localisation import iou_at, pointing_game
from tools.search.reranking.patch_grid import score_tiles_by_evidence, score_tiles_by_features

ROUNDS = 500
_LOCATED = ("pointing", "iou", "authentic_map", "chance")
_TRUE_SHARE, _TOUCHED_SHARE = 0.5, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class DetectorOutputs:
    """Results on pictures: logits (n,) by detector, and maps by tile detectors."""

    scores: Mapping[str, np.ndarray]
    heats: Mapping[str, Sequence[np.ndarray | None]]


@dataclass(frozen=True, eq=False)
class SceneViews:
    """Detector inputs of pictures (`tools.detectors.protocol.DetectorInputs`)."""

    shots: Sequence[SceneImage]
    encoder: Encoder
    query: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.shots)

    @cached_property
    def face_features(self) -> np.ndarray:
        """(n, d) float32 of the aligned crops."""
        size, margin = self.encoder.image_size, self.encoder.face_margin
        crops = [
            aligned_crop(it.pixels, it.keypoints, size=size, margin=margin) for it in self.shots
        ]
        return self.encoder.encode_images(crops)

    @cached_property
    def image_features(self) -> np.ndarray:
        """(n, d) float32 of the whole pictures."""
        return self.encoder.encode_images([it.pixels for it in self.shots])

    @property
    def embeddings(self) -> np.ndarray:
        """No embeddings: identity detectors are not evaluated."""
        return np.full((len(self.shots), 1), np.nan, np.float32)

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """Pixels and keypoints."""
        yield from ((it.pixels, it.keypoints) for it in self.shots)


def run(options: EvalOptions) -> dict[str, object]:
    """AUCs, pointing and overlap by source and family; `limit` caps the photographs."""
    if not (options.data / "lfw" / "labels.npz").is_file():
        raise SetupError(f"no labelled faces below {str(options.data)!r}: pass --data DIR")
    encoder = Encoder.load(WEIGHTS_DIR / "encoder", threads=1)
    asked, readers = _asked(encoder)
    figures: dict[str, object] = {}
    for source in sources(options):
        authentic = authentic_shots(source.photos)
        options.progress(0, len(source.families), f"{source.name}: authentic")
        of_authentic = _read(authentic, asked, readers, encoder)
        for number, family in enumerate(source.families, 1):
            options.progress(number, len(source.families), f"{source.name}: {family}")
            forged = list(forged_shots(source.photos, family, seed=options.seed))
            of_forged = _read([it for _, it in forged], asked, readers, encoder)
            figures[f"{source.name}/{family}"] = {
                **_told_apart(of_authentic, of_forged, authentic, forged, seed=options.seed),
                "maps": _located(of_authentic, of_forged, forged, seed=options.seed),
                "crop_changed": mean([_changed(it, encoder) for _, it in forged]),
            }
    return figures


def _asked(encoder: Encoder) -> tuple[list[AnyDetector], dict[str, TileScorer]]:
    """Detectors with one score per picture, and those with a map of tiles."""
    heads = load_detectors(WEIGHTS_DIR / "heads", encoder.sha256)
    readers: dict[str, TileScorer] = {}
    asked: list[AnyDetector] = list(heads)
    for found in find_stored_detectors([WEIGHTS_DIR / DETECTORS_FOLDER]):
        if found.about.kind in TOWER_KINDS:
            continue  # read an optional part
        detector = load_detector(found, encoder)
        if isinstance(detector, PatchDetector):
            readers[qualified_name(detector)] = detector.read
        elif not isinstance(detector, IdentityDetector) and detector.inputs == "face":
            asked.append(detector)
    linear = next(it for it in heads if (it.inputs, it.name) == ("image", "unifd_linear"))
    readers["tiles/unifd_linear"] = score_tiles_by_features(encoder, linear)
    evidence = score_tiles_by_evidence(encoder)
    return asked, readers if evidence is None else {**readers, "tiles/evidence": evidence}


def _changed(shot: SceneImage, encoder: Encoder) -> float:
    size = encoder.image_size
    matrix = crop_matrix(shot.keypoints, size=size, margin=encoder.face_margin)
    return float(warp(shot.mask.astype(np.uint8) * 255, matrix, size=size).mean() / 255)


# -- figures ---------------------------------------------------------------------------------


def _read(
    shots: Sequence[SceneImage], asked: Sequence[AnyDetector], readers: Mapping[str, TileScorer],
    encoder: Encoder,
) -> DetectorOutputs:  # fmt: skip
    views = SceneViews(shots, encoder)
    scores = {qualified_name(it): run_detector(it, views).logits for it in asked} if shots else {}
    heats = {
        name: [picture_map(it.pixels, read, size=encoder.image_size) for it in shots]
        for name, read in readers.items()
    }
    numbers = {
        name: np.array([np.nan if it is None else top_mean(it) for it in found])
        for name, found in heats.items()
    }
    return DetectorOutputs({**scores, **numbers}, heats)


def _told_apart(
    authentic: DetectorOutputs,
    forged: DetectorOutputs,
    shots: Sequence[SceneImage],
    made: Sequence[tuple[int, SceneImage]],
    *,
    seed: int,
) -> dict[str, object]:
    """AUC of every score of forged pictures against all authentic ones."""
    groups = [it.group for it in shots] + [it.group for _, it in made]
    labels = np.repeat([False, True], [len(shots), len(made)])
    figures: dict[str, object] = {"n": {"authentic": len(shots), "forged": len(made)}}
    for name, scores in forged.scores.items():
        both = np.concatenate([authentic.scores[name], scores])
        span = auc_interval(both, labels, groups, seed=seed, rounds=ROUNDS)
        figures[name] = {"auc": auc(both, labels), "interval": span}
    return figures


def _located(
    authentic: DetectorOutputs,
    forged: DetectorOutputs,
    made: Sequence[tuple[int, SceneImage]],
    *,
    seed: int,
) -> dict[str, object]:
    """Pointing and overlap of every tile detector's maps."""
    groups = [it.group for _, it in made]
    figures: dict[str, object] = {}
    for name, heats in forged.heats.items():
        found = [
            _pointed(heat, authentic.heats[name][at], shot.mask)
            for heat, (at, shot) in zip(heats, made, strict=True)
        ]
        columns = np.array(found, float).reshape(-1, len(_LOCATED)).T
        span = grouped_interval(mean, groups, columns[0], seed=seed, rounds=ROUNDS)
        told = dict(zip(_LOCATED, map(mean, columns), strict=True))
        figures[name] = {**told, "pointing_95": span}
    return figures


def _pointed(
    heat: np.ndarray | None, without: np.ndarray | None, mask: np.ndarray
) -> tuple[float, ...]:
    """Pointing and IoU of a map, pointing of the authentic picture's, and the forged share."""
    if heat is None or without is None:
        return (float("nan"),) * len(_LOCATED)
    share = cv2.resize(mask.astype(np.float32), heat.shape[::-1], interpolation=cv2.INTER_AREA)
    # Without tiles nothing was found.
    heat, without = (np.nan_to_num(it, nan=float(np.nanmin(it))) for it in (heat, without))
    touched, inside = share >= _TOUCHED_SHARE, share > _TRUE_SHARE
    return (
        pointing_game(heat, touched), iou_at(heat, inside), pointing_game(without, touched),
        float(touched.mean()),
    )  # fmt: skip
