"""The query: chosen faces, folders, videos, and photos of different persons."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from assistant import Unmask
from assistant.report.pictures.numbered_faces import parse_face_option, with_numbered_faces
from tests.support.cases import astronaut_pixels, group_pixels
from tests.support.clips import write_clip
from tools.errors import SetupError, ToolError
from tools.search.query import OtherPerson, Query, SeveralFaces, require_same_person
from tools.search.query_files import FaceNumbers, query_from_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada alone, Ada mirrored, a group of others, and a cup."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = astronaut_pixels()
    Image.fromarray(portrait).save(folder / "ada.png")
    Image.fromarray(portrait[:, ::-1]).save(folder / "mirrored.png")
    Image.fromarray(group_pixels()).save(folder / "group.png")
    Image.fromarray(np.asarray(skimage.data.coffee())).save(folder / "cup.png")
    return folder


@pytest.fixture
def ask(case: Unmask, folder: Path):  # type: ignore[no-untyped-def]
    """Build a query of files in the folder."""

    def asked(*names: str, face: FaceNumbers | None = None) -> Query:
        parts = case.models
        paths = [folder / name for name in names]
        return query_from_files(
            paths, faces=parts.faces, encoder=parts.encoder, face=face, rule=parts.rule
        )

    return asked


def test_a_face_is_chosen_by_the_photos_name_or_path(ask, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Name, path and a lone number choose the same face."""
    by_name = ask("group.png", face={"group.png": 2})
    by_path = ask("group.png", face={folder / "group.png": 2})
    alone = ask("group.png", face=2)
    assert np.allclose(by_name.template, alone.template)
    assert np.allclose(by_path.template, alone.template)
    assert not np.allclose(alone.template, ask("group.png", face={"group.png": 1}).template)


def test_a_number_without_a_photo_is_refused_for_several(ask) -> None:  # type: ignore[no-untyped-def]
    """A lone number is for the only photo with several faces; otherwise it must be named."""
    with pytest.raises(OtherPerson):
        ask("ada.png", "group.png", face=2)
    with pytest.raises(SetupError, match=r"no photo is called 'bob\.png'"):
        ask("ada.png", "group.png", face={"bob.png": 2})
    with pytest.raises(SeveralFaces, match=r"--face group\.png=N"):
        ask("ada.png", "group.png", face={"ada.png": 1})


def test_the_command_line_writes_the_numbered_faces(ask, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """One line names a picture, which is as large as the photo and private, and how to go on."""
    with pytest.raises(SeveralFaces) as several:
        ask("group.png")
    told = str(with_numbered_faces(several.value, tmp_path / "faces"))
    written = tmp_path / "faces" / "group-faces.jpg"
    assert "\n" not in told
    assert f"{len(several.value.boxes)} faces, see {written}; use --face group.png=N" in told
    assert written.stat().st_mode & 0o077 == 0
    drawn, plain = np.asarray(Image.open(written)), group_pixels()
    assert drawn.shape == plain.shape
    left, top, right, _ = (round(edge) for edge in several.value.boxes[0])
    changed = np.abs(drawn.astype(int) - plain.astype(int)).sum(axis=2) > 120
    assert changed[top - 2 : top + 3, left:right].mean() > 0.3
    unwritable = tmp_path / "faces" / "group-faces.jpg"  # a file where a folder is wanted
    assert with_numbered_faces(several.value, unwritable) is several.value


@pytest.mark.fast
def test_face_options_are_read() -> None:
    """A number alone, photos by name, names with an equals sign; anything else is refused."""
    assert parse_face_option([]) is None
    assert parse_face_option(["2"]) == 2
    assert parse_face_option(["ada.jpg=2", "a=b.png=11"]) == {"ada.jpg": 2, "a=b.png": 11}
    for said in (["0"], ["ada.jpg=0"], ["ada.jpg"], ["2", "3"], ["=2"], ["ada.jpg="], ["-1"]):
        with pytest.raises(SetupError, match="--face"):
            parse_face_option(said)


def test_photos_of_two_persons_are_named_and_not_mixed(ask) -> None:  # type: ignore[no-untyped-def]
    """Ada and somebody of the group are two persons: both photos are named, none is searched."""
    with pytest.raises(OtherPerson, match=r"not show the same person") as caught:
        ask("ada.png", "group.png", face={"group.png": 2})
    assert "'ada.png'" in str(caught.value)
    assert "'group.png'" in str(caught.value)
    with pytest.raises(OtherPerson, match=r"^'group\.png' does not .* 'ada\.png', 'mirrored\.png'"):
        ask("ada.png", "mirrored.png", "group.png", face={"group.png": 2})
    assert len(ask("ada.png", "mirrored.png").paths) == 2


def test_a_folder_of_photos_is_a_query(case: Unmask, folder: Path, tmp_path: Path) -> None:
    """Its portraits are used; what has no face, several or no picture is left out, and said."""
    for name in ("ada.png", "mirrored.png", "group.png", "cup.png"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "notes.txt").write_text("Ada, 1952")
    parts = case.models
    query = query_from_files([tmp_path], faces=parts.faces, encoder=parts.encoder, rule=parts.rule)
    assert [path.name for path in query.paths] == ["ada.png", "mirrored.png"]
    said = " ".join(query.warnings)
    assert "cup.png" in said
    assert "--face group.png=N" in said
    assert "1 of the files" in said
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ToolError, match="holds no picture"):
        query_from_files([empty], faces=parts.faces, encoder=parts.encoder)


def test_a_video_is_a_query(case: Unmask, tmp_path: Path) -> None:
    """The frames that show the person are the query, as like the portrait as the portrait is."""
    clip = write_clip(tmp_path / "ada.mp4", [astronaut_pixels()] * 12, rate=4)
    parts = case.models
    query = query_from_files([clip], faces=parts.faces, encoder=parts.encoder, rule=parts.rule)
    assert set(query.paths) == {clip}
    assert len(query.paths) > 1
    assert all(time is not None for time in query.times_s)
    still = query_from_files(
        [case.settings.home / "SECRET_NAME.png"], faces=parts.faces, encoder=parts.encoder
    )
    assert float(query.template @ still.template) > 0.8
    found = case.find([clip], top=2, rerank=False)
    assert found.hits[0].assessment.identity_probability > 0.9  # type: ignore[operator]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_a_face_in_a_later_frame_is_a_query(case: Unmask, tmp_path: Path, format: str) -> None:
    """A title card before the person hides nothing, whatever holds the frames or pages."""
    face = Image.fromarray(astronaut_pixels())
    black = Image.new("RGB", face.size)
    path = tmp_path / "ada"
    times = {} if format == "TIFF" else {"duration": 400}
    black.save(path, format, save_all=True, append_images=[face, face], **times)
    parts = case.models
    query = query_from_files([path], faces=parts.faces, encoder=parts.encoder, rule=parts.rule)
    assert set(query.times_s) <= {0.4, 0.8, 1.0, 2.0}
    assert query.warnings == ()
    still = query_from_files(
        [case.settings.home / "SECRET_NAME.png"], faces=parts.faces, encoder=parts.encoder
    )
    assert float(query.template @ still.template) > 0.8


def test_pages_that_a_query_leaves_out_are_told(case: Unmask, tmp_path: Path) -> None:
    """Of a long document some pages are searched; that the person is on another is possible."""
    page = Image.fromarray(astronaut_pixels())
    page.save(tmp_path / "ada.tif", save_all=True, append_images=[page] * 29)
    parts = case.models
    query = query_from_files([tmp_path / "ada.tif"], faces=parts.faces, encoder=parts.encoder)
    assert "'ada.tif' has 30 pages, of which 24 were searched" in query.warnings


def test_a_bare_number_is_for_the_only_photo_with_several_faces(ask, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Among several photos, or in a folder; of two such photos each must be named."""
    alone = folder / "of-one"
    alone.mkdir()
    shutil.copy(folder / "group.png", alone / "group.png")
    assert ask("of-one", face=2).paths == (alone / "group.png",)
    named = ask("group.png", face={"group.png": 2}).template
    assert np.allclose(ask("of-one", face=2).template, named)
    shutil.copy(folder / "group.png", alone / "again.png")
    with pytest.raises(SetupError, match=r"2 show several faces: name each, as in --face again"):
        ask("of-one", face=2)


def test_the_photos_of_others_are_named_in_their_order() -> None:
    """As a sentence: "Q2, Q9 and Q10", not by their letters."""

    def row(name: str, *embedding: float) -> Any:
        return SimpleNamespace(name=name, face=SimpleNamespace(embedding=np.array(embedding)))

    one = [row(f"Q{it}", 1.0, 0.0) for it in (1, 3, 4, 5)]
    other = [row(f"Q{it}", 0.0, 1.0) for it in (2, 9, 10)]
    with pytest.raises(OtherPerson, match=r"^Q2, Q9 and Q10 do not .* as Q1, Q3, Q4 …:"):
        require_same_person([*one, *other], rule=None)
