"""How much identity information do the detectors' features contain?

A detector that recognises persons may call a forgery by the person it shows (implicit identity
leakage, CADDM, CVPR 2023). Linear probes learn to identify persons from frozen features, on some
sources of each person, and are tested on the others; once on authentic pictures, once on forged
ones. Rows of a `train` split are left out: the embedder and the encoder may have been trained to
separate those persons. References: chance, small grey pixels (no network needed), the face
embedding (trained to identify persons), and another profile's encoder if its checkpoint is
installed.

Does not show: that a detector uses this information; nor what a nonlinear probe finds. Pictures of
one person often share an occasion or a photographer: if sources are unknown every picture counts as
its own source, and figures are too high for all rows alike.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.datasets import load
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.plots.bars import Bar, bars
from evals.protocol.measured import MeasuredDataset, measure_dataset
from evals.protocol.probes import cross_val_predict_proba
from evals.runs.samples import SampleWriter
from evals.suites.detection.scores import evaluation_rows
from evals.suites.leakage.features import features_of
from tools.errors import SetupError
from tools.metrics import grouped_interval, mean

FEWEST_IMAGES, MOST_IMAGES = 4, 20  # per person, from at least two sources
MOST_PERSONS = 40
SIDES = (("real", "depicted_id"), ("fake", "depicted_id"), ("fake", "body_id"))
_TITLES = {
    ("real", "depicted_id"): "real",
    ("fake", "depicted_id"): "fake",
    ("fake", "body_id"): "fake, person underneath",
}


@dataclass(frozen=True, slots=True, eq=False)
class IdentityLeakage:
    """How well persons are identified from one kind of features: correct or not, by picture."""

    name: str
    right: np.ndarray
    persons: np.ndarray

    @property
    def top1(self) -> float:
        """Share of pictures whose person is identified."""
        return mean(self.right)

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by a bootstrap over persons."""
        return grouped_interval(mean, self.persons, self.right)


def run(options: EvalOptions) -> dict[str, object]:
    """Identify persons from each kind of features; top-1 with intervals over persons."""
    known = evaluation_rows(load(options.data, options.layout))
    manifest = sample_persons(known, options.limit, seed=options.seed)
    if not manifest.rows:
        raise SetupError(
            f"no two persons with {FEWEST_IMAGES} pictures from two sources in "
            f"{str(options.data)!r}: leakage needs data with identities"
        )
    measured = measure_dataset(manifest, replace(options, limit=None))
    figures: dict[str, object] = {**known.notes, "skipped files": len(measured.skipped)}
    for side in SIDES:
        figures[_TITLES[side]] = _side(measured, side, options)
    return figures


def _side(
    measured: MeasuredDataset, side: tuple[str, str], options: EvalOptions
) -> dict[str, object]:
    """The figures of authentic or forged pictures."""
    label, column = side
    rows = known_persons(measured, label=label, column=column)
    if column == "body_id" and all(
        measured.rows[row].body_id == measured.rows[row].depicted_id for row in rows
    ):
        rows = []  # same persons as before: the same question again
    persons = [str(getattr(measured.rows[row], column)) for row in rows]
    if len(set(persons)) < 2:
        return {"persons": len(set(persons)), "images": len(persons)}
    pictures = measured.take(rows)
    leaks = []
    of = features_of(pictures)
    for number, (name, features) in enumerate(of.items()):
        options.progress(number, len(of), f"naming persons ({_TITLES[side]})")
        leaks.append(
            measure_leakage(name, features, persons, sources_of(pictures.rows), seed=options.seed)
        )
    _keep(pictures, leaks, side, options)
    return _figures(leaks, persons)


def measure_leakage(
    name: str, features: np.ndarray, persons: Sequence[str], sources: Sequence[str], *, seed: int
) -> IdentityLeakage:
    """Identify the person of each row of features (n, d) with linear probes."""
    said = cross_val_predict_proba(features, persons, sources=sources, seed=seed).predicted
    truth = np.asarray(persons)
    return IdentityLeakage(name, (said == truth).astype(float), truth)


def _figures(leaks: Sequence[IdentityLeakage], persons: Sequence[str]) -> dict[str, object]:
    counts = np.unique(persons, return_counts=True)[1]
    found: dict[str, object] = {
        "persons": len(counts),
        "images": len(persons),
        "fewest images": int(counts.min()),
        "chance": 1 / len(counts),
        "commonest person": float(counts.max() / counts.sum()),
    }
    for one in leaks:
        found[one.name] = {"top1": one.top1, "top1_95": one.interval}
    return found


def _keep(
    pictures: MeasuredDataset,
    leaks: Sequence[IdentityLeakage],
    side: tuple[str, str],
    options: EvalOptions,
) -> None:
    """Write samples, and bars of top-1."""
    samples, title = SampleWriter(options.output), _TITLES[side]
    for place, name in enumerate(pictures.ids):
        values: Mapping[str, float | None] = {it.name: float(it.right[place]) for it in leaks}
        samples.query(id=f"{title}/{name}", group=str(leaks[0].persons[place]), values=values)
    persons = len(np.unique(leaks[0].persons))
    bars(
        options.output,
        f"leakage_{title.replace(', ', '_').replace(' ', '_')}",
        [Bar(it.name, it.top1, *it.interval) for it in leaks],
        title=f"Who is it? ({title}: {persons} persons, {len(pictures)} pictures)",
        axis="share of pictures whose person a linear probe identifies",
        references={"chance": 1 / persons},
        caption="Higher means more identity information. 95 % intervals over "
        "persons. A high value does not prove that a detector uses it.",
    )


# -- which pictures ---------------------------------------------------------------------------


def sources_of(rows: Sequence[ManifestRow]) -> list[str]:
    """Source of each picture: its original clip or photo; the picture itself if unknown."""
    return [row.source_video or row.video_id or row.path for row in rows]


def sample_persons(manifest: Manifest, limit: int | None, *, seed: int) -> Manifest:
    """The pictures of the persons with the most pictures, forged and authentic alike."""
    sides = {row.label for row in manifest.rows if row.label != "unknown"}
    budget = (limit or 10**9) // max(1, len(sides))
    each = int(np.clip(budget // MOST_PERSONS, FEWEST_IMAGES, MOST_IMAGES))
    persons = max(2, min(MOST_PERSONS, budget // each))
    kept: set[ManifestRow] = set()
    for label in sides:
        of: dict[str, list[ManifestRow]] = defaultdict(list)
        for row in manifest.rows:
            if row.label == label and row.depicted_id is not None:
                of[row.depicted_id].append(row)
        enough = [name for name in sorted(of) if _enough(of[name])]
        most = sorted(enough, key=lambda name: -len(of[name]))[:persons]
        if len(most) >= 2:
            kept |= {row for name in most for row in _spread(of[name], each, seed=seed)}
    return manifest.where(kept.__contains__)


def _enough(rows: Sequence[ManifestRow]) -> bool:
    """Whether there are enough sources; each video gives several pictures, so two videos are
    enough."""
    whole = any(row.video_id is not None and row.frame is None for row in rows)
    return (whole or len(rows) >= FEWEST_IMAGES) and len(set(sources_of(rows))) >= 2


def _spread(rows: Sequence[ManifestRow], count: int, *, seed: int) -> list[ManifestRow]:
    """`count` random rows, from as many sources as possible."""
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = [rows[place] for place in order]
    seen: dict[str, int] = defaultdict(int)
    turns = []
    for source in sources_of(shuffled):
        turns.append(seen[source])
        seen[source] += 1
    first = np.argsort(turns, kind="stable")[:count]
    return [shuffled[place] for place in first]


def known_persons(measured: MeasuredDataset, *, label: str, column: str) -> list[int]:
    """Rows with a face whose person has enough pictures, from at least two sources."""
    of: dict[str, list[int]] = defaultdict(list)
    for place, (row, found) in enumerate(zip(measured.rows, measured.found, strict=True)):
        person = getattr(row, column)
        if found and row.label == label and person is not None:
            of[person].append(place)
    return sorted(
        place
        for places in of.values()
        if len(places) >= FEWEST_IMAGES
        and len(set(sources_of([measured.rows[place] for place in places]))) >= 2
        for place in places
    )
