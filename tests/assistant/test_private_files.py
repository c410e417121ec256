"""File permissions: only the owner can read personal data, whatever the umask."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import skimage.data
from PIL import Image
from typer.testing import CliRunner

from assistant.case.record import Case
from assistant.chat.serving import build_app
from assistant.cli.main import app
from assistant.investigation import Unmask
from assistant.profile import LoadedModels
from assistant.server.work.index_jobs import GalleryIndexer
from assistant.settings import Settings
from tests.support.chat_servers import completion, run_chat_server, send
from tools.media.private_files import (
    open_private,
    private_file,
    private_folder,
    private_umask,
    restrict_permissions,
)


@pytest.fixture(params=["0000", "0022"])
def loose(request: pytest.FixtureRequest) -> Iterator[None]:
    """A umask that lets others read."""
    before = os.umask(int(request.param, 8))
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The rights of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """Everything in a folder, itself included, that others could look at."""
    return [str(it) for it in (folder, *folder.rglob("*")) if mode(it) & 0o077]


def unmask(*words: object) -> None:
    """The command line, in process."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_whole_data_folder_is_private(loose: None, home: Path, tmp_path: Path) -> None:
    """After indexing, finding with a page, asking, uploads and a demo of the page's kind."""
    photos = tmp_path / "photos"
    photos.mkdir()
    person = photos / "person.png"
    Image.fromarray(skimage.data.astronaut()).save(person)
    page = tmp_path / "page.html"
    page.write_text("of before")
    page.chmod(0o644)

    unmask("index", photos)
    unmask("find", person, "--quick", "--page", page)
    with run_chat_server(
        lambda request, _: send(request, 200, completion({"role": "assistant", "content": "Hi."}))
    ) as address:
        unmask("ask", person, "who is it?", "--vlm", address)
    settings = Settings.load()
    prepare_and_upload(settings, person)
    assert open_to_others(home) == []
    assert mode(page) == 0o600
    assert {it.name for it in home.iterdir()} >= {"galleries", "cases", "uploads", "dropped"}


def prepare_and_upload(settings: Settings, picture: Path) -> None:
    """What the page does with two dropped files: one goes into a gallery, one stays a photo."""
    page, options = build_app(settings, model=None)  # type: ignore[arg-type] - it is not asked
    _, address, _ = page.launch(**options, prevent_thread_lock=True, quiet=True)
    try:
        for _ in range(2):
            with picture.open("rb") as file:
                answer = httpx.post(f"{address}gradio_api/upload", files={"files": file})
            upload = Path(answer.raise_for_status().json()[0])
        assert upload.is_relative_to(settings.home / "uploads")
        assert open_to_others(settings.home / "uploads") == []
        job = GalleryIndexer(settings, LoadedModels(settings)).add_files("default", [upload])
        assert job.done.wait(300)
        assert not job.problem
    finally:
        page.close()  # Gradio deletes uploads then


def test_python_leaves_nothing_open(loose: None, home: Path, tmp_path: Path) -> None:
    """A library does not touch its caller's umask, and is as private."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(skimage.data.astronaut()).save(photos / "person.png")
    before = os.umask(0o022)
    os.umask(before)
    Unmask(Settings.load()).index(photos)
    assert open_to_others(home) == []
    after = os.umask(before)
    assert after == before


def test_what_lies_open_from_before_is_closed(home: Path, tmp_path: Path) -> None:
    """Galleries and cases of an earlier release are closed when they are opened or listed."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(skimage.data.astronaut()).save(photos / "person.png")
    unmask("index", photos)
    record = Case.create(home, gallery="default")
    for path in (home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    unmask("find", photos / "person.png", "--quick")
    assert open_to_others(home / "galleries") == []
    Case.open(home, record.id)
    assert open_to_others(home / "cases") == []
    shutil.rmtree(home / "galleries")


def test_folders_and_files_are_made_private(loose: None, tmp_path: Path) -> None:
    """New ones, parents included; parents that were there stay as they are."""
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there").chmod(0o755)
    folder = private_folder(tmp_path / "there" / "a" / "b")
    file = private_file(folder / "file")
    with open_private(folder / "text") as text:
        text.write("ä")
    assert [mode(it) for it in (folder, folder.parent)] == [0o700, 0o700]
    assert [mode(it) for it in (file, folder / "text")] == [0o600, 0o600]
    assert mode(tmp_path / "there") == 0o755
    assert (folder / "text").read_text("utf-8") == "ä"


def test_tightening_follows_no_link_and_keeps_the_owners_rights(tmp_path: Path) -> None:
    """What a link points to is somebody else's business; executable stays executable."""
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.write_text("")
    outside.chmod(0o644)
    folder.mkdir()
    (folder / "run").touch()
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to(outside)
    (folder / "dangling").symlink_to(tmp_path / "nothing")
    restrict_permissions(folder)
    restrict_permissions(tmp_path / "nothing")
    assert mode(outside) == 0o644
    assert mode(folder / "run") == 0o700


def test_a_device_stays_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    """A page may be written to /dev/stdout."""
    before = mode(Path("/dev/null"))
    with open_private(Path("/dev/null")) as file:
        file.write("x")
    assert mode(Path("/dev/null")) == before


def test_the_umask_comes_back(tmp_path: Path) -> None:
    """It is private inside, and as before outside."""
    before = os.umask(0o022)
    try:
        with private_umask():
            (tmp_path / "inside").touch()
        (tmp_path / "outside").touch()
    finally:
        os.umask(before)
    assert (mode(tmp_path / "inside"), mode(tmp_path / "outside")) == (0o600, 0o644)
