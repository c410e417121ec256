"""Fill galleries from the page and the API: allowed folders, uploaded files, the demo.

Jobs run one after the other, each in its own thread, and let requests use the models between two
batches. Their state is recorded: a reload of the page finds the job again, and after a restart it
says that it was interrupted. Galleries belong to the machine, not to a session.
"""

import logging
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.demo import DEMO_GALLERY, write_demo_images
from assistant.investigation import Unmask
from assistant.profile import LoadedModels
from assistant.server.work.lane import Turns
from assistant.server.work.ledger import OPEN_STATES, JobRow, JobState, Ledger
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.database_file import gallery_folder
from tools.gallery.indexing.progress import IndexingInterrupted, IndexProgress, IndexSummary
from tools.gallery.locking.state import require_unlocked
from tools.gallery.record_store import Gallery
from tools.media.private_files import private_folder, restrict_permissions

logger = logging.getLogger(__name__)


_RECORD_EVERY_S = 2.0
_KEPT_JOBS = 100
"""Ended jobs that are held with their summaries, each of up to a thousand skipped files."""

INTERRUPTED = (
    "The server stopped before this was finished. What was added stays; start it again to continue."
)


@dataclass
class IndexingJob:
    """One indexing job of a `source` folder.

    `problem` is for the user, `is_queued` is true while others run, `interrupted` if an earlier
    server ended before the job did.
    """

    gallery: str
    source: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    interrupted: bool = False
    progress: IndexProgress | None = None
    summary: IndexSummary | None = None
    stopped: bool = False
    problem: str = ""
    is_queued: bool = True
    changed: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End at the next commit; added images stay. A job that has ended stays as it ended."""
        if not self.done.is_set():
            self.stopped = True

    @property
    def state(self) -> JobState:
        """The job's state in a word."""
        if self.interrupted:
            return "interrupted"
        if not self.done.is_set():
            return "waiting" if self.is_queued else "running"
        if self.stopped:
            return "stopped"
        return "failed" if self.problem else "done"

    def wait(self, seconds: float) -> bool:
        """Wait for a change, at most `seconds`; returns whether the job is still running."""
        self.changed.wait(seconds)
        self.changed.clear()
        return not self.done.is_set()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; null means not known yet."""
        return {
            "id": self.id,
            "gallery": self.gallery,
            "state": self.state,
            "progress": None if self.progress is None else self.progress.to_json(),
            "summary": None if self.summary is None else self.summary.to_json(),
            "problem": self.problem,
        }


class GalleryIndexer:
    """The galleries of a machine, and the jobs that fill them.

    `ledger` records the jobs; `turns` are those of everything that runs the models.
    """

    def __init__(
        self,
        settings: Settings,
        parts: LoadedModels,
        *,
        ledger: Ledger | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._ledger = ledger or Ledger(settings.home)
        self._ledger.drop_jobs(galleries=self.names())
        self._turns = turns or Turns()
        self._jobs: dict[str, list[IndexingJob]] = {}
        self._by_id: OrderedDict[str, IndexingJob] = OrderedDict()
        self._turn = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._dropping = threading.Lock()

    def turn(self) -> AbstractContextManager[None]:
        """The turn of a computation with the models, after those that asked for it before."""
        return self._turns.taken()

    def names(self) -> list[str]:
        """The names of all galleries."""
        return Gallery.names(self._settings.home)

    def problem(self, gallery: str) -> str:
        """Why a gallery cannot be searched or filled, in one line; empty if it can."""
        try:
            gallery_folder(self._settings.home, gallery)
        except SetupError as error:
            return str(error)
        return self._parts.gallery_problem(gallery) if gallery in self.names() else ""

    def without_gallery(self) -> Unmask:
        """The Python API with this server's models, for checks that need no gallery."""
        return Unmask(self._settings, models=self._parts)

    def job(self, gallery: str) -> IndexingJob | None:
        """The running job of a gallery, or the latest one; it may be of an earlier server."""
        jobs = self._jobs.get(gallery, [])
        if jobs:
            return next((job for job in jobs if not job.done.is_set()), jobs[-1])
        return _recorded(self._ledger.latest_job(gallery))

    def job_of_id(self, id: str) -> IndexingJob | None:
        """A job by its id, also of an earlier server; None if there is none."""
        return self._by_id.get(id) or _recorded(self._ledger.job(id))

    def start_again(self, job: IndexingJob) -> IndexingJob:
        """Continue a job that ended; files that are in the gallery already cost nothing."""
        if not job.done.is_set():
            raise SetupError("this job is still running: wait for it, or stop it first")
        demo = job.gallery == DEMO_GALLERY
        return self._start(job.gallery, Path(job.source), demo=demo)

    def stop(self, gallery: str) -> None:
        """Stop a gallery's running and queued jobs; added images stay."""
        with self._turn:
            jobs = list(self._jobs.get(gallery, []))
        for job in jobs:
            job.stop()

    def allowed_folders(self) -> list[str]:
        """The folders on this machine that may be indexed from the page."""
        return [str(folder) for folder in self._settings.folders]

    def add_folder(self, gallery: str, folder: str) -> IndexingJob:
        """Index an allowed folder, or one inside it. Raises SetupError for any other."""
        try:
            real = Path(folder).resolve()
        except (OSError, ValueError):  # a loop of links, a null byte
            real = None
        if real is None or not any(real.is_relative_to(it) for it in self._settings.folders):
            raise SetupError(
                "this folder is not allowed: only folders listed in UNMASK_FOLDERS can be added"
            )
        return self._start(gallery, real)

    def add_files(self, gallery: str, files: Sequence[Path]) -> IndexingJob:
        """Index dropped files, which move into a private folder of the gallery."""
        if not files:
            raise SetupError("choose some pictures first")
        dropped = self._settings.home / "dropped"
        folder = dropped / gallery_folder(self._settings.home, gallery).name
        require_unlocked(dropped, "the folder of dropped files", unlock="--all")
        private_folder(folder)
        with self._dropping:  # else two drops take the same free name, and one file is lost
            for file in files:
                shutil.move(file, _free_name(folder, file.name))
            restrict_permissions(folder)
        return self._start(gallery, folder)

    def add_demo(self) -> IndexingJob:
        """Create and index the demo's pictures, unless they exist already."""
        return self._start(DEMO_GALLERY, self._settings.demo_dir / "pictures", demo=True)

    @property
    def demo_photo(self) -> Path:
        """The query photo of the demo."""
        return self._settings.demo_dir / "query.png"

    def _start(self, gallery: str, folder: Path, *, demo: bool = False) -> IndexingJob:
        gallery_folder(self._settings.home, gallery)  # an invalid name is refused here
        with self._turn:
            running = [it for it in self._jobs.get(gallery, []) if not it.done.is_set()]
            if running and demo:
                return running[-1]
            job = IndexingJob(gallery, str(folder))
            self._jobs[gallery] = [*running, job]
            self._by_id[job.id] = job
            ended = [it.id for it in self._by_id.values() if it.done.is_set()]
            for old in ended[:-_KEPT_JOBS]:
                del self._by_id[old]  # its row in the ledger stays
        self._record(job)
        name = f"fill {gallery}"
        threading.Thread(target=self._run, args=(job, folder, demo), name=name, daemon=True).start()
        return job

    def _run(self, job: IndexingJob, folder: Path, demo: bool) -> None:
        try:
            with self._one_at_a_time, self._turns.taken():
                job.is_queued = False
                self._record(job)
                if job.stopped:
                    job.problem = "Stopped before anything was added; the dropped files are kept."
                    return
                if demo:
                    self._make_demo(folder)
                unmask = Unmask(self._settings, job.gallery, models=self._parts)
                if demo and job.gallery in self.names():
                    unmask.upgrade()  # the application's own gallery
                job.summary = unmask.index([folder], on_progress=self._reporter(job))
        except IndexingInterrupted as stop:
            job.summary = stop.summary
        except SetupError as error:
            job.problem = str(error)
        except Exception as bug:
            logger.exception("filling a gallery ended with a fault")
            job.problem = (
                f"An internal error ended this ({type(bug).__name__}); see the server's log."
            )
        finally:
            job.done.set()
            self._record(job)
            job.changed.set()

    def _record(self, job: IndexingJob) -> None:
        """Record the state; a job goes on if the record cannot be written."""
        told = job.to_json()
        body = {it: told[it] for it in ("progress", "problem")}
        try:
            self._ledger.record_job(
                job.id, gallery=job.gallery, source=job.source, state=job.state, body=body
            )
        except SetupError as error:
            logger.warning("the state of a job could not be recorded: %s", error)

    def _reporter(self, job: IndexingJob) -> Callable[[IndexProgress], None]:
        recorded_s = time.monotonic()

        def report(progress: IndexProgress) -> None:
            nonlocal recorded_s
            job.progress = progress
            job.changed.set()
            if job.stopped:
                raise KeyboardInterrupt  # tells indexing to stop and to keep its results so far
            if time.monotonic() - recorded_s > _RECORD_EVERY_S:
                recorded_s = time.monotonic()
                self._record(job)
            self._turns.give_way()

        return report

    def _make_demo(self, folder: Path) -> None:
        if self.demo_photo.is_file() and any(folder.glob("*.jpg")):
            return
        private_folder(folder)
        write_demo_images(folder, self._parts.faces)
        restrict_permissions(self._settings.demo_dir)


def _recorded(row: JobRow | None) -> IndexingJob | None:
    """A job of an earlier server, as it was recorded."""
    if row is None:
        return None
    job = IndexingJob(row.gallery, row.source, row.id, interrupted=row.state == "interrupted")
    job.problem = INTERRUPTED if job.interrupted else str(row.body.get("problem") or "")
    job.stopped, job.is_queued = row.state == "stopped", False
    told = dict(row.body.get("progress") or {})
    told.pop("eta_s", None)
    job.progress = IndexProgress(**told) if told else None
    if row.state not in OPEN_STATES:
        job.done.set()
    return job


def _free_name(folder: Path, name: str) -> Path:
    """An unused path in the folder, as close to the given name as possible."""
    path, number = folder / Path(name).name, 1
    while path.exists():
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path
