"""What all routes share, and who sends a request."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from assistant.investigation import Unmask
from assistant.profile import LoadedModels
from assistant.server.access.accounts import AccountStore
from assistant.server.access.gate import IDENTITY
from assistant.server.access.roles import Identity, Role, Scope
from assistant.server.problems import Problem
from assistant.server.work.case_access import CaseAccess
from assistant.server.work.handoffs import Handoffs
from assistant.server.work.history import History
from assistant.server.work.index_jobs import GalleryIndexer
from assistant.server.work.investigations import Investigation, Investigations
from assistant.server.work.lane import ModelLane
from assistant.server.work.ledger import Ledger
from assistant.settings import Settings

Result = TypeVar("Result")


@dataclass(frozen=True)
class Services:
    """The server's parts; `uploads` is the private folder of files that are being read."""

    settings: Settings
    models: LoadedModels
    ledger: Ledger
    lane: ModelLane
    indexer: GalleryIndexer
    investigations: Investigations
    history: History
    handoffs: Handoffs
    accounts: AccountStore
    cases: CaseAccess

    @classmethod
    def of(cls, settings: Settings, models: LoadedModels | None = None) -> "Services":
        """The parts of a new server; weights load with the first request that needs them."""
        models = models or LoadedModels(settings)
        ledger, lane = Ledger(settings.home), ModelLane()
        cases = CaseAccess(ledger, settings.home)
        return cls(
            settings, models, ledger, lane,
            indexer=GalleryIndexer(settings, models, ledger=ledger, turns=lane.turns),
            investigations=Investigations(models, cases, settings.home),
            history=History(settings.home), handoffs=Handoffs(settings.home / "uploads"),
            accounts=AccountStore(settings.config_dir), cases=cases,
        )  # fmt: skip

    @property
    def uploads(self) -> Path:
        """The folder of files while they are read; `unmask forget` empties it too."""
        return self.settings.home / "uploads"

    def unmask(self) -> Unmask:
        """The Python API with the shared models, for work without a gallery."""
        return Unmask(self.settings, models=self.models)

    async def investigation(self, request: Request, who: Identity, id: str) -> Investigation:
        """A user's investigation, restored in its turn if necessary."""
        found = self.investigations.in_memory(who, id)
        if found is not None:
            return found
        return await self.lane.run(lambda _: self.investigations.find(who, id), request=request)

    async def in_turn(self, request: Request, work: Callable[[threading.Event], Result]) -> Result:
        """Run work that needs the models; it stops when the client leaves."""
        return await self.lane.run(work, request=request)


def services(request: Request) -> Services:
    """The server's parts."""
    return cast(Services, request.app.state.services)


def needs(scope: Scope, least: Role = "investigator") -> Callable[[Request], Identity]:
    """A dependency: the sender, whose token must have a scope, and whose role is the least one."""

    def sender(request: Request) -> Identity:
        who = cast(Identity, request.scope[IDENTITY])
        who.require(least)
        if scope not in who.scopes:
            raise Problem(
                403,
                f"this token lacks the scope {scope!r}: make another with "
                f"`unmask tokens create NAME --scope {scope}`",
            )
        return who

    return sender


Parts = Annotated[Services, Depends(services)]
Checker = Annotated[Identity, Depends(needs("check"))]
Reader = Annotated[Identity, Depends(needs("search", "viewer"))]
"""Whoever may look at cases; `Searcher` may work in them."""

Searcher = Annotated[Identity, Depends(needs("search"))]
Indexer = Annotated[Identity, Depends(needs("index"))]
Admin = Annotated[Identity, Depends(needs("search", "admin"))]
