"""The chat page in Debian's Chromium, driven by Playwright, over a real gallery."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from assistant import Unmask
from assistant.chat_model.choice import profile_checkpoint_dir
from assistant.settings import Settings
from tests.assistant.chat.browser import (
    CHROMIUM,
    FURTHER,
    MAPS,
    SCREENSHOTS,
    Visit,
    answered,
    ask,
    choose_files,
    map_of,
    seen,
    served,
    shot,
)
from tests.support.cases import GALLERY, impersonation
from tests.support.chat_server import SLOW_QUESTION
from tools.forge.forgery import save_forgery
from tools.localisers import LOCALISERS

if TYPE_CHECKING:
    from playwright.sync_api import Page

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


@pytest.fixture(scope="module")
def scripted(home: Path) -> Iterator[str]:
    """The page with a chat model whose replies are written down."""
    yield from served(home, "scripted")


@pytest.fixture(scope="module")
def pocket(home: Path) -> Iterator[str]:
    """The page with the pocket model."""
    yield from served(home, str(profile_checkpoint_dir(Settings())))


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
    title = page.locator("#unmask-detail-title")
    page.get_by_role("heading", name="H2", exact=True).wait_for()
    page.get_by_text("where this image is stored").scroll_into_view_if_needed()
    scrolled = "it => it.closest('#unmask-findings .column').scrollTop"
    assert title.evaluate(scrolled) > 0
    top = title.bounding_box()
    assert top is not None
    assert 0 <= top["y"] < 300, "whose buttons these are cannot be seen"
    first.click()
    page.get_by_role("heading", name="H1", exact=True).wait_for()
    page.wait_for_function(f"({scrolled})(document.querySelector('#unmask-detail-title')) === 0")
    assert page.locator(".evidence tbody tr").count() >= 10

    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    assert page.locator(".compare").get_attribute("style") == "--at: 51%;"
    page.get_by_role("button", name="Show a heat map").click()
    page.get_by_alt_text("Heat map over the face of H1").wait_for()

    hints = page.locator("#unmask-one .evidence .term")
    assert "no natural scale" in (
        hints.filter(has_text=re.compile("^points$")).first.get_attribute("title") or ""
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


def test_a_second_tab_follows_an_answer(scripted: str, visit: Visit) -> None:
    """It shows what the first one began, goes on when that one is closed, and can stop it."""
    page = visit(scripted)
    ask(page, SLOW_QUESTION)
    page.locator("#unmask-chat .draft").get_by_text("words").wait_for()
    second = page.context.new_page()
    second.goto(scripted)
    second.locator("#unmask-chat .draft").get_by_text("words").wait_for()
    assert page.locator("#unmask-chat .draft").get_by_text("words").count() == 1
    page.close()
    before = second.locator("#unmask-chat .draft").inner_text()
    second.wait_for_function(
        "before => { const now = document.querySelector('#unmask-chat .draft');"
        " return now && now.innerText !== before; }",
        arg=before,
    )
    second.locator("#unmask-composer button.stop-button").click()
    second.locator("#unmask-chat .ended").get_by_text(LEFT_OUT).wait_for()
    second.locator("#unmask-composer button.submit-button").wait_for()


def test_a_check_stays_while_a_search_runs(scripted: str, visit: Visit, home: Path) -> None:
    """Each in its own tab, as it was; an answer takes nobody away from a check."""
    page = visit(scripted)
    choose_gallery(page)
    photo = home / "SECRET_NAME.png"
    ask(page, "Find fakes of this person.", photo)
    page.locator("#unmask-composer button.stop-button").wait_for()
    page.get_by_role("tab", name="Check a photo").click()
    choose_files(page.locator("#unmask-check-first"), photo)
    page.get_by_role("button", name="Check", exact=True).click()
    checked = page.get_by_role("heading", name="Checked", exact=True)
    checked.wait_for()
    page.locator("button.hit").first.wait_for(state="attached")
    assert checked.is_visible()
    assert not page.locator("button.hit").first.is_visible()
    page.get_by_role("tab", name="Search a collection").click()
    answered(page, 1)
    page.locator("button.hit").first.wait_for()
    assert not checked.is_visible()


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
        scheme = "getComputedStyle(document.querySelector('#unmask-list')).colorScheme"
        assert page.evaluate(scheme) == ("dark" if name == "dark" else "light")  # of scroll bars
        for task in ("Search a collection", "Check a photo", "Compare two photos", "Cases"):
            assert page.get_by_role("tab", name=task).is_visible(), task
    page.locator("button.hit").first.scroll_into_view_if_needed()
    shot(page, "7-phone-hits")
    page.locator("button.hit").first.click()
    page.get_by_role("heading", name="H1", exact=True).scroll_into_view_if_needed()
    shot(page, "8-phone-detail")
    page.get_by_role("heading", name="Explanation", exact=True).scroll_into_view_if_needed()
    shot(page, "9-phone-below")
    back = page.get_by_role("button", name="Back to the list")
    place = back.bounding_box()
    assert place is not None and 0 <= place["y"] < 200, "out of sight"
    back.click()
    page.wait_for_function(
        "() => { const { top, bottom } = document.querySelector('button.hit[aria-pressed=true]')"
        ".getBoundingClientRect(); return 0 < top && bottom < innerHeight; }"
    )


def test_a_gallery_is_filled_while_the_page_stays_usable(
    scripted: str, visit: Visit, tmp_path: Path
) -> None:
    """Dropped pictures are added with progress, and the chat answers meanwhile."""
    pictures = []
    for number in range(3):
        path = tmp_path / f"picture {number}.png"
        Image.new("RGB", (64, 64), (number * 80, 60, 90)).save(path)
        pictures.append(path)
    foreign = tmp_path / "Thumbs.db"
    foreign.write_text("no picture")
    page = visit(scripted)
    box = page.get_by_role("combobox", name="Gallery to search")
    box.fill("dropped-ones")
    box.press("Enter")
    page.get_by_role("button", name="Add images and videos to this gallery").click()
    panel = page.locator("#unmask-panel")
    choose_files(panel, *pictures, foreign)
    panel.get_by_role("button", name="Add these files").click()
    message = page.locator("#unmask-composer textarea").bounding_box()
    assert message is not None
    assert message["y"] + message["height"] < page.viewport_size["height"]  # type: ignore[index]
    ask(page, "What can you do?")
    answered(page, 1)
    panel.get_by_text("3 images added").wait_for()
    assert "Skipped: Thumbs.db (not an image)." in panel.inner_text()
    page.evaluate("window.scrollTo(0, 0)")
    shot(page, "9-gallery")


def test_the_chat_shows_maps_of_the_chosen_hit(scripted: str, visit: Visit, home: Path) -> None:
    """Asked for by a button, all maps appear in the detail, with their limits in words."""
    page = visit(scripted)
    choose_gallery(page)
    ask(page, "Find fakes of this person.", home / "SECRET_NAME.png")
    page.locator("button.hit").first.wait_for()
    answered(page, 1)
    sources = []
    for handle in ("H1", "H2"):
        page.locator("button.hit").nth(int(handle[1:]) - 1).click()
        page.get_by_role("heading", name=handle, exact=True).wait_for()
        detail = page.locator("#unmask-detail")
        assert detail.locator('img[alt^="Heat map"]').count() == 0
        detail.get_by_role("button", name="Show a heat map").click()
        for title in MAPS:
            picture = map_of(detail, title, handle)
            seen(picture)
            limits = detail.locator("p.small", has_text=f"{title}: ")
            assert limits.is_visible()
            assert len(limits.inner_text()) > len(title) + 30
            sources.append(picture.get_attribute("src"))
        detail.get_by_text("Further maps").click()
        for title in FURTHER:
            seen(map_of(detail, title, handle))
            assert detail.locator("p.small", has_text=f"{title}: ").is_visible()
    assert LOCALISERS[0].limits in page.locator("#unmask-detail").inner_text()
    assert not {*sources[:3]} & {*sources[3:]}  # every map is that of its hit
    page.locator("button.hit").first.click()
    map_of(page.locator("#unmask-detail"), "Heat map", "H1")  # remembered
    page.screenshot(path=SCREENSHOTS / "12-chat-maps.png")
