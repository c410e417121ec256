"""Folders of generated fakes of known persons, with and without descriptions."""

import json
from pathlib import Path

import pytest

from evals.datasets import ManifestRow, load
from tests.evals.datasets.test_videos import by_path, tree
from tools.errors import SetupError

pytestmark = pytest.mark.fast


def said(row: ManifestRow) -> tuple[object, ...]:
    """What a loader says of an attack."""
    return row.label, row.method, row.depicted_id, row.body_id, row.licence_tag


def described(folder: Path, name: str = "attack.json", **entries: object) -> None:
    """Put a description into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(entries))


def test_a_folder_a_method_and_a_person(tmp_path: Path) -> None:
    """fake/METHOD/PERSON/ gives method and depicted person; real/PERSON/ the person alone."""
    tree(tmp_path, "real/ada/1.jpg", "real/2.jpg", "fake/Arc2Face/ada/1.png",
         "fake/DynamicFace/bob/clip.mp4", "fake/Arc2Face/3.png")  # fmt: skip
    manifest = load(tmp_path)
    rows = by_path(manifest)
    assert said(rows["real/ada/1.jpg"]) == ("real", None, "ada", "ada", None)
    assert said(rows["real/2.jpg"]) == ("real", None, None, None, None)
    assert said(rows["fake/Arc2Face/ada/1.png"]) == ("fake", "Arc2Face", "ada", None, None)
    assert said(rows["fake/DynamicFace/bob/clip.mp4"])[1:3] == ("DynamicFace", "bob")
    assert rows["fake/DynamicFace/bob/clip.mp4"].video_id == "fake/DynamicFace/bob/clip"
    assert manifest.notes["depicting nobody known"] == "1: fake/Arc2Face/3.png"
    assert manifest.notes["methods"] == "Arc2Face (2), DynamicFace (1)"


def test_methods_lie_beside_real_where_they_share_persons(tmp_path: Path) -> None:
    """METHOD/PERSON is read so when real/ knows the person; splits may lie anywhere above."""
    tree(tmp_path, "real/train/ada/1.jpg", "real/ada/2.jpg", "Arc2Face/val/ada/1.png")
    rows = by_path(load(tmp_path))
    assert said(rows["Arc2Face/val/ada/1.png"])[:3] == ("fake", "Arc2Face", "ada")
    assert (rows["Arc2Face/val/ada/1.png"].split, rows["real/train/ada/1.jpg"].split) == (
        "val", "train",
    )  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ("real/a.jpg", "fake/StyleGAN2/b.jpg"),
        ("real/a.jpg", "fake/StyleGAN2/0001/b.jpg"),
        ("real/a.jpg", "fake/val/StyleGAN2/b.jpg"),
        ("FFHQ/a.jpg", "progan/0_real/b.jpg", "progan/1_fake/c.jpg"),
        ("real/cats/a.jpg", "BigGAN/dogs/b.jpg"),
    ],
)
def test_folders_of_classes_stay_what_they_are(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Where no folder can be a person nobody is depicted: the layout of classes reads it."""
    manifest = load(tree(tmp_path, *names))
    assert {row.depicted_id for row in manifest.rows} == {None}
    assert "classes" in manifest.notes


def test_descriptions_outrank_folders_and_the_nearer_the_farther(tmp_path: Path) -> None:
    """A method's attack.json holds for all below it, a sidecar for its picture alone."""
    tree(tmp_path, "Arc2Face/x/1.png", "Arc2Face/x/2.png", "Arc2Face/x/3.png", "real/1.jpg")
    described(tmp_path / "Arc2Face", generator="Arc2Face", version=1.0, licence="MIT", seed=7)
    described(tmp_path / "Arc2Face/x", depicted="ada", body="eva")
    described(tmp_path / "Arc2Face/x", "2.json", depicted="bob", generator="Other", version="2")
    manifest = load(tmp_path)
    rows = by_path(manifest)
    assert said(rows["Arc2Face/x/1.png"]) == ("fake", "Arc2Face 1.0", "ada", "eva", "MIT")
    assert said(rows["Arc2Face/x/2.png"]) == ("fake", "Other 2", "bob", "eva", "MIT")
    assert said(rows["real/1.jpg"]) == ("real", None, None, None, None)
    assert manifest.notes == {"methods": "Arc2Face 1.0 (2), Other 2 (1)"}


def test_the_folder_of_one_method_can_be_given(tmp_path: Path) -> None:
    """With a generator described in the root itself, folders are persons."""
    tree(tmp_path, "ada/1.png", "2.png", "notes.txt")
    described(tmp_path, generator="DynamicFace", depicted="somebody")
    rows = by_path(load(tmp_path))
    assert said(rows["2.png"])[:3] == ("fake", "DynamicFace", "somebody")
    described(tmp_path, generator="DynamicFace")
    manifest = load(tmp_path)
    assert said(by_path(manifest)["ada/1.png"])[:3] == ("fake", "DynamicFace", "ada")
    assert manifest.notes["unexpected files"] == "1: notes.txt"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "not a JSON object"),
        ('{"depicted": ["a"]}', "must be a text"),
    ],
)
def test_descriptions_that_say_nothing_clear_are_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    """A broken description must not pass for an attack that depicts nobody."""
    tree(tmp_path, "fake/Arc2Face/ada/1.png", attack__json=text)
    with pytest.raises(SetupError, match=rf"attack\.json.*{says}"):
        load(tmp_path)


def test_attacks_are_needed(tmp_path: Path) -> None:
    """Authentic photographs alone, or an attack in no method's folder, end in a line."""
    tree(tmp_path, "real/ada/1.jpg", attack__json='{"licence": "MIT"}')
    with pytest.raises(SetupError, match="no attacks"):
        load(tmp_path)
    with pytest.raises(SetupError, match="not in a method's folder"):
        load(tree(tmp_path, "1.png"))
