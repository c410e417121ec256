"""The synthetic data set for evaluation tests matches its description."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from evals.datasets import manifest_file
from evals.datasets.manifest import Manifest

if TYPE_CHECKING:
    from evals.protocol.measured import MeasuredDataset


def test_every_person_has_photos_of_two_clips_and_forgeries_of_three_kinds(
    made_dataset: Manifest,
) -> None:
    """Seven persons: six authentic pictures from two clips and two forgeries of each method."""
    for person in {row.depicted_id for row in made_dataset.rows}:
        rows = [row for row in made_dataset.rows if row.depicted_id == person]
        assert Counter(row.source_video for row in rows if row.label == "real") == {
            f"{person}_clip0": 3,
            f"{person}_clip1": 3,
        }
        assert Counter(row.method for row in rows if row.label == "fake") == {
            "face_swap": 2,
            "resynthesis": 2,
            "inpainting": 2,
        }
    assert len(made_dataset.rows) == 7 * 12


def test_its_manifest_reads_back(made_dataset: Manifest) -> None:
    """The CSV beside the pictures holds the same rows, and every file is there."""
    again = manifest_file.read(made_dataset.root / "manifest.csv")
    assert again.rows == made_dataset.rows
    assert all((again.root / row.path).is_file() for row in again.rows)


def test_swaps_look_like_the_person_they_depict(made_measured: "MeasuredDataset") -> None:
    """A face is found in every picture, and a swap is closer to its person than to its body."""
    assert made_measured.found.all()
    persons = np.array([row.depicted_id for row in made_measured.rows])
    bodies = np.array([row.body_id for row in made_measured.rows])
    real = ~made_measured.forged
    swaps = persons != bodies
    cosines = made_measured.embeddings[swaps] @ made_measured.embeddings[real].T
    to_person = cosines[persons[swaps, None] == persons[None, real]].mean()
    to_body = cosines[bodies[swaps, None] == persons[None, real]].mean()
    assert swaps.sum() == 14
    assert to_person > to_body + 0.2
