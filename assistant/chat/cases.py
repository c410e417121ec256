"""The page's list of cases: search, open, name, archive, duplicate, delete.

A list of all cases would show each user the others' work: it exists only where the page serves this
machine alone, without logins. Elsewhere a browser has its own case, and the operator has
`unmask cases`.
"""

import logging
from functools import lru_cache
from pathlib import Path

import gradio as gr

from assistant.case.catalogue import (
    CaseSummary,
    archive_case,
    duplicate_case,
    list_cases,
    rename_case,
)
from assistant.case.forgetting.deletion import execute, make_plan
from assistant.case.forgetting.request import ForgetRequest
from assistant.case.locking import case_unit, unlock_units
from assistant.case.record import Case
from assistant.case.signing import SigningKeys
from assistant.chat.sessions import SessionStore
from assistant.report.pictures.data_uris import data_uri, thumbnail
from assistant.report.templating import render_template
from assistant.settings import Settings
from tools.errors import SetupError, ToolError
from tools.gallery.locking.keys import PassphraseFinder
from tools.media.images import read_photo

logger = logging.getLogger(__name__)

MOST_SHOWN = 50
_THUMBNAIL_PX = 72
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class CaseShelf:
    """The cases of a data folder, for the one person who uses this machine's page."""

    def __init__(self, settings: Settings, sessions: SessionStore) -> None:
        self._settings, self._sessions = settings, sessions

    @property
    def open_to_page(self) -> bool:
        """Whether the page may list cases: it serves this machine only, and has no logins."""
        return self._settings.host in _LOOPBACK and not self._settings.logins

    def html(self, text: str = "", archived: bool = False) -> str:
        """The list as HTML, newest first; `text` are words to search for."""
        if not self.open_to_page:
            return render_template("chat_cases.html", cases=[], more=0, text="", closed=True)
        found = [
            it
            for it in list_cases(self._settings.home)
            if it.matches(text) and (archived or not it.archived)
        ]
        return render_template(
            "chat_cases.html",
            cases=[(it, _thumbnail_of(it)) for it in found[:MOST_SHOWN]],
            more=max(0, len(found) - MOST_SHOWN),
            text=text,
            closed=False,
        )

    def act(self, text: str, archived: bool, request: gr.Request, event: gr.EventData) -> str:
        """Handle a button of the list; returns the list."""
        action, id_, value = (str(getattr(event, it, "")) for it in ("action", "id", "value"))
        if self.open_to_page:
            try:
                self._act(action, id_, value[:200])
            except (ToolError, SetupError) as error:
                gr.Warning(str(error), title="Cases")
        return self.html(text, archived)

    def open(self, id: str, token: str, login: str | None) -> bool:
        """Make a recorded case the browser's own; False, with a warning, if it cannot be opened."""
        if not self.open_to_page:
            return False
        try:
            if self._sessions.adopt(token, login, Case.open(self._settings.home, id)):
                return True
            gr.Warning("It cannot be opened; the server's log says why.", title="Cases")
        except SetupError as error:
            gr.Warning(str(error), title="Cases")
        return False

    def _act(self, action: str, id: str, value: str) -> None:
        home = self._settings.home
        match action:
            case "rename":
                rename_case(Case.open(home, id), value)
            case "archive" | "reopen":
                archive_case(Case.open(home, id), archived=action == "archive")
            case "duplicate":
                duplicate_case(Case.open(home, id), home)
            case "unlock":
                unit = case_unit(self._settings, id)
                for outcome in unlock_units(self._settings, [unit], PassphraseFinder(value)):
                    if outcome.problem:
                        raise SetupError(outcome.problem)
            case "delete":
                self._sessions.leave(id)
                keys = SigningKeys(self._settings.keys_dir)
                plan = make_plan(self._settings, ForgetRequest("case", id), keys=keys)
                execute(self._settings, plan, keys=keys)


def _thumbnail_of(case: CaseSummary) -> str | None:
    """The first query photo that is a picture."""
    return next(filter(None, map(_drawn, case.photos[:3])), None)


@lru_cache(maxsize=256)
def _drawn(photo: Path) -> str | None:
    try:
        return data_uri(thumbnail(read_photo(photo).pixels, longest_px=_THUMBNAIL_PX))
    except ToolError:  # a video, or deleted since
        return None
