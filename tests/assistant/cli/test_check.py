"""`unmask check` and `unmask compare` on real photos: output streams and exit statuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from assistant import Unmask
from assistant.profile import LoadedModels
from tests.assistant.cli.test_cli import Answer
from tests.support.cases import (
    altered_portrait,
    astronaut_pixels,
    group_pixels,
    impersonation,
    other_pixels,
)
from tools.forge.forgery import save_forgery


@pytest.fixture(scope="module")
def photos(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two portraits, a swap of the first onto the second, a group, and a text."""
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(astronaut_pixels()).save(folder / "ada.png")
    Image.fromarray(other_pixels()).save(folder / "tom.png")
    Image.fromarray(group_pixels()).save(folder / "group.png")
    (folder / "notes.jpg").write_text("no picture")
    save_forgery(impersonation(case, seed=0), folder / "swapped.jpg")
    return folder


@pytest.fixture(autouse=True)
def loaded(case: Unmask, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The case's models, so that they are not loaded for each command."""
    for part in ("faces", "encoder", "detectors", "pixel_detectors", "second_embedder", "rule"):
        monkeypatch.setattr(LoadedModels, part, getattr(case.models, part))
    yield
    assert not (home / "galleries").exists()


def test_a_forgery_ends_with_status_three(photos: Path) -> None:
    """A table on stdout, with the reason and the places, and one object with --json."""
    answer = Answer("check", photos / "swapped.jpg", "--of", photos / "ada.png")
    assert answer.status == 3
    assert "impersonation" in answer.stdout and "signs of forgery" in answer.stdout
    told = Answer("check", photos / "swapped.jpg", "--json")
    assert told.status == 3
    face = told.json["faces"][0]  # type: ignore[index]
    assert (face["verdict"], face["forged"]) == ("forged", "forged")


def test_nothing_found_ends_with_status_zero_and_says_what_it_is_not(photos: Path) -> None:
    """The reference itself is a copy; without it, the misses are shown; nothing is "genuine"."""
    answer = Answer("check", photos / "ada.png", "--of", photos / "ada.png")
    assert answer.status == 0
    assert "copy" in answer.stdout
    alone = Answer("check", photos / "ada.png")
    assert alone.status == 0
    assert ("also passed" in alone.stdout) == ("no forgery found" in alone.stdout)
    assert "genuine" not in answer.stdout + alone.stdout


def test_what_failed_is_one_line_each_and_the_rest_is_done(photos: Path) -> None:
    """Unreadable photo, two persons as references: status 1, or 3 if a forgery was found."""
    given = [photos / "notes.jpg", photos / "gone.jpg", photos / "ada.png"]
    answer = Answer("check", *given)
    assert answer.status == 1
    assert answer.stderr.count("error: ") == 2
    assert "ada.png" in answer.stdout
    two = ("--of", photos / "ada.png", "--of", photos / "group.png", "--face", "group.png=2")
    answer = Answer("check", photos / "swapped.jpg", *two)
    assert answer.status == 3
    assert "not show the same person" in answer.stderr
    assert "forged" in answer.stdout


def test_a_folder_gives_a_table(photos: Path) -> None:
    """What is no picture in a folder is a note; every face has its row."""
    answer = Answer("check", photos, "--json")
    assert answer.status == 3
    assert "note: not checked: " in answer.stderr and "error:" not in answer.stderr
    rows = [(Path(row["path"]).name, row["face"]) for row in answer.json["faces"]]  # type: ignore[attr-defined]
    assert sorted(rows) == sorted(
        [("ada.png", 1), ("tom.png", 1), ("swapped.jpg", 1)]
        + [("group.png", number) for number in range(1, 7)]
    )


def test_a_face_can_be_chosen(photos: Path) -> None:
    """By number for one photo, by name for several; a slip is wrong usage or one line."""
    answer = Answer("check", photos / "group.png", "--face", "2", "--json")
    assert [row["face"] for row in answer.json["faces"]] == [2]  # type: ignore[attr-defined]
    assert Answer("check", photos / "group.png", "--face", "two").status == 2
    several = Answer("check", photos / "group.png", photos / "ada.png", "--face", "2")
    assert (several.status, several.stdout) == (1, "")
    assert "of which photo" in several.stderr


def test_compare_says_person_and_photograph(case: Unmask, photos: Path, tmp_path: Path) -> None:
    """Sentences on stdout; with several faces the numbers are shown and the rest is done."""
    save_forgery(altered_portrait(case), tmp_path / "altered.jpg")
    answer = Answer("compare", photos / "ada.png", tmp_path / "altered.jpg")
    assert answer.status == 0
    assert answer.stdout.startswith("One of the two was altered: they are the same photograph")
    assert "Bright" not in answer.stdout  # no map is drawn here
    assert "does not make the other one authentic" in answer.stdout
    group = Answer("compare", photos / "ada.png", photos / "group.png", "--json")
    assert group.status == 1
    assert "6 faces, see " in group.stderr
    assert (group.json["person"], group.json["same_photograph"]) == ("not measured", False)
    chosen = Answer(
        "compare", photos / "ada.png", photos / "group.png", "--face", "group.png=2", "--json"
    )
    assert chosen.status == 0
    assert chosen.json["person"] in ("another person", "uncertain")
    assert Answer("compare", photos / "ada.png", photos / "notes.jpg").status == 1


def test_help_documents_the_statuses() -> None:
    """A script's author finds what 3 means."""
    for command in ("check", "compare"):
        assert f"unmask {command} " in Answer(command, "--help").stdout
    assert "3 at least one" in Answer("check", "--help").stdout


def test_a_check_shows_provenance_and_its_verdict_ignores_it(photos: Path, tmp_path: Path) -> None:
    """The same pixels with a generator's text: another section, the same verdict and numbers."""
    info = PngInfo()
    info.add_text("parameters", "a woman\nSteps: 20, Sampler: Euler a, Seed: 1")
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    with Image.open(photos / "ada.png") as image:
        image.save(plain)
        image.save(marked, pnginfo=info)
    told = {it: Answer("check", it, "--json").json for it in (plain, marked)}
    own = [told[it]["provenance"]["files"][0]["findings"] for it in (plain, marked)]  # type: ignore[index]
    assert own[0] == [] and own[1][0]["bearing"] == "generated"
    faces = [told[it]["faces"][0] for it in (plain, marked)]  # type: ignore[index]
    for key in ("verdict", "fake_probability", "evidence", "explanation"):
        assert faces[0][key] == faces[1][key], key
    shown = Answer("check", marked).stdout
    assert "Provenance of marked.png" in shown and "says generated" in shown
    assert "no part in any verdict" in shown
