"""Filling galleries from the page: folders that the operator allowed, dropped files, the demo.

Jobs go one after the other, each in a thread of its own, so that the page stays usable and a
reload finds the job again; what is dropped meanwhile waits for its turn. Galleries belong to the
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
    """One filling of a gallery; `problem` is for the person, `is_queued` while others go first."""

    gallery: str
    progress: IndexProgress | None = None
    summary: IndexSummary | None = None
    stopped: bool = False
    problem: str = ""
    is_queued: bool = True
    changed: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End at the next commit; what was added stays."""
        self.stopped = True

    def wait(self, seconds: float) -> bool:
        """Sleep until something changed, at most so long; whether the job is still going."""
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
        """All galleries, by name."""
        return Gallery.names(self._settings.home)

    def job(self, gallery: str) -> IndexingJob | None:
        """The job that fills a gallery, else the latest since this server started."""
        jobs = self._jobs.get(gallery, [])
        return next((job for job in jobs if not job.done.is_set()), jobs[-1] if jobs else None)

    def stop(self, gallery: str) -> None:
        """End the filling of a gallery, that which waits too; what was added stays."""
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
        with self._dropping:  # or two drops at once take the same free name, and one file is lost
            for file in files:
                shutil.move(file, _free_name(folder, file.name))
            restrict_permissions(folder)
        return self._start(gallery, folder)

    def add_demo(self) -> IndexingJob:
        """Make the demo's pictures and index them; nothing to do when that was done before."""
        return self._start(DEMO_GALLERY, self._settings.demo_dir / "pictures", demo=True)

    @property
    def demo_photo(self) -> Path:
        """The photo that the demo asks about."""
        return self._settings.demo_dir / "query.png"

    def _start(self, gallery: str, folder: Path, *, demo: bool = False) -> IndexingJob:
        gallery_folder(self._settings.home, gallery)  # a bad name is refused here
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
        raise KeyboardInterrupt  # how indexing is told to stop and to keep what it has


def _free_name(folder: Path, name: str) -> Path:
    """A path in the folder that is not taken, as like the name as can be."""
    path, number = folder / Path(name).name, 1
    while path.exists():
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path
