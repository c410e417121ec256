"""Queue of batches for indexing: collect pictures, analyse batches, return them in order."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from tools.errors import ToolError
from tools.gallery.indexing.analysis import BatchPool, DecodedImage
from tools.gallery.indexing.read_ahead import pixel_count
from tools.gallery.records import AnalysedImage, FileRecord

BATCH_IMAGES = 16
BATCH_PIXELS = 32_000_000
"""Maximum pixels in a batch (100 MB), so that large photographs need no more memory."""

BATCH_FILES = 500
"""Maximum files in a batch, so that files of a folder without pictures are recorded as well."""


@dataclass(slots=True)
class Batch:
    """The content of one commit: pictures by id, and files with what they hold.

    The pictures include frames; `videos` are those whose last frame is in this batch or was in an
    earlier one. `lent_pixels` count against the file loader's pixel budget.
    """

    photos: dict[str, DecodedImage] = field(default_factory=dict)
    files: list[FileRecord] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    pixels: int = 0
    lent_pixels: int = 0
    results: "Future[list[AnalysedImage | ToolError]] | None" = None

    @property
    def full(self) -> bool:
        """Whether the batch should be analysed now."""
        images, files = len(self.photos), len(self.files)
        return images >= BATCH_IMAGES or self.pixels >= BATCH_PIXELS or files >= BATCH_FILES


class BatchQueue:
    """The batch being collected and those under analysis: one per worker, and one more."""

    def __init__(self, pool: BatchPool) -> None:
        self.gathered = Batch()
        self._pool = pool
        self._analysing: deque[Batch] = deque()

    def __contains__(self, image_id: str) -> bool:
        return any(image_id in batch.photos for batch in (self.gathered, *self._analysing))

    def add_picture(self, opened: DecodedImage) -> None:
        """Add a picture to the batch being collected."""
        self.gathered.photos[opened.photo.id] = opened
        self.gathered.pixels += pixel_count(opened.photo)

    def add_file(self, file: FileRecord) -> None:
        """Add a file's record to the batch being collected."""
        self.gathered.files.append(file)

    def submit(self) -> None:
        """Queue the collected batch for analysis and start another."""
        batch, self.gathered = self.gathered, Batch()
        if batch.files or batch.photos:
            batch.results = self._pool.submit(list(batch.photos.values()))
            self._analysing.append(batch)

    def next(self, *, waiting: int) -> Batch | None:
        """The oldest batch under analysis, so that duplicates are found; None if few `waiting`."""
        return self._analysing.popleft() if len(self._analysing) > waiting else None
