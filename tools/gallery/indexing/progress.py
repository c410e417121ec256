"""How far an indexing job is, and what it did."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.media.frames import MAX_FRAMES

_NAMED_SKIPS = 1000  # a list that grows with the number of files would not be flat
_REPORT_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the job is: files of `files_total` looked at, pictures added in `seconds`."""

    files_done: int
    files_total: int
    images_added: int
    faces_found: int
    skipped: int
    seconds: float

    @property
    def files_per_s(self) -> float:
        """Files looked at per second so far."""
        return self.files_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at this rate; None before there is a rate."""
        rate = self.files_per_s
        return (self.files_total - self.files_done) / rate if rate else None


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What a run did.

    `already_known`: files with the content that an earlier run has seen there; `duplicates`: other
    files (moved, copied) whose very bytes were already indexed; `missing`: files that are gone
    from disk, their pictures kept. `skipped` counts files per reason; `skipped_files` names the
    first thousand of them, `Gallery.skipped_files` all. `notices` are for people to read.
    `frames_added` of the `images_added` were taken out of `videos_added`, animations among them.
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


class IndexingInterrupted(KeyboardInterrupt):
    """Ctrl-C: what was indexed so far is kept and searchable, and `summary` tells how much."""

    def __init__(self, summary: IndexSummary) -> None:
        super().__init__("indexing was interrupted")
        self.summary = summary


class IndexTally:
    """Counts what a job does, and reports to `on_progress` every tenth of a second at most.

    `counts` holds images, faces, videos, frames, known, duplicates and missing.
    """

    def __init__(self, on_progress: Callable[[IndexProgress], None] | None) -> None:
        self.files_done = self.files_total = 0
        self.counts = Counter[str]()
        self.long_documents: list[str] = []
        self._on_progress = on_progress
        self._skipped = Counter[str]()
        self._skipped_files: list[tuple[Path, str]] = []
        self._started = time.monotonic()
        self._reported_s = 0.0

    def skip(self, path: Path, reason: str) -> None:
        """Count a file that gives no picture."""
        self._skipped[reason] += 1
        if len(self._skipped_files) < _NAMED_SKIPS:
            self._skipped_files.append((path, reason))

    def report(self, *, now: bool = False) -> None:
        """Tell how far the job is, if it is time to, or `now`."""
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
        """What was done so far; `notices` are the index's."""
        return IndexSummary(
            images_added=self.counts["images"],
            faces_found=self.counts["faces"],
            already_known=self.counts["known"],
            duplicates=self.counts["duplicates"],
            missing=self.counts["missing"],
            skipped=dict(self._skipped),
            skipped_files=tuple(self._skipped_files),
            seconds=time.monotonic() - self._started,
            notices=(*notices, *_of_long(self.long_documents)),
            videos_added=self.counts["videos"],
            frames_added=self.counts["frames"],
        )


def _of_long(documents: Sequence[str]) -> tuple[str, ...]:
    """What is not looked at in documents that are longer than any video is sampled."""
    if not documents:
        return ()
    named = ", ".join(documents[:3]) + (" …" if len(documents) > 3 else "")
    return (
        f"{len(documents)} with more than {MAX_FRAMES} pages ({named}): {MAX_FRAMES} of each, "
        "evenly spaced, are indexed; split the file to index every page",
    )
