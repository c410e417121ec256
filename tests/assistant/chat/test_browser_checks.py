"""Photos without a gallery on the page, in Debian's Chromium: check one, compare two."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from assistant import Unmask
from tests.assistant.chat.browser import CHROMIUM, Visit, seen, served, shot
from tests.support.cases import altered_portrait, astronaut_pixels, impersonation
from tools.forge.forgery import save_forgery

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def home(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty data folder, and beside it a portrait, a swap, and the portrait with a swap."""
    folder = tmp_path_factory.mktemp("checks")
    Image.fromarray(astronaut_pixels()).save(folder / "ada.png")
    (folder / "notes.jpg").write_text("no picture")
    save_forgery(impersonation(case, seed=0), folder / "swapped.jpg")
    save_forgery(altered_portrait(case), folder / "altered.jpg")
    return folder / "home"


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """The page over an empty data folder."""
    yield from served(home, "scripted")


def test_a_photo_is_checked_without_a_collection(address: str, visit: Visit, home: Path) -> None:
    """The first screen offers it; the verdict, both axes, the map, and no file left behind."""
    page = visit(address)
    page.get_by_role("tab", name="Check a photo").click()
    shot(page, "check-1-empty")
    page.locator("#unmask-check-first input[type=file]").set_input_files(
        [home.parent / "swapped.jpg", home.parent / "notes.jpg"]
    )
    page.locator("#unmask-check-second input[type=file]").set_input_files(home.parent / "ada.png")
    page.locator("#unmask-check").get_by_text("ada.png").wait_for()
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_role("heading", name="Checked against your references").wait_for()
    result = page.locator(".check")
    assert result.locator(".badge").inner_text().lower() == "impersonation"
    assert result.get_by_role("alert").filter(has_text="notes.jpg").count() == 1
    assert "uploads" not in result.inner_text()
    assert result.locator(".track").count() == 2
    assert seen(result.get_by_alt_text("Heat map over the face")) > 0
    assert "not a proof" in result.inner_text()
    origin = result.locator("details.provenance").filter(has_text="Provenance: The file says")
    origin.locator("summary").first.click()
    assert "Forgery made by Unmask" in origin.first.inner_text()
    assert "no part in any verdict" in origin.first.inner_text()
    shot(page, "check-2-result")
    uploads = [it for it in (home / "uploads").rglob("*") if it.is_file()]
    assert [it.name for it in uploads if it.suffix in (".jpg", ".png")] == []
    assert not (home / "galleries").exists() or not any((home / "galleries").iterdir())


def test_two_photos_are_compared(address: str, visit: Visit, home: Path) -> None:
    """The same photograph with another face: said, and shown with the places that differ."""
    page = visit(address)
    page.get_by_role("tab", name="Compare two photos").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text("Choose two photos to compare first.").wait_for()
    for place, name in (("first", "ada.png"), ("second", "altered.jpg")):
        box = page.locator(f"#unmask-compare-{place}")
        box.locator("input[type=file]").set_input_files(home.parent / name)
        box.get_by_text(name.partition(".")[0]).wait_for()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("heading", name="Two photos compared").wait_for()
    result = page.locator(".check")
    assert "One of the two was altered: they are the same photograph" in result.inner_text()
    assert result.get_by_alt_text("The second photo").is_visible()
    shot(page, "check-3-compared")
