"""The records of your cases, and whether they were changed."""

import dataclasses
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path

from assistant.server.api.errors import documented
from assistant.server.api.paging import Cursor, Limit, page
from assistant.server.api.services import Parts, Searcher
from assistant.server.api.shapes import CaseShape, Page, VerifiedCase
from assistant.server.problems import Problem
from tools.errors import SetupError
from tools.gallery.access_log import record_access

router = APIRouter(prefix="/cases", tags=["cases"])


@router.get("", response_model=Page[CaseShape], responses=documented())
async def list_cases(who: Searcher, parts: Parts, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """Your cases, newest first."""
    known = await anyio.to_thread.run_sync(lambda: parts.investigations.of(who.name))
    return page([dataclasses.asdict(it) for it in known], limit, cursor)


@router.get("/{id}", response_model=VerifiedCase, responses=documented(404))
async def show_case(
    id: Annotated[str, Path(pattern=r"^[\w-]{1,64}$")], who: Searcher, parts: Parts
) -> Any:
    """A case with the result of checking its record: chain, signature and photos."""

    def work() -> dict[str, Any]:
        case = parts.investigations.case(who.name, id)
        listed = [it for it in parts.investigations.of(who.name) if it.id == id]
        if not listed:
            raise Problem(404, "there is no such case; list yours")
        record_access(case.folder, "verify", who=who.name)
        try:
            found = case.verification()
        except SetupError as damage:
            checked = {"problems": [str(damage)], "signature": "cannot be checked"}
        else:
            checked = {"problems": list(found.problems), "signature": found.signature}
        return dataclasses.asdict(listed[0]) | checked | {"ok": not checked["problems"]}

    return await anyio.to_thread.run_sync(work)
