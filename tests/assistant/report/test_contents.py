"""The report as data, and as PDF: the schema is published, texts from files are only text."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from assistant.report.contents.building import _exhibit, build_report
from assistant.report.contents.model import SCHEMA_FILE, Report, report_json, report_schema
from assistant.report.findings_page import report_page
from assistant.report.pdf.document import report_pdf
from assistant.report.pdf.fonts import DrawableText
from assistant.report.pictures.illustrations import Illustrations, illustrate
from tests.assistant.report.test_report import KEYPOINTS, _query
from tests.support.made.listed_hits import findings
from tests.tools.verdict.test_rule import HIGH, RULE, scores
from tools.agent_tools.review.entries import Decision, HitNote
from tools.search.results import Hit
from tools.verdict.evidence import collect_evidence
from tools.verdict.rule import VerdictRule

pytestmark = pytest.mark.fast

FITTED = replace(RULE, identity_band=replace(RULE.identity_band, persons_false=9, persons_true=7))
RTL = "צילום"
ODD = "😀 你好 <b>{nb} \u202egpj.exe " + "x" * 120 + ".png"


def made(tmp_path: Path, rule: VerdictRule = FITTED) -> tuple[Report, Illustrations]:
    """A report on a file of an odd name and on one that is gone, with a note of a reviewer."""
    query, odd = tmp_path / "query.png", tmp_path / ODD
    for path, grey in ((query, 127), (odd, 90)):
        Image.fromarray(np.full((120, 100, 3), grey, np.uint8)).save(path)
    measured = scores(HIGH, None)
    hits = []
    for rank, path in enumerate((odd, tmp_path / f"{RTL}.png"), start=1):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "f" * 64
        hits.append(
            Hit(rank, f"{sha256}:0", sha256, (path,), (10.0, 10.0, 90.0, 110.0),
                tuple((float(x), float(y)) for x, y in KEYPOINTS),
                rule.assess(measured, usable=True), collect_evidence(measured, {}), "Because <i>.",
                face_hash=rank),
        )  # fmt: skip
    found = replace(findings(hits), gallery="case {nb} <i>")
    made_at = "2026-01-02T03:04:05+00:00"
    decided = {
        "H1": Decision(image_id="a", decision="rejected", at=made_at, user="<b>ada", hit="H1")
    }
    noted = {"H1": HitNote(image_id="a", text="seen <b>in May", at=made_at, user="ada", hit="H1")}
    report = build_report(found, _query(query), rule=rule, decisions=decided, notes=noted)
    return report, illustrate(found, _query(query))


def test_the_published_schema_is_that_of_the_model() -> None:
    """The file in the package; to renew it, write `report_schema()` into it."""
    assert json.loads(SCHEMA_FILE.read_text()) == report_schema()
    jsonschema.Draft202012Validator.check_schema(report_schema())


def test_an_export_fits_the_schema_and_is_read_back(tmp_path: Path) -> None:
    """Null where nothing was measured; an unknown field is an error."""
    report, _ = made(tmp_path)
    data = json.loads(report_json(report))
    jsonschema.validate(data, report_schema(), cls=jsonschema.Draft202012Validator)
    assert data["hits"][0]["fake_probability"] is None
    assert data["hits"][0]["reviewer_note"]["text"] == "seen <b>in May"
    assert data["hits"][1]["reviewer_note"] is None
    (group,) = data["copies"]
    assert (group["hits"], group["earliest"], group["date_source"]) == (["H1", "H2"], "H1", "file")
    assert data["case"] is None and data["custody"] == []
    assert Report.model_validate(data) == report
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"genuine": True}, report_schema())


def test_exhibits_say_whether_they_are_what_was_recorded(tmp_path: Path) -> None:
    """By their hash now; a file that is gone keeps its recorded one."""
    report, _ = made(tmp_path)
    states = {it.label: it.state for it in report.exhibits}
    assert states == {"Q1": "changed since it was recorded", "H1": "unchanged", "H2": "missing"}
    assert (report.exhibits[2].sha256, report.exhibits[2].recorded_sha256) == (None, "f" * 64)


def test_an_exhibit_is_hashed_for_every_report(tmp_path: Path) -> None:
    """A file can be changed without another size or time: no earlier report's hash is used."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"as it was")
    before, recorded = file.stat(), hashlib.sha256(b"as it was").hexdigest()
    assert _exhibit("H1", file, recorded).state == "unchanged"
    file.write_bytes(b"as it is!")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _exhibit("H1", file, recorded).state == "changed since it was recorded"


def test_the_ratio_is_limited_and_absent_without_a_validation(tmp_path: Path) -> None:
    """Nine persons support no ratio above nine."""
    ratio = made(tmp_path)[0].hits[0].likelihood_ratio
    assert ratio is not None
    assert (ratio.value, ratio.limited, ratio.limit) == (9.0, True, 9)
    assert made(tmp_path, RULE)[0].hits[0].likelihood_ratio is None


def test_a_pdf_shows_odd_names_as_text(tmp_path: Path) -> None:
    """Code points where the fonts end, no markup, no page count for {nb}; hashes in the open."""
    report, pictures = made(tmp_path)
    pdf = report_pdf(report, pictures)
    with pypdfium2.PdfDocument(pdf) as document:
        pages = [page.get_textpage().get_text_bounded() for page in document]
    text = " ".join("\n".join(pages).split())
    for words in ("[U+4F60][U+597D]", "<b>{nb} [U+202E]gpj.exe", "case {nb} <i>", "Because <i>.",
                  "decision: rejected (<b>ada", "note: seen <b>in May (ada",
                  "Nearly the same picture: H1, H2; the earliest is H1",
                  "characters that the fonts", "no custody log", "no longer where it was indexed",
                  "at least 9 times"):  # fmt: skip
        assert words in text, words
    assert set(RTL) <= set(text)
    assert f"Page 1 of {len(pages)}" in text
    assert report.exhibits[1].recorded_sha256.encode() in pdf


def test_the_page_shows_them_too(tmp_path: Path) -> None:
    """Escaped, with question, exhibits, methods and limits."""
    page = report_page(*made(tmp_path))
    assert "<b>{nb}" not in page and "&lt;b&gt;{nb}" in page
    assert "<i>" not in page.partition("<body>")[2]
    for words in ("Question and propositions", "Exhibits", "Methods and error rates",
                  "Limits and alternative explanations", "missing", "note: seen &lt;b&gt;in May",
                  'Nearly the same picture: hits <a href="#hit-1">1</a>'):  # fmt: skip
        assert words in page


def test_invisible_characters_are_written_out() -> None:
    """A name cannot hide or turn a part of itself; joined emoji keep their parts."""
    drawn = DrawableText()
    assert drawn("a\u202eb\x07c\u200dd") == "a[U+202E]b[U+0007]cd"
    assert drawn.replaced == 2
