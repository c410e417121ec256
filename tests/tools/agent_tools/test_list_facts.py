"""Facts about the whole list: what is there twice, what stays open, who else reads as forged."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.made.listed_hits import findings, hit
from tools.agent_tools.list_facts import list_facts
from tools.search.results import Findings, Hit, Unassessed
from tools.verdict.rule import Verdict

pytestmark = pytest.mark.fast


def said(found: Findings | None, name: str) -> str:
    """The words of one fact."""
    return {fact.id: fact.reads for fact in list_facts(found)}[f"hits.{name}"]


def made(rank: int, verdict: Verdict, *, face: int | None = None, **given: object) -> Hit:
    """A hit with a hash of its face and with parts of its assessment."""
    plain = hit(rank, Path(f"{rank}.jpg"), verdict)
    return replace(plain, face_hash=face, assessment=replace(plain.assessment, **given))  # type: ignore[arg-type]


def test_near_copies_are_told_by_what_is_measured() -> None:
    """Groups, the nearest pair with its distance, and files with the same bytes."""
    first = made(1, "other", face=0)
    twice = replace(made(4, "other"), paths=(Path("IMG_1.png"), Path("x[1].png")))
    hits = [first, made(2, "copy", face=7), made(3, "copy", face=1 << 9), twice]
    text = said(findings(hits), "alike")
    assert text == (
        "H1 to H3 show nearly the same face (aligned, it differs in at most 6 of 64 bits), as "
        "copies and neighbouring frames of a video do; the nearest two are H1 and H3 (1 of 64 "
        'bits); H4 is there 2 times with the same bytes, as "IMG_1.png" and "x(1).png"'
    )


def test_that_nothing_is_there_twice_is_said_with_the_nearest_two() -> None:
    """The distance lets the reader judge how far from alike they are."""
    text = said(findings([made(1, "other", face=0), made(2, "other", face=(1 << 20) - 1)]), "alike")
    assert text.startswith("no two listed hits show nearly the same face")
    assert "the nearest two are H1 and H2 (20 of 64 bits)" in text
    assert text.endswith("no listed hit has a second file with the same bytes")


def test_what_stays_open_is_named_with_its_reason() -> None:
    """By its file and what is wrong with the face, or by the rule's reason; the rest is counted."""
    hits = [
        made(1, "not assessed"),
        made(2, "inconclusive", reason="whether the face was forged stays open"),
        made(3, "inconclusive", reason="whether the face was forged stays open"),
        made(4, "inconclusive", unsteady=("forgery",)),
        made(5, "impersonation"),
    ]
    small = Unassessed("1.jpg", Path("1.jpg"), ("too small", "blurred"), 7.4)
    turned = Unassessed("far", Path("a/far[2].jpg"), ("extreme pose",), 40.0)
    found = findings(hits)
    found = replace(
        found, compared=9, unassessed=(small, turned),
        counts=found.counts | {"not assessed": 3, "inconclusive": 4},
    )  # fmt: skip
    assert said(found, "unassessed") == (
        '3 of 9 images could not be assessed: H1, "1.jpg" (too small and blurred, 7 px between the '
        'eyes), "far(2).jpg" (extreme pose) and 1 not named here; 4 were measured and stayed '
        "inconclusive: H2 and H3 (whether the face was forged stays open), H4 (mild changes of the "
        "picture turn the verdict around) and 1 not listed (ask for more hits)"
    )
    nothing = findings([made(1, "other")])
    assert said(nothing, "unassessed") == (
        "0 of 1 image could not be assessed; 0 were measured and stayed inconclusive"
    )


def test_other_people_who_read_as_forged_are_named() -> None:
    """Only listed ones are known by number; that there is none among them is said, too."""
    hits = [made(1, "other", fake_place="high"), made(2, "other", fake_place="low"),
            made(3, "impersonation", fake_place="high")]  # fmt: skip
    assert said(findings(hits), "forged_others") == (
        "H1 shows another person and reads as forged, perhaps as a crude swap of this one"
    )
    found = findings(hits[1:])
    more = replace(found, counts=found.counts | {"other": 4})
    assert said(more, "forged_others") == (
        "no listed hit of another person reads as forged; 3 more of other people are not listed "
        "(ask for more hits)"
    )


def test_before_a_search_there_is_no_list() -> None:
    """Only that is a fact."""
    assert [fact.id for fact in list_facts(None)] == ["hits.all"]
