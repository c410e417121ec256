"""Write the figures shown by `unmask detectors`, from a run of the detector table.

    python -m evals.suites.detector_table.card_figures RUN

Writes them beside the heads and into the folder of every shipped detector: AUCs by family with
intervals, how close the family is to the training data, and the sha256 of the weights they apply
to. The whole table, with all figures of all systems, is written to `evals/DETECTORS.md`.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.settings import Settings
from evals.runs import folder as runs
from evals.runs.folder import EvalRun
from evals.suites.detector_table.markdown import markdown
from evals.suites.detector_table.training_distance import TrainingOverlap
from tools.checkpoints.store import PROFILES, fingerprint, locate
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.catalogue import (
    FEATURE_HEAD_ENTRIES,
    METRICS_FILE,
    ZERO_SHOT_ENTRIES,
    MetricRecord,
)
from tools.detectors.folders import DETECTORS_FOLDER, find_stored_detectors
from tools.errors import SetupError
from tools.media.hashing import file_sha256

NOTES: Mapping[TrainingOverlap, str] = {
    "learnt": "families learnt from, unseen persons or originals",
    "left out": "families left out of training, unseen persons",
    "other source": "sources and generators never learnt from",
    "not said": "how near to what was learnt is not known",
}
COMMAND = "python -m evals detectors"
TABLE = Path(__file__).parents[2] / "DETECTORS.md"


def figures_of(run: EvalRun, *, detector: str, checkpoint: str) -> Iterator[MetricRecord]:
    """The AUCs of one row of the table; not-measured values are left out."""
    said: Any = run.figures
    for topic in ("by_family", "by_source"):
        row = said.get(topic, {}).get("auc", {}).get(detector, {})
        for column, value in row.items():
            if column.endswith("_95") or value is None or None in row[f"{column}_95"]:
                continue
            name = f"lfw/{column}" if topic == "by_family" else column
            counts = said["n"][name]
            yield MetricRecord(
                detector, checkpoint, name, NOTES[said["nearness"][detector][column]], "AUC",
                round(value, 4), tuple(round(it, 4) for it in row[f"{column}_95"]),
                counts["real"], counts["fake"], COMMAND, run.started[:10],
            )  # fmt: skip


def written(run: EvalRun, settings: Settings) -> Iterator[tuple[Path, list[MetricRecord]]]:
    """Every file to write, with its content."""
    heads = locate(PROFILES[settings.profile]["heads"], settings.models_dir)
    encoder = fingerprint(settings.profile, settings.models_dir, parts=("encoder",))["encoder"]
    rows: list[MetricRecord] = []
    for known in (*FEATURE_HEAD_ENTRIES, *ZERO_SHOT_ENTRIES):
        if known.profile == settings.profile:
            sha256 = file_sha256(heads / known.file) if known.file else encoder
            rows += figures_of(run, detector=known.title, checkpoint=sha256)
    yield heads / METRICS_FILE, rows
    for one in find_stored_detectors([WEIGHTS_DIR / DETECTORS_FOLDER]):
        yield (
            one.folder / METRICS_FILE,
            list(figures_of(run, detector=one.title, checkpoint=one.sha256)),
        )


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a run's folder, or its name")
    given = parser.parse_args()
    settings = Settings.load()
    run = runs.load_run(runs.find_run(given.run, settings.evals_dir))
    if run.suite != "detectors" or "pooled" not in run.figures:
        raise SetupError(f"{given.run!r} is not a run of the table: `{COMMAND}` makes one")
    for path, rows in written(run, settings):
        lines = ",\n ".join(json.dumps(asdict(it)) for it in rows)
        path.write_text(f"[\n {lines}\n]\n" if rows else "[]\n", "utf-8")
        print(f"{path}: {len(rows)} figures")
    limit = f" --limit {run.options['limit']}" if run.options.get("limit") else ""
    TABLE.write_text(markdown(run, command=f"{COMMAND}{limit}"), "utf-8")
    print(f"{TABLE}: the whole table")


if __name__ == "__main__":
    main()
