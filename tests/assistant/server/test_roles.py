"""What each role may do: every route of the application, MCP, and cases that are shared.

The table is compared with the application's own routes: a route without a decision fails the test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from PIL import Image
from starlette.testclient import TestClient

from assistant.case.record import Case
from assistant.server.access.accounts import AccountStore
from assistant.server.access.passwords import Cost
from assistant.server.access.roles import ROLES, Role
from assistant.server.access.throttle import RateLimit
from assistant.server.access.tokens import TokenStore
from assistant.server.serving import Server
from tests.assistant.server.serving import anonymous, server_in
from tests.support.cases import astronaut_pixels
from tools.gallery.access_log import accesses

QUICK = Cost(n=16, r=1, p=1)
MAKER, OTHER = "maker", "other"

LOOKS, WORKS, KEEPS = ROLES
LEAST: dict[str, Role] = {
    "GET /api/models": WORKS,
    "POST /api/validate-face": WORKS,
    "POST /api/detect": WORKS,
    "GET /api/history/images": WORKS,
    "POST /api/history/save": WORKS,
    "GET /api/history/image/{id}": WORKS,
    "DELETE /api/history/image/{id}": WORKS,
    "POST /api/v1/checks": WORKS,
    "POST /api/v1/comparisons": WORKS,
    "POST /api/v1/handoffs": WORKS,
    "GET /api/v1/galleries": WORKS,
    "GET /api/v1/galleries/{name}": WORKS,
    "POST /api/v1/galleries/{name}/index-jobs": WORKS,
    "GET /api/v1/index-jobs": WORKS,
    "GET /api/v1/index-jobs/{id}": WORKS,
    "GET /api/v1/index-jobs/{id}/events": WORKS,
    "DELETE /api/v1/index-jobs/{id}": WORKS,
    "POST /api/v1/index-jobs/{id}/again": WORKS,
    "POST /api/v1/investigations": WORKS,
    "GET /api/v1/investigations": LOOKS,
    "GET /api/v1/investigations/{id}": LOOKS,
    "GET /api/v1/investigations/{id}/hits": LOOKS,
    "GET /api/v1/investigations/{id}/hits/{hit}": LOOKS,
    "GET /api/v1/investigations/{id}/hits/{hit}/evidence": LOOKS,
    "GET /api/v1/investigations/{id}/hits/{hit}/picture": LOOKS,
    "GET /api/v1/investigations/{id}/hits/{hit}/maps": LOOKS,
    "PUT /api/v1/investigations/{id}/hits/{hit}/decision": WORKS,
    "GET /api/v1/investigations/{id}/decisions": LOOKS,
    "POST /api/v1/investigations/{id}/reports": WORKS,
    "GET /api/v1/investigations/{id}/reports/{format}": LOOKS,
    "GET /api/v1/cases": LOOKS,
    "GET /api/v1/cases/{id}": LOOKS,
    "GET /api/v1/cases/{id}/shares": WORKS,
    "PUT /api/v1/cases/{id}/shares": WORKS,
    "GET /api/v1/cases/{id}/log": KEEPS,
}
VALUES = {"id": "0" * 24, "hit": "H1", "name": "lab", "format": "html"}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with an account of each role, and two investigators more."""
    store = AccountStore(tmp_path / "config", cost=QUICK)
    for name, role in (*zip(ROLES, ROLES, strict=True), (MAKER, WORKS), (OTHER, WORKS)):
        store.add(name, role, "four words are enough")
    made = server_in(tmp_path, mcp=True)
    made.access.rate = RateLimit(per_minute=1e9, burst=10**9)
    return made


def client_of(server: Server, account: str) -> TestClient:
    """A client with a new token of the account."""
    tokens = TokenStore(server.parts.settings.config_dir)
    secret = tokens.create(f"{account}-{len(tokens.records())}", [], account=account)
    return anonymous(server, {"Authorization": f"Bearer {secret}"})


@pytest.fixture
def case(server: Server, tmp_path: Path) -> Case:
    """A case with a photo and a written report, that its maker owns."""
    Image.fromarray(astronaut_pixels()).save(tmp_path / "ada.png")
    made = Case.create(server.parts.settings.home, gallery="forum")
    (copy,) = made.keep_photos([tmp_path / "ada.png"])
    made.begin_turn("Find fakes of Ada.", {"Q1": copy}, gallery="forum")
    (made.folder / "report.html").write_text("the report")
    server.parts.ledger.own("case", made.id, MAKER)
    return made


def routes_of(router: Any) -> Iterator[APIRoute]:
    """Every route of our own, also of included routers."""
    for each in router.routes:
        if isinstance(each, APIRoute):
            yield each
        elif inner := getattr(each, "original_router", None):
            yield from routes_of(inner)


def test_every_route_has_a_role(server: Server) -> None:
    """The table names all routes of the application and no others; none hides from the document."""
    paths = server.app.openapi()["paths"]
    described = {f"{method.upper()} {path}" for path, it in paths.items() for method in it}
    assert described == LEAST.keys()
    assert sum(len(it.methods) for it in routes_of(server.app)) == len(LEAST)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_what_the_table_says(server: Server, role: Role) -> None:
    """A lower role gets a problem that says what to do, before anything else is looked at."""
    client = client_of(server, role)
    for route, least in LEAST.items():
        method, path = route.split()
        answer = client.request(method, path.format(**VALUES))
        refused = answer.status_code == 403 and "has the role" in answer.text
        assert refused is (ROLES.index(role) < ROLES.index(least)), (route, answer.text)
        if refused:
            assert answer.headers["content-type"] == "application/problem+json"
            assert f"unmask accounts role {role} {least}" in answer.json()["detail"]
        assert answer.status_code < 500, (route, answer.text)


@pytest.mark.parametrize("path", ["/api/v1/new", "/gradio_api/upload", "/gradio_api/run/predict"])
def test_a_viewer_sends_nothing_anywhere(server: Server, path: str) -> None:
    """Also where no route decides, or a new one forgot to: the gate refuses first."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = client_of(server, LOOKS).request(method, path)
        assert (answer.status_code, "has the role" in answer.text) == (403, True)
        assert client_of(server, WORKS).request(method, path).status_code in (404, 405)


# -- cases ----------------------------------------------------------------------------------------


def seen(client: TestClient, case: Case) -> list[int]:
    """The statuses of looking at a case in every list and by its id."""
    lists = ("/api/v1/cases", "/api/v1/investigations")
    listed = [len(client.get(it).json()["items"]) for it in lists]
    one = (f"/api/v1/cases/{case.id}", f"/api/v1/investigations/{case.id}/reports/html")
    return [*listed, *(client.get(it).status_code for it in one)]


def test_a_case_is_seen_by_its_maker_those_it_is_shared_with_and_admins(
    server: Server, case: Case
) -> None:
    """Shared and withdrawn; whoever does not see it cannot tell that it exists."""
    clients = {name: client_of(server, name) for name in (LOOKS, KEEPS, MAKER, OTHER)}
    shares = f"/api/v1/cases/{case.id}/shares"
    yes, no = [1, 1, 200, 200], [0, 0, 404, 404]
    assert [seen(clients[it], case) for it in (MAKER, KEEPS, LOOKS, OTHER)] == [yes, yes, no, no]
    assert clients[OTHER].put(shares, json={"names": [OTHER]}).status_code == 404
    told = clients[MAKER].put(shares, json={"names": [LOOKS, OTHER]})
    assert told.json() == {"owner": MAKER, "names": [OTHER, LOOKS]}
    assert seen(clients[LOOKS], case) == seen(clients[OTHER], case) == yes
    refused = clients[OTHER].put(shares, json={"names": []})
    assert (refused.status_code, "its maker and admins" in refused.text) == (403, True)
    unknown = clients[MAKER].put(shares, json={"names": ["nobody"]})
    assert (unknown.status_code, "there is no account" in unknown.text) == (409, True)
    assert clients[KEEPS].put(shares, json={"names": [OTHER]}).status_code == 200
    assert seen(clients[LOOKS], case) == no
    assert clients[LOOKS].get(f"/api/v1/cases/{case.id}").json() == (
        clients[LOOKS].get("/api/v1/cases/20260101-000000-abcdef").json()
    )


def test_the_log_says_who_looked_and_who_shared(server: Server, case: Case) -> None:
    """By the account's name, not by the token's; an admin reads it through the API."""
    maker, viewer = client_of(server, MAKER), client_of(server, LOOKS)
    maker.put(f"/api/v1/cases/{case.id}/shares", json={"names": [LOOKS]})
    assert viewer.get(f"/api/v1/investigations/{case.id}/reports/html").text == "the report"
    told = [(it.who, it.what) for it in accesses(case.folder)]
    assert told == [(MAKER, "share"), (LOOKS, "open")]
    log = client_of(server, KEEPS).get(f"/api/v1/cases/{case.id}/log").json()["items"]
    assert [(it["who"], it["what"]) for it in log] == told[::-1]


def test_looking_changes_no_record(server: Server, case: Case) -> None:
    """A viewer restores a case that was not open; its entries stay as they were."""
    server.parts.cases.share(case.id, [LOOKS], by=MAKER)
    before = case.entries()
    answer = client_of(server, LOOKS).get(f"/api/v1/investigations/{case.id}")
    assert (answer.status_code, list(answer.json()["photos"])) == (200, ["Q1"])
    assert case.entries() == before


def test_a_removed_account_loses_what_was_shared_with_it(server: Server, case: Case) -> None:
    """A new account of the same name does not get it back."""
    server.parts.cases.share(case.id, [LOOKS, OTHER], by=MAKER)
    server.parts.ledger.drop_shares(LOOKS)
    assert server.parts.cases.shared_with(case.id) == [OTHER]


# -- MCP ------------------------------------------------------------------------------------------


def test_a_viewers_agent_only_reads(server: Server, case: Case) -> None:
    """It is offered two tools, and gets no other by asking for it."""
    server.parts.cases.share(case.id, [LOOKS], by=MAKER)
    entries = case.entries()

    def asked(client: TestClient, method: str, **params: object) -> dict[str, object]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        accept = {"Accept": "application/json, text/event-stream"}
        answer = client.post("/mcp", json=message, headers=accept)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["result"])

    with client_of(server, LOOKS) as viewer:
        listed = asked(viewer, "tools/list")["tools"]
        assert {it["name"] for it in listed} == {"list_investigations", "read_fact"}  # type: ignore[attr-defined]
        mine = asked(viewer, "tools/call", name="list_investigations", arguments={})
        assert case.id in str(mine["content"])
        for name, arguments in (
            ("begin_investigation", {"gallery": "forum"}),
            ("mark_hit", {"investigation": case.id, "hit": "H1", "decision": "confirmed"}),
            ("find_person", {"investigation": case.id, "photos": ["Q1"]}),
        ):
            told = asked(viewer, "tools/call", name=name, arguments=arguments)
            assert told["isError"] and "has the role viewer" in str(told["content"])
    assert case.entries() == entries
