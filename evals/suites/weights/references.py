"""How much does reference comparison help: forged vs. genuine photos of the same person?

LFW's `val` persons of the second half (`benchmark_cases.split_persons`; the usual differences were
fitted on the first), with two photos or more. Up to two photos per person are hits, each compared
with up to two others of the same person: unchanged, and forged in every family (`face_swap` puts
its face onto another body, the others change the photo itself); all as JPEGs of one quality. Faces
are placed by the labels. The scores are those of `tools.search.reranking.reference_comparison` and
`tools.faces.further_embedders`.

- `auc`: of each score, by family and over all, forged against genuine, with its interval over
  persons. The parts of the inner and outer comparison (`d1` … `e3`) and both embedders' cosines
  (negated: low is suspicious) stand beside the scores that are shown.
- `pointing`: how often the strongest cell of the map was forged, beside the `chance` of a random
  cell; `face_swap` and other changes of the whole face are left out.
- `by_photos`: `auc` over all families for persons with nine photos or more, each hit compared with
  1, 2, 4 and 8 others; the hits and their forgeries are the same.

Does not show: generators other than the forge; query photos of other years or cameras.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np

from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.options import EvalOptions
from tools.errors import ToolError
from tools.faces.alignment import box_from_landmarks, crop_matrix, keypoints_from_landmarks
from tools.faces.analyser import Face
from tools.faces.further_embedders import COSINE, DIFFERENCE
from tools.forge.forgery import FAMILIES, SWAPS, forge
from tools.metrics import auc, grouped_interval, mean
from tools.metrics.localisation import pointing_game
from tools.search.query import Query
from tools.search.reranking.inner_outer_face import FaceInImage, inner_outer_distances
from tools.search.reranking.reference_comparison import INNER_OUTER, PATCH_DISTANCE, reference_map
from tools.search.reranking.rerank_input import RerankInput
from tools.search.reranking.second_opinion import second_scores
from tools.training.calibration.benchmark_cases import LabelledPortrait, portraits, split_persons
from tools.training.data.forgery_pool import through_jpeg

HITS, PHOTOS = 2, 2
"""Per person: photos used as hits, and photos to compare each with."""

MOST_HITS = 6
"""Hits of a person with many photos, for the curve over them."""

COUNTS = (1, 2, 4, 8)
"""Numbers of photos to compare with, where there are that many others."""

LOCAL = ("region_swap", "partial_swap", "inpainting")
"""Families that change only a part of the face."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredHit:
    """One hit: its scores, NaN if missing, and the map's pointing (NaN: whole face).

    It was compared with so many `photos`; `further` hits are only there for the curve over them.
    """

    person: str
    family: str
    photos: int
    further: bool
    scores: Mapping[str, float]
    pointing: float
    chance: float


def run(options: EvalOptions) -> dict[str, object]:
    """AUC and pointing by family; `limit` caps the persons."""
    parts = LoadedModels(Settings.load())
    every = list(_measured(parts, options))
    rows = [row for row in every if row.photos == PHOTOS and not row.further]
    names = list(rows[0].scores)
    genuine = [row for row in rows if row.family == "authentic"]
    by_family = {
        family: genuine + [row for row in rows if row.family == family] for family in FAMILIES
    }
    return {
        "genuine": len(genuine),
        "persons": len({row.person for row in rows}),
        "auc": {
            name: {
                family: _auc(name, chosen, options.seed)
                for family, chosen in {**by_family, "all": rows}.items()
            }
            for name in names
        },
        "pointing": {
            family: {
                "photos": len(known := [it for it in rows if it.family == family]),
                "strongest_cell_was_forged": mean([it.pointing for it in known]),
                "chance": mean([it.chance for it in known]),
            }
            for family in LOCAL
        },
        "by_photos": _by_photos(every, options.seed),
    }


def _by_photos(rows: Sequence[MeasuredHit], seed: int) -> dict[str, object]:
    """AUC of each score by the number of photos, over the persons who have enough of them."""
    persons = {row.person for row in rows if row.photos == max(COUNTS)}
    chosen = [row for row in rows if row.person in persons]
    return {
        "persons": len(persons),
        "hits": sum(row.photos == max(COUNTS) and row.family == "authentic" for row in chosen),
        **{
            str(count): {
                name: _auc(name, [row for row in chosen if row.photos == count], seed)
                for name in (chosen[0].scores if chosen else ())
            }
            for count in COUNTS
        },
    }


def _auc(name: str, rows: Sequence[MeasuredHit], seed: int) -> dict[str, object]:
    scores = np.array([row.scores[name] for row in rows])
    forged = np.array([row.family != "authentic" for row in rows])
    known = ~np.isnan(scores)
    if not known.any():  # there is no second embedder
        return {"value": float("nan"), "interval": (float("nan"), float("nan"))}
    persons = np.array([row.person for row in rows])
    interval = grouped_interval(
        auc, persons[known], scores[known], forged[known], seed=seed, rounds=200
    )
    return {"value": auc(scores[known], forged[known]), "interval": interval}


def _measured(parts: LoadedModels, options: EvalOptions) -> Iterator[MeasuredHit]:
    _, people = split_persons(portraits(options.data, split="val"))
    rng = np.random.default_rng(options.seed)
    everyone = [shot for shots in people.values() for shot in shots]
    asked = [shots for shots in people.values() if len(shots) >= 2][: options.limit]
    for done, shots in enumerate(asked):
        options.progress(done, len(asked), "persons")
        hits = MOST_HITS if len(shots) > max(COUNTS) else HITS
        for place, number in enumerate(rng.permutation(len(shots))[:hits]):
            hit = shots[int(number)]
            others = [shot for shot in shots if shot is not hit]
            drawn = [others[int(it)] for it in rng.permutation(len(others))[: max(COUNTS)]]
            counts = COUNTS if len(drawn) == max(COUNTS) else (min(PHOTOS, len(drawn)),)
            photos = [_look(it.pixels(), it.landmarks, parts) for it in drawn[: max(counts)]]
            quality = int(rng.integers(75, 96))
            for family, pixels, landmarks, mask in _forms(hit, everyone, rng):
                look = _look(through_jpeg(pixels, quality), landmarks, parts)
                for count in counts:
                    found = _measure(hit.person, family, look, photos[:count], mask, parts)
                    # A person with one other photo has no more to compare with.
                    shown = count if len(counts) > 1 else PHOTOS
                    yield replace(found, photos=shown, further=place >= HITS)


def _forms(
    hit: LabelledPortrait, everyone: Sequence[LabelledPortrait], rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray | None]]:
    """The photo and its forgeries: family, pixels, landmarks, mask (h, w) in 0..1."""
    yield "authentic", hit.pixels(), hit.landmarks, None
    for family in FAMILIES:
        drawn = [everyone[int(it)] for it in rng.choice(len(everyone), 16)]
        other = min((it for it in drawn if it.person != hit.person), key=lambda it: _turn(it, hit))
        target, source = (other, hit) if family == "face_swap" else (hit, other)
        swap = family in SWAPS
        try:
            forged = forge(
                target.pixels(), target.landmarks, family=family, rng=rng,
                source_pixels=source.pixels() if swap else None,
                source_landmarks=source.landmarks if swap else None,
            )  # fmt: skip
        except ToolError:
            continue  # this family cannot forge this photo
        yield family, forged.pixels, target.landmarks, forged.mask


def _turn(one: LabelledPortrait, other: LabelledPortrait) -> float:
    """Difference in head rotation, from the position of the nose between the eyes."""
    turns = []
    for shot in (one, other):
        left, right, nose = keypoints_from_landmarks(shot.landmarks)[:3]
        turns.append(float((nose - left) @ (right - left) / ((right - left) @ (right - left))))
    return abs(turns[0] - turns[1])


def _look(pixels: np.ndarray, landmarks: np.ndarray, parts: LoadedModels) -> FaceInImage:
    points = keypoints_from_landmarks(landmarks)
    (vector,) = parts.faces.embed([(pixels, points)])
    placed = SimpleNamespace(
        box=box_from_landmarks(landmarks), keypoints=points, landmarks=landmarks, embedding=vector
    )
    return pixels, cast(Face, placed)


def _measure(
    person: str,
    family: str,
    hit: FaceInImage,
    photos: Sequence[FaceInImage],
    mask: np.ndarray | None,
    parts: LoadedModels,
) -> MeasuredHit:
    apart = inner_outer_distances(hit, photos, faces=parts.faces)
    mapped = reference_map(hit, photos, encoder=parts.encoder)
    if apart is None or mapped is None:
        raise ValueError(
            "a hit without photos, or an encoder without cells, has nothing to measure"
        )
    template = np.mean([face.embedding for _, face in photos], axis=0)
    first = float(hit[1].embedding @ template / np.linalg.norm(template))
    look = RerankInput(*hit, {"cosine_similarity": first}, cast(Query, None), tuple(photos), parts)
    (second,) = second_scores([look])
    alike = second[COSINE]
    pairs = {name: getattr(apart, name) for name in ("d1", "d2", "d3", "e2", "e3")}
    scores = {
        INNER_OUTER: apart.score,
        PATCH_DISTANCE: mapped.score,
        DIFFERENCE: second[DIFFERENCE],
        f"{COSINE}, negated": None if alike is None else -alike,
        "cosine_similarity, negated": -first,
        **pairs,
    }
    known = {name: np.nan if value is None else float(value) for name, value in scores.items()}
    points, chance = np.nan, np.nan
    if mask is not None and family in LOCAL:
        truth = _cells(mask, hit[1], mapped.heatmap.shape, parts)
        points, chance = pointing_game(mapped.heatmap, truth), float(truth.mean())
    return MeasuredHit(person, family, len(photos), False, known, points, chance)


def _cells(mask: np.ndarray, face: Face, shape: tuple[int, ...], parts: LoadedModels) -> np.ndarray:
    """Cells of the face crop of which at least a quarter was changed: (h, w) bool."""
    side = parts.encoder.image_size
    matrix = crop_matrix(face.keypoints, size=side, margin=parts.encoder.face_margin)
    seen = cv2.warpAffine(np.asarray(mask, np.float32), matrix, (side, side))
    truth: np.ndarray = cv2.resize(seen, shape[::-1], interpolation=cv2.INTER_AREA) >= 0.25
    return truth
