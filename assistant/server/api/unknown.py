"""Paths of the API that do not exist: a problem document, and not an answer of the page.

The page, mounted behind everything, would answer every path that nobody else does.
"""

from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from assistant.server.problems import Problem

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
