"""The application: routes, errors and the gate in front of them."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from assistant.server.api import cases, checks, galleries, investigations, simple
from assistant.server.api.errors import answer_errors
from assistant.server.api.services import Services
from assistant.server.api.shapes import ProblemDocument
from assistant.server.api.unknown import known_parameters

_DESCRIPTION = """Find deepfakes that impersonate a person, on your own machine.

Every request needs `Authorization: Bearer TOKEN`. Errors are `application/problem+json`. Null means
*not measured*, never zero. *No forgery found* never means authentic.
"""


def build_api(
    parts: Services,
    *,
    running: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
    routes: bool = True,
) -> FastAPI:
    """The REST API without the gate; `running` is entered while the server runs.

    Without `routes` only the handling of errors is there.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if running is not None:
                await stack.enter_async_context(running())
            yield
        parts.ledger.close()

    app = FastAPI(
        title="Unmask", version=version("unmask"), description=_DESCRIPTION, lifespan=lifespan,
        docs_url=None, redoc_url=None,  # both load their scripts from elsewhere
        openapi_url="/openapi.json" if routes else None,
    )  # fmt: skip
    app.state.services = parts
    if routes:
        known = [Depends(known_parameters)]
        for router in (galleries, checks, investigations, cases):
            app.include_router(router.router, prefix="/api/v1", dependencies=known)
        app.include_router(simple.router, prefix="/api", dependencies=known)
    answer_errors(app)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with tokens and problem documents."""
    if app.openapi_schema is None:
        told = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        parts = told.setdefault("components", {})
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        parts.setdefault("schemas", {})[ProblemDocument.__name__] = (
            ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        )
        told["security"] = [{"token": []}]
        app.openapi_schema = told
    return app.openapi_schema
