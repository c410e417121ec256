"""A server that listens: real MCP clients over stdio and HTTP, and the Python client."""

import base64
import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import anyio
import httpx
import httpx2
import numpy as np
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from assistant import Unmask
from assistant.profile import LoadedModels
from assistant.server.access.roles import SCOPES, Identity
from assistant.server.access.tokens import TokenStore
from assistant.server.client import RequestRefused, UnmaskClient
from assistant.server.serving import Server, listen
from tests.assistant.server.serving import server_in
from tests.support.cases import GALLERY, group_pixels
from tests.support.paths import ROOT
from tools.agent_tools.photo_description import image_content_block
from tools.faces.analyser import Face
from tools.media.pictures.decoding import image_id


@pytest.fixture(scope="module")
def folder(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the case's gallery, and an allowed folder with a photo."""
    made = tmp_path_factory.mktemp("mcp")
    copytree(case.settings.home / "galleries", made / "home" / "galleries")
    (made / "photos").mkdir()
    (made / "photos" / "ada.png").write_bytes((case.settings.home / "SECRET_NAME.png").read_bytes())
    return made


@pytest.fixture(scope="module")
def server(case: Unmask, folder: Path) -> Server:
    """A server with MCP."""
    return server_in(folder, case.models, mcp=True, port=0, folders=(folder / "photos",))


def said(result: Any) -> dict[str, Any]:
    """The JSON in a tool's result."""
    assert not result.is_error, result.content
    return dict(json.loads(result.content[0].text))


async def investigate(client: Client, *, search: bool) -> None:
    """What an agent does: begin, add a photo by its handle, search, look at a hit."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert "find_person" in tools and "begin_investigation" in tools
    assert tools["find_person"].input_schema["required"][:2] == ["investigation", "photos"]
    assert GALLERY in said(await client.call_tool("list_galleries", {}))["galleries"]
    begun = said(await client.call_tool("begin_investigation", {"gallery": GALLERY}))
    here = {"investigation": begun["investigation"]}
    (handle,) = said(await client.call_tool("list_files", {}))["files"]
    refused = await client.call_tool("add_photo", {**here, "file": "/etc/passwd"})
    assert refused.is_error and "list_files" in refused.content[0].text
    if not search:
        return
    added = said(await client.call_tool("add_photo", {**here, "file": handle}))
    found = said(await client.call_tool("find_person", {**here, "photos": [added["photo"]]}))
    assert found["hits"][0] == {**found["hits"][0], "id": "H1", "verdict": "impersonation"}
    looked = await client.call_tool("describe_image", {**here, "image": "H1"})
    assert [block.type for block in looked.content] == ["text", "image"]
    fact = said(await client.call_tool("read_fact", {**here, "fact": "H1.E1"}))
    assert fact["id"] == "H1.E1" and isinstance(fact["value"], float)
    wrong = await client.call_tool("score_fake", {**here, "image": "H99"})
    assert wrong.is_error and "hits are H1" in wrong.content[0].text


def test_an_agent_over_stdio(folder: Path, config: Path) -> None:
    """The command that an agent's program starts; nothing but the protocol is on its stdout."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "assistant.cli.main", "mcp", "--folder", str(folder / "photos")],
        env={
            **os.environ, "UNMASK_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT),
            "UNMASK_CONFIG_DIR": str(config),
        },
    )  # fmt: skip

    async def talk() -> None:
        async with Client(command, read_timeout_seconds=60) as client:
            assert "no\nforgery found" in (client.instructions or "")
            await investigate(client, search=False)

    anyio.run(talk)


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """The address of the server, which runs in a thread."""
    told, started = list[str](), threading.Event()

    def on_start(address: str) -> None:
        told.append(address)
        started.set()

    thread = threading.Thread(
        target=lambda: listen(server, on_start=on_start, stop=ended), daemon=True
    )
    ended = threading.Event()
    thread.start()
    assert started.wait(20)
    yield told[0]
    ended.set()
    thread.join(20)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_an_agent_over_http(server: Server, address: str, case: Unmask) -> None:
    """With a token; cases belong to it, and without one nothing is answered."""
    store = TokenStore(server.parts.settings.config_dir)
    ada, bob = (store.create(name, ["search"]) for name in ("ada", "bob"))
    checker = store.create("checker", ["check"])

    def opened(token: str) -> Client:
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60)
        return Client(streamable_http_client(f"{address}/mcp", http_client=http))

    async def talk() -> None:
        async with opened(ada) as client:
            await investigate(client, search=True)
            mine = said(await client.call_tool("list_investigations", {}))["investigations"]
            photo = (case.settings.home / "SECRET_NAME.png").read_bytes()
            sent = {"investigation": mine[0], "data": base64.b64encode(photo).decode()}
            assert said(await client.call_tool("add_photo", sent)) == {"photo": "Q1"}
            text = {**sent, "data": "bm8gcGljdHVyZQ=="}
            assert (await client.call_tool("add_photo", text)).is_error
        async with opened(bob) as client:
            assert said(await client.call_tool("list_investigations", {})) == {"investigations": []}
            stolen = {"investigation": mine[0], "image": "H1"}
            answer = await client.call_tool("score_fake", stolen)
            assert answer.is_error and "no such investigation" in answer.content[0].text
        async with opened(checker) as client:
            refused = await client.call_tool("list_galleries", {})
            assert refused.is_error and "scope" in refused.content[0].text
        async with httpx2.AsyncClient() as nobody:
            told = await nobody.post(f"{address}/mcp", json={})
            assert told.status_code == 401
            named = {"Host": "evil.example", "Authorization": f"Bearer {ada}"}
            assert (await nobody.post(f"{address}/mcp", headers=named)).status_code == 421

    anyio.run(talk)
    maker = Identity("ada", frozenset())
    kept = server.parts.investigations.of(maker)
    assert [it.damaged for it in kept] == [""]
    photos = server.parts.investigations.case(maker, kept[0].id).photos()
    assert {image_id(it.read_bytes()) for it in photos.values()} == {
        it.name for it in photos.values()
    }


def pixels_of(block: Any) -> np.ndarray:
    """The picture (h, w, 3) of a content block."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(block.data))).convert("RGB"))


def changes(shown: np.ndarray, faces: Sequence[Face], pixels: np.ndarray) -> list[float]:
    """Mean change of each face in grey levels, against the whole picture at the same size."""
    plain = image_content_block(pixels)["base64"]
    before = np.asarray(Image.open(io.BytesIO(base64.b64decode(plain))).convert("RGB"))
    difference = np.abs(shown.astype(int) - before)
    scale = shown.shape[1] / pixels.shape[1]
    boxes = [np.round(np.asarray(face.box) * scale).astype(int) for face in faces]
    return [float(difference[top:bottom, left:right].mean()) for left, top, right, bottom in boxes]


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_an_agent_sees_only_the_face_in_question(
    server: Server, address: str, case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hit, and in a photo once its face is chosen; the user can have everybody shown."""
    pixels = group_pixels()
    faces = list(case.models.faces.analyse([pixels])[0])
    token = TokenStore(server.parts.settings.config_dir).create("looker", ["search"])
    headers = {"Authorization": f"Bearer {token}"}

    async def talk() -> tuple[list[float], ...]:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=300) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
        ):
            begun = said(await client.call_tool("begin_investigation", {"gallery": GALLERY}))
            here = {"investigation": begun["investigation"]}
            home, handles = case.settings.home, list[str]()
            for name in ("SECRET_NAME.png", "SECRET_GROUP.png"):
                data = base64.b64encode((home / name).read_bytes()).decode()
                added = said(await client.call_tool("add_photo", {**here, "data": data}))
                handles.append(added["photo"])
            portrait, group = handles

            async def looked(handle: str) -> list[float]:
                told = await client.call_tool("describe_image", {**here, "image": handle})
                assert not told.is_error, told.content
                return changes(pixels_of(told.content[1]), faces, pixels)

            open_ = await looked(group)
            said(await client.call_tool("find_person", {**here, "photos": [portrait]}))
            who = Identity("looker", frozenset())
            workspace = server.parts.investigations.find(who, begun["investigation"]).workspace
            (hit,) = [it for it in workspace.hits if it.path.name == "group.png"]
            (own,) = [at for at, it in enumerate(faces) if np.allclose(it.box, hit.box, atol=3)]
            of_hit = await looked(hit.handle)
            assert of_hit.pop(own) < 3
            one = {**here, "photos": [group], "face": 2, "top": 1}
            said(await client.call_tool("find_person", one))
            of_photo = await looked(group)
            assert of_photo.pop(1) < 3
            monkeypatch.setattr(
                LoadedModels, "show_bystanders", property(lambda _: True), raising=True
            )
            return open_, of_hit, of_photo, await looked(group)

    open_, of_hit, of_photo, everybody = anyio.run(talk)
    assert max(open_) < 1 and max(everybody) < 1
    assert len(of_hit) == len(of_photo) == len(faces) - 1
    assert min(of_hit) > 8 and min(of_photo) > 8


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_no_header_gives_a_guess_another_address(server: Server, address: str) -> None:
    """What a proxy would add is not believed: a guess counts for the connection's address."""
    headers = {"Authorization": "Bearer unmask_x", "X-Forwarded-For": "203.0.113.9"}
    told = httpx.get(f"{address}/api/models", headers=headers)
    assert (told.status_code, told.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert list(server.access.guesses._records) == ["127.0.0.1"]


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_python_client(server: Server, address: str, case: Unmask) -> None:
    """Typed answers over the same routes, and the server's sentence for an error."""
    photo = case.settings.home / "SECRET_NAME.png"
    token = TokenStore(server.parts.settings.config_dir).create("eve", SCOPES)
    with UnmaskClient(address, token) as client:
        assert GALLERY in [it.name for it in client.galleries()]
        made = client.investigate(photo, gallery=GALLERY, top=2)
        assert [it.rank for it in client.hits(made.id)] == [1, 2]
        assert client.decide(made.id, "H1", "rejected").user == "eve"
        found = client.investigation(made.id).findings
        assert found is not None and found.hits[0].decision is not None
        assert client.report(made.id, "csv").startswith(b"rank,verdict")
        with pytest.raises(RequestRefused, match="no gallery 'none'"):
            client.investigate(photo, gallery="none")


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_readmes_client_runs(
    server: Server, address: str, case: Unmask, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The example as it stands, on another port and with a stored token."""
    photo = (case.settings.home / "SECRET_NAME.png").read_bytes()
    for name in ("ada.jpg", "suspect.jpg"):
        (tmp_path / name).write_bytes(photo)
    monkeypatch.chdir(tmp_path)
    token = TokenStore(server.parts.settings.config_dir).create("reader", SCOPES)
    text = (ROOT / "README.md").read_text("utf-8")
    (code,) = [it for it in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Client" in it]
    assert "UnmaskClient()" in code
    code = code.replace("UnmaskClient()", f"UnmaskClient({address!r}, {token!r})")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
    told = capsys.readouterr().out
    assert "done" in told and "1 copy" in told


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_closing_the_connection_stops_the_search(
    server: Server, address: str, case: Unmask
) -> None:
    """The case ends with "stopped", and the models are free for the next request."""
    secret = TokenStore(server.parts.settings.config_dir).create("leaver", SCOPES)
    photo = case.settings.home / "SECRET_NAME.png"
    with server.parts.lane.turns.taken(), UnmaskClient(address, secret, wait_s=1) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.investigate(photo, gallery=GALLERY)
        until = time.monotonic() + 10
        while server.parts.lane.turns.is_waited_for and time.monotonic() < until:
            time.sleep(0.05)
        assert not server.parts.lane.turns.is_waited_for
    assert server.parts.investigations.of(Identity("leaver", frozenset())) == []
