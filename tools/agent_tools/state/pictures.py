"""The pictures of an investigation by handle: query photos Q1, Q2 … and hits H1, H2 …"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.agent_tools.state.gallery_search import GallerySearch
from tools.agent_tools.state.query_photos import QueryPhotos, byte_size
from tools.errors import ToolError
from tools.faces.alignment import aligned_crop
from tools.gallery.indexing.analysis import analyse_photo
from tools.gallery.records import AnalysedImage
from tools.media.pictures.decoding import Photo
from tools.media.pictures.metadata import metadata_texts
from tools.media.pictures.opening import read_bytes
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.sampling import recorded_photo, video_metadata_texts
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.results import Hit
from tools.search.scoring import EmbeddedFace
from tools.verdict.handles import parse_handle, quote_untrusted


@dataclass(frozen=True, slots=True, eq=False)
class FaceSnapshot:
    """A face with its picture (h, w, 3) uint8 RGB, tied to the face and not to its handle.

    `handle` is the face's handle when the snapshot was taken; `query` is the query that found a
    hit.
    """

    face_id: str
    handle: str
    pixels: np.ndarray
    face: EmbeddedFace
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures, their faces and metadata by handle.

    Every method raises ToolError, without a path, for a handle that is no picture's, and for a file
    that is missing or damaged.
    """

    instruments: ModelBundle
    photos: QueryPhotos
    search: GallerySearch

    # -- files and pixels ---------------------------------------------------------------------

    def path(self, handle: str) -> Path:
        """The file of a query photo or a hit."""
        return self._hit(handle).path if is_hit(handle) else self.photos.path(handle)

    def photo(self, handle: str) -> Photo:
        """The decoded picture; for a query video, the chosen person's frame."""
        if is_hit(handle):
            return self._photo_of(self._hit(handle))
        with _without_path(handle):
            return self.photos.photo(handle)

    def pixels(self, handle: str) -> np.ndarray:
        """The picture, (h, w, 3) uint8 RGB."""
        return self.photo(handle).pixels

    def cover(self, handle: str) -> np.ndarray:
        """Cover picture of a query photo or video: (h, w, 3) uint8 RGB, the same at any time."""
        with _without_path(handle):
            return self.photos.cover(handle).pixels

    def everybody(self, handle: str) -> np.ndarray:
        """The picture in which the faces of a query are numbered: (h, w, 3) uint8 RGB.

        For a photo, the photo itself; for a video, one frame or several side by side.
        """
        return self.photos.everybody(handle)

    def metadata(self, handle: str) -> Mapping[str, str]:
        """Metadata texts in the file of a query photo or a hit: data, not facts."""
        hit = is_hit(handle)
        if hit:
            self.photo(handle)  # refuses a file that now holds another picture
        moving = self._hit(handle).time_s is not None if hit else self.photos.is_video(handle)
        if moving:
            return video_metadata_texts(self.path(handle))
        return metadata_texts(read_bytes(self.path(handle)))

    def _hit(self, handle: str) -> Hit:
        return self.search.found(handle)[1]

    def _photo_of(self, hit: Hit) -> Photo:
        decoded, path, time_s = self.photos.decoded, hit.path, hit.time_s
        known = decoded.get(path, time_s)
        if known is not None and known.id == hit.image_id:
            return known
        with _without_path(hit.handle):
            return decoded.keep(recorded_photo(path, hit.image_id, time_s), path, time_s)

    # -- faces --------------------------------------------------------------------------------

    def count_faces(self, handle: str) -> int:
        """Number of faces in a query photo or a hit's picture, or of persons in a query video."""
        return len(self.analysis(handle).faces) if is_hit(handle) else self.photos.count(handle)

    def face(self, handle: str) -> EmbeddedFace:
        """The face of a handle: the hit's face, or the face chosen in a query photo.

        Raises NoFace, and SeveralFaces if none was chosen.
        """
        if not is_hit(handle):
            return self.photos.face(handle)
        search, hit = self.search.found(handle)
        return search.records[hit.rank - 1]

    def analysis(self, handle: str) -> AnalysedImage:
        """All measurements of the picture."""
        if not is_hit(handle):
            return self.photos.measure(handle)
        faces, encoder = self.instruments.faces, self.instruments.encoder
        photo, size = self.photo(handle), byte_size(self.path(handle))
        return analyse_photo(photo, size, faces=faces, encoder=encoder)

    def aligned(self, handle: str, size: int, *, margin: float | None = None) -> np.ndarray:
        """The aligned face: (size, size, 3) uint8 RGB.

        Without a `margin`, it has the encoder's margin.
        """
        keypoints = self.face(handle).face.keypoints
        wide = self.instruments.encoder.face_margin if margin is None else margin
        return aligned_crop(self.pixels(handle), keypoints, size=size, margin=wide)

    def face_key(self, handle: str) -> str:
        """Permanent key of a face: after another search, a handle may mean another face."""
        if is_hit(handle):
            return self._hit(handle).face_id
        return _photo_key(handle, self.face(handle))

    def snapshot(self, handle: str) -> FaceSnapshot:
        """A picture with everything its maps are computed from, in its present state.

        Maps made from it stay about this face, even after another search.
        """
        if not is_hit(handle):
            face = self.face(handle)
            return FaceSnapshot(_photo_key(handle, face), handle, self.pixels(handle), face)
        search, hit = self.search.found(handle)
        record = search.records[hit.rank - 1]
        return FaceSnapshot(hit.face_id, handle, self._photo_of(hit).pixels, record, search.query)


def is_hit(handle: str) -> bool:
    """Whether a picture's handle is a hit's; ToolError if it is not a picture's."""
    asked = parse_handle(handle)
    if asked.kind or asked.subject.startswith("C"):
        raise ToolError(
            f"{quote_untrusted(handle)} is no picture; pictures are Q1, Q2 … and H1, H2 …"
        )
    return asked.subject.startswith("H")


def _photo_key(handle: str, face: EmbeddedFace) -> str:
    return handle + face.face.keypoints.tobytes().hex()


@contextlib.contextmanager
def _without_path(handle: str) -> Iterator[None]:
    """Errors about an unreadable file name its handle instead of its path."""
    try:
        yield
    except UnreadableImage as error:
        raise ToolError(f"the file of {handle} cannot be read: {error.reason}") from error
