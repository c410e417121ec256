"""Investigations: a search for a person in a gallery, its hits, evidence, maps and decisions.

Each is a case, recorded and signed as one of the chat is. It belongs to its maker's name; others
see it if it is shared with them.
"""

import dataclasses
import mimetypes
import threading
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from starlette.responses import FileResponse, Response

from assistant.report.case_export import decision_json, findings_json
from assistant.report.pictures.blurring import without_bystanders
from assistant.report.pictures.data_uris import jpeg_bytes, thumbnail
from assistant.report.pictures.maps import map_views
from assistant.server.api.errors import documented
from assistant.server.api.idempotency import Key, claimed
from assistant.server.api.paging import Cursor, Limit, page
from assistant.server.api.services import Parts, Reader, Searcher
from assistant.server.api.shapes import (
    DecisionShape,
    EvidenceShape,
    HitShape,
    InvestigationShape,
    MapShape,
    Page,
    SentDecision,
    SentFormat,
)
from assistant.server.api.uploads import kept, without_folder
from assistant.server.problems import Problem
from assistant.server.work.investigations import Investigation
from assistant.server.work.lane import check
from tools.agent_tools.casework_tools import EXPORT_FILES, ExportedReport
from tools.agent_tools.hit_filter import HitFilter
from tools.errors import ToolError
from tools.gallery.access_log import record_access
from tools.search.query_files import readable
from tools.search.reranking.reranker import MAX_RERANKED_HITS, iter_readable_photos
from tools.search.results import Findings, Hit

router = APIRouter(prefix="/investigations", tags=["investigations"])

TURN = "Find fakes of this person."
_PICTURE_PX = 1600

_A_REPORT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The report.", "content": {"application/octet-stream": {}}}
}

Id = Annotated[str, Path(pattern=r"^[\w-]{1,64}$", description="An investigation's id.")]
Handle = Annotated[str, Path(pattern=r"^H[1-9][0-9]{0,3}$", description="A hit, as H3.")]


@router.post("", status_code=201, response_model=InvestigationShape, responses=documented(409, 503))
async def begin(
    request: Request,
    who: Searcher,
    parts: Parts,
    photos: Annotated[list[UploadFile], File(description="Authentic photos of one person.")],
    gallery: Annotated[str, Form(pattern=r"^\w[\w.-]{0,63}$")] = "default",
    top: Annotated[int, Form(ge=1, le=MAX_RERANKED_HITS, description="At most so many hits.")] = 20,
    face: Annotated[
        int | None, Form(ge=1, le=1000, description="Which face, where a photo shows several.")
    ] = None,
    key: Key = None,
) -> Any:
    """Search a gallery for forgeries that impersonate the person in the photos.

    Answers when the search is done; closing the connection stops it.
    """
    if gallery not in parts.indexer.names():
        raise Problem(409, f"there is no gallery {gallery!r}: fill one with an index job first")
    async with kept(photos, parts.uploads) as files:
        fields = ("investigate", gallery, top, face)
        with claimed(parts.ledger, who, key, fields, files.paths) as claim:
            if claim.earlier is not None:
                return _shown(await parts.investigation(request, who, claim.earlier))

            def work(stop: threading.Event) -> Investigation:
                check(stop)
                for path in files.paths:  # a broken one begins no case, which would stay empty
                    readable(path)
                found = parts.investigations.begin(who, gallery)
                claim.made = found.case.id
                try:
                    handles = found.add_photos(TURN, files.paths)
                    asked = {"photos": handles, "top": top} | ({"face": face} if face else {})
                    found.call("find_person", asked, who=who, stop=stop)
                except BaseException:
                    claim.made = None  # the key may be used again
                    raise
                return found

            return _shown(await parts.in_turn(request, work))


@router.get("", response_model=Page[str], responses=documented())
async def list_investigations(
    who: Reader, parts: Parts, limit: Limit = 20, cursor: Cursor = None
) -> Any:
    """The ids of the investigations that you may see, newest first."""
    known = await anyio.to_thread.run_sync(lambda: parts.investigations.of(who))
    return page([it.id for it in known], limit, cursor)


@router.get("/{id}", response_model=InvestigationShape, responses=documented(404, 503))
async def show(id: Id, request: Request, who: Reader, parts: Parts) -> Any:
    """An investigation with its latest findings."""
    return _shown(await parts.investigation(request, who, id))


@router.get("/{id}/hits", response_model=Page[HitShape], responses=documented(404, 503))
async def list_hits(
    id: Id,
    request: Request,
    who: Reader,
    parts: Parts,
    verdict: Annotated[str | None, Query(max_length=40, description="Only this verdict.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Any:
    """The hits in order of their impersonation probability."""
    found = await parts.investigation(request, who, id)
    rows = _findings_json(found)["hits"]
    if verdict is not None:
        wanted = HitFilter.parse(verdict).verdict
        rows = [row for row in rows if row["verdict"] == wanted]
    return page(rows, limit, cursor)


@router.get("/{id}/hits/{hit}", response_model=HitShape, responses=documented(404, 503))
async def show_hit(id: Id, hit: Handle, request: Request, who: Reader, parts: Parts) -> Any:
    """One hit."""
    found = await parts.investigation(request, who, id)
    place = _hit(found, hit).rank
    return next(row for row in _findings_json(found)["hits"] if row["rank"] == place)


@router.get(
    "/{id}/hits/{hit}/evidence", response_model=list[EvidenceShape], responses=documented(404, 503)
)
async def show_evidence(id: Id, hit: Handle, request: Request, who: Reader, parts: Parts) -> Any:
    """The measurements of a hit, each with its method and what it does not show."""
    found = await parts.investigation(request, who, id)
    return [item.to_json() for item in _hit(found, hit).evidence]


@router.get(
    "/{id}/hits/{hit}/picture",
    response_class=Response,
    responses=documented(404, 503)
    | {200: {"description": "The picture of the hit.", "content": {"image/jpeg": {}}}},
)
async def show_picture(
    id: Id,
    hit: Handle,
    request: Request,
    who: Reader,
    parts: Parts,
    longest_px: Annotated[int, Query(ge=32, le=_PICTURE_PX)] = 800,
    bystanders: Annotated[
        Literal["blurred", "shown"], Query(description="The faces of other people in it.")
    ] = "blurred",
) -> Response:
    """The picture of a hit, encoded anew and without metadata; for a video, its strongest frame.

    Faces of other people are blurred.
    """
    found = await parts.investigation(request, who, id)
    _hit(found, hit)

    def work(_: threading.Event) -> bytes:
        look = found.workspace.take_snapshot(hit)
        everybody = bystanders == "shown"
        pixels = look.pixels if everybody else without_bystanders(found.workspace, look)
        return jpeg_bytes(thumbnail(pixels, longest_px=longest_px))

    data = await parts.in_turn(request, work)
    return Response(data, media_type="image/jpeg")


@router.get("/{id}/hits/{hit}/maps", response_model=list[MapShape], responses=documented(404, 503))
async def show_maps(id: Id, hit: Handle, request: Request, who: Reader, parts: Parts) -> Any:
    """Every map that can be made of a hit: signs of forgery, distance, the whole picture.

    A map shows something on any photograph: read its limits.
    """
    found = await parts.investigation(request, who, id)
    _hit(found, hit)
    models = found.workspace.instruments

    def work(stop: threading.Event) -> list[dict[str, Any]]:
        look = found.workspace.take_snapshot(hit)
        photos = [] if look.query is None else list(iter_readable_photos(look.query))
        check(stop)
        shown = without_bystanders(found.workspace, look)
        views = map_views(look.pixels, look.face.face, photos, instruments=models, shown=shown)
        return [dataclasses.asdict(view) for view in views]

    return await parts.in_turn(request, work)


@router.put(
    "/{id}/hits/{hit}/decision", response_model=DecisionShape, responses=documented(404, 409, 503)
)
async def decide(
    id: Id,
    hit: Handle,
    request: Request,
    who: Searcher,
    parts: Parts,
    sent: SentDecision,
) -> Any:
    """Note your decision about a hit; it is signed into the case and changes no verdict."""
    found = await parts.investigation(request, who, id)
    _hit(found, hit)
    marked = {"hit": hit, "decision": sent.decision}
    _, made = await parts.in_turn(
        request, lambda stop: found.call("mark_hit", marked, who=who, stop=stop)
    )
    return {"hit": hit} | (decision_json(made) or {})


@router.get("/{id}/decisions", response_model=list[DecisionShape], responses=documented(404, 503))
async def list_decisions(id: Id, request: Request, who: Reader, parts: Parts) -> Any:
    """The decisions in force about the hits."""
    found = await parts.investigation(request, who, id)
    made = found.workspace.review.decisions_for(_findings(found))
    return [{"hit": hit} | (decision_json(each) or {}) for hit, each in made.items()]


@router.post(
    "/{id}/reports",
    response_class=FileResponse,
    responses=documented(404, 409, 503) | _A_REPORT,
)
async def export(
    id: Id,
    request: Request,
    who: Searcher,
    parts: Parts,
    sent: SentFormat,
) -> FileResponse:
    """Write the report of an investigation in a format, and send it."""
    found = await parts.investigation(request, who, id)
    _, made = await parts.in_turn(
        request,
        lambda stop: found.call("export_report", {"format": sent.format}, who=who, stop=stop),
    )
    assert isinstance(made, ExportedReport)  # noqa: S101 - for the type checker
    return _sent(found.case.id, made.path)


@router.get(
    "/{id}/reports/{format}", response_class=FileResponse,
    responses=documented(404, 409) | _A_REPORT,
)  # fmt: skip
async def show_report(
    id: Id,
    format: Annotated[str, Path(pattern=r"^[a-z]{1,20}$", examples=["html", "pdf"])],
    who: Reader,
    parts: Parts,
) -> FileResponse:
    """The latest report that was written in a format."""
    case = parts.investigations.case(who, id)
    if format not in EXPORT_FILES:
        raise Problem(404, f"there is no such format; formats are {', '.join(EXPORT_FILES)}")
    path = case.folder / EXPORT_FILES[format]
    if not path.is_file():
        raise Problem(404, f"no {format} report was written yet: an investigator exports one")
    record_access(case.folder, "open", who=who.name)
    return _sent(case.id, path)


def _sent(id: str, report: FilePath) -> FileResponse:
    return FileResponse(
        report, media_type=mimetypes.guess_type(report.name)[0] or "application/octet-stream",
        filename=f"{id}{report.suffix}", content_disposition_type="attachment",
    )  # fmt: skip


def _shown(found: Investigation) -> dict[str, Any]:
    photos = {handle: copy.name for handle, copy in found.case.photos().items()}
    searched = found.workspace.last_search is not None
    return {
        "id": found.case.id,
        "gallery": found.workspace.gallery,
        "photos": photos,
        "notes": list(found.notes),
        "findings": _findings_json(found) if searched else None,
    }


def _findings_json(found: Investigation) -> dict[str, Any]:
    """The findings as reports hold them; query photos are named by their sha256."""
    findings = _findings(found)
    told = findings_json(findings, found.workspace.review.decisions_for(findings))
    return dict(without_folder(told, found.case.photos_folder))


def _findings(found: Investigation) -> Findings:
    if found.workspace.last_search is None:
        raise Problem(409, "nothing was searched for yet in this investigation")
    return found.workspace.last_search[0]


def _hit(found: Investigation, handle: str) -> Hit:
    """A hit of the latest search. Raises Problem, which lists the hits."""
    _findings(found)
    try:
        return found.workspace.hit(handle)
    except ToolError as error:
        raise Problem(404, str(error)) from error
