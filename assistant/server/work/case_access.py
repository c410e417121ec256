"""Who may see and keep which case: its maker, those it is shared with, and admins.

To keep a case is to name, archive, delete and share it. Who sees a case without keeping it works in
it as far as their role goes: an investigator decides and exports, a viewer looks.
"""

import unicodedata
from collections.abc import Collection
from pathlib import Path

from assistant.case.catalogue import CaseSummary, list_cases
from assistant.server.access.accounts import AccountStore
from assistant.server.access.roles import Identity
from assistant.server.access.tokens import TokenStore
from assistant.server.work.ledger import Ledger
from assistant.settings import Settings
from tools.errors import SetupError, ToolError
from tools.gallery.access_log import record_access

KIND = "case"


class UnknownInvestigation(ToolError):
    """An id that is nobody's, or that the user may not see: the answer is the same."""

    def __init__(self, id: str) -> None:
        super().__init__("there is no such investigation; list yours, or begin one")
        self.id = id


class CaseAccess:
    """The rules over the server's record of owners and shares."""

    def __init__(self, ledger: Ledger, home: Path) -> None:
        self._ledger, self._home = ledger, home

    def own(self, who: Identity, id: str) -> None:
        """Record who made a case."""
        self._ledger.own(KIND, id, who.name)

    def owner(self, id: str) -> str:
        """Who made a case; empty if it was made without a login."""
        return self._ledger.owner(KIND, id)

    def sees(self, who: Identity, id: str) -> bool:
        """Whether they may look at a case."""
        return who.may("admin") or id in self._ledger.seen_by(KIND, who.name)

    def keeps(self, who: Identity, id: str) -> bool:
        """Whether they may name, archive, delete and share a case."""
        owns = who.may("investigator") and self._ledger.owns(KIND, id, who.name)
        return who.may("admin") or owns

    def require(self, who: Identity, id: str) -> None:
        """Raise UnknownInvestigation unless they may look at the case."""
        if not self.sees(who, id):
            raise UnknownInvestigation(id)

    def visible(self, who: Identity) -> list[CaseSummary]:
        """The cases that they may look at, newest first."""
        seen = None if who.may("admin") else self._ledger.seen_by(KIND, who.name)
        return [it for it in list_cases(self._home) if seen is None or it.id in seen]

    def shared_with(self, id: str) -> list[str]:
        """Who else may look at a case, by name."""
        return self._ledger.shared_with(KIND, id)

    def share(self, id: str, names: Collection[str], *, by: str = "") -> None:
        """Let these names look at a case, and no others; the case's log says who did."""
        if set(names) != set(self.shared_with(id)):
            self._ledger.share(KIND, id, names)
            record_access(self._home / "cases" / id, "share", who=by)

    def forget(self, id: str) -> None:
        """Forget whose a deleted case was."""
        self._ledger.disown(KIND, id)


def names_taken(settings: Settings) -> set[str]:
    """The names of tokens and logins without an account: they own cases too."""
    tokens = TokenStore(settings.config_dir).records()
    logins = {name for name, _ in settings.logins}
    return logins | {it.name for it in tokens if not it.account}


def known_names(settings: Settings, names: Collection[str]) -> list[str]:
    """The names as they are stored. Raises SetupError for one that nobody has."""
    accounts = {it.name for it in AccountStore(settings.config_dir).records()}
    known = accounts | names_taken(settings)
    plain = [unicodedata.normalize("NFKC", name.strip()) for name in names]
    if unknown := [name for name in plain if name not in known]:
        raise SetupError(
            f"there is no account {unknown[0]!r}: `unmask accounts list` shows all, and "
            "`unmask accounts add` makes one"
        )
    return plain
