"""Terminal output: shows what was measured; file names cannot inject control characters."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.console.output import (
    escape_terminal,
    evidence_line,
    format_probability,
    print_error,
    print_findings,
    print_json,
    print_summary,
)
from assistant.console.progress import format_duration, format_progress
from tools.errors import ToolError
from tools.gallery.indexing.progress import IndexProgress, IndexSummary
from tools.search.results import Findings, Hit, count_verdicts
from tools.verdict.evidence import Evidence, collect_evidence
from tools.verdict.rule import Assessment, Verdict

pytestmark = pytest.mark.fast


def hit(rank: int, path: Path, verdict: Verdict, *, fake: float | None) -> Hit:
    """A hit as an investigation returns it."""
    product = None if fake is None else 0.97 * fake
    return Hit(
        rank=rank,
        face_id=f"{rank}:0",
        image_id=str(rank),
        paths=(path,),
        box=(1.0, 2.0, 30.0, 40.0),
        keypoints=((1.0, 2.0),) * 5,
        assessment=Assessment(verdict, 0.97, fake, product, "because"),
        evidence=collect_evidence({"cosine_similarity": 0.53, "face/unifd_linear": fake}, {}),
        explanation=f"The face matches hit {rank} [E1].",
    )


def findings(*hits: Hit) -> Findings:
    """An answer with these hits."""
    return Findings(
        query_paths=(Path("ada.jpg"),),
        query_ids=("q",),
        gallery="case",
        profile="pocket",
        hits=hits,
        compared=len(hits),
        counts=count_verdicts([each.verdict for each in hits]),
        images_without_face=4,
        warnings=(),
    )


def test_probabilities_are_never_certain_and_never_made_up() -> None:
    """What was not measured says so, and nothing is shown as 0 % or 100 %."""
    assert format_probability(None) == "not measured"
    assert format_probability(0.0) == "< 1 %"
    assert format_probability(1.0) == "> 99 %"
    assert format_probability(0.42) == "42 %"


def test_names_cannot_steer_the_terminal() -> None:
    """Escape sequences, line breaks, reversed text and foreign bytes are shown, not obeyed."""
    assert escape_terminal("a\x1b[31mb\n\u202egpj.exe") == r"a\x1b[31mb\n\u202egpj.exe"
    assert escape_terminal(Path(os.fsdecode(b"caf\xe9.jpg"))) == r"caf\xe9.jpg"
    assert escape_terminal("é 你好 [red]x") == "é 你好 [red]x"


def test_findings_are_a_table_with_reasons_beneath(capsys: pytest.CaptureFixture[str]) -> None:
    """Each hit is a line; impersonations are explained with the evidence that is cited."""
    forged = hit(1, Path("x/[red]forged\x1b[5m.jpg"), "impersonation", fake=0.93)
    unmeasured = hit(2, Path("x/blurred.jpg"), "not assessed", fake=None)
    print_findings(findings(forged, unmeasured), explain=False)
    shown = capsys.readouterr().out
    first, second = [line for line in shown.splitlines() if line.startswith(("   1 ", "   2 "))]
    assert _cells(first)[1:5] == ["impersonation", "97 %", "93 %", "90 %"]
    assert "not measured" in second
    assert "0 %" not in second.replace("97 %", "")
    assert "Below x:" in shown
    assert r"  [red]forged\x1b[5m.jpg" in shown
    assert "\x1b" not in shown
    assert "The face matches hit 1 [E1]." in shown
    assert "E1 identity similarity: 0.53 on a scale up to 1" in shown
    assert "hit 2" not in shown
    assert "2 images compared: 1 impersonation" in shown


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_files_of_different_folders_keep_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what all hits share of their folder is taken out of the table."""
    paths = (Path("/all/ada/1.jpg"), Path("/all/bob/2.jpg"))
    print_findings(
        findings(
            *(hit(rank, it, "no forgery found", fake=0.1) for rank, it in enumerate(paths, 1))
        ),
        explain=False,
    )
    shown = capsys.readouterr().out
    assert "Below /all:" in shown
    assert "ada/1.jpg" in shown
    assert "/all/ada" not in shown


def test_files_that_share_no_folder_are_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a common folder every path stays whole."""
    for other in (Path("/other/2.jpg"), Path("relative/2.jpg")):
        hits = (
            hit(1, Path("/all/1.jpg"), "no forgery found", fake=0.1),
            hit(2, other, "other", fake=0.1),
        )
        print_findings(findings(*hits), explain=False)
        shown = capsys.readouterr().out
        assert "/all/1.jpg" in shown
        assert str(other) in shown


def test_everything_is_explained_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """--explain gives every hit's reasons and all of its evidence, missing values included."""
    print_findings(
        findings(
            hit(1, Path("a.jpg"), "no forgery found", fake=0.1),
            hit(2, Path("b.jpg"), "not assessed", fake=None),
        ),
        explain=True,
    )
    shown = capsys.readouterr().out
    assert "matches hit 1" in shown
    assert "matches hit 2" in shown
    assert "E2 forgery score of the face: not measured" in shown


def test_an_empty_answer_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """No hits is a sentence, not an empty table."""
    print_findings(findings(), explain=False)
    assert "No face in gallery 'case'" in capsys.readouterr().out


def test_truths_stand_beside_the_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the right answers are known, as in the demo, they are shown in the table."""
    answer = findings(hit(1, Path("x/a.jpg"), "impersonation", fake=0.9))
    print_findings(answer, explain=False, truths={"a.jpg": "a forgery"})
    assert "what it really is" in (shown := capsys.readouterr().out)
    assert "a forgery" in shown


def test_a_summary_counts_and_names_what_was_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    """Skips are given by reason, the first ones by name, the rest as a number."""
    skipped = tuple((Path(f"{number}.jpg"), "truncated") for number in range(12))
    summary = IndexSummary(
        images_added=1, faces_found=2, already_known=3, duplicates=0, missing=0,
        skipped={"truncated": 12}, skipped_files=skipped, seconds=1.25, notices=(),
    )  # fmt: skip
    print_summary(summary, "case")
    shown = capsys.readouterr().out
    assert "1 image with 2 faces added in 1.2 s" in shown
    assert "3 files already known" in shown
    assert "12 files skipped: 12 truncated" in shown
    assert "9.jpg  (truncated: " in shown
    assert "10.jpg" not in shown
    assert "and 2 more" in shown
    assert "0 files" not in shown


def test_json_refuses_nan(capsys: pytest.CaptureFixture[str]) -> None:
    """A NaN is a bug upstream: it never becomes invalid JSON."""
    print_json({"a": None})
    assert json.loads(capsys.readouterr().out) == {"a": None}
    with pytest.raises(ValueError, match="JSON"):
        print_json({"a": float("nan")})


def test_errors_are_one_line_but_may_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of a message stay lines; control characters in them do not."""
    print_error(ToolError("two faces:\n  1: left\n  2: \x1b[2J"))
    assert capsys.readouterr().err == "error: two faces:\n  1: left\n  2: \\x1b[2J\n"


def test_progress_says_rate_and_time_left() -> None:
    """The line holds files done and in all, the rate, and the time that is left."""
    progress = IndexProgress(
        files_done=50, files_total=1250, images_added=40, faces_found=44, skipped=2, seconds=10.0
    )
    assert format_progress(progress) == (
        "50 of 1,250 files, 44 faces, 2 skipped, 5.0 files/s, 4 min left"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.4, "12 s"), (600, "10 min"), (12_000, "3 h 20 min")]
)
def test_durations_read_naturally(seconds: float, words: str) -> None:
    """Seconds, minutes and hours where each is fitting."""
    assert format_duration(seconds) == words


def test_a_value_without_a_usual_range_is_read() -> None:
    """A bare cosine does not say whether it is much."""
    item = Evidence("E7", "query/face_feature_cosine", "appearance", 0.63, "cosine", "m", "l")
    assert evidence_line(replace(item, reads="unlike")).endswith("0.63 on a scale up to 1 (unlike)")
    above = replace(item, reads="high", share_of_authentic_below=0.98)
    assert evidence_line(above).endswith("higher than in 98 % of authentic photos")
    assert "(" not in evidence_line(replace(item, reads="not calibrated"))
