"""The gate in front of everything: Host, Origin, token, rate, body size, security headers.

Nothing behind it runs for a request without a token or a login. `/api` and `/mcp` need a token in
the Authorization header; a browser's login opens only the page, so that no other page can use it.
A viewer reads: whatever else would be sent is refused here, before it is read.
"""

import logging
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.server.access.hosts import HostPolicy, is_extension
from assistant.server.access.login import COOKIE, LoginSessions
from assistant.server.access.roles import Identity
from assistant.server.access.run_token import Keyring
from assistant.server.access.throttle import Guesses, RateLimit, TooManyGuesses
from assistant.server.browser.web_app import OPEN_PATHS
from assistant.server.problems import Problem, problem_response

logger = logging.getLogger(__name__)

IDENTITY = "unmask.identity"
"""Key of the request's `Identity` in the ASGI scope."""

MAX_UPLOAD_BYTES = 64 * 1024 * 1024
"""Largest request with files."""

MAX_MCP_BYTES = 24 * 1024 * 1024
"""Largest message to `/mcp`: photos arrive in it as base64."""

MAX_BODY_BYTES = 1024 * 1024
"""Largest request without files."""

_OF_VIEWERS = frozenset({
    "/logout", "/mcp", "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset",
})  # fmt: skip
"""Where viewers may send something; what they may do there is decided behind the gate."""

_OPEN = frozenset({"/login", "/login.js"}) | OPEN_PATHS
_CACHED = ("/assets/", "/static/")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers hide the origin of forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_CSP_API = "default-src 'none'; frame-ancestors 'none'"
_CSP_LOGIN = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; form-action 'self'; "
    "img-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Gradio's page starts from inline scripts and compiles some; nothing may come from elsewhere.
_CSP_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass
class Access:
    """What the gate decides by."""

    keyring: Keyring
    hosts: HostPolicy
    logins: LoginSessions
    guesses: Guesses = field(default_factory=Guesses)
    rate: RateLimit = field(default_factory=RateLimit)


class Gate:
    """ASGI middleware; puts the request's `Identity` into the scope under `IDENTITY`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        guarded = _with_headers(send, scope["path"])
        try:
            refused = await self._refused(scope)
            limit = _body_limit(scope)
        except Problem as problem:
            refused, limit = problem_response(problem), 0
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        body = _LimitedBody(receive, guarded, limit)
        await self._app(scope, body.receive, body.send)

    async def _refused(self, scope: Scope) -> Response | None:
        """The response to a request that may not pass; None if it may. Raises Problem."""
        connection = HTTPConnection(scope)
        self._check_sender(connection)
        path = scope["path"]
        if path in _OPEN:
            return None
        program = _is_for_programs(path)
        identity = await self._identify(connection, program=program)
        if identity is None:
            if not program and "text/html" in connection.headers.get("accept", ""):
                return RedirectResponse("/login", status_code=303)
            raise Problem(
                401,
                "a token is needed: send it as `Authorization: Bearer TOKEN`; "
                "`unmask tokens create NAME` makes one",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not program and "page" not in identity.scopes:
            raise Problem(403, "this token does not open the page: it lacks the scope 'page'")
        if scope["method"] not in ("GET", "HEAD") and path.rstrip("/") not in _OF_VIEWERS:
            identity.require("investigator")
        if program and (wait := self._access.rate.take(identity.name)):
            raise Problem(
                429, f"too many requests: try again in {wait:.0f} s",
                headers={"Retry-After": f"{wait:.0f}"},
            )  # fmt: skip
        scope[IDENTITY] = identity
        return None

    def _check_sender(self, connection: HTTPConnection) -> None:
        """Refuse requests to another name than ours, and from pages that are not ours."""
        host = connection.headers.get("host", "")
        if not self._access.hosts.allows_host(host):
            logger.warning("a request to another host name was refused")
            raise Problem(
                421, "this server does not answer to that host name; `unmask serve --name` adds one"
            )
        origin = connection.headers.get("origin")
        if origin is None:
            return
        if connection.scope["path"].startswith("/api/") and is_extension(origin):
            return  # a token is needed there, which an extension can only get from its user
        if not self._access.hosts.allows_origin(origin, host=host):
            logger.warning("a request from another site's page was refused")
            raise Problem(403, "requests from pages of other sites are refused")

    async def _identify(self, connection: HTTPConnection, *, program: bool) -> Identity | None:
        """Whose request it is; None without a token or login. Raises Problem for a wrong token."""
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer":
            cookie = connection.cookies.get(COOKIE, "")
            return None if program or not cookie else self._access.logins.find(cookie)
        identity = self._access.keyring.find(secret.strip())
        if identity is not None:
            return identity
        address = connection.client.host if connection.client else ""
        try:
            await self._access.guesses.delay(address)
        except TooManyGuesses as error:
            raise guessing(error) from error
        self._access.guesses.failed(address, "token")
        raise Problem(
            401,
            "this token is unknown, revoked or expired; `unmask tokens list` shows the valid ones",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


def guessing(error: TooManyGuesses) -> Problem:
    """The problem of an address that guesses in parallel."""
    seconds = f"{error.retry_after_s:.0f}"
    return Problem(429, f"{error}: try again in {seconds} s", headers={"Retry-After": seconds})


def _is_for_programs(path: str) -> bool:
    return path.startswith(("/api/", "/mcp", "/openapi.json"))


def _body_limit(scope: Scope) -> int:
    """The largest body for this request, in bytes. Raises Problem if it announces a larger one."""
    headers = Headers(scope=scope)
    if scope["path"].startswith("/mcp"):
        limit = MAX_MCP_BYTES
    elif headers.get("content-type", "").casefold().startswith("multipart/form-data"):
        limit = MAX_UPLOAD_BYTES
    else:
        limit = MAX_BODY_BYTES
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise Problem(400, "the Content-Length header is no number")
    if int(length[:20]) > limit:
        raise _too_large(limit)
    return limit


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the request is too large: at most {limit // 1024 // 1024} MB are read")


class _LimitedBody:
    """Ends a request whose body turns out larger than announced or allowed."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._read, self._exceeded, self._answered = 0, False, False

    async def receive(self) -> Message:
        """The next message; beyond the limit the body ends."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            self._exceeded = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return message

    async def send(self, message: Message) -> None:
        """Pass the response on, or replace it if the body was too large."""
        if not self._exceeded:
            await self._send(message)
        elif not self._answered:
            self._answered = True
            response = problem_response(_too_large(self._limit))
            await response({"type": "http"}, self._receive, self._send)


def _with_headers(send: Send, path: str) -> Send:
    """A `send` that adds the security headers to every response."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            for name in [it for it in headers if it.startswith("access-control-")]:
                del headers[name]  # Gradio invites other ports of this machine
            if path in _OPEN:
                headers["Content-Security-Policy"] = _CSP_LOGIN
            else:
                headers["Content-Security-Policy"] = (
                    _CSP_API if _is_for_programs(path) else _CSP_PAGE
                )
            if not path.startswith(_CACHED):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return guarded
