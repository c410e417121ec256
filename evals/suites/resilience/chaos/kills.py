"""Kill a process with SIGKILL at random moments of its work, and check what it leaves.

Every job runs in a forked child that writes what is acknowledged to a file, synced to the disk,
before it goes on. After each kill a copy of the data folder is opened by another process: what was
acknowledged must be there (or, after forgetting, gone), exactly once, and each face must be found
through Chroma by its own embedding. Then the next child goes on with what the kill left; when a job
is done, it starts anew. For `search`, one process indexes while another searches for all that is
acknowledged so far; one of the two is killed.
"""

import json
import logging
import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from evals.suites.resilience.chaos import analysers
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.pictures.decoding import image_id

JOBS = ("index", "search", "rebuild", "upgrade", "forget")
FAULTS = (
    "lost", "doubled", "reappeared", "not searchable", "record problems", "mixed embeddings",
    "searches that failed", "searched without index", "cannot be opened", "children that failed",
)  # fmt: skip
_PATIENCE_S = 300.0


class KillTrials:
    """The folders and counts of one run."""

    def __init__(self, folder: Path, *, pictures: int, seed: int) -> None:
        self._folder, self._rng = folder, np.random.default_rng(seed)
        self._photos, self._start = folder / "photos", folder / "start"
        self._home, self._log = folder / "home", folder / "acknowledged.txt"
        analysers.write_pictures(self._photos, pictures, seed=seed)
        self._ids = [image_id(path.read_bytes()) for path in sorted(self._photos.iterdir())]
        failure = in_child(
            lambda: analysers.index_photos(self._start, self._photos, lambda _: None)
        )
        if failure:
            raise RuntimeError(failure)

    def run(self, job: str, kills: int) -> Counter[str]:
        """Kill a job that many times; returns what was checked, and the faults."""
        tally: Counter[str] = Counter(kills=0, finished=0, checked=0, **dict.fromkeys(FAULTS, 0))
        self._reset(job)
        duration_s = self._uninterrupted(job, tally)
        self._reset(job)
        while tally["kills"] < kills:
            done = self._kill(job, float(self._rng.uniform(0, duration_s)), tally)
            tally += self._check(job)
            if done:
                tally["finished"] += 1
                self._reset(job)
        known = dict.fromkeys(("kills", "finished", "checked", *FAULTS), 0)
        return Counter({**known, **tally})

    def _reset(self, job: str) -> None:
        shutil.rmtree(self._home, ignore_errors=True)
        self._log.write_text("", encoding="ascii")
        if job not in ("index", "search"):
            shutil.copytree(self._start, self._home)
        if job == "rebuild":
            shutil.rmtree(self._home / "galleries" / "default" / "chroma")

    def _uninterrupted(self, job: str, tally: Counter[str]) -> float:
        began = time.monotonic()
        failure = in_child(lambda: self._work(job))
        if failure:
            raise RuntimeError(f"{job}: {failure}")
        spent_s = time.monotonic() - began
        tally += self._check(job)
        return spent_s

    def _work(self, job: str) -> None:
        if job in ("index", "search"):
            analysers.index_photos(self._home, self._photos, self._acknowledge)
        elif job == "rebuild":
            analysers.rebuild_index(self._home)
        elif job == "upgrade":
            analysers.upgrade(self._home)
        else:
            gone = set(self.acknowledged())
            left = [each for each in self._ids[: len(self._ids) // 2] if each not in gone]
            analysers.forget_pictures(self._home, left, self._acknowledge)

    def _acknowledge(self, ids: Sequence[str]) -> None:
        with self._log.open("a", encoding="ascii") as log:
            log.writelines(f"{each}\n" for each in ids)
            log.flush()
            os.fsync(log.fileno())

    def acknowledged(self) -> list[str]:
        """Every id whose line was written completely."""
        return self._log.read_text("ascii").split("\n")[:-1]

    def _kill(self, job: str, after_s: float, tally: Counter[str]) -> bool:
        """Start the job and kill it; returns whether it was done before that."""
        worker = fork(lambda: self._work(job), self._folder / "failure.txt")
        searcher = fork(self._search, self._folder / "searches.txt") if job == "search" else 0
        time.sleep(after_s)
        victim = searcher if searcher and self._rng.random() < 0.3 else worker
        done = victim == worker and ended(worker) is not None
        if not done:
            os.kill(victim, signal.SIGKILL)
            tally["kills"] += 1
        for process in filter(None, (worker, searcher)):
            if process != victim:
                os.kill(process, signal.SIGTERM if process == searcher else signal.SIGKILL)
        waited = [wait_for(process) for process in filter(None, (worker, searcher))]
        failure = self._folder / "failure.txt"
        tally["children that failed"] += any(failed(it) for it in waited) or bool(
            failure.exists() and failure.read_text("utf-8")
        )
        searches = self._folder / "searches.txt"
        tally["searches that failed"] += searches.exists() and bool(searches.read_text("utf-8"))
        return done

    def _search(self) -> None:
        """Search for everything acknowledged so far, again and again."""
        while True:
            known = self.acknowledged()
            if not known:
                time.sleep(0.02)
                continue
            with Gallery.open_existing(self._home) as gallery, FaceIndex.open(gallery) as index:
                for each in known:
                    face = next(iter(gallery.faces_of(each)))
                    best = index.search(face.face.embedding, 1)
                    if not best or best[0].face_id != face.id:
                        raise RuntimeError(f"{each} was acknowledged and is not found")

    def _check(self, job: str) -> Counter[str]:
        """The faults in a copy of the data folder."""
        copy, answer = self._folder / "copy", self._folder / "answer.json"
        shutil.rmtree(copy, ignore_errors=True)
        if not (self._home / "galleries" / "default" / "records.sqlite3").exists():
            lost = len(self.acknowledged()) if job in ("index", "search") else 1
            return Counter(checked=1, lost=lost)
        shutil.copytree(self._home, copy)
        named = self.acknowledged()
        present = named if job in ("index", "search") else self._ids
        absent: Sequence[str] = ()
        if job == "forget":
            # The one that was being forgotten may be there or not.
            left = [each for each in self._ids[: len(self._ids) // 2] if each not in set(named)]
            present, absent = [it for it in self._ids if it not in {*named, *left[:1]}], named
        failure = in_child(
            lambda: answer.write_text(json.dumps(faults_of(copy, present, absent)), "utf-8")
        )
        if failure:
            return Counter({"checked": 1, "cannot be opened": 1})
        return Counter({"checked": 1, **json.loads(answer.read_text("utf-8"))})


def faults_of(home: Path, present: Sequence[str], absent: Sequence[str] = ()) -> dict[str, int]:
    """What is wrong with a gallery that must hold some pictures and must not hold others."""
    with Gallery.open_existing(home) as gallery:
        kept = Counter(gallery.image_ids())
        sizes = {it.face.embedding.shape for each in kept for it in gallery.faces_of(each)}
        expected = 192 if gallery.fingerprint == analysers.NEW else 64
        faults = {
            "lost": sum(kept[each] == 0 for each in present),
            "doubled": sum(count > 1 for count in kept.values()),
            "reappeared": sum(kept[each] > 0 for each in absent),
            "record problems": len(gallery.problems()),
            "mixed embeddings": int(bool(sizes) and sizes != {(expected,)}),
            "not searchable": sum(not gallery.faces_of(each) for each in kept),
        }
        with FaceIndex.open(gallery) as index:
            faults["not searchable"] += missed_faces(gallery, index)
            faults["searched without index"] = int(index.searches_exactly)
            if index.searches_exactly:  # allowed, because it is said and nothing is missed
                faults[f"searched without index: {index.notices[-1][:120]}"] = 1
        return faults


def missed_faces(gallery: Gallery, index: FaceIndex) -> int:
    """How many faces are not found exactly once, with cosine 1, by their own embedding."""
    ids, matrix = gallery.embeddings.all()
    missed = 0
    for face, embedding in zip(ids, matrix, strict=True):
        found = [match for match in index.search(embedding, 5) if match.face_id == face]
        missed += len(found) != 1 or found[0].cosine_similarity < 1 - 1e-4
    return missed


# -- processes ---------------------------------------------------------------------------------


def fork(work: Callable[[], object], failure: Path) -> int:
    """Run `work` in a child; what it raises is written to the file. Returns its process id.

    Forked, because a new interpreter needs seconds to load what a kill takes milliseconds to test;
    this process has no thread while it forks.
    """
    failure.unlink(missing_ok=True)
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        logging.disable()
        work()
        failure.write_text("", encoding="utf-8")
        status = 0
    except BaseException:  # noqa: BLE001 - the parent is told
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        failure.write_text(traceback.format_exc(limit=-3), encoding="utf-8")
    finally:
        os._exit(status)


def in_child(work: Callable[[], object]) -> str:
    """Run `work` in a child until it ends; returns the last line of what it raised, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        failure = Path(folder) / "failure.txt"
        status = wait_for(fork(work, failure))
        said = failure.read_text("utf-8").strip() if failure.exists() else f"it ended with {status}"
        return said.splitlines()[-1] if said else ""


def ended(process: int) -> int | None:
    """The wait status of a process that has ended, without collecting it; None if it runs."""
    found = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None if found is None else found.si_status


def wait_for(process: int) -> int:
    """Wait until a child ends, and no longer than five minutes; returns its wait status."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    return os.waitpid(process, 0)[1]


def failed(status: int) -> bool:
    """Whether a child ended with an error of its own, or crashed, not by our signal."""
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) != signal.SIGKILL
    return os.WEXITSTATUS(status) != 0


def spread(total: int) -> Iterator[tuple[str, int]]:
    """That many kills over the jobs, as even as possible."""
    for number, job in enumerate(JOBS):
        yield job, total // len(JOBS) + (number < total % len(JOBS))
