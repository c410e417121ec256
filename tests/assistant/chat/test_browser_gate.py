"""The page behind the gate of `unmask serve`, in Debian's Chromium: its policy, and its roles."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from assistant import Unmask
from assistant.case.locking import case_unit, lock_units
from assistant.case.record import Case
from assistant.chat.serving import mount_page
from assistant.server.access.accounts import AccountStore
from assistant.server.access.passwords import Cost
from assistant.server.access.roles import Identity
from assistant.server.api.services import Services
from assistant.server.serving import Server, build_server, listen
from tests.assistant.chat.browser import CHROMIUM, PATIENCE_MS, Visit, shot
from tests.assistant.server.serving import settings_in
from tests.support.cases import GALLERY, astronaut_pixels
from tests.support.scripted_model import ScriptedModel
from tools.gallery.locking.keys import passphrase_key

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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


@contextlib.contextmanager
def listening(server: Server) -> Iterator[str]:
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


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where the first server listens."""
    with listening(server) as at:
        yield at


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


# -- accounts -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with an investigator, whose case has hits, and a viewer."""
    folder = tmp_path_factory.mktemp("roles")
    copytree(case.settings.home / "galleries", folder / "home" / "galleries")
    settings = settings_in(folder, port=0)
    accounts = AccountStore(settings.config_dir, cost=Cost(n=16, r=1, p=1))
    for name, role in (("ada", "investigator"), ("eve", "viewer")):
        accounts.add(name, role, WORDS)
    made = build_server(settings, mcp=False, parts=Services.of(settings, case.models))
    mount_page(made, model=ScriptedModel())
    ada = Identity("ada", frozenset())
    found = made.parts.investigations.begin(ada, GALLERY)
    (photo,) = found.add_photos("Find fakes of her.", [case.settings.home / "SECRET_NAME.png"])
    found.call("find_person", {"photos": [photo], "top": 2}, who=ada, stop=threading.Event())
    return made


def logged_in(browser: "Browser", address: str, name: str) -> "Page":
    """The page after a login with name and password, with the list of cases."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Token or password").fill(WORDS)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text(f"{name}, ").wait_for()
    return page


def test_a_viewer_looks_and_an_investigator_decides(shared: Server, browser: "Browser") -> None:
    """Shared on the page; the viewer sees hits and no buttons, and pressing them is refused."""
    (case,) = (Case(it) for it in (shared.parts.settings.home / "cases").iterdir())
    with listening(shared) as address:
        viewer = logged_in(browser, address, "eve")
        viewer.get_by_text("No case is shared with you yet").wait_for()

        page = logged_in(browser, address, "ada")
        page.get_by_role("tab", name="Cases").click()
        page.once("dialog", lambda it: it.accept("eve"))
        page.get_by_role("button", name="Share").click()
        page.get_by_text("by ada · shared with eve").wait_for()

        viewer.reload()
        viewer.get_by_role("button", name="Open").click()
        viewer.locator("#unmask-detail").wait_for()
        shot(viewer, "gate-3-viewer")
        assert viewer.get_by_text("You may look at the cases").is_visible()
        for hidden in ("Confirm", "Keep note", "New case", "Rename", "Delete"):
            assert viewer.get_by_role("button", name=hidden).count() == 0, hidden
        assert not viewer.locator("#unmask-composer").is_visible()
        before = case.entries()
        for press in ("[data-press='mark:rejected']", "[data-press='export:json']"):
            viewer.locator(press).first.evaluate("it => it.click()")
            viewer.get_by_text("needs the role investigator").last.wait_for()
        upload = "fetch('/gradio_api/upload', {method: 'POST', body: new FormData()})"
        assert viewer.evaluate(f"{upload}.then(it => it.status)") == 403
        assert case.entries() == before
        assert not list(case.folder.glob("report.*"))

        page.get_by_role("button", name="Open").click()
        page.get_by_role("button", name="Confirm", exact=True).click()
        page.get_by_text("your decision: confirmed").first.wait_for()
        shot(page, "gate-4-investigator")
        (made,) = (it.body for it in case.entries() if it.kind == "decision")
        assert (made["decision"], made["user"]) == ("confirmed", "ada")

        shared.parts.accounts.set_role("eve", "investigator")
        viewer.reload()
        viewer.get_by_label("Token or password").wait_for()
