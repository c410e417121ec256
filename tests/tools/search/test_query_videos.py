"""A video or animation as the chat page's query, by the same rules as the command line."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.chat.events.handlers import EventHandlers
from assistant.chat.page import build_page
from assistant.chat.session_state import ChatSession
from assistant.chat.sessions import SessionStore, new_token
from assistant.chat.users.permissions import PageUsers
from assistant.report.pictures.numbered_faces import with_numbered_faces
from assistant.server.work.index_jobs import GalleryIndexer
from assistant.settings import Settings
from tests.support.cases import GALLERY, astronaut_pixels, group_pixels, other_pixels, workspace_of
from tests.support.chat_server import reply
from tests.support.clips import grey, write_clip, write_sound
from tests.support.scripted_model import ScriptedModel
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.search.query import NoFace, SeveralFaces
from tools.search.query_files import query_from_files

REQUEST = cast(gr.Request, SimpleNamespace(username=None))


def pages(case: Unmask, folder: Path) -> EventHandlers:
    """Callbacks over the small case, whose records lie in a folder."""

    def opened(record: Case, workspace: Workspace) -> ChatSession:
        return ChatSession(Agent(ScriptedModel(replies=[reply] * 50), workspace, record))

    def begin(gallery: str) -> ChatSession:
        record = Case.create(folder, gallery=gallery)
        workspace = Workspace(case.models, home=case.settings.home, gallery=gallery)
        return opened(record, workspace)

    def resume(record: Case, _: str) -> ChatSession:
        restored = restore_case(record, case.models, home=case.settings.home)
        assert not any("could not" in note or "left out" in note for note in restored.notes)
        return opened(record, restored.workspace)

    settings = Settings(home=folder / "home", threads=1)
    sessions = SessionStore(folder, begin=begin, resume=resume)
    return EventHandlers(sessions, GalleryIndexer(settings, case.models), PageUsers(settings))


@pytest.fixture
def handlers(case: Unmask, tmp_path: Path) -> EventHandlers:
    """The callbacks of a page that was just opened."""
    return pages(case, tmp_path)


def sent(handlers: EventHandlers, token: str, *files: Path, text: str = "") -> tuple[Any, ...]:
    """Send files; the messages, findings and detail that the page shows in the end."""
    message = {"text": text, "files": [str(file) for file in files]}
    updates = list(handlers.ask(token, GALLERY, message, REQUEST))
    shown = next(handlers.load(token, REQUEST))[3:]
    return (updates[-1][0], *shown[1:3], updates[-1][3])


def queries_of(handlers: EventHandlers, token: str) -> Any:
    """The query of the latest search."""
    found = handlers._sessions.find(token, None)
    assert found is not None and found.workspace.last_search is not None
    return found.workspace.last_search[1]


def animation(path: Path, format: str, *pictures: np.ndarray) -> Path:
    """Pictures, each for 0.4 s."""
    first, *rest = [Image.fromarray(picture) for picture in pictures]
    first.save(path, format, save_all=True, append_images=rest, duration=400)
    return path


def scenes(path: Path) -> Path:
    """A clip whose two persons never share a frame, each for two seconds."""
    one, other = (
        np.asarray(Image.fromarray(it).resize((400, 400)))
        for it in (astronaut_pixels(), other_pixels())
    )
    return write_clip(path, [one] * 8 + [other] * 8, rate=4)


@pytest.mark.parametrize("format", ["MP4", "GIF", "WEBP", "PNG", "AVIF"])
def test_its_frames_of_the_person_are_the_query(
    handlers: EventHandlers, case: Unmask, tmp_path: Path, format: str
) -> None:
    """A title card before the person hides nothing, and the page finds what the terminal finds."""
    face, path, token = astronaut_pixels(), tmp_path / f"ada.{format.lower()}", new_token()
    frames = [np.zeros_like(face), face, face // 8 * 7, face // 8 * 6]
    if format == "MP4":
        write_clip(path, frames, rate=2)
    else:
        animation(path, format, *frames)
    data = path.read_bytes()
    messages, findings, detail, _ = sent(handlers, token, path)
    assert "data:image/jpeg" in messages[0]["content"]
    assert "H1" in detail and "hits shown from" in findings
    assert not path.exists()
    (kept,) = tmp_path.glob("cases/*/photos/*")
    assert kept.read_bytes() == data
    parts, query = case.models, queries_of(handlers, token)
    other = query_from_files([kept], faces=parts.faces, encoder=parts.encoder, rule=parts.rule)
    assert query.times_s == other.times_s and len(query.times_s) > 1
    np.testing.assert_allclose(query.template, other.template, atol=1e-5)
    assert {row.name for row in query.paths} == {kept.name}


def test_a_case_with_a_video_goes_on(handlers: EventHandlers, case: Unmask, tmp_path: Path) -> None:
    """Opened again it shows the same conversation and hits, and its follow-ups work."""
    clip, token = tmp_path / "ada.mp4", new_token()
    write_clip(clip, [astronaut_pixels()] * 6, rate=2)
    messages, findings, *_ = sent(handlers, token, clip)
    again = pages(case, tmp_path)
    *_, (_, _, _, told, listed, *_) = again.load(token, REQUEST)
    assert told == messages
    assert listed == findings
    assert queries_of(again, token).times_s == queries_of(handlers, token).times_s
    text = "Compare Q1 and H1"
    asked = list(again.ask(token, GALLERY, {"text": text, "files": []}, REQUEST))
    assert "fault" not in str(asked[-1][0][-1])
    assert again._sessions.find(token, None).workspace.compare("Q1", "H1").facts  # type: ignore[union-attr]


def test_several_persons_in_one_frame_are_asked_about(
    handlers: EventHandlers, case: Unmask, tmp_path: Path
) -> None:
    """The page numbers them in a frame, as those of a photo, and goes on with the one chosen."""
    clip, token = tmp_path / "party.mp4", new_token()
    group = group_pixels()
    group = group[: group.shape[0] // 2 * 2, : group.shape[1] // 2 * 2]
    write_clip(clip, [group] * 4, rate=2)
    messages, *_ = sent(handlers, token, clip)
    photo = case.settings.home / "SECRET_GROUP.png"
    faces = _count(case, photo)
    assert [it["value"] for it in messages[-1]["options"]] == [
        f"Face {number}" for number in range(1, faces + 1)
    ]
    assert messages[-1]["content"].count('class="face-box"') == faces
    messages, findings, *_ = sent(handlers, token, text="Face 2")
    offered = [it["value"] for it in messages[-1].get("options", [])]
    assert not any(it.startswith("Face") for it in offered) and "hits shown from" in findings
    still = query_from_files(
        [photo], faces=case.models.faces, encoder=case.models.encoder, face=2, rule=case.models.rule
    )
    assert float(queries_of(handlers, token).template @ still.template) > 0.8
    again = pages(case, tmp_path)
    *_, opened = again.load(token, REQUEST)
    assert opened[4] == findings
    assert queries_of(again, token).photo_ids == queries_of(handlers, token).photo_ids


def _count(case: Unmask, photo: Path) -> int:
    workspace = workspace_of(case)
    return workspace.pictures.count_faces(workspace.add_photo(photo))


def test_persons_of_different_scenes_are_shown_beside_each_other(
    case: Unmask, tmp_path: Path
) -> None:
    """Each number stands on the face that it chooses, in the page and in the terminal."""
    clip, parts = scenes(tmp_path / "two.mp4"), case.models
    workspace = workspace_of(case)
    handle = workspace.add_photo(clip)
    assert workspace.pictures.count_faces(handle) == 2
    with pytest.raises(SeveralFaces) as asked:
        workspace.find_person([handle])
    with pytest.raises(SeveralFaces) as terminal:
        query_from_files([clip], faces=parts.faces, encoder=parts.encoder)
    assert asked.value.boxes == terminal.value.boxes
    assert "into it" in str(terminal.value)
    shown = workspace.pictures.everybody(handle)
    np.testing.assert_array_equal(shown, terminal.value.picture)
    told = str(with_numbered_faces(terminal.value, tmp_path / "faces"))
    with Image.open(tmp_path / "faces" / "two-faces.jpg") as written:
        assert written.size == shown.shape[1::-1]
    assert "2 faces" in told
    for number, box in enumerate(asked.value.boxes, start=1):
        left, top, right, bottom = (round(edge) for edge in box)
        room = (right - left) // 2
        crop = shown[max(0, top - room) : bottom + room, max(0, left - room) : right + room]
        (face,) = parts.faces.analyse([np.ascontiguousarray(crop)])[0]
        workspace.choose_face(handle, number)
        assert float(face.embedding @ workspace.pictures.face(handle).face.embedding) > 0.6
        (seen,) = parts.faces.analyse([workspace.pictures.pixels(handle)])[0]
        np.testing.assert_allclose(seen.box, workspace.pictures.face(handle).face.box, atol=1)
        chosen = query_from_files([clip], faces=parts.faces, encoder=parts.encoder, face=number)
        assert workspace.find_person([handle], face=number).query_ids == chosen.photo_ids


def test_a_video_without_a_face_says_so(handlers: EventHandlers, tmp_path: Path) -> None:
    """One line names the video by its handle; nothing was searched."""
    clip, token = tmp_path / "wall.mp4", new_token()
    write_clip(clip, [grey(90)] * 6, rate=2)
    messages, findings, *_ = sent(handlers, token, clip)
    assert "hits shown from" not in findings
    assert "no face was found in any frame that was searched in Q1" in str(messages)


@pytest.mark.parametrize("kind", ["sound", "cut", "empty"])
def test_an_unreadable_video_leaves_the_question(
    handlers: EventHandlers, tmp_path: Path, kind: str
) -> None:
    """It is named, nothing is recorded, and what was typed is there to be sent again."""
    path = tmp_path / "uploads" / "talk.mp4"
    path.parent.mkdir()
    if kind == "sound":
        write_sound(path)
    else:
        write_clip(path, [astronaut_pixels()] * 6, rate=2)
        path.write_bytes(path.read_bytes()[: 300 if kind == "cut" else 0])
    messages, *_, box = sent(handlers, new_token(), path, text="find fakes")
    said = messages[-1]["content"].replace("&#95;", "_").replace("&#58;", ":")
    assert len(messages) == 1 and "talk.mp4: " in said and str(tmp_path) not in said
    assert box["value"] == {"text": "find fakes", "files": []}
    assert not path.exists() and not list(tmp_path.glob("cases/*/photos/*"))


def test_a_desk_looks_at_a_video_as_at_a_photo(case: Unmask, tmp_path: Path) -> None:
    """The frame, its face and its facts belong together; a file that is gone is told by handle."""
    clip, workspace = tmp_path / "ada.mp4", workspace_of(case)
    face = astronaut_pixels()
    write_clip(clip, [np.zeros_like(face), face, face, face], rate=2, title="Holiday")
    handle = workspace.add_photo(clip)
    assert workspace.add_photo(clip) == handle == "Q1"
    (seen,) = case.models.faces.analyse([workspace.pictures.pixels(handle)])[0]
    np.testing.assert_allclose(
        seen.keypoints, workspace.pictures.face(handle).face.keypoints, atol=1
    )
    assert workspace.pictures.metadata(handle)["title"] == "Holiday"
    said = [fact.shown for fact in workspace.facts(handle)]
    assert any("one face" in text for text in said)
    found = workspace.describe(handle).to_words()
    assert found["faces"] == "one" and found["format"] == "MPEG video"
    assert workspace.pictures.aligned(handle, 64).shape == (64, 64, 3)
    clip.unlink()
    with pytest.raises(ToolError, match="the file of Q1 cannot be read") as gone:
        workspace.pictures.pixels(handle)
    assert str(tmp_path) not in str(gone.value)


def test_a_video_of_a_wall_has_a_picture(case: Unmask, tmp_path: Path) -> None:
    """Without a face the middle frame stands for it."""
    workspace = workspace_of(case)
    handle = workspace.add_photo(write_clip(tmp_path / "wall.mp4", [grey(90)] * 6, rate=2))
    assert workspace.pictures.pixels(handle).shape == (64, 96, 3)
    assert workspace.pictures.analysis(handle).faces == ()
    with pytest.raises(NoFace):
        workspace.pictures.face(handle)


@pytest.mark.parametrize("name", ["a.mp4", "b.MOV", "c.mkv", "d.webm", "e.m2ts", "f.3gp", "g.gif"])
def test_the_message_box_takes_videos(handlers: EventHandlers, tmp_path: Path, name: str) -> None:
    """What Gradio checks before it hands a file on."""
    from gradio.components.multimodal_textbox import MultimodalData
    from gradio.data_classes import FileData

    async def built() -> gr.Blocks:  # in a loop, or Gradio would make one and leave it open
        return build_page(handlers, folders=[])

    page = asyncio.run(built())
    (box,) = [it for it in page.blocks.values() if isinstance(it, gr.MultimodalTextbox)]
    file = tmp_path / name
    file.write_bytes(b"x")
    given = MultimodalData(text="", files=[FileData(path=str(file))])
    assert box.preprocess(given) == {"text": "", "files": [str(file)]}
