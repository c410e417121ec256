"""One real browser among the visitors: Chromium asks, reloads and finds its conversation again."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from evals.suites.resilience.soak.scene import VisitorPhoto
from evals.suites.resilience.soak.visitor import FIND

if TYPE_CHECKING:
    from playwright.sync_api import Page

_NAMES = ("chromium", "chromium-browser", "chrome")
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_PATIENCE_MS = 600_000.0
_FOLLOW_UP = "How many pictures are in the gallery?"


@dataclass
class BrowserSession:
    """What happened in the browser; `errors` are JavaScript errors and failed expectations."""

    answers: int = 0
    reloads: int = 0
    errors: list[str] = field(default_factory=list)


def is_available() -> bool:
    """Whether playwright and a Chromium are installed."""
    return find_spec("playwright") is not None and any(map(shutil.which, _NAMES))


def browse(
    address: str, photo: VisitorPhoto, until: Callable[[], bool], session: BrowserSession
) -> None:
    """Ask and reload until it is time."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, _NAMES)))
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        page = browser.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("pageerror", lambda error: session.errors.append(str(error)[:200]))
        try:
            page.goto(address)
            _ready(page)
            _ask(page, FIND, photo)
            _answered(page, session)
            while not until():
                _ask(page, _FOLLOW_UP)
                _answered(page, session)
                page.reload()
                _ready(page)
                page.locator("#unmask-chat .answer:not(.draft)").nth(session.answers - 1).wait_for()
                session.reloads += 1
        except Error as error:
            session.errors.append(str(error).splitlines()[0][:200])
        finally:
            browser.close()


def _ready(page: "Page") -> None:
    """The message box works once the page has identified its case."""
    page.locator("#unmask-composer textarea:not([disabled])").wait_for()
    page.locator("#unmask-composer button.submit-button").wait_for()


def _ask(page: "Page", text: str, photo: VisitorPhoto | None = None) -> None:
    composer = page.locator("#unmask-composer")
    if photo is not None:
        composer.locator("input[type=file]").set_input_files(photo.path)
        composer.locator(".thumbnail-item").first.wait_for()
    composer.get_by_role("textbox").fill(text)
    composer.locator("button.submit-button").click()


def _answered(page: "Page", session: BrowserSession) -> None:
    page.locator("#unmask-chat .answer:not(.draft)").nth(session.answers).wait_for()
    page.locator("#unmask-composer button.submit-button").wait_for()
    session.answers = page.locator("#unmask-chat .answer:not(.draft)").count()
