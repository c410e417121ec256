"""Fill galleries from the chat page: allowed folders, dropped files, the demo.

Jobs run one after the other, each in its own thread, so that the page stays usable and a reload
finds the job again; files dropped in the meantime wait for their turn. Galleries belong to the
machine, not to a session.
"""

import logging
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assistant.demo import DEMO_GALLERY, write_demo_images
from assistant.investigation import Unmask
from assistant.profile import LoadedModels
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.database_file import gallery_folder
from tools.gallery.indexing.progress import IndexingInterrupted, IndexProgress, IndexSummary
from tools.gallery.record_store import Gallery
from tools.media.private_files import private_folder, restrict_permissions

logger = logging.getLogger(__name__)


@dataclass
class IndexingJob:
    """One indexing job; `problem` is for the user, `is_queued` is true while others run."""

    gallery: str
    progress: IndexProgress | None = None
    summary: IndexSummary | None = None
    stopped: bool = False
    problem: str = ""
    is_queued: bool = True
    changed: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End at the next commit; added images stay."""
        self.stopped = True

    def wait(self, seconds: float) -> bool:
        """Wait for a change, at most `seconds`; returns whether the job is still running."""
        self.changed.wait(seconds)
        self.changed.clear()
        return not self.done.is_set()


class GalleryIndexer:
    """The galleries of a machine, and the jobs that fill them."""

    def __init__(self, settings: Settings, parts: LoadedModels) -> None:
        self._settings = settings
        self._parts = parts
        self._jobs: dict[str, list[IndexingJob]] = {}
        self._turn = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._dropping = threading.Lock()

    def names(self) -> list[str]:
        """The names of all galleries."""
        return Gallery.names(self._settings.home)

    def problem(self, gallery: str) -> str:
        """Why an existing gallery cannot be searched, in one line; empty if it can."""
        return self._parts.gallery_problem(gallery) if gallery in self.names() else ""

    def without_gallery(self) -> Unmask:
        """The Python API with this server's models, for checks that need no gallery."""
        return Unmask(self._settings, models=self._parts)

    def job(self, gallery: str) -> IndexingJob | None:
        """The running job of a gallery, or the latest one since this server started."""
        jobs = self._jobs.get(gallery, [])
        return next((job for job in jobs if not job.done.is_set()), jobs[-1] if jobs else None)

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
        """Index a folder that the operator allowed. Raises SetupError for any other."""
        if folder not in self.allowed_folders():
            raise SetupError(
                "this folder is not allowed: only folders listed in UNMASK_FOLDERS can be added"
            )
        return self._start(gallery, Path(folder))

    def add_files(self, gallery: str, files: Sequence[Path]) -> IndexingJob:
        """Index dropped files, which move into a private folder of the gallery."""
        if not files:
            raise SetupError("choose some pictures first")
        folder = self._settings.home / "dropped" / gallery_folder(self._settings.home, gallery).name
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
            job = IndexingJob(gallery)
            self._jobs[gallery] = [*running, job]
        name = f"fill {gallery}"
        threading.Thread(target=self._run, args=(job, folder, demo), name=name, daemon=True).start()
        return job

    def _run(self, job: IndexingJob, folder: Path, demo: bool) -> None:
        try:
            with self._one_at_a_time:
                job.is_queued = False
                if job.stopped:
                    job.problem = "Stopped before anything was added; the dropped files are kept."
                    return
                if demo:
                    self._make_demo(folder)
                unmask = Unmask(self._settings, job.gallery, models=self._parts)
                if demo and job.gallery in self.names():
                    unmask.upgrade()  # the application's own gallery
                job.summary = unmask.index([folder], on_progress=lambda it: _report(job, it))
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
            job.changed.set()

    def _make_demo(self, folder: Path) -> None:
        if self.demo_photo.is_file() and any(folder.glob("*.jpg")):
            return
        private_folder(folder)
        write_demo_images(folder, self._parts.faces)
        restrict_permissions(self._settings.demo_dir)


def _report(job: IndexingJob, progress: IndexProgress) -> None:
    job.progress = progress
    job.changed.set()
    if job.stopped:
        raise KeyboardInterrupt  # tells indexing to stop and to keep its results so far


def _free_name(folder: Path, name: str) -> Path:
    """An unused path in the folder, as close to the given name as possible."""
    path, number = folder / Path(name).name, 1
    while path.exists():
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path
