"""Paths and parameters of the API that do not exist: a problem document, and no other answer.

The page, mounted behind everything, would answer every path that nobody else does; a parameter
that is misspelt would be passed over, and its answer be taken for the one that was asked for.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import Request
from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from assistant.server.problems import Problem

_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_PATHS = ("/api/{rest:path}", "/mcp{rest:path}", "/openapi.json{rest:path}")


class _Unknown:
    """Answers what the routes of a router leave: 404, or 405 for another method of a known path."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Problem or HTTPException."""
        for route in self._router.routes:
            match, found = route.matches(scope)
            if match is Match.PARTIAL:
                scope.update(found)
                await route.handle(scope, receive, send)
                return
        raise Problem(404, "there is nothing at this address; /openapi.json describes all that is")


def unknown_paths(router: Router) -> list[Route]:
    """Routes to be added behind those of the API and MCP, and before the page."""
    return [Route(path, _Unknown(router), include_in_schema=False) for path in _PATHS]


async def known_parameters(request: Request) -> None:
    """Raises Problem if the query or the form has a parameter that the route does not have."""
    read = list(_readers(request.scope["route"].dependant))
    in_query = {field.alias for each in read for field in each.query_params}
    _require(request.query_params, in_query, "in the query")
    if request.headers.get("content-type", "").startswith(_FORMS):
        in_form = {field.alias for each in read for field in each.body_params}
        _require(await request.form(), in_form, "in the form")


def _readers(dependant: Any) -> Iterator[Any]:
    """A route's handler and everything that it depends on, as FastAPI holds them."""
    yield dependant
    for each in dependant.dependencies:
        yield from _readers(each)


def _require(given: Iterable[str], has: set[str], place: str) -> None:
    known = sorted(has)
    unknown = sorted(set(given) - has)
    if unknown:
        there = f"there are {', '.join(known)}" if known else "there are none"
        raise Problem(422, f"unknown parameters {place}: {', '.join(unknown)[:200]}; {there}")
