"""Comparing two runs: figures, paired tests over shared samples, and what prevents a comparison."""

import json
from pathlib import Path

import pytest

import evals.__main__ as entry
from evals.runs.compare import as_json, as_text, compare, write_page
from evals.runs.samples import SampleWriter
from tests.support.eval_runs import MadeRun, write_run_folder
from tools.errors import SetupError

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The entry tells libraries to stay offline; a test leaves the environment alone."""
    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)


def _scores(*values: float | None) -> tuple[tuple[str, str, int, float | None], ...]:
    """Authentic and forged in turns, two samples a group."""
    return tuple((f"s{at}", f"g{at // 2}", at % 2, value) for at, value in enumerate(values))


def test_figures_stand_side_by_side(tmp_path: Path) -> None:
    """Every figure of either run has a line; a difference is the later run less the first."""
    first = write_run_folder(
        tmp_path / "a", MadeRun(figures={"auc": 0.5, "auc_95": [0.25, 0.75], "gone": 1})
    )
    second = write_run_folder(
        tmp_path / "b", MadeRun(figures={"auc": 0.75, "new": {"n": None}, "ok": True})
    )
    found = compare([first, second])
    shown = {it.figure: (it.values, str(it.differences[0])) for it in found.lines}
    assert shown == {
        "auc": ((0.5, 0.75), "0.25"),
        "gone": ((1, None), "nan"),
        "new.n": ((None, None), "nan"),
        "ok": ((None, True), "nan"),
    }
    text = as_text(found)
    assert "0.500 (0.250 – 0.750)" in text
    assert "+0.25" in text


def test_scores_are_compared_pair_by_pair(tmp_path: Path) -> None:
    """The difference of AUC is that of the shared samples, by set and scorer."""
    # Of the first run, 4 of the 4 x 4 pairs are won (each forged sample beats one authentic):
    # authentic 1 2 3 4, forged 1.5 1.5 1.5 1.5 -> 4 / 16 = 0.25. The second wins all 16: 1.0.
    first = write_run_folder(
        tmp_path / "a", MadeRun(scores=_scores(1, 1.5, 2, 1.5, 3, 1.5, 4, 1.5))
    )
    second = write_run_folder(tmp_path / "b", MadeRun(scores=_scores(1, 9, 2, 9, 3, 9, 4, 9)))
    found = compare([first, second], rounds=200)
    assert found.comparable
    [test] = found.against[0].tests
    assert (test.part, test.scorer, test.figure) == ("one", "ours", "AUC")
    assert (test.n, test.groups) == (8, 4)
    assert (test.first, test.second, test.difference) == (0.25, 1.0, 0.75)
    # The runs are alike only in a draw of nothing but the first group (1 in 4**4 draws).
    assert 1 / 200 <= test.p < 0.05
    assert test.p_holm == test.p
    assert test.sure
    assert 0 < test.low <= 0.75 <= test.high <= 1


def test_queries_are_compared_by_their_mean(tmp_path: Path) -> None:
    """Every measure of queries has its mean difference; equal runs do not differ."""
    values = (("q1", "p", 0.25), ("q2", "p", 0.75), ("q3", "r", 0.5))
    first = write_run_folder(tmp_path / "a", MadeRun(queries=values))
    second = write_run_folder(
        tmp_path / "b", MadeRun(queries=tuple((q, p, it + 0.125) for q, p, it in values))
    )
    [test] = compare([first, second], rounds=50).against[0].tests
    # (0.25 + 0.75 + 0.5) / 3 = 0.5 and 0.125 more; the difference is the same in every draw.
    assert (test.first, test.second, test.difference) == (0.5, 0.625, 0.125)
    assert (test.low, test.high) == (0.125, 0.125)
    assert test.p == 1 / 50  # the least that 50 rounds can tell
    [same] = compare([first, first], rounds=50).against[0].tests
    assert (same.difference, same.p, same.sure) == (0, 1, False)


def test_only_what_both_measured_counts(tmp_path: Path) -> None:
    """Samples of one run only are named; unmeasured and relabelled ones are left out."""
    first = write_run_folder(tmp_path / "a", MadeRun(scores=_scores(1, 2, 3, 4, None, 6, 7, 8)))
    changed = [*_scores(1, 2, 3, 4, 5, 6)]
    changed[3] = ("s3", "g1", 0, 4.0)
    second = write_run_folder(tmp_path / "b", MadeRun(scores=(*changed, ("extra", "g9", 1, 1.0))))
    against = compare([first, second], rounds=20).against[0]
    assert against.missing == ("one: s6", "one: s7")
    assert against.further == ("one: extra",)
    assert against.shared == 6
    assert against.obstacles == (
        "1 shared samples have another label; they are left out of the tests",
    )
    assert against.tests[0].n == 4  # s0, s1, s2, s5


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (MadeRun(suite="retrieval"), "other suite: detectors and retrieval"),
        (MadeRun(digest="d2", scores=_scores(1, 2)), "different data"),
        (MadeRun(digest=None, scores=_scores(1, 2)), "different data"),
        (MadeRun(scores=(("else", "g", 0, 1.0),)), "no shared samples"),
        (MadeRun(), "no samples were kept"),
    ],
)
def test_what_stands_in_the_way_is_said(tmp_path: Path, other: MadeRun, said: str) -> None:
    """Runs of other suites or data, or without shared samples, are called not comparable."""
    first = write_run_folder(tmp_path / "a", MadeRun(scores=_scores(1, 2)))
    found = compare([first, write_run_folder(tmp_path / "b", other)], rounds=20)
    assert not found.comparable
    assert f"b: not comparable: {said}" in as_text(found)


def test_what_else_differs_is_said(tmp_path: Path) -> None:
    """Two commits of a suite are compared, and the commits are named."""
    commits = [{"git": {"commit": name, "dirty": False}} for name in ("c0ffee", "decade")]
    first, second = (
        write_run_folder(
            tmp_path / it["git"]["commit"], MadeRun(environment=it, scores=_scores(1, 2))
        )
        for it in commits
    )
    found = compare([first, second], rounds=20)
    assert ("git.commit", "c0ffee", "decade") in found.against[0].differs
    assert "decade: git.commit is decade, was c0ffee" in as_text(found)


def test_several_runs_stand_beside_one(tmp_path: Path) -> None:
    """Any number of runs is held against the first; folders of one name keep theirs apart."""
    figures = {"a": 0, "b": 1, "c": 2}
    folders = [
        write_run_folder(tmp_path / it / "run", MadeRun(figures={"n": n}))
        for it, n in figures.items()
    ]
    found = compare(folders)
    assert found.names == ("a/run", "b/run", "c/run")
    assert [it.differences for it in found.lines] == [(1.0, 2.0)]


def test_doubled_samples_are_refused(tmp_path: Path) -> None:
    """A sample that is there twice cannot be paired."""
    first = write_run_folder(tmp_path / "a", MadeRun(queries=(("q", "p", 0.5),)))
    SampleWriter(first).query(id="q", group="p", values={"ap": 0.5})
    with pytest.raises(SetupError, match="holds the sample 'q' twice"):
        compare([first, first])


def test_the_command_prints_json_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`compare A B --json --html FILE` gives the same to programs and to people."""
    first = write_run_folder(
        tmp_path / "a", MadeRun(scores=_scores(1, 2, 3, 4), picture=("ROC", "of a"))
    )
    second = write_run_folder(tmp_path / "b", MadeRun(scores=_scores(1, 2, 3, 4)))
    page = tmp_path / "page.html"
    words = ["compare", str(first), str(second), "--json", "--html", str(page), "--rounds", "20"]
    assert entry.main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["comparable"] is True
    assert said["figures"]["auc"] == {"values": [0.5, 0.5], "differences": [0.0]}
    assert said["against"][0]["tests"][0]["difference"] == 0
    html = page.read_text()
    assert html.count("data:image/png;base64,") == 1
    assert "not in this run" in html


def test_a_run_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong folder ends with 1 and a line."""
    assert entry.main(["compare", str(tmp_path), str(tmp_path)]) == 1
    assert "no run in" in capsys.readouterr().err


def test_names_are_never_markup(tmp_path: Path) -> None:
    """Names of samples, figures and runs are text on the page, whatever is in them."""
    hostile = "<script>alert(1)</script>"
    first = write_run_folder(
        tmp_path / "a", MadeRun(figures={hostile: 1}, queries=((hostile, "p", 0.5),))
    )
    second = write_run_folder(
        tmp_path / "b", MadeRun(figures={hostile: 2}, queries=(("q", "p", 0.5),))
    )
    html = write_page(compare([first, second], rounds=20), tmp_path / "page.html").read_text()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 2


def test_json_has_no_nan(tmp_path: Path) -> None:
    """What could not be tested is null for programs."""
    first = write_run_folder(tmp_path / "a", MadeRun(queries=(("q", "p", 0.5),)))
    text = json.dumps(as_json(compare([first, first], rounds=20)), allow_nan=False)
    assert json.loads(text)["against"][0]["tests"][0]["p"] is None
