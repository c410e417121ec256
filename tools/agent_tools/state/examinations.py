"""Examinations of single faces: signs of forgery and where they lie, and the model's impression.

Each is computed once for a face and belongs to the face, whatever its handle is later.
"""

from tools.agent_tools.state.pictures import FaceSnapshot, Pictures, is_hit
from tools.errors import ToolError
from tools.localisers import Localisation, localise_forgery
from tools.search.checking.alone import AloneResult, judge_alone
from tools.search.checking.impression import Impression
from tools.search.checking.maps import FaceMaps, face_maps
from tools.search.model_bundle import map_detector
from tools.search.query import NoFace, Query, SeveralFaces
from tools.search.reranking.reranker import iter_readable_photos
from tools.verdict.evidence import Evidence


class Examinations:
    """What was examined on the faces of photos and hits; what it shows becomes facts."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._instruments = pictures.instruments
        self._judged: dict[str, AloneResult] = {}
        self._located: dict[str, Localisation] = {}
        self._maps: dict[tuple[str, bytes], FaceMaps] = {}
        self._impressions: dict[str, Impression] = {}

    def judged_alone(self, handle: str) -> AloneResult:
        """The forgery evidence of a query photo, without a search."""
        key = self._pictures.face_key(handle)
        if key not in self._judged:
            face, image = self._pictures.photos.face(handle), self._pictures.analysis(handle)
            self._judged[key] = judge_alone(
                self._pictures.pixels(handle), image, face, instruments=self._instruments
            )
        return self._judged[key]

    def localise_forgery(self, look: FaceSnapshot) -> Localisation:
        """Locate signs of forgery on a face; adds regions to its facts."""
        if look.face_id not in self._located:
            head = map_detector(self._instruments)
            if head is None:
                raise ToolError("this profile has no detector that can locate anything")
            encoder = self._instruments.encoder
            located = localise_forgery(look.pixels, look.face.face, encoder=encoder, head=head)
            self._located[look.face_id] = located
        return self._located[look.face_id]

    def maps(self, look: FaceSnapshot) -> FaceMaps:
        """All maps of a face and its picture; what they show becomes a fact."""
        key = _maps_key(look.face_id, look.query)
        if key not in self._maps:
            photos = [] if look.query is None else [*iter_readable_photos(look.query)]
            self._maps[key] = face_maps(
                look.pixels, look.face.face, photos, instruments=self._instruments,
                located=self.localise_forgery(look),
            )  # fmt: skip
        return self._maps[key]

    def impression(self, handle: str) -> Impression | None:
        """The model's impression of a photo or hit and its face; None without its network.

        It is only shown: no verdict, order or evidence depends on it.
        """
        look, pictures = self._instruments.look, self._pictures
        if look is None:
            return None
        try:
            key, keypoints = pictures.face_key(handle), pictures.face(handle).face.keypoints
        except (NoFace, SeveralFaces):
            key, keypoints = handle, None
        if key not in self._impressions:
            self._impressions[key] = look(pictures.pixels(handle), keypoints)
        return self._impressions[key]

    # -- what became known --------------------------------------------------------------------

    def regions(self, handle: str) -> tuple[Evidence, ...]:
        """Where signs of forgery lie on a face, once they were located."""
        located = self._located.get(self._pictures.face_key(handle))
        return located.evidence if located else ()

    def shown_beside(self, handle: str) -> tuple[str, ...]:
        """What the maps beside that of the signs of forgery show, once they were computed."""
        latest = self._pictures.search.latest
        query = latest.query if is_hit(handle) and latest else None
        maps = self._maps.get(_maps_key(self._pictures.face_key(handle), query))
        return () if maps is None else maps.beside


def _maps_key(face_id: str, query: Query | None) -> tuple[str, bytes]:
    """A face and the query that found it: one of the maps depends on both."""
    return face_id, b"" if query is None else query.template.tobytes()
