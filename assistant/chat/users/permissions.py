"""Who uses the page, what their role allows, and the check of every event before it runs.

On a page for this machine alone, without accounts and logins, whoever opens it may do everything.
Elsewhere the gate has checked who sends a request, and the role decides; hiding a button is only
politeness.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from assistant.case.catalogue import CaseSummary, list_cases
from assistant.report.templating import render_template
from assistant.server.access.accounts import AccountStore
from assistant.server.access.gate import IDENTITY
from assistant.server.access.hosts import is_loopback
from assistant.server.access.roles import SCOPES, Identity, Role, refusal
from assistant.server.work.case_access import CaseAccess, known_names
from assistant.settings import Settings
from tools.errors import SetupError

_OF_VIEWERS = ("load", "account", "html", "act", "open_case", "choose", "locate")
LEAST: Mapping[str, Role] = dict.fromkeys(_OF_VIEWERS, "viewer")
"""The least role for an event, by its handler's name; every other needs an investigator. What a
viewer's `act` does to a case, and which case is opened, is decided there."""

_SILENT = ("current_job", "check_handed")
"""Events of every opening of the page: nobody pressed anything."""


class PageUsers:
    """The users of one page; without `access` it is not behind the gate of a server."""

    def __init__(self, settings: Settings, access: CaseAccess | None = None) -> None:
        self._settings, self._access = settings, access
        self._accounts = AccountStore(settings.config_dir)

    @property
    def alone(self) -> bool:
        """Whether the page serves this machine alone, without logins and accounts."""
        alone = is_loopback(self._settings.host) and not self._settings.logins
        return alone and (self._access is None or not self._accounts.records())

    def of(self, request: gr.Request) -> Identity:
        """Who sends an event; an empty name without a login."""
        if self._access is None:
            who = Identity(getattr(request, "username", None) or "", frozenset(SCOPES))
        else:
            assert request.request is not None  # noqa: S101 - Gradio always passes the gate's
            who = request.request.scope[IDENTITY]
        return replace(who, role="admin") if self.alone else who

    def visible(self, who: Identity) -> list[CaseSummary]:
        """The cases that they may see, newest first."""
        if who.may("admin"):
            return list_cases(self._settings.home)
        return [] if self._access is None else self._access.visible(who)

    def sees(self, who: Identity, id: str) -> bool:
        """Whether they may look at a case; without a gate a browser's own case is its own."""
        return self._access is None or self._access.sees(who, id)

    def opens(self, who: Identity, id: str) -> bool:
        """Whether they may choose a case from the list."""
        return who.may("admin") or (self._access is not None and self._access.sees(who, id))

    def keeps(self, who: Identity, id: str) -> bool:
        """Whether they may name, archive, delete and share a case."""
        return who.may("admin") or (self._access is not None and self._access.keeps(who, id))

    def own(self, who: Identity, id: str) -> None:
        """Record who made a case."""
        if self._access is not None:
            self._access.own(who, id)

    def forget(self, id: str) -> None:
        """Forget whose a deleted case was."""
        if self._access is not None:
            self._access.forget(id)

    def owner_and_shares(self, id: str) -> tuple[str, list[str]] | None:
        """Who made a case and who else sees it; None on a page for one person."""
        if self._access is None or self.alone:
            return None
        return self._access.owner(id), self._access.shared_with(id)

    def line(self, who: Identity) -> str:
        """Who is logged in and what they may do, as HTML; empty on a page for one person."""
        several = self._access is not None and not self.alone
        return render_template("chat_account.html", who=who if several else None)

    def share(self, who: Identity, id: str, names: str) -> None:
        """Share a case with the names between commas, and no others. Raises SetupError."""
        if self._access is None:
            raise SetupError("this page has no accounts: `unmask serve` has")
        wanted = [name for name in names.split(",") if name.strip()]
        self._access.share(id, known_names(self._settings, wanted), by=who.name)

    def guarded(self, handler: Callable[..., Any], *, outputs: int) -> Callable[..., Any]:
        """The handler of an event behind the check of its role; it must take the request."""
        least = LEAST.get(handler.__name__, "investigator")
        place = list(inspect.signature(handler).parameters).index("request")
        silent = handler.__name__ in _SILENT

        def refused(arguments: tuple[Any, ...]) -> bool:
            who = self.of(arguments[place])
            if who.may(least):
                return False
            if not silent:
                gr.Warning(refusal(who, least), title="Not allowed")
            return True

        if inspect.isgeneratorfunction(handler):

            @functools.wraps(handler)
            def running(*arguments: Any) -> Iterator[Any]:
                if refused(arguments):
                    yield _unchanged(outputs)
                else:
                    # Gradio empties every component if nothing at all is yielded.
                    updates = handler(*arguments)
                    yield next(updates, _unchanged(outputs))
                    yield from updates

            return running

        @functools.wraps(handler)
        def called(*arguments: Any) -> Any:
            return _unchanged(outputs) if refused(arguments) else handler(*arguments)

        return called


def _unchanged(outputs: int) -> Any:
    """What leaves so many components as they are."""
    return gr.skip() if outputs == 1 else (gr.skip(),) * outputs if outputs else None
