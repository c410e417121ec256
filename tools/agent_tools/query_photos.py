"""The query photos of one investigation by handle, measured once, with the face that is meant."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.errors import ToolError
from tools.gallery.analysis import DecodedImage, FaceAnalysisProtocol, ImageEncoder, analyse_batch
from tools.gallery.records import AnalysedFace, AnalysedImage
from tools.media.images import Photo, decode_photo, image_id, read_bytes
from tools.search.query import NoFace, Query, QueryFace, SeveralFaces, assemble_query
from tools.verdict.handles import quote_untrusted
from tools.verdict.rule import VerdictRule


class QueryPhotos:
    """Photos Q1, Q2 …; the same bytes are the same photo. Messages name handles, never files.

    `excluded_photos` are photos of which nobody said that they are authentic, though somebody
    asked: they are compared and looked at, but never searched with.
    """

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self._ids: dict[str, str] = {}
        self._measured: dict[str, AnalysedImage] = {}
        self._chosen: dict[str, int] = {}
        self.excluded_photos: frozenset[str] = frozenset()

    def add(self, path: Path) -> str:
        """Take a photo in; UnreadableImage (a ToolError, without the path) when it is none."""
        data = read_bytes(path)
        name = image_id(data)
        if name not in self._ids:
            decode_photo(data)
        handle = self._ids.setdefault(name, f"Q{len(self._ids) + 1}")
        self._paths.setdefault(handle, path)
        return handle

    def add_missing(self, path: Path) -> str:
        """The handle of a photo whose file is gone; `path` is named by its sha256."""
        return self._ids.setdefault(path.name, f"Q{len(self._ids) + 1}")

    @property
    def paths(self) -> Mapping[str, Path]:
        """The files by handle, in the order in which they came."""
        return dict(self._paths)

    def path(self, handle: str) -> Path:
        """The file of a photo; ToolError, which lists the photos, for an unknown handle."""
        if handle in self._ids.values() and handle not in self._paths:
            raise ToolError(f"the file of {handle} is gone; ask for that photo again")
        if handle not in self._paths:
            valid = f"photos are {', '.join(self._paths)}" if self._paths else "ask for a photo"
            raise ToolError(f"there is no photo {quote_untrusted(handle)}; {valid}")
        return self._paths[handle]

    def measure(
        self, handle: str, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder
    ) -> AnalysedImage:
        """Everything that is measured on a photo; the second time it costs nothing."""
        if handle not in self._measured:
            self._measured[handle] = measure_file(self.path(handle), faces=faces, encoder=encoder)
        return self._measured[handle]

    def face(self, handle: str, image: AnalysedImage, *, number: int | None = None) -> AnalysedFace:
        """The face that is meant; `number` (1-based, from the left) is kept for the next time.

        Raises NoFace, and SeveralFaces while nobody said which one.
        """
        found = image.faces
        if not found:
            raise NoFace(f"no face was found in {handle}; ask for a sharper or larger photo")
        if len(found) == 1:
            return found[0]
        wanted = number or self._chosen.get(handle)
        if wanted is None or not 1 <= wanted <= len(found):
            raise SeveralFaces(
                f"{handle} shows several faces; ask which one is meant, counted from the left, "
                "then call find_person with face"
                if wanted is None
                else f"{handle} does not show that many faces; ask again which one is meant",
                [each.face for each in found],
                photo=handle,
            )
        self._chosen[handle] = wanted
        return found[wanted - 1]

    def query(
        self,
        handles: Sequence[str],
        *,
        faces: FaceAnalysisProtocol,
        encoder: ImageEncoder,
        face: int | None = None,
        rule: VerdictRule | None = None,
    ) -> Query:
        """The photos as one query; `face` says which is meant in the one that shows several."""
        if not handles:
            raise ToolError(f"name at least one photo: {', '.join(self._paths) or 'ask for one'}")
        named = tuple(dict.fromkeys(handles))
        self._refuse_doubted(named)
        images = {it: self.measure(it, faces=faces, encoder=encoder) for it in named}
        numbers = self._numbers(images, face)
        return assemble_query(
            [
                self._row(it, image, self.face(it, image, number=numbers.get(it)))
                for it, image in images.items()
            ],
            rule=rule,
        )

    def _numbers(self, images: Mapping[str, AnalysedImage], face: int | None) -> dict[str, int]:
        """Of which photo a face's number is: the one that shows several and has none chosen yet."""
        if face is None:
            return {}
        several = [it for it, image in images.items() if len(image.faces) > 1]
        asking = [it for it in several if it not in self._chosen] or several
        if len(asking) > 1:
            raise SeveralFaces(
                f"{' and '.join(asking)} show several faces each; ask which one is meant in "
                f"{asking[0]} first",
                [each.face for each in images[asking[0]].faces],
                photo=asking[0],
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

    def _row(self, handle: str, image: AnalysedImage, chosen: AnalysedFace) -> QueryFace:
        if chosen.features is None or chosen.face_hash is None:
            raise NoFace(f"the face in {handle} cannot be measured; ask for another photo")
        return QueryFace(
            photo_id=image.id,
            path=self._paths[handle],
            name=handle,
            marked=image.unmask_forgery,
            face=chosen.face,
            features=chosen.features,
            face_hash=chosen.face_hash,
        )


def measure_file(
    path: Path, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder
) -> AnalysedImage:
    """Measure one file as indexing does; ToolError, without the path, when that fails."""
    data = read_bytes(path)
    return measure_photo(decode_photo(data), len(data), faces=faces, encoder=encoder)


def measure_photo(
    photo: Photo, byte_size: int, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder
) -> AnalysedImage:
    """Measure one picture as indexing does; ToolError when that fails."""
    (analysed,) = analyse_batch([DecodedImage(photo, byte_size)], faces=faces, encoder=encoder)
    if isinstance(analysed, ToolError):
        raise analysed
    return analysed
