"""Harmless edits of training pairs."""

import numpy as np
import pytest

from tools.training.data import harmless_edits
from tools.training.data.harmless_edits import FILTERS, HELD_OUT, TAUGHT, edited_pair
from tools.training.data.pairs import EditedPairs, TrainingImage, TrainingPair

PICTURE = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)


def _always(monkeypatch: pytest.MonkeyPatch, *, alone: bool) -> None:
    monkeypatch.setattr(harmless_edits, "EDITED", 0.0 if alone else 1.0)
    monkeypatch.setattr(harmless_edits, "EDITED_ALONE", 1.0 if alone else 0.0)


@pytest.mark.parametrize("alone", [False, True])
def test_an_edit_meets_both_of_a_pair_or_the_authentic_one(
    alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the forged one alone, which would make a filter a sign of forgery."""
    _always(monkeypatch, alone=alone)
    for seed in range(12):
        authentic, forged = edited_pair(PICTURE, PICTURE, np.random.default_rng(seed))
        assert (authentic != PICTURE).any()
        assert (forged == (PICTURE if alone else authentic)).all()


def test_most_pairs_of_a_training_keep_an_unedited_forgery() -> None:
    """About a third have one edit of both; the stored pictures stay as they are."""
    before, rng = PICTURE.copy(), np.random.default_rng(1)
    drawn = [edited_pair(PICTURE, PICTURE, rng) for _ in range(120)]
    forged = np.mean([(it[1] != PICTURE).any() for it in drawn])
    authentic = np.mean([(it[0] != PICTURE).any() for it in drawn])
    assert forged < authentic
    assert forged == pytest.approx(harmless_edits.EDITED, abs=0.15)
    assert (before == PICTURE).all()


def test_edits_held_out_are_never_taught() -> None:
    """They stand in for filters that nobody thought of."""
    assert set(TAUGHT) | set(HELD_OUT) == set(FILTERS)
    assert not set(TAUGHT) & set(HELD_OUT)
    assert len(HELD_OUT) == 4


class _OnePair:
    """One pair, whose forgery has a darker square; another index cannot be made."""

    def __len__(self) -> int:
        return 2

    def group(self, index: int) -> str:
        """A person each."""
        return f"person {index}"

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """The pair."""
        points, mask = np.zeros((5, 2), np.float32), np.zeros((224, 224), np.uint8)
        mask[80:120, 80:120] = 255
        fake = np.where(mask[..., None] > 0, PICTURE // 2, PICTURE)
        real = TrainingImage(PICTURE, points, None, np.zeros_like(mask))
        return (
            None
            if index
            else TrainingPair(real, TrainingImage(fake, points, None, mask), "made", paired=True)
        )


def test_an_edited_pair_differs_only_in_its_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source's forgery, mask and family stay; what cannot be made stays out."""
    _always(monkeypatch, alone=False)
    monkeypatch.setattr(harmless_edits, "TAUGHT", ("grey",))
    source = EditedPairs(_OnePair())
    assert (len(source), source.group(1)) == (2, "person 1")
    assert source.draw(1, np.random.default_rng(0)) is None
    drawn = source.draw(0, np.random.default_rng(0))
    assert drawn is not None and drawn.family == "made" and drawn.fake.mask is not None
    assert np.ptp(drawn.real.pixels, axis=2).max() == 0
    apart = (drawn.real.pixels != drawn.fake.pixels).any(axis=2)
    assert apart.any() and not apart[drawn.fake.mask == 0].any()
