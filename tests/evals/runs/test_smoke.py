"""Every evaluation suite runs from the command line to its report, on a synthetic data set.

With the real pocket parts; the gallery is measured once and put into each run's folder, where a run
goes on as one that was interrupted. Figures on such data mean nothing: that they come is the test.
"""

from pathlib import Path

import pytest

from evals.datasets.manifest import Manifest
from evals.runs import folder as runs
from evals.suite_table import SUITES
from evals.suites.agent import workspaces
from tests.evals.suite_run import run_suite
from tests.support.paths import ROOT

# Of every suite: figures that have to be there. `detectors` is here for the detectors that ship;
# its own tests have made ones.
HEADLINES: dict[str, tuple[str, ...]] = {
    "detectors": ("auc", "frames.face/unifd_linear.auc"),
    "leakage": ("real.encoder face.top1", "fake.encoder face.top1", "real.chance"),
    "attribution": ("face.accuracy", "image.macro f1", "majority.accuracy"),
    "agent": ("turns", "right tool and arguments"),
    "explanations": ("hits", "grounded, nothing masked", "flip test.text follows"),
}
LIMITS = {"detectors": 6, "agent": 1, "explanations": 1}

ELSEWHERE = {
    "retrieval": "test_retrieval.py",
    "impersonation": "test_retrieval.py",
    "reproduction": "test_retrieval.py",
    "detectors": "test_detection.py",
    "robustness": "test_detection.py",
    "calibration": "test_detection.py",
    "injection": "resilience/test_injection.py",
}
"""Suites whose own tests read the run: they take it as far as here."""


def test_every_suite_is_smoked() -> None:
    """No suite of the group is missing here or in its own file."""
    for suite, file in ELSEWHERE.items():
        source = (ROOT / "tests" / "evals" / "suites" / file).read_text(encoding="utf-8")
        assert f'run_suite("{suite}"' in "".join(source.split()), file
    group = {name for name, suite in SUITES.items() if suite.group == "suite"}
    assert group == HEADLINES.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("suite", HEADLINES)
def test_a_suite_runs_to_its_report(
    suite: str, made_dataset: Manifest, made_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It ends well, with finite figures, a line a sample and a report without addresses."""
    monkeypatch.setattr(workspaces, "FEW", 12)  # pictures that a question is asked about
    options = ("--limit", str(LIMITS[suite])) if suite in LIMITS else ()
    run_suite(
        suite, made_dataset.root / "manifest.csv", tmp_path / suite, *options,
        home=made_run / runs.HOME_DIR, headlines=HEADLINES[suite],
    )  # fmt: skip
