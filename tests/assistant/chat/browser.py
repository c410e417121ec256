"""Browser helpers for the chat page: Debian's Chromium, and the actions of a user."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

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

Visit = Callable[..., "Page"]


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


def choose_files(box: "Locator", *files: Path) -> None:
    """Choose files in a box for files; wait until all have been uploaded and are listed.

    While a file is on its way, the box shows its name elsewhere, too briefly to be waited for.
    """
    box.locator("input[type=file]").set_input_files(files)
    box.locator("td.filename").nth(len(files) - 1).wait_for()


def answered(page: "Page", number: int) -> None:
    """Wait until so many checked answers are there and nothing is being written."""
    page.locator("#unmask-chat .answer:not(.draft)").nth(number - 1).wait_for()
    page.locator("#unmask-composer button.submit-button").wait_for()


def shot(page: "Page", name: str) -> None:
    """Keep a picture of the page, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


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
