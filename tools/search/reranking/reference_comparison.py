"""Compare a hit with authentic reference photos of the person: where does it differ from them?

Two measures. *Inner against outer face* (`tools.search.reranking.inner_outer_face`) tests whether
the inner face and the head around it belong to one person. *Patch distance* is the distance, in
encoder space, from each cell of the face to the nearest cell of the query photos around the same
place (PatchCore: Roth et al., CVPR 2022; CLAD, arXiv 2412.00890, applies the idea to goods on a
belt). The second measure is also a map.

Measured by `python -m evals run references`. The fitted rule determines which of them, if any,
affects a verdict.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.checkpoints.table import WEIGHTS_DIR
from tools.encoder.clip import Encoder
from tools.encoder.patch_features import patch_features
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop, crop_matrix, transform_points
from tools.faces.analyser import Face
from tools.forge.masks import face_region_masks
from tools.localisers.map_scales import DISTANCE, NO_FINDING_TEXT, map_threshold
from tools.search.reranking.inner_outer_face import (
    FaceInImage,
    PartEmbeddings,
    compare_parts,
    embed_parts,
)
from tools.search.reranking.rerank_input import RerankInput

Floats = NDArray[np.float32]
INNER_OUTER, PATCH_DISTANCE = "reference/inner_outer", "reference/patch_distance"
PARAMETERS_FILE = WEIGHTS_DIR / "references" / "parameters.json"

SEARCH_RADIUS_PATCHES = 2
"""Search radius around a cell's place: landmarks are accurate to about one cell."""

STRONGEST_SHARE = 0.1
"""Share of the strongest cells averaged into the score: a mouth is a tenth of a face crop."""

FAR_STANDARD_DEVIATIONS = 2.0
"""A region this far from the query photos, in SDs of authentic pairs, is called far."""

METHOD = "each place of the face against the nearest place of the query photos, in encoder space"
LIMITS = (
    "Bright means unlike the query photos, not forged: another light, age, pose, beard or camera "
    "can look as different. Dark is no proof of authenticity."
)

_LEAST_SPREAD = 1e-3
_REGIONS = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary")


def nearest_distances(
    cells: Floats, references: Floats, *, reach: int = SEARCH_RADIUS_PATCHES
) -> Floats:
    """Distance from each cell to the nearest reference cell around the same place: (h, w).

    `cells` (h, w, c), `references` (r, h, w, c), in standard deviations of each channel; the
    distance is the root mean square over channels. Cosine distances detect less, because forged
    places also have larger feature norms.
    """
    height, width = cells.shape[:2]
    around = np.pad(references, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    best = np.full((height, width), np.inf, np.float32)
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            apart = around[:, down : down + height, right : right + width] - cells
            best = np.minimum(best, np.einsum("rhwc,rhwc->rhw", apart, apart).min(axis=0))
    return np.asarray(np.sqrt(best / cells.shape[-1]), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ChannelStatistics:
    """Mean and standard deviation of each channel of a cell: `mean` and `spread` (c,)."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, cells: Floats) -> "ChannelStatistics":
        """Compute from cells (..., c)."""
        flat = cells.reshape(-1, cells.shape[-1])
        return cls(flat.mean(axis=0), np.maximum(flat.std(axis=0), _LEAST_SPREAD))

    def standardised(self, cells: Floats) -> Floats:
        """Cells (..., c) standardised per channel: minus the mean, over the spread."""
        return np.asarray((cells - self.mean) / self.spread, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceBaseline:
    """Typical distances between authentic photos of the same person.

    For the encoder with that `encoder_sha256`: its `channels`; the `mean` (h, w) of
    `nearest_distances` at each place; one `spread` for all places, because a per-place spread would
    hide changes to a mouth, which moves freely.
    """

    encoder_sha256: str
    channels: ChannelStatistics
    mean: Floats
    spread: float

    def standardise(self, distances: Floats) -> Floats:
        """Distances (h, w) above the mean at their place, in standard deviations."""
        return np.asarray((distances - self.mean) / self.spread, np.float32)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {
            "encoder_sha256": self.encoder_sha256,
            "channel_mean": np.round(self.channels.mean, 4).tolist(),
            "channel_spread": np.round(self.channels.spread, 4).tolist(),
            "mean": np.round(self.mean, 4).tolist(),
            "spread": round(self.spread, 4),
        }


@cache
def load_reference_baseline(path: Path = PARAMETERS_FILE) -> ReferenceBaseline | None:
    """The fitted parameters; None if the file is missing. Raises SetupError for a damaged file."""
    if not path.is_file():
        return None
    try:
        told: Mapping[str, Any] = json.loads(path.read_text("utf-8"))["cells"]
        return ReferenceBaseline(
            str(told["encoder_sha256"]),
            ChannelStatistics(_floats(told["channel_mean"]), _floats(told["channel_spread"])),
            _floats(told["mean"]),
            float(told["spread"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{path} cannot be used: {error}; see `unmask models verify`") from error


def _floats(values: Any) -> Floats:
    return np.array(values, np.float32)


def aligned_patch_features(looks: Sequence[FaceInImage], *, encoder: Encoder) -> Floats | None:
    """Cells (n, h, w, c) of the aligned faces; None if the encoder provides none."""
    crops = [
        aligned_crop(pixels, face.keypoints, size=encoder.image_size, margin=encoder.face_margin)
        for pixels, face in looks
    ]
    return patch_features(encoder, crops)


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceMap:
    """Map of where a face differs from the query photos.

    `crop` (s, s, 3) uint8 RGB is the hit's aligned face, `distances` (h, w) are the distances of
    its cells. `heatmap` (h, w) is drawn: distances above the typical value in standard deviations,
    or, if typical values were not measured for this encoder (`standardised` False), above the
    face's own median. `far` names the regions whose mean is at least `drawn_from` standard
    deviations, which other authentic photos of one person do not reach; None if that is unknown.
    """

    crop: np.ndarray
    distances: Floats
    heatmap: Floats
    standardised: bool
    far: tuple[str, ...] | None
    drawn_from: float = FAR_STANDARD_DEVIATIONS

    @property
    def score(self) -> float:
        """Mean of the strongest cells: standard deviations, or a distance if not standardised."""
        return _strongest(self.heatmap if self.standardised else self.distances)

    @property
    def displayed_heatmap(self) -> Floats:
        """The heat map to draw: what exceeds the usual; all zero if nothing is known to stand out.

        Without this, a face that is as far as other photos of one person would be red all over.
        """
        return np.zeros_like(self.heatmap) if self.far == () else self.heatmap - self.drawn_from

    @property
    def text(self) -> str:
        """The map in words."""
        if self.far is None:
            return "how far each place is from the query photos"
        if not self.far:
            return (
                f"{NO_FINDING_TEXT} of one person: no part is unusually far from the query photos"
            )
        return f"unusually far from the query photos: {', '.join(self.far)}"

    @property
    def limits(self) -> str:
        """What the map does not show."""
        return LIMITS


def _strongest(cells: Floats) -> float:
    ranked = np.sort(cells.ravel())
    return float(ranked[-max(1, round(STRONGEST_SHARE * ranked.size)) :].mean())


def reference_map(
    hit: FaceInImage, photos: Sequence[FaceInImage], *, encoder: Encoder
) -> ReferenceMap | None:
    """Map a hit against the query photos; None without photos or comparable cells.

    Does not show: what is forged. See `LIMITS`.
    """
    cells = aligned_patch_features([hit, *photos], encoder=encoder) if photos else None
    if cells is None:
        return None
    known = _baseline(encoder)
    distances = _distances(cells[0], cells[1:], known)
    pixels, face = hit
    crop = aligned_crop(pixels, face.keypoints, size=encoder.image_size, margin=encoder.face_margin)
    if known is None:
        spread = max(float(distances.std()), _LEAST_SPREAD)
        heat = (distances - np.median(distances)) / spread
        return ReferenceMap(crop, distances, heat, standardised=False, far=None)
    heat = known.standardise(distances)
    scale = map_threshold(DISTANCE, encoder)
    finding = (
        FAR_STANDARD_DEVIATIONS if scale is None else max(FAR_STANDARD_DEVIATIONS, scale.finding)
    )
    far = _far(heat, face, encoder, finding=finding)
    return ReferenceMap(crop, distances, heat, standardised=True, far=far, drawn_from=finding)


def _baseline(encoder: Encoder) -> ReferenceBaseline | None:
    known = load_reference_baseline()
    return known if known is not None and known.encoder_sha256 == encoder.sha256 else None


def _distances(cells: Floats, photos: Floats, known: ReferenceBaseline | None) -> Floats:
    channels = known.channels if known else ChannelStatistics.of(photos)
    return nearest_distances(channels.standardised(cells), channels.standardised(photos))


def _far(heat: Floats, face: Face, encoder: Encoder, *, finding: float) -> tuple[str, ...] | None:
    means = region_means(heat, face, encoder)
    return None if means is None else tuple(it for it, mean in means.items() if mean >= finding)


def region_means(heat: Floats, face: Face, encoder: Encoder) -> dict[str, float] | None:
    """The mean of a map (h, w) over each region of the face; None for a face without landmarks."""
    if face.landmarks is None:
        return None
    matrix = crop_matrix(face.keypoints, size=encoder.image_size, margin=encoder.face_margin)
    landmarks = transform_points(face.landmarks, matrix) * (heat.shape[0] / encoder.image_size)
    areas = face_region_masks(landmarks.astype(np.float32), heat.shape)
    inside = {name: heat[areas[name] > 0] for name in _REGIONS}
    return {name: float(values.mean()) for name, values in inside.items() if values.size}


def reference_scores(looks: Sequence[RerankInput]) -> list[dict[str, float | None]]:
    """Both measures of each hit; None if not measurable (no query photo is readable)."""
    missing = dict[str, float | None].fromkeys((INNER_OUTER, PATCH_DISTANCE))
    found = [dict(missing) for _ in looks]
    rows = [row for row, look in enumerate(looks) if look.query_photos and look.asks_for(*missing)]
    if not rows:
        return found
    hits = [(looks[row].pixels, looks[row].face) for row in rows]
    for row, parts, patches in zip(
        rows, _inner_outer(hits, looks[0]), _patch_distances(hits, looks[0]), strict=True
    ):
        found[row] = {INNER_OUTER: parts, PATCH_DISTANCE: patches}
    return found


def _inner_outer(hits: Sequence[FaceInImage], look: RerankInput) -> list[float]:
    faces = look.instruments.faces
    photos = look.query_results.once(
        INNER_OUTER, lambda: embed_parts(look.query_photos, faces=faces)
    )
    parts = embed_parts(hits, faces=faces)
    each = [
        PartEmbeddings(parts.inner[row : row + 1], parts.outer[row : row + 1])
        for row in range(len(hits))
    ]
    return [compare_parts(one, photos).score for one in each]


def _patch_distances(hits: Sequence[FaceInImage], look: RerankInput) -> list[float | None]:
    """The score of each hit's `reference_map`, without drawing it."""
    encoder = look.instruments.encoder
    photos = look.query_results.once(
        PATCH_DISTANCE, lambda: aligned_patch_features(look.query_photos, encoder=encoder)
    )
    cells = None if photos is None else aligned_patch_features(hits, encoder=encoder)
    if photos is None or cells is None:
        return [None] * len(hits)
    known = _baseline(encoder)
    distances = [_distances(one, photos, known) for one in cells]
    return [_strongest(known.standardise(it) if known else it) for it in distances]
