"""Compare all localisers on the same forgeries, against the forge's ground-truth masks.

Each photograph is forged once, cycling through three families; the ground truth is the forge's mask
in the face crop. There are two baselines that ignore the picture: random cells, and the middle of
the crop, where faces and so most forgeries are.

- `pointing`: how often the hottest place was forged; `pointing_95` over persons. `pointing_near`:
  the same with the pointing game's tolerance of 15 pixels of 224 (a cell of our tower).
- `iou`: overlap of the truth with as many of the hottest places; `iou_at_a_tenth`: with the
  hottest tenth of the crop.
- `deletion`, `insertion`: area under the head's probability while the hottest places are blurred
  first, or come back first in a blurred crop. Lower deletion and higher insertion are better. This
  measures whether a map explains the *head*, not whether it finds the forgery: a forgery detector
  may treat a blurred place in a sharp face as forged, so hiding a forgery need not lower its score.
- `randomised`: rank correlation of the map with the map after shuffling weights: the head's, the
  tower's last layers', the whole tower's. Near 1 means that the map does not depend on them. A map
  made by the tower alone does not depend on the head; boxes depend on neither, but on the weights
  of their own network, `own_network`.

Does not show: results on forgeries that the forge does not make.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from assistant.profile import LoadedModels
from evals.options import EvalOptions
from tools.detectors import UnifdLinear
from tools.detectors.networks.caddm import Caddm
from tools.encoder.clip import Encoder
from tools.faces.alignment import aligned_crop, crop_matrix, warp
from tools.faces.analyser import Face
from tools.localisers import LOCALISERS, Localiser, optional_localisers
from tools.localisers.artefact_boxes import artefact_boxes
from tools.localisers.gradients import upsample_map
from tools.localisers.occlusion import BLUR
from tools.metrics import grouped_interval, mean
from tools.metrics.localisation import (
    deletion_steps,
    iou_at,
    mean_area_under,
    pointing_game,
    rank_correlation,
)
from tools.training.data.forgery_pool import LfwPhotographs, forged_pair, through_jpeg

if TYPE_CHECKING:
    import torch

FAMILIES = ("partial_swap", "region_swap", "inpainting")
PHOTOS, SANITY_PHOTOS = 150, 20
STEPS = 10
TOLERANCE = 15 / 224
"""Tolerance as a share of the crop's side; the pointing game's."""

LAST_LAYERS = 4
"""Number of weight matrices or kernels, from the end; a whole block of a ViT."""

Heat = Callable[[np.ndarray, Encoder, UnifdLinear], np.ndarray | None]


@dataclass(frozen=True, slots=True, eq=False)
class ForgedFace:
    """A forged face as encoder input (s, s, 3) uint8 RGB, and the mask of the changed area,
    bool."""

    family: str
    person: str
    crop: np.ndarray
    truth: np.ndarray


def compare_localisers(parts: LoadedModels, options: EvalOptions) -> dict[str, object]:
    """The table: by family, then by localiser; and the sanity check by localiser."""
    encoder = parts.encoder
    faces = (it for it in parts.detectors if it.inputs == "face")
    head = next(it for it in faces if isinstance(it, UnifdLinear))
    cases = list(cases_of(parts, options))
    finders = [it for it, _ in parts.localising_detectors if isinstance(it, Caddm)]
    heats = supported_localisers(candidates(options.seed, finders), encoder, head)
    rows = {
        name: [_row(case, heat, encoder=encoder, head=head) for case in cases]
        for name, heat in heats.items()
    }
    figures: dict[str, object] = {}
    for family in ("all", *FAMILIES):
        chosen = [at for at, case in enumerate(cases) if family in ("all", case.family)]
        people = [cases[at].person for at in chosen]
        figures[family] = {
            name: _figures([found[at] for at in chosen], people, seed=options.seed)
            for name, found in rows.items()
        }
    few = cases[:SANITY_PHOTOS]
    randomised = sanity_check(few, heats, encoder=encoder, head=head, seed=options.seed)
    for name, figure in own_networks(few, finders, encoder, head, seed=options.seed).items():
        randomised[name]["own_network"] = figure
    return {**figures, "randomised": randomised}


def cases_of(parts: LoadedModels, options: EvalOptions) -> Iterator[ForgedFace]:
    """Forgeries of LFW's validation persons with a detected face, as JPEGs of quality 75 to 95."""
    faces, rng = LfwPhotographs.load(options.data, split="val"), np.random.default_rng(options.seed)
    size, margin = parts.encoder.image_size, parts.encoder.face_margin
    for number, index in enumerate(rng.permutation(len(faces.paths))[: options.limit or PHOTOS]):
        family = FAMILIES[number % len(FAMILIES)]
        pair = forged_pair(faces, int(index), family=family, rng=rng)
        if pair is None:
            continue
        pixels = through_jpeg(pair.fake, int(rng.integers(75, 96)))
        face = _in_the_middle(parts.faces.analyse([pixels])[0], pixels)
        if face is None:
            continue
        matrix = crop_matrix(face.keypoints, size=size, margin=margin)
        truth = warp(pair.mask, matrix, size=size) > 127
        if truth.any():
            crop = aligned_crop(pixels, face.keypoints, size=size, margin=margin)
            yield ForgedFace(family, pair.origin.split("/")[0], crop, truth)


def _in_the_middle(found: Sequence[Face], pixels: np.ndarray) -> Face | None:
    centre = np.array([pixels.shape[1], pixels.shape[0]]) / 2
    return min(
        found,
        key=lambda it: float(np.linalg.norm(it.keypoints.mean(axis=0) - centre)),
        default=None,
    )


def candidates(seed: int, finders: Sequence[Caddm] = ()) -> dict[str, Heat]:
    """The localisers by name, including those with boxes of `finders`, and the two baselines."""
    rng = np.random.default_rng(seed)

    def random(crop: np.ndarray, _: Encoder, __: UnifdLinear) -> np.ndarray:
        return upsample_map(rng.random((16, 16), np.float32), side=len(crop))

    def centre(crop: np.ndarray, _: Encoder, __: UnifdLinear) -> np.ndarray:
        axis = np.linspace(-1, 1, len(crop), dtype=np.float32)
        return np.asarray(-np.hypot(axis[:, None], axis[None]), np.float32)

    real = {it.name: _made_by(it) for it in (*LOCALISERS, *optional_localisers(finders))}
    return {**real, "random": random, "centre": centre}


def _made_by(localiser: Localiser) -> Heat:
    return lambda crop, encoder, head: localiser.heatmap(crop, encoder=encoder, head=head)


def supported_localisers(
    heats: Mapping[str, Heat], encoder: Encoder, head: UnifdLinear
) -> dict[str, Heat]:
    """The localisers that make a map with this encoder."""
    grey = np.full((encoder.image_size, encoder.image_size, 3), 127, np.uint8)
    return {name: heat for name, heat in heats.items() if heat(grey, encoder, head) is not None}


def _row(case: ForgedFace, heat: Heat, *, encoder: Encoder, head: UnifdLinear) -> dict[str, float]:
    values = _made(heat, case, encoder, head)
    deletion, insertion = deletion_insertion_curves(case.crop, values, encoder=encoder, head=head)
    return {
        "pointing": pointing_game(values, case.truth),
        "pointing_near": pointing_game(values, case.truth, tolerance_px=TOLERANCE * len(case.crop)),
        "iou": iou_at(values, case.truth),
        "iou_at_a_tenth": iou_at(values, case.truth, 0.1),
        "deletion": mean_area_under(deletion),
        "insertion": mean_area_under(insertion),
    }


def _made(heat: Heat, case: ForgedFace, encoder: Encoder, head: UnifdLinear) -> np.ndarray:
    values = heat(case.crop, encoder, head)
    if values is None:
        raise RuntimeError(
            "a localiser made a map of one crop with this encoder but not of another"
        )
    return values


def deletion_insertion_curves(
    crop: np.ndarray, heat: np.ndarray, *, encoder: Encoder, head: UnifdLinear
) -> tuple[np.ndarray, np.ndarray]:
    """The head's probability along deletion and along insertion, each (STEPS + 1,) in 0..1."""
    blurred = cv2.GaussianBlur(crop, (0, 0), BLUR * len(crop))
    hidden = deletion_steps(heat, STEPS)[..., None]
    pictures = [np.where(it, blurred, crop) for it in hidden]
    pictures += [np.where(it, crop, blurred) for it in hidden]
    logits = head.score(encoder.encode_images(pictures))
    probabilities = 1 / (1 + np.exp(-logits))
    return probabilities[: STEPS + 1], probabilities[STEPS + 1 :]


def _figures(rows: Sequence[Mapping[str, float]], people: Sequence[str], *, seed: int) -> Any:
    if not rows:
        return {"photos": 0}
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    span = grouped_interval(mean, people, columns["pointing"], seed=seed)
    means = {name: mean(values) for name, values in columns.items()}
    return {"photos": len(rows), **means, "pointing_95": span}


def sanity_check(
    cases: Sequence[ForgedFace],
    heats: Mapping[str, Heat],
    *,
    encoder: Encoder,
    head: UnifdLinear,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Mean rank correlation of maps before and after shuffling weights."""
    rng = np.random.default_rng(seed)
    other_head = replace(head, weight=rng.permutation(head.weight))
    against = {
        "head": (encoder, other_head),
        "last_layers": (randomise_weights(encoder, last=LAST_LAYERS, rng=rng), head),
        "tower": (randomise_weights(encoder, last=None, rng=rng), head),
    }
    figures: dict[str, dict[str, float]] = {}
    for name, heat in heats.items():
        before = [_made(heat, case, encoder, head) for case in cases]
        figures[name] = {
            what: mean([
                rank_correlation(one, _made(heat, case, *changed))
                for one, case in zip(before, cases, strict=True)
            ])
            for what, changed in against.items()
        }  # fmt: skip
    return figures


def own_networks(
    cases: Sequence[ForgedFace],
    finders: Sequence[Caddm],
    encoder: Encoder,
    head: UnifdLinear,
    *,
    seed: int,
) -> dict[str, float]:
    """The same for boxes, by localiser, shuffling the weights of the boxes' network.

    Not measured if no photograph gets boxes from both.
    """
    rng, found = np.random.default_rng(seed), {}
    for finder in finders:
        network = copy.deepcopy(finder.network)
        _exchange(network, last=None, rng=rng)
        true, other = (artefact_boxes(it) for it in (finder, replace(finder, network=network)))
        pairs = [
            [_made(_made_by(it), case, encoder, head) for it in (true, other)] for case in cases
        ]
        found[true.name] = mean([rank_correlation(*pair) for pair in pairs])
    return found


def randomise_weights(encoder: Encoder, *, last: int | None, rng: np.random.Generator) -> Encoder:
    """The encoder with values shuffled within each of the tower's last weights; None: all."""
    model = copy.deepcopy(encoder.model)
    visual: Any = model.visual
    _exchange(visual, last=last, rng=rng)
    return Encoder(
        encoder.folder,
        model,
        preprocessing=encoder.preprocessing,
        face_margin=encoder.face_margin,
        device=encoder.device,
    )


def _exchange(network: "torch.nn.Module", *, last: int | None, rng: np.random.Generator) -> None:
    """Shuffle the values within each of a network's last weights; None: all.

    Shuffled rather than redrawn, so that their distribution, and the scale of later activations,
    stays. Biases and norms are unchanged.
    """
    import torch

    weights = [it for it in network.parameters() if it.ndim > 1]
    with torch.no_grad():
        for weight in weights[-last:] if last else weights:
            order = torch.from_numpy(rng.permutation(weight.numel())).to(weight.device)
            weight.copy_(weight.flatten()[order].view(weight.shape))
