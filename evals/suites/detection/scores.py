"""Scores of every system on every picture, and their conversion to probabilities.

A system is a column of scores (n,) float64, higher is more forged, NaN if not measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.datasets import Manifest, ManifestRow
from evals.protocol.measured import MeasuredDataset, load_models
from evals.runs.peers import align_scores, read_scores
from evals.suites.detector_table.detector_list import EvaluatedDetector
from prompts.captions import FAKE_PROMPTS, REAL_PROMPTS
from tools.detectors import InputKind, ZeroShot
from tools.errors import SetupError

FUSED = "fused"
FRAMES_PER_VIDEO = 32
"""Maximum frames per video score, as is usual in the literature."""

GROUPINGS: Mapping[str, Callable[[ManifestRow], str | None]] = {
    "by_method": lambda row: row.method,
    "by_compression": lambda row: row.compression,
    "by_dataset": lambda row: row.dataset,
}

Scores = NDArray[np.float64]
Systems = Mapping[str, Scores]
Reading = Callable[[Scores], Scores]
"""Scores (n,) to probabilities of forgery (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScores:
    """Rows to evaluate: `labels` (n,) True is forged, `groups` (n,) str, `systems` (n,) each.

    `to_probability` converts a system's scores; systems without one only rank.
    """

    labels: np.ndarray
    groups: np.ndarray
    systems: Systems
    to_probability: Mapping[str, Reading]

    def probabilities(self, name: str) -> Scores:
        """(n,) of one system; NaN if not measured, and everywhere if it only ranks."""
        scores, reading = self.systems[name], self.to_probability.get(name)
        return np.full(len(scores), np.nan) if reading is None else reading(scores)

    def take(self, indices: np.ndarray) -> "LabelledScores":
        """A subset of the rows."""
        systems = {name: scores[indices] for name, scores in self.systems.items()}
        return LabelledScores(
            self.labels[indices], self.groups[indices], systems, self.to_probability
        )


def evaluation_rows(manifest: Manifest) -> Manifest:
    """The rows to evaluate: labelled, and not of a split named `train`.

    Shipped models may have been trained on a `train` split; the number of dropped rows is noted.
    Raises SetupError if nothing is left.
    """
    kept = manifest.where(lambda row: row.label != "unknown" and row.split != "train")
    left_out = f"{len(manifest.rows) - len(kept.rows)} unlabelled or of `train`"
    if not kept.rows:
        raise SetupError(f"nothing in {str(manifest.root)!r} can be judged: {left_out}")
    return kept.with_notes(left_out=left_out)


def indexed_scores(measured: MeasuredDataset) -> dict[str, Scores]:
    """Scores from indexing alone, by name: `<input>/<detector>`, `<input>/prompts`, `fused`.

    Prompts are zero-shot: the mean cosine to forged texts minus that to authentic texts. `fused` is
    the rule's probability of forgery without a query.
    """
    found = dict(measured.scores())
    for asked, features in (
        (_prompts("face"), measured.face_features),
        (_prompts("image"), measured.image_features),
    ):
        # No face was found at all: there are no features.
        missing = np.full(len(features), np.nan)
        found[f"{asked.inputs}/{asked.name}"] = asked.score(features) if features.size else missing
    found[FUSED] = measured.fused()
    return found


def _prompts(inputs: InputKind) -> ZeroShot:
    return ZeroShot.from_prompts(
        load_models().encoder, real=REAL_PROMPTS, fake=FAKE_PROMPTS, inputs=inputs
    )


def peer_scores(
    peers: Sequence[tuple[str, Path]], ids: Sequence[str]
) -> tuple[dict[str, Scores], dict[str, object]]:
    """Peers' scores for our samples as `peer/<name>`, and how well their files cover them."""
    aligned = {f"peer/{name}": align_scores(read_scores(file), ids) for name, file in peers}
    columns = {name: it.values for name, it in aligned.items()}
    return columns, {name: it.figures() for name, it in aligned.items()}


def score_converters(entrants: Sequence[EvaluatedDetector], peers: Systems) -> dict[str, Reading]:
    """Score converters: calibrations, identity for `fused`, and for peers depending on their
    range."""
    found = {it.name: it.calibration.probabilities for it in entrants if it.calibration is not None}
    return {FUSED: _as_it_is, **found, **{name: reading_of(it) for name, it in peers.items()}}


def reading_of(scores: Scores) -> Reading:
    """A peer's scores are probabilities if all are in [0, 1], otherwise log-odds."""
    known = scores[~np.isnan(scores)]
    is_probability = bool(len(known)) and known.min() >= 0 and known.max() <= 1
    return _as_it_is if is_probability else _of_log_odds


def _as_it_is(scores: Scores) -> Scores:
    return scores


def _of_log_odds(scores: Scores) -> Scores:
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -60, 60))))


def aggregate_videos(measured: MeasuredDataset, rows: LabelledScores) -> LabelledScores:
    """One row per video: the mean over its first 32 measured frames; empty without videos."""
    # A video without a name in its data set is named by its file.
    keys = [
        (row.dataset, row.video_id or ("" if time_s is None else row.path), row.label)
        for row, time_s in zip(measured.rows, measured.times_s, strict=True)
    ]
    places: dict[tuple[str, str, str], list[int]] = {}
    for index, key in enumerate(keys):
        if key[1]:
            places.setdefault(key, []).append(index)
    firsts = np.array([indices[0] for indices in places.values()], int)
    means = {
        name: np.array([_mean(scores[indices]) for indices in places.values()], float)
        for name, scores in rows.systems.items()
    }
    return replace(rows.take(firsts), systems=means)


def _mean(scores: Scores) -> float:
    known = scores[~np.isnan(scores)][:FRAMES_PER_VIDEO]
    return float(known.mean()) if len(known) else float("nan")


def rows_by_group(
    measured: MeasuredDataset, key: Callable[[ManifestRow], str | None]
) -> dict[str, np.ndarray]:
    """Rows by part: its fakes and the authentic pictures of that part, otherwise of its data
    sets."""
    names = np.array([key(row) or "" for row in measured.rows])
    datasets = np.array([row.dataset for row in measured.rows])
    forged = measured.forged
    found = {}
    for name in np.unique(names[forged & (names != "")]):
        fakes = forged & (names == name)
        own = ~forged & (names == name)
        others = ~forged & np.isin(datasets, datasets[fakes])
        found[str(name)] = np.flatnonzero(fakes | (own if own.any() else others))
    return found
