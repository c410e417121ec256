"""Does any file make Unmask crash, hang, fill the memory, or say something unclear?

Some 600 files made by code (`files.py`: cut off, malformed, of absurd sizes, bombs, disguises,
polyglots, nonsense in metadata, videos, camera raws; `faces.py`: difficult faces), each through six
doors (`doors.py`): indexed, as a query, checked, its provenance, in the chat, and uploaded to the
API, with the shipped weights. A child process passes the files one by one; if it dies or takes too
long at one, that is a crash or a hang of that file, and another child goes on with the next.
`--limit` takes that many files, evenly spaced.

*Slow* is more than 10 s of processor time, that of helpers included: wall time depends on what
else the machine does. A reason must be one printable line of at most 400 characters, behind which
may stand a list of faces to choose from. *Wrongly
read*: a file without a whole picture that was taken for one.

Does not show: memory errors of a decoder that do not crash it, or files made to exploit one.
"""

import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from evals.options import EvalOptions
from evals.suites.resilience.hostile.doors import DOORS, Fate
from evals.suites.resilience.hostile.files import KINDS, HostileFile, hostile_files

LONGEST_S = 10.0
LONGEST_REASON = 400
_LISTED = re.compile(r"  \d+: ")
_SILENCE_S = 120.0  # after that without a new line, the child is stopped
_CHILD = (
    "import sys; from evals.suites.resilience.hostile.doors import report_from_child; "
    "report_from_child(*sys.argv[1:])"
)
_MOST_NAMED = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file at a door; `fate` is None if the process crashed or hung on it, as `died` says."""

    door: str
    file: HostileFile
    fate: Fate | None
    died: str = ""


def run(options: EvalOptions) -> dict[str, object]:
    """Pass the files through every door; returns counts and the files that failed."""
    chosen = _spaced(hostile_files(options.seed), options.limit)
    with tempfile.TemporaryDirectory() as name:
        outcomes = Trial(Path(name), chosen).outcomes(options)
    if options.output is not None:
        _write(outcomes, options.output)
    return figures(outcomes)


def _spaced(files: Sequence[HostileFile], limit: int | None) -> list[HostileFile]:
    step = len(files) / min(limit or len(files), len(files))
    return [files[int(number * step)] for number in range(round(len(files) / step))]


class Trial:
    """Children that pass files through every door, one after the other until all were tried."""

    def __init__(
        self,
        folder: Path,
        files: Sequence[HostileFile],
        *,
        doors: Sequence[str] = tuple(DOORS),
        silence_s: float = _SILENCE_S,
    ) -> None:
        self._folder, self._silence_s = folder, silence_s
        self._log = folder / "log.jsonl"
        self._passages = [(door, file) for file in files for door in doors]
        (folder / "files").mkdir()
        for file in files:
            self._path(file).write_bytes(file.data)

    def outcomes(self, options: EvalOptions) -> list[Outcome]:
        """The outcome of each file at each door."""
        found: list[Outcome] = []
        while len(found) < len(self._passages):
            left = self._passages[len(found) :]
            died = self._child(left, len(found), options)
            lines = self._lines()
            fates = [Fate(**it) for it in lines if "begun" not in it]  # type: ignore[arg-type]
            found += [
                Outcome(door, file, fate) for (door, file), fate in zip(left, fates, strict=False)
            ]
            if len(found) < len(self._passages):
                if not lines:
                    raise RuntimeError(f"the child cannot start: {self._said()}")
                found.append(Outcome(*self._passages[len(found)], None, died))
        return found

    def _path(self, file: HostileFile) -> Path:
        return self._folder / "files" / file.name

    def _child(
        self, passages: Sequence[tuple[str, HostileFile]], done: int, options: EvalOptions
    ) -> str:
        """Run a child; returns how it died."""
        listed, self._log = self._folder / "passages.txt", self._folder / f"log-{done}.jsonl"
        lines = (f"{door} {self._path(file)}" for door, file in passages)
        listed.write_text("\n".join(lines), encoding="utf-8")
        self._log.touch()
        command = [
            sys.executable,
            "-c",
            _CHILD,
            *map(str, (self._folder / "home", listed, self._log)),
        ]
        with (self._folder / "said.txt").open("w") as said:
            child = subprocess.Popen(
                command, cwd=Path(__file__).parents[4], stdout=said, stderr=said
            )
        size, since = 0, time.monotonic()
        while child.poll() is None:
            time.sleep(0.1)
            if self._log.stat().st_size != size:
                size, since = self._log.stat().st_size, time.monotonic()
                options.progress(done + len(self._lines()) // 2, len(self._passages), "passages")
            elif time.monotonic() - since > self._silence_s:
                child.kill()
                child.wait()
                return "hung"
        return f"crashed ({child.returncode})"

    def _lines(self) -> list[dict[str, object]]:
        whole = self._log.read_text("utf-8").split("\n")[:-1]
        return [json.loads(line) for line in whole]

    def _said(self) -> str:
        return (self._folder / "said.txt").read_text("utf-8", "replace").strip()[-500:]


def figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Counts over all doors, per door, and the names of what failed."""
    faults = {f"{it.door} {it.file.name}": fault for it in outcomes if (fault := fault_of(it))}
    known = [it.fate for it in outcomes if it.fate is not None]
    return {
        "files": len({it.file.name for it in outcomes}),
        "passages": len(outcomes),
        "faults": len(faults),
        **{kind: sum(fault.startswith(kind) for fault in faults.values()) for kind in FAULTS},
        "longest (s)": max((it.seconds for it in known), default=math.nan),
        "most processor time (s)": max((it.cpu_s for it in known), default=math.nan),
        "most memory (MB)": max((it.peak_mb for it in known), default=math.nan),
        "most memory of a helper (MB)": max((it.helpers_mb for it in known), default=math.nan),
        "by kind": {
            kind: _tally([it for it in outcomes if it.file.kind == kind]) for kind in KINDS
        },
        "by door": {door: _tally([it for it in outcomes if it.door == door]) for door in DOORS},
        "what failed": dict(list(faults.items())[:_MOST_NAMED]),
    }


FAULTS = ("crashed", "hung", "error", "slow", "unclear", "wrongly read")


def fault_of(outcome: Outcome) -> str:
    """What is wrong with an outcome, beginning with one of `FAULTS`; empty if nothing is."""
    fate = outcome.fate
    if fate is None:
        return outcome.died
    if fate.error:
        return f"error: {fate.error}"
    if fate.cpu_s > LONGEST_S:
        return f"slow: {fate.cpu_s:.1f} s"
    if fate.reason and not is_plain(fate.reason):
        return f"unclear: {fate.reason[:200]!r}"
    # A picture that was read may still show no face; provenance is read from damaged files too.
    read = not fate.reason or "face" in fate.reason
    if outcome.file.refused and read and outcome.door != "provenance":
        return "wrongly read"
    return ""


def is_plain(reason: str) -> bool:
    """Whether a reason is one printable line of bounded length, or such a line and a list."""
    line, *rest = reason.split("\n")
    listed = all(it.isprintable() and _LISTED.match(it) for it in rest)
    return listed and line.isprintable() and 8 <= len(line) <= len(reason) <= LONGEST_REASON


def _tally(outcomes: Sequence[Outcome]) -> dict[str, object]:
    fates = [it.fate for it in outcomes if it.fate is not None]
    return {
        "passages": len(outcomes),
        "read": sum(not it.reason or "face" in it.reason for it in fates),
        "faults": sum(bool(fault_of(it)) for it in outcomes),
        "most processor time (s)": max((it.cpu_s for it in fates), default=math.nan),
        "most memory (MB)": max((it.peak_mb for it in fates), default=math.nan),
    }


def reasons(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How often each reason was given, without the parts in brackets and quotes."""
    return Counter(it.fate.reason.split(" (")[0] for it in outcomes if it.fate and it.fate.reason)


def _write(outcomes: Sequence[Outcome], folder: Path) -> None:
    with (folder / "hostile.jsonl").open("w", encoding="utf-8") as lines:
        for it in outcomes:
            fate = {} if it.fate is None else {
                field.name: getattr(it.fate, field.name) for field in fields(it.fate)
            }  # fmt: skip
            row = {"door": it.door, "kind": it.file.kind, "file": it.file.name,
                   "fault": fault_of(it), **fate}  # fmt: skip
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
