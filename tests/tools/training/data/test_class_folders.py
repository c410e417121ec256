"""A folder per class: whose its pictures are, what its classes mean, and how it is split."""

from pathlib import Path

import numpy as np
import pytest

from tests.tools.training.detectors.test_classifier_networks import noise, write
from tools.errors import SetupError
from tools.training.data.class_folders import (
    SPLIT_FRACTIONS,
    LabelledImage,
    group_of,
    label_meanings,
    read_class_folders,
    split_by_group,
)

pytestmark = pytest.mark.fast


def test_groups_never_straddle() -> None:
    """Whatever the sizes of groups and classes, none is in two parts, and shares are kept."""
    rng = np.random.default_rng(9)
    pictures = [
        LabelledImage(Path(f"{number}.png"), str(rng.choice(["a", "b", "c"])), group, str(number))
        for number in range(900)
        for group in [f"person{int(rng.pareto(0.7)) % 150}"]
    ]
    parts = split_by_group(pictures, seed=1)
    groups = [{it.group for it in kept} for kept in parts.values()]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert sum(map(len, parts.values())) == len(pictures)
    for part, share in SPLIT_FRACTIONS.items():
        assert len(parts[part]) / len(pictures) == pytest.approx(share, abs=0.04)
        assert {it.label for it in parts[part]} == {"a", "b", "c"}
    assert split_by_group(pictures, seed=1) == parts != split_by_group(pictures, seed=2)


def test_whose_a_picture_is(tmp_path: Path) -> None:
    """The name before two underscores, else the folder below the class, else the file's name."""
    names = ("ann__1.png", "x/bob__2.png", "cleo/3.png", "0004.png")
    groups = [group_of(tmp_path / name, tmp_path) for name in names]
    assert groups == ["ann", "bob", "cleo", "0004"]


def test_what_classes_mean() -> None:
    """A name without a word is a generator beside an authentic class; `real` says it of any."""
    assert label_meanings(["StyleGAN1", "authentic", "resynthesis"]) == {
        "StyleGAN1": "fake", "authentic": "real", "resynthesis": "fake",
    }  # fmt: skip
    assert label_meanings(["CelebA", "SDXL"], real=["CelebA"]) == {"CelebA": "real", "SDXL": "fake"}
    with pytest.raises(SetupError, match="--real CLASS"):
        label_meanings(["CelebA", "SDXL"])
    with pytest.raises(SetupError, match=r"names \['FFHQ'\]"):
        label_meanings(["CelebA", "SDXL"], real=["FFHQ"])


def test_one_class_is_refused(tmp_path: Path) -> None:
    """A folder with pictures of one class cannot be learnt from, and says what to do."""
    write(tmp_path / "real", noise(np.random.default_rng(0), (9, 9, 9)), "ann__1.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetupError, match=r"1 class \['real'\]: put at least two folders"):
        read_class_folders(tmp_path)
    with pytest.raises(SetupError, match="not a folder"):
        read_class_folders(tmp_path / "nowhere")


def test_too_few_persons_are_refused() -> None:
    """A class of two persons cannot be learnt, judged and tested apart."""
    few = [
        LabelledImage(Path(f"{label}/{group}.png"), label, group, label + group)
        for label in ("real", "fake")
        for group in ("ann", "bob")
    ]
    with pytest.raises(SetupError, match="too few persons or originals for the test part"):
        split_by_group(few, seed=0)


def test_copies_and_broken_files(tmp_path: Path) -> None:
    """A copy within a class is learnt once; across classes it is refused; no picture is named."""
    for number, label in enumerate(["real", "fake"]):
        write(tmp_path / label, noise(np.random.default_rng(number), (90, 90, 90)), "a__1.png")
        (tmp_path / label / "notes.txt").write_text(label)
    write(tmp_path / "real", noise(np.random.default_rng(2), (90, 90, 90)), "b__1.png")
    some = (tmp_path / "real" / "b__1.png").read_bytes()
    (tmp_path / "real" / "c__1.png").write_bytes(some)
    found = read_class_folders(tmp_path)
    assert (len(found.pictures), found.copies, len(found.skipped)) == (3, 1, 2)
    (tmp_path / "fake" / "d__1.png").write_bytes(some)
    with pytest.raises(SetupError, match="is the same file as"):
        read_class_folders(tmp_path)
