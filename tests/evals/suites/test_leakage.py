"""Leakage: what a linear probe reads from features: everything, nothing, or a known amount."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from evals.datasets.manifest import Manifest, ManifestRow
from evals.protocol.probes import N_FOLDS, assign_folds, cross_val_predict_proba
from evals.suites.leakage.features import features_of, project_out
from evals.suites.leakage.suite import known_persons, measure_leakage, sample_persons, sources_of

if TYPE_CHECKING:
    from evals.protocol.measured import MeasuredDataset

PERSONS, SOURCES, SHOTS = 8, 3, 6  # 18 pictures a person


def _people() -> tuple[list[str], list[str]]:
    """Persons and sources of 144 pictures."""
    persons = [f"p{person}" for person in range(PERSONS) for _ in range(SOURCES * SHOTS)]
    sources = [f"{person}-{place % SOURCES}" for place, person in enumerate(persons)]
    return persons, sources


def _codes(persons: Sequence[str], *, width: int = 16) -> np.ndarray:
    """A random direction (width,) for each person, repeated for each picture."""
    directions = np.random.default_rng(0).normal(size=(PERSONS, width))
    return directions[np.unique(persons, return_inverse=True)[1]]


def test_separable_persons_are_all_named() -> None:
    """Features that are the person's code name everybody: top-1 is 1."""
    persons, sources = _people()
    found = measure_leakage("codes", _codes(persons), persons, sources, seed=0)
    assert found.top1 == 1.0
    assert found.interval == (1.0, 1.0)


def test_noise_names_nobody() -> None:
    """Features without persons in them give chance, 1/8, within the interval and on average.

    144 pictures: one draw spreads by √(1/8 · 7/8 / 144) = 0.028, the mean of four by 0.014.
    """
    persons, sources = _people()
    found = [
        measure_leakage(
            "noise", np.random.default_rng(draw).normal(size=(144, 16)), persons, sources, seed=0
        )
        for draw in range(4)
    ]
    low, high = found[0].interval
    assert low <= 1 / PERSONS <= high
    assert np.mean([one.top1 for one in found]) == pytest.approx(1 / PERSONS, abs=3 * 0.014)


def test_more_noise_leaks_less() -> None:
    """Codes under noise lie between the two, and fall as the noise rises."""
    persons, sources = _people()
    noise = np.random.default_rng(2).normal(size=(len(persons), 16))
    little, much = (
        measure_leakage("", _codes(persons) + level * noise, persons, sources, seed=0).top1
        for level in (1.0, 4.0)
    )
    assert 1 / PERSONS < much < little <= 1.0


def test_what_is_of_the_source_alone_is_no_leak() -> None:
    """Features that tell sources apart but not persons give chance: sources are never split."""
    persons, sources = _people()
    codes = np.random.default_rng(3).normal(size=(PERSONS * SOURCES, 16))
    features = codes[np.unique(sources, return_inverse=True)[1]]
    found = measure_leakage("sources", features, persons, sources, seed=0)
    assert found.top1 < 0.3


def test_projecting_out_the_only_direction_of_persons_leaves_chance() -> None:
    """Persons written along one direction cannot be read once that direction is gone."""
    persons, sources = _people()
    number = np.unique(persons, return_inverse=True)[1]
    features = np.random.default_rng(4).normal(size=(len(persons), 5))
    direction = np.array([0.0, 3.0, 0.0, 4.0, 0.0])
    marked = features + 10.0 * number[:, None] * direction / 5
    left = project_out(marked, direction)
    assert measure_leakage("", marked, persons, sources, seed=0).top1 > 0.9
    assert measure_leakage("", left, persons, sources, seed=0).top1 < 0.3
    assert left @ direction == pytest.approx(0.0, abs=1e-9)


def test_folds_split_persons_but_no_source() -> None:
    """Each source is in one fold, and each person of three sources is in all three."""
    persons, sources = map(np.array, _people())
    folds = assign_folds(persons, sources, seed=0)
    for source in np.unique(sources):
        assert len(set(folds[sources == source])) == 1
    for person in np.unique(persons):
        assert set(folds[persons == person]) == set(range(N_FOLDS))


def test_a_fold_never_sees_a_class_that_has_one_source() -> None:
    """A class of one source cannot be predicted from another: its probability is 0 there."""
    classes = np.array(["a"] * 6 + ["b"] * 6 + ["c"] * 3)
    sources = np.array([*"aabbccddeeff", "g", "g", "g"])
    said = cross_val_predict_proba(np.eye(15), classes, sources=sources)
    assert said.classes.tolist() == ["a", "b", "c"]
    assert said.probabilities[12:, 2].tolist() == [0.0, 0.0, 0.0]
    assert said.probabilities.sum(axis=1) == pytest.approx(1.0)


def test_unmeasured_rows_are_refused() -> None:
    """NaN is a bug of the caller's: such rows are left out before."""
    with pytest.raises(ValueError, match="not measured"):
        cross_val_predict_proba(np.array([[np.nan], [1.0]]), ["a", "b"], sources=["1", "2"])


def _row(person: str, number: int, *, clip: str | None = None, label: str = "real") -> ManifestRow:
    path = f"{label}/{person}/{number}.jpg"
    return ManifestRow(path, "test", label, depicted_id=person, source_video=clip)  # type: ignore[arg-type]


def test_persons_with_few_pictures_or_one_source_are_left_out(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Four pictures from two sources at least; without known sources each picture is its own."""
    rows = [_row("few", number) for number in range(3)]
    rows += [_row("one clip", number, clip="c") for number in range(9)]
    rows += [_row("enough", number) for number in range(4)]
    rows += [_row("more", number, clip=f"m{number % 2}") for number in range(30)]
    kept = sample_persons(Manifest("test", tmp_path, tuple(rows)), None, seed=0).rows
    assert {row.depicted_id for row in kept} == {"enough", "more"}
    # Of 30 pictures 20 are drawn, ten of each clip.
    more = [row for row in kept if row.depicted_id == "more"]
    assert sorted(sources_of(more)) == ["m0"] * 10 + ["m1"] * 10


def test_a_limit_takes_fewer_persons_then_fewer_pictures(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """24 pictures of two labels: 12 each, three persons with the four that are needed."""
    rows = [
        _row(person, number, label=label)
        for label in ("real", "fake")
        for person in "abcdef"
        for number in range(8)
    ]
    kept = sample_persons(Manifest("test", tmp_path, tuple(rows)), 24, seed=0).rows
    assert len(kept) == 24
    assert len({(row.label, row.depicted_id) for row in kept}) == 6


def test_real_features_leak_as_the_references_say(made_measured: "MeasuredDataset") -> None:
    """On real pictures the face embedding names everybody; every kind has a row a picture."""
    rows = known_persons(made_measured, label="real", column="depicted_id")
    pictures = made_measured.take(rows)
    of = features_of(pictures)
    assert {len(features) for features in of.values()} == {42}
    assert {"encoder face", "grey pixels", "score face/unifd_linear", "all scores"} <= of.keys()
    persons = [str(row.depicted_id) for row in pictures.rows]
    found = measure_leakage("", of["face embedding"], persons, sources_of(pictures.rows), seed=0)
    assert found.top1 > 0.9
