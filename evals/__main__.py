"""Command line of the evaluations: `python -m evals list | run SUITE | compare A B | report RUN`.

`python -m evals SUITE` is short for `python -m evals run SUITE`.
"""

import argparse
import contextlib
import json
import math
import os
import re
import sqlite3
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from assistant.console.output import escape_unencodable, print_error
from assistant.library_environment import harden_library_environment
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.runs import compare, gate, report
from evals.runs import folder as runs
from evals.runs.figure_tables import aligned
from evals.runs.figures import as_table, jsonable
from evals.runs.gate import FigureBound
from evals.runs.running import RunRequest, execute_run
from evals.suite_table import SUITES, listing
from tools.errors import SetupError, ToolError
from tools.media.data_folder import as_setup_error, require_usable_dir, require_writable
from tools.media.private_files import private_umask

EXIT_STATUS = "exit status: 0 done, 1 cannot run, 2 wrong usage, 3 a --min or --max is not met"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, see `EXIT_STATUS`; 130 if interrupted."""
    escape_unencodable()
    parser = _parser()
    options = parser.parse_args(_in_full(sys.argv[1:] if arguments is None else arguments))
    names = [name for name, _ in getattr(options, "peer", ())]
    if len(set(names)) < len(names):
        parser.error("every --peer needs a unique name")
    harden_library_environment()
    try:
        with private_umask():  # runs hold faces and names
            status = int(options.act(options))
        sys.stdout.flush()
    except (SetupError, ToolError) as error:
        print_error(error)
        return 1
    except (OSError, sqlite3.Error) as error:
        return _cannot(error)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return status


def _cannot(error: OSError | sqlite3.Error) -> int:
    """Report an I/O error of the disk or of the output pipe; other errors are bugs."""
    if isinstance(error, BrokenPipeError):
        # The reader closed the pipe; keep Python from flushing the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    fault = as_setup_error(error, Settings.load().home)
    if fault is None:
        raise error
    print_error(fault)
    return 1


def _in_full(arguments: Sequence[str]) -> list[str]:
    """Insert `run` if the first argument is a suite."""
    return ["run", *arguments] if arguments and arguments[0] in SUITES else [*arguments]


def _list(options: argparse.Namespace) -> int:
    print(listing())
    return 0


def _run(options: argparse.Namespace) -> int:
    if options.name not in SUITES:
        print(f"there is no suite {options.name!r}; the suites are:", file=sys.stderr)
        print(listing(), file=sys.stderr)
        return 2
    # Output printed by suites and libraries is not a result: stdout carries one object or one
    # table.
    settings = Settings.load()
    (require_writable if options.output is None else require_usable_dir)(settings.home)
    with contextlib.redirect_stdout(sys.stderr):
        folder, run = execute_run(_request(options), settings)
    if options.json:
        print(json.dumps(jsonable(run.figures), indent=2))
    elif not options.quiet:
        print(_shown(run.figures))
    if not options.quiet:
        print(f"kept in {folder}; to read: {folder / runs.REPORT_FILE}", file=sys.stderr)
    failed = gate.gate_failures(run.figures, options.bounds or [])
    for sentence in failed:
        print(f"gate: {sentence}", file=sys.stderr)
    return 3 if failed else 0


def _shown(figures: Mapping[str, object]) -> str:
    """All figures; only the summary for a suite with more than fits on a screen."""
    short = figures.get("summary")
    if not isinstance(short, Mapping):
        return as_table(figures)
    single = {name: it for name, it in figures.items() if not isinstance(it, Mapping)}
    return f"{as_table(single)}\n\n{aligned('summary', short)}"


def _request(options: argparse.Namespace) -> RunRequest:
    told = EvalOptions(
        data=options.data,
        limit=options.limit,
        seed=options.seed,
        output=options.output,
        layout=options.layout,
        peers=tuple(options.peer),
        copies=options.copies,
    )
    return RunRequest(
        options.name, told, force=options.force, quiet=options.quiet, mlflow=options.mlflow
    )


def _compare(options: argparse.Namespace) -> int:
    kept = Settings.load().evals_dir
    found = compare.compare(
        [runs.find_run(name, kept) for name in (options.baseline, *options.others)],
        rounds=options.rounds,
        seed=options.seed,
    )
    if options.html is not None:
        print(f"to read: {compare.write_page(found, options.html)}", file=sys.stderr)
    print(json.dumps(compare.as_json(found), indent=2) if options.json else compare.as_text(found))
    return 0


def _report(options: argparse.Namespace) -> int:
    page = report.write(runs.find_run(options.run, Settings.load().evals_dir))
    print(page)
    if options.open == "yes" or (options.open == "auto" and sys.stdout.isatty()):
        webbrowser.open(page.resolve().as_uri())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals", description=__doc__, epilog=EXIT_STATUS
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the suites").set_defaults(act=_list)
    _add_run(commands.add_parser("run", help="run a suite and keep the run", epilog=EXIT_STATUS))
    _add_compare(commands.add_parser("compare", help="compare runs of a suite"))
    again = commands.add_parser("report", help="rebuild the page of a run and show it")
    again.set_defaults(act=_report)
    again.add_argument("run", metavar="RUN", help="a run's folder, or its name")
    again.add_argument(
        "--open",
        choices=("auto", "yes", "no"),
        default="auto",
        help="in the browser (default: auto, on a terminal)",
    )
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.set_defaults(act=_run, bounds=None)
    run.add_argument("name", metavar="SUITE", help="one of `python -m evals list`")
    run.add_argument(
        "--data", type=Path, default=Path("../shared/data"), metavar="DIR",
        help="a data set, or the folder that holds lfw/, dfdc/ and deepfakes/ (default: "
        "%(default)s)",
    )  # fmt: skip
    run.add_argument(
        "--copies", type=Path, metavar="DIR",
        help="folder of bare clones of repositories, OWNER+NAME/repo (suite groups)",
    )  # fmt: skip
    run.add_argument("--layout", metavar="NAME", help="layout of DIR (default: detected)")
    run.add_argument("--limit", type=_positive, metavar="N", help="use at most N samples")
    run.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    run.add_argument(
        "--output", type=Path, metavar="DIR",
        help="the run's folder; resumes an interrupted run (default: below UNMASK_HOME)",
    )  # fmt: skip
    run.add_argument("--force", action="store_true", help="replace the run that DIR already holds")
    run.add_argument(
        "--peer", type=_peer, action="append", default=[], metavar="NAME=FILE",
        help="scores of another system (CSV: path,score or query,path,score); repeatable",
    )  # fmt: skip
    for kind, most in _MOST.items():
        run.add_argument(
            f"--{kind}", type=_bound(kind), action="append", dest="bounds", metavar="FIGURE=VALUE",
            help=f"exit with 3 unless the figure is measured and at {most} VALUE",
        )  # fmt: skip
    run.add_argument(
        "--mlflow", nargs="?", const="", metavar="URI",
        help="track the run (default store: mlflow.db below UNMASK_HOME/evals)",
    )  # fmt: skip
    run.add_argument("--json", action="store_true", help="print one JSON object")
    run.add_argument("--quiet", action="store_true", help="no table, no progress")


_MOST: Mapping[Literal["min", "max"], str] = {"min": "least", "max": "most"}


def _add_compare(run: argparse.ArgumentParser) -> None:
    run.set_defaults(act=_compare)
    run.add_argument("baseline", metavar="A", help="a run's folder, or its name")
    run.add_argument("others", metavar="B", nargs="+", help="runs to compare with it")
    run.add_argument(
        "--rounds", type=_positive, default=1000, help="bootstrap rounds (default: 1000)"
    )
    run.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: 0)")
    run.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    run.add_argument("--json", action="store_true", help="print one JSON object")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _peer(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not equals or not file or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise argparse.ArgumentTypeError("write NAME=FILE; a name has letters, digits, - and _")
    return name, Path(file)


def _bound(kind: Literal["min", "max"]) -> Callable[[str], FigureBound]:
    def bound(text: str) -> FigureBound:
        figure, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not equals or not figure or math.isnan(number):
            raise argparse.ArgumentTypeError("write FIGURE=VALUE, as in auc=0.9")
        return FigureBound(kind, figure, number)

    return bound


if __name__ == "__main__":
    sys.exit(main())
