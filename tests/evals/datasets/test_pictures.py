"""Loaders of image data sets, tables and DeepfakeBench's lists, on small folder trees."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from evals.datasets import load
from tests.evals.datasets.test_videos import by_path, tree
from tools.errors import SetupError

pytestmark = pytest.mark.fast

# -- LFW -------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "images/"])
def test_lfw_is_its_folders(tmp_path: Path, below: str) -> None:
    """A folder a person, below the root or images/; everybody is authentic."""
    tree(tmp_path, f"{below}Ada_L/Ada_L_0001.jpg", f"{below}Bob/Bob_0001.jpg",
         f"{below}Bob/Ada_0002.jpg", f"{below}Bob/me.jpg", f"{below}Bob/list.txt")  # fmt: skip
    manifest = load(tmp_path)
    assert manifest.name == "lfw"
    assert {(row.path, row.label, row.depicted_id, row.body_id) for row in manifest.rows} == {
        (f"{below}Ada_L/Ada_L_0001.jpg", "real", "Ada_L", "Ada_L"),
        (f"{below}Bob/Bob_0001.jpg", "real", "Bob", "Bob"),
    }
    assert {row.split for row in manifest.rows} == {""}
    assert manifest.notes == {
        "broken names": f"2: {below}Bob/Ada_0002.jpg, {below}Bob/me.jpg",
        "unexpected files": f"1: {below}Bob/list.txt",
    }


def test_lfw_takes_splits_from_labels(tmp_path: Path) -> None:
    """labels.npz says who is for training; a picture that it does not list has no split."""
    tree(tmp_path, *(f"images/Bob/Bob_{number:04}.jpg" for number in (1, 2)), "pairs.txt")
    np.savez(tmp_path / "labels.npz", path=["Bob/Bob_0001.jpg"], split=["val"])
    manifest = load(tmp_path)
    assert [row.split for row in manifest.rows] == ["val", ""]
    assert manifest.notes == {
        "not in labels.npz": "1: images/Bob/Bob_0002.jpg",
        "unexpected files": "1: pairs.txt",
    }


def test_lfw_refuses_other_labels(tmp_path: Path) -> None:
    """A labels.npz without splits, or a folder without LFW's names, is refused."""
    tree(tmp_path, "Bob/Bob_0001.jpg")
    np.savez(tmp_path / "labels.npz", path=["x"])
    with pytest.raises(SetupError, match="columns path and split"):
        load(tmp_path)
    with pytest.raises(SetupError, match=r"no Name/Name_0001\.jpg"):
        load(tree(tmp_path / "other", "a.jpg"), "lfw")


# -- folders ---------------------------------------------------------------------------------

THESIS = ("CelebA", "StyleGAN1", "StyleGAN2", "ThisPersonDoesNotExist", "Stable Diffusion XL")


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    """CelebA is real by its name, generators are fake and methods, pictures depict nobody."""
    tree(tmp_path / "set", *(f"{name}/{number}.png" for name in THESIS for number in (1, 2)))
    manifest = load(tmp_path / "set")
    assert (manifest.name, len(manifest.rows)) == ("set", 10)
    assert {(row.method, row.label) for row in manifest.rows} == {
        (None, "real"), *((name, "fake") for name in THESIS[1:]),
    }  # fmt: skip
    assert {row.depicted_id for row in manifest.rows} == {None}
    assert "CelebA = real (2)" in manifest.notes["classes"]


@pytest.mark.parametrize(
    ("path", "label", "split", "method"),
    [
        ("real/a.jpg", "real", "", None),
        ("train/authentic_photos/a.jpg", "real", "train", None),
        ("fake/Validation/StyleGAN2/0001/a.jpg", "fake", "val", "StyleGAN2"),
        ("progan/1_fake/a.jpg", "fake", "", "progan"),
        ("progan/0_real/a.jpg", "real", "", None),
        ("fake_celeba/a.jpg", "fake", "", "fake_celeba"),
        ("Genuine/CelebA-HQ/a.jpg", "real", "", None),
        ("fake/a.jpg", "fake", "", None),
        ("Wonderful/a.mp4", "fake", "", "Wonderful"),
    ],
)
def test_folders_say_label_split_and_method(
    tmp_path: Path, path: str, label: str, split: str, method: str | None
) -> None:
    """Plain words outrank names of data sets; splits may lie above or below the class."""
    rows = by_path(load(tree(tmp_path, path, "FFHQ/other.jpg"), "folders"))
    row = rows[path]
    assert (row.label, row.split, row.method) == (label, split, method)
    assert row.video_id == ("Wonderful/a" if path.endswith("mp4") else None)


@pytest.mark.parametrize("name", ["celeba_stylegan2", "real_fake", "holiday"])
def test_doubtful_folders_are_refused(tmp_path: Path, name: str) -> None:
    """Words for both, or no word and nothing real beside it: the person has to say."""
    with pytest.raises(SetupError, match=rf"folder '{name}'.*fake_{name}.*classes\.csv"):
        load(tree(tmp_path, f"{name}/a.jpg"), "folders")


def test_a_table_of_classes_outranks_names(tmp_path: Path) -> None:
    """classes.csv decides, also for what lies below; strange files and labels are told."""
    text = "folder,label,method\nholiday,real,\ncelebs,fake,magic\nscans/,unknown,\n"
    tree(tmp_path, "holiday/2019/x/a.jpg", "celebs/b.jpg", "scans/c.jpg", "top.jpg", "celebs/d.md",
         classes__csv=text)  # fmt: skip
    manifest = load(tmp_path)
    assert {(row.path[-5], row.label, row.method) for row in manifest.rows} == {
        ("a", "real", None), ("b", "fake", "magic"), ("c", "unknown", None),
    }  # fmt: skip
    assert manifest.notes["in no class's folder"] == "1: top.jpg"
    assert manifest.notes["unexpected files"] == "1: celebs/d.md"
    (tmp_path / "classes.csv").write_text("folder,label\nholiday,REAL\n")
    with pytest.raises(SetupError, match="line 2: column 'label': 'REAL' is none of"):
        load(tmp_path)


# -- tables of swaps and pairs ---------------------------------------------------------------

SWAPS = """fake,authentic_source,authentic_target,method
f/ada_000.png,s/ada.jpg,t/clip_000.png,GHOST
f/ada_006.png,s/ada.jpg,t/clip_006.png,GHOST
f/triple0.png,s/one.png,t/two.png,SimSwap
"""
SWAPPED = ("f/ada_000.png", "f/ada_006.png", "f/triple0.png", "s/ada.jpg", "s/one.png",
           "t/clip_000.png", "t/clip_006.png", "t/two.png")  # fmt: skip


def test_swaps_depict_the_source(tmp_path: Path) -> None:
    """The fake depicts the source's person on the target's body; both are authentic rows."""
    manifest = load(tree(tmp_path, *SWAPPED, "odd.png", swaps__csv=SWAPS))
    rows = by_path(manifest)
    assert len(rows) == len(SWAPPED)
    fake = rows["f/ada_006.png"]
    assert (fake.label, fake.depicted_id, fake.body_id) == ("fake", "s/ada", "t/clip")
    assert (fake.video_id, fake.frame, fake.method) == ("f/ada", 6, "GHOST")
    target = rows["t/clip_006.png"]
    assert (target.label, target.depicted_id, target.video_id) == ("real", "t/clip", "t/clip")
    assert fake.source_video == target.video_id
    assert rows["f/triple0.png"].source_video == "t/two.png"
    assert manifest.notes == {"unexpected files": "1: odd.png"}


def test_swaps_may_name_persons(tmp_path: Path) -> None:
    """Columns depicted_id, body_id and split are believed; the table itself may be given."""
    text = "fake,authentic_source,authentic_target,method,depicted_id,body_id,split\n"
    text += "f/triple0.png,s/one.png,t/two.png,SimSwap,Ada,Bob,val\n"
    tree(tmp_path, *SWAPPED[2:], mine__csv=text)
    rows = by_path(load(tmp_path / "mine.csv"))
    assert (rows["f/triple0.png"].depicted_id, rows["f/triple0.png"].body_id) == ("Ada", "Bob")
    assert (rows["s/one.png"].depicted_id, rows["t/two.png"].depicted_id) == ("Ada", "Bob")
    assert {row.split for row in rows.values()} == {"val"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fake,authentic_source,method\n", "line 1: no column 'authentic_target'"),
        (
            SWAPS + "f/triple0.png,s/ada.jpg,t/two.png,X\n",
            "line 5: 'f/triple0.png' is listed twice",
        ),
        (SWAPS + "s/ada.jpg,s/one.png,t/two.png,X\n", "line 5: 's/ada.jpg' is listed twice"),
        (SWAPS + "f/x.png,,t/two.png,X\n", "line 5: column 'authentic_source': is empty"),
        (SWAPS + "f/x.png,a,b,c,d\n", "line 5: too many cells"),
        (SWAPS.replace("png", "gif").replace("jpg", "gif"), "no file listed"),
    ],
)
def test_swaps_refuse_contradictions(tmp_path: Path, text: str, says: str) -> None:
    """A table that lacks a column, or says two things of a file, is refused with its line."""
    with pytest.raises(SetupError, match=says):
        load(tree(tmp_path, *SWAPPED, swaps__csv=text))


def test_swaps_tell_what_is_missing(tmp_path: Path) -> None:
    """A swap whose source is gone stays: who is depicted is known all the same."""
    manifest = load(tree(tmp_path, *SWAPPED[:-1], swaps__csv=SWAPS))
    assert manifest.notes == {"missing files": "1: t/two.png"}
    assert by_path(manifest)["f/triple0.png"].body_id == "t/two"


PAIRS = "fake,real,split\na.jpg,b.jpg,train\nc.jpg,d.jpg,val\n"


def test_pairs_stay_together(tmp_path: Path) -> None:
    """A fake has its original as source and split; nobody is named."""
    names = ("fake/a.jpg", "fake/c.jpg", "real/b.jpg", "real/x.jpg")
    manifest = load(tree(tmp_path, *names, pairs__csv=PAIRS))
    assert {
        (row.path, row.label, row.split, row.source_video, row.depicted_id)
        for row in manifest.rows
    } == {
        ("fake/a.jpg", "fake", "train", "real/b.jpg", None),
        ("real/b.jpg", "real", "train", None, None),
        ("fake/c.jpg", "fake", "val", "real/d.jpg", None),
    }  # fmt: skip
    assert manifest.notes == {
        "missing files": "1: real/d.jpg",
        "unexpected files": "1: real/x.jpg",
    }


def test_pairs_refuse_contradictions(tmp_path: Path) -> None:
    """One original in two splits, or one fake twice, is refused."""
    tree(tmp_path, "fake/a.jpg", pairs__csv=PAIRS + "e.jpg,b.jpg,val\n")
    with pytest.raises(SetupError, match=r"line 4: .*'b\.jpg' is already listed"):
        load(tmp_path)
    (tmp_path / "pairs.csv").write_text(PAIRS + "a.jpg,b.jpg,train\n")
    with pytest.raises(SetupError, match=r"line 4: 'a\.jpg'"):
        load(tmp_path)


# -- DeepfakeBench ---------------------------------------------------------------------------


def video(label: str, folder: str, name: str, *frames: str) -> dict[str, object]:
    """An entry of a list, frames named as the machine that made it saw them."""
    return {name: {"label": label, "frames": [f"{folder}/frames/{name}/{it}" for it in frames]}}


def listed(root: Path, name: str, content: object) -> Path:
    """Write a list where DeepfakeBench keeps them."""
    folder = root / "preprocessing" / "dataset_json"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({name: content}))
    return root


def test_deepfakebench_celeb_df(tmp_path: Path) -> None:
    """Absolute paths of another machine are found; test wins over train; ids as in Celeb-DF."""
    away = "/home/me/rgb/Celeb-DF-v2/Celeb-"
    fake = video("CelebDFv2_fake", f"{away}synthesis", "id0_id1_0000", "000.png", "012.png")
    real = video("CelebDFv2_real", f"{away}real", "id0_0000", "000.png")
    content = {
        "CelebDFv2_real": {"train": real, "val": {}, "test": {}},
        "CelebDFv2_fake": {"train": fake, "val": fake, "test": fake},
    }
    listed(tmp_path, "Celeb-DF-v2", content)
    here = "Celeb-DF-v2/Celeb-synthesis/frames/id0_id1_0000"
    tree(tmp_path / "datasets/rgb", f"{here}/000.png",
         "Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png")  # fmt: skip
    manifest = load(tmp_path)
    rows = by_path(manifest)
    one = rows[f"{here}/000.png"]
    assert manifest.file_of(one).is_file()
    assert (one.dataset, one.label, one.split, one.frame) == ("Celeb-DF-v2", "fake", "test", 0)
    assert (one.depicted_id, one.body_id, one.method) == ("id1", "id0", "Celeb-DF")
    original = rows["Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png"]
    assert (original.label, original.split, original.depicted_id) == ("real", "train", "id0")
    assert one.source_video == original.video_id == "CelebDFv2_real/id0_0000"
    assert manifest.notes["missing files"] == f"1: {here}/012.png"
    # Both frames are met in train, val and test: twice in another split than kept so far.
    assert manifest.notes["in several splits"].startswith("4: ")


def forensics() -> Mapping[str, object]:
    """FaceForensics++'s list with a compression level, Windows paths, and a swap."""
    top = "FaceForensics++\\manipulated_sequences\\"
    return {
        "FF-real": {"train": {"c23": video("FF-real", "original_sequences/c23", "000", "1.png")}},
        "FF-F2F": {"train": {"c23": video("FF-F2F", f"{top}Face2Face/c23", "000_003", "1.png")}},
        "FF-DF": {"train": {"c40": video("FF-DF", f"{top}Deepfakes/c40", "000_003", "1.png")}},
    }


def test_deepfakebench_faceforensics(tmp_path: Path) -> None:
    """Compressions and methods are read; the list may be named itself."""
    listed(tmp_path, "FaceForensics++", forensics())
    top = "FaceForensics++/manipulated_sequences"
    tree(tmp_path, f"{top}/Face2Face/c23/frames/000_003/1.png",
         f"{top}/Deepfakes/c40/frames/000_003/1.png",
         f"{top}/Deepfakes/c23/masks/000_003/1.png")  # fmt: skip
    manifest = load(tmp_path / "preprocessing/dataset_json/FaceForensics++.json")
    assert {
        (row.method, row.compression, row.depicted_id, row.body_id) for row in manifest.rows
    } == {
        ("Face2Face", "c23", "000", "000"), ("Deepfakes", "c40", "003", "000"),
    }  # fmt: skip
    assert {row.source_video for row in manifest.rows} == {"FF-real/c23/000", "FF-real/c40/000"}
    masks = {row.method: row.mask for row in manifest.rows}
    assert masks == {"Face2Face": None, "Deepfakes": f"{top}/Deepfakes/c23/masks/000_003/1.png"}


def test_deepfakebench_lists_made_here_are_right(tmp_path: Path) -> None:
    """Absolute paths that exist are used as they are; the root is what they share."""
    away, frame = tmp_path / "far/rgb", "Celeb-DF-v2/Celeb-synthesis/frames/id0_id1_0000/000.png"
    tree(away, frame)
    fake = video("CelebDFv2_fake", f"{away}/Celeb-DF-v2/Celeb-synthesis", "id0_id1_0000", "000.png")
    near = listed(tmp_path / "a/b/c/d/e", "Celeb-DF-v2", {"CelebDFv2_fake": {"test": fake}})
    manifest = load(near)
    assert (manifest.root, manifest.rows[0].path) == (away, frame)
    assert manifest.rows[0].depicted_id == "id1"


def test_deepfakebench_other_sets_name_nobody(tmp_path: Path) -> None:
    """DFDC-P's methods are labels; rearrange.py's nameless entry is noted, not read."""
    content = {
        "DFDCP_FakeA": {"test": video("DFDCP_FakeA", "DFDCP/method_A", "9_8_B_001", "000.png")},
        "DFDCP_Real": {"val": {"label": "DFDCP_Real", "frames": ["x/y/000.png"]}},
    }
    listed(tmp_path, "DFDCP", content)
    (row,) = load(tree(tmp_path, "DFDCP/method_A/frames/9_8_B_001/000.png")).rows
    assert (row.method, row.label, row.depicted_id) == ("method_A", "fake", None)
    assert load(tmp_path).notes == {"broken entries": "1: DFDCP/DFDCP_Real/val"}


def test_deepfakebench_refuses_what_is_not_clear(tmp_path: Path) -> None:
    """Frames that are not here, a label that says nothing, several lists: a line each."""
    listed(tmp_path, "DFDCP", {"Maybe": {"test": video("Maybe", "DFDCP", "v", "000.png")}})
    with pytest.raises(SetupError, match="no frame listed"):
        load(tmp_path)
    tree(tmp_path, "DFDCP/frames/v/000.png")
    with pytest.raises(SetupError, match="'Maybe' says neither"):
        load(tmp_path)
    listed(tmp_path, "FaceForensics++", forensics())
    with pytest.raises(SetupError, match=r"several lists.*DFDCP\.json, FaceForensics\+\+\.json"):
        load(tmp_path)
