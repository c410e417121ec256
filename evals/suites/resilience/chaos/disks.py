"""Full and read-only disks, and two processes at one gallery.

Each job (index, rebuild, upgrade, forget) runs while no file may grow beyond ever larger sizes
(RLIMIT_FSIZE), on small file systems (tmpfs) and on one that can only be read, where mounting is
allowed. It must end well or with one line for the user, and what was acknowledged before must be
there.
"""

import json
import os
import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from evals.suites.resilience.chaos import analysers
from evals.suites.resilience.chaos.kills import faults_of, fork, in_child, wait_for
from tools.media.pictures.decoding import image_id

DISK_JOBS = ("index", "rebuild", "upgrade", "forget")
_FULL_BYTES = (0, 4_096, 20_000, 60_000, 150_000, 400_000)
_TMPFS_SHARES = (1.02, 1.3, 2.0)


class DiskTrials:
    """A gallery, and the jobs that are disturbed on copies of it."""

    def __init__(self, folder: Path, *, pictures: int, seed: int) -> None:
        self._folder = folder
        self._photos, self._start, self._home = folder / "photos", folder / "start", folder / "home"
        analysers.write_pictures(self._photos, pictures, seed=seed)
        self._more = folder / "more"
        analysers.write_pictures(self._more, pictures, seed=seed + 1)
        self._ids = [image_id(path.read_bytes()) for path in sorted(self._photos.iterdir())]
        failure = in_child(lambda: analysers.index_photos(self._start, self._photos, _ignore))
        if failure:
            raise RuntimeError(failure)

    # -- full disks ---------------------------------------------------------------------------

    def full(self) -> dict[str, int]:
        """Every job with every limit of a file's size."""
        tally = _tally()
        for job in DISK_JOBS:
            for most in _FULL_BYTES:
                self._prepare(job, self._home)
                tally += self._disturbed(job, self._home, partial(_limit_files, most))
        return dict(tally)

    def small_disks(self) -> dict[str, int] | None:
        """Every job on file systems with little room; None where mounting is not allowed."""
        tally, size = _tally(), _size(self._start)
        for job in DISK_JOBS:
            for share in _TMPFS_SHARES:
                disk = self._mounted(int(size * share) + 65_536)
                if disk is None:
                    return None
                try:
                    self._prepare(job, disk / "home")
                    tally += self._disturbed(job, disk / "home", lambda: None)
                except shutil.Error:  # not even the gallery fits
                    continue
                finally:
                    _unmount(disk)
        return dict(tally)

    def read_only(self) -> dict[str, int] | None:
        """Every job on a file system that can only be read; None where mounting is not allowed."""
        tally = _tally()
        for job in DISK_JOBS:
            disk = self._mounted(_size(self._start) * 3 + 1_000_000)
            if disk is None:
                return None
            try:
                self._prepare(job, disk / "home")
                _run("mount", "-o", "remount,ro", str(disk))
                tally += self._disturbed(job, disk / "home", lambda: None)
            finally:
                _unmount(disk)
        return dict(tally)

    def _prepare(self, job: str, home: Path) -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self._start, home)
        if job == "rebuild":
            shutil.rmtree(home / "galleries" / "default" / "chroma")

    def _disturbed(self, job: str, home: Path, disturb: Callable[[], object]) -> Counter[str]:
        ended = self._end(job, home, disturb)
        return ended + self._faults(home, forgetting=job == "forget")

    def _end(self, job: str, home: Path, disturb: Callable[[], object]) -> Counter[str]:
        """How a disturbed job ended."""

        def work() -> None:
            disturb()
            self._work(job, home)

        said = in_child(work)
        found = Counter(trials=1)
        if not said:
            found["went on"] += 1
        elif "SetupError: " in said:
            found["ended with one line"] += 1
        else:
            found["other errors"] += 1
            found[f"other errors: {job}: {said[:160]}"] += 1
        return found

    def _work(self, job: str, home: Path) -> None:
        if job == "index":
            analysers.index_photos(home, self._more, _ignore)
        elif job == "rebuild":
            analysers.rebuild_index(home)
        elif job == "upgrade":
            analysers.upgrade(home)
        else:
            analysers.forget_pictures(home, self._ids[:3], _ignore)

    def _faults(self, home: Path, *, forgetting: bool) -> Counter[str]:
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home, copy)
        present = self._ids[3:] if forgetting else self._ids
        return counted_faults(copy, present)

    def _mounted(self, size: int) -> Path | None:
        disk = self._folder / "disk"
        disk.mkdir(exist_ok=True)
        if os.geteuid() != 0:
            return None
        done = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk))
        return disk if done else None

    # -- two processes ------------------------------------------------------------------------

    def two_processes(self) -> dict[str, int]:
        """Two jobs at one gallery at once: both must end well, or one with a line for the user."""
        tally = _tally()
        for first in DISK_JOBS:
            for second in DISK_JOBS:
                self._prepare(first, self._home)
                said = self._folder / "said.txt"
                other = fork(partial(self._work, first, self._home), said)
                tally += self._end(second, self._home, lambda: None)
                wait_for(other)
                text = said.read_text("utf-8") if said.exists() else "it was killed"
                tally["other errors"] += bool(text) and "SetupError: " not in text
                forgetting = "forget" in (first, second)
                tally += self._faults(self._home, forgetting=forgetting)
        return dict(tally)


def _tally() -> Counter[str]:
    return Counter()


def counted_faults(home: Path, present: Sequence[str]) -> Counter[str]:
    """What `faults_of` finds, in a process of its own."""
    answer = home.with_name("answer.json")
    failure = in_child(lambda: answer.write_text(json.dumps(faults_of(home, present)), "utf-8"))
    if failure:
        return Counter({"cannot be opened": 1})
    return Counter(json.loads(answer.read_text("utf-8")))


def _limit_files(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def _ignore(_: Sequence[str]) -> None:
    """Nothing is written down."""


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _run(*command: str) -> bool:
    found = shutil.which(command[0])
    if found is None:
        return False
    done = subprocess.run([found, *command[1:]], capture_output=True, check=False)
    return done.returncode == 0


def _unmount(disk: Path) -> None:
    _run("umount", str(disk))
