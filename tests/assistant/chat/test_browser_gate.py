"""The page behind the gate of `unmask serve`, in Debian's Chromium: it works within its policy."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from assistant.case.locking import case_unit, lock_units
from assistant.case.record import Case
from assistant.chat.serving import mount_page
from assistant.server.serving import Server, build_server, listen
from tests.assistant.chat.browser import CHROMIUM, Visit, shot
from tests.assistant.server.serving import settings_in
from tests.support.cases import astronaut_pixels
from tests.support.scripted_model import ScriptedModel
from tools.gallery.locking.keys import passphrase_key

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.allow_hosts(["127.0.0.1"]),
]
WORDS = "four words are enough"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with the page, over a data folder with one locked case."""
    folder = tmp_path_factory.mktemp("gate")
    made = build_server(settings_in(folder, port=0), mcp=False)
    mount_page(made, model=ScriptedModel())
    settings = made.parts.settings
    Image.fromarray(astronaut_pixels()).save(folder / "ada.png")
    case = Case.create(settings.home, gallery="forum")
    (copy,) = case.keep_photos([folder / "ada.png"])
    case.begin_turn("Find fakes of Ada.", {"Q1": copy}, gallery="forum")
    (done,) = lock_units(settings, [case_unit(settings, case.id)], passphrase_key(WORDS))
    assert done.changed
    return made


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where it listens, in a thread."""
    told, started, ended = list[str](), threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: listen(
            server, on_start=lambda at: (told.append(at), started.set()), stop=ended
        ),
        daemon=True,
    )
    thread.start()
    assert started.wait(60)
    yield told[0]
    ended.set()
    thread.join(20)


def test_the_page_works_within_its_policy_and_unlocks_a_case(
    address: str, server: Server, visit: Visit, folder_of_case: Path
) -> None:
    """A one-time link opens it, the browser refuses nothing of it, and a lock opens."""
    page = visit(f"{address}/login#{server.access.logins.link()}")
    refused: list[str] = []
    page.on("console", lambda it: refused.append(it.text) if "Security Policy" in it.text else None)
    page.reload()
    page.locator("#unmask-composer button.submit-button").wait_for()
    page.get_by_role("tab", name="Cases").click()
    page.get_by_text("Locked case").wait_for()
    assert "Ada" not in page.locator(".cases").first.inner_text()
    shot(page, "gate-1-locked")
    page.get_by_label("Passphrase of the case").fill(WORDS)
    page.get_by_role("button", name="Unlock").click()
    page.get_by_text("Find fakes of Ada.").wait_for()
    shot(page, "gate-2-unlocked")
    assert not (folder_of_case / "locked.age").exists()
    assert refused == []


@pytest.fixture
def folder_of_case(server: Server) -> Path:
    """The folder of the one case."""
    (folder,) = (server.parts.settings.home / "cases").iterdir()
    return folder
