"""The command line in process: output streams and exit statuses.

The neural parts are stand-ins whose answers depend on the pixels; files, gallery and Chroma are
real.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from assistant.cli.main import app
from assistant.profile import LoadedModels
from assistant.settings import Settings
from tests.conftest import Encode
from tests.support.paths import ROOT
from tests.support.stand_ins import (
    FINGERPRINT,
    FakeEncoder,
    FakeFaceAnalyser,
    picture,
    write_pictures,
)
from tests.tools.media.test_images import as_png
from tools.checkpoints import store
from tools.faces.analyser import Face
from tools.faces.further_embedders import EMBEDDERS_FOLDER

runner = CliRunner()


class Answer:
    """What a run of `unmask` gave back."""

    def __init__(self, *arguments: str | Path, typed: str | None = None) -> None:
        result = runner.invoke(app, [str(each) for each in arguments], input=typed)
        self.status = result.exit_code
        self.stdout, self.stderr = result.stdout, result.stderr
        self.error = result.exception

    @property
    def json(self) -> dict[str, object]:
        """The one JSON object on stdout."""
        data = json.loads(self.stdout)
        assert isinstance(data, dict)
        return data


@pytest.fixture
def faces(home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeFaceAnalyser:
    """Stand-ins for the neural parts, with a data folder of their own."""
    faces = FakeFaceAnalyser()
    monkeypatch.setattr(LoadedModels, "faces", faces)
    monkeypatch.setattr(LoadedModels, "encoder", FakeEncoder())
    monkeypatch.setattr(LoadedModels, "fingerprint", FINGERPRINT)
    monkeypatch.setattr(LoadedModels, "detectors", [])
    monkeypatch.setattr(LoadedModels, "pixel_detectors", [])
    monkeypatch.setattr(LoadedModels, "second_embedder", None)
    monkeypatch.setattr(LoadedModels, "rule", None)
    return faces


# -- help, version, usage -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", "index", "find", "demo", "models download"])
def test_help_teaches_by_example(command: str) -> None:
    """The help of what a newcomer needs shows a command to copy."""
    answer = Answer(*command.split(), "--help")
    assert answer.status == 0
    assert f"unmask {command}".strip() in answer.stdout


def test_help_imports_nothing_heavy() -> None:
    """`unmask --help` answers without loading an engine."""
    script = (
        "import sys\n"
        "from assistant.cli.main import app\n"
        "try:\n    app(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "print({'torch', 'cv2', 'numpy', 'chromadb', 'insightface', 'pydantic_settings'}"
        " & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert answer.stdout.splitlines()[-1] == "set()"


def test_version_is_one_line() -> None:
    """--version prints name and version."""
    answer = Answer("--version")
    assert answer.status == 0
    assert answer.stdout.startswith("unmask ")
    assert len(answer.stdout.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [["explain", "logit"], ["doctor"], ["models", "list", "--json"], ["--help"], ["--version"]],
)
def test_an_output_that_is_full_is_named(home: Path, arguments: list[str], unbuffered: str) -> None:
    """Not the data folder, whose disk is another; in one line, also as Python ends."""
    command = [sys.executable, "-m", "assistant.cli.main", *arguments]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == "error: the output cannot be written: no space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [["idnex"], ["find"], ["find", "a.jpg", "--top", "0"], ["find", "a.jpg", "--face", "0"]],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    """Mistyped commands and impossible options are told on stderr, with status 2."""
    answer = Answer(*arguments)
    assert answer.status == 2
    assert answer.stdout == ""
    assert "Usage:" in answer.stderr


def test_an_unknown_profile_is_one_line(home: Path) -> None:
    """A mistyped profile is explained without a traceback."""
    answer = Answer("--profile", "huge", "models", "list")
    assert answer.status == 1
    assert answer.stderr.startswith("error: UNMASK_PROFILE='huge'")
    assert len(answer.stderr.splitlines()) == 1


# -- index --------------------------------------------------------------------------------------


def bad_folder(folder: Path, encode: Encode) -> Path:
    """Two good pictures among everything that goes wrong with files."""
    write_pictures(folder, 1)
    Image.fromarray(picture(1)).save(folder / os.fsdecode(b"caf\xe9\n[red].png"))
    whole = encode(Image.fromarray(picture(2)), "JPEG")
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("no picture")
    (folder / "bomb.png").write_bytes(as_png(30_000, 30_000))
    (folder / "gone.jpg").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    return folder


def test_index_counts_every_file(faces: FakeFaceAnalyser, tmp_path: Path, encode: Encode) -> None:
    """Good pictures are added, the others are skipped with their reason, the status is 0."""
    answer = Answer("index", bad_folder(tmp_path / "photos", encode), "--json")
    assert answer.status == 0, answer.stderr
    assert answer.json["images_added"] == 2
    assert answer.json["faces_found"] == 2
    skipped = {
        Path(item["path"]).name: item["reason"]
        for item in answer.json["skipped_files"]  # type: ignore[attr-defined]
    }
    assert {name: skipped[name] for name in ("half.jpg", "empty.jpg", "notes.txt", "bomb.png")} == {
        "half.jpg": "truncated",
        "empty.jpg": "empty",
        "notes.txt": "not an image",
        "bomb.png": "too large",
    }
    assert {"gone.jpg", "pipe"} <= skipped.keys()


def test_index_in_words_names_the_skips(
    faces: FakeFaceAnalyser, tmp_path: Path, encode: Encode
) -> None:
    """The summary for people says how many, which, and why."""
    answer = Answer("index", bad_folder(tmp_path / "photos", encode), "-g", "case42")
    assert answer.status == 0, answer.stderr
    assert "Gallery 'case42': 2 images with 2 faces added" in answer.stdout
    assert "half.jpg  (truncated: " in answer.stdout


def test_indexing_again_does_no_work(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """The second run over a folder, and over a moved file, analyses nothing."""
    first, _ = write_pictures(tmp_path / "photos", 2)
    Answer("index", tmp_path / "photos")
    assert faces.analysed == 2
    shutil.move(first, tmp_path / "photos" / "moved.png")
    answer = Answer("index", tmp_path / "photos", "--json")
    assert faces.analysed == 2
    assert answer.json["images_added"] == 0
    assert answer.json["already_known"] == 1
    assert answer.json["duplicates"] == 1


def test_a_missing_folder_is_one_line(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """A mistyped folder ends with 1 and says so, on stderr alone."""
    answer = Answer("index", tmp_path / "tpyo", "--json")
    assert answer.status == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert "does not exist" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_ctrl_c_keeps_what_was_indexed(
    faces: FakeFaceAnalyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted, it ends with 130 and a summary; the next run finishes the rest."""
    write_pictures(tmp_path / "photos", 40)
    analyse = faces.analyse

    def interrupted(images: Sequence[np.ndarray]) -> list[list[Face]]:
        if faces.analysed >= 16:
            raise KeyboardInterrupt
        return analyse(images)

    monkeypatch.setattr(faces, "analyse", interrupted)
    answer = Answer("index", tmp_path / "photos", "--json")
    assert answer.status == 130
    assert answer.json["interrupted"] is True
    kept = answer.json["images_added"]
    assert kept == 16
    monkeypatch.setattr(faces, "analyse", analyse)
    again = Answer("index", tmp_path / "photos", "--json")
    assert again.status == 0
    assert again.json["images_added"] == 40 - 16


def test_another_profiles_gallery_is_refused(
    faces: FakeFaceAnalyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gallery made by other checkpoints is not mixed with these, and the way out is named."""
    write_pictures(tmp_path / "photos", 1)
    Answer("index", tmp_path / "photos")
    monkeypatch.setattr(LoadedModels, "fingerprint", {"faces": "c" * 64, "encoder": "d" * 64})
    answer = Answer("index", tmp_path / "photos")
    assert answer.status == 1
    assert "unmask index DIR --gallery" in answer.stderr


# -- find ---------------------------------------------------------------------------------------


def test_find_ranks_the_gallery(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """The JSON holds hits with all that was promised; the query's own photo is the most alike."""
    photos = write_pictures(tmp_path / "photos", 5)
    Answer("index", tmp_path / "photos")
    answer = Answer("find", photos[3], "--top", "4", "--json")
    assert answer.status == 0, answer.stderr
    hits = answer.json["hits"]
    assert isinstance(hits, list)
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4]
    assert Path(hits[0]["path"]).name == "0003.png"
    promised = {"rank", "path", "verdict", "identity_probability", "fake_probability"}
    assert promised | {"evidence", "explanation"} <= hits[0].keys()


def test_an_opinion_needs_the_closer_look() -> None:
    """Two options that exclude each other are wrong usage, said before anything is read."""
    answer = Answer("find", "nowhere.png", "--quick", "--opinion")
    assert answer.status == 2
    assert "--quick" in answer.stderr and "nowhere" not in answer.stderr


def test_find_in_words_is_a_table(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """For people: rank, verdict, file; without calibration probabilities are not measured."""
    photos = write_pictures(tmp_path / "photos", 2)
    Answer("index", tmp_path / "photos")
    answer = Answer("find", photos[0])
    assert answer.status == 0, answer.stderr
    assert "verdict" in answer.stdout
    assert "not measured" in answer.stdout
    assert "0001.png" in answer.stdout


def test_hits_outlive_their_files(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """A picture whose file is gone is still in the gallery, and finding it does not fail."""
    photos = write_pictures(tmp_path / "photos", 3)
    Answer("index", tmp_path / "photos")
    photos[1].unlink()
    Answer("index", tmp_path / "photos")
    answer = Answer("find", photos[0], "--json")
    assert answer.status == 0, answer.error
    assert len(answer.json["hits"]) == 3  # type: ignore[arg-type]


def test_a_missing_gallery_names_the_command(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """Searching what was never indexed says how to index."""
    (photo,) = write_pictures(tmp_path, 1)
    answer = Answer("find", photo, "--gallery", "nix")
    assert answer.status == 1
    assert "unmask index DIR --gallery nix" in answer.stderr


def test_an_unreadable_query_is_named(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """A query that is no picture is told by its name and reason."""
    write_pictures(tmp_path / "photos", 1)
    Answer("index", tmp_path / "photos")
    (tmp_path / "ada.jpg").write_text("no picture")
    answer = Answer("find", tmp_path / "ada.jpg")
    assert answer.status == 1
    assert "ada.jpg': not an image" in answer.stderr


def test_no_face_in_the_query_is_told(faces: FakeFaceAnalyser, tmp_path: Path) -> None:
    """A query photo without a face is an error that says so."""
    write_pictures(tmp_path / "photos", 1)
    Answer("index", tmp_path / "photos")
    Image.fromarray(picture(9, side=24)).save(tmp_path / "small.png")  # too small for a "face"
    answer = Answer("find", tmp_path / "small.png")
    assert answer.status == 1
    assert "no face" in answer.stderr


def test_several_faces_ask_which(
    faces: FakeFaceAnalyser, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With several faces in the query, a picture numbers them and --face chooses."""
    (photo, *_) = write_pictures(tmp_path / "photos", 2)
    Answer("index", tmp_path / "photos")
    analyse = faces.analyse
    monkeypatch.setattr(faces, "analyse", lambda images: [found * 2 for found in analyse(images)])
    answer = Answer("find", photo)
    assert answer.status == 1
    assert answer.stdout == ""
    (numbered,) = (home / "faces").iterdir()
    (line,) = answer.stderr.splitlines()
    assert str(numbered) in line
    assert f"--face {photo.name}=N" in line
    assert Answer("find", photo, "--face", "2").status == 0
    assert Answer("find", photo, "--face", "3").status == 1


def test_libraries_cannot_spoil_the_json(
    faces: FakeFaceAnalyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a library prints on stdout while it works does not reach it."""
    write_pictures(tmp_path / "photos", 1)
    analyse = faces.analyse

    def chatty(images: Sequence[np.ndarray]) -> list[list[Face]]:
        print("Applied providers: ['CPUExecutionProvider']")
        return analyse(images)

    monkeypatch.setattr(faces, "analyse", chatty)
    answer = Answer("index", tmp_path / "photos", "--json")
    assert answer.json["images_added"] == 1


def test_a_bug_is_not_disguised(
    faces: FakeFaceAnalyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody expected is not turned into a friendly line."""
    write_pictures(tmp_path / "photos", 1)
    Answer("index", tmp_path / "photos")

    def broken(images: Sequence[np.ndarray]) -> list[list[Face]]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(faces, "analyse", broken)
    answer = Answer("find", tmp_path / "photos" / "0000.png")
    assert isinstance(answer.error, ZeroDivisionError)


# -- models, galleries, doctor ------------------------------------------------------------------


def test_models_are_listed_with_licence_and_size(home: Path) -> None:
    """Everything a person must know before downloading is in the list."""
    models = Answer("models", "list", "--json").json["models"]
    assert isinstance(models, list)
    encoder = next(it for it in models if (it["profile"], it["part"]) == ("full", "encoder"))
    assert encoder["size_bytes"] > 1e9
    assert "MIT" in encoder["licence"]
    assert encoder["present"] is False
    assert "1,710.5 MB" in Answer("models", "list").stdout


def test_the_list_says_where_models_of_ones_own_go(home: Path) -> None:
    """The help names the folder of further embedders, the list ends with where it lies."""
    told = " ".join(Answer("models", "list", "--help").stdout.split())
    assert f"into MODELS/{EMBEDDERS_FOLDER}" in told
    assert f"Models: {home / 'models'}" in Answer("models", "list").stdout


def test_verify_fails_on_what_is_missing(home: Path) -> None:
    """A profile that is not here is reported file by file, with status 1."""
    answer = Answer("models", "verify", "full", "--json")
    assert answer.status == 1
    assert answer.json["intact"] is False
    assert {it["state"] for it in answer.json["files"]} == {"missing"}  # type: ignore[attr-defined]


@pytest.fixture
def downloads(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which profiles were downloaded; nothing is, in a test."""
    asked: list[str] = []
    monkeypatch.setattr(
        store, "download", lambda profile, models_dir, progress: asked.append(profile)
    )
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")  # so that they are put back afterwards
    monkeypatch.setattr("assistant.library_environment._LIBRARY_ENVIRONMENT", {})
    return asked


def test_nothing_is_downloaded_without_consent(downloads: list[str]) -> None:
    """Sizes and licences are shown, and a no is a no."""
    answer = Answer("models", "download", "full", typed="n\n")
    assert answer.status == 1
    assert downloads == []
    assert "non-commercial" in answer.stdout
    assert Answer("models", "download", "full", typed="y\n").status == 0
    assert Answer("models", "download", "full", "--yes").status == 0
    assert downloads == ["full", "full"]


def test_an_unknown_profile_is_not_downloaded(downloads: list[str]) -> None:
    """A mistyped profile is an error that names the list."""
    answer = Answer("models", "download", "ful")
    assert answer.status == 1
    assert "unmask models list" in answer.stderr
    assert downloads == []


def test_galleries_can_be_listed_pruned_and_forgotten(
    faces: FakeFaceAnalyser, tmp_path: Path
) -> None:
    """Biometric data can be seen and deleted; photos are never touched."""
    photos = write_pictures(tmp_path / "photos", 2)
    Answer("index", tmp_path / "photos", "-g", "case42")
    photos[0].unlink()
    (listed,) = Answer("galleries", "list", "--json").json["galleries"]  # type: ignore[misc]
    assert (listed["files"], listed["missing"]) == (2, 1)  # though nothing was indexed since
    Answer("index", tmp_path / "photos", "-g", "case42")
    assert "Forgot 1 image " in Answer("galleries", "prune", "case42").stdout
    (listed,) = Answer("galleries", "list", "--json").json["galleries"]  # type: ignore[misc]
    assert (listed["name"], listed["images"], listed["faces"]) == ("case42", 1, 1)
    assert Answer("galleries", "forget", "case42", typed="n\n").status == 1
    assert Answer("galleries", "forget", "case42", "--yes").status == 0
    assert Answer("galleries", "list", "--json").json["galleries"] == []
    assert photos[1].exists()
    assert not (Settings.load().galleries_dir / "case42").exists()


def test_files_that_were_not_looked_for_are_not_counted(
    faces: FakeFaceAnalyser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too many files to look for each, the list says so; 0 would be a claim."""
    write_pictures(tmp_path / "photos", 3)
    Answer("index", tmp_path / "photos", "-g", "case42")
    monkeypatch.setattr("tools.gallery.indexing.finding.count_gone.__kwdefaults__", {"most": 2})
    (listed,) = Answer("galleries", "list", "--json").json["galleries"]  # type: ignore[misc]
    assert (listed["files"], listed["missing"]) == (3, None)
    assert "not checked" in Answer("galleries", "list").stdout


@pytest.mark.parametrize("name", ["nix", "../..", "/"])
def test_only_galleries_can_be_forgotten(home: Path, name: str) -> None:
    """Nothing but a gallery of that name is ever deleted."""
    home.mkdir()
    (home / "precious").touch()
    answer = Answer("galleries", "forget", name, "--yes")
    assert answer.status == 1
    assert (home / "precious").exists()


def test_doctor_ends_with_1_when_something_is_broken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken parts make the status 1, in words and in JSON, and carry their hint."""
    monkeypatch.setenv("UNMASK_PROFILE", "full")
    answer = Answer("doctor")
    assert answer.status == 1
    assert "→ run `unmask models download full`" in answer.stdout
    report = Answer("doctor", "--json")
    assert report.status == 1
    assert report.json["ok"] is False


# -- the real thing -----------------------------------------------------------------------------


def test_the_whole_program_with_the_pocket_models(tmp_path: Path, astronaut: np.ndarray) -> None:
    """Started as a program, with real weights: index real photos, then find the person."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(astronaut).save(tmp_path / "ada.png")
    Image.fromarray(astronaut[:400, :400]).save(tmp_path / "photos" / "crop.jpg", quality=80)
    Image.fromarray(picture(0, side=128)).save(tmp_path / "photos" / "blocks.png")

    def unmask(*arguments: str | Path) -> dict[str, object]:
        answer = subprocess.run(
            [sys.executable, "-m", "assistant.cli.main", *map(str, arguments), "--json"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "UNMASK_HOME": str(tmp_path / "home")},
            cwd=ROOT,
        )
        assert answer.returncode == 0, answer.stderr
        data = json.loads(answer.stdout)
        assert isinstance(data, dict)
        return data

    assert unmask("index", tmp_path / "photos")["images_added"] == 2
    found = unmask("find", tmp_path / "ada.png")
    (hit,) = found["hits"]  # type: ignore[misc]
    assert Path(hit["path"]).name == "crop.jpg"
    assert hit["identity_probability"] > 0.5
    assert found["images_without_face"] == 1
