"""A suite run from the command line to its report, and what every run must leave behind."""

import json
import math
import shutil
from pathlib import Path

import pytest

import evals.__main__ as entry
from evals.runs import folder as runs
from evals.runs import samples
from evals.runs.figures import flatten_figures, number
from evals.runs.folder import EvalRun


def run_suite(
    suite: str, table: Path, folder: Path, *options: str, home: Path | None = None,
    headlines: tuple[str, ...] = (),
) -> EvalRun:  # fmt: skip
    """Run a suite on a manifest into a folder; `headlines` are figures that must be finite.

    With the `home` of another run, whose gallery has the pictures, it goes on as one that was
    interrupted. It must end well, with figures, a line a sample, pictures and a report.
    """
    folder.mkdir(exist_ok=True)
    if home is not None:
        (folder / runs.STARTED_FILE).write_text(json.dumps({"suite": suite}), encoding="utf-8")
        shutil.copytree(home, folder / runs.HOME_DIR)
    told = ["run", suite, "--data", str(table), "--output", str(folder), "--quiet", *options]
    with pytest.MonkeyPatch.context() as patch:
        # It tells libraries to stay offline; a test leaves the environment alone.
        patch.setattr(entry, "harden_library_environment", lambda: None)
        assert entry.main(told) == 0

    run = runs.load_run(folder)
    figures = flatten_figures(run.figures)
    for name in headlines:
        assert math.isfinite(number(figures[name])), name
    assert any(math.isfinite(number(value)) for value in figures.values())
    # Attacks of the injection suite are no samples to compare systems by; they have their own file.
    assert any(samples.read(folder)) or (folder / f"{suite}.jsonl").stat().st_size
    assert suite in (folder / runs.REPORT_FILE).read_text(encoding="utf-8")
    for picture in runs.load_pictures(folder):
        assert picture.file.is_file()
    return run
