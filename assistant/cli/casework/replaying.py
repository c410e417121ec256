"""Run the recorded search of a case or bundle again, and print what differs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assistant.console.output import (
    escape_terminal,
    pluralize,
    print_json,
    print_table,
    stdout_console,
)

if TYPE_CHECKING:
    from assistant.case.replay import Difference, Replay
    from assistant.settings import Settings

_NUMBERS_SHOWN = 6


def replay_case(settings: "Settings", named: str) -> "Replay":
    """Replay a case, or a bundle without importing it."""
    from assistant.case.archive.importing import unpacked
    from assistant.case.record import Case
    from assistant.case.replay import replay_search
    from assistant.console.progress import RerankingDisplay
    from assistant.profile import LoadedModels
    from tools.gallery.access_log import record_access

    models = LoadedModels(settings)
    with RerankingDisplay() as display:
        if Path(named).is_file():
            with unpacked(Path(named), settings.home) as found:
                return replay_search(found.case, models, on_progress=display)
        case = Case.open(settings.home, named)
        record_access(case.folder, "replay")
        return replay_search(case, models, on_progress=display)


def _replay_json(replay: "Replay") -> dict[str, Any]:
    import dataclasses

    hits = [dataclasses.asdict(hit) | {"same": hit.same} for hit in replay.hits]
    return {"same": replay.same, "same_verdicts": replay.same_verdicts, "hits": hits,
            "instruments": list(replay.instruments)}  # fmt: skip


def print_replay(replay: "Replay", *, json: bool) -> None:
    """Exit status 1 if something differs."""
    if json:
        print_json(_replay_json(replay))
    else:
        _tell_replay(replay)
    if not replay.same:
        raise typer.Exit(1)


def _tell_replay(replay: "Replay") -> None:
    rows = [
        [hit.handle, hit.recorded_verdict, hit.verdict or "–", _outcome(hit), hit.path]
        for hit in replay.hits
    ]
    print_table(["hit", "recorded", "here", "numbers", "file"], rows)
    say = stdout_console()
    for hit in replay.hits:
        for it in hit.differences[:_NUMBERS_SHOWN]:
            say.print(escape_terminal(f"{hit.handle} {_worded(it)}"), soft_wrap=True)
        if len(hit.differences) > _NUMBERS_SHOWN:
            say.print(f"{hit.handle}: {len(hit.differences) - _NUMBERS_SHOWN} more (--json)")
    count = len(replay.hits)
    say.print(f"{replay.same_verdicts} of {pluralize(count, 'verdict')} as recorded.")
    for line in replay.instruments:
        say.print(escape_terminal(f"Differs: {line}"), soft_wrap=True)
    if not replay.instruments:
        say.print("Version, checkpoints, verdict rule and libraries are the recorded ones.")


def _outcome(hit: Any) -> str:
    if hit.problem:
        return str(hit.problem)
    return "the same" if hit.same else f"{pluralize(len(hit.differences), 'difference')}"


def _worded(it: "Difference") -> str:
    return f"{it.what}: recorded {_value(it.recorded)}, here {_value(it.here)}"


def _value(value: float | str | None) -> str:
    if value is None:
        return "not measured"
    return value if isinstance(value, str) else f"{value:.4g}"
