"""A real gallery and another real embedder: refused everywhere, upgraded, searched."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
from typer.testing import CliRunner

from assistant import Settings, SetupError, Unmask
from assistant.agent.agent import Agent
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.chat.events.handlers import EventHandlers
from assistant.chat.session_state import ChatSession
from assistant.chat.sessions import SessionStore, new_token
from assistant.chat.users.permissions import PageUsers
from assistant.cli import doctor
from assistant.cli.main import app
from assistant.profile import LoadedModels
from assistant.server.work.index_jobs import GalleryIndexer
from tests.support.cases import GALLERY
from tests.support.made.embedder import write_embedder
from tests.support.scripted_model import ScriptedModel
from tools.agent_tools.workspace import Workspace
from tools.checkpoints.table import WEIGHTS_DIR
from tools.faces.analyser import FaceAnalyser
from tools.gallery.record_store import Gallery
from tools.media.hashing import combined_sha256

REQUEST = cast(gr.Request, SimpleNamespace(username=None))
LINE = (
    f"gallery {GALLERY!r} was made with another face embedder than the one in use: "
    f"run `unmask galleries upgrade {GALLERY}`"
)


@pytest.fixture(scope="module")
def other_faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceAnalyser, str]:
    """The shipped detector and landmarks with another embedder, and their sha256."""
    pack = tmp_path_factory.mktemp("pack")
    for name in ("detection.onnx", "landmarks_68.onnx"):
        shutil.copyfile(WEIGHTS_DIR / "faces" / name, pack / name)
    write_embedder(pack / "recognition.onnx", shape=["n", 3, 112, 112])
    return FaceAnalyser(pack, threads=1), combined_sha256(list(pack.iterdir()))


@pytest.fixture
def outdated(
    case: Unmask, other_faces: tuple[FaceAnalyser, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Unmask:  # fmt: skip
    """A copy of the small real case, opened after the embedder was replaced."""
    home = tmp_path / "home"
    shutil.copytree(case.settings.home, home)
    monkeypatch.setenv("UNMASK_HOME", str(home))
    faces, sha256 = other_faces
    monkeypatch.setattr(LoadedModels, "faces", faces)
    fingerprint = {**case.models.fingerprint, "faces": sha256}
    monkeypatch.setattr(LoadedModels, "fingerprint", fingerprint)
    return Unmask(Settings(home=home), gallery=GALLERY)


def run(*words: str) -> Any:
    """`unmask` in this process."""
    return CliRunner().invoke(app, list(words))


def test_the_command_line_says_it_in_one_line(outdated: Unmask) -> None:
    """Search and indexing name the command; the list and doctor say which galleries need it."""
    photo = str(outdated.settings.home / "SECRET_NAME.png")
    for words in (["find", photo], ["index", str(outdated.settings.home / "collection")]):
        answer = run(*words, "-g", GALLERY)
        assert (answer.exit_code, answer.stderr) == (1, f"error: {LINE}\n")
    listed = run("galleries", "list").stdout
    assert f"unmask galleries upgrade {GALLERY}" in " ".join(listed.split())
    (found,) = json.loads(run("galleries", "list", "--json").stdout)["galleries"]
    assert found["needs_upgrade"] is True
    (check,) = doctor.check_galleries(outdated.settings)
    assert (check.state, check.hint) == ("warning", f"run `unmask galleries upgrade {GALLERY}`")


def test_after_the_upgrade_it_is_a_gallery_of_the_new_embedder(outdated: Unmask) -> None:
    """The same faces with the new embedder's vectors, found by it again."""
    home, collection = outdated.settings.home, outdated.settings.home / "collection"
    with Gallery.open_existing(home, GALLERY) as gallery:
        before = gallery.faces(gallery.embeddings.all()[0])
    answer = run("galleries", "upgrade", "--all", "--json")
    assert answer.exit_code == 0, answer.stderr
    (summary,) = json.loads(answer.stdout)["galleries"]
    assert (summary["gallery"], summary["faces_embedded"]) == (GALLERY, len(before))
    assert (summary["faces_waiting"], summary["problem"]) == (0, "")
    fresh = Unmask(outdated.settings, gallery="fresh", models=outdated.models)
    fresh.index([collection])
    with Gallery.open_existing(home, GALLERY) as one, Gallery.open_existing(home, "fresh") as two:
        made_anew = {face.id: face for face in two.faces(two.embeddings.all()[0])}
        upgraded = one.faces(one.embeddings.all()[0])
    assert [face.id for face in upgraded] == [face.id for face in before]
    for face, old in zip(upgraded, before, strict=True):
        assert np.array_equal(face.face.box, old.face.box)
        assert len(face.face.embedding) != len(old.face.embedding)
        np.testing.assert_allclose(
            face.face.embedding, made_anew[face.id].face.embedding, atol=1e-4
        )
    found = outdated.find([home / "SECRET_NAME.png"], top=50, rerank=False)
    again = fresh.find([home / "SECRET_NAME.png"], top=50, rerank=False)
    assert [hit.face_id for hit in found.hits] == [hit.face_id for hit in again.hits]
    assert "No gallery needs an upgrade." in run("galleries", "upgrade", "--all").stdout


def test_what_is_set_aside_is_told(outdated: Unmask, tmp_path: Path) -> None:
    """The faces of a file that is gone are counted, by the command and by every search."""
    group, home = outdated.settings.home / "group.png", outdated.settings.home
    with Gallery.open_existing(home, GALLERY) as gallery:
        (path,) = [
            it for image in gallery.image_ids() for it in gallery.paths_of(image)
            if it.name == "group.png"
        ]  # fmt: skip
        faces = gallery.counts().faces
    shutil.move(path, group)
    try:
        answer = run("galleries", "upgrade", GALLERY)
        assert answer.exit_code == 0, answer.stderr
        told = " ".join(answer.stdout.split())
        waiting = faces - 2
        assert f"{waiting} faces set aside, not searched, nothing deleted" in told
        assert "group.png (missing)" in told
        warned = outdated.find([home / "SECRET_NAME.png"], rerank=False).warnings
        assert any(f"{waiting} faces of it are not searched" in it for it in warned)
    finally:
        shutil.move(group, path)
    assert outdated.upgrade().faces_waiting == 0
    warned = outdated.find([home / "SECRET_NAME.png"], rerank=False).warnings
    assert not any("not searched" in it for it in warned)


@pytest.mark.parametrize("words", [["upgrade"], ["upgrade", GALLERY, "--all"]])
def test_a_name_or_all(home: Path, words: list[str]) -> None:
    """Neither and both are wrong usage."""
    assert run("galleries", *words).exit_code == 2


def test_a_gallery_that_is_not_there(home: Path) -> None:
    """A misspelt name is refused like everywhere."""
    answer = run("galleries", "upgrade", "nix")
    assert answer.exit_code == 1
    assert "there is no 'nix'" in answer.stderr and "unmask index" in answer.stderr


def test_a_python_caller(outdated: Unmask) -> None:
    """The same from Python, with progress."""
    photo = outdated.settings.home / "SECRET_NAME.png"
    with pytest.raises(SetupError, match="unmask galleries upgrade"):
        outdated.find([photo])
    told: list[tuple[int, int]] = []
    summary = outdated.upgrade(on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (summary.faces_embedded, summary.faces_embedded)
    assert outdated.find([photo], rerank=False).hits


def test_a_case_on_it_says_the_line(outdated: Unmask, tmp_path: Path) -> None:
    """Resuming an investigation of an outdated gallery gives one sentence, not a failure."""
    photo = outdated.settings.home / "SECRET_NAME.png"
    record = Case.create(tmp_path, gallery=GALLERY)
    findings = {"hits": [{"image_id": "0"}]}
    (copy,) = record.keep_photos([photo])
    record.begin_turn("find", {"Q1": copy}, gallery=GALLERY)
    record.record_search({"photos": ["Q1"]}, findings)
    (note,) = restore_case(record, outdated.models, home=outdated.settings.home).notes
    assert note == f"the latest search could not be run again: {LINE}"


def test_the_page_says_the_line(
    outdated: Unmask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Choosing the gallery warns, and a question is answered with the same line."""
    home, warned = outdated.settings.home, list[str]()

    def begin(gallery: str) -> ChatSession:
        workspace = Workspace(outdated.models, home=home, gallery=gallery)
        record = Case.create(tmp_path, gallery=gallery)
        return ChatSession(Agent(ScriptedModel(), workspace, record))

    galleries = GalleryIndexer(outdated.settings, outdated.models)
    sessions = SessionStore(tmp_path, begin=begin, resume=lambda _, __: begin(GALLERY))
    handlers = EventHandlers(sessions, galleries, PageUsers(outdated.settings))
    monkeypatch.setattr(gr, "Warning", lambda text, **_: warned.append(text))
    token = new_token()
    handlers.switch(token, GALLERY, REQUEST)
    assert warned == [LINE]
    handlers.switch(token, "default", REQUEST)
    assert warned == [LINE]
    photo = shutil.copyfile(home / "SECRET_NAME.png", tmp_path / "photo.png")
    message = {"text": "", "files": [str(photo)]}
    told = list(handlers.ask(token, GALLERY, message, REQUEST))[-1][0]
    assert f"unmask galleries upgrade {GALLERY}" in told[-1]["content"]
    assert "Traceback" not in str(told)
