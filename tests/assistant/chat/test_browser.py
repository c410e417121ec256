"""The page in a real browser: Debian's chromium, driven by Playwright, over a real gallery."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from assistant import Unmask
from assistant.chat_model.choice import profile_checkpoint_dir
from assistant.settings import Settings
from tests.support.cases import GALLERY, impersonation
from tests.support.chat_server import SLOW_QUESTION
from tests.support.paths import ROOT
from tools.forge.forgery import save_forgery

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SCREENSHOTS = ROOT / "runs" / "screenshots"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 90_000
LEFT_OUT = re.compile(r"Stopped\. \d+ words? left out, not checked\.")
"""What stands where an answer was stopped: unchecked words are counted, never shown."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def home(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a small gallery, one impersonation in it, and photos to ask with."""
    home = tmp_path_factory.mktemp("chat") / "home"
    shutil.copytree(case.settings.home, home)
    swapped = home / "collection" / "swapped.jpg"
    save_forgery(impersonation(case, seed=0), swapped)
    Unmask(Settings(home=home), gallery=GALLERY, models=case.models).index([swapped])
    return home


def served(home: Path, model: str) -> Iterator[str]:
    """The address of a page; its process ends with the fixture."""
    command = [sys.executable, "-m", "tests.support.chat_server", str(home), model]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), address
        yield address
        server.terminate()


@pytest.fixture(scope="module")
def scripted(home: Path) -> Iterator[str]:
    """The page with a chat model whose replies are written down."""
    yield from served(home, "scripted")


@pytest.fixture(scope="module")
def pocket(home: Path) -> Iterator[str]:
    """The page with the pocket model."""
    yield from served(home, str(profile_checkpoint_dir(Settings())))


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """One chromium for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


Visit = Callable[..., "Page"]


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    """Opens the page as a new person; fails the test when anything leaves this machine."""
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
        return page

    yield visited
    for context in contexts:
        context.close()
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
    assert [url for url in left if not url.startswith(local)] == []
    assert complaints == []


def ask(page: "Page", text: str, *photos: Path) -> None:
    """Type a question, drop photos, send."""
    composer = page.locator("#unmask-composer")
    for photo in photos:
        composer.locator("input[type=file]").set_input_files(photo)
        composer.get_by_role("button", name="Remove").or_(
            composer.locator(".thumbnail-item")
        ).first.wait_for()
    composer.get_by_role("textbox").fill(text)
    composer.locator("button.submit-button").click()


def answered(page: "Page", number: int) -> None:
    """Wait until so many checked answers are there and nothing is being written."""
    page.locator("#unmask-chat .answer:not(.draft)").nth(number - 1).wait_for()
    page.locator("#unmask-composer button.submit-button").wait_for()


def shot(page: "Page", name: str) -> None:
    """Keep a picture of the page, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_an_investigation(pocket: str, visit: Visit, home: Path) -> None:
    """Upload, find, hits, detail, heat map, citation, follow-up: one person's way through."""
    page = visit(pocket)
    shot(page, "1-empty")
    look_up_a_word(page)
    choose_gallery(page)
    ask(page, "Find fakes of this person.", home / "SECRET_NAME.png")
    page.locator("button.hit").first.wait_for()
    answered(page, 1)
    assert page.get_by_text("Search the gallery · Q1").count() == 1
    shot(page, "2-hits")

    first = page.locator("button.hit").first
    assert "impersonation" in first.inner_text().lower()
    page.locator("button.hit").nth(1).click()
    page.get_by_role("heading", name="H2", exact=True).wait_for()
    first.click()
    page.get_by_role("heading", name="H1", exact=True).wait_for()
    assert page.locator(".evidence tbody tr").count() >= 10

    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    assert page.locator(".compare").get_attribute("style") == "--at: 51%;"
    page.get_by_role("button", name="Show a heat map").click()
    page.get_by_alt_text("Heat map over the face of H1").wait_for()

    hints = page.locator("#unmask-one .evidence .term")
    assert "scale without limits" in (
        hints.filter(has_text=re.compile("^logit$")).first.get_attribute("title") or ""
    )
    badge = page.locator("#unmask-one .badge").get_attribute("title")
    assert badge is not None and "reason to look, not proof" in badge

    mark = page.locator("#unmask-one details.cite").first
    mark.locator("summary").click()
    assert mark.locator(".card").is_visible()
    assert mark.locator("summary .of").get_attribute("title")
    shot(page, "3-detail")
    page.get_by_role("heading", name="Evidence").click()
    assert not mark.locator(".card").is_visible()
    page.get_by_role("button", name="Why?").click()
    answered(page, 2)
    assert page.locator("#unmask-chat .cite").count() > 0
    shot(page, "4-follow-up")


def look_up_a_word(page: "Page") -> None:
    """The question mark opens the glossary; Escape closes it, and so does a press outside."""
    opener = page.locator("#unmask-head .glossary > summary")
    terms = page.get_by_role("region", name="Glossary")
    assert not terms.is_visible()
    for close in (lambda: page.keyboard.press("Escape"), page.locator("#unmask-findings").click):
        opener.click()
        terms.get_by_text("Equal error rate").wait_for()
        shot(page, "1-glossary")
        close()
        terms.wait_for(state="hidden")


def choose_gallery(page: "Page") -> None:
    """Choose the gallery of these tests."""
    box = page.get_by_role("combobox", name="Gallery to search")
    if box.input_value() != GALLERY:
        box.fill(GALLERY)
        box.press("Enter")


def test_an_answer_can_be_stopped(scripted: str, visit: Visit) -> None:
    """Stop ends the text at once and says what was left out; the next question is answered."""
    page = visit(scripted)
    writing, ended = page.locator("#unmask-chat .draft"), page.locator("#unmask-chat .ended")
    ask(page, SLOW_QUESTION)
    writing.get_by_text("words").wait_for()
    page.locator("#unmask-composer button.stop-button").click()
    ended.get_by_text(LEFT_OUT).wait_for()
    assert writing.count() == 0
    page.get_by_role("button", name="Retry").last.click()
    writing.get_by_text("words").wait_for()
    assert page.get_by_text(SLOW_QUESTION).count() == 2
    page.locator("#unmask-composer button.stop-button").click()
    ended.get_by_text(LEFT_OUT).nth(1).wait_for()
    assert "I can search the gallery" not in page.locator("#unmask-chat").inner_text()
    ask(page, "What can you do?")
    answered(page, 1)


def test_two_people_at_once_do_not_mix(scripted: str, visit: Visit, home: Path) -> None:
    """Questions asked at the same time get their own answers, photos and findings."""
    one, other = visit(scripted), visit(scripted)
    choose_gallery(one)
    ask(one, "Find fakes of this person.", home / "SECRET_NAME.png")
    other.get_by_role("button", name="What can you do?").click()  # an example that runs
    answered(other, 1)
    one.locator("button.hit").first.wait_for()
    answered(one, 1)
    assert other.locator("button.hit").count() == 0
    assert "Find fakes of this person." not in other.locator("#unmask-chat").inner_text()
    assert "What can you do" not in one.locator("#unmask-chat").inner_text()
    other.reload()
    other.get_by_text("What can you do?").first.wait_for()
    assert other.locator("button.hit").count() == 0


def test_a_broken_upload_is_explained(scripted: str, visit: Visit, home: Path) -> None:
    """A file that is no picture gets a sentence, and the question stays in the box."""
    page = visit(scripted)
    ask(page, "Find fakes of this person.", home / "SECRET_TEXT.jpg")
    problem = page.get_by_role("alert").filter(has_text="SECRET_TEXT.jpg")
    problem.wait_for()
    box = page.locator("#unmask-composer").get_by_role("textbox")
    box.wait_for()
    page.wait_for_function(
        "box => box.value === 'Find fakes of this person.'", arg=box.element_handle()
    )
    shot(page, "5-broken-upload")


def test_a_reload_keeps_the_case(scripted: str, visit: Visit, home: Path) -> None:
    """Conversation, findings and the values in them are there again; a new case is empty."""
    page = visit(scripted)
    choose_gallery(page)
    ask(page, "Find fakes of this person.", home / "SECRET_NAME.png")
    answered(page, 1)
    before = page.locator("#unmask-chat .answer").first.inner_text()
    hits = page.locator("button.hit").count()
    page.reload()
    page.locator("button.hit").first.wait_for()
    assert page.locator("#unmask-chat .answer").first.inner_text() == before
    assert page.locator("button.hit").count() == hits
    page.get_by_role("button", name="New case").click()
    page.get_by_role("heading", name="Findings appear here").wait_for()
    assert page.locator("#unmask-chat .answer").count() == 0


def test_dark_and_phone(scripted: str, visit: Visit, home: Path) -> None:
    """In the dark colours and on a phone nothing is cut off sideways."""
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    for name, options in {"dark": {"color_scheme": "dark"}, "phone": phone}.items():
        page = visit(scripted, **options)
        choose_gallery(page)
        ask(page, "Find fakes of this person.", home / "SECRET_NAME.png")
        page.locator("button.hit").first.wait_for()
        answered(page, 1)
        shot(page, f"6-{name}")
        width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1]
    page.locator("button.hit").first.scroll_into_view_if_needed()
    shot(page, "7-phone-hits")
    page.locator("button.hit").first.click()
    page.get_by_role("heading", name="H1", exact=True).scroll_into_view_if_needed()
    shot(page, "8-phone-detail")


def test_a_gallery_is_filled_while_the_page_stays_usable(
    scripted: str, visit: Visit, tmp_path: Path
) -> None:
    """Dropped pictures are added with progress, and the chat answers meanwhile."""
    pictures = []
    for number in range(3):
        path = tmp_path / f"picture {number}.png"
        Image.new("RGB", (64, 64), (number * 80, 60, 90)).save(path)
        pictures.append(path)
    page = visit(scripted)
    box = page.get_by_role("combobox", name="Gallery to search")
    box.fill("dropped-ones")
    box.press("Enter")
    page.get_by_role("button", name="Add images and videos to this gallery").click()
    panel = page.locator("#unmask-panel")
    panel.locator("input[type=file]").set_input_files(pictures)
    panel.get_by_text("picture 2").first.wait_for()
    panel.get_by_role("button", name="Add these files").click()
    ask(page, "What can you do?")
    answered(page, 1)
    panel.get_by_text("3 images added").wait_for()
    page.evaluate("window.scrollTo(0, 0)")
    shot(page, "9-gallery")
