"""Photos without a gallery on the page, in Debian's Chromium: check one, compare two."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from assistant import Unmask
from tests.assistant.chat.browser import (
    CHROMIUM,
    Visit,
    answered,
    ask,
    choose_files,
    seen,
    served,
    shot,
)
from tests.support.cases import altered_portrait, astronaut_pixels, group_pixels, impersonation
from tools.forge.forgery import save_forgery

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def home(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty data folder, and beside it a portrait, a swap, and the portrait with a swap."""
    folder = tmp_path_factory.mktemp("checks")
    Image.fromarray(astronaut_pixels()).save(folder / "ada.png")
    Image.fromarray(group_pixels()).save(folder / "group.png")
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
    given = home.parent
    choose_files(page.locator("#unmask-check-first"), given / "swapped.jpg", given / "notes.jpg")
    choose_files(page.locator("#unmask-check-second"), given / "ada.png")
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_role("heading", name="Checked against your references").wait_for()
    result = page.locator(".check")
    assert result.locator(".badge").inner_text().lower() == "impersonation"
    assert result.get_by_role("alert").filter(has_text="notes.jpg").count() == 1
    assert "uploads" not in result.inner_text()
    assert result.locator(".track").count() == 2
    assert seen(result.get_by_alt_text("Heat map over the face")) > 0
    assert "not a proof" in result.inner_text()
    assert "`" not in result.inner_text() and result.locator("code").count() > 0
    origin = result.locator("details.provenance").filter(has_text="Provenance: The file says")
    origin.locator("summary").first.click()
    assert "Forgery made by Unmask" in origin.first.inner_text()
    assert "no part in any verdict" in origin.first.inner_text()
    above = page.locator("#unmask-checked .job").inner_text()
    assert above.startswith("Checked: swapped.jpg and notes.jpg, against ada.png.")
    assert "the boxes are empty again" in above
    assert result.get_by_alt_text("Reference ada.png").is_visible()
    assert "judged among" not in result.inner_text()  # one face was compared
    assert page.locator("#unmask-check td.filename").count() == 0
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
        choose_files(page.locator(f"#unmask-compare-{place}"), home.parent / name)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("heading", name="Two photos compared").wait_for()
    result = page.locator(".check")
    assert "One of the two was altered: they are the same photograph" in result.inner_text()
    assert result.get_by_alt_text("The second photo").is_visible()
    # What the words say can be seen: the face is coloured, with a scale, its surroundings are not.
    (factor,) = re.findall(r"The face changed (\S+) times as much", result.inner_text())
    assert float(factor) > 3
    assert seen(result.get_by_alt_text("The face of the first photo, coloured by")) > 0.05
    ends = [f"{end} times" for end in ("1.5", factor)]
    assert result.locator(".ends").inner_text().split("\n") == ends
    assert "Compared: ada.png and altered.jpg." in page.locator("#unmask-compared").inner_text()
    shot(page, "check-3-compared")


def test_a_face_is_chosen_by_its_number(address: str, visit: Visit, home: Path) -> None:
    """Pressed below the picture that numbers them; the photos stay in their boxes for that."""
    page = visit(address)
    page.get_by_role("tab", name="Check a photo").click()
    choose_files(page.locator("#unmask-check-first"), home.parent / "swapped.jpg")
    choose_files(page.locator("#unmask-check-second"), home.parent / "group.png")
    page.get_by_role("button", name="Check", exact=True).click()
    result = page.locator("#unmask-checked")
    numbered = result.get_by_alt_text("The photo with its faces numbered")
    numbered.wait_for()
    wide = numbered.evaluate("it => it.getBoundingClientRect().width / it.naturalWidth")
    assert wide > 0.95, "too small for its numbers to be read"
    shot(page, "check-4-numbers")
    result.get_by_role("button", name="Face 2", exact=True).click()
    result.get_by_text("face: group.png=2").wait_for()
    assert numbered.count() == 0
    assert result.get_by_alt_text("Reference group.png").is_visible()


def test_a_result_stays_until_it_is_cleared(address: str, visit: Visit, home: Path) -> None:
    """A question in the chat and another tab leave it; only its own button takes it away.

    Neither the conversation nor the findings of a case stand beside it: they know nothing of it.
    """
    page = visit(address)
    start, chat = (
        page.get_by_role("heading", name="Findings appear here"),
        page.locator("#unmask-chat"),
    )
    page.get_by_role("tab", name="Check a photo").click()
    chat.wait_for(state="hidden")
    assert not start.is_visible()
    assert page.get_by_text("Nothing of this is kept").first.is_visible()
    clear = page.get_by_role("button", name="Clear the result")
    assert not clear.is_visible()
    choose_files(page.locator("#unmask-check-first"), home.parent / "ada.png")
    page.get_by_role("button", name="Check", exact=True).click()
    checked = page.get_by_role("heading", name="Checked", exact=True)
    checked.wait_for()
    assert not chat.is_visible() and not start.is_visible()
    page.get_by_role("tab", name="Search a collection").click()
    start.wait_for()
    assert not checked.is_visible()
    ask(page, "What can you do?")
    answered(page, 1)
    page.get_by_role("tab", name="Compare two photos").click()
    chat.wait_for(state="hidden")
    assert not checked.is_visible() and not start.is_visible()
    page.get_by_role("tab", name="Check a photo").click()
    checked.wait_for()
    clear.click()
    checked.wait_for(state="detached")
    assert not clear.is_visible()
    page.get_by_role("tab", name="Search a collection").click()
    start.wait_for()
    assert chat.locator(".answer").count() == 1
