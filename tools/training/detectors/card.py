"""Evaluation and model card of a tuned detector, from its saved file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.detectors.folders import DetectorDescription
from tools.detectors.protocol import AnyDetector, IdentityDetector, PixelDetector
from tools.encoder.clip import Encoder
from tools.training.data.pairs import CropSample, PairSource, crops
from tools.training.detectors.repdfd import IdentityTrainingImage

CARD = "CARD.md"
MEASURED = 250
"""Pairs per part of the pool."""

_LIMITS = {
    "gend": "It starts from the encoder, which was trained on the same forgeries.",
    "repdfd": "The face is shrunk to make room for the border, which loses fine detail.",
    "repdfd_query": "The face is shrunk to make room for the border, which loses fine detail. On "
    "swaps it was trained with the forged face's own embedding, since the other person is unknown.",
    "coop": "The learnt context is not readable as text.",
    "clip_adapter": "It overfits to the forgeries in its training data.",
    "linear_probe": "It generalises worst of prompt, adapter and probe, as published.",
}
_RECIPES = {
    "gend": "GenD (WACV 2026): cross-entropy + 0.5 · uniformity + 0.1 · alignment; only scales and "
    "shifts of BatchNorms, whose running statistics stay frozen, and the head",
    "repdfd": "RepDFD (AAAI 2025): cross-entropy of scaled cosines; only the border; the prompt "
    "holds the candidate's own embedding",
    "repdfd_query": "RepDFD (AAAI 2025) with another photograph's embedding of the same person in "
    "the prompt, which is ours; only the border",
    "coop": "CoOp of CLIPping the Deception (ICMR 2024), on features",
    "clip_adapter": "CLIP-Adapter of CLIPping the Deception (ICMR 2024), on features",
    "linear_probe": "the linear probe of CLIPping the Deception (ICMR 2024), on features",
}
Row = tuple[str, float, int]
"""Part measured, AUC, and number of pairs."""


def measured(
    detector: AnyDetector,
    parts: Mapping[str, PairSource],
    *,
    encoder: Encoder,
    held_out: frozenset[str],
    seed: int = 0,
) -> list[Row]:
    """AUCs on held-out persons, by part and by family.

    A part without held-out persons was not used in training and is measured as a whole.
    """
    from sklearn.metrics import roc_auc_score

    rows: list[Row] = []
    for name, source in parts.items():
        groups = [source.group(index) for index in range(len(source))]
        chosen = [at for at, group in enumerate(groups) if group in held_out]
        chosen = chosen or list(range(len(source)))
        samples = _samples(source, chosen, encoder, seed=seed)
        if not samples:
            continue
        scores = _scores(detector, samples, encoder)
        families = np.array([sample.family for sample in samples])
        known = np.isfinite(scores)
        for family in ("", *sorted(set(families.tolist()) - {"authentic"})):
            of = known & ((families == "authentic") | (families == family) | (not family))
            forged = families[of] != "authentic"
            auc = float(roc_auc_score(forged, scores[of]))
            rows.append((f"{name}: {family}" if family else name, auc, int(forged.sum())))
    # In a part with a single family both rows would be the same.
    return [row for at, row in enumerate(rows) if not at or row[1:] != rows[at - 1][1:]]


def write_card(
    folder: Path,
    about: DetectorDescription,
    *,
    recipe: Mapping[str, Any],
    figures: Mapping[str, float],
    table: Sequence[Row],
) -> None:
    """Write `CARD.md` beside the weights."""
    steps = "\n".join(f"- {name.replace('_', ' ')}: `{value}`" for name, value in recipe.items())
    lines = "\n".join(f"| {name} | {auc:.3f} | {count} |" for name, auc, count in table)
    seen = figures.get("pairs_seen", figures.get("rows_learnt", 0) / 2)
    text = [
        f"# {about.name}: {about.kind}, {about.inputs}",
        f"**Licence of the weights.** {about.licence[0].upper()}{about.licence[1:]}.",
        f"**Data.** {about.trained_on}. The family partial_swap was held out entirely. "
        f"{seen:,.0f} pairs were drawn for training, none of held-out persons.",
        f"**Recipe.** {_RECIPES[about.kind]}. `python -m tools.training.detectors.train "
        f"{about.kind} POOL`\n\n{steps}",
        f"**Figures.** AUC {figures['held_out_auc']:.3f} on held-out persons and originals, where "
        "training stopped. The saved file, on pictures without augmentation:\n\n"
        f"| pairs of | AUC | pairs |\n|---|---|---|\n{lines}\n\n"
        "`dfdc val` are originals excluded from all training. The others are held-out persons, "
        "who also decided early stopping; but the encoder was trained on their forgeries, so these "
        "figures are optimistic.",
        f"**Limits.** {_LIMITS[about.kind]} It was trained on these kinds of forgery; on others "
        "the ranking may hold where a fixed threshold fails. Its logit is not a calibrated "
        "probability, and it does not show where a picture was changed.",
    ]
    (folder / CARD).write_text("\n\n".join(text) + "\n", "utf-8")


def _samples(
    source: PairSource, chosen: Sequence[int], encoder: Encoder, *, seed: int
) -> list[CropSample]:
    rng = np.random.default_rng(seed)
    found: list[CropSample] = []
    for index in rng.permutation(chosen)[:MEASURED].tolist():
        drawn = source.draw(index, rng)
        if drawn is not None:
            found += crops(
                drawn, rng, group=source.group(index), size=encoder.image_size,
                margin=encoder.face_margin, augment=False,
            )  # fmt: skip
    return found


def _scores(detector: AnyDetector, samples: Sequence[CropSample], encoder: Encoder) -> np.ndarray:
    pictures = [sample.image for sample in samples]
    if isinstance(detector, PixelDetector):
        return detector.score_images(pictures)
    if isinstance(detector, IdentityDetector):
        looks = [sample.look for sample in samples]
        return detector.score(
            pictures,
            np.stack([it.identity for it in looks if isinstance(it, IdentityTrainingImage)]),
        )
    return detector.score(encoder.encode_images(pictures, mode=detector.preprocessing))
