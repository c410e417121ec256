"""The one entry for measurements: `python -m evals list`, `python -m evals run NAME`.

An evaluation is a file with `run(options) -> figures`; the table below is the list of them.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from assistant.settings import harden_library_environment
from evals.options import EvalOptions
from tools.errors import SetupError, ToolError


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A module, the question it answers, and whether it needs the folder of data."""

    module: str
    question: str
    needs_data: bool = True


EVALUATIONS: Mapping[str, Evaluation] = {
    "embedder": Evaluation("evals.embedder", "Does the embedder tell persons apart?"),
    "detector": Evaluation("evals.detector", "Are faces found, and landmarks put right?"),
    "forgeries": Evaluation(
        "evals.forgeries", "Are forgeries told from photos, of families seen and unseen?"
    ),
    "impersonation": Evaluation(
        "evals.impersonation", "Does the whole job rank a person's impersonations first?"
    ),
    "localisers": Evaluation(
        "evals.localisers", "Do heat maps point at the region that was forged?"
    ),
    "durability": Evaluation(
        "evals.durability", "Does indexing lose nothing when it is killed?", needs_data=False
    ),
    "speed": Evaluation(
        "evals.speed", "How much faster than the obvious loop is indexing, and is memory flat?"
    ),
    "agent": Evaluation(
        "evals.agent", "Does the assistant call the right tools and say what they found?"
    ),
    "vlm_speed": Evaluation(
        "evals.vlm_speed",
        "Does streaming a chat model cost anything over bare `generate`?",
        needs_data=False,
    ),
    "size": Evaluation(
        "evals.size", "How large are the pocket weights, how fast the import?", needs_data=False
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 (cannot run), 2 (usage)."""
    options = _parser().parse_args(arguments)
    if options.command == "list":
        print(_listing())
        return 0
    if options.name not in EVALUATIONS:
        print(f"no evaluation is called {options.name!r}; there are:", file=sys.stderr)
        print(_listing(), file=sys.stderr)
        return 2
    harden_library_environment()
    try:
        figures = _run(EVALUATIONS[options.name], options)
    except (SetupError, ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(jsonable(figures), indent=2) if options.json else as_table(figures))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="say what can be measured")
    run = commands.add_parser("run", help="measure one thing and print its figures")
    run.add_argument("name", metavar="NAME", help="one of `python -m evals list`")
    run.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/data"),
        metavar="DIR",
        help="folder that holds lfw/, dfdc/ and deepfakes/ (default: %(default)s)",
    )
    run.add_argument("--limit", type=_positive, metavar="N", help="use at most N samples")
    run.add_argument("--seed", type=int, default=0, help="of every random choice (default: 0)")
    run.add_argument("--output", type=Path, metavar="DIR", help="keep pictures and tables there")
    run.add_argument("--json", action="store_true", help="print one JSON object")
    return parser  # fmt: skip


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _run(evaluation: Evaluation, arguments: argparse.Namespace) -> dict[str, object]:
    if evaluation.needs_data and not arguments.data.is_dir():
        raise SetupError(f"no data at {str(arguments.data)!r}; say where they are with --data DIR")
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
    options = EvalOptions(
        data=arguments.data,
        limit=arguments.limit,
        seed=arguments.seed,
        output=arguments.output,
    )
    figures: dict[str, object] = import_module(evaluation.module).run(options)
    return figures


def _listing() -> str:
    width = max(map(len, EVALUATIONS))
    return "\n".join(f"  {name:<{width}}  {it.question}" for name, it in EVALUATIONS.items())


def jsonable(value: object) -> object:
    """The same figures for JSON, which has no NaN: what was not measured becomes null."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_table(figures: Mapping[str, object]) -> str:
    """Figures as aligned lines, nested ones under dotted names."""
    lines = list(_flat(figures))
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"{name:<{width}}  {_text(value)}" for name, value in lines)


def _flat(figures: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}.")
        else:
            lines.append((f"{prefix}{name}", value))
    return lines


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "not measured"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    return "not measured" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
