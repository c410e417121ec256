"""Maps as a person sees them: on the report and in the chat, with what they do not show."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant import Unmask
from assistant.report.findings_page import write_report
from tests.assistant.chat.test_browser import (
    CHROMIUM,
    PATIENCE_MS,
    SCREENSHOTS,
    Visit,
    answered,
    ask,
    browser,
    choose_gallery,
    home,
    scripted,
    visit,
)
from tools.localisers import LOCALISERS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["browser", "home", "scripted", "visit"]  # fixtures of the browser's tests

PICTURE = "Picture map"
MAPS = ("Heat map", "Distance map", PICTURE)
FURTHER = ("Grad-CAM", "Artefact boxes of sbi_caddm")

COLOURED = """picture => {
    const canvas = document.createElement("canvas");
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let coloured = 0;
    for (let at = 0; at < data.length; at += 4) {
        if (data[at] > data[at + 2] + 40) { coloured += 1; }
    }
    return coloured / (data.length / 4);
}"""
"""The share of a picture that is drawn over in yellow to red; the face beneath a map is grey."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def report(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that `unmask find --page` writes: a forgery, a copy and other people."""
    photo = case.settings.home / "SECRET_NAME.png"
    findings, query = case.investigate([photo], top=4)
    path = tmp_path_factory.mktemp("report") / "report.html"
    rule = case.models.rule
    return write_report(findings, query, path, rule=rule, instruments=case.models)


@pytest.fixture
def opened(browser: "Browser", report: Path) -> Iterator["Page"]:
    """The report in a browser; fails the test when it asks for any other file."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page, asked = context.new_page(), list[str]()
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def map_of(within: "Page | Locator", title: str, whose: str) -> "Locator":
    """The picture of one map; it is on the page once."""
    over = "the whole picture" if title == PICTURE else "the face"
    found = within.locator(f'img[alt^="{title} over {over} of {whose}:"]')
    found.wait_for()
    assert found.count() == 1
    return found


def seen(picture: "Locator") -> float:
    """Whether it can be seen: drawn, large enough to be read, on the page; its coloured share."""
    picture.scroll_into_view_if_needed()
    assert picture.is_visible()
    assert picture.evaluate("it => it.complete && it.naturalWidth") >= 96
    box = picture.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 120
    # Neither faces nor pictures are stretched.
    shape = picture.evaluate("it => it.naturalWidth / it.naturalHeight")
    if picture.evaluate("it => getComputedStyle(it).objectFit") != "contain":
        assert box["width"] / box["height"] == pytest.approx(shape, rel=0.05)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= picture.page.viewport_size["width"]  # type: ignore[index]
    return float(picture.evaluate(COLOURED))


def test_the_report_shows_maps_and_their_limits(opened: "Page") -> None:
    """Beside every face all maps, each with what it does not show, to be read without a click."""
    articles = opened.locator("article")
    assert articles.count() >= 2
    for number in range(articles.count()):
        article = articles.nth(number)
        for title in MAPS:
            picture = map_of(article, title, f"hit {number + 1}")
            seen(picture)
            caption = picture.locator("xpath=..").locator("figcaption")
            says, limits = caption.inner_text(), caption.locator("em")
            assert limits.is_visible()
            assert len(limits.inner_text()) > 30
            assert str(picture.get_attribute("alt")).partition(": ")[2] in says
        article.get_by_text("Further maps").click()
        for title in FURTHER:
            seen(map_of(article, title, f"hit {number + 1}"))
    heat = articles.first.locator("figcaption", has_text="Heat map")
    assert LOCALISERS[0].limits in heat.inner_text()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=SCREENSHOTS / "10-report-maps.png", full_page=True)


def test_the_report_lights_up_where_a_face_was_forged(opened: "Page") -> None:
    """The forgery's map is the one with colour; that of the copied photo stays grey."""
    shares = {}
    for number in range(opened.locator("article").count()):
        article = opened.locator("article").nth(number)
        for name in ("forged", "copy"):
            if f"{name}.jpg" in article.inner_text():
                shares[name] = seen(map_of(article, "Heat map", f"hit {number + 1}"))
    assert shares["forged"] > 0.05
    assert shares["copy"] < shares["forged"] / 2


def test_the_report_fits_a_phone_and_paper(opened: "Page") -> None:
    """Maps do not push the page sideways, and are there in print too."""
    opened.set_viewport_size({"width": 390, "height": 844})
    width = opened.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]
    for title in MAPS:
        seen(map_of(opened, title, "hit 1"))
    opened.screenshot(path=SCREENSHOTS / "11-report-maps-phone.png")
    opened.emulate_media(media="print")
    assert all(map_of(opened, title, "hit 1").is_visible() for title in MAPS)


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
