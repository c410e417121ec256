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
from assistant.report.remarks import known_limits, own_remarks, plain_sentence, sentence_html
from tests.tools.verdict.test_rule import HIGH, RULE, scores
from tools.detectors.catalogue import GROUPS_PREFIX
from tools.errors import SetupError
from tools.faces.analyser import Face, FaceQuality
from tools.media.pictures.decoding import image_id
from tools.search.query import Query
from tools.search.reranking.reference_comparison import PATCH_DISTANCE
from tools.search.results import Findings, Hit, count_verdicts
from tools.verdict.evidence import collect_evidence
from tools.verdict.template_writer import explain, render

pytestmark = pytest.mark.fast

KEYPOINTS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def _page(
    tmp_path: Path, name: str, *, exists: bool, texts: PngInfo | None = None,
    warnings: tuple[str, ...] = (), replaced: bool = False,
) -> str:  # fmt: skip
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
    shown = image_id(hit_path.read_bytes()) if exists and not replaced else "x"
    hit = Hit(1, "x:0", shown, (hit_path,), (10.0, 10.0, 90.0, 110.0),
              tuple((float(x), float(y)) for x, y in KEYPOINTS), assessment, evidence,
              render(explain(assessment, evidence)))  # fmt: skip
    findings = Findings((photo,), ("q",), "case", "pocket", (hit,), 1,
                        count_verdicts([hit.verdict]), 0, warnings)  # fmt: skip
    told = list[tuple[int, int]]()
    page = write_report(
        findings, _query(photo), tmp_path / "page.html", rule=RULE,
        on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(0, 1), (1, 1)], "drawing takes seconds for each hit and says how far it is"
    return page.read_text()


def test_no_other_picture_stands_beside_a_verdict(tmp_path: Path) -> None:
    """Under the same name lay another person's picture, which the report showed as the hit."""
    page = _page(tmp_path, "hit.png", exists=True, replaced=True)
    assert "The image of hit 1" not in page and "the picture is no longer where" in page
    assert "Nothing in the file speaks of its origin" not in page, "it is another file's"
    assert "The image of hit 1" in _page(tmp_path, "hit.png", exists=True)


def test_a_report_is_never_written_as_another_format(tmp_path: Path) -> None:
    """A word processor would not open HTML that is called .docx."""
    photo = tmp_path / "q.png"
    findings = Findings((photo,), ("q",), "case", "pocket", (), 0, count_verdicts([]), 0, ())
    for name in ("page.docx", "page.csv", "page"):
        with pytest.raises(SetupError, match=r"ends in \.html, \.htm, \.pdf or \.json"):
            write_report(findings, _query(photo), tmp_path / name, rule=RULE)
    assert list(tmp_path.iterdir()) == []


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


def test_known_limits_are_no_remark_of_one_search() -> None:
    """They stand once, below; commands are marked by type, and nothing of a file is markup."""
    rates = f"{GROUPS_PREFIX}under 18: 41 %; `unmask detectors` lists all differences"
    told = [rates, "left out: <b>a`b.png</b> is damaged"]
    assert own_remarks(told) == told[1:] and known_limits(told) == told[:1]
    assert sentence_html(rates) == (
        "Error rates by group: under 18: 41 %; <code>unmask detectors</code> lists all differences."
    )
    assert sentence_html(told[1]) == "Left out: &lt;b&gt;a`b.png&lt;/b&gt; is damaged."
    assert plain_sentence(rates).endswith("; unmask detectors lists all differences.")


def test_known_limits_stand_below_the_hits(tmp_path: Path) -> None:
    """The page's list of findings begins with what is about this search."""
    rates = f"{GROUPS_PREFIX}under 18: 41 %; `unmask detectors` lists all differences"
    page = _page(tmp_path, "hit.png", exists=True, warnings=(rates, "the face in Q1 is small"))
    assert page.index("The face in Q1 is small.") < page.index("<article")
    assert page.index("Error rates by group") > page.index("Limits and alternative explanations")
    assert page.count("Error rates by group: under 18") == 1 and "`" not in page
