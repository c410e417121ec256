"""The extension's files, its way past the gate, handed pictures, and the page as an app."""

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from assistant.server.access.hosts import EXTENSION
from assistant.server.browser.extension import write_extension
from assistant.server.browser.web_app import OPEN_PATHS
from assistant.server.serving import Server
from assistant.server.work.handoffs import MOST_BYTES, WAITING_S, Handoff, Handoffs
from tests.assistant.server.serving import ADDRESS, anonymous, client_of, server_in
from tools.errors import SetupError

pytestmark = pytest.mark.fast

FIREFOX = "moz-extension://0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with stand-ins for the models."""
    return server_in(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The written extension."""
    made = tmp_path_factory.mktemp("browser") / "extension"
    write_extension(made)
    return made


# -- the extension's files ------------------------------------------------------------------------


def test_the_extension_is_written_whole(folder: Path) -> None:
    """Every file that its manifest and pages name is there, and nothing from elsewhere."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    pages = "".join(page.read_text("utf-8") for page in folder.glob("*.html"))
    scripts = "".join(script.read_text("utf-8") for script in folder.glob("*.js"))
    named = {
        *manifest["icons"].values(), *manifest["action"]["default_icon"].values(),
        manifest["options_ui"]["page"], *manifest["background"]["scripts"],
        *re.findall(r'(?:src|href)="([^"]+)"', pages), *re.findall(r'from "\./([^"]+)"', scripts),
        *re.findall(r"`(\w+\.html)", scripts),
    }  # fmt: skip
    assert named | {"manifest.json"} == {it.name for it in folder.iterdir()}
    for size, name in manifest["icons"].items():
        with Image.open(folder / name) as icon:
            assert icon.size == (int(size), int(size))


def test_the_extension_asks_for_no_page(folder: Path) -> None:
    """Its permissions give it this machine, and a page only when one of its pictures is pressed."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert set(manifest["permissions"]) == {"contextMenus", "activeTab", "scripting", "storage"}
    hosts = {re.sub(r"^https?://|/\*$", "", it) for it in manifest["host_permissions"]}
    assert hosts == {"127.0.0.1", "localhost"}
    assert not {"content_scripts", "externally_connectable", "web_accessible_resources"} & {
        *manifest
    }
    told = (folder / "options.html").read_text("utf-8")
    assert all(it in told for it in manifest["permissions"])


def test_texts_of_pages_are_data(folder: Path) -> None:
    """Only textContent is set, no text becomes a script, and only this machine can be reached."""
    policy = json.loads((folder / "manifest.json").read_text("utf-8"))["content_security_policy"]
    rules = dict(it.split(" ", 1) for it in policy["extension_pages"].split("; "))
    assert rules["default-src"] == "'none'" and rules["script-src"] == "'self'"
    assert {re.sub(r"^https?://|:\*$", "", it) for it in rules["connect-src"].split()} == {
        "127.0.0.1", "localhost",
    }  # fmt: skip
    for script in folder.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function",
            script.read_text("utf-8"),
        ), script.name


def test_another_folder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """Writing again renews the files; a folder of other files is refused and stays as it is."""
    (folder / "panel.js").write_text("old")
    write_extension(folder)
    assert (folder / "panel.js").read_text("utf-8") != "old"
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(SetupError, match="name a new folder"):
        write_extension(tmp_path)
    assert [it.name for it in tmp_path.iterdir()] == ["letter.txt"]


# -- its way past the gate ------------------------------------------------------------------------


def test_the_extension_passes_with_its_token_only(server: Server, folder: Path) -> None:
    """Its origin follows from its manifest; it opens no more than what the token is for."""
    key = base64.b64decode(json.loads((folder / "manifest.json").read_text("utf-8"))["key"])
    letters = (
        hashlib.sha256(key)
        .hexdigest()[:32]
        .translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
    )
    assert f"chrome-extension://{letters}" == EXTENSION
    client = client_of(server, "browser", ["check"])
    for origin in (EXTENSION, FIREFOX):
        sent = {"Origin": origin}
        answer = client.get("/api/history/images", headers=sent)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert anonymous(server).get("/api/history/images", headers=sent).status_code == 401
        assert client.get("/api/v1/galleries", headers=sent).json()["detail"].startswith("this tok")
        for path in ("/login", "/", "/mcp", "/openapi.json"):
            told = client.post(path, headers=sent, data={"secret": "x"}).json()["detail"]
            assert "pages of other sites" in told, path


@pytest.mark.parametrize(
    "origin",
    [
        EXTENSION.replace("oh", "ab"), f"{EXTENSION}.evil.example", "chrome-extension://",
        "moz-extension://evil", f"{FIREFOX}\n", "https://evil.example", "null",
    ],
)  # fmt: skip
def test_other_origins_stay_outside(server: Server, origin: str) -> None:
    """Also with a token."""
    answer = client_of(server, "lab").get("/api/history/images", headers={"Origin": origin})
    assert answer.status_code == 403


# -- handed pictures ------------------------------------------------------------------------------


def test_handed_pictures_are_seen_once(server: Server) -> None:
    """The address holds an id that no server logs; the files are private, and gone afterwards."""
    client = client_of(server, "browser", ["check"])
    sent = [("photos", ("a.png", b"one")), ("references", ("a.png", b"two"))]
    refused = client.post("/api/v1/handoffs", files=sent)
    assert refused.status_code == 409 and "--no-page" in refused.json()["detail"]
    server.parts.handoffs.has_page = True
    chosen = {"faces": '{"a.png": 2}'}
    told = client.post("/api/v1/handoffs", files=sent, data=chosen).json()
    before, _, id = told["path"].partition("#handoff=")
    assert before == "/" and len(id) == 43
    handed = server.parts.handoffs.take(id)
    assert handed is not None and server.parts.handoffs.take(id) is None
    assert handed.face == "a.png=2"
    with handed.written(server.parts.uploads) as (photos, references):
        (photo,), (reference,) = map(Path, photos), map(Path, references)
        assert (photo.read_bytes(), reference.read_bytes()) == (b"one", b"two")
        assert photo.stat().st_mode & 0o077 == 0
    assert not any(it.is_file() for it in server.parts.uploads.rglob("*"))


def test_waiting_pictures_are_few_and_for_minutes(tmp_path: Path) -> None:
    """Old ones are forgotten, and the oldest if there are too many."""
    now = [0.0]
    handoffs = Handoffs(tmp_path, clock=lambda: now[0])
    handoffs.has_page = True
    large = Handoff((("a", bytes(MOST_BYTES // 2 + 1)),), ())
    first, second = handoffs.put(large), handoffs.put(large)
    assert handoffs.take(first) is None
    now[0] = WAITING_S
    assert handoffs.take(second) is None
    assert handoffs.take("") is None


# -- the page as an app ---------------------------------------------------------------------------


def test_a_phone_can_install_the_page(server: Server) -> None:
    """What a browser asks for is answered without a login, complete, and names nobody."""
    browser = anonymous(server)
    manifest = browser.get("/manifest.json")
    assert manifest.headers["content-type"] == "application/manifest+json"
    told = manifest.json()
    assert (told["display"], told["start_url"]) == ("standalone", "/")
    assert {(it["sizes"], it["purpose"]) for it in told["icons"]} == {
        ("192x192", "any"), ("512x512", "any"), ("512x512", "maskable"),
    }  # fmt: skip
    for icon in told["icons"]:
        image = Image.open(io.BytesIO(browser.get(icon["src"]).content))
        assert f"{image.width}x{image.height}" == icon["sizes"]
    login = browser.get(f"{ADDRESS}/login")
    assert all(
        it in login.text for it in ('rel="manifest"', 'name="theme-color"', 'name="viewport"')
    )
    assert "manifest-src 'self'" in login.headers["content-security-policy"]
    assert set(re.findall(r'href="(/[^"]+)"', login.text)) <= OPEN_PATHS
