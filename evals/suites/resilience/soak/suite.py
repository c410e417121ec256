"""Do many people at one page for a long time get their own answers, and what if a server is gone?

The page is `unmask chat`, a process of its own with the shipped weights and the parts of `unmask
setup`, over a gallery of LFW's `val` persons. Each visitor (`visitor.py`) looks for another person,
by the protocol of Gradio's own page; one is a real Chromium. `--limit` sets their number (24
without it); the time is 20 minutes for 24, and in proportion below.

- *faults*: errors of ours on the page, HTTP statuses from 500, tracebacks in the log, streams that
  break off, and everything *mixed*: another visitor's question, photo or hits on the page or in a
  case, checked by marks, hashes and a search made afterwards alone (`records.py`).
- memory of the page, sampled every 10 s; processor time over all turns; waiting from sending to the
  whole answer, among all visitors at once.
- then a few visitors each with a chat server that is dead (when the page starts, and after), too
  slow, and with an index server that is killed (`lost_servers.py`): `with an answer` counts turns
  that the template writer answered, `with a clear message` those that name the server.

Does not show: people who wait before they ask on; other machines' browsers; days.
"""

import json
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from evals.options import EvalOptions
from evals.suites.resilience.soak import lost_servers
from evals.suites.resilience.soak.browser_session import BrowserSession, browse, is_available
from evals.suites.resilience.soak.page_process import (
    PageProcess,
    log_faults,
    memory_figures,
    page_command,
    page_environment,
)
from evals.suites.resilience.soak.records import case_figures
from evals.suites.resilience.soak.scene import SoakScene, make_scene
from evals.suites.resilience.soak.visitor import FIND, TurnSample, Visitor

SESSIONS, MINUTES = 24, 20.0
_FEW = 3
"""Visitors of a page whose servers are gone."""


def run(options: EvalOptions) -> dict[str, object]:
    """Soak the page, then take its servers away."""
    sessions = options.limit or SESSIONS
    minutes = MINUTES * min(1.0, sessions / SESSIONS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = make_scene(options, folder, sessions)
        kept = _Kept(options, {"sessions": sessions, "minutes": minutes,
                               "gallery's pictures": scene.pictures})  # fmt: skip
        kept.add("page", lambda: soak(scene, folder / "soak.log", minutes, options))
        few = SoakScene(scene.settings, scene.models, scene.photos[:_FEW], scene.pictures)
        kept.add("chat server dead at the start", lambda: _refused_start(few))
        kept.add("chat server dead", lambda: _without_chat(few, folder, lost_servers.DEAD))
        with lost_servers.slow_chat_server() as slow:
            kept.add("chat server slow", lambda: _without_chat(few, folder, slow))
        kept.add("index server killed", lambda: _without_index(few, folder))
        return kept.figures


class _Kept:
    """Figures by name; written down as soon as they are there, because a run takes long."""

    def __init__(self, options: EvalOptions, figures: dict[str, object]) -> None:
        self._options, self.figures = options, figures

    def add(self, name: str, measure: Callable[[], object]) -> None:
        """Measure one part."""
        self._options.progress(len(self.figures), 8, name)
        self.figures[name] = measure()
        if self._options.output is not None:
            text = json.dumps(self.figures, indent=2)
            (self._options.output / "soak.json").write_text(text, "utf-8")


def soak(
    scene: SoakScene, log: Path, minutes: float, options: EvalOptions
) -> dict[str, Any]:  # fmt: skip
    """All visitors at once for that long."""
    with PageProcess(scene.settings, log) as page:
        visitors = _arrived(scene, page, options.seed)
        began, cpu_s = time.monotonic(), page.cpu_s()

        def is_over() -> bool:
            return time.monotonic() - began > 60 * minutes

        browser = BrowserSession() if is_available() else None
        threads = [threading.Thread(target=it.run, args=(is_over,)) for it in visitors]
        if browser is not None:
            given = (page.address, scene.photos[0], is_over, browser)
            threads.append(threading.Thread(target=browse, args=given))
        _together(threads, lambda: options.progress(int(time.monotonic() - began),
                                                    int(60 * minutes), "soaking"))  # fmt: skip
        cpu_s = page.cpu_s() - cpu_s
        turns = turns_of(visitors)
        done = len(turns) + (browser.answers if browser else 0)
        figures = {
            **turn_figures(visitors, page.log()),
            "memory": memory_figures(page.memory),
            "processor time a turn (s)": cpu_s / max(1, done),
            "cores in use": cpu_s / (time.monotonic() - began),
            "still running at the end": int(page.alive),
        }
    figures["cases"] = case_figures(scene, visitors, others=0 if browser is None else 1)
    figures["chromium"] = None if browser is None else {
        "answers": browser.answers, "reloads": browser.reloads, "errors": len(browser.errors),
        "what": browser.errors[:5],
    }  # fmt: skip
    if options.output is not None:
        _write(turns, options.output)
        (options.output / "page.log").write_text(log.read_text("utf-8", "replace"), "utf-8")
    return figures


def _arrived(scene: SoakScene, page: PageProcess, seed: int) -> list[Visitor]:
    return [
        Visitor(number, photo, page.address, seed=seed) for number, photo in enumerate(scene.photos)
    ]


def _together(threads: Sequence[threading.Thread], report: Callable[[], None]) -> None:
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        report()
        time.sleep(1)


def turn_figures(visitors: Sequence[Visitor], log: str) -> dict[str, Any]:
    """Turns by ending, faults by kind, and waiting times in seconds."""
    turns = turns_of(visitors)
    faults = [fault for visitor in visitors for fault in visitor.faults]
    statuses = [status for visitor in visitors for status in visitor.statuses]
    endings = Counter(turn.ending for turn in turns)
    problems = Counter(it for turn in turns if turn.ending != "refused" for it in turn.problems)
    return {
        "turns": len(turns),
        **{ending: endings[ending] for ending in ("answered", "stopped", "left", "refused")},
        "faults": len(faults),
        "mixed": sum(fault.startswith("mixed") for fault in faults),
        "errors of ours": sum(fault.startswith("error") for fault in faults),
        "HTTP requests": len(statuses),
        "HTTP 5xx": sum(status >= 500 for status in statuses),
        "faults in the log": log_faults(log),
        "notices": dict(problems.most_common(8)),
        "warnings": dict(Counter(it for each in visitors for it in each.warnings).most_common(8)),
        "what failed": faults[:20],
        "waiting (s)": {kind: _waiting(turns, kind) for kind in ("search", "follow-up", "press")},
    }


def _waiting(turns: Sequence[TurnSample], kind: str) -> dict[str, float]:
    times = [it.wait_s for it in turns if it.kind == kind and it.ending == "answered"]
    firsts = [it.first_s for it in turns if it.kind == kind and it.ending == "answered"]
    if not times:
        return {"turns": 0}
    return {
        "turns": len(times),
        "p50": float(np.percentile(times, 50)),
        "p95": float(np.percentile(times, 95)),
        "p50 to the first sign": float(np.nanpercentile(firsts, 50)),
    }


# -- without a server --------------------------------------------------------------------------


def _refused_start(scene: SoakScene) -> dict[str, Any]:
    """A page whose chat server is dead from the beginning: one line, exit status 1."""
    done = subprocess.run(
        page_command("--vlm", lost_servers.DEAD_AT_START), cwd=Path(__file__).parents[4],
        env=page_environment(scene.settings), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    lines = done.stderr.strip().splitlines()
    return {
        "exit status": done.returncode,
        "lines": len(lines),
        "tracebacks": log_faults(done.stderr),
        "line": lines[-1][:300] if lines else "",
    }


def _without_chat(scene: SoakScene, folder: Path, vlm: str) -> dict[str, Any]:
    wait = {"UNMASK_VLM_WAIT_S": str(lost_servers.WAIT_S)}
    with PageProcess(scene.settings, folder / "chat.log", "--vlm", vlm, environment=wait) as page:
        visitors = _arrived(scene, page, 0)
        at_once(visitors, _short_visit)
        return {
            **answer_counts(turns_of(visitors), "server at"),
            **turn_figures(visitors, page.log()),
            "cases": case_figures(scene, visitors, others=None),
        }


def _without_index(scene: SoakScene, folder: Path) -> dict[str, Any]:
    server = lost_servers.IndexServer(scene, folder / "index")
    try:
        with PageProcess(scene.settings, folder / "index.log") as page:
            visitors = _arrived(scene, page, 0)
            at_once(visitors, Visitor.search)
            before = answer_counts(turns_of(visitors), "server at")
            server.kill()
            for visitor in visitors:
                visitor.turns.clear()
            at_once(visitors, _short_visit)
            return {
                "answered before": before["with an answer"],
                **answer_counts(turns_of(visitors), "server at"),
                **turn_figures(visitors, page.log()),
                "cases": case_figures(scene, visitors, others=None),
            }
    finally:
        server.kill()


def _short_visit(visitor: Visitor) -> None:
    """A photo without words, a press, a photo with words, and a question."""
    visitor.ask("photo alone", "", photo=True)
    visitor.press_why()
    visitor.ask("search", FIND, photo=True)
    visitor.follow_up()
    visitor.close()


def turns_of(visitors: Sequence[Visitor]) -> list[TurnSample]:
    """All turns so far."""
    return [turn for visitor in visitors for turn in visitor.turns]


def at_once(visitors: Sequence[Visitor], visit: Callable[[Visitor], object]) -> None:
    """A visit of each, all at the same time."""
    _together([threading.Thread(target=visit, args=(it,)) for it in visitors], lambda: None)


def answer_counts(turns: Sequence[TurnSample], named: str) -> dict[str, Any]:
    """Turns with an answer, and with a message that names the server, in all and by kind."""

    def counted(chosen: Sequence[TurnSample]) -> dict[str, int]:
        return {
            "turns": len(chosen),
            "with an answer": sum('class="answer"' in it.said for it in chosen),
            "with a clear message": sum(named in it.said for it in chosen),
            "neither": sum('class="answer"' not in it.said and named not in it.said
                           for it in chosen),
        }  # fmt: skip

    kinds = dict.fromkeys(turn.kind for turn in turns)
    by_kind = {kind: counted([it for it in turns if it.kind == kind]) for kind in kinds}
    said = next(
        (it.said[it.said.index(named) - 60 :][:300] for it in turns if named in it.said), ""
    )
    return {**counted(turns), "by kind": by_kind, "for example": said}


def _write(turns: Sequence[TurnSample], folder: Path) -> None:
    with (folder / "soak.jsonl").open("w", encoding="utf-8") as lines:
        for turn in turns:
            row = asdict(turn) | {"said": len(turn.said)}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
