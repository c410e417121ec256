"""Who may use the server: tokens, logins, other sites' pages, guessing, and sizes."""

import asyncio
import logging
import stat
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from assistant.server.access.accounts import OWNER
from assistant.server.access.hosts import HostPolicy
from assistant.server.access.login import LoginSessions
from assistant.server.access.roles import Identity
from assistant.server.access.run_token import Keyring, run_token, run_token_file
from assistant.server.access.throttle import (
    FREE_OVERALL,
    LONGEST_DELAY_S,
    OVERALL_DELAY_S,
    WAITING_GUESSES,
    WAITING_OVERALL,
    Guesses,
    RateLimit,
    TooManyGuesses,
)
from assistant.server.access.tokens import TokenStore
from assistant.server.serving import Server
from tests.assistant.server.serving import anonymous, client_of, server_in
from tools.errors import SetupError

pytestmark = pytest.mark.fast


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with stand-ins for the models."""
    return server_in(tmp_path)


# -- tokens ---------------------------------------------------------------------------------------


def test_a_token_is_stored_as_a_hash_by_its_owner_only(tmp_path: Path) -> None:
    """The secret is nowhere on the disk; the file is private; a revoked token opens nothing."""
    store = TokenStore(tmp_path / "config")
    secret = store.create("lab", ["check", "search"])
    assert secret.encode() not in store.path.read_bytes()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    found = store.find(secret)
    assert found is not None
    assert (found.name, found.scopes) == ("lab", {"check", "search"})
    assert store.find(secret[:-1]) is None
    store.revoke("lab")
    assert store.find(secret) is None
    assert store.records() == []


def test_slips_with_tokens_say_what_to_do(tmp_path: Path) -> None:
    """Unknown scope, name in use, unknown name; an old token is refused."""
    store = TokenStore(tmp_path)
    old = store.create("old", ["check"], days=0)
    assert store.find(old) is None
    assert store.records()[0].expired
    with pytest.raises(SetupError, match="scopes are check, search, index, page"):
        store.create("lab", ["all"])
    with pytest.raises(SetupError, match="unmask tokens revoke old"):
        store.create("old", ["check"])
    with pytest.raises(SetupError, match="there are: old"):
        store.revoke("new")


def test_a_runs_token_ends_with_the_run(tmp_path: Path) -> None:
    """The file is owner-only while the server runs, and gone afterwards."""
    file = run_token_file(tmp_path)
    with run_token(tmp_path) as secret:
        assert file.read_text().strip() == secret
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        found = Keyring(TokenStore(tmp_path), secret).find(secret)
        assert found is not None and found.name == OWNER
        assert Keyring(TokenStore(tmp_path)).find(secret) is None
    assert not file.exists()


# -- the gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api/models", "/api/v1/galleries", "/openapi.json", "/mcp", "/docs", "/nothing"]
)
def test_nothing_is_answered_without_a_token(server: Server, path: str) -> None:
    """Also not whether a path exists; the problem says how to get a token."""
    answer = anonymous(server).get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "unmask tokens create" in answer.json()["detail"]


def test_a_browser_without_a_login_is_led_to_it(server: Server) -> None:
    """Pages redirect; the API does not."""
    browser = anonymous(server, {"Accept": "text/html"})
    assert browser.get("/").headers["location"] == "/login"
    assert browser.get("/api/models").status_code == 401


def test_a_token_does_what_its_scopes_say(server: Server) -> None:
    """Another scope is needed for galleries, jobs and the page."""
    checker = client_of(server, "checker", ["check"])
    assert checker.get("/api/history/images").status_code == 200
    for path in ("/api/v1/galleries", "/api/v1/index-jobs", "/api/v1/cases", "/"):
        answer = checker.get(path)
        assert answer.status_code == 403, path
        assert "scope" in answer.json()["detail"]


def test_a_revoked_token_is_refused_at_once(server: Server) -> None:
    """The server that runs reads the store each time."""
    client = client_of(server, "lab")
    assert client.get("/api/v1/galleries").status_code == 200
    TokenStore(server.parts.settings.config_dir).revoke("lab")
    assert client.get("/api/v1/galleries").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""]
)
def test_another_host_name_is_refused(server: Server, host: str) -> None:
    """A site that points its own name here (DNS rebinding) gets nothing, even with a token."""
    answer = client_of(server, "lab").get("/api/v1/galleries", headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:9999", "null"])
def test_a_page_of_another_site_is_refused(server: Server, origin: str) -> None:
    """With a token and with a login; and no CORS header invites anyone."""
    client = client_of(server, "lab")
    answer = client.get("/api/v1/galleries", headers={"Origin": origin})
    assert answer.status_code == 403
    ours = client.get("/api/v1/galleries", headers={"Origin": "http://localhost:7860"})
    assert ours.status_code == 200
    for each in (answer, ours):
        assert not [name for name in each.headers if name.startswith("access-control")]
    preflight = client.options("/api/v1/galleries", headers={"Origin": origin})
    assert preflight.status_code == 403


def test_hosts_beyond_this_machine() -> None:
    """Addresses and named hosts are answered there; on loopback only its names."""
    wide, narrow = HostPolicy("0.0.0.0", ["lab.example.org"]), HostPolicy("127.0.0.1")  # noqa: S104
    for header in ("192.168.1.7:7860", "LAB.example.org", "[::1]:7860", "localhost"):
        assert wide.allows_host(header), header
    assert not wide.allows_host("evil.example")
    assert not narrow.allows_host("192.168.1.7:7860")
    assert not narrow.allows_host("[broken")


def test_every_answer_is_guarded(server: Server) -> None:
    """Content types, frames, referrers, caches: on the API, the login and errors."""
    client = client_of(server, "lab")
    for answer in (client.get("/api/v1/galleries"), client.get("/login"), client.get("/api/no")):
        told = answer.headers
        assert told["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in told["content-security-policy"]
        assert told["referrer-policy"] == "same-origin"
        assert told["cache-control"] == "no-store"
        assert "server" not in told


def test_a_large_request_is_refused_before_it_is_read(server: Server) -> None:
    """By its announced size, and by what arrives where none is announced."""
    client = client_of(server, "lab")
    large = b"x" * (1024 * 1024 + 1)
    announced = client.post("/api/history/save", content=large)
    in_pieces = client.post("/api/history/save", content=iter([large[:700_000], large[:700_000]]))
    lying = client.post("/api/history/save", content=b"{}", headers={"Content-Length": "-1"})
    assert (announced.status_code, in_pieces.status_code, lying.status_code) == (413, 413, 400)
    assert "at most 1 MB" in in_pieces.json()["detail"]


def test_nested_json_is_a_slip_and_no_fault(server: Server) -> None:
    """A hundred thousand brackets end as a problem document."""
    client = client_of(server, "lab")
    for text in (b"[" * 100_000, b'{"id":' * 100_000, b"{", b"\xff\xfe"):
        answer = client.post(
            "/api/history/save", content=text, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nonsense", "/api/nonsense", "/api/v1/", "/mcp/nonsense", "/openapi.json/x",
        "/api/v1/galleries/../../config/tokens.sqlite3", "/api/v1/galleries/..%2f..%2fconfig",
        "/api/v1/cases/..%2f..%2f", "/api/history/images/..%2f..%2fx",
    ],
)  # fmt: skip
def test_an_unknown_path_is_a_problem_and_no_page(server: Server, path: str) -> None:
    """Also where a page behind the API would answer everything, and for other methods."""

    async def everything(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("a page")(scope, receive, send)

    server.app.mount("", everything)
    client = client_of(server, "lab")
    assert client.get("/anything").text == "a page"
    for method in ("GET", "POST", "DELETE"):
        answer = client.request(method, path)
        assert answer.status_code in (404, 405, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/api/v1/nonsense").status_code == 404
    assert client.delete("/api/v1/galleries").status_code == 405


def test_an_unknown_parameter_is_not_passed_over(server: Server) -> None:
    """A misspelt one is named, with those that there are; the answer is not another list's."""
    client = client_of(server, "lab")
    asked = client.get("/api/v1/cases", params={"limt": 1})
    assert asked.status_code == 422
    assert "in the query: limt; there are cursor, limit" in asked.json()["detail"]
    assert "there are none" in client.get("/api/models", params={"all": 1}).json()["detail"]
    sent = client.post("/api/v1/checks", files={"photos": b"a picture"}, data={"refs": "x"})
    assert sent.status_code == 422
    assert "unknown parameters in the form: refs; there are" in sent.json()["detail"]


def test_one_token_cannot_ask_without_end(server: Server) -> None:
    """Beyond the limit the answer says when to come back; another token is not affected."""
    server.access.rate = RateLimit(per_minute=60, burst=3)
    client, other = client_of(server, "lab"), client_of(server, "other")
    told = [client.get("/api/history/images").status_code for _ in range(4)]
    assert told == [200, 200, 200, 429]
    assert client.get("/api/history/images").headers["retry-after"] == "1"
    assert other.get("/api/history/images").status_code == 200


# -- guessing -------------------------------------------------------------------------------------


def test_twelve_wrong_tokens_are_slowed_and_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The first slips are answered at once, then each takes twice as long; a right one does not."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    server.access.guesses = Guesses(sleep=sleep)
    with caplog.at_level(logging.WARNING, "assistant.server"):
        for number in range(12):
            guess = anonymous(server, {"Authorization": f"Bearer unmask_{number}"})
            assert guess.get("/api/models").status_code == 401
    assert slept == [1, 2, 4, 8, 16, *[LONGEST_DELAY_S] * 4]
    assert "wrong token from testclient (12 in a row)" in caplog.text
    assert "unmask_11" not in caplog.text
    assert client_of(server, "lab").get("/api/v1/galleries").status_code == 200
    assert len(slept) == 9


def test_guesses_at_the_same_time_are_refused() -> None:
    """Delays cannot be avoided by guessing in parallel."""

    async def flood() -> None:
        waiting = asyncio.Event()

        async def sleep(_: float) -> None:
            await waiting.wait()

        guesses = Guesses(sleep=sleep)
        for _ in range(5):
            guesses.failed("a", "password")
        tasks = [asyncio.create_task(guesses.delay("a")) for _ in range(WAITING_GUESSES)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyGuesses):
            await guesses.delay("a")
        await guesses.delay("b")  # another address
        waiting.set()
        await asyncio.gather(*tasks)

    asyncio.run(flood())


def test_guesses_from_many_addresses_lock_nobody_out() -> None:
    """Strangers wait a little, a known address and a right token do not; waiting has an end."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def guess() -> None:
        guesses = Guesses(sleep=sleep)
        guesses.succeeded("ada")
        for number in range(FREE_OVERALL):
            await guesses.delay(f"10.0.{number}.1")
            guesses.failed(f"10.0.{number}.1", "password")
        assert slept == []
        await guesses.delay("10.1.0.1")
        assert slept == [OVERALL_DELAY_S]
        await guesses.delay("ada")
        assert len(slept) == 1
        guesses._overall.waiting = WAITING_OVERALL
        with pytest.raises(TooManyGuesses):
            await guesses.delay("10.1.0.2")
        await guesses.delay("ada")

    asyncio.run(guess())


def test_a_right_token_never_waits_at_the_login(server: Server) -> None:
    """Not even from an address that guesses in parallel."""
    secret = TokenStore(server.parts.settings.config_dir).create("lab", ["page"])
    record = server.access.guesses._record("testclient")
    record.failures, record.waiting = 50, WAITING_GUESSES
    assert page_of(server).post("/login", data={"secret": "wrong"}).status_code == 429
    assert page_of(server).post("/login", data={"secret": secret}).status_code == 303


def test_a_guessed_session_opens_nothing(server: Server) -> None:
    """Neither a made-up cookie nor one of another server; a name in a header is not believed."""
    other = LoginSessions().start(Identity("ada", frozenset({"page"})))
    for cookie in ("", "1", "owner", "../../x", other):
        browser = page_of(server)
        browser.headers |= {"X-Forwarded-User": "owner", "X-Forwarded-For": "127.0.0.1"}
        browser.cookies.set("unmask_login", cookie)
        assert browser.get("/").headers["location"] == "/login"
        assert browser.get("/api/v1/galleries").status_code == 401


def test_behind_an_encrypting_proxy_the_cookie_is_for_encrypted_use(server: Server) -> None:
    """The browser says how it came; nothing that a proxy adds is read."""
    for origin, secure in (("https://localhost:7860", True), ("http://localhost:7860", False)):
        code = server.access.logins.link()
        browser = anonymous(server, {"Origin": origin, "X-Forwarded-Proto": "https"})
        cookie = browser.post("/login", data={"code": code}).headers["set-cookie"].lower()
        assert ("secure" in cookie) is secure


# -- the page's login -----------------------------------------------------------------------------


def page_of(server: Server) -> TestClient:
    """A browser."""
    return anonymous(server, {"Accept": "text/html", "Origin": "http://localhost:7860"})


def test_a_login_opens_the_page_and_nothing_else(tmp_path: Path) -> None:
    """With a password or a token; the cookie is the page's, and no script can read it."""
    server = server_in(tmp_path, auth="ada:right")
    secret = TokenStore(server.parts.settings.config_dir).create("lab", ["page"])
    for form in ({"name": "ada", "secret": "right"}, {"secret": secret}):
        browser = page_of(server)
        assert browser.post("/login", data={"name": "ada", "secret": "wrong"}).status_code == 401
        answer = browser.post("/login", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert browser.get("/").status_code == 404  # this server has no page
        assert browser.get("/api/v1/galleries").status_code == 401
        assert browser.post("/logout").headers["location"] == "/login"
        assert browser.get("/").headers["location"] == "/login"


def test_wrong_passwords_are_slowed_before_they_are_checked(tmp_path: Path) -> None:
    """The right password waits as well once many wrong ones came, and ends the row."""
    server = server_in(tmp_path, auth="ada:right")
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    server.access.guesses._sleep = sleep
    browser = page_of(server)
    for number in range(12):
        browser.post("/login", data={"name": "ada", "secret": str(number)})
    assert slept == [1, 2, 4, 8, 16, *[LONGEST_DELAY_S] * 4]
    assert browser.post("/login", data={"name": "ada", "secret": "right"}).status_code == 303
    assert len(slept) == 10
    browser.post("/login", data={"name": "ada", "secret": "slip"})
    assert len(slept) == 10


def test_a_link_logs_in_once(server: Server) -> None:
    """The code of a link is used up."""
    code = server.access.logins.link()
    assert page_of(server).post("/login", data={"code": code}).status_code == 303
    assert page_of(server).post("/login", data={"code": code}).status_code == 401


def test_another_site_cannot_log_anyone_in(server: Server) -> None:
    """A form of another site is refused before it counts as a guess."""
    answer = anonymous(server, {"Origin": "https://evil.example"}).post(
        "/login", data={"secret": "x"}
    )
    assert answer.status_code == 403
