"""What a request names: hits of any number of digits, photos, counts, dates, folders, terms."""

import random
from collections import Counter

import pytest

from assistant.agent.requests import slots
from assistant.agent.requests.state import CaseState
from assistant.training.reader import references as refer
from assistant.training.reader.classes import class_of, wordings

pytestmark = pytest.mark.fast

LISTED = CaseState(("Q1", "Q2"), (), ("Q1",), 120)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("why is H104 in the list?", ["H104"]),
        ("explain h7 pls", ["H7"]),
        ("what about the third one", ["H3"]),
        ("hide number eight", ["H8"]),
        ("14", ["H14"]),
        ("the 22nd?", ["H22"]),
        ("the last one is clearly me", ["H120"]),
        ("compare hits 3 and 17", ["H3", "H17"]),
        ("H2 with 5 please", ["H2", "H5"]),
        ("Numbers 2 and 6, side by side.", ["H2", "H6"]),
        ("the top hit", ["H1"]),
        ("show me 50 % zoom", []),
        ("made in 2024?", []),
        ("look at it a second time", []),
        ("E4 of that?", []),
        ("in hit one hundred and four, where?", ["H104"]),
        ("number twenty-three please", ["H23"]),
    ],
)
def test_hits_are_read_as_written(text: str, hits: list[str]) -> None:
    """Handles, numbers and ordinals; never a part of a number, a year or a share."""
    assert [*slots.hits_named(text, LISTED)] == hits


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("nothing older than 1 March 2024", "after"),
        ("up to the end of 2019", "before"),
        ("no newer than 2019", "before"),
        ("seit 2020", "after"),
        ("antes de 2021", "before"),
        ("only from May 2022", "after"),
        ("those of 2022", ""),
        ("before 2023 but after 2020", ""),
    ],
)
def test_a_side_of_a_date_is_read_with_its_denial(text: str, side: str) -> None:
    """What is not older is later; where both sides or none are named, the words do not decide."""
    assert slots.date_side_named(text) == side


@pytest.mark.parametrize(
    ("text", "photo"),
    [
        ("photo 2 which I gave", "Q2"),
        ("is my second photo clean?", "Q2"),
        ("prüf mein zweites Foto", "Q2"),
        ("H5 against the second reference photo", "Q2"),
        ("the second pic i gave u next to nr 5", "Q2"),
        ("the second of the photographs which I myself supplied", "Q2"),
        ("my licence, the first one I loaded", "Q1"),
        ("the second one I would hide", ""),
        ("the second photo in the list", ""),
        ("my fifth photo", ""),
    ],
)
def test_the_persons_own_photos_are_told_from_hits(text: str, photo: str) -> None:
    """Only what is called one's own, or given, and exists."""
    assert slots.photo_named(text, LISTED) == photo


def test_the_hit_spoken_of_last_is_meant_if_none_is_named() -> None:
    """ "It", and no word at all."""
    spoken = CaseState(("Q1",), (), ("Q1",), 12, "H9")
    assert slots.hits_named("why is it fake?", spoken) == ("H9",)
    assert slots.hits_named("and where?", spoken) == ("H9",)
    assert slots.hits_named("no, H2", spoken) == ("H2",)


def test_a_bare_number_beyond_the_list_is_no_hit() -> None:
    """A handle is taken as written, so that the refusal can name it; a number is not."""
    few = CaseState(("Q1",), (), ("Q1",), 9)
    assert slots.hits_named("what is 300 about", few) == ()
    assert slots.hits_named("explain H300", few) == ("H300",)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("after 2024-05-02", "2024-05-02"),
        ("newer than May 2024", "2024-05"),
        ("from 2 May 2024 on", "2024-05-02"),
        ("before May 2nd, 2024", "2024-05-02"),
        ("older than the 3rd of June 2019", "2019-06-03"),
        ("vor dem 3. Juni 2019", "2019-06-03"),
        ("02.05.2024", "2024-05-02"),
        ("only 2023", "2023"),
        ("last week", ""),
    ],
)
def test_dates_become_iso(text: str, date: str) -> None:
    """Days, months and years; what names none gives none."""
    assert slots.date_named(text) == date


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("only the ones in telegram_leak", "Telegram-Leak"),
        ("what came from PRESS 2024?", "press 2024"),
        ('just "my folder"', "my folder"),
        ("just that folder", ""),
    ],
)
def test_folders_are_those_that_exist(text: str, folder: str) -> None:
    """However it is joined; else what stands in quotes."""
    assert slots.folders_named(text, ["Telegram-Leak", "press 2024", "press"])[:1] == (
        [folder] if folder else []
    )


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("what does inconclusive mean?", "inconclusive"),
        ("what does the verdict copy mean", "copy"),
        ("heat map??", "heat map"),
        ("what do the colors in the map mean?", "heat map"),
        ("what is the mAP of the search?", "mAP"),
        ('you wrote "logit". come again?', "logit"),
        ("explain flibbertigibbet please", "flibbertigibbet"),
    ],
)
def test_terms_are_those_of_the_glossary(text: str, term: str) -> None:
    """An unknown word is passed on, so that the tool can name the closest ones."""
    assert slots.term_named(text) == term


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Show just the worst five of them.", 5),
        ("one of them", None),
        ("top 50", 50),
        ("just three", 3),
        ("the best ten hits", 10),
        ("a dozen", 12),
        ("more", None),
    ],
)
def test_counts(text: str, count: int | None) -> None:
    """In digits and in words."""
    assert slots.count_named(text) == count


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("as a spreadsheet", "csv"),
        ("json for our script", "json"),
        ("write a report", "html"),
        ("a pdf to print, as a table", "csv"),
        ("everything as csv and json", "csv json"),
        ("PDF, CSV and a zip", "pdf csv bundle"),
        ("json, not csv", "json"),
    ],
)
def test_formats(text: str, named: str) -> None:
    """A page, unless others are named; all that are called by their names."""
    assert slots.formats_named(text) == tuple(named.split())


def test_references_of_the_training_are_read() -> None:
    """Of all wordings with a reference drawn anew, at least 98 % of the hits are found."""
    rng, right = random.Random(5), Counter[bool]()  # noqa: S311 - not for secrets
    for row in wordings():
        if "<hit>" in row["text"] and class_of(row) not in ("compare_hits", "measure"):
            number = rng.randint(1, 120)
            text = row["text"].replace("<hit>", refer.hit_name(rng, number, 120))
            found = slots.hits_named(text.replace("<photo>", "Q1"), LISTED)
            right[found[:1] == (f"H{number}",)] += 1
    assert right.total() > 1000
    assert right[True] / right.total() > 0.98
