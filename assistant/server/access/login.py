"""Logging in to the page in a browser: with a token, a name and password, or a one-time link.

The browser keeps a cookie that only this server's own pages can send (HttpOnly, SameSite=Strict).
The server keeps its hash in memory; after a restart one logs in again. A session ends with the
account, role or password that it began with.
"""

import hmac
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from assistant.server.access.accounts import AccountStore
from assistant.server.access.roles import Identity
from assistant.server.access.run_token import Keyring
from assistant.server.access.throttle import Guesses, TooManyGuesses
from assistant.server.access.tokens import digest
from assistant.server.browser.web_app import HEAD
from tools.gallery.access_log import OWNER

COOKIE = "unmask_login"
SESSION_S = 12 * 3600.0
"""Seconds without a request after which one has to log in again."""

LINK_S = 600.0
"""Seconds that a one-time link is valid."""

_MAX_SESSIONS = 1000
_PASSWORDS_AT_ONCE = 2  # each takes 32 MiB and a core for a moment
_FOLDER = Path(__file__).parent


class LoginSessions:
    """The browsers that are logged in, by the hash of their cookie, and open one-time links.

    `holds` says whether an identity's session may go on.
    """

    def __init__(
        self,
        *,
        holds: Callable[[Identity], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holds, self._clock = holds, clock
        self._open: OrderedDict[str, tuple[float, Identity]] = OrderedDict()
        self._links: dict[str, float] = {}

    def start(self, identity: Identity) -> str:
        """Begin a session; returns the cookie's value."""
        cookie = secrets.token_urlsafe(32)
        self._open[digest(cookie)] = self._clock(), identity
        while len(self._open) > _MAX_SESSIONS:
            self._open.popitem(last=False)
        return cookie

    def find(self, cookie: str) -> Identity | None:
        """Who is logged in with this cookie; None for an unknown or old one."""
        key = digest(cookie)
        used, identity = self._open.get(key, (0.0, None))
        old = self._clock() - used > SESSION_S
        if identity is None or old or not self._holds(identity):
            self._open.pop(key, None)
            return None
        self._open[key] = self._clock(), identity
        self._open.move_to_end(key)
        return identity

    def end(self, cookie: str) -> None:
        """Log out."""
        self._open.pop(digest(cookie), None)

    def link(self) -> str:
        """A code that logs the server's owner in once."""
        code = secrets.token_urlsafe(32)
        self._links[digest(code)] = self._clock()
        return code

    def redeem(self, code: str) -> Identity | None:
        """Use up a one-time code; None for an unknown, used or old one."""
        made = self._links.pop(digest(code), None)
        if made is None or self._clock() - made > LINK_S:
            return None
        return Identity(OWNER, frozenset({"page"}), "admin")


class LoginPage:
    """The routes `/login`, `/login.js` and `/logout`.

    `passwords` are pairs of name and password, beside those of `accounts`; a token with the scope
    "page" serves as well.
    """

    def __init__(
        self,
        sessions: LoginSessions,
        keyring: Keyring,
        guesses: Guesses,
        accounts: AccountStore,
        passwords: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._sessions, self._keyring, self._guesses = sessions, keyring, guesses
        self._accounts, self._passwords = accounts, passwords
        self._hashing = anyio.CapacityLimiter(_PASSWORDS_AT_ONCE)

    def routes(self) -> list[Route]:
        """The routes, to be added in front of the page."""
        return [
            Route("/login", self._show, methods=["GET"]),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/login.js", self._script, methods=["GET"]),
            Route("/logout", self._log_out, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._form()

    async def _script(self, request: Request) -> Response:
        return Response((_FOLDER / "login.js").read_text("utf-8"), media_type="text/javascript")

    async def _log_in(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=8, max_part_size=4096)
        name, secret, code = (str(form.get(it) or "") for it in ("name", "secret", "code"))
        address = request.client.host if request.client else ""
        # A token cannot be guessed: who has one is never kept waiting by those who guess.
        identity = self._sessions.redeem(code) if code else self._of_token(secret)
        if identity is None:
            try:
                await self._guesses.delay(address)  # before the check: passwords can be guessed
            except TooManyGuesses as error:
                return self._form(f"{error}; wait {error.retry_after_s:.0f} s.", status=429)
            identity = await self._of_account(name, secret) or self._of_password(name, secret)
        if identity is None:
            self._guesses.failed(address, "link" if code else "token or password")
            wrong = (
                "This link was used or is too old."
                if code
                else "This name, token or password is not right."
            )
            return self._form(wrong, status=401)
        self._guesses.succeeded(address)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            COOKIE, self._sessions.start(identity), httponly=True, samesite="strict",
            secure=_is_encrypted(request), path="/",
        )  # fmt: skip
        return response

    async def _log_out(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE)
        return response

    async def _of_account(self, name: str, password: str) -> Identity | None:
        plain = unicodedata.normalize("NFKC", name.strip())
        return await anyio.to_thread.run_sync(
            lambda: self._accounts.log_in(plain, password), limiter=self._hashing
        )

    def _of_password(self, name: str, secret: str) -> Identity | None:
        if self._accounts.get(name) is not None:
            return None  # an account has its own password
        found = None
        for known, password in self._passwords:  # all of them: the time says nothing
            right = hmac.compare_digest(
                f"{name}\0{secret}".encode(), f"{known}\0{password}".encode()
            )
            found = Identity(known, frozenset({"page"})) if right else found
        return found

    def _of_token(self, secret: str) -> Identity | None:
        token = self._keyring.find(secret)
        return token if token is not None and "page" in token.scopes else None

    def _form(self, problem: str = "", *, status: int = 200) -> HTMLResponse:
        text = (_FOLDER / "login.html").read_text("utf-8")
        text = text.replace("{{head}}", HEAD)
        text = text.replace("{{problem}}", escape(problem))
        named = bool(self._passwords or self._accounts.records())
        text = text.replace("{{name}}", "" if named else "hidden")
        return HTMLResponse(text, status_code=status)


def _is_encrypted(request: Request) -> bool:
    """Whether the browser's connection is, also through a proxy: the browser itself says so."""
    return "https" in (request.url.scheme, request.headers.get("origin", "").partition(":")[0])
