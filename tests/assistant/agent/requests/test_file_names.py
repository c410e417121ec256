"""Hits that are named by their files."""

import pytest

from assistant.agent.requests.file_names import find_files, name_named
from assistant.agent.requests.state import ListedHit

pytestmark = pytest.mark.fast

LISTED = (
    ListedHit("H1", "impersonation", names=("shot_041.png",), versions=("film.mp4", "take3.png")),
    ListedHit("H2", "other", names=("Portrait.JPG", "copy of it.jpg")),
    ListedHit("H3", "other", names=("scan7.png",)),
    ListedHit("H4", "other", names=("scan7.jpg",)),
    ListedHit("H5", "other", names=("Ada_King_02.jpg",)),
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("why is shot_041.png here", "why is H1 here"),
        ("why is shot041 here?", "why is H1 here?"),
        ("is take3 genuine", "is H1 genuine"),
        ("is portrait.jpg her?", "is H2 her?"),
        ("a portrait of her", "a portrait of her"),
        ("compare my.png with H2", "compare Q1 with H2"),
        ("is Scan7.JPG real?", "is H4 real?"),
        ("what is E4 in H3", "what is E4 in H3"),
        ("hide Ada King", "hide H5"),
        ("who is the king?", "who is the king?"),
    ],
)
def test_a_name_stands_for_its_hit(text: str, read: str) -> None:
    """With or without its ending; a word of the language needs it."""
    found = find_files(text, LISTED, {"Q1": "my.png"})
    assert found.text == read
    assert not found.lost


def test_the_other_version_is_said_to_be_one() -> None:
    """It is no hit itself."""
    (note,) = find_files("is film.mp4 genuine?", LISTED).notes
    assert note == '"film.mp4" is the other version of the photograph of H1.'


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("is scan7 real?", '"scan7" could be H3 and H4: name the hit by its number.'),
        ("is scan9 real?", 'No listed hit and no photo of yours is called "scan9".'),
        ("why unknown.webp?", 'No listed hit and no photo of yours is called "unknown.webp".'),
    ],
)
def test_a_name_of_no_hit_or_of_several_is_said(text: str, note: str) -> None:
    """And the question is about no other hit instead."""
    found = find_files(text, LISTED)
    assert found.lost
    assert found.notes == (note,)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("which hits are named elon?", "elon"),
        ("is there one called IMG_2031?", "IMG_2031"),
        ("only files called shot_041.png", "shot_041.png"),
        ('pictures whose file name contains "holiday 2021"', "holiday 2021"),
        ("show files with tom in the name", "tom"),
        ("any file names starting with scan", "scan"),
        ("gibt es Bilder namens scan7", "scan7"),
        ("find a man called Ada", ""),
        ("why is this one called inconclusive?", ""),
        ("which are called impersonations?", ""),
        ("what is this file called?", ""),
        ("name the worst one", ""),
    ],
)
def test_a_part_of_a_name_is_searched_by(text: str, name: str) -> None:
    """A person's name and a verdict are none; such a name is not replaced by a handle."""
    assert name_named(text) == name
    if name:
        assert name in find_files(text, LISTED).text


NAMED = (
    ListedHit("H1", "other", names=("elon_on_beckham.png",)),
    ListedHit("H2", "other", names=("elon_2.jpg",)),
)


def test_the_one_with_a_word_in_its_name_is_meant() -> None:
    """If just one has it; of several, none is."""
    assert find_files("no, the beckham one - is it fake?", NAMED).text == "no, H1 - is it fake?"
    several = find_files("why the Elon picture?", NAMED)
    assert several.notes == ('"Elon" could be H1 and H2: name the hit by its number.',)
    assert several.lost
    for text in ("is the obama one fake?", "the same one", "which are named elon?"):
        assert find_files(text, NAMED).text == text
