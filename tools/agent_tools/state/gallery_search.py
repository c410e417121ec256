"""Searches of a gallery for the person in query photos; the latest one is kept, with its hits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.agent_tools.state.query_photos import QueryPhotos
from tools.errors import ToolError
from tools.gallery.database_file import gallery_folder
from tools.gallery.record_store import Gallery
from tools.gallery.records import GalleryCounts
from tools.search.model_bundle import ModelBundle
from tools.search.reranking.reranker import MAX_RERANKED_HITS, Reranker
from tools.search.results import Findings, Hit
from tools.search.search import SearchOutcome, numbered_as_before, search
from tools.verdict.handles import quote_untrusted


class GallerySearch:
    """One gallery and the latest search of it; the gallery is open only while a call runs.

    `login` gives the name for the access log; empty: the user of this process. Another thread may
    replace `latest` at any moment: read it once.
    """

    def __init__(
        self,
        instruments: ModelBundle,
        photos: QueryPhotos,
        reranker: Reranker,
        *,
        home: Path,
        gallery: str,
        login: Callable[[], str],
    ) -> None:
        self._instruments, self._photos, self._reranker = instruments, photos, reranker
        self._home, self._gallery, self._login = home, gallery, login
        self._asked: tuple[str, ...] = ()
        self.latest: SearchOutcome | None = None
        self._earlier: dict[str, Hit] = {}
        self.why_none = "nothing was searched for yet: call find_person"

    # -- the gallery --------------------------------------------------------------------------

    @property
    def gallery(self) -> str:
        """The gallery to search; setting another one discards the latest search."""
        return self._gallery

    @gallery.setter
    def gallery(self, name: str) -> None:
        if name != self._gallery:
            self._gallery, self.latest = name, None

    def counts(self) -> GalleryCounts:
        """Contents of the gallery; ToolError if it is empty or missing."""
        with self._opened_gallery() as gallery:
            return gallery.counts()

    def file_name(self, image_id: str) -> str:
        """The name of a file of a picture, there or not; empty if none is known."""
        try:
            with self._opened_gallery() as gallery:
                paths = gallery.paths_of(image_id) or gallery.paths_of(image_id, gone=True)
        except ToolError:  # empty or missing
            return ""
        return paths[0].name if paths else ""

    def _opened_gallery(self) -> Gallery:
        gallery_folder(self._home, self._gallery)  # what is no name for a gallery is not empty
        empty = ToolError(
            f"the gallery {self._gallery!r} is empty; add images under “Add images and videos to "
            "this gallery” on the page, or with `unmask index DIR`"
        )
        if self._gallery not in Gallery.names(self._home):
            raise empty
        gallery = Gallery.open_existing(
            self._home, self._gallery, fingerprint=self._instruments.fingerprint
        )
        if gallery.counts().pictures == 0:
            gallery.close()
            raise empty
        return gallery

    # -- searching ----------------------------------------------------------------------------

    def find_person(
        self, photos: Sequence[str], *, top: int = 10, face: int | None = None
    ) -> Findings:
        """Search for the person in `photos` (handles); hits become H1, H2 …

        `face` (1-based, left to right) is the chosen face where a photo shows several.
        Returns at most `MAX_RERANKED_HITS` hits; each is reranked once.
        """
        if top < 1:
            raise ToolError("top must be at least one")
        query = self._photos.query(photos, face=face, rule=self._instruments.rule)
        with self._opened_gallery() as gallery:
            found = search(
                gallery,
                query,
                instruments=self._instruments,
                top=min(top, MAX_RERANKED_HITS),
                reranker=self._reranker,
                user=self._login(),
            )
        if gallery.name != self._gallery:
            raise ToolError("another gallery was chosen while this one was searched; ask again")
        self._earlier |= {hit.handle: hit for hit in self.findings.hits} if self.findings else {}
        self.latest = found if top <= MAX_RERANKED_HITS else _with_note(found, asked=top)
        self._asked = tuple(photos)
        return self.latest.findings

    def more_hits(self, count: int = 10) -> Findings:
        """Repeat the latest search for `count` more hits than it listed.

        Listed hits keep their numbers, and further ones follow: a note says which of them would
        stand before a listed one. Hits that were reranked are not reranked again. Raises ToolError
        before a search, or if there are no further hits.
        """
        findings = self._latest().findings
        if count < 1:
            raise ToolError("count must be at least one")
        listed = len(findings.hits)
        if listed >= findings.compared:
            raise ToolError("every face that was compared is listed already")
        if listed >= MAX_RERANKED_HITS:
            raise ToolError(f"{MAX_RERANKED_HITS} hits are listed, and a search lists no more")
        self.find_person(self._asked, top=listed + count)
        return self.keep_order([hit.face_id for hit in findings.hits])

    def keep_order(self, face_ids: Sequence[str]) -> Findings:
        """Number the latest search's hits in the order of `face_ids`; others follow by rank."""
        self.latest = numbered_as_before(self._latest(), face_ids)
        return self.latest.findings

    # -- what was found -----------------------------------------------------------------------

    @property
    def findings(self) -> Findings | None:
        """The findings of the latest search, None if there was none."""
        latest = self.latest
        return None if latest is None else latest.findings

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `find_person` that repeat the latest search; ToolError before one."""
        hits = self._latest().findings.hits
        return {"photos": list(self._asked), "top": max(1, len(hits))}

    def earlier(self, handle: str) -> Hit | None:
        """The hit that had a handle last in this session, and what it found; None if none had."""
        return self._earlier.get(handle)

    def found(self, handle: str) -> tuple[SearchOutcome, Hit]:
        """A hit with its search; ToolError, which lists the hits, for an unknown one."""
        latest = self.latest
        hits = () if latest is None else latest.findings.hits
        hit = next((hit for hit in hits if hit.handle == handle), None)
        if latest is not None and hit is not None:
            return latest, hit
        if latest is None:
            valid = self.why_none
        else:
            valid = f"hits are H1 to H{len(hits)}" if hits else "the search found no face"
        raise ToolError(f"there is no hit {quote_untrusted(handle)}; {valid}")

    def _latest(self) -> SearchOutcome:
        if self.latest is None:
            raise ToolError(self.why_none)
        return self.latest


def _with_note(found: SearchOutcome, *, asked: int) -> SearchOutcome:
    """The search with a note if fewer hits are listed than were requested."""
    note = f"{asked} hits were asked for; at most {MAX_RERANKED_HITS} are listed"
    findings = replace(found.findings, warnings=(*found.findings.warnings, note))
    return replace(found, findings=findings)
