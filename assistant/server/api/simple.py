"""The small application's endpoints: models, face validation, detection, and a history of checks.

One picture at a time, without galleries. `POST /api/history/save` keeps a result that this server
computed, by the id that `POST /api/detect` gave; a client cannot write a result of its own.
"""

import dataclasses
import threading
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Body, File, Path, Request, UploadFile
from starlette.responses import Response

from assistant.report.pictures.data_uris import jpeg_bytes, thumbnail
from assistant.report.pictures.maps import forgery_view
from assistant.server.api.errors import documented
from assistant.server.api.paging import Cursor, Limit, page
from assistant.server.api.services import Checker, Parts
from assistant.server.api.shapes import (
    DetectionShape,
    HistoryShape,
    ModelsShape,
    Page,
    ValidationShape,
)
from assistant.server.api.uploads import kept
from assistant.server.problems import Problem
from assistant.server.work.history import Detection
from assistant.server.work.lane import check
from tools.detectors.protocol import qualified_name
from tools.errors import ToolError
from tools.gallery.indexing.analysis import analyse_photo
from tools.media.pictures.decoding import decode_photo, read_photo

router = APIRouter(tags=["simple"])

Picture = Annotated[UploadFile, File(description="A picture.")]
EntryId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", description="A result's id.")]


@router.get("/models", response_model=ModelsShape, responses=documented(409, 503))
async def list_models(request: Request, who: Checker, parts: Parts) -> Any:
    """The models in use. No detector's score is a verdict; `unmask detectors` has the figures."""

    def work(_: threading.Event) -> dict[str, Any]:
        models = parts.models
        detectors = [*models.detectors, *models.pixel_detectors]
        told = [
            {
                "name": qualified_name(it),
                "looks_at": "the face" if it.inputs == "face" else "the whole picture",
                "checkpoint": it.sha256,
            }
            for it in detectors
        ]
        prints = [
            {"name": part, "looks_at": "the whole picture", "checkpoint": sha256}
            for part, sha256 in models.fingerprint.items()
            if part in ("faces", "encoder")
        ]
        return {
            "profile": models.profile,
            "models": [*prints, *told],
            "notices": list(models.notices),
        }

    return await parts.in_turn(request, work)


@router.post("/validate-face", response_model=ValidationShape, responses=documented(503))
async def validate_face(request: Request, who: Checker, parts: Parts, image: Picture) -> Any:
    """Whether a picture shows a face that can be checked."""
    async with kept([image], parts.uploads) as files:

        def work(_: threading.Event) -> dict[str, Any]:
            try:
                photo = read_photo(files.paths[0])
                models = parts.models
                found = analyse_photo(photo, 0, faces=models.faces, encoder=models.encoder)
            except ToolError as error:
                return {"valid": False, "faces": [], "problem": files.named(str(error))}
            faces = [
                {
                    "face": number,
                    "box": [round(float(edge), 1) for edge in each.face.box],
                    "usable": each.face.quality.usable,
                    "problems": list(each.face.quality.problems),
                }
                for number, each in enumerate(found.faces, start=1)
            ]
            valid = any(face["usable"] for face in faces)
            problem = "" if valid else "no face is large and sharp enough: use another picture"
            return {"valid": valid, "faces": faces, "problem": problem}

        return await parts.in_turn(request, work)


@router.post("/detect", response_model=DetectionShape, responses=documented(503))
async def detect(request: Request, who: Checker, parts: Parts, image: Picture) -> Any:
    """Check every face of a picture, with a heat map where something speaks for a forgery.

    "No forgery found" is never a proof of authenticity. `id` keeps the result in the history.
    """
    async with kept([image], parts.uploads) as files:
        path = files.paths[0]

        def work(stop: threading.Event) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
            report = parts.unmask().check(path, on_progress=lambda *_: check(stop))
            views = [forgery_view(it.located) for it in report.faces if it.located is not None]
            maps = [dataclasses.asdict(view) for view in views]
            return files.named(report.to_json()), maps, path.read_bytes()

        result, maps, data = await parts.in_turn(request, work)
        if not result["faces"]:
            reasons = [it["reason"] for it in result["problems"]]
            raise Problem(422, "; ".join(reasons) or "no face was found: use another picture")
        id = parts.history.remember(who.name, Detection(path.name, data, result))
        return {"id": id, "result": result, "maps": maps}


@router.get("/history/images", response_model=Page[HistoryShape], responses=documented())
async def list_history(who: Checker, parts: Parts, limit: Limit = 20, cursor: Cursor = None) -> Any:
    """Your kept results, newest first."""
    kept_ones = await anyio.to_thread.run_sync(lambda: parts.history.entries(who.name))
    return page(kept_ones, limit, cursor)


@router.post(
    "/history/save", status_code=201, response_model=HistoryShape, responses=documented(409)
)
async def save(
    who: Checker,
    parts: Parts,
    id: Annotated[str, Body(embed=True, pattern=r"^[0-9a-f]{24}$", description="From /detect.")],
) -> Any:
    """Keep a result with its picture, until you delete it."""
    return await anyio.to_thread.run_sync(lambda: parts.history.keep(who.name, id))


@router.get(
    "/history/image/{id}",
    response_class=Response,
    responses=documented(404)
    | {200: {"description": "The kept picture.", "content": {"image/jpeg": {}}}},
)
async def show_kept(id: EntryId, who: Checker, parts: Parts) -> Response:
    """A kept picture, encoded anew and without metadata."""

    def work() -> bytes:
        pixels = decode_photo(parts.history.picture(who.name, id)).pixels
        return jpeg_bytes(thumbnail(pixels, longest_px=1600))

    try:
        return Response(await anyio.to_thread.run_sync(work), media_type="image/jpeg")
    except ToolError as error:
        raise Problem(404, str(error)) from error


@router.delete("/history/image/{id}", status_code=204, responses=documented(404))
async def delete(id: EntryId, who: Checker, parts: Parts) -> None:
    """Delete a kept result and its picture."""
    try:
        await anyio.to_thread.run_sync(lambda: parts.history.delete(who.name, id))
    except ToolError as error:
        raise Problem(404, str(error)) from error
