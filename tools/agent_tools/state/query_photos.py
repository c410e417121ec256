"""The query photos of one investigation by handle, measured once, with the chosen faces."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tools.errors import ToolError
from tools.faces.dominance import dominant_face, measurable_faces
from tools.gallery.indexing.analysis import FaceAnalysisProtocol, ImageEncoder, analyse_photo
from tools.gallery.records import AnalysedFace, AnalysedImage
from tools.media.pictures.decoding import Photo, decode_photo, image_id
from tools.media.pictures.opening import read_bytes
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.signatures import video_sha256
from tools.search.photo_cache import PhotoCache
from tools.search.query import (
    Query,
    QueryFace,
    SeveralFaces,
    build_query,
    choose_person,
    says_dominant,
)
from tools.search.query_files import several_frames
from tools.search.query_videos import Cast, QueryVideo
from tools.verdict.handles import quote_untrusted
from tools.verdict.rule import VerdictRule


class QueryPhotos:
    """Photos and videos Q1, Q2 …; identical bytes share a handle. Messages use handles, not files.

    `faces` and `encoder` measure them on demand. `excluded_photos` were not confirmed as authentic
    when the user was asked: they are compared and described, but never used as a query. `decoded`
    caches recently used pictures.
    """

    def __init__(self, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder) -> None:
        self._faces, self._encoder = faces, encoder
        self._paths: dict[str, Path] = {}
        self._ids: dict[str, str] = {}
        self._videos: dict[str, QueryVideo] = {}
        self._measured: dict[str, AnalysedImage] = {}
        self._chosen: dict[str, int] = {}
        self.decoded = PhotoCache()
        self.excluded_photos: frozenset[str] = frozenset()

    def add(self, path: Path) -> str:
        """Add a photo, a video or an animation; returns its handle.

        Raises UnreadableImage (a ToolError, without the path) for any other file.
        """
        video = several_frames(path)
        data = b"" if video else read_bytes(path)
        name = video_sha256(path) if video else image_id(data)
        known = self._ids.get(name)
        handle = known or f"Q{len(self._ids) + 1}"
        if video is not None and handle not in self._videos:
            self._videos[handle] = QueryVideo(video, name=handle)
        elif video is None and known is None:
            self.decoded.keep(decode_photo(data), path)
        self._ids[name] = handle
        self._paths.setdefault(handle, path)
        return handle

    def add_missing(self, path: Path) -> str:
        """Add a photo whose file is gone; `path` is named by its sha256. Returns its handle."""
        return self._ids.setdefault(path.name, f"Q{len(self._ids) + 1}")

    @property
    def paths(self) -> Mapping[str, Path]:
        """The files by handle, in the order they were added."""
        return dict(self._paths)

    @property
    def chosen(self) -> Mapping[str, int]:
        """The chosen face, 1-based from the left, of each photo that shows several."""
        return dict(self._chosen)

    def path(self, handle: str) -> Path:
        """The file of a photo; ToolError, which lists the photos, for an unknown handle."""
        if handle in self._ids.values() and handle not in self._paths:
            raise ToolError(f"the file of {handle} is gone; ask for that photo again")
        if handle not in self._paths:
            valid = f"photos are {', '.join(self._paths)}" if self._paths else "ask for a photo"
            raise ToolError(f"there is no photo {quote_untrusted(handle)}; {valid}")
        return self._paths[handle]

    def is_video(self, handle: str) -> bool:
        """Whether a handle names a video, an animation or a document: several frames."""
        return handle in self._videos

    # -- pictures -----------------------------------------------------------------------------

    def cover(self, handle: str) -> Photo:
        """The picture of a photo; for a video, a frame that does not depend on measurements."""
        path = self.path(handle)
        video = self._videos.get(handle)
        return self._decode(path) if video is None else video.cover()

    def photo(self, handle: str) -> Photo:
        """The measured picture: for a video, a frame of the chosen person.

        Until a person is chosen, it is the first frame that shows most persons.
        """
        path = self.path(handle)
        video = self._videos.get(handle)
        if video is None:
            return self._decode(path)
        time_s = self._time(handle)
        known = self.decoded.get(path, time_s)
        return known or self.decoded.keep(video.frame(time_s), path, time_s)

    def everybody(self, handle: str) -> np.ndarray:
        """The picture in which the faces are numbered: (h, w, 3) uint8 RGB."""
        if handle in self._videos and self._boxes(handle):
            return self._cast(handle).picture
        return self.photo(handle).pixels

    def measure(self, handle: str) -> AnalysedImage:
        """All measurements of the picture; computed once, then cached."""
        path = self.path(handle)
        if handle in self._videos:
            at = self._time(handle)
            return self._videos[handle].image(at, faces=self._faces, encoder=self._encoder)
        if handle not in self._measured:
            self._measured[handle] = self._measure_file(path)
        return self._measured[handle]

    # -- faces --------------------------------------------------------------------------------

    def count(self, handle: str) -> int:
        """Number of faces in a photo, or of persons in a video."""
        return len(self._boxes(handle))

    def face(self, handle: str, *, number: int | None = None) -> AnalysedFace:
        """The chosen face; `number` (1-based, from the left) is remembered for the next call.

        Raises NoFace, and SeveralFaces if none was chosen.
        """
        place = self._which(handle, number)
        if handle not in self._videos:
            return self.measure(handle).faces[place]
        row = self._cast(handle).rows[place][0]
        return self._videos[handle].face(row, self.measure(handle))

    def _which(self, handle: str, number: int | None = None) -> int:
        """Index of the chosen face."""
        there, wanted = self.count(handle), number or self._chosen.get(handle)
        where = "any frame that was searched in " if handle in self._videos else ""
        place = choose_person(
            range(there),
            wanted,
            no_face=f"no face was found in {where}{handle}; ask for a sharper or larger photo",
            several=lambda: self._several(
                handle,
                f"{handle} shows several faces; ask which one is meant, counted from the left, "
                "then call find_person with face"
                if wanted is None
                else f"{handle} does not show that many faces; ask again which one is meant",
            ),
            dominant=self._dominant(handle),
        )
        if there > 1 and wanted is not None:
            self._chosen[handle] = place + 1
        return place

    def _dominant(self, handle: str) -> int | None:
        """The index of the face that a photo is clearly about; None for a video."""
        if handle in self._videos:
            return None
        return dominant_face([each.face for each in self.measure(handle).faces])

    def _taken_unasked(self, handle: str) -> Iterator[str]:
        """A note, if a photo shows several faces and its clearest one was taken."""
        place, count = self._dominant(handle), self.count(handle)
        if place is not None and count > 1 and handle not in self._chosen:
            yield says_dominant(handle, place, count, how="naming its number")

    def _several(self, handle: str, message: str) -> SeveralFaces:
        picture = self._cast(handle).picture if handle in self._videos else None
        faces = [] if picture is not None else [it.face for it in self.measure(handle).faces]
        return SeveralFaces(
            message, self._boxes(handle), photo=handle, picture=picture,
            offered=measurable_faces(faces),
        )  # fmt: skip

    def _boxes(self, handle: str) -> Sequence[Sequence[float]]:
        """Boxes of the faces, or of one face per person, in `everybody`."""
        if handle in self._videos:
            return self._cast(handle).boxes
        return [[*each.face.box] for each in self.measure(handle).faces]

    def _cast(self, handle: str) -> Cast:
        self.path(handle)
        return self._videos[handle].cast(faces=self._faces, encoder=self._encoder)

    def _time(self, handle: str) -> float:
        """For a video: the time of the frame of the chosen person."""
        cast = self._cast(handle)
        one = 0 if len(cast.rows) == 1 else None
        chosen = self._chosen[handle] - 1 if handle in self._chosen else one
        return self._videos[handle].time_s(cast, chosen)

    # -- the query ----------------------------------------------------------------------------

    def query(
        self, handles: Sequence[str], *, face: int | None = None, rule: VerdictRule | None = None
    ) -> Query:
        """Build one query from the photos; `face` is the chosen face of the photo with several."""
        if not handles:
            raise ToolError(f"name at least one photo: {', '.join(self._paths) or 'ask for one'}")
        named = tuple(dict.fromkeys(handles))
        self._refuse_doubted(named)
        numbers = self._numbers(named, face)
        rows = [row for it in named for row in self._rows(it, numbers.get(it))]
        notes = [note for it in named if it in self._videos for note in self._cast(it).notes]
        notes += [note for it in named for note in self._taken_unasked(it)]
        return build_query(rows, rule=rule, warnings=notes, decoded=self.decoded)

    def _numbers(self, handles: Sequence[str], face: int | None) -> dict[str, int]:
        """Assign a face number to its photo: the one with several faces and none chosen yet."""
        several = [it for it in handles if self.count(it) > 1]
        if face is None:
            return {}
        asking = [it for it in several if it not in self._chosen] or several
        if len(asking) > 1:
            raise self._several(
                asking[0],
                f"{' and '.join(asking)} show several faces each; ask which one is meant in "
                f"{asking[0]} first",
            )
        return dict.fromkeys(asking, face)

    def _refuse_doubted(self, handles: Sequence[str]) -> None:
        doubted = [handle for handle in handles if handle in self.excluded_photos]
        if doubted:
            sure = [handle for handle in self._paths if handle not in self.excluded_photos]
            instead = f"search with {' or '.join(sure)}, or " if sure else ""
            raise ToolError(
                f"nobody said that {' and '.join(doubted)} is authentic, and only authentic photos "
                f"can be searched with: {instead}ask which photo is authentic"
            )

    def _rows(self, handle: str, number: int | None) -> Sequence[QueryFace]:
        """One row for a photo, several for a video."""
        if handle in self._videos:
            return self._cast(handle).rows[self._which(handle, number)]
        image, chosen = self.measure(handle), self.face(handle, number=number)
        return [
            QueryFace.of(
                chosen,
                photo_id=image.id,
                path=self._paths[handle],
                name=handle,
                marked=image.unmask_forgery,
            )
        ]

    def _decode(self, path: Path) -> Photo:
        """Decode a file; UnreadableImage, without the path, if it is missing or damaged."""
        known = self.decoded.get(path)
        return known or self.decoded.keep(decode_photo(read_bytes(path)), path)

    def _measure_file(self, path: Path) -> AnalysedImage:
        """Measure one file as indexing does; ToolError, without the path, if that fails."""
        photo = self._decode(path)
        return analyse_photo(photo, byte_size(path), faces=self._faces, encoder=self._encoder)


def byte_size(path: Path) -> int:
    """The size of a file in bytes; UnreadableImage if it is missing."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise UnreadableImage("missing") from error
