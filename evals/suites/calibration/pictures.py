"""Plots of a calibration run: reliability diagrams and distributions of log likelihood ratios."""

from pathlib import Path

import numpy as np

from evals.plots.curves import histograms, reliability
from evals.suites.calibration.figures import LabelledLogits
from tools.verdict.rule import VerdictRule


def draw(
    forgery: LabelledLogits, identity: LabelledLogits, rule: VerdictRule, folder: Path, *, seed: int
) -> None:
    """Plots of both axes; identity only if persons are known."""
    band = rule.questions["alone"].band
    even = forgery.even(seed)
    reliability(
        folder, "reliability-forgery", {"forgery": (even.probabilities, even.truth)},
        title="Probability of forgery",
        caption=f"Without a query, at even odds. Inconclusive from {band.low:.2f} to "
        f"{band.high:.2f}.",
    )  # fmt: skip
    histograms(
        folder, "forgery-log-odds", {"forgery": (_log10(forgery), forgery.truth)},
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
