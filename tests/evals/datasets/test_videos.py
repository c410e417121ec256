"""Loaders of video data sets, on small folder trees with real names and lists."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from evals.datasets import Manifest, ManifestRow, load
from tools.errors import SetupError

pytestmark = pytest.mark.fast


def tree(root: Path, *names: str, **texts: str) -> Path:
    """Empty files, and tables with a text (dots of their names as double underscores)."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name, text in texts.items():
        (root / name.replace("__", ".")).write_text(text)
    return root


def by_path(manifest: Manifest) -> Mapping[str, ManifestRow]:
    """The rows by path."""
    assert len({row.path for row in manifest.rows}) == len(manifest.rows)
    return {row.path: row for row in manifest.rows}


# -- Celeb-DF --------------------------------------------------------------------------------

LISTED = "1 YouTube-real/00170.mp4\n1 Celeb-real/id1_0005.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
CELEB = (
    "Celeb-real/id0_0000.mp4", "Celeb-real/id1_0005.mp4", "YouTube-real/00170.mp4",
    "Celeb-synthesis/id0_id1_0000.mp4", "Celeb-synthesis/id1_id0_0007.mp4",
)  # fmt: skip


def celeb(root: Path, *names: str, listed: str = LISTED) -> Path:
    """A small Celeb-DF v2."""
    return tree(root, *names, List_of_testing_videos__txt=listed)


def test_celeb_df_depicts_the_second_id(tmp_path: Path) -> None:
    """Of id0_id1_0000 the body is id0's, the face id1's, the footage id0_0000."""
    manifest = load(celeb(tmp_path, *CELEB))
    assert manifest.name == "celeb_df"
    rows = by_path(manifest)
    fake = rows["Celeb-synthesis/id0_id1_0000.mp4"]
    assert (fake.label, fake.depicted_id, fake.body_id) == ("fake", "id1", "id0")
    assert (fake.source_video, fake.video_id, fake.frame) == ("id0_0000", "id0_id1_0000", None)
    assert (fake.method, fake.licence_tag) == ("Celeb-DF", "celeb-df-terms")
    real = rows["Celeb-real/id0_0000.mp4"]
    assert (real.label, real.depicted_id, real.body_id, real.method) == ("real", "id0", "id0", None)
    anonymous = rows["YouTube-real/00170.mp4"]
    assert (anonymous.label, anonymous.depicted_id, anonymous.body_id) == ("real", None, None)
    assert fake.source_video == real.video_id


def test_celeb_df_is_split_as_listed(tmp_path: Path) -> None:
    """Listed videos are for testing; 1 in that list is REAL; the rest is train."""
    rows = by_path(load(celeb(tmp_path, *CELEB)))
    tested = {path for path, row in rows.items() if row.split == "test"}
    assert tested == {line.split()[1] for line in LISTED.splitlines()}
    assert {row.split for row in rows.values()} == {"train", "test"}


@pytest.mark.parametrize("between", ["frames/", "frames", ""])
def test_celeb_df_may_be_frames(tmp_path: Path, between: str) -> None:
    """Folders of frames, with or without a folder between, give a row a frame."""
    names = [
        f"{place.split('/')[0]}/{between.rstrip('/')}/{Path(place).stem}/{frame}.png"
        for place in CELEB for frame in ("000", "012")
    ]  # fmt: skip
    rows = load(celeb(tmp_path, *names)).rows
    assert len(rows) == 2 * len(CELEB)
    assert {row.frame for row in rows} == {0, 12}
    assert {row.video_id for row in rows} == {Path(place).stem for place in CELEB}


def test_celeb_df_keeps_no_file_to_itself(tmp_path: Path) -> None:
    """Foreign files, broken names, duplicates, missing videos and originals are all noted."""
    odd = (
        "readme.txt", "Celeb-synthesis/id0_id1_12.mp4", "Celeb-real/videos/id0_0000.mp4",
        "Celeb-real/frames/id1_0005/000.png", "Celeb-real/frames/id1_0005/cover.png",
        "elsewhere/id0_0000.mp4",
    )  # fmt: skip
    listed = LISTED + "1 Celeb-real/id9_0000.mp4\n\n"
    notes = load(celeb(tmp_path, *CELEB, *odd, listed=listed)).notes
    assert notes == {
        "unexpected files": "2: elsewhere/id0_0000.mp4, readme.txt",
        "broken names": "2: Celeb-real/frames/id1_0005/cover.png, Celeb-synthesis/id0_id1_12.mp4",
        "duplicates": "1: Celeb-real/videos/id0_0000.mp4",
        "videos left for their frames": "1: Celeb-real/id1_0005.mp4",
        "listed for testing but missing": "1: id9_0000",
        "fakes without their original": "1: id1_0007",
    }


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        (LISTED.replace("0 C", "1 C"), "line 3: label '1'.*1 is REAL and 0 is FAKE"),
        ("0 Celeb-real/id0_0000.mp4", "line 1: label '0'.*use the list as it was published"),
        ("Celeb-real/id0_0000.mp4", "line 1: .* is not `1 Celeb-real"),
        ("1 Celeb/id0_0000.mp4", "line 1: .* is not"),
    ],
)
def test_celeb_df_checks_the_inverted_labels(tmp_path: Path, listed: str, says: str) -> None:
    """A list that contradicts the folders is refused with its line."""
    with pytest.raises(SetupError, match=says):
        load(celeb(tmp_path, *CELEB, listed=listed))


def test_celeb_df_needs_its_list(tmp_path: Path) -> None:
    """Without the list nobody knows what is for testing."""
    with pytest.raises(SetupError, match=r"List_of_testing_videos\.txt"):
        load(tree(tmp_path, *CELEB))


# -- FaceForensics++ and DFD -----------------------------------------------------------------

PAIRS = {"train": [["000", "003"]], "val": [["010", "011"]], "test": [["020", "021"]]}
FORENSICS = (
    "original_sequences/youtube/c23/videos/000.mp4",
    "original_sequences/youtube/raw/videos/020.mp4",
    "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
    "manipulated_sequences/Deepfakes/c40/videos/000_003.mp4",
    "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
    "manipulated_sequences/FaceShifter/raw/videos/010_011.mp4",
    "manipulated_sequences/FaceSwap/c23/images/021_020/0007.png",
    "manipulated_sequences/FaceSwap/c23/masks/021_020/0007.png",
    "manipulated_sequences/Face2Face/c23/videos/003_000.mp4",
    "manipulated_sequences/NeuralTextures/c0/videos/011_010.mp4",
)
ACTORS = (
    "original_sequences/actors/c23/videos/01__walking_outside.mp4",
    "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walking_outside__YVGY8LOK.mp4",
    "manipulated_sequences/DeepFakeDetection/masks/videos/01_02__walking_outside__YVGY8LOK.mp4",
)


def lists(root: Path, pairs: Mapping[str, object] = PAIRS) -> Path:
    """Write the three lists of the splits."""
    root.mkdir(parents=True, exist_ok=True)
    for split, entries in pairs.items():
        (root / f"{split}.json").write_text(json.dumps(entries))
    return root


def test_faceforensics_swaps_depict_the_second(tmp_path: Path) -> None:
    """Swaps show BBB on AAA's footage; re-enactments show AAA; originals themselves."""
    lists(tree(tmp_path, *FORENSICS) / "splits")
    manifest = load(tmp_path)
    assert manifest.name == "faceforensics"
    assert {
        (row.method, row.depicted_id, row.body_id, row.split) for row in manifest.rows
    } == {
        (None, "000", "000", "train"), (None, "020", "020", "test"),
        ("Deepfakes", "003", "000", "train"), ("FaceShifter", "011", "010", "val"),
        ("FaceSwap", "020", "021", "test"),
        ("Face2Face", "003", "003", "train"), ("NeuralTextures", "011", "011", "val"),
    }  # fmt: skip
    assert "not persons" in manifest.notes["ids"]


def test_faceforensics_may_know_persons(tmp_path: Path) -> None:
    """An own list of who is in which video replaces the numbers, not the source videos."""
    lists(tree(tmp_path, *FORENSICS, persons__csv="video,person\n003,Ada\n020,Ada\n"))
    manifest = load(tmp_path)
    fake = by_path(manifest)["manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"]
    assert (fake.depicted_id, fake.body_id) == ("Ada", "000")
    assert fake.source_video == "youtube/c23/000"
    real = by_path(manifest)["original_sequences/youtube/raw/videos/020.mp4"]
    assert (real.depicted_id, real.body_id) == ("Ada", "Ada")
    assert "ids" not in manifest.notes


def test_faceforensics_keeps_compressions_apart(tmp_path: Path) -> None:
    """Every compression is a video of its own, made from the original at the same one."""
    lists(tree(tmp_path, *FORENSICS))
    rows = by_path(load(tmp_path))
    one, other = (
        rows[f"manipulated_sequences/Deepfakes/{it}/videos/000_003.mp4"] for it in ("c23", "c40")
    )
    assert (one.compression, other.compression) == ("c23", "c40")
    assert one.video_id != other.video_id
    assert one.source_video == rows["original_sequences/youtube/c23/videos/000.mp4"].video_id
    old = rows["manipulated_sequences/NeuralTextures/c0/videos/011_010.mp4"]
    assert old.compression == "raw"


def test_faceforensics_masks_are_columns(tmp_path: Path) -> None:
    """A mask belongs to its video at every compression, or to its frame, and is no row."""
    lists(tree(tmp_path, *FORENSICS))
    manifest = load(tmp_path)
    masks = {row.path.split("/", 1)[1]: row.mask for row in manifest.rows if row.mask}
    video = "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4"
    assert masks == {
        "Deepfakes/c23/videos/000_003.mp4": video,
        "Deepfakes/c40/videos/000_003.mp4": video,
        "FaceSwap/c23/images/021_020/0007.png":
            "manipulated_sequences/FaceSwap/c23/masks/021_020/0007.png",
    }  # fmt: skip
    assert len(manifest.rows) == len(FORENSICS) - 2


def test_faceforensics_tells_what_it_left(tmp_path: Path) -> None:
    """DFD's footage, foreign files, broken names, and pairs in no or in two splits are noted."""
    deepfakes = "manipulated_sequences/Deepfakes/c23/videos"
    odd = (f"{deepfakes}/12_003.mp4", f"{deepfakes}/900_901.mp4", f"{deepfakes}/000_010.mp4",
           "manipulated_sequences/Deepfakes/models/000.h5", "notes.txt")  # fmt: skip
    lists(tree(tmp_path, *FORENSICS, *ACTORS, *odd))
    notes = {**load(tmp_path).notes}
    del notes["ids"]
    assert notes == {
        "unexpected files": "2: manipulated_sequences/Deepfakes/models/000.h5, notes.txt",
        "broken names": f"1: {deepfakes}/12_003.mp4",
        "in no split": f"1: {deepfakes}/900_901.mp4",
        "across splits": f"1: {deepfakes}/000_010.mp4",
        "of DeepFakeDetection, which is not read here": f"1: {ACTORS[1]}",
        "of actors, which is not read here": f"1: {ACTORS[0]}",
    }


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ({"train": [], "val": []}, r"no test\.json"),
        ({**PAIRS, "val": [["000", "999"]]}, "'000' is in train already"),
        ({**PAIRS, "val": [["1", "2"]]}, "'1' is not a video"),
        ({**PAIRS, "val": [1, 2]}, "not a list of video pairs"),
    ],
)
def test_faceforensics_needs_its_lists(
    tmp_path: Path, pairs: Mapping[str, object], says: str
) -> None:
    """Lists that are missing, contradict each other or hold something else are refused."""
    lists(tree(tmp_path, *FORENSICS), pairs)
    with pytest.raises(SetupError, match=says):
        load(tmp_path)


def test_dfd_has_actors(tmp_path: Path) -> None:
    """Of AA_BB__scene__HASH the footage is AA's in that scene, the face BB's; no split."""
    manifest = load(tree(tmp_path, *ACTORS, "original_sequences/actors/c23/videos/x.mp4"))
    assert manifest.name == "dfd"
    rows = by_path(manifest)
    real, fake = rows[ACTORS[0]], rows[ACTORS[1]]
    assert (real.depicted_id, real.body_id, real.split) == ("01", "01", "")
    assert (fake.depicted_id, fake.body_id, fake.mask) == ("02", "01", ACTORS[2])
    assert fake.source_video == real.video_id
    assert manifest.notes == {"broken names": "1: original_sequences/actors/c23/videos/x.mp4"}


# -- DFDC ------------------------------------------------------------------------------------

METADATA = {
    "aaaa.mp4": {"label": "FAKE", "split": "train", "original": "bbbb.mp4"},
    "bbbb.mp4": {"label": "REAL", "split": "train"},
    "gone.mp4": {"label": "FAKE", "split": "train", "original": "bbbb.mp4"},
}


def test_dfdc_names_nobody(tmp_path: Path) -> None:
    """Labels and originals come from metadata.json, the test set's from labels.csv; no persons."""
    part = "train/dfdc_train_part_0"
    tree(tmp_path, f"{part}/aaaa.mp4", f"{part}/bbbb.mp4", f"{part}/cccc.mp4",
         "test/dddd.mp4", "test/videos/eeee.mp4", "test/notes.txt")  # fmt: skip
    (tmp_path / part / "metadata.json").write_text(json.dumps(METADATA))
    (tmp_path / "test/labels.csv").write_text("filename,label\ndddd.mp4,1\neeee.mp4,0\n")
    manifest = load(tmp_path)
    assert manifest.name == "dfdc"
    assert {
        (row.video_id, row.label, row.split, row.source_video) for row in manifest.rows
    } == {
        ("aaaa", "fake", "train", "bbbb"), ("bbbb", "real", "train", None),
        ("dddd", "fake", "test", None), ("eeee", "real", "test", None),
    }  # fmt: skip
    assert {row.depicted_id for row in manifest.rows} == {None}
    assert manifest.notes == {
        "unexpected files": "1: test/notes.txt",
        "in no table of labels": f"1: {part}/cccc.mp4",
        "listed but missing": f"1: {part}/gone",
    }


def test_dfdc_may_be_frames(tmp_path: Path) -> None:
    """Frames in a part's folder have the label of their video."""
    tree(tmp_path, "frames/aaaa/000.png", "frames/aaaa/010.png")
    (tmp_path / "metadata.json").write_text(json.dumps(METADATA))
    rows = load(tmp_path).rows
    assert [(row.video_id, row.frame, row.label) for row in rows] == [
        ("aaaa", 0, "fake"), ("aaaa", 10, "fake"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"aaaa.mp4": {"label": "FAK"}}', "'aaaa.mp4': label 'FAK' is not REAL or FAKE"),
        ("[1]", "not an object"),
        ("{", "is not JSON"),
    ],
)
def test_dfdc_refuses_broken_tables(tmp_path: Path, text: str, says: str) -> None:
    """A metadata.json that cannot be meant is refused with the entry."""
    tree(tmp_path, "aaaa.mp4", metadata__json=text)
    with pytest.raises(SetupError, match=says):
        load(tmp_path, "dfdc")


def test_dfdc_needs_a_table(tmp_path: Path) -> None:
    """Videos without any table have no labels; a wrong digit is refused with its line."""
    with pytest.raises(SetupError, match=r"metadata\.json"):
        load(tree(tmp_path, "aaaa.mp4"), "dfdc")
    (tmp_path / "labels.csv").write_text("filename,label\naaaa.mp4,2\n")
    with pytest.raises(SetupError, match="line 2: label '2'"):
        load(tmp_path)


TARGET_SWAPPED = {"target_id": 1795659, "swapped_id": 2059066}


def test_dfdcp_depicts_who_was_swapped_in(tmp_path: Path) -> None:
    """With ids in dataset.json the swapped-in person is depicted, and originals have actors."""
    fake, real = "method_A/1/1_B/2_1_B_001.mp4", "original_videos/2059066/2059066_A_001.mp4"
    table = {
        fake: {"label": "fake", "set": "test", **TARGET_SWAPPED},
        real: {"label": "real", "set": "train"},
        "method_B/x.mp4": {"label": "fake", "set": "train", **TARGET_SWAPPED},
    }
    tree(tmp_path, fake, real, "method_A/other.mp4", dataset__json=json.dumps(table))
    manifest = load(tmp_path)
    assert manifest.name == "dfdcp"
    rows = by_path(manifest)
    assert (rows[fake].depicted_id, rows[fake].body_id) == ("2059066", "1795659")
    assert (rows[fake].method, rows[fake].split) == ("method_A", "test")
    assert (rows[real].depicted_id, rows[real].label) == ("2059066", "real")
    assert manifest.notes == {
        "not in dataset.json": "1: method_A/other.mp4",
        "listed but missing": "1: method_B/x",
    }


def test_dfdcp_guesses_nobody(tmp_path: Path) -> None:
    """Without ids nobody is named; a label that is neither is refused."""
    name = "original_videos/5/5_A_001.mp4"
    tree(tmp_path, name, dataset__json=json.dumps({name: {"label": "real", "set": "train"}}))
    (row,) = load(tmp_path).rows
    assert (row.depicted_id, row.body_id) == (None, None)
    (tmp_path / "dataset.json").write_text(json.dumps({name: {"label": "?"}}))
    with pytest.raises(SetupError, match="is not real or fake"):
        load(tmp_path)
