"""Heat maps on the report's page, with what they do not show."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant import Unmask
from assistant.report.findings_page import write_report
from tests.assistant.chat.browser import (
    CHROMIUM,
    FURTHER,
    MAPS,
    PATIENCE_MS,
    SCREENSHOTS,
    map_of,
    seen,
)
from tools.localisers import LOCALISERS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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


def test_an_axis_keeps_its_bar_and_its_words_at_every_width(opened: "Page") -> None:
    """On paper and in narrow windows "not measured" stays in its card, beside a bar."""
    opened.evaluate(
        "for (const it of document.querySelectorAll('.track + span')) it.innerText = 'not measured'"
    )
    narrowest = """() => [...document.querySelectorAll(".axis")].map(axis => {
        const words = document.createRange();
        words.selectNodeContents(axis.querySelector(".track + span"));
        const card = axis.closest("article").getBoundingClientRect().right;
        const bar = axis.querySelector(".track").getBoundingClientRect().width;
        return Math.min(bar, 60 + card - words.getBoundingClientRect().right);
    })"""
    for media in ("screen", "print"):
        opened.emulate_media(media=media)
        for width in (380, 640, 740, 794, 900, 1100):
            opened.set_viewport_size({"width": width, "height": 900})
            found = opened.evaluate(narrowest)
            assert found and min(found) >= 60, (media, width, found)
