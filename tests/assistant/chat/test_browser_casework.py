"""Filter, decisions, undo and export on the page, pressed in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant import Unmask
from tests.assistant.chat.browser import CHROMIUM, Visit, answered, ask, served, shot
from tests.support.cases import GALLERY

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def home(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of its own with the small gallery."""
    home = tmp_path_factory.mktemp("casework") / "home"
    shutil.copytree(case.settings.home, home)
    return home


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """The page with a chat model whose replies are written down."""
    yield from served(home, "scripted")


def handles(page: "Page") -> list[str]:
    """The listed hits."""
    return page.locator("button.hit .handle").all_inner_texts()


def listed(page: "Page", count: int) -> list[str]:
    """The listed hits, once there are so many."""
    page.wait_for_function("n => document.querySelectorAll('button.hit').length === n", arg=count)
    return handles(page)


def said(page: "Page") -> str:
    """What the latest answer says."""
    return page.locator("#unmask-chat .answer:not(.draft)").last.inner_text()


def test_hits_are_filtered_marked_and_exported(address: str, visit: Visit, home: Path) -> None:
    """Each button calls its tool; the list, the hit and the conversation show the same."""
    page = visit(address)
    box = page.get_by_role("combobox", name="Gallery to search")
    box.fill(GALLERY)
    box.press("Enter")
    ask(page, "", home / "SECRET_NAME.png")
    answered(page, 1)
    everything = listed(page, 3)
    verdicts = page.locator("button.hit .badge").all_inner_texts()
    shown = page.locator("#unmask-list")

    page.locator("button.hit").first.click()
    page.get_by_role("heading", name="H1", exact=True).wait_for()
    page.locator("#unmask-detail").get_by_role("button", name="Confirm").click()
    answered(page, 2)
    shown.get_by_text("reviewer's decision: confirmed", exact=True).wait_for()
    assert said(page).startswith("H1 is marked as confirmed; the verdict stays: ")
    assert page.locator("button.hit .badge").all_inner_texts() == verdicts

    first = verdicts[0].lower()
    same = [it for it, verdict in zip(everything, verdicts, strict=True) if verdict == verdicts[0]]
    shown.get_by_role("button", name=first, exact=True).click()
    answered(page, 3)
    assert listed(page, len(same)) == same
    assert f"Filtered: {first}. {len(same)} of 3 hits." in shown.inner_text()
    shot(page, "30-filtered")
    shown.get_by_role("button", name="Show all").click()
    answered(page, 4)
    assert listed(page, 3) == everything

    page.locator("#unmask-detail").get_by_role("button", name="Hide").click()
    answered(page, 5)
    assert listed(page, 2) == everything[1:]
    assert "Hidden by the reviewer: H1" in shown.inner_text()
    shown.get_by_role("button", name="Undo").click()
    answered(page, 6)
    assert listed(page, 3) == everything
    shown.get_by_text("reviewer's decision: confirmed", exact=True).wait_for()
    shot(page, "31-decided")

    shown.get_by_role("button", name="JSON").click()
    answered(page, 7)
    offer = shown.get_by_role("button", name="Download report.json")
    place, hit = offer.bounding_box(), page.locator("button.hit").first.bounding_box()
    assert place is not None and hit is not None and 0 < place["y"] < hit["y"] < 900
    with page.expect_download() as download:
        offer.click()
    hits = json.loads(Path(download.value.path()).read_text())["hits"]
    assert hits[0]["decision"]["decision"] == "confirmed"

    page.reload()
    shown.get_by_text("reviewer's decision: confirmed", exact=True).wait_for()
    assert listed(page, 3) == everything

    cases = page.locator("#unmask-cases")
    page.get_by_role("tab", name="Cases").click()
    cases.locator("li[aria-current]").get_by_text("Open now").wait_for()
    assert cases.locator("li[aria-current]").count() == 1
    assert page.locator("#unmask-chat").is_visible()
    shot(page, "32-open-case")
    page.get_by_role("button", name="New case").click()
    cases.locator("li[aria-current]").wait_for(state="detached")
    cases.get_by_role("button", name="Open").first.click()
    cases.locator("li[aria-current]").wait_for()
    assert listed(page, 3) == everything
