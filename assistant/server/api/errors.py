"""Every error of the API as one problem document."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assistant.server.api.shapes import ProblemDocument
from assistant.server.problems import MEDIA_TYPE, Problem, problem_response
from assistant.server.work.case_access import UnknownInvestigation
from assistant.server.work.lane import Cancelled
from tools.errors import SetupError, ToolError
from tools.search.query import SeveralFaces

logger = logging.getLogger(__name__)

_DOCUMENTED = {
    400: "The request cannot be read.",
    401: "A token is missing or wrong.",
    403: "The role or the token's scopes do not allow it, or another site's page asked.",
    404: "There is nothing of this id, or it is another user's and not shared.",
    409: "It cannot be done in the present state; `detail` says what to do.",
    413: "The request is too large.",
    422: "Something in the request does not fit; `detail` says what.",
    429: "Too many requests.",
    503: "Too many requests wait for the models.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route for OpenAPI; 401, 403, 413, 422 and 429 are every route's."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {
            "description": _DOCUMENTED[status],
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted({400, 401, 403, 413, 422, 429, *statuses})
    }


def answer_errors(app: FastAPI) -> None:
    """Register the handlers."""
    for kind in (
        Problem, HTTPException, RequestValidationError, ToolError, SetupError, Cancelled,
    ):  # fmt: skip
        app.add_exception_handler(kind, _answered)
    app.add_exception_handler(Exception, _fault)


async def _answered(_: Request, error: Exception) -> Response:
    return problem_response(as_problem(error))


async def _fault(_: Request, error: Exception) -> Response:
    # The error goes on to the server's log; nothing of it is sent.
    return problem_response(
        Problem(500, "an internal error ended this request; the server's log says more")
    )


def as_problem(error: Exception) -> Problem:
    """An expected error as a problem."""
    match error:
        case Problem():
            return error
        case UnknownInvestigation():
            return Problem(404, str(error))
        case SeveralFaces():
            faces = [list(box) for box in error.boxes]
            return Problem(422, str(error), photo=_name(error.photo), faces=faces)
        case ToolError():
            return Problem(422, str(error))
        case SetupError():
            return Problem(409, str(error))
        case Cancelled():
            return Problem(503, "the request was cancelled")
        case RequestValidationError():
            told = [f"{_place(it['loc'])}: {_reason(it)}" for it in error.errors()]
            return Problem(422, "; ".join(told)[:1000] or "the request does not fit")
        case HTTPException():
            detail = error.detail if isinstance(error.detail, str) else "the request failed"
            return Problem(error.status_code, detail, headers=error.headers or {})
    raise error


def _place(parts: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in parts)


def _reason(error: Mapping[str, Any]) -> str:
    """What does not fit, in lower case but for what it quotes: a pattern's letters matter."""
    message = str(error["msg"])
    if "UploadFile" in message:
        return "should be a file"
    return message[:1].lower() + message[1:]


def _name(photo: object) -> str:
    return str(getattr(photo, "name", photo))
