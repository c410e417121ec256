"""Fixtures: a browser that opens the page as a new user."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.assistant.chat.browser import CHROMIUM, PATIENCE_MS, QUIET, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """One chromium for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    """Opens the page as a new person; fails the test when anything leaves this machine."""
    from assistant.chat.page import STORAGE_KEY  # brings Gradio, which other tests do without

    contexts: list[BrowserContext] = []
    left: list[str] = []
    complaints: list[str] = []

    def visited(address: str, **options: object) -> "Page":
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: left.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.locator("#unmask-composer button.submit-button").wait_for()
        page.get_by_role("heading", name="Findings appear here").wait_for()
        # The case of this browser is known: before, what is sent is refused.
        page.wait_for_function("key => localStorage.getItem(key)", arg=STORAGE_KEY)
        return page

    yield visited
    for context in contexts:
        context.close()
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
    assert [url for url in left if not url.startswith(local)] == []
    assert complaints == []
