"""The workspace: one investigation's photos, latest search, comparisons and facts, by handle.

It holds the whole state of a session. Workspaces are not shared between sessions; the model weights
are. The gallery is opened only for the duration of one call.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tools.agent_tools.facts import (
    comparison_facts,
    faces_fact,
    file_fact,
    gallery_facts,
    hit_facts,
    impression_fact,
    list_facts,
    meaning_facts,
    photo_facts,
    search_facts,
)
from tools.agent_tools.photo_description import Description, describe
from tools.agent_tools.query_photos import QueryPhotos, byte_size
from tools.agent_tools.review import Review
from tools.errors import ToolError
from tools.faces.alignment import aligned_crop
from tools.gallery.indexing.analysis import analyse_photo
from tools.gallery.record_store import Gallery
from tools.gallery.records import AnalysedImage, GalleryCounts
from tools.localisers import Localisation, localise_forgery
from tools.media.images import Photo, UnreadableImage, decode_photo, metadata_texts, read_bytes
from tools.media.videos import photo_at, video_metadata_texts
from tools.search.checking.alone import AloneResult, judge_alone
from tools.search.checking.impression import Impression
from tools.search.checking.maps import FaceMaps, face_maps
from tools.search.model_bundle import ModelBundle, map_detector
from tools.search.query import NoFace, Query, SeveralFaces
from tools.search.reranking.rerank_input import RerankMeasure
from tools.search.reranking.reranker import (
    MAX_RERANKED_HITS,
    RERANK_MEASURES,
    Reranker,
    iter_readable_photos,
)
from tools.search.results import Findings, Hit
from tools.search.same_photograph.decision import Alignment, same_photograph
from tools.search.scoring import EmbeddedFace, pair_scores
from tools.search.search import SearchOutcome, numbered_as_before, search
from tools.verdict.evidence import Evidence
from tools.verdict.handles import Fact, parse_handle, quote_untrusted


@dataclass(frozen=True, slots=True)
class FaceComparison:
    """Two compared faces, with the handles they had at that time."""

    handle: str
    faces: tuple[str, str]
    facts: tuple[Fact, ...]


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


class Workspace:
    """State of one investigation. Invalid handles raise ToolError, which lists the valid ones.

    `home` is the data folder, `gallery` names the collection to search, `measurements` are the
    reranking measurements of every hit; `on_progress`, if set, gets the number done and the total.
    `exporter`, if set, writes a report in a format ("html", "json", "csv") and returns its file.
    `user` is the login for decisions and the access log; empty: the user of this process.
    """

    def __init__(
        self,
        instruments: ModelBundle,
        *,
        home: Path,
        gallery: str = "default",
        measurements: Sequence[RerankMeasure] = RERANK_MEASURES,
    ) -> None:
        self.instruments = instruments
        self.home = home
        self._gallery = gallery
        self._photos = QueryPhotos(faces=instruments.faces, encoder=instruments.encoder)
        self._leading = Reranker(measurements, on_progress=self._tell_progress)
        self.on_progress: Callable[[int, int], None] | None = None
        self.exporter: Callable[[str], Path] | None = None
        self.review = Review(
            lambda: None if self._search is None else self._search.findings, lambda: self.user
        )
        self._asked: tuple[str, ...] = ()
        self.user = ""
        self._search: SearchOutcome | None = None
        self._comparisons: dict[tuple[bytes, bytes], FaceComparison] = {}
        self._compared_in: dict[str, SearchOutcome | None] = {}
        self._located: dict[str, Localisation] = {}
        self._maps: dict[tuple[str, bytes], FaceMaps] = {}
        self._judged: dict[str, AloneResult] = {}
        self._impressions: dict[str, Impression] = {}
        self._files: dict[tuple[SearchOutcome | None, str], tuple[Fact, ...]] = {}

    # -- photos and pictures ------------------------------------------------------------------

    def add_photo(self, path: Path) -> str:
        """Add a query photo or video; identical bytes get the same handle.

        Raises UnreadableImage (a ToolError, without the path) if it is neither.
        """
        return self._photos.add(path)

    def add_missing_photo(self, path: Path) -> str:
        """Reserve the handle of a photo that was added before and whose file is gone.

        `path` is named by the sha256 of the bytes; when they are added again, they get this handle.
        """
        return self._photos.add_missing(path)

    def exclude_photos(self, handles: Iterable[str]) -> None:
        """Set the photos not confirmed as authentic: they are not used as a query; others may be.

        Unknown handles are ignored.
        """
        self._photos.excluded_photos = frozenset(handles) & self.photos.keys()

    @property
    def excluded_photos(self) -> frozenset[str]:
        """The photos that are not used as a query."""
        return self._photos.excluded_photos

    def choose_face(self, handle: str, number: int) -> None:
        """Choose the face of a photo, 1-based from the left. Raises SeveralFaces."""
        self._photos.face(handle, number=number)

    @property
    def chosen_faces(self) -> Mapping[str, int]:
        """The chosen face, 1-based from the left, of each photo for which one was chosen."""
        return self._photos.chosen

    def count_faces(self, handle: str) -> int:
        """Number of faces in a query photo or a hit's picture, or of persons in a video."""
        if _is_hit(handle):
            return len(self.analysis(handle).faces)
        return self._photos.count(handle)

    def everybody(self, handle: str) -> np.ndarray:
        """The picture in which the faces of a query are numbered: (h, w, 3) uint8 RGB.

        For a photo, the photo itself; for a video, one frame or several side by side.
        """
        return self._photos.everybody(handle)

    def cover(self, handle: str) -> np.ndarray:
        """Cover picture of a query photo or video: (h, w, 3) uint8 RGB, the same at any time."""
        with _without_path(handle):
            return self._photos.cover(handle).pixels

    @property
    def photos(self) -> Mapping[str, Path]:
        """The query photos by handle, in the order they were added."""
        return self._photos.paths

    def photo_path(self, handle: str) -> Path:
        """The file of a query photo or a hit."""
        return self.hit(handle).path if _is_hit(handle) else self._photos.path(handle)

    def photo(self, handle: str) -> Photo:
        """The decoded picture of a query photo or a hit; for a video, the chosen person's frame.

        ToolError, without the path, if its file is missing or damaged.
        """
        if _is_hit(handle):
            return self._picture_of(self.hit(handle))
        with _without_path(handle):
            return self._photos.photo(handle)

    def _picture_of(self, hit: Hit) -> Photo:
        """The picture of a hit; ToolError, without the path, if its file is missing or damaged."""
        decoded, path, time_s = self._photos.decoded, hit.path, hit.time_s
        known = decoded.get(path, time_s)
        if known is not None:
            return known
        with _without_path(hit.handle):
            photo = (
                decode_photo(read_bytes(path))
                if time_s is None
                else photo_at(path, time_s, image_id=hit.image_id)
            )
            return decoded.keep(photo, path, time_s)

    def pixels(self, handle: str) -> np.ndarray:
        """The picture of a query photo or a hit, (h, w, 3) uint8 RGB."""
        return self.photo(handle).pixels

    def metadata(self, handle: str) -> Mapping[str, str]:
        """Metadata texts in the file of a query photo or a hit: data, not facts."""
        hit = _is_hit(handle)
        moving = self.hit(handle).time_s is not None if hit else self._photos.is_video(handle)
        if moving:
            return video_metadata_texts(self.photo_path(handle))
        return metadata_texts(read_bytes(self.photo_path(handle)))

    def aligned(self, handle: str, size: int, *, margin: float | None = None) -> np.ndarray:
        """The aligned face of a query photo or a hit: (size, size, 3) uint8 RGB.

        Without a `margin`, it has the encoder's margin.
        """
        keypoints = self.face(handle).face.keypoints
        wide = self.instruments.encoder.face_margin if margin is None else margin
        return aligned_crop(self.pixels(handle), keypoints, size=size, margin=wide)

    def analysis(self, handle: str) -> AnalysedImage:
        """All measurements of the picture of a query photo or a hit."""
        if not _is_hit(handle):
            return self._photos.measure(handle)
        faces, encoder = self.instruments.faces, self.instruments.encoder
        photo, size = self.photo(handle), byte_size(self.photo_path(handle))
        return analyse_photo(photo, size, faces=faces, encoder=encoder)

    def face(self, handle: str) -> EmbeddedFace:
        """The face of a handle: the hit's face, or the face chosen in a query photo.

        Raises NoFace, and SeveralFaces if none was chosen.
        """
        if not _is_hit(handle):
            return self._photos.face(handle)
        # Read once: another search may finish at any moment, in the thread that answers.
        search, hit = _found(self._search, handle)
        return search.records[hit.rank - 1]

    # -- the search ---------------------------------------------------------------------------

    def find_person(
        self, photos: Sequence[str], *, top: int = 10, face: int | None = None
    ) -> Findings:
        """Search the gallery for the person in `photos` (handles); hits become H1, H2 …

        `face` (1-based, left to right) is the chosen face where a photo shows several.
        Returns at most `MAX_RERANKED_HITS` hits; each is reranked once.
        """
        if top < 1:
            raise ToolError("top must be at least one")
        query = self._photos.query(photos, face=face, rule=self.instruments.rule)
        with self._opened_gallery() as gallery:
            found = search(
                gallery,
                query,
                instruments=self.instruments,
                top=min(top, MAX_RERANKED_HITS),
                reranker=self._leading,
                user=self.user,
            )
        if gallery.name != self._gallery:
            raise ToolError("another gallery was chosen while this one was searched; ask again")
        self._search = found if top <= MAX_RERANKED_HITS else _with_note(found, asked=top)
        self._asked = tuple(photos)
        return self._search.findings

    def more_hits(self, count: int = 10) -> Findings:
        """Repeat the latest search for `count` more hits than it listed.

        Listed hits keep their numbers, and further ones follow: a note says which of them would
        stand before a listed one. Hits that were reranked are not reranked again. Raises ToolError
        before a search, or if there are no further hits.
        """
        if self._search is None:
            raise ToolError("nothing was searched for yet: call find_person")
        if count < 1:
            raise ToolError("count must be at least one")
        before = self._search
        findings = before.findings
        listed = len(findings.hits)
        if listed >= findings.compared:
            raise ToolError("every face that was compared is listed already")
        if listed >= MAX_RERANKED_HITS:
            raise ToolError("no further hits can be listed: that many are the most")
        self.find_person(self._asked, top=listed + count)
        return self._keep_order([hit.face_id for hit in findings.hits])

    def restore_order(self, face_ids: Sequence[str]) -> Findings:
        """Number the latest search's hits as a record lists them; any others follow by rank."""
        return self._keep_order(face_ids)

    def _keep_order(self, face_ids: Sequence[str]) -> Findings:
        if self._search is None:
            raise ToolError("nothing was searched for yet: call find_person")
        self._search = numbered_as_before(self._search, face_ids)
        return self._search.findings

    @property
    def search_arguments(self) -> dict[str, Any]:
        """The arguments of `find_person` that repeat the latest search; ToolError before one."""
        if self._search is None:
            raise ToolError("nothing was searched for yet: call find_person")
        return {"photos": list(self._asked), "top": max(1, len(self._search.findings.hits))}

    def _tell_progress(self, done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)

    @property
    def last_search(self) -> tuple[Findings, Query] | None:
        """The latest search, None if there was none."""
        return None if self._search is None else (self._search.findings, self._search.query)

    def hit(self, handle: str) -> Hit:
        """A hit of the latest search."""
        return _found(self._search, handle)[1]

    def take_snapshot(self, handle: str) -> "FaceSnapshot":
        """A photo or hit with everything its maps are computed from, in its present state.

        Maps made from it stay about this face, even after another search.
        """
        if not _is_hit(handle):
            face = self.face(handle)
            return FaceSnapshot(self._photo_key(handle, face), handle, self.pixels(handle), face)
        search, hit = _found(self._search, handle)
        record = search.records[hit.rank - 1]
        return FaceSnapshot(hit.face_id, handle, self._picture_of(hit).pixels, record, search.query)

    # -- the gallery --------------------------------------------------------------------------

    @property
    def gallery(self) -> str:
        """The gallery to search; setting another one discards the latest search."""
        return self._gallery

    @gallery.setter
    def gallery(self, name: str) -> None:
        if name != self._gallery:
            self._gallery, self._search = name, None

    def counts(self) -> GalleryCounts:
        """Contents of the gallery; ToolError if it is empty or missing."""
        with self._opened_gallery() as gallery:
            return gallery.counts()

    def _opened_gallery(self) -> Gallery:
        empty = ToolError(
            f"the gallery {self._gallery!r} is empty; add images with the Gallery panel "
            "or `unmask index DIR`"
        )
        if self._gallery not in Gallery.names(self.home):
            raise empty
        gallery = Gallery.open_existing(
            self.home, self._gallery, fingerprint=self.instruments.fingerprint
        )
        if gallery.counts().images == 0:
            gallery.close()
            raise empty
        return gallery

    # -- comparing and citing -----------------------------------------------------------------

    def compare(self, first: str, second: str) -> FaceComparison:
        """Compare the faces of two photos or hits; the same pair keeps its handle."""
        if first == second:
            raise ToolError(f"{first} cannot be compared with itself; name two different ones")
        one, other = self.face(first), self.face(second)
        key = one.face.embedding.tobytes(), other.face.embedding.tobytes()
        known = self._comparisons.get(key)
        handle = known.handle if known else f"C{len(self._comparisons) + 1}"
        facts = comparison_facts(
            handle,
            pair_scores(one, other, alignment=self._alignment(first, second)),
            usable=one.face.quality.usable and other.face.quality.usable,
            rule=self.instruments.rule,
            whom=f"{first} and {second}",
        )
        self._comparisons[key] = FaceComparison(handle, (first, second), facts)
        self._compared_in[handle] = self._search
        return self._comparisons[key]

    def _alignment(self, first: str, second: str) -> Alignment:
        """The alignment of the pictures of two handles."""
        return same_photograph(
            self.pixels(first), self.pixels(second),
            first_face=self.face(first).face.box, second_face=self.face(second).face.box,
        )  # fmt: skip

    def localise_forgery(self, handle: str) -> Localisation:
        """Locate signs of forgery on a photo's or hit's face; adds regions to its facts."""
        return self.localise_snapshot(self.take_snapshot(handle))

    def localise_snapshot(self, look: "FaceSnapshot") -> Localisation:
        """The same for a snapshot taken earlier."""
        if look.face_id not in self._located:
            head = map_detector(self.instruments)
            if head is None:
                raise ToolError("this profile has no detector that can locate anything")
            encoder = self.instruments.encoder
            located = localise_forgery(look.pixels, look.face.face, encoder=encoder, head=head)
            self._located[look.face_id] = located
        return self._located[look.face_id]

    def maps(self, handle: str) -> FaceMaps:
        """All maps of a photo's or hit's face and its picture; what they show becomes a fact."""
        return self.maps_of_snapshot(self.take_snapshot(handle))

    def maps_of_snapshot(self, look: "FaceSnapshot") -> FaceMaps:
        """The same for a snapshot taken earlier."""
        key = _maps_key(look.face_id, look.query)
        if key not in self._maps:
            photos = [] if look.query is None else [*iter_readable_photos(look.query)]
            self._maps[key] = face_maps(
                look.pixels, look.face.face, photos, instruments=self.instruments,
                located=self.localise_snapshot(look),
            )  # fmt: skip
        return self._maps[key]

    def _shown_beside(self, handle: str) -> tuple[str, ...]:
        """What the maps beside that of the signs of forgery show, once they were computed."""
        query = self.last_search[1] if _is_hit(handle) and self.last_search else None
        maps = self._maps.get(_maps_key(self._face_key(handle), query))
        return () if maps is None else maps.beside

    def _face_key(self, handle: str) -> str:
        """Permanent key of a face: after another search, a handle may mean another face."""
        if _is_hit(handle):
            return self.hit(handle).face_id
        return self._photo_key(handle, self.face(handle))

    def _photo_key(self, handle: str, face: EmbeddedFace) -> str:
        return handle + face.face.keypoints.tobytes().hex()

    def facts(self, handle: str) -> tuple[Fact, ...]:
        """All facts that may be cited about Q1, H3 or C1, or of a group without a subject.

        The groups are "S" (the search), "hits" (its lists), "G" (the gallery), "about" (what
        measures mean) and "Q1.faces" (how many faces a photo shows).
        """
        findings = None if self._search is None else self._search.findings
        match handle:
            case "G":
                return self._gallery_facts()
            case "S":
                return () if findings is None else search_facts(findings)
            case "hits":
                return list_facts(findings)
            case "about":
                return meaning_facts()
        asked = parse_handle(handle)
        if asked.kind == "faces":  # also known for photos without a chosen face
            return self._faces_facts(asked.subject)
        match asked.subject[:1]:
            case "H":
                hit, regions = self.hit(handle), self._regions(handle)
                found = hit_facts(hit, regions, beside=self._shown_beside(handle))
            case "C":
                return self._comparison(handle).facts
            case _:
                found = self._photo_facts(handle)
        return (*found, *self._file_facts(handle))

    def fact(self, handle: str) -> Fact:
        """One fact, e.g. "H3.E2"; ToolError, which lists its neighbours, if it does not exist."""
        asked = parse_handle(handle)
        facts = self.facts(asked.group)
        found = next((fact for fact in facts if fact.id == str(asked)), None)
        if found is None:
            valid = ", ".join(fact.id for fact in facts) or "nothing was searched for yet"
            raise ToolError(f"there is no fact {quote_untrusted(handle)}; there are: {valid}")
        return found

    def describe(self, handle: str) -> Description:
        """Describe a photo or hit; its file's properties and the impression become facts."""
        found = describe(self, handle)
        told = file_fact(handle, found.to_words()), impression_fact(handle, found.impression)
        self._files[self._search, handle] = told
        return found

    def impression(self, handle: str) -> Impression | None:
        """The model's impression of a photo or hit and its face; None without its network.

        It is only shown: no verdict, order or evidence depends on it.
        """
        look = self.instruments.look
        if look is None:
            return None
        try:
            key, keypoints = self._face_key(handle), self.face(handle).face.keypoints
        except (NoFace, SeveralFaces):
            key, keypoints = handle, None
        if key not in self._impressions:
            self._impressions[key] = look(self.pixels(handle), keypoints)
        return self._impressions[key]

    def _file_facts(self, handle: str) -> tuple[Fact, ...]:
        return self._files.get((self._search, handle), ())

    def _gallery_facts(self) -> tuple[Fact, ...]:
        try:
            return gallery_facts(self.counts())
        except ToolError:  # empty or missing
            return gallery_facts(None)

    def _photo_facts(self, handle: str) -> tuple[Fact, ...]:
        key = self._face_key(handle)
        if key not in self._judged:
            face, image = self._photos.face(handle), self.analysis(handle)
            self._judged[key] = judge_alone(
                self.pixels(handle), image, face, instruments=self.instruments
            )
        facts = photo_facts(
            handle, self._judged[key], self._regions(handle),
            beside=self._shown_beside(handle),
        )  # fmt: skip
        return (*facts, *self._faces_facts(handle))

    def _faces_facts(self, handle: str) -> tuple[Fact, ...]:
        return (faces_fact(handle, self.count_faces(handle)),)

    def _regions(self, handle: str) -> tuple[Evidence, ...]:
        located = self._located.get(self._face_key(handle))
        return located.evidence if located else ()

    def _comparison(self, handle: str) -> FaceComparison:
        found = next((it for it in self._comparisons.values() if it.handle == handle), None)
        if found is None:
            known = ", ".join(it.handle for it in self._comparisons.values())
            valid = f"comparisons are {known}" if known else "call compare_faces first"
            raise ToolError(f"there is no comparison {quote_untrusted(handle)}; {valid}")
        of_hits = any(map(_is_hit, found.faces))
        if of_hits and self._compared_in[handle] is not self._search:
            raise ToolError(
                f"{handle} compared hits of an earlier search; call compare_faces again"
            )
        return found


def _maps_key(face_id: str, query: Query | None) -> tuple[str, bytes]:
    """A face and the query that found it: one of the maps depends on both."""
    return face_id, b"" if query is None else query.template.tobytes()


def _with_note(found: SearchOutcome, *, asked: int) -> SearchOutcome:
    """The search with a note if fewer hits are listed than were requested."""
    note = f"{asked} hits were asked for; at most {MAX_RERANKED_HITS} are listed"
    findings = replace(found.findings, warnings=(*found.findings.warnings, note))
    return replace(found, findings=findings)


def _found(search: SearchOutcome | None, handle: str) -> tuple[SearchOutcome, Hit]:
    """A search with its hit of this handle; ToolError, which lists the hits, for an unknown one."""
    hits = () if search is None else search.findings.hits
    found = next((hit for hit in hits if hit.handle == handle), None)
    if search is not None and found is not None:
        return search, found
    if search is None:
        valid = "nothing was searched for yet: call find_person"
    else:
        valid = f"hits are H1 to H{len(hits)}" if hits else "the search found no face"
    raise ToolError(f"there is no hit {quote_untrusted(handle)}; {valid}")


@contextlib.contextmanager
def _without_path(handle: str) -> Iterator[None]:
    """Errors about an unreadable file name its handle instead of its path."""
    try:
        yield
    except UnreadableImage as error:
        raise ToolError(f"the file of {handle} cannot be read: {error.reason}") from error


def _is_hit(handle: str) -> bool:
    """Whether a picture's handle is a hit's; ToolError if it is not a picture's."""
    asked = parse_handle(handle)
    if asked.kind or asked.subject.startswith("C"):
        raise ToolError(
            f"{quote_untrusted(handle)} is no picture; pictures are Q1, Q2 … and H1, H2 …"
        )
    return asked.subject.startswith("H")
