"""User input as paths: too long, with zero bytes, or missing counts as no file."""

import contextlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.agent.explicit_requests import DEFAULT_QUESTION
from assistant.cli.ask import _parted
from assistant.cli.main import app
from evals.__main__ import main as evals_main
from tools.media.paths import exists, is_file, is_folder

RUSSIAN = "Покажи, на каких снимках этот человек, и какие из них подделаны. " * 4
TOO_LONG = [RUSSIAN, "x" * 256, "x" * 5000, "a/" * 3000, "why\0not", "~" * 300]


@pytest.mark.parametrize("text", [*TOO_LONG, ""])
def test_what_can_be_no_name_is_no_file(text: str) -> None:
    """Nothing raises."""
    assert not any(
        ask(it) for ask in (exists, is_file, is_folder) for it in (text, Path(text or "x"))
    )


@pytest.mark.parametrize("text", TOO_LONG)
def test_a_question_may_have_any_length(text: str) -> None:
    """It is the question, whatever stands before it."""
    assert _parted(["ada.jpg", text]) == ([Path("ada.jpg")], text)
    assert _parted([text]) == ([], text)


def test_the_last_photo_is_a_photo(tmp_path: Path) -> None:
    """Where only photos are given the usual question is asked."""
    photo = tmp_path / "ada.jpg"
    photo.touch()
    assert _parted([str(photo)]) == ([photo], DEFAULT_QUESTION)


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [["ask", LONG, "who?"], ["index", LONG], ["fit", "unifd_linear", "--real", LONG],
     ["cases", LONG], ["ask", "hi", "--vlm", LONG]],
)  # fmt: skip
def test_a_name_that_is_too_long_is_one_line(home: Path, words: list[str]) -> None:
    """On the command line: status 0 or 1, no traceback."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "words",
    [["run", "retrieval", "--data", LONG], ["compare", LONG, "b"], ["report", LONG],
     ["run", "retrieval", "--data", ".", "--output", LONG],
     ["run", "retrieval", "--data", ".", "--peer", f"a={LONG}"]],
)  # fmt: skip
def test_measurements_take_long_names_too(
    home: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for `python -m evals`."""
    with contextlib.chdir(tmp_path):
        assert evals_main(words) == 1
    assert capsys.readouterr().err.count("error:") == 1
