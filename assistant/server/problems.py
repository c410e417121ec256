"""Errors as `application/problem+json` (RFC 9457): one sentence that says what to do next."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error of a request: HTTP `status`, a sentence, and further members of the document."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.members = status, detail, members
        self.headers = dict(headers or {})


def problem_response(problem: Problem) -> Response:
    """The problem as a response."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    return Response(
        json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )
