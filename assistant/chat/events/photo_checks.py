"""Events of the tabs on which photos are checked and compared, without a gallery or a case."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gradio as gr

from assistant.chat.events.updates import Updates, looked_at
from assistant.chat.users.permissions import PageUsers
from assistant.report.checks_page import (
    asks_for_face,
    chosen_faces,
    comparison_html,
    report_html,
)
from assistant.report.pictures.blurring import blurs
from assistant.server.work.handoffs import MARK, Handoffs
from assistant.server.work.index_jobs import GalleryIndexer
from tools.errors import SetupError
from tools.media.file_names import printable
from tools.verdict.clauses import join_with_and

CHECK_TAB, COMPARE_TAB = "check", "compare"
"""Ids of the tabs on which photos are checked and compared."""


class PhotoChecks:
    """The callbacks of both tabs; `handoffs` are photos that a browser's extension sent."""

    def __init__(
        self, galleries: GalleryIndexer, users: PageUsers, handoffs: Handoffs | None
    ) -> None:
        self._galleries, self.users, self.handoffs = galleries, users, handoffs

    def check(
        self,
        photos: Sequence[str] | None,
        references: Sequence[str] | None,
        face: str = "",
        request: gr.Request | None = None,
    ) -> Iterator[Updates]:
        """Check dropped photos, against references if there are any; nothing is kept.

        `face` names the face of photos that show several, as in `group.jpg=2`.
        """
        given, of = _paths(photos), _paths(references)
        unmask = self._galleries.without_gallery()

        def look() -> tuple[str, bool]:
            report = unmask.check(given, of=of, face=chosen_faces(face))
            page = report_html(report, everybody=not blurs(unmask.models))
            return page, asks_for_face([it.error for it in report.problems])

        yield from looked_at(
            lambda: self._in_turn(look),
            [*given, *of],
            what=f"Checked: {_names(given)}{f', against {_names(of)}' if of else ''}{_face(face)}",
            missing="" if given else "Choose a photo to check first.",
        )

    def compare(
        self,
        first: str | None,
        second: str | None,
        face: str = "",
        request: gr.Request | None = None,
    ) -> Iterator[Updates]:
        """Compare two dropped photos; nothing is kept. `face` is as in `check`."""
        given = _paths([it for it in (first, second) if it])
        unmask = self._galleries.without_gallery()

        def look() -> tuple[str, bool]:
            chosen = chosen_faces(face)
            if isinstance(chosen, int):
                raise SetupError("name the photo whose face is meant, as in group.jpg=2")
            found = unmask.compare(*given, face=chosen)
            return comparison_html(found), asks_for_face(found.problems)

        yield from looked_at(
            lambda: self._in_turn(look),
            given,
            what=f"Compared: {_names(given)}{_face(face)}",
            missing="" if len(given) == 2 else "Choose two photos to compare first.",
        )

    def check_face(
        self,
        photos: Sequence[str] | None,
        references: Sequence[str] | None,
        face: str,
        request: gr.Request,
        event: gr.EventData,
    ) -> Iterator[Updates]:
        """Check again, with the face whose number was pressed."""
        chosen = _with_face(face, event)
        yield (gr.skip(), gr.skip(), gr.skip(), chosen)
        yield from self.check(photos, references, chosen)

    def compare_face(
        self,
        first: str | None,
        second: str | None,
        face: str,
        request: gr.Request,
        event: gr.EventData,
    ) -> Iterator[Updates]:
        """Compare again, with the face whose number was pressed."""
        chosen = _with_face(face, event)
        yield (gr.skip(), gr.skip(), gr.skip(), chosen)
        yield from self.compare(first, second, chosen)

    def check_handed(self, mark: str, request: gr.Request) -> Iterator[Updates]:
        """Check photos that a browser's extension handed over, on the tab for that.

        `mark` is what follows the page's address.
        """
        id = mark.removeprefix(MARK) if mark.startswith(MARK) else ""
        handed = self.handoffs.take(id) if self.handoffs is not None and id else None
        if handed is None or self.handoffs is None:
            if id:
                gr.Warning(
                    "Press “Open it in Unmask” again: this link was used, or is too old.",
                    title="No picture",
                )
            yield (gr.skip(),) * 5
            return
        tab = gr.update(selected=CHECK_TAB)
        with handed.written(self.handoffs.folder) as (photos, references):
            yield (tab, gr.skip(), photos, references or None, handed.face)
            for updates in self.check(photos, references, handed.face):
                yield (gr.skip(), *updates)

    def _in_turn(self, work: Callable[[], tuple[str, bool]]) -> tuple[str, bool]:
        with self._galleries.turn():
            return work()


def _paths(files: Sequence[str] | None) -> list[Path]:
    return [Path(file) for file in files or ()]


def _names(files: Sequence[Path]) -> str:
    return join_with_and([printable(Path(file.name)) for file in files])


def _with_face(chosen: str, event: gr.EventData) -> str:
    """The faces chosen before, and the one that was pressed: `group.jpg=2; other.jpg=1`."""
    return "; ".join(filter(None, (chosen.strip(), str(getattr(event, "face", ""))[:300])))


def _face(chosen: str) -> str:
    return f"; face: {chosen.strip()}" if chosen.strip() else ""
