"""The workspace: one investigation's photos, latest search, comparisons and facts, by handle.

It holds the whole state of a session. Workspaces are not shared between sessions; the model weights
are. The parts of the state are in `tools/agent_tools/state`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tools.agent_tools.photo_description import Description
from tools.agent_tools.review.review import Review
from tools.agent_tools.state.citable_facts import CitableFacts
from tools.agent_tools.state.comparisons import Comparisons, FaceComparison
from tools.agent_tools.state.examinations import Examinations
from tools.agent_tools.state.gallery_search import GallerySearch
from tools.agent_tools.state.pictures import FaceSnapshot, Pictures
from tools.agent_tools.state.query_photos import QueryPhotos
from tools.gallery.records import GalleryCounts
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.rerank_input import RerankMeasure
from tools.search.reranking.reranker import RERANK_MEASURES, Reranker
from tools.search.results import Findings, Hit
from tools.verdict.handles import Fact

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done to pictures, the number done and the total."""


class Workspace:
    """State of one investigation. Invalid handles raise ToolError, which lists the valid ones.

    `home` is the data folder, `gallery` names the collection to search, `measurements` are the
    reranking measurements of every hit; `on_progress`, if set, gets what is being done to pictures,
    how many are done and the total. `exporter`, if set, writes a report in one of the
    `EXPORT_FORMATS` and returns its file.
    `user` is the login for decisions and the access log; empty: the user of this process.
    `pictures`, `examinations` and `review` give what is seen, examined and decided by handle.
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
        self.user = ""
        self.on_progress: OnProgress | None = None
        self.exporter: Callable[[str], Path] | None = None
        self._photos = QueryPhotos(faces=instruments.faces, encoder=instruments.encoder)
        self._search = GallerySearch(
            instruments,
            self._photos,
            Reranker(measurements, on_progress=partial(self.tell_progress, "looking closer")),
            home=home,
            gallery=gallery,
            login=lambda: self.user,
        )
        self.review = Review(lambda: self._search.findings, lambda: self.user)
        self.pictures = Pictures(instruments, self._photos, self._search)
        self.examinations = Examinations(self.pictures)
        self._comparisons = Comparisons(self.pictures)
        self._facts = CitableFacts(self.pictures, self._comparisons, self.examinations)

    def tell_progress(self, stage: str, done: int, total: int) -> None:
        """Pass on how many of the pictures of a stage are done, if somebody wants to know."""
        if self.on_progress is not None:
            self.on_progress(stage, done, total)

    # -- query photos -------------------------------------------------------------------------

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

    @property
    def photos(self) -> Mapping[str, Path]:
        """The query photos by handle, in the order they were added."""
        return self._photos.paths

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

    # -- the search ---------------------------------------------------------------------------

    @property
    def gallery(self) -> str:
        """The gallery to search; setting another one discards the latest search."""
        return self._search.gallery

    @gallery.setter
    def gallery(self, name: str) -> None:
        self._search.gallery = name

    def counts(self) -> GalleryCounts:
        """Contents of the gallery; ToolError if it is empty or missing."""
        return self._search.counts()

    def find_person(
        self, photos: Sequence[str], *, top: int = 10, face: int | None = None
    ) -> Findings:
        """Search the gallery for the person in `photos`; hits become H1, H2 …

        See `GallerySearch.find_person`.
        """
        return self._search.find_person(photos, top=top, face=face)

    def more_hits(self, count: int = 10) -> Findings:
        """Repeat the latest search for `count` more hits; listed ones keep their numbers."""
        return self._search.more_hits(count)

    def restore_order(self, face_ids: Sequence[str]) -> Findings:
        """Number the latest search's hits as a record lists them; any others follow by rank."""
        return self._search.keep_order(face_ids)

    @property
    def search_arguments(self) -> dict[str, Any]:
        """The arguments of `find_person` that repeat the latest search; ToolError before one."""
        return self._search.arguments

    def lose_search(self, reason: str) -> None:
        """Say from now on why there are no hits: a recorded search could not be run again."""
        self._search.why_none = reason

    @property
    def last_search(self) -> tuple[Findings, Query] | None:
        """The latest search, None if there was none."""
        latest = self._search.latest
        return None if latest is None else (latest.findings, latest.query)

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits of the latest search; () if there was none."""
        findings = self._search.findings
        return () if findings is None else findings.hits

    def hit(self, handle: str) -> Hit:
        """A hit of the latest search."""
        return self._search.found(handle)[1]

    def earlier_hit(self, handle: str) -> Hit | None:
        """The hit that had a handle in an earlier search of this session; None if none had."""
        return self._search.earlier(handle)

    def file_name(self, image_id: str) -> str:
        """The name of a file of a picture of the gallery, there or not; empty if none is known."""
        return self._search.file_name(image_id)

    def take_snapshot(self, handle: str) -> FaceSnapshot:
        """A photo or hit with everything its maps are computed from, in its present state."""
        return self.pictures.snapshot(handle)

    # -- comparing and citing -----------------------------------------------------------------

    def compare(self, first: str, second: str) -> FaceComparison:
        """Compare the faces of two photos or hits; the same pair keeps its handle."""
        return self._comparisons.compare(first, second)

    def describe(self, handle: str) -> Description:
        """Describe a photo or hit; its file's properties and the impression become facts."""
        return self._facts.describe(handle)

    def facts(self, handle: str) -> tuple[Fact, ...]:
        """All facts about Q1, H3 or C1, or of a group without a subject: "S", "hits", "G", …

        See `CitableFacts.of`.
        """
        return self._facts.of(handle)

    def fact(self, handle: str) -> Fact:
        """One fact, e.g. "H3.E2"; ToolError, which lists its neighbours, if it does not exist."""
        return self._facts.fact(handle)
