"""Loading users' data: spreadsheet tables, any line ending, class folders anywhere."""

import csv
import io
import os
from pathlib import Path

import pytest

from evals.datasets import load, manifest_file
from evals.datasets.manifest import Manifest, ManifestRow
from evals.runs.peers import read_scores
from tests.evals.datasets.test_pictures import by_path, tree
from tools.errors import SetupError

pytestmark = pytest.mark.fast

SWAPS = [
    ["fake", "authentic_source", "authentic_target", "method"],
    ["made by/ada, one.png", "people/ada.jpg", "", "Arc2Face"],
    ["made by/bob.png", "people/bob.jpg", "bodies/carl.png", "GHOST"],
]
FILES = [path for row in SWAPS[1:] for path in row[:3] if path]


def written(rows: list[list[str]], *, separator: str, ends: str, quoting: int, spaces: str) -> str:
    """A table as some program writes it."""
    out = io.StringIO(newline="")
    table = csv.writer(out, delimiter=separator, lineterminator=ends, quoting=quoting)
    table.writerows(rows)
    text = out.getvalue()
    return text.replace(f'"{separator}"', f'"{separator}{spaces}"') if spaces else text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("quoting", "spaces"), [(csv.QUOTE_MINIMAL, ""), (csv.QUOTE_ALL, ""), (csv.QUOTE_ALL, " ")]
)
@pytest.mark.parametrize("windows", [False, True])
def test_a_swap_list_of_any_program(
    tmp_path: Path, encoding: str, separator: str, ends: str, quoting: int, spaces: str,
    windows: bool,
) -> None:  # fmt: skip
    """The same table, whoever wrote it; a person made as a whole has no target and no body."""
    rows = [[it.replace("/", "\\") for it in row] for row in SWAPS] if windows else SWAPS
    text = written(rows, separator=separator, ends=ends, quoting=quoting, spaces=spaces)
    tree(tmp_path, *FILES)
    (tmp_path / "swaps.csv").write_bytes(text.encode(encoding))
    found = by_path(load(tmp_path))
    assert sorted(found) == sorted(FILES)
    whole, swap = found["made by/ada, one.png"], found["made by/bob.png"]
    assert (whole.depicted_id, whole.body_id, whole.source_video) == ("people/ada", None, None)
    assert (swap.depicted_id, swap.body_id) == ("people/bob", "bodies/carl")
    assert by_path(load(tmp_path / "swaps.csv")) == found


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_manifests_pairs_and_scores_of_any_program(
    tmp_path: Path, encoding: str, separator: str, windows: bool
) -> None:
    """The other tables are read by the same code."""
    tree(tmp_path, "a b/one, two.png", "fake/x/1.png", "real/y/2.png")

    def table(name: str, *rows: list[str]) -> Path:
        told = [[it.replace("/", "\\") for it in row] for row in rows] if windows else [*rows]
        text = written(told, separator=separator, ends="\r\n", quoting=0, spaces="")
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    mine = table("mine.csv", ["path", "label"], ["a b/one, two.png", "real"])
    assert load(mine).rows == (ManifestRow("a b/one, two.png", "mine", "real"),)
    table("pairs.csv", ["fake", "real"], ["x/1.png", "y/2.png"])
    assert sorted(by_path(load(tmp_path, "pairs"))) == ["fake/x/1.png", "real/y/2.png"]
    scores = table("scores.csv", ["path", "score"], ["a b/one, two.png", "0.5"])
    assert read_scores(scores) == {"a b/one, two.png": 0.5}


NAMES = ("фото.png", "new\nline.png", "a, b;c.png", ' "q".png', "x\u2028y\x85.png", "tab\t.png")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_holds_any_name(tmp_path: Path, suffix: str) -> None:
    r"""Names that are no text, with line ends, blanks or backslashes, come back as they were."""
    names = [*NAMES, os.fsdecode(b"bad\xff.png"), "back\\slash.png", "like\\x41.png"]
    for name in names:
        (tmp_path / name).touch()
    manifest = Manifest("m", tmp_path, tuple(ManifestRow(name, "m", "real") for name in names))
    table = tmp_path / f"m{suffix}"
    manifest_file.write(manifest.with_notes(odd=names[-3]), table)
    if suffix == ".csv":
        assert table.read_bytes().decode("utf-8")
    assert [row.path for row in manifest_file.read(table).rows] == names
    assert len(load(table).rows) == len(names)


@pytest.mark.parametrize(
    "top",
    [
        "dataset/train", "Real and Fake", "real_vs_fake/real-vs-fake/test", "archive",
        "140k-real-and-fake-faces/real_vs_fake/real-vs-fake/valid", "my collection", "a/b/c",
        "train/images", "data/images/Real and Fake/Training",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("real", "fake"), [("real", "fake"), ("training_real", "Training_Fake")])
def test_class_folders_below_others(tmp_path: Path, top: str, real: str, fake: str) -> None:
    """Folders of classes are recognised below folders of splits, collections and both kinds."""
    manifest = load(tree(tmp_path, f"{top}/{real}/a.jpg", f"{top}/{fake}/sd21/b.jpg"))
    rows = by_path(manifest)
    assert {path: row.label for path, row in rows.items()} == {
        f"{top}/{real}/a.jpg": "real", f"{top}/{fake}/sd21/b.jpg": "fake",
    }  # fmt: skip
    assert rows[f"{top}/{fake}/sd21/b.jpg"].method == "sd21"


def test_two_collections_and_words_for_any_data(tmp_path: Path) -> None:
    """Several tops with classes below; "images" is neither a class nor a method."""
    rows = by_path(load(tree(
        tmp_path, "train/real/images/a.jpg", "train/fake/images/b.jpg", "test/real/c.jpg",
        "test/fake/0001/d.jpg",
    )))  # fmt: skip
    assert [row.label for _, row in sorted(rows.items())] == ["fake", "real", "fake", "real"]
    assert {row.method for row in rows.values()} == {None}
    assert rows["train/fake/images/b.jpg"].split == "train"


def test_both_kinds_in_one_folder_stay_in_doubt(tmp_path: Path) -> None:
    """Pictures right in "Real and Fake" have no label, and that is said."""
    tree(tmp_path, "Real and Fake/a.jpg", "real/b.jpg", "fake/c.jpg")
    with pytest.raises(SetupError, match="says neither"):
        load(tmp_path, "folders")
