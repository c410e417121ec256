"""Videos, animations and documents of several pages as query photos of a workspace.

`tools.search.query_files` finds the persons in them, once. Only measurements and times are kept:
frames are decoded again on demand.
"""

from dataclasses import dataclass

import numpy as np

from tools.faces.shown_persons import in_one_picture
from tools.gallery.indexing.analysis import FaceAnalysisProtocol, ImageEncoder, analyse_photo
from tools.gallery.records import AnalysedFace, AnalysedImage, FramePosition
from tools.media.pictures.decoding import Photo
from tools.media.videos.frames import Video
from tools.media.videos.sampling import frame_at, frame_to_photo
from tools.media.videos.signatures import video_sha256
from tools.search.query import QueryFace
from tools.search.query_files import cover, of_video, query_faces

Box = tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """The persons in a video: the query `rows` of each, best first.

    `boxes` hold a face of each person, x1 y1 x2 y2 px in `picture` (h, w, 3) uint8 RGB; `times_s`
    are the times of the frames in that picture. `notes` are sentences for the user.
    """

    rows: tuple[tuple[QueryFace, ...], ...]
    boxes: tuple[Box, ...]
    picture: np.ndarray
    times_s: tuple[float, ...]
    notes: tuple[str, ...]


class QueryVideo:
    """A query file with several frames; `name` is its handle.

    A person's frame is the best look at that person. Raises UnreadableImage, without the path, if
    no frame can be decoded, also later, if the file was deleted.
    """

    def __init__(self, video: Video, *, name: str) -> None:
        self.video, self.name = video, name
        self._cover_s = cover(video).time_s
        self._id = video_sha256(video.path)
        self._cast: Cast | None = None
        self._images: dict[float, AnalysedImage] = {}

    def cast(self, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder) -> Cast:
        """The persons in the video; computed once, then cached."""
        if self._cast is None:
            found = of_video(self.video, faces, name=self.name)
            picture, boxes = np.zeros((0, 0, 3), np.uint8), list[Box]()
            if found.together:
                picture, boxes = in_one_picture(found.together)
            rows = (query_faces(it, name=self.name, encoder=encoder) for it in found.persons)
            self._cast = Cast(
                rows=tuple(tuple(each) for each in rows),
                boxes=tuple(boxes),
                picture=picture,
                times_s=tuple(it.time_s or 0.0 for it in found.together),
                notes=found.notes,
            )
        return self._cast

    def time_s(self, cast: Cast, person: int | None) -> float:
        """Time of the frame that stands for a person, or for everybody."""
        if person is not None:
            return cast.rows[person][0].time_s or 0.0
        return cast.times_s[0] if cast.times_s else self._cover_s

    def cover(self) -> Photo:
        """The cover frame before faces have been detected."""
        return self.frame(self._cover_s)

    def frame(self, time_s: float) -> Photo:
        """The frame at a time."""
        image_id = FramePosition(self._id, time_s).image_id
        return frame_to_photo(self.video, frame_at(self.video.path, time_s), image_id=image_id)

    def image(
        self, time_s: float, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder
    ) -> AnalysedImage:
        """All measurements of the frame at a time."""
        if time_s not in self._images:
            size = self.video.path.stat().st_size
            photo = self.frame(time_s)
            self._images[time_s] = analyse_photo(photo, size, faces=faces, encoder=encoder)
        return self._images[time_s]

    def face(self, row: QueryFace, image: AnalysedImage) -> AnalysedFace:
        """The face of a row in its frame."""
        return min(
            image.faces,
            key=lambda it: float(np.abs(it.face.box - row.face.box).max()),
            default=AnalysedFace(row.face, row.features, row.face_hash),
        )
