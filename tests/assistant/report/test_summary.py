"""The first page of a report: asked, searched, found and limited, from the data, on one page."""

from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from assistant.report.contents.building import build_report
from assistant.report.contents.summary import (
    decisions_in_words,
    leading_hits,
    left_in_words,
    searched_in_words,
    verdict_counts,
)
from assistant.report.findings_page import report_page
from assistant.report.pdf.document import report_pdf
from assistant.report.pictures.illustrations import HitPictures, Illustrations, QueryPicture
from tests.assistant.report.test_report import _query
from tests.support.made.listed_hits import findings, hit
from tests.tools.verdict.test_rule import RULE
from tools.agent_tools.review.entries import Decision
from tools.search.query import Query
from tools.search.results import Findings

pytestmark = pytest.mark.fast

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwAB"
    "BAEAX+XDSwAAAABJRU5ErkJggg=="
)
AT = "2026-11-30T21:14:05+00:00"


def asked(folder: Path) -> Query:
    """A query by one photo."""
    Image.new("RGB", (100, 120)).save(folder / "query.png")
    return _query(folder / "query.png")


def searched(folder: Path, *, warnings: tuple[str, ...] = ()) -> Findings:
    """Twenty listed hits out of 150 compared pictures; three faces of the others are forged."""
    hits = [
        hit(rank, folder / f"{'long name ' * 9}{rank}.jpg",
            "impersonation" if rank <= 6 else "inconclusive", same=0.97, fake=0.91)
        for rank in range(1, 21)
    ]  # fmt: skip
    counts = {"impersonation": 6, "inconclusive": 44, "other": 100}
    return replace(
        findings(hits), compared=150, counts=counts, images_without_face=7, warnings=warnings,
        query_paths=(folder / "query.png",), query_ids=("q",),
    )  # fmt: skip


def pages_of(folder: Path, *, warnings: tuple[str, ...] = ()) -> tuple[list[str], str]:
    """The text of each page of the PDF, in one line each, and the HTML."""
    query, found = asked(folder), searched(folder, warnings=warnings)
    decided = {
        "H1": Decision(image_id="a", decision="confirmed", at=AT, user="ada", hit="H1"),
        "H2": Decision(image_id="b", decision="confirmed", at=AT, user="ada", hit="H2"),
        "H3": Decision(image_id="c", decision="none", at=AT, user="ada", hit="H3"),
        "H9": Decision(image_id="d", decision="rejected", at=AT, user="ada", hit="H9"),
    }
    report = build_report(found, query, rule=RULE, decisions=decided)
    shown = HitPictures(DOT, DOT, (), (), None, None)
    pictures = Illustrations((QueryPicture("query.png", DOT, DOT),), (shown,) * 20)
    with pypdfium2.PdfDocument(report_pdf(report, pictures)) as pdf:
        texts = [" ".join(it.get_textpage().get_text_bounded().split()) for it in pdf]
    return texts, report_page(report, pictures)


def test_the_first_page_sums_up_the_report(tmp_path: Path) -> None:
    """Question, pictures searched, verdicts, decisions, the leading hits and the limits."""
    (first, second, *_), html = pages_of(tmp_path, warnings=("the face in Q1 is small",))
    summary = html[html.index("<body>") : html.index("Question and propositions")]
    for words in (
        "Which pictures and videos of the collection “family” show the person",
        "150 images were compared with the query photos; 7 images show no detectable face. The 20 "
        "leading ones are in this report.",
        "Decisions of the reviewer: 2 confirmed and 1 rejected; 17 without a decision.",
        "12 more hits follow under “Findings”.",
        "A verdict is a reason to look, not proof.",
        "The face in Q1 is small.",
    ):
        assert words in first and words in " ".join(summary.split()), words
    assert "of all compared 6 44 100 in this report 6 14 0" in first
    assert first.count("confirmed") == 3 and "none" not in first  # H3's was taken back
    for handle in ("H1", "H8"):
        assert f" {handle} " in first and f">{handle}</a>" in summary
    assert " H9 " not in first and ">H9</a>" not in summary
    assert "long name" in first and "1.jpg" in first  # a long name keeps its ends
    assert second.startswith("Unmask report of") and "1 Question and propositions" in second
    assert 'href="#hit-8"' in summary and 'id="hit-8"' in html


def test_the_summary_is_one_page_whatever_is_remarked(tmp_path: Path) -> None:
    """Remarks that have no room there stand with the question; none is lost."""
    said = tuple(f"remark {it}, {'as long as a remark can be, ' * 12}end" for it in range(12))
    (first, second, third, *_), _ = pages_of(tmp_path, warnings=said)
    assert " H4 " in first and "A verdict is a reason to look" in first
    assert "1 Question and propositions" in second
    for number in range(12):
        assert f"remark {number}," in (first + second + third).lower(), number
    assert "Of this search: Remark 11" in second + third


def test_near_copies_are_one_line(tmp_path: Path) -> None:
    """Eight frames of one clip would hide all other hits; how many there are is said."""
    looks = {1: 0xFFFF, 4: 0xFFFF << 16, 6: 0xFFFF << 32}
    hits = [
        replace(hit(rank, tmp_path / f"{rank}.jpg"), face_hash=looks.get(rank, 0))
        for rank in range(1, 7)
    ]
    report = build_report(findings(hits), asked(tmp_path), rule=RULE)
    assert [it.hits for it in report.copies] == [("H2", "H3", "H5")]
    leads = leading_hits(report, 3)
    assert [(it.hit.handle, it.alike) for it in leads] == [("H1", 0), ("H2", 2), ("H4", 0)]
    assert leads[1].alike_in_words == "and 2 nearly the same"
    assert left_in_words(report, leads) == "1 more hit follows under “Findings”."


def test_counts_and_words_follow_the_data(tmp_path: Path) -> None:
    """One picture is no plural; without hits there is no decision, and nothing leads."""
    none = build_report(findings([]), asked(tmp_path), rule=RULE)
    assert (decisions_in_words(none), verdict_counts(none)) == ("", [])
    assert searched_in_words(none) == "No image was compared with the query photos."
    one = build_report(findings([hit(1, tmp_path / "a.jpg")]), asked(tmp_path), rule=RULE)
    assert searched_in_words(one) == "1 image was compared with the query photos."
    assert decisions_in_words(one) == "No decision of a reviewer is recorded."
    assert verdict_counts(one) == [("inconclusive", 1, 1)]
