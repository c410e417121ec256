"""What the shipped rule was fitted on is left out, and only that."""

from pathlib import Path

import numpy as np
import pytest

from evals.datasets import load
from evals.datasets.manifest import Manifest
from evals.protocol.fitting_half import without_fitting_half
from tools.errors import SetupError
from tools.training.calibration.detector_pictures import dfdc_files, lfw_faces

pytestmark = pytest.mark.fast


def pairs(root: Path, *, split: str = "val") -> Manifest:
    """Ten pairs of DFDC; the files themselves are not read."""
    root.mkdir(parents=True)
    lines = [f"{number}f.jpg,{number}r.jpg,{split}" for number in range(10)]
    (root / "pairs.csv").write_text("\n".join(["fake,real,split", *lines]) + "\n")
    for number in range(10):
        for path in (f"fake/{number}f.jpg", f"real/{number}r.jpg"):
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(b"")
    return load(root)


def test_of_dfdc_the_half_to_report_on_is_kept(tmp_path: Path) -> None:
    """Five pairs of ten, each whole, and how many rows went is noted."""
    kept = without_fitting_half(pairs(tmp_path / "dfdc"))
    reported = {path for pair in dfdc_files(tmp_path, "report") for path in pair}
    assert {row.path for row in kept.rows} == reported
    assert len(reported) == 10
    assert kept.notes["fitted on"] == "10 rows left out"


def test_of_lfw_the_persons_to_report_on_are_kept(tmp_path: Path) -> None:
    """Half of the persons of `val`; those of `train` are another matter."""
    people = [f"Person_{letter}" for letter in "ABCDEFGH"]
    paths = [f"{name}/{name}_000{number}.jpg" for name in people for number in (1, 2)]
    for path in paths:
        file = tmp_path / "lfw" / "images" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    splits = ["train" if path[7] in "AB" else "val" for path in paths]
    np.savez(
        tmp_path / "lfw" / "labels.npz", path=np.array(paths), split=np.array(splits),
        landmarks68=np.zeros((len(paths), 68, 2)),
    )  # fmt: skip
    kept = without_fitting_half(load(tmp_path / "lfw"))
    of_val = {row.depicted_id for row in kept.rows if row.split == "val"}
    assert of_val == set(lfw_faces(tmp_path, "report").people)
    assert len(of_val) == 3
    assert sum(row.split == "train" for row in kept.rows) == 4


def test_other_data_is_whole(tmp_path: Path) -> None:
    """A table of pairs that is not DFDC's took no part in any fit."""
    manifest = pairs(tmp_path / "own")
    assert without_fitting_half(manifest) == manifest


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    """A table that holds the fitting half alone cannot be reported on."""
    manifest = pairs(tmp_path / "dfdc")
    fitted = {path for pair in dfdc_files(tmp_path, "fit") for path in pair}
    with pytest.raises(SetupError, match="fitted on everything"):
        without_fitting_half(manifest.where(lambda row: row.path in fitted))
