"""The report page: text from files is escaped, and missing values are shown as missing."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from assistant.report.findings_page import write_report
from assistant.report.pictures.maps import (
    DISTANCE_MAP_TITLE,
    FORGERY_MAP_TITLE,
    MapView,
    what_maps_compare,
)
from tests.tools.verdict.test_rule import HIGH, RULE, scores
from tools.faces.analyser import Face, FaceQuality
from tools.search.query import Query
from tools.search.reranking.reference_comparison import PATCH_DISTANCE
from tools.search.results import Findings, Hit, count_verdicts
from tools.verdict.evidence import collect_evidence
from tools.verdict.template_writer import explain, render

pytestmark = pytest.mark.fast

KEYPOINTS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def _page(tmp_path: Path, name: str, *, exists: bool, texts: PngInfo | None = None) -> str:
    photo = tmp_path / "query.png"
    Image.fromarray(np.full((120, 100, 3), 127, np.uint8)).save(photo)
    hit_path = tmp_path / name
    if exists:
        Image.fromarray(np.full((120, 100, 3), 90, np.uint8)).save(
            hit_path, format="PNG", pnginfo=texts
        )
    measured = scores(HIGH, None)
    assessment = RULE.assess(measured, usable=True)
    evidence = collect_evidence(measured, RULE.references)
    hit = Hit(1, "x:0", "x", (hit_path,), (10.0, 10.0, 90.0, 110.0),
              tuple((float(x), float(y)) for x, y in KEYPOINTS), assessment, evidence,
              render(explain(assessment, evidence)))  # fmt: skip
    findings = Findings((photo,), ("q",), "case", "pocket", (hit,), 1,
                        count_verdicts([hit.verdict]), 0, ())  # fmt: skip
    told = list[tuple[int, int]]()
    page = write_report(
        findings, _query(photo), tmp_path / "page.html", rule=RULE,
        on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(0, 1), (1, 1)], "drawing takes seconds for each hit and says how far it is"
    return page.read_text()


def test_a_hits_provenance_is_shown_as_text_and_decides_nothing(tmp_path: Path) -> None:
    """A generator's text is escaped and stands beside its limits; the verdict is the rule's."""
    plain = _page(tmp_path, "hit.png", exists=True)
    assert "Nothing in the file speaks of its origin, which is not evidence" in plain
    info = PngInfo()
    info.add_text("parameters", "<script>alert(1)</script> Steps: 20, Sampler: Euler a")
    marked = _page(tmp_path, "hit.png", exists=True, texts=info)
    assert "says that it was generated" in marked and "no part in any verdict" in marked
    assert "<script>" not in marked and "&lt;script&gt;" in marked
    verdict = re.compile(r'class="badge" title="[^"]*" style="[^"]*">[^<]*<')
    assert verdict.findall(marked) == verdict.findall(plain) != []


def _query(photo: Path) -> Query:
    face = Face(
        box=np.array([10, 10, 90, 110], np.float32), keypoints=KEYPOINTS, landmarks=None,
        quality=FaceQuality(80, 40, 100, 0, 0.9, ()), embedding=np.ones(1, np.float32),
    )  # fmt: skip
    one = np.ones((1, 1), np.float32)
    return Query(("q",), (photo,), (face,), one, one[0], one, (0,), ())


def test_a_hostile_file_name_is_text(tmp_path: Path) -> None:
    """Markup in a file name is shown, not run."""
    page = _page(tmp_path, "<script>alert(1)<b>.png", exists=True)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_picture_that_is_gone_is_shown_as_gone(tmp_path: Path) -> None:
    """A file that was deleted since indexing does not break the page."""
    assert "no longer where it was indexed" in _page(tmp_path, "gone.png", exists=False)


def test_an_unmeasured_probability_is_not_zero(tmp_path: Path) -> None:
    """Where the forgery score is missing the page says so and draws no mark at 0 %."""
    page = _page(tmp_path, "hit.png", exists=True)
    assert "forged: not measured" in page
    assert "forged: 0 %" not in page


def test_one_sentence_says_what_the_maps_compare() -> None:
    """Only of the maps that are shown, and whether the verdict uses what one of them shows."""
    heat, distance = (MapView(it, "", "", "") for it in (FORGERY_MAP_TITLE, DISTANCE_MAP_TITLE))
    assert what_maps_compare([], ()) == ""
    alone = what_maps_compare([heat], (PATCH_DISTANCE,))
    assert alone.startswith("The heat map compares") and "distance map" not in alone
    assert alone.endswith("the verdict uses the scores under “Evidence”, and no map.")
    both = what_maps_compare([heat, distance], (PATCH_DISTANCE,))
    used = "the verdict uses the mean distance behind the distance map, and no other map."
    assert both.endswith(used)
