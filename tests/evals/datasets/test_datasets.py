"""Data set manifests: rows, files and sampling."""

from collections import Counter
from pathlib import Path

import pytest

from evals.datasets import LAYOUTS, Label, Manifest, ManifestRow, describe, load, manifest_file
from evals.datasets.listing import LoaderNotes
from tools.errors import SetupError

pytestmark = pytest.mark.fast

FULL = ManifestRow(
    path="a/b.png", dataset="set", label="fake", split="test", video_id="v", frame=0,
    depicted_id="ada", body_id="bob", method="swap", compression="c23", source_video="w",
    licence_tag="research", sha256="0" * 64, mask="masks/b.png",
)  # fmt: skip
BARE = ManifestRow(path="c, d\u00e9.mp4", dataset="set", label="unknown")


@pytest.mark.parametrize("name", ["m.csv", "deep/m.parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    """Every column, what is not known, commas, accents and notes survive both kinds of file."""
    manifest = Manifest("m", tmp_path, (FULL, BARE), {"identities": "agrees"})
    manifest_file.write(manifest, tmp_path / name)
    again = manifest_file.read(tmp_path / name, root=tmp_path)
    assert again == manifest
    assert again.digest == manifest.digest


def test_a_small_table_is_enough(tmp_path: Path) -> None:
    """Path and label suffice; the set is called after the file, the rest is not known."""
    (tmp_path / "mine.csv").write_text("\ufefflabel,path,mood\nreal, a.png ,good\n")
    manifest = manifest_file.read(tmp_path / "mine.csv")
    assert manifest.rows == (ManifestRow("a.png", "mine", "real"),)
    assert manifest.root == tmp_path
    assert manifest.notes == {"columns not read": "'mood'"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path\na.png\n", "line 1: no column 'label'"),
        ("path,label\na.png,REAL\n", "line 2: column 'label': 'REAL' is none of real, fake"),
        ("path,label\n\n,real\n", "line 3: column 'path': is empty"),
        ("path,label\n../a.png,real\n", "line 2: column 'path': '../a.png' is not relative"),
        ("path,label\n/a.png,real\n", "column 'path': '/a.png' is not relative"),
        ("path,label\n..\\a.png,real\n", "line 2: column 'path': '../a.png' is not relative"),
        ("path,label\nC:\\a.png,real\n", "column 'path': 'C:/a.png' is not relative"),
        ("path,label,frame\na.png,real,-1\n", "line 2: column 'frame': '-1' is not a frame number"),
        ("path,label\na.png,real\nb.png,real,x\n", "line 3: the cells do not match"),
        ("path,label\na.png,real\nb.png\n", "line 3: the cells do not match"),
        ("path,label\na.png,real\na.png,fake\n", "line 3: column 'path': 'a.png' is on line 2"),
        ('path,label\n"a.png,real\n', "line 2: unexpected end"),
    ],
)
def test_errors_name_file_line_and_column(tmp_path: Path, text: str, says: str) -> None:
    """A broken table is refused with the place where it is broken."""
    table = tmp_path / "broken.csv"
    table.write_text(text)
    with pytest.raises(SetupError, match=r"broken\.csv") as caught:
        manifest_file.read(table)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.parquet", "table.txt"])
def test_no_table_no_manifest(tmp_path: Path, name: str) -> None:
    """A missing file, or one of another kind, is the person's to put right."""
    with pytest.raises(SetupError, match="manifest"):
        manifest_file.read(tmp_path / name)


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_bytes_are_no_table(tmp_path: Path, name: str) -> None:
    """A picture that is called a table is refused in a line."""
    (tmp_path / name).write_bytes(b"\x89PNG\xff\xfe" * 9)
    with pytest.raises(SetupError, match=name):
        manifest_file.read(tmp_path / name)


def test_the_digest_is_of_the_rows() -> None:
    """Order, root and notes leave the digest alone; any cell changes it."""
    one = Manifest("m", Path("here"), (FULL, BARE))
    assert one.digest == Manifest("n", Path("there"), (BARE, FULL), {"a": "b"}).digest
    assert one.digest != Manifest("m", Path("here"), (FULL,)).digest


def many(label: Label, method: str | None, count: int) -> tuple[ManifestRow, ...]:
    """Rows of one class."""
    name = method or label
    return tuple(ManifestRow(f"{name}/{i}.png", "set", label, method=method) for i in range(count))


def test_a_limit_keeps_classes_balanced() -> None:
    """Real and fake get half each, methods equal shares; a class that runs out leaves its share."""
    rows = many("real", None, 50) + many("fake", "a", 50) + many("fake", "b", 1)
    some = Manifest("m", Path(), rows).sample(10, seed=3)
    # 5 real, 5 fake: b has one row only, so a gives four.
    assert Counter(row.method for row in some.rows) == {None: 5, "a": 4, "b": 1}
    few = Manifest("m", Path(), rows[:2] + rows[50:]).sample(10, seed=3)
    assert Counter(row.label for row in few.rows) == {"real": 2, "fake": 8}


def test_a_limit_is_reproducible() -> None:
    """The same seed draws the same rows from any order, and keeps the order it was given."""
    rows = many("real", None, 50) + many("fake", "a", 50)
    forth, back = Manifest("m", Path(), rows), Manifest("m", Path(), rows[::-1])
    assert {*forth.sample(9, seed=1).rows} == {*back.sample(9, seed=1).rows}
    assert {*forth.sample(9, seed=1).rows} != {*forth.sample(9, seed=2).rows}
    assert [*forth.sample(9).rows] == sorted(forth.sample(9).rows, key=rows.index)
    assert forth.sample(None) is forth.sample(100) is forth


def test_manifests_are_counted_for_reports() -> None:
    """Counts by label, method and so on, with what is not known as such."""
    manifest = Manifest("m", Path(), (FULL, BARE, ManifestRow("x.png", "set", "real")), {"n": "1"})
    told = describe(manifest)
    assert told["rows"] == 3
    assert told["label"] == {"fake": 1, "real": 1, "unknown": 1}
    assert told["method"] == {"swap": 1}
    assert told["compression"] == {"c23": 1, "not known": 2}
    assert (told["persons depicted"], told["bodies"], told["videos"]) == (1, 1, 1)
    assert told["notes"] == {"n": "1"}


def test_a_plain_manifest_loads_like_any_data_set(tmp_path: Path) -> None:
    """Rows whose files are gone are left out and noted; a table that fits no file is refused."""
    (tmp_path / "a.png").touch()
    (tmp_path / "m.csv").write_text("path,label\na.png,real\nb.png,fake\n")
    manifest = load(tmp_path / "m.csv")
    assert [row.path for row in manifest.rows] == ["a.png"]
    assert manifest.notes["missing files"] == "1: b.png"
    (tmp_path / "a.png").unlink()
    with pytest.raises(SetupError, match="no file listed"):
        load(tmp_path / "m.csv")


def test_unknown_layouts_are_refused(tmp_path: Path) -> None:
    """No such folder, no such layout, nothing recognised: each says what would help."""
    with pytest.raises(SetupError, match="--data"):
        load(tmp_path / "nowhere")
    with pytest.raises(SetupError, match="celeb_df"):
        load(tmp_path, "celebdf")
    with pytest.raises(SetupError, match=r"no known layout.*celeb_df.*folders"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "notes.json", "notes.csv"])
def test_a_single_file_is_no_data_set(tmp_path: Path, name: str) -> None:
    """Any file may be named by mistake; the answer is a line, not a traceback."""
    (tmp_path / name).write_text("nothing")
    with pytest.raises(SetupError):
        load(tmp_path / name)


def test_notes_name_the_first_files_of_many() -> None:
    """A note has the count and the first ten names."""
    found = LoaderNotes()
    found.add("unexpected files", *(f"{number:02}.txt" for number in range(12)))
    found.add("missing files")
    shown = ", ".join(f"{number:02}.txt" for number in range(10))
    assert found.notes() == {"unexpected files": f"12: {shown} and 2 more"}


def test_every_layout_tells_what_it_is() -> None:
    """The table's names are its layouts', each with a description and terms."""
    assert {*LAYOUTS} == {
        "manifest", "celeb_df", "faceforensics", "dfd", "dfdc", "dfdcp", "lfw", "deepfakebench",
        "folders", "swaps", "pairs", "attacks",
    }  # fmt: skip
    assert all(it.name == name and it.what and it.licence for name, it in LAYOUTS.items())
