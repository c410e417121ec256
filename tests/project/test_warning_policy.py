"""The project's pytest settings: whose warnings fail a test run, for a user and in CI."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

# A library that warns of itself, or points at its caller; code of ours that calls it or warns.
SAMPLE = """
import threading
import warnings

import pytest

def module(name, code):
    space = {"__name__": name, "warnings": warnings}
    exec(compile(code, f"/somewhere/{name}.py", "exec"), space)
    return space

library = module("library.part", '''
def call(category, level):
    warnings.warn("heard", category, stacklevel=level)
''')["call"]

def warn(name, category, level):
    work = "def work(library, *how):\\n    library(*how)\\n    return 1"
    module(name, work)["work"](library, category, level)

KINDS = [
    DeprecationWarning, PendingDeprecationWarning, FutureWarning, UserWarning, RuntimeWarning,
]
OURS = ["app", "assistant.x", "tools.a.b", "prompts", "evals.x", "tests.x"]

@pytest.mark.parametrize("kind", KINDS)
def test_library(kind):
    warn("tools.x", kind, 1)

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OURS)
def test_ours(name, kind):
    warn(name, kind, 2)

@pytest.mark.parametrize("name", ["appliance", "toolsmith.x", "library.tools", "testsuite"])
def test_alike(name):
    warn(name, RuntimeWarning, 2)

def test_thread():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()

def test_collected():
    module("tools.x", '''
class Held:
    def __del__(self):
        warnings.warn("left open", ResourceWarning)
        raise ValueError("too late")
Held()
''')
"""
LATER = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")


@pytest.fixture(scope="module", params=["", "false", "true"])
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bool, dict[str, str], str]:
    """Whether CI was set, the outcome of each sample under the project's settings, the output."""
    sample = tmp_path_factory.mktemp("sample") / "test_sample.py"
    sample.write_text(SAMPLE)
    command = [sys.executable, "-m", "pytest", "-v", "-n", "0", "-c", str(ROOT / "pyproject.toml")]
    command += ["-p", "no:cacheprovider", "-p", "tests.warning_policy", str(sample)]
    environment = {**os.environ, "CI": request.param, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    found = re.findall(r"::(test_\S+) (PASSED|FAILED)", done.stdout)
    assert len(found) == 41, done.stdout + done.stderr
    return request.param == "true", dict(found), done.stdout


def test_a_librarys_own_warning_is_shown_and_fails_nothing(
    outcomes: tuple[bool, dict[str, str], str],
) -> None:
    """A library that warns of itself fails no test, nor in CI; the summary shows it."""
    _, outcome, shown = outcomes
    of_library = {name: it for name, it in outcome.items() if name.startswith("test_library")}
    assert len(of_library) == 5
    assert {*of_library.values()} == {"PASSED"}
    for kind in (*LATER, "UserWarning", "RuntimeWarning"):
        assert f"/somewhere/library.part.py:3: {kind}: heard" in shown


def test_a_warning_of_ours_fails_and_a_deprecation_in_ci_alone(
    outcomes: tuple[bool, dict[str, str], str],
) -> None:
    """What points at our code is an error; what a new release deprecates, where CI is set."""
    in_ci, outcome, shown = outcomes
    of_ours = {name: it for name, it in outcome.items() if name.startswith("test_ours")}
    assert len(of_ours) == 30
    for name, it in of_ours.items():
        fails = in_ci or not any(f"-{kind}]" in name for kind in LATER)
        assert it == ("FAILED" if fails else "PASSED"), name
    assert in_ci or "/somewhere/tools.a.b.py:2: FutureWarning: heard" in shown


def test_what_a_collection_of_garbage_notices_fails_nothing(
    outcomes: tuple[bool, dict[str, str], str],
) -> None:
    """It names whatever ran when it came, and would fail another test each time."""
    _, outcome, shown = outcomes
    assert outcome["test_collected"] == "PASSED"
    assert "left open" in shown
    assert "too late" in shown


def test_names_and_threads(outcomes: tuple[bool, dict[str, str], str]) -> None:
    """A name that begins like ours is a library's; an exception in a thread is a failure."""
    _, outcome, _ = outcomes
    assert {it for name, it in outcome.items() if name.startswith("test_alike")} == {"PASSED"}
    assert outcome["test_thread"] == "FAILED"
