"""CI runs only files that exist: a file that moves must also move in `.ci/run`."""

import re

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

SCRIPT = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def paths_in(script: str) -> set[str]:
    """Paths below the project's folders that a shell script names."""
    return set(re.findall(r"(?<![\w/.$])(?:tests|assistant|tools|prompts|evals)/[\w./-]+", script))


def test_ci_names_files_that_exist() -> None:
    """Every path of the project that CI's script names is a file or a folder."""
    named = {*paths_in(SCRIPT), "constraints.txt"}
    assert any(it.startswith("tests/") for it in named)
    assert "constraints.txt" in SCRIPT
    assert [it for it in sorted(named) if not (ROOT / it).exists()] == []


def test_paths_of_a_script_are_found() -> None:
    """Options, variables and paths elsewhere are no paths of the project."""
    script = 'CI=true pytest tests/a/test_b.py tools/c --x "$at/tests/d" /usr/tools/e\nruff check .'
    assert paths_in(script) == {"tests/a/test_b.py", "tools/c"}
