"""Progress and summary of an indexing job."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.faces.detection import MOST_FACES
from tools.media.file_names import printable
from tools.media.skip_reasons import remedy
from tools.media.videos.frames import MAX_FRAMES

_NAMED_SKIPS = 1000  # limited, so that memory does not grow with the number of files
_REPORT_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """Progress of the job: files done of `files_total`, pictures added in `seconds`."""

    files_done: int
    files_total: int
    images_added: int
    faces_found: int
    skipped: int
    seconds: float

    @property
    def files_per_s(self) -> float:
        """Files processed per second so far."""
        return self.files_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left at this rate; None before a rate is known."""
        rate = self.files_per_s
        return (self.files_total - self.files_done) / rate if rate else None

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return asdict(self) | {"eta_s": self.eta_s}


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """Result of an indexing run.

    `already_known`: files whose content an earlier run has seen there; `duplicates`: other
    files (moved, copied) whose bytes were already indexed; `missing`: files that are gone
    from disk, their pictures kept. `skipped` counts files per reason; `skipped_files` lists the
    first thousand of them, `Gallery.skipped_files` all. `notices` are messages for the user.
    `frames_added` of the `images_added` were taken from `videos_added`, animations among them.
    """

    images_added: int
    faces_found: int
    already_known: int
    duplicates: int
    missing: int
    skipped: dict[str, int]
    skipped_files: tuple[tuple[Path, str], ...]
    seconds: float
    notices: tuple[str, ...]
    videos_added: int = 0
    frames_added: int = 0

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; each skipped file with its reason and what can be done about it."""
        files = [
            {"path": printable(path), "reason": reason, "way_on": remedy(reason)}
            for path, reason in self.skipped_files
        ]
        return asdict(self) | {"skipped_files": files}


class IndexingInterrupted(KeyboardInterrupt):
    """Ctrl-C: what was indexed so far is kept and searchable, and `summary` counts it."""

    def __init__(self, summary: IndexSummary) -> None:
        super().__init__("indexing was interrupted")
        self.summary = summary


class IndexTally:
    """Counts a job's results, and reports to `on_progress` at most every tenth of a second.

    `counts` holds images, faces, videos, frames, known, duplicates and missing; `crowds` counts
    pictures with as many faces as are measured at most.
    """

    def __init__(self, on_progress: Callable[[IndexProgress], None] | None) -> None:
        self.files_done = self.files_total = 0
        self.counts = Counter[str]()
        self.long_documents: list[str] = []
        self.crowds = 0
        self._on_progress = on_progress
        self._skipped = Counter[str]()
        self._skipped_files: list[tuple[Path, str]] = []
        self._started = time.monotonic()
        self._reported_s = 0.0

    def skip(self, path: Path, reason: str) -> None:
        """Count a file that was skipped."""
        self._skipped[reason] += 1
        if len(self._skipped_files) < _NAMED_SKIPS:
            self._skipped_files.append((path, reason))

    def report(self, *, now: bool = False) -> None:
        """Report the progress if enough time has passed, or if `now`."""
        seconds = time.monotonic() - self._started
        if self._on_progress is None or (seconds - self._reported_s < _REPORT_EVERY_S and not now):
            return
        self._reported_s = seconds
        self._on_progress(
            IndexProgress(
                files_done=self.files_done,
                files_total=max(self.files_total, self.files_done),
                images_added=self.counts["images"],
                faces_found=self.counts["faces"],
                skipped=self._skipped.total(),
                seconds=seconds,
            )
        )

    def summary(self, notices: Sequence[str]) -> IndexSummary:
        """The results so far; `notices` are the index's."""
        return IndexSummary(
            images_added=self.counts["images"],
            faces_found=self.counts["faces"],
            already_known=self.counts["known"],
            duplicates=self.counts["duplicates"],
            missing=self.counts["missing"],
            skipped=dict(self._skipped),
            skipped_files=tuple(self._skipped_files),
            seconds=time.monotonic() - self._started,
            notices=(*notices, *_of_long(self.long_documents), *_of_crowds(self.crowds)),
            videos_added=self.counts["videos"],
            frames_added=self.counts["frames"],
        )


def _of_crowds(pictures: int) -> tuple[str, ...]:
    """Notice about pictures with more faces than are indexed."""
    if not pictures:
        return ()
    return (
        f"{pictures} with {MOST_FACES} faces or more: the {MOST_FACES} largest of each are "
        "indexed; cut the picture into parts to index every face",
    )


def _of_long(documents: Sequence[str]) -> tuple[str, ...]:
    """Notice about documents with more pages than are indexed."""
    if not documents:
        return ()
    named = ", ".join(documents[:3]) + (" …" if len(documents) > 3 else "")
    return (
        f"{len(documents)} with more than {MAX_FRAMES} pages ({named}): {MAX_FRAMES} of each, "
        "evenly spaced, are indexed; split the file to index every page",
    )
