"""The records of cases, whether they were changed, who may see them, and who used them."""

import dataclasses
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path

from assistant.server.api.errors import documented
from assistant.server.api.paging import Cursor, Limit, page
from assistant.server.api.services import Admin, Parts, Reader, Searcher, Services
from assistant.server.api.shapes import (
    AccessShape,
    CaseShape,
    Page,
    SentNames,
    SharesShape,
    VerifiedCase,
)
from assistant.server.problems import Problem
from assistant.server.work.case_access import known_names
from tools.errors import SetupError
from tools.gallery.access_log import accesses, record_access

router = APIRouter(prefix="/cases", tags=["cases"])

Id = Annotated[str, Path(pattern=r"^[\w-]{1,64}$", description="A case's id.")]


@router.get("", response_model=Page[CaseShape], responses=documented())
async def list_cases(who: Reader, parts: Parts, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """The cases that you may see, newest first."""
    known = await anyio.to_thread.run_sync(lambda: parts.investigations.of(who))
    return page([it.to_json() for it in known], limit, cursor)


@router.get("/{id}", response_model=VerifiedCase, responses=documented(404))
async def show_case(id: Id, who: Reader, parts: Parts) -> Any:
    """A case with the result of checking its record: chain, signature and photos."""

    def work() -> dict[str, Any]:
        case = parts.investigations.case(who, id)
        listed = [it for it in parts.investigations.of(who) if it.id == id]
        if not listed:
            raise Problem(404, "there is no such case; list yours")
        record_access(case.folder, "verify", who=who.name)
        try:
            found = case.verification()
        except SetupError as damage:
            checked = {"problems": [str(damage)], "signature": "cannot be checked"}
        else:
            checked = {"problems": list(found.problems), "signature": found.signature}
        return listed[0].to_json() | checked | {"ok": not checked["problems"]}

    return await anyio.to_thread.run_sync(work)


@router.get("/{id}/shares", response_model=SharesShape, responses=documented(404))
async def show_shares(id: Id, who: Searcher, parts: Parts) -> Any:
    """Who made a case, and with whom it is shared."""
    parts.investigations.case(who, id)
    return _shares(parts, id)


@router.put("/{id}/shares", response_model=SharesShape, responses=documented(404, 409))
async def share_case(
    id: Id,
    who: Searcher,
    parts: Parts,
    sent: SentNames,
) -> Any:
    """Share a case with accounts; only its maker and admins may."""
    parts.investigations.case(who, id)
    if not parts.cases.keeps(who, id):
        raise Problem(403, "only its maker and admins share a case: ask one of them")
    parts.cases.share(id, known_names(parts.settings, sent.names), by=who.name)
    return _shares(parts, id)


@router.get("/{id}/log", response_model=Page[AccessShape], responses=documented(404))
async def show_log(
    id: Id, who: Admin, parts: Parts, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """Who used a case, and when, newest first; for admins."""
    case = parts.investigations.case(who, id)
    return page([dataclasses.asdict(it) for it in accesses(case.folder)][::-1], limit, cursor)


def _shares(parts: Services, id: str) -> dict[str, Any]:
    return {"owner": parts.cases.owner(id) or None, "names": parts.cases.shared_with(id)}
