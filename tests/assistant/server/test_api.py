"""The REST API over a small real case: every route once, and nothing across users."""

import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from starlette.testclient import TestClient

from assistant import Unmask
from assistant.server.access.roles import Identity
from assistant.server.serving import Server
from assistant.server.work.investigations import Investigation
from assistant.server.work.ledger import Ledger
from tests.assistant.server.serving import client_of, server_in
from tests.support.cases import GALLERY


@pytest.fixture(scope="module")
def server(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a copy of the case's gallery, with its models."""
    folder = tmp_path_factory.mktemp("server")
    copytree(case.settings.home / "galleries", folder / "home" / "galleries")
    (folder / "allowed" / "inside").mkdir(parents=True)
    yield server_in(folder, case.models, folders=(folder / "allowed",))


@pytest.fixture(scope="module")
def ada(server: Server) -> TestClient:
    """A user with all scopes."""
    return client_of(server, "ada")


@pytest.fixture(scope="module")
def bob(server: Server) -> TestClient:
    """Another user with all scopes."""
    return client_of(server, "bob")


@pytest.fixture(scope="module")
def portrait(case: Unmask) -> bytes:
    """The query photo's bytes."""
    return (case.settings.home / "SECRET_NAME.png").read_bytes()


def search(client: TestClient, photo: bytes, **more: str) -> dict[str, object]:
    """An investigation of the photo's person."""
    answer = client.post(
        "/api/v1/investigations", files=[("photos", ("ada.png", photo))],
        data={"gallery": GALLERY, "top": "3"}, headers=more,
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def found(ada: TestClient, portrait: bytes) -> dict[str, object]:
    """Ada's investigation, searched once."""
    return search(ada, portrait, **{"Idempotency-Key": "first"})


def test_a_search_is_a_case_with_findings(
    ada: TestClient, found: dict[str, object], server: Server
) -> None:
    """The shape is that of reports; the case is recorded, verified and logged under the name."""
    findings = found["findings"]
    assert isinstance(findings, dict)
    verdicts = [it["verdict"] for it in findings["hits"]]
    assert verdicts[0] == "impersonation" and "copy" in verdicts
    assert findings["hits"][0]["decision"] is None
    assert str(server.parts.settings.home / "cases") not in str(findings["query"])
    record = ada.get(f"/api/v1/cases/{found['id']}").json()
    assert (record["ok"], record["signature"]) == (True, "valid")
    assert record["photos"] == [it["image_id"] for it in findings["query"]]
    assert str(server.parts.settings.home) not in str(ada.get("/api/v1/cases").json())
    log = server.parts.settings.home / "cases" / str(found["id"]) / "access.jsonl"
    assert '"who": "ada", "what": "search"' in log.read_text()


def test_hits_evidence_pictures_and_maps(ada: TestClient, found: dict[str, object]) -> None:
    """Page by page, by verdict, and one by one; pictures are never cached."""
    base = f"/api/v1/investigations/{found['id']}"
    first = ada.get(f"{base}/hits", params={"limit": 1}).json()
    second = ada.get(f"{base}/hits", params={"limit": 1, "cursor": first["next"]}).json()
    assert [first["items"][0]["rank"], second["items"][0]["rank"]] == [1, 2]
    copies = ada.get(f"{base}/hits", params={"verdict": "copy"}).json()["items"]
    assert {it["verdict"] for it in copies} == {"copy"}
    assert ada.get(f"{base}/hits/H1").json() == first["items"][0]
    assert ada.get(f"{base}/hits/H1/evidence").json() == first["items"][0]["evidence"]
    picture = ada.get(f"{base}/hits/H1/picture", params={"longest_px": 64})
    assert (picture.headers["content-type"], picture.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert picture.headers["cache-control"] == "no-store"
    maps = ada.get(f"{base}/hits/H1/maps").json()
    assert maps and all(it["image"].startswith("data:image/jpeg") for it in maps)
    assert all(it["limits"] for it in maps)
    gone = ada.get(f"{base}/hits/H99")
    assert (gone.status_code, "hits are H1" in gone.json()["detail"]) == (404, True)


def test_decisions_are_signed_with_the_tokens_name_and_reported(
    ada: TestClient, found: dict[str, object]
) -> None:
    """A decision changes no verdict; reports come in every format by its name."""
    base = f"/api/v1/investigations/{found['id']}"
    made = ada.put(f"{base}/hits/H2/decision", json={"decision": "confirmed"}).json()
    assert (made["hit"], made["decision"], made["user"]) == ("H2", "confirmed", "ada")
    assert ada.get(f"{base}/decisions").json() == [made]
    assert ada.put(f"{base}/hits/H2/decision", json={"decision": "sure"}).status_code == 422
    unread = ada.put(f"{base}/hits/H2/decision", json={"decision": "none", "note": "a forum's"})
    assert (unread.status_code, ada.get(f"{base}/decisions").json()) == (422, [made])
    small = ada.get(f"{base}/hits/h2").json()["detail"]
    assert "'^H[1-9]" in small, "the pattern itself, not in lower case"
    words = ada.post("/api/v1/checks", data={"photos": "words"}).json()["detail"]
    assert words == "body.photos.0: should be a file"
    assert ada.get(f"/api/v1/cases/{found['id']}").json()["state"] == "answered"
    table = ada.post(f"{base}/reports", json={"format": "csv"})
    assert "confirmed" in table.text and "attachment" in table.headers["content-disposition"]
    wrong = ada.post(f"{base}/reports", json={"format": "../../etc/passwd"})
    assert (wrong.status_code, "formats are" in wrong.json()["detail"]) == (422, True)


def test_another_user_sees_nothing_of_it(
    ada: TestClient, bob: TestClient, found: dict[str, object]
) -> None:
    """Every route with a guessed id answers as for an id that does not exist."""
    base = f"/api/v1/investigations/{found['id']}"
    reading = ("", "/hits", "/hits/H1", "/hits/H1/evidence", "/hits/H1/picture", "/hits/H1/maps",
               "/decisions")  # fmt: skip
    told = [bob.get(base + path) for path in reading]
    told += [bob.put(f"{base}/hits/H1/decision", json={"decision": "hidden"})]
    told += [bob.post(f"{base}/reports", json={"format": "json"})]
    told += [bob.get(f"/api/v1/cases/{found['id']}")]
    assert {answer.status_code for answer in told} == {404}
    unknown = ada.get("/api/v1/investigations/20260101-000000-abcdef")
    assert unknown.json() == told[0].json()
    assert bob.get("/api/v1/cases").json()["items"] == []
    assert bob.get("/api/v1/investigations").json()["items"] == []
    assert ada.get("/api/v1/investigations").json()["items"] == [found["id"]]
    for path in ("..%2f..%2fetc", "%00", "a" * 65):
        assert ada.get(f"/api/v1/investigations/{path}").status_code in (404, 422)


def test_the_same_key_is_the_same_investigation(
    ada: TestClient, found: dict[str, object], portrait: bytes
) -> None:
    """A repeated request begins no second case; other content is refused."""
    assert search(ada, portrait, **{"Idempotency-Key": "first"})["id"] == found["id"]
    answer = ada.post(
        "/api/v1/investigations", files=[("photos", ("ada.png", portrait))],
        data={"gallery": GALLERY, "top": "2"}, headers={"Idempotency-Key": "first"},
    )  # fmt: skip
    assert answer.status_code == 422


def test_an_investigation_is_restored_after_a_restart(
    server: Server, ada: TestClient, found: dict[str, object]
) -> None:
    """Its search is repeated from the record; decisions are kept."""
    server.parts.investigations._open.clear()
    again = ada.get(f"/api/v1/investigations/{found['id']}").json()
    assert again["photos"] == found["photos"]
    assert again["findings"]["hits"][1]["decision"]["decision"] == "confirmed"


def test_a_query_that_cannot_serve_says_why(ada: TestClient, case: Unmask) -> None:
    """Several faces: their boxes; no picture: its name as it was sent; no gallery: what to do."""
    home = case.settings.home
    group = ada.post(
        "/api/v1/investigations", data={"gallery": GALLERY},
        files=[("photos", ("../group.png", (home / "SECRET_GROUP.png").read_bytes()))],
    )  # fmt: skip
    assert group.status_code == 422
    assert len(group.json()["faces"]) == 6
    text = ada.post(
        "/api/v1/investigations", data={"gallery": GALLERY},
        files=[("photos", ("../../notes.jpg", b"no picture"))],
    )  # fmt: skip
    assert text.json()["detail"].startswith("'notes.jpg': not an image: not a known image")
    assert (
        ada.get("/api/v1/cases").json()["items"][0]["state"] == "failed"
    )  # the group, no empty case
    nowhere = ada.post(
        "/api/v1/investigations", data={"gallery": "none"},
        files=[("photos", ("a.png", b"x"))],
    )  # fmt: skip
    assert nowhere.status_code == 409
    assert not list((home / "uploads").glob("api-*"))


def test_checks_and_comparisons_keep_nothing(
    ada: TestClient, portrait: bytes, server: Server
) -> None:
    """Files are named as they were sent, without folders; nothing stays on the disk."""
    checked = ada.post(
        "/api/v1/checks",
        files=[("photos", ("x/y/a.png", portrait)), ("references", ("ref.png", portrait))],
    ).json()
    assert (checked["faces"][0]["verdict"], checked["faces"][0]["path"]) == ("copy", "a.png")
    assert checked["references"] == ["ref.png"]
    compared = ada.post(
        "/api/v1/comparisons",
        files=[("first", ("a.png", portrait)), ("second", ("a.png", portrait))],
    ).json()
    assert (compared["same_photograph"], compared["second"]) == (True, "2-a.png")
    archive = b"PK\x03\x04" + b"\0" * 26 + b"../../../etc/passwd"
    refused = ada.post("/api/v1/checks", files=[("photos", ("a.zip", archive))]).json()
    (problem,) = refused["problems"]
    assert problem["path"] == "a.zip"
    assert problem["reason"].startswith("not an image: ") and "a.zip" not in problem["reason"]
    wrong = ada.post(
        "/api/v1/checks", files=[("photos", ("a.png", portrait))], data={"faces": '{"b.png": 1}'}
    )
    assert "there are: a.png" in wrong.json()["detail"]
    assert list(server.parts.uploads.iterdir()) == []


def test_the_small_applications_endpoints(
    ada: TestClient, bob: TestClient, portrait: bytes, case: Unmask
) -> None:
    """Models, validation, detection, and a history that only holds what was computed here."""
    models = ada.get("/api/models").json()
    assert "face/unifd_linear" in {it["name"] for it in models["models"]}
    cup = (case.settings.home / "SECRET_CUP.png").read_bytes()
    valid = ada.post("/api/validate-face", files={"image": ("a.png", portrait)}).json()
    assert (valid["valid"], len(valid["faces"])) == (True, 1)
    assert ada.post("/api/validate-face", files={"image": ("c.png", cup)}).json()["valid"] is False
    assert ada.post("/api/detect", files={"image": ("c.png", cup)}).status_code == 422
    made = ada.post("/api/detect", files={"image": ("a.png", portrait)}).json()
    assert made["result"]["faces"][0]["verdict"] in ("no forgery found", "inconclusive", "forged")
    assert bob.post("/api/history/save", json={"id": made["id"]}).status_code == 422
    kept = ada.post("/api/history/save", json={"id": made["id"], "result": {"faces": []}}).json()
    assert kept["result"] == made["result"]
    assert [it["id"] for it in ada.get("/api/history/images").json()["items"]] == [made["id"]]
    assert bob.get("/api/history/images").json()["items"] == []
    assert bob.get(f"/api/history/image/{made['id']}").status_code == 404
    assert bob.delete(f"/api/history/image/{made['id']}").status_code == 404
    assert ada.get(f"/api/history/image/{made['id']}").content[:2] == b"\xff\xd8"
    assert ada.delete(f"/api/history/image/{made['id']}").status_code == 204
    assert ada.delete(f"/api/history/image/{made['id']}").status_code == 404


def test_a_gallery_is_filled_by_a_job_that_tells_its_progress(
    ada: TestClient, bob: TestClient, portrait: bytes
) -> None:
    """Server-sent events until the end; the job is the sender's; the gallery is everyone's."""
    job = ada.post("/api/v1/galleries/new/index-jobs", files=[("files", ("a.png", portrait))])
    assert job.status_code == 202
    id = job.json()["id"]
    with ada.stream("GET", f"/api/v1/index-jobs/{id}/events") as events:
        lines = list(events.iter_lines())
    assert lines[-3] == "event: end"
    ended = ada.get(f"/api/v1/index-jobs/{id}").json()
    assert (ended["state"], ended["summary"]["images_added"]) == ("done", 1)
    assert [it["id"] for it in ada.get("/api/v1/index-jobs").json()["items"]] == [id]
    assert bob.get(f"/api/v1/index-jobs/{id}").status_code == 404
    assert bob.delete(f"/api/v1/index-jobs/{id}").status_code == 404
    assert bob.get("/api/v1/galleries/new").json()["images"] == 1
    assert ada.get("/api/v1/galleries/none").status_code == 404
    assert {it["name"] for it in ada.get("/api/v1/galleries").json()["items"]} == {GALLERY, "new"}


def test_only_allowed_folders_are_indexed(ada: TestClient, server: Server, tmp_path: Path) -> None:
    """No path leads out of them: not by dots, not by a link."""
    (allowed,) = server.parts.settings.folders
    (allowed / "link").symlink_to(tmp_path)
    url = "/api/v1/galleries/folder/index-jobs"
    for wrong in (
        "/etc",
        f"{allowed}/..",
        f"{allowed}/inside/../..",
        f"{allowed}/link",
        "a\0b",
        "~",
    ):
        answer = ada.post(url, data={"folder": wrong})
        assert (answer.status_code, "UNMASK_FOLDERS" in answer.text) == (409, True), wrong
    assert ada.post(url, data={"folder": f"{allowed}/inside"}).status_code == 202
    assert ada.post(url, data={}).status_code == 422
    assert ada.post("/api/v1/galleries/..%2fx/index-jobs", data={"folder": "x"}).status_code == 404


def test_a_restart_says_that_a_job_was_interrupted(case: Unmask, tmp_path: Path) -> None:
    """It is still listed, and starting it again continues it."""
    folder = tmp_path / "home" / "dropped" / "old"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("no picture, and quickly read")
    died = Ledger(tmp_path / "home")
    id = "a" * 24
    died.own("job", id, "ada")
    died.record_job(
        id, gallery="old", source=str(folder), state="running",
        body={"progress": None, "problem": ""},
    )  # fmt: skip
    died.close()
    server = server_in(tmp_path, case.models)
    ada = client_of(server, "ada")
    told = ada.get(f"/api/v1/index-jobs/{id}").json()
    assert told["state"] == "interrupted"
    assert "start it again" in told["problem"]
    seen = server.parts.indexer.job("old")
    assert seen is not None and seen.interrupted  # the page shows the same
    again = ada.post(f"/api/v1/index-jobs/{id}/again")
    assert again.status_code == 202
    job = server.parts.indexer.job_of_id(again.json()["id"])
    assert job is not None and job.done.wait(20)
    assert job.state == "done"


def test_a_client_that_leaves_stops_its_search(
    server: Server, ada: TestClient, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The case says that it was stopped, and the next request is not kept waiting."""
    stopped: list[threading.Event] = []
    whole = Investigation.call

    def call(
        self: Investigation, name: str, arguments: object, *, who: Identity, stop: threading.Event
    ) -> object:
        stop.set()  # as when the connection closes
        stopped.append(stop)
        return whole(self, name, arguments, who=who, stop=stop)  # type: ignore[arg-type]

    monkeypatch.setattr(Investigation, "call", call)
    answer = ada.post(
        "/api/v1/investigations", files=[("photos", ("ada.png", portrait))],
        data={"gallery": GALLERY}, headers={"Idempotency-Key": "left"},
    )  # fmt: skip
    assert answer.status_code == 503
    newest = ada.get("/api/v1/investigations").json()["items"][0]
    record = server.parts.investigations.case(Identity("ada", frozenset()), newest)
    assert type(record.steps()[-1]).__name__ == "Stopped"
    assert server.parts.ledger.claim_key("ada", "left", "again") is None
    assert ada.get("/api/models").status_code == 200


def test_a_fault_shows_nothing_of_itself(ada: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem document of a bug names no file and no value."""

    def broken(*_: object) -> None:
        raise KeyError("SECRET")

    monkeypatch.setattr("assistant.server.api.galleries.describe_gallery", broken)
    answer = ada.get("/api/v1/galleries")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "SECRET" not in answer.text
