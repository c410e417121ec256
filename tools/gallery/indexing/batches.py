"""Analysing: pictures gathered to batches, several analysed at a time, handed on in order."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from tools.errors import ToolError
from tools.gallery.indexing.analysis import AnalysisPool, DecodedImage
from tools.gallery.indexing.read_ahead import pixel_count
from tools.gallery.records import AnalysedImage, FileRecord

BATCH_IMAGES = 16
BATCH_PIXELS = 32_000_000
"""A batch also ends at so many pixels (100 MB), so that large photographs need no more memory."""

BATCH_FILES = 500
"""And at so many files, so that a folder without a picture in it is remembered as well."""


@dataclass(slots=True)
class Batch:
    """What one commit will hold: pictures by id, and files with what is in them.

    Among the pictures are frames; `videos` are those whose last frame is in this batch or was in
    an earlier one. `lent_pixels` are those that the opening pool counts.
    """

    photos: dict[str, DecodedImage] = field(default_factory=dict)
    files: list[FileRecord] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    pixels: int = 0
    lent_pixels: int = 0
    results: "Future[list[AnalysedImage | ToolError]] | None" = None

    @property
    def full(self) -> bool:
        """Whether it should be analysed now."""
        images, files = len(self.photos), len(self.files)
        return images >= BATCH_IMAGES or self.pixels >= BATCH_PIXELS or files >= BATCH_FILES


class BatchQueue:
    """The batch that is being gathered, and those under analysis: one a worker, and one more."""

    def __init__(self, pool: AnalysisPool) -> None:
        self.gathered = Batch()
        self._pool = pool
        self._analysing: deque[Batch] = deque()

    def __contains__(self, image_id: str) -> bool:
        return any(image_id in batch.photos for batch in (self.gathered, *self._analysing))

    def add_picture(self, opened: DecodedImage) -> None:
        """Put a picture into the batch that is being gathered."""
        self.gathered.photos[opened.photo.id] = opened
        self.gathered.pixels += pixel_count(opened.photo)

    def add_file(self, file: FileRecord) -> None:
        """Put a file's record into it."""
        self.gathered.files.append(file)

    def submit(self) -> None:
        """Have the gathered batch analysed, and begin another."""
        batch, self.gathered = self.gathered, Batch()
        if batch.files or batch.photos:
            batch.results = self._pool.submit(list(batch.photos.values()))
            self._analysing.append(batch)

    def next(self, *, waiting: int) -> Batch | None:
        """The oldest batch under analysis, so that twins find each other; None if few `waiting`."""
        return self._analysing.popleft() if len(self._analysing) > waiting else None
