"""Every button on a page with more than twenty hits, pressed in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.assistant.chat.browser import CHROMIUM, Visit, answered, ask, served, shot
from tests.support.crowd import CROWD, build_crowd

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the gallery of two dozen hits."""
    home = tmp_path_factory.mktemp("crowd") / "home"
    build_crowd(home)
    return home


@pytest.fixture(scope="module")
def address(crowd: Path) -> Iterator[str]:
    """The page, with a chat model that would always look at H1."""
    yield from served(crowd, "stubborn")


@pytest.fixture
def page(address: str, visit: Visit, crowd: Path) -> "Page":
    """A page on which the person was searched for."""
    page = visit(address)
    choose(page)
    ask(page, "", crowd / "ada.png")
    listed(page)
    return page


def listed(page: "Page") -> None:
    """Wait for the twenty hits, and show those that lie in a group of near copies."""
    page.locator("button.hit").nth(19).wait_for(state="attached")
    answered(page, 1)
    open_groups(page)


def open_groups(page: "Page") -> None:
    """Groups are closed again when the list is drawn anew."""
    page.evaluate("document.querySelectorAll('details.copies').forEach(it => it.open = true)")


def choose(page: "Page") -> None:
    """Choose the crowd's gallery."""
    box = page.get_by_role("combobox", name="Gallery to search")
    if box.input_value() != CROWD:
        box.fill(CROWD)
        box.press("Enter")


def titles(page: "Page") -> list[str]:
    """What the conversation says about the tools that were called, not what they returned."""
    found = page.locator("#unmask-chat .thought-group > [role=button]").all_inner_texts()
    return [" ".join(it.split()) for it in found]


PRESSED = {
    "Why?": "Read the evidence · {}",
    "Compare with my photo": "Compare faces · Q1, {}",
    "Where does it look forged?": "Look for forged regions · {}",
    "How sure are you?": "Read the evidence · {}",
    "Describe the picture": "Look at the image · {}",
}


def test_every_button_of_every_kind_acts_on_its_hit(page: "Page") -> None:
    """Hits with one and with two digits: each button calls its tool with that hit, and no other."""
    shot(page, "20-crowd")
    count = 1
    for number in (2, 11, 20):
        handle = f"H{number}"
        open_groups(page)
        page.locator("button.hit").nth(number - 1).click()
        page.get_by_role("heading", name=handle, exact=True).wait_for()
        for label, title in PRESSED.items():
            page.locator("#unmask-detail").get_by_role("button", name=label).click()
            count += 1
            answered(page, count)
            assert titles(page)[-1].startswith(title.format(handle))
            said = page.locator("#unmask-chat .answer:not(.draft)").last.inner_text()
            others = set(re.findall(r"\bH\d+", said)) - {handle}
            assert not others, (handle, label, said)
        shot(page, f"21-{handle}")


def test_an_old_list_is_put_to_rest_by_a_new_search(page: "Page", crowd: Path) -> None:
    """From the moment the search begins until its hits are there, no old hit can be pressed."""
    page.evaluate(
        """() => {
            window.rested = [];
            new MutationObserver(() => {
                const [list, one] = ["hits", "detail"].map(
                    (name) => document.getElementById(`unmask-${name}`));
                if (list && one) window.rested.push([list.inert, one.inert]);
            }).observe(document.body, { subtree: true, childList: true, attributes: true });
        }"""
    )
    ask(page, "", crowd / "mirrored.png")
    answered(page, 2)
    page.locator("#unmask-hits:not([inert]) button.hit").first.wait_for()
    page.wait_for_function("() => window.rested.at(-1).every((it) => !it)")
    assert [True, True] in page.evaluate("window.rested")
    title = page.locator("#unmask-hits-title").inner_text()
    assert re.match(r"20 of \d+ hits shown", title)
    shot(page, "22-after-a-rest")


def test_top_fifty_and_the_examples(page: "Page") -> None:
    """Searching again lists every hit there is; typed, fifty is fifty too; examples answer."""
    assert page.locator("#unmask-hits [data-press=search]").count() == 1, "one way to list more"
    page.locator("#unmask-hits [data-press=search]").click()
    answered(page, 2)
    listed = page.locator("button.hit").count()
    assert listed > 20
    page.locator(".badge.no-forgery-found").first.scroll_into_view_if_needed()
    page.locator("button.hit", has=page.locator(".badge.no-forgery-found")).first.click()
    page.wait_for_timeout(1000)
    shot(page, "22-no-forgery-found")
    ask(page, "Find the top 5 fakes of this person.")
    answered(page, 3)
    assert page.locator("button.hit").count() == 5
    ask(page, "find the top 50 fakes of this person")
    answered(page, 4)
    assert page.locator("button.hit").count() == listed
    page.get_by_role("button", name="New case").click()
    for at, name in enumerate(
        ("What is in the gallery?", "What can you do?", "How do I add images?")
    ):
        page.get_by_role("button", name="New case").click()
        page.get_by_role("button", name=name).click()
        answered(page, 1)
        shot(page, f"22-example-{at}")


def test_two_photos_are_compared_and_a_button_says_which_is_authentic(
    address: str, visit: Visit, crowd: Path
) -> None:
    """The question with buttons is in the conversation; the answer goes on from there."""
    page = visit(address)
    choose(page)
    ask(page, "Is one of these two a fake?", crowd / "ada.png", crowd / "mirrored.png")
    answered(page, 1)
    assert page.locator("button.hit").count() == 0
    option = page.get_by_role("button", name="Q1 is authentic")
    option.wait_for()
    shot(page, "23-which-is-authentic")
    option.click()
    answered(page, 2)
    assert titles(page)[-1].startswith("Read the evidence · Q2")
    assert page.get_by_role("button", name="Q1 is authentic").count() == 0


def test_a_face_is_chosen_on_the_picture(address: str, visit: Visit, crowd: Path) -> None:
    """Numbered boxes lie on the photo; pressing one searches with that face."""
    for options in ({}, {"viewport": {"width": 390, "height": 844}}):
        page = visit(address, **options)
        choose(page)
        ask(page, "", crowd / "group.png")
        boxes = page.locator("#unmask-chat .face-box")
        boxes.first.wait_for()
        answered(page, 1)
        assert boxes.count() > 3
        shot(page, f"24-faces-{len(options)}")
        boxes.nth(1).scroll_into_view_if_needed()
        boxes.nth(1).click()
        page.locator("button.hit").first.wait_for()
        answered(page, 2)
        assert page.get_by_text("Face 2", exact=True).count() >= 1
        width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1]


def test_a_phone_shows_a_long_list_whole(address: str, visit: Visit, crowd: Path) -> None:
    """At 390 px nothing of twenty hits and a detail is cut off sideways."""
    page = visit(address, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    choose(page)
    ask(page, "", crowd / "ada.png")
    listed(page)
    shot(page, "25-phone")
    page.locator("button.hit").nth(10).scroll_into_view_if_needed()
    shot(page, "26-phone-list")
    page.locator("button.hit").nth(10).click()
    page.get_by_role("heading", name="H11", exact=True).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    shot(page, "27-phone-detail")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]
