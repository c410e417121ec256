"""The report of a run: self-contained, complete, and unmeasured values stay visible."""

import re
from pathlib import Path

import pytest

import evals.__main__ as entry
from evals.runs import folder as runs
from evals.runs import report
from evals.runs.figure_tables import cells, headlines, tables
from evals.runs.samples import ScoreSample
from tests.support.eval_runs import MadeRun, write_run_folder
from tools.errors import SetupError

pytestmark = pytest.mark.fast

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The entry tells libraries to stay offline; a test leaves the environment alone."""
    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)


def _page(tmp_path: Path, made: MadeRun) -> str:
    return report.write(write_run_folder(tmp_path / "run", made)).read_text()


def test_the_page_holds_figures_pictures_and_the_way_back(tmp_path: Path) -> None:
    """Question, figures with intervals, pictures with captions, data and command are there."""
    figures = {"auc": 0.875, "auc_95": [0.75, 0.9375], "eer": None}
    queries = (("q7", "p", 0.25),)
    html = _page(
        tmp_path, MadeRun(figures=figures, picture=("ROC curve", "of all"), queries=queries)
    )
    for text in ("Does it work?", "0.875", "0.750 – 0.938", "ROC curve", "of all", "q7", "celeb"):
        assert text in html
    assert "python -m evals run detectors --data PATH/TO/celeb --seed 0" in html
    assert '1 figure was <span class="none">not measured</span>: eer' in html
    assert html.count("data:image/png;base64,") == 1


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    """No address, no script, no file beside it; and the browser is told so."""
    html = _page(tmp_path, MadeRun(picture=("ROC", "")))
    sources = re.findall(r"(?:src|href)\s*=\s*\"([^\"]{0,11})", html)
    assert sources == ["data:image/"]
    assert not re.search(r"https?:|@import|url\(|<script|<link", html)
    assert "default-src 'none'" in html


def test_names_are_never_markup(tmp_path: Path) -> None:
    """Sample ids, figure names, values, titles and captions are text, whatever is in them."""
    figures = {HOSTILE: {HOSTILE: HOSTILE, "n": 1}, "auc": 0.5}
    html = _page(
        tmp_path,
        MadeRun(
            figures=figures,
            scores=((HOSTILE, "g", 0, 0.5), ("other", "g", 1, 0.5)),
            queries=((HOSTILE, "g", 0.5),),
            picture=(f'"{HOSTILE}', HOSTILE),
            environment={"profile": HOSTILE},
        ),
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 7
    assert 'alt="&#34;&lt;script&gt;' in html


def test_a_run_that_measured_nothing_says_so(tmp_path: Path) -> None:
    """A page without figures, pictures and samples is still a page."""
    html = _page(tmp_path, MadeRun(figures={}))
    assert "Nothing was measured." in html
    assert "Pictures" not in html


def test_report_makes_the_page_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report RUN` writes the page and says where; no run is one line."""
    folder = write_run_folder(tmp_path / "run", MadeRun())
    assert entry.main(["report", str(folder), "--open", "no"]) == 0
    assert capsys.readouterr().out == f"{folder / runs.REPORT_FILE}\n"
    assert (folder / runs.REPORT_FILE).is_file()
    assert entry.main(["report", str(tmp_path / "none"), "--open", "no"]) == 1


def test_a_run_is_found_by_its_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that were kept below the data folder need no path."""
    write_run_folder(home / "evals" / "size-1", MadeRun())
    assert entry.main(["report", "size-1", "--open", "no"]) == 0
    assert str(home / "evals" / "size-1") in capsys.readouterr().out


def test_a_broken_list_of_pictures_is_said(tmp_path: Path) -> None:
    """A list of pictures that is none is one line, not a traceback."""
    folder = write_run_folder(tmp_path / "run", MadeRun())
    (folder / runs.PICTURES_FILE).write_text('[{"file": "a.png"}]')
    with pytest.raises(SetupError, match="not a list of pictures"):
        report.write(folder)


def test_the_worst_samples_are_named() -> None:
    """Authentic samples with the highest, forged ones with the lowest score, by set."""
    scores = [(0, 0.1), (0, 0.9), (1, 0.8), (1, 0.2), (1, float("nan"))]
    made = [
        ScoreSample(f"s{at}", "g", "one", label, {"ours": score})
        for at, (label, score) in enumerate(scores)
    ]
    assert [(it.title, it.rows) for it in report.worst_scores(made)] == [
        ("one: authentic, scored highest by ours", (("s1", 0.9), ("s0", 0.1))),
        ("one: forged, scored lowest by ours", (("s3", 0.2), ("s2", 0.8))),
    ]


def test_a_figure_and_its_interval_are_one_cell() -> None:
    """`name` and `name_95` are shown together; an interval that is none is not measured."""
    found = cells({"a": 0.5, "a_95": (0.25, 0.75), "b": 0.5, "b_95": None, "c_95": [1, 2]})
    assert list(found) == ["a", "b", "c_95"]
    assert found["a"].interval == "0.250 – 0.750"
    assert (found["a"].mark, found["a"].span) == (50, (25, 75))
    assert found["b"].interval == "not measured"
    unmeasured = cells({"x": float("nan"), "x_95": (None, None)})["x"]
    assert (unmeasured.measured, unmeasured.interval) == (False, "")


def test_headlines_are_shares_first_then_counts() -> None:
    """Shares that stand alone, nested figures with an interval, then everything else alone."""
    figures = {"n": 3, "deep": {"auc": 0.5, "auc_95": [0.25, 0.75], "x": 1.0}, "auc": 0.75}
    assert list(headlines(figures)) == ["auc", "deep.auc", "n"]


def test_too_many_headlines_are_one_a_part() -> None:
    """With many figures, each part is there with its first one, so that no part is cut off."""
    part = {"n": 3, "auc": 0.5, "auc_95": [0.25, 0.75], "eer": 0.5, "eer_95": [0.25, 0.75]}
    figures = {"parts": {f"p{at}": part for at in range(20)}}
    assert list(headlines(figures)) == [f"parts.p{at}.auc" for at in range(20)]


def test_a_small_table_with_intervals_leads() -> None:
    """Few systems by few figures stand at the top as they are, and are not said twice."""
    system = {"real": 0.5, "real_95": [0.25, 0.75], "fake": 0.5}
    figures = {"systems": {"a": system, "b": system}, "mAP": 0.5}
    assert [table.title for table in tables(figures) if table.leads] == ["systems"]
    assert list(headlines(figures)) == ["mAP"]


def test_parts_with_the_same_figures_become_a_table() -> None:
    """A topic of parts is crossed with their figures; a topic of single values is a list."""
    part = {"auc": 0.5, "tpr_at_0.1": 0.25}
    crossed, listed = tables({"sets": {"a": part, "b": {"x": part}}, "one": {"n": 1, "m": 2}})
    assert crossed.columns == ("auc", "tpr_at_0.1")
    assert [name for name, _ in crossed.rows] == ["a", "b.x"]
    assert listed.columns == ("value",)
    assert [name for name, _ in listed.rows] == ["n", "m"]
