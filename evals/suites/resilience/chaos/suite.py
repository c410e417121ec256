"""Do kills, damaged files, full disks, lost writes and second processes lose or double anything?

Analyses are replaced by arithmetic on pixels (`analysers.py`); everything that is written, and all
that writes it, is real. `kills.py`, `damage.py`, `disks.py` and `power_cuts.py` have the protocols.
`--limit` sets the number of kills (200 without it), and the others in proportion.

Does not show: file systems that reorder what was synced, or disks that lie about it.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from evals.options import EvalOptions
from evals.suites.resilience.chaos.damage import DamageTrials
from evals.suites.resilience.chaos.disks import DiskTrials
from evals.suites.resilience.chaos.kills import FAULTS, KillTrials, spread
from evals.suites.resilience.chaos.power_cuts import cut_power
from tools.gallery.engines.chroma import load_chroma

KILLS = 200
PICTURES = 40
CUTS = 12


def run(options: EvalOptions) -> dict[str, object]:
    """All trials; what could not be tried here is None."""
    load_chroma()  # before forking, so that every child has it
    kills = options.limit or KILLS
    share = min(1.0, kills / KILLS)
    found: dict[str, object] = {"pictures": PICTURES}

    def trial(name: str, work: Callable[[Path], object]) -> None:
        options.progress(len(found) - 1, 6, name)
        with tempfile.TemporaryDirectory() as folder:
            keep(name, work(Path(folder)))

    def keep(name: str, figures: object) -> None:
        found[name] = figures
        if options.output is not None:  # a run takes long, and may be stopped
            (options.output / "chaos.json").write_text(json.dumps(found, indent=2), "utf-8")

    trial("kills", lambda folder: _kills(folder, kills, options))
    trial("damaged index", lambda folder: DamageTrials(
        folder, pictures=PICTURES, seed=options.seed
    ).run(max(3, int(60 * share))))  # fmt: skip
    trial("power cuts", lambda folder: cut_power(
        folder, pictures=PICTURES, cuts=max(2, int(CUTS * share)), seed=options.seed
    ))  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        disks = DiskTrials(Path(name), pictures=PICTURES // 2, seed=options.seed)
        for what, work in (
            ("full disk (RLIMIT_FSIZE)", disks.full),
            ("full disk (tmpfs)", disks.small_disks),
            ("read-only disk", disks.read_only),
            ("two processes", disks.two_processes),
        ):
            options.progress(len(found) - 1, 7, what)
            keep(what, work())
    return found


def _kills(folder: Path, kills: int, options: EvalOptions) -> dict[str, object]:
    trials = KillTrials(folder, pictures=PICTURES, seed=options.seed)
    jobs: dict[str, Counter[str]] = {}
    for job, number in spread(kills):
        options.progress(sum(it["kills"] for it in jobs.values()), kills, f"kills: {job}")
        jobs[job] = trials.run(job, number)
    total = {name: sum(it[name] for it in jobs.values()) for name in ("kills", "checked", *FAULTS)}
    return {**total, "by job": {job: dict(it) for job, it in jobs.items()}}
