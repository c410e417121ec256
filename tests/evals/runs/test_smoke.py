"""Every evaluation suite runs from the command line to its report, on a synthetic data set.

With the real pocket parts; the gallery is measured once and put into each run's folder, where a run
goes on as one that was interrupted. Figures on such data mean nothing: that they come is the test.
"""

import json
import math
import shutil
from pathlib import Path

import pytest

import evals.__main__ as entry
from evals.datasets.manifest import Manifest
from evals.runs import folder as runs
from evals.runs import samples
from evals.runs.figures import flatten_figures, number
from evals.suite_table import SUITES

# Of every suite: what it is told, and figures that have to be there.
HEADLINES: dict[str, tuple[str, ...]] = {
    "retrieval": ("real_mates.auc", "real_mates.mAP", "fake_mates.mAP"),
    "impersonation": ("mAP", "mAP_oracle_detector", "recall_at_10"),
    "detectors": ("auc", "frames.face/unifd_linear.auc"),
    "robustness": ("unattacked.auc.face/unifd_linear", "unattacked.identity_cosine"),
    "leakage": ("real.encoder face.top1", "fake.encoder face.top1", "real.chance"),
    "attribution": ("face.accuracy", "image.macro f1", "majority.accuracy"),
    "calibration": ("forgery.ece", "forgery.brier", "forgery.cllr"),
    "reproduction": (
        "systems.unifd_as_published.average_accuracy",
        "systems.unifd_as_published.retrieval_mAP",
    ),
    "agent": ("turns", "right tool and arguments"),
    "explanations": ("hits", "grounded, nothing masked", "flip test.text follows"),
    "injection": ("attacks", "held"),
}
LIMITS = {
    "detectors": 12, "reproduction": 48, "robustness": 4, "agent": 1, "explanations": 1,
    "injection": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The entry tells libraries to stay offline; a test leaves the environment alone."""
    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)


def test_every_suite_is_smoked() -> None:
    """No suite of the group is missing here."""
    assert {name for name, suite in SUITES.items() if suite.group == "suite"} == HEADLINES.keys()


@pytest.mark.parametrize("suite", HEADLINES)
def test_a_suite_runs_to_its_report(
    suite: str, made_dataset: Manifest, made_run: Path, tmp_path: Path
) -> None:
    """It ends well, with finite figures, a line a sample and a report without addresses."""
    folder = tmp_path / suite
    folder.mkdir()
    (folder / runs.STARTED_FILE).write_text(json.dumps({"suite": suite}), encoding="utf-8")
    shutil.copytree(made_run / runs.HOME_DIR, folder / runs.HOME_DIR)
    table = made_dataset.root / "manifest.csv"
    told = ["run", suite, "--data", str(table), "--output", str(folder), "--quiet"]
    limit = ["--limit", str(LIMITS[suite])] if suite in LIMITS else []
    assert entry.main([*told, *limit]) == 0

    figures = flatten_figures(runs.load_run(folder).figures)
    for name in HEADLINES[suite]:
        assert math.isfinite(number(figures[name])), name
    assert any(math.isfinite(number(value)) for value in figures.values())
    # Attacks of the injection suite are no samples to compare systems by; they have their own file.
    assert any(samples.read(folder)) or (folder / f"{suite}.jsonl").stat().st_size
    assert suite in (folder / runs.REPORT_FILE).read_text(encoding="utf-8")
    for picture in runs.load_pictures(folder):
        assert picture.file.is_file()
