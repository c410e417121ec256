"""Store the error rates by group that `unmask detectors` and every search report.

    python -m evals.suites.weights.group_figures RUN

Writes them beside the heads of the profile that was measured, with a sha256 of all parts that
decided: after a change of any of them, they are not shown.
"""

import argparse
import json
from dataclasses import asdict
from typing import Any

from assistant.settings import Settings
from evals.runs import folder as runs
from evals.suites.weights.groups import COMMAND, records
from tools.checkpoints.store import PROFILES, locate
from tools.detectors.catalogue import GROUPS_FILE
from tools.errors import SetupError


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a run's folder, or its name")
    given, settings = parser.parse_args(), Settings.load()
    run = runs.load_run(runs.find_run(given.run, settings.evals_dir))
    if run.suite != "groups":
        raise SetupError(f"{given.run!r} has no rates by group: `{COMMAND}` makes such a run")
    figures: Any = run.figures
    rows = records(figures["by_group"], checkpoint=figures["judged_by"], date=run.started[:10])
    lines = ",\n ".join(json.dumps(asdict(it)) for it in rows)
    path = locate(PROFILES[settings.profile]["heads"], settings.models_dir) / GROUPS_FILE
    path.write_text(f"[\n {lines}\n]\n", "utf-8")
    print(path)


if __name__ == "__main__":
    main()
