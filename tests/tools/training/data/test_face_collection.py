"""Which pictures a face collection accepts, refuses, and what it stores of them."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.made.teacher import teacher
from tools.errors import SetupError
from tools.training.data.bare_repository import BareRepository
from tools.training.data.face_collection import Collection, collect, inner, planned
from tools.training.data.face_sources import PUBLISHED, split_of

BY_NAME = {source.name: source for source in PUBLISHED}


def bare(folder: Path, files: Mapping[str, bytes]) -> BareRepository:
    """A bare repository with one commit of these files."""
    tree = folder.parent / "tree"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (
        ["init", "-q", str(tree)],
        ["-C", str(tree), "add", "-A"],
        ["-C", str(tree), *who, "commit", "-q", "-m", "pictures"],
        ["clone", "-q", "--bare", str(tree), str(folder)],
    ):
        subprocess.run(["git", *command], check=True)  # noqa: S607
    return BareRepository(folder)


def named(split: str, number: int = 0) -> str:
    """The so-many-th made-up name that falls into the split."""
    return [name for name in (f"video{n}" for n in range(200)) if split_of(name) == split][number]


def test_the_split_is_the_rule_of_the_data_folder() -> None:
    """Two tenths of the originals are sealed and one is for choosing, by their file's sha1."""
    for number in range(60):
        name = f"video{number}"
        tenth = int(hashlib.sha1(f"{name}.jpg".encode()).hexdigest(), 16) % 10  # noqa: S324
        assert split_of(name) == {0: "sealed", 1: "sealed", 2: "val"}.get(tenth, "train")


def test_a_bare_copy_is_read_without_being_checked_out(tmp_path: Path) -> None:
    """Files come back whole and in the order asked for, whatever their names and bytes."""
    files = {"a b/ü.jpg": b"one\n\x00two\n", "empty.jpg": b"", "z.csv": "größe\n".encode()}
    copy = bare(tmp_path / "repo", files)
    asked = ["z.csv", "empty.jpg", "a b/ü.jpg"]
    assert list(copy.blobs(asked)) == [files[it] for it in asked]
    assert copy.text("z.csv") == "größe\n"


def test_a_file_that_a_copy_lacks_is_none(tmp_path: Path) -> None:
    """A copy may list files that it does not hold; the others are read all the same."""
    copy = bare(tmp_path / "repo", {"a.jpg": b"first", "b.jpg": b"second", "c.jpg": b"third"})
    copy.files["b.jpg"] = "0" * 40
    assert list(copy.blobs(["a.jpg", "b.jpg", "c.jpg"])) == [b"first", None, b"third"]


def test_no_copy_is_one_clear_line(tmp_path: Path) -> None:
    """A folder that is no repository is the person's to mend."""
    with pytest.raises(SetupError, match="git cannot read"):
        BareRepository(tmp_path).files.keys()


def test_a_swapped_video_is_split_with_its_original(tmp_path: Path) -> None:
    """A fake of a sealed original is sealed, whatever its own name; so is one for choosing."""
    train, sealed, val = named("train"), named("sealed"), named("val")
    made = {f"fake{n}": it for n, it in enumerate((train, sealed, val))}
    table = ["videoname,original_width,original_height,label,original"]
    table += [f"{it}.mp4,224,224,REAL," for it in made.values()]
    table += [f"{fake}.mp4,224,224,FAKE,{it}.mp4" for fake, it in made.items()]
    table.append("lost.mp4,224,224,REAL,")
    names = [*made, *made.values()]
    files = {f"faces_224/{it}.jpg": it.encode() for it in names}
    copy = bare(tmp_path / "repo", {"metadata.csv": "\n".join(table).encode(), **files})
    splits = {it.path: it.split for it in BY_NAME["dfdc"].choose(copy, frozenset())}
    expected = {f"faces_224/{fake}.jpg": split_of(it) for fake, it in made.items()}
    expected |= {f"faces_224/{it}.jpg": split_of(it) for it in made.values()}
    assert splits == expected


@pytest.mark.parametrize(
    ("source", "reserved", "kept"),
    [
        (
            "stylegan_256",
            {"dataset/real/00007.jpg"},
            {"dataset/real/00008.jpg", "dataset/ai/7.jpg"},
        ),
        (
            "celebahq_gan",
            {"Fake_Dataset/Train/Real_Faces/000007.jpg", "Fake_Dataset/Test/Real_Faces/File_1.jpg"},
            {"Fake_Dataset/Test/Real_Faces/000008.jpg", "Fake_Dataset/Test/Fake_Faces/000007.jpg"},
        ),
        (
            "stylegan2_300",
            {"images/real/real_1.jpg"},
            {"images/fake/fake_1.jpg", "test/fake_9.jpg"},
        ),
    ],
)
def test_reserved_photographs_are_left_out(
    tmp_path: Path, source: str, reserved: set[str], kept: set[str]
) -> None:
    """Photographs that the sealed set shares never enter; synthesised ones of a like name do."""
    copy = bare(tmp_path / "repo", {path: b"x" + path.encode() for path in reserved | kept})
    numbers = frozenset({"ffhq_00007", "celebahq_000007"})
    assert {it.path for it in BY_NAME[source].choose(copy, numbers)} == kept


@pytest.fixture
def places(tmp_path: Path, astronaut: np.ndarray) -> tuple[Path, Path]:
    """A data folder with one labelled person, and copies with one repository of three pictures."""
    data, copies = tmp_path / "data", tmp_path / "copies"
    small = cv2.resize(astronaut[:300, 100:400], (218, 218), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small[..., ::-1])[1].tobytes()
    (data / "lfw" / "images" / "Ada").mkdir(parents=True)
    (data / "lfw" / "images" / "Ada" / "0.jpg").write_bytes(coded)
    np.savez(
        data / "lfw" / "labels.npz", path=np.array(["Ada/0.jpg"]), split=np.array(["val"]),
        landmarks68=np.random.default_rng(0).uniform(60, 160, (1, 68, 2)).astype(np.float16),
    )  # fmt: skip
    (data / "synthesis").mkdir()
    (data / "synthesis" / "manifest.csv").write_text("path,base_id\n")
    (data / "synthesis" / "reserved.txt").write_text("ffhq_00007\n")
    copy = copies / "Mohanish-5744+Major_Ensemble_Gender" / "repo"
    copy.parent.mkdir(parents=True)
    empty = cv2.imencode(".jpg", np.full((218, 218, 3), 90, np.uint8))[1].tobytes()
    train = [named("train", number) for number in range(3)]
    content = {train[0]: coded, train[1]: empty, train[2]: b"no picture", named("sealed"): coded}
    bare(copy, {f"crop_part1/{name}.jpg": blob for name, blob in content.items()})
    return data, copies


def test_faces_are_cut_once_with_the_teachers_label(
    places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found faces stand upright in their crop; what has no face, or is sealed, is not there."""
    folder = tmp_path / "faces"
    folder.mkdir()
    guide, chunks = teacher(tmp_path), planned(*places)
    assert [chunk.split for chunk in chunks] == ["train", "val"]
    assert "dfdc is left out" in capsys.readouterr().out
    collect(chunks, folder, teacher=guide, minutes=5)
    faces = Collection(folder)
    assert faces.refresh() == 1
    assert Collection(folder, split="val").refresh() == 1
    crop, landmarks, label = faces.face(0)
    assert crop.shape == (144, 144, 3)
    np.testing.assert_allclose(label, guide.embed(inner(crop[None]))[0], atol=2e-3)
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    np.testing.assert_allclose(eyes, [[16 + 38.3, 16 + 51.6], [16 + 73.5, 16 + 51.5]], atol=6)
    told = json.loads((folder / "utkface-train-0000.json").read_text())
    assert told["paths"] == [f"crop_part1/{named('train')}.jpg"]


def test_a_collection_is_gone_on_with(places: tuple[Path, Path], tmp_path: Path) -> None:
    """What is there stays as it is; what a killed run left half done is made again."""
    folder = tmp_path / "faces"
    folder.mkdir()
    guide, chunks = teacher(tmp_path), planned(*places)
    collect(chunks, folder, teacher=guide, minutes=5)
    whole, half = folder / "utkface-train-0000", folder / "lfw-val-0000"
    before = whole.with_suffix(".crops.npy").stat().st_mtime_ns
    half.with_suffix(".json").unlink()
    half.with_suffix(".crops.npy").write_bytes(b"torn")
    assert Collection(folder, split="val").refresh() == 0
    collect(chunks, folder, teacher=guide, minutes=5)
    assert whole.with_suffix(".crops.npy").stat().st_mtime_ns == before
    mended = Collection(folder, split="val")
    assert mended.refresh() == 1
    assert mended.face(0)[0].shape == (144, 144, 3)


def test_the_teachers_label_is_the_same_for_the_mirror_image(tmp_path: Path) -> None:
    """Faces may be mirrored in training, so a face and its mirror image share one label."""
    guide = teacher(tmp_path)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    labels = guide.embed(crops)
    np.testing.assert_allclose(np.linalg.norm(labels, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(guide.embed(crops[:, :, ::-1]), labels, atol=1e-5)
    assert np.abs(labels[0] - labels[1]).max() > 1e-3
