"""The page's list of cases: search, open, name, share, archive, duplicate, delete.

A page for this machine alone lists all cases. Elsewhere users see their own cases and those that
are shared with them, and admins see all.
"""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import gradio as gr

from assistant.case.catalogue import (
    CaseSummary,
    archive_case,
    duplicate_case,
    rename_case,
)
from assistant.case.forgetting.deletion import execute, make_plan
from assistant.case.forgetting.request import ForgetRequest
from assistant.case.locking import case_unit, unlock_units
from assistant.case.record import Case
from assistant.case.signed.signing import SigningKeys
from assistant.chat.sessions import SessionStore, is_token
from assistant.chat.users.permissions import PageUsers
from assistant.report.pictures.data_uris import data_uri, thumbnail
from assistant.report.templating import render_template
from assistant.server.access.roles import Identity
from assistant.settings import Settings
from tools.errors import SetupError, ToolError
from tools.gallery.access_log import record_access
from tools.gallery.locking.keys import PassphraseFinder
from tools.media.pictures.decoding import read_photo

logger = logging.getLogger(__name__)

MOST_SHOWN = 50
_THUMBNAIL_PX = 72
_NOT_YOURS = "Only its maker and admins may do that: ask one of them."


@dataclass(frozen=True, slots=True)
class Row:
    """A listed case: its picture, what the user may do, whose it is (with names), and who sees it.

    `shares` is None where there is nobody to share with. `current` is true for the case that the
    page shows.
    """

    case: CaseSummary
    photo: str | None
    keeps: bool
    works: bool
    unlocks: bool
    owner: str
    shares: str | None
    current: bool


class CaseShelf:
    """The cases of a data folder, as far as each user of the page may see them."""

    def __init__(self, settings: Settings, sessions: SessionStore, users: PageUsers) -> None:
        self._settings, self._sessions, self.users = settings, sessions, users

    def html(self, text: str, archived: bool, token: str, request: gr.Request) -> str:
        """The list as HTML, newest first; `text` are words to search for.

        The case of the browser with that `token` is marked.
        """
        who = self.users.of(request)
        current = self._sessions.case_of(token, who.name or None) if is_token(token) else None
        found = [
            it
            for it in self.users.visible(who)
            if it.matches(text) and (archived or not it.archived)
        ]
        return render_template(
            "chat_cases.html",
            rows=[self._row(who, it, current) for it in found[:MOST_SHOWN]],
            more=max(0, len(found) - MOST_SHOWN),
            text=text,
            works=who.may("investigator"),
        )

    def _row(self, who: Identity, case: CaseSummary, current: str | None) -> Row:
        owner, shares = self.users.owner_and_shares(case.id) or ("", None)
        return Row(
            case, _thumbnail_of(case), keeps=self.users.keeps(who, case.id),
            works=who.may("investigator"), unlocks=who.may("admin"),
            owner=owner, shares=None if shares is None else ", ".join(shares),
            current=case.id == current,
        )  # fmt: skip

    def act(
        self, text: str, archived: bool, token: str, request: gr.Request, event: gr.EventData
    ) -> str:
        """Handle a button of the list; returns the list."""
        action, id_, value = (str(getattr(event, it, "")) for it in ("action", "id", "value"))
        try:
            self._act(self.users.of(request), action, id_, value[:2000])
        except (ToolError, SetupError) as error:
            gr.Warning(str(error), title="Cases")
        return self.html(text, archived, token, request)

    def open(self, id: str, token: str, who: Identity) -> bool:
        """Make a recorded case the browser's own; False, with a warning, if it cannot be opened."""
        if not self.users.opens(who, id):
            return False
        try:
            case = Case.open(self._settings.home, id)
            if self._sessions.adopt(token, who.name or None, case):
                record_access(case.folder, "open", who=who.name)
                return True
            gr.Warning("It cannot be opened; the server's log says why.", title="Cases")
        except SetupError as error:
            gr.Warning(str(error), title="Cases")
        return False

    def _act(self, who: Identity, action: str, id: str, value: str) -> None:
        home = self._settings.home
        if not self._allows(who, action, id):
            raise SetupError(_NOT_YOURS)
        match action:
            case "rename":
                rename_case(Case.open(home, id), value[:200])
            case "archive" | "reopen":
                archive_case(Case.open(home, id), archived=action == "archive")
            case "share":
                Case.open(home, id)
                self.users.share(who, id, value)
            case "duplicate":
                self.users.own(who, duplicate_case(Case.open(home, id), home).id)
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
                self.users.forget(id)

    def _allows(self, who: Identity, action: str, id: str) -> bool:
        """Whether they may do this with a case."""
        if action == "unlock":
            return who.may("admin")
        if action == "duplicate":
            return who.may("investigator") and self.users.opens(who, id)
        return self.users.keeps(who, id)


def _thumbnail_of(case: CaseSummary) -> str | None:
    """The first query photo that is a picture."""
    return next(filter(None, map(_drawn, case.photos[:3])), None)


@lru_cache(maxsize=256)
def _drawn(photo: Path) -> str | None:
    try:
        return data_uri(thumbnail(read_photo(photo).pixels, longest_px=_THUMBNAIL_PX))
    except ToolError:  # a video, or deleted since
        return None
