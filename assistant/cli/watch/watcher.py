"""One pass of a watch: index what is new, look at it for each person, report what was found."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assistant.cli.watch.places import Place, UndeliveredError
from assistant.cli.watch.state import Event, WatchState, event_id
from assistant.console.output import format_probability
from assistant.investigation import Unmask
from tools.gallery.access_log import record_access
from tools.gallery.indexing.progress import IndexProgress, IndexSummary
from tools.gallery.record_store import Gallery
from tools.media.file_names import printable
from tools.media.paths import walk
from tools.search.new_pictures import assess_pictures
from tools.search.query import Query
from tools.search.query_files import query_from_files
from tools.search.reranking.reranker import RERANK_MEASURES, Reranker
from tools.search.results import Hit
from tools.verdict.rule import Verdict

NOT_REPORTED: tuple[Verdict, ...] = ("other", "not assessed")
"""Verdicts that give no event: the picture shows another person, or nothing was measured."""

_BATCH = 50
"""Pictures looked at between two commits."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did: indexing, the new events, and why some were not delivered yet."""

    indexed: IndexSummary | None
    events: tuple[Event, ...]
    undelivered: tuple[str, ...]


@dataclass(slots=True)
class Watcher:
    """Persons, each by reference photos, looked for in folders.

    With `baseline`, what a first pass finds counts as known and is not reported. `quick` leaves
    out the closer look.
    """

    unmask: Unmask
    folders: Sequence[Path]
    persons: Mapping[str, Sequence[Path]]
    state: WatchState
    places: Sequence[Place]
    quick: bool = False
    baseline: bool = False
    on_progress: Callable[[IndexProgress], None] | None = None
    _queries: dict[str, Query] = field(default_factory=dict)
    _reranker: Reranker = field(default_factory=lambda: Reranker(RERANK_MEASURES))

    def check(self) -> None:
        """Measure the reference photos. Raises ToolError for photos that cannot serve."""
        models = self.unmask.models
        for person, photos in self.persons.items():
            self._queries[person] = query_from_files(
                photos, faces=models.faces, encoder=models.encoder, rule=models.rule
            )

    def run(self) -> Pass:
        """One pass; whatever is interrupted in it is done by the next one."""
        indexed = self._index()
        if indexed is not None or self._gallery_exists():
            for person, query in self._queries.items():
                self._look_for(person, query)
        return self._report(indexed)

    def _gallery_exists(self) -> bool:
        return self.unmask.gallery_name in Gallery.names(self.unmask.settings.home)

    def _index(self) -> IndexSummary | None:
        """Index the folders; None as long as they never held a file."""
        if not self._gallery_exists() and next(walk(self.folders), None) is None:
            return None
        return self.unmask.index(self.folders, on_progress=self.on_progress)

    def _look_for(self, person: str, query: Query) -> None:
        models, home = self.unmask.models, self.unmask.settings.home
        photos = hashlib.sha256(query.template.tobytes()).hexdigest()
        with Gallery.open_existing(
            home, self.unmask.gallery_name, fingerprint=models.fingerprint
        ) as gallery:
            unseen = self.state.unseen(person, photos, _pictures(gallery, self.folders))
            if unseen:
                record_access(gallery.folder, "search")
            for begin in range(0, len(unseen), _BATCH):
                batch = unseen[begin : begin + _BATCH]
                hits = assess_pictures(
                    gallery, query, batch, instruments=models,
                    reranker=None if self.quick else self._reranker,
                )  # fmt: skip
                found = [] if self.baseline else [it for it in hits if it.verdict not in
                                                  NOT_REPORTED]  # fmt: skip
                events = [as_event(hit, person, gallery=gallery.name) for hit in found]
                self.state.record(person, photos, batch, events)

    def _report(self, indexed: IndexSummary | None) -> Pass:
        """Deliver what is pending at every place; the first place's deliveries are the news."""
        news, problems = list[Event](), list[str]()
        for place in self.places:
            pending = self.state.pending(place.name)
            try:
                for event in place.deliver(pending) if pending else ():
                    self.state.note_delivered(place.name, [event])
                    if place is self.places[0]:
                        news.append(event)
            except UndeliveredError as error:
                problems.append(str(error))
        return Pass(indexed, tuple(news), tuple(problems))


def _pictures(gallery: Gallery, folders: Sequence[Path]) -> Iterator[str]:
    """The ids of the pictures and videos in the folders."""
    for folder in folders:
        for file in gallery.files_below(folder):
            if file.image_id is not None:
                yield file.image_id


def as_event(hit: Hit, person: str, *, gallery: str) -> Event:
    """A hit as an event; its id depends on person, picture and verdict only."""
    given = hit.assessment
    at = datetime.now(UTC).isoformat(timespec="seconds")
    same, forged = given.identity_probability, given.fake_probability
    beside = "; ".join(it.short_text for it in given.unseen)
    line = (
        f"{hit.verdict}{f' ({beside})' if beside else ''}: {person} {format_probability(same)}, "
        f"forged {format_probability(forged)}: {printable(hit.path)}{hit.at}"
    )
    return {
        "id": event_id(person, _picture(hit), hit.verdict),
        "at": at,
        "person": person,
        "verdict": hit.verdict,
        "line": line,
        "path": printable(hit.path),
        "other_paths": [printable(path) for path in hit.paths[1:]],
        "moment": hit.at.strip(),
        "image_id": hit.image_id,
        "gallery": gallery,
        "identity_probability": same,
        "fake_probability": forged,
        "impersonation_probability": given.impersonation_probability,
        "reason": given.reason,
        "explanation": f"{hit.explanation} {hit.seen}".rstrip(),
        "notes": list(given.notes),
    }


def _picture(hit: Hit) -> str:
    """The sha256 of the picture; of a video, that of the whole, not of its strongest frame."""
    return hit.image_id.partition("@")[0]
