"""Plots of a calibration run: reliability diagrams and distributions of log likelihood ratios."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evals.plots.curves import histograms, reliability
from evals.protocol.closer_look import FIRST
from evals.suites.calibration.figures import JudgedStage, LabelledLogits
from tools.verdict.rule import VerdictRule


def draw(
    forgery: Mapping[str, JudgedStage], identity: LabelledLogits, rule: VerdictRule, folder: Path,
    *, seed: int,
) -> None:  # fmt: skip
    """Plots of both axes: forgery at the stages that were asked, identity if persons are known."""
    asked = {
        "forgery" if name == FIRST else name.replace("_", " "): it
        for name, it in forgery.items()
        if it.band is not None
    }
    balanced = {name: it.judged.even(seed) for name, it in asked.items()}
    bands = " and ".join(
        f"{it.band.low:.2f} to {it.band.high:.2f}" for it in asked.values() if it.band
    )
    reliability(
        folder, "reliability-forgery",
        {name: (it.probabilities, it.truth) for name, it in balanced.items()},
        title="Probability of forgery",
        caption=f"Without a query, at even odds. Inconclusive from {bands}.",
    )  # fmt: skip
    histograms(
        folder, "forgery-log-odds",
        {name: (_log10(it.judged), it.judged.truth) for name, it in asked.items()},
        title="Log odds of forgery", x_label="log10 odds", threshold=0.0,
    )  # fmt: skip
    if not len(identity.truth):
        return
    kinds, same = ("different persons", "same person"), rule.identity_band
    even = identity.even(seed)
    reliability(
        folder, "reliability-identity", {"identity": (even.probabilities, even.truth)},
        title="Probability of the same person", kinds=kinds,
        caption=f"Pairs of authentic pictures. Inconclusive from {same.low:.2f} to "
        f"{same.high:.2f}.",
    )  # fmt: skip
    histograms(
        folder, "identity-log-lr", {"identity": (_log10(identity), identity.truth)},
        title="Log likelihood ratio of the same person", x_label="log10 LR", threshold=0.0,
        kinds=kinds,
    )  # fmt: skip


def _log10(judged: LabelledLogits) -> np.ndarray:
    return np.asarray(judged.logits / np.log(10))
