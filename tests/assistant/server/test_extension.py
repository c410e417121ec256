"""The browser extension in Debian's Chromium, against a server that listens.

The browser's own menu cannot be pressed from a test: the press is dispatched to the extension,
after the browser gave it the access that a press gives (`Extensions.triggerAction`).
"""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from assistant import Unmask
from assistant.server.access.tokens import TokenStore
from assistant.server.browser.extension import write_extension
from assistant.server.serving import Server, listen
from tests.assistant.chat.browser import CHROMIUM, PATIENCE_MS, QUIET, shot
from tests.assistant.server.serving import server_in
from tests.support.cases import astronaut_pixels, impersonation

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

EVIL_NAME = "<img src=x onerror=alert(1)>.png"


def png(pixels: np.ndarray) -> bytes:
    """Pixels as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def site(case: Unmask) -> Iterator[int]:
    """The port of a site with a page, a picture of its own, and one that it may not read."""
    swap, grey = png(impersonation(case, seed=0).pixels), png(np.full((64, 64, 3), 128, np.uint8))

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            near, far = (
                quote(f"/pictures/{EVIL_NAME}"),
                f"http://far.test:{server.server_port}/far.png",
            )
            page = f'<title>News</title><img id="near" src="{near}"><img id="far" src="{far}">'
            found = {"/": ("text/html", page.encode()), "/far.png": ("image/png", grey)}
            kind, body = found.get(self.path, ("image/png", swap))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def server(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with real models."""
    return server_in(tmp_path_factory.mktemp("extension"), case.models, port=0)


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where it listens."""
    told, started, ended = list[str](), threading.Event(), threading.Event()

    def on_start(address: str) -> None:
        told.append(address)
        started.set()

    thread = threading.Thread(
        target=lambda: listen(server, on_start=on_start, stop=ended), daemon=True
    )
    thread.start()
    assert started.wait(60)
    yield told[0]
    ended.set()
    thread.join(20)


class Extended:
    """Chromium with the extension, whose options are open."""

    def __init__(self, context: "BrowserContext", folder: Path) -> None:
        assert context.browser is not None
        self.context, self._browser = context, context.browser.new_browser_cdp_session()
        with context.expect_event("serviceworker") as worker:
            self.id = self._browser.send("Extensions.loadUnpacked", {"path": str(folder)})["id"]
        self._worker = worker.value
        (self.options,) = context.pages  # a browser's first, empty tab is used for it
        self.options.wait_for_url("**/options.html")

    def grant(self, page: "Page") -> None:
        """What a press gives: access to this page; closes the window that the button opens."""
        tabs = self._browser.send("Target.getTargets", {"filter": [{"type": "tab"}]})
        (tab,) = (it["targetId"] for it in tabs["targetInfos"] if it["url"] == page.url)
        with self.context.expect_page() as opened:
            self._browser.send("Extensions.triggerAction", {"id": self.id, "targetId": tab})
        opened.value.get_by_text("Right-click a picture on a page").wait_for()
        opened.value.close()

    def press(self, page: "Page", source: str) -> "Page":
        """Choose "Check with Unmask" of a picture; the window that opens."""
        page.bring_to_front()
        with self.context.expect_page() as opened:
            self._worker.evaluate(
                """async (source) => {
                  const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
                  const info = { menuItemId: "check", srcUrl: source, frameId: 0 };
                  chrome.contextMenus.onClicked.dispatch(info, tab);
                }""",
                source,
            )
        opened.value.set_viewport_size({"width": 500, "height": 860})
        return opened.value


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extended]:
    """The browser of a person who just loaded the extension."""
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("chromium")
    write_extension(folder / "extension")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile", executable_path=CHROMIUM,
            ignore_default_args=["--disable-extensions"],
            args=[
                *QUIET, "--enable-unsafe-extension-debugging",
                "--host-resolver-rules=MAP *.test 127.0.0.1",
            ],
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        yield Extended(context, folder / "extension")
        context.close()


def test_a_pressed_picture_is_checked_beside_its_page(
    extended: Extended, server: Server, address: str, site: int, tmp_path: Path
) -> None:
    """From the options to the answer: errors that say what to do, no access before the press."""
    token = TokenStore(server.parts.settings.config_dir).create("browser", ["check"])
    page = extended.context.new_page()
    said: list[str] = []
    for it in (extended.options, page):
        it.on("dialog", lambda dialog: said.append(dialog.message))
    options = extended.options
    for where, secret, told in (
        ("http://192.0.2.7:7860", token, "this machine only"),
        (address, "password", "A token begins with"),
        ("http://127.0.0.1:1", token, "start it with “unmask serve”"),
        (f"http://127.0.0.1:{site}", token, "Something other than Unmask"),
        (address, token[:-4] + "oops", "refused the token"),
        (address, token, "the token is right"),
    ):
        options.get_by_label("Address").fill(where)
        options.get_by_label("Token").fill(secret)
        options.get_by_role("button", name="Save and test").click()
        options.get_by_text(told).wait_for()
    shot(options, "extension-1-options")

    page.goto(f"http://near.test:{site}/")
    near = page.locator("#near").evaluate("it => it.currentSrc")
    closed = extended.press(page, near)
    closed.get_by_text("does not let extensions read this page").wait_for()
    closed.close()

    extended.grant(page)
    window = extended.press(page, near)
    window.on("dialog", lambda dialog: said.append(dialog.message))
    answer = window.locator("#answer")
    answer.get_by_text("What this cannot say").wait_for()
    assert "<img src=x" not in window.locator("#name").inner_text()  # < and > are no letters
    assert "onerror" in window.locator("#name").inner_text()
    face = answer.locator("article")
    assert face.locator(".badge").inner_text().lower() == "forged"
    assert "does not mean that a picture is authentic" in answer.inner_text()
    assert face.locator("canvas").evaluate(
        "it => new Set(it.getContext('2d').getImageData(0, 0, 192, 192).data).size > 50"
    )
    face.locator("summary").click()
    assert "logit" in face.locator("li").first.inner_text()
    shot(window, "extension-2-answer")

    portrait = tmp_path / "ada.png"
    portrait.write_bytes(png(astronaut_pixels()))
    window.get_by_label("Is it this person?").set_input_files(portrait)
    answer.get_by_text("same person").first.wait_for()
    assert "impersonation" in face.locator(".badge").inner_text().lower()
    shot(window, "extension-3-person")

    window.get_by_role("button", name="Open it in Unmask").click()
    answer.get_by_text("this server has no page", exact=False).wait_for()
    server.parts.handoffs.has_page = True
    window.get_by_label("Check another picture").set_input_files(portrait)
    window.get_by_role("button", name="Open it in Unmask").wait_for()
    with extended.context.expect_page() as opened:
        window.get_by_role("button", name="Open it in Unmask").click()
    login = opened.value
    login.get_by_label("Token").wait_for()
    login.locator("form[action*='#handoff=']").wait_for()  # the page's script has run
    action = login.locator("form").get_attribute("action") or ""
    handed = server.parts.handoffs.take(action.removeprefix("/login#handoff="))
    assert handed is not None
    assert handed.photos == (("ada.png", portrait.read_bytes()),)
    assert handed.references == (("person-1", portrait.read_bytes()),)
    for it in (login, window, page):
        it.close()
    assert said == []


def test_a_picture_of_another_site_is_opened_by_itself(
    extended: Extended, server: Server, address: str, site: int
) -> None:
    """A page may not read it, so its file is read in a tab of its own, and never the screen."""
    token = TokenStore(server.parts.settings.config_dir).create("again", ["check"])
    extended.options.get_by_label("Address").fill(address)
    extended.options.get_by_label("Token").fill(token)
    extended.options.get_by_role("button", name="Save and test").click()
    extended.options.get_by_text("the token is right").wait_for()
    page = extended.context.new_page()
    page.goto(f"http://near.test:{site}/")
    extended.grant(page)
    window = extended.press(page, page.locator("#far").evaluate("it => it.currentSrc"))
    window.get_by_text("lies on another site").wait_for()
    shot(window, "extension-4-far")
    with extended.context.expect_page() as opened:
        window.get_by_role("button", name="Open the picture in a tab of its own").click()
    alone = opened.value
    alone.wait_for_load_state()
    assert alone.url == f"http://far.test:{site}/far.png"
    window.close()
    extended.grant(alone)
    again = extended.press(alone, alone.url)
    again.get_by_text("No face could be checked").wait_for()
    assert again.locator("#name").inner_text() == "far.png"
