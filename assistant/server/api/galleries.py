"""Galleries, and the jobs that fill them, with progress as server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, File, Form, Path, UploadFile
from starlette.responses import StreamingResponse

from assistant.server.access.roles import Identity
from assistant.server.api.errors import documented
from assistant.server.api.idempotency import Key, claimed
from assistant.server.api.paging import Cursor, Limit, page
from assistant.server.api.services import Indexer, Parts, Searcher, Services
from assistant.server.api.shapes import GalleryShape, JobShape, Page
from assistant.server.api.uploads import kept
from assistant.server.problems import Problem
from assistant.server.work.galleries import describe_gallery
from assistant.server.work.index_jobs import IndexingJob

router = APIRouter(tags=["galleries"])

KIND = "job"
_LOOK_EVERY_S = 0.2

Name = Annotated[str, Path(pattern=r"^\w[\w.-]{0,63}$", description="A gallery's name.")]
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", description="An index job's id.")]


@router.get("/galleries", response_model=Page[GalleryShape], responses=documented())
async def list_galleries(
    who: Searcher, parts: Parts, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """All galleries of this machine, with what they hold."""
    names = page(parts.indexer.names(), limit, cursor)
    described = await anyio.to_thread.run_sync(
        lambda: [describe_gallery(parts.settings, name) for name in names["items"]]
    )
    return names | {"items": described}


@router.get("/galleries/{name}", response_model=GalleryShape, responses=documented(404))
async def show_gallery(name: Name, who: Searcher, parts: Parts) -> Any:
    """What a gallery holds."""
    if name not in parts.indexer.names():
        raise Problem(404, "there is no such gallery; an index job with its name makes it")
    return await anyio.to_thread.run_sync(lambda: describe_gallery(parts.settings, name))


@router.post(
    "/galleries/{name}/index-jobs", status_code=202, response_model=JobShape,
    responses=documented(404, 409),
)  # fmt: skip
async def start_job(
    name: Name,
    who: Indexer,
    parts: Parts,
    files: Annotated[
        list[UploadFile] | None, File(description="Pictures and videos to add.")
    ] = None,
    folder: Annotated[
        str | None,
        Form(max_length=4096, description="Or a folder on the server that the operator allows."),
    ] = None,
    key: Key = None,
) -> Any:
    """Add pictures to a gallery, which is made if it is missing.

    Send files, or name a folder on the server that the operator listed in UNMASK_FOLDERS. Known
    files cost nothing.
    """
    sent = list(files or ())
    if bool(sent) is bool(folder):
        raise Problem(422, "send either files or the name of an allowed folder")
    async with kept(sent, parts.uploads) as there:
        with claimed(parts.ledger, who, key, ("index", name, folder), there.paths) as claim:
            if claim.earlier is not None:
                return _job(parts, who, claim.earlier).to_json()
            job = await anyio.to_thread.run_sync(
                lambda: (
                    parts.indexer.add_folder(name, folder)
                    if folder
                    else parts.indexer.add_files(name, there.paths)
                )
            )
            parts.ledger.own(KIND, job.id, who.name)
            claim.made = job.id
            return job.to_json()


@router.get("/index-jobs", response_model=Page[JobShape], responses=documented())
async def list_jobs(who: Indexer, parts: Parts, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """Your index jobs, newest first; those that a restart of the server ended say so."""
    ids = page(parts.ledger.owned(KIND, who.name), limit, cursor)
    return ids | {"items": [_job(parts, who, id).to_json() for id in ids["items"]]}


@router.get("/index-jobs/{id}", response_model=JobShape, responses=documented(404))
async def show_job(id: JobId, who: Indexer, parts: Parts) -> Any:
    """An index job with its progress."""
    return _job(parts, who, id).to_json()


@router.get(
    "/index-jobs/{id}/events",
    responses=documented(404)
    | {
        200: {"description": "The job, each time it changes.", "content": {"text/event-stream": {}}}
    },
    response_class=StreamingResponse,
)
async def follow_job(id: JobId, who: Indexer, parts: Parts) -> StreamingResponse:
    """The job as server-sent events: `progress` while it runs, then one `end`."""
    job = _job(parts, who, id)
    return StreamingResponse(_events(job), media_type="text/event-stream")


@router.delete("/index-jobs/{id}", response_model=JobShape, responses=documented(404))
async def stop_job(id: JobId, who: Indexer, parts: Parts) -> Any:
    """Stop a job; pictures that were added stay."""
    job = _job(parts, who, id)
    job.stop()
    return job.to_json()


@router.post(
    "/index-jobs/{id}/again", status_code=202, response_model=JobShape,
    responses=documented(404, 409),
)  # fmt: skip
async def start_job_again(id: JobId, who: Indexer, parts: Parts) -> Any:
    """Continue a job that was interrupted, stopped or failed, as a new job."""
    job = _job(parts, who, id)
    again = await anyio.to_thread.run_sync(lambda: parts.indexer.start_again(job))
    parts.ledger.own(KIND, again.id, who.name)
    return again.to_json()


def _job(parts: Services, who: Identity, id: str) -> IndexingJob:
    job = parts.indexer.job_of_id(id) if parts.ledger.owns(KIND, id, who.name) else None
    if job is None:
        raise Problem(404, "there is no such index job; list yours")
    return job


async def _events(job: IndexingJob) -> AsyncIterator[bytes]:
    """The job whenever it changed; a comment every few seconds tells whether anyone listens."""
    told, quiet = "", 0
    while True:
        done = job.done.is_set()
        now = json.dumps(job.to_json(), ensure_ascii=False)
        if now != told or done:
            event = "end" if done else "progress"
            yield f"event: {event}\ndata: {now}\n\n".encode()
            told, quiet = now, 0
        elif quiet * _LOOK_EVERY_S > 10:
            yield b": still running\n\n"
            quiet = 0
        if done:
            return
        quiet += 1
        await anyio.sleep(_LOOK_EVERY_S)
