"""Checkpoints: the table, locations, integrity checks and downloads."""

import contextlib
import hashlib
import io
import json
import ssl
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tools.checkpoints import store
from tools.checkpoints.download import HttpsOnly, download_file
from tools.checkpoints.store import (
    calibration_file,
    download,
    expected_files,
    expected_fingerprint,
    fingerprint,
    locate,
    verify,
    write_manifest,
)
from tools.checkpoints.table import (
    BUFFALO_L,
    PROFILES,
    QWEN3_VL_4B,
    UNIFD_ENCODER,
    UNIFD_HEAD,
    Checkpoint,
)
from tools.errors import SetupError

pytestmark = pytest.mark.fast

local_only = pytest.mark.allow_hosts(["127.0.0.1"])

# Tests fetch over plain http from this machine; nothing in the product does.
PLAIN = urllib.request.build_opener()

CONTENT = bytes(range(256)) * 2000
Calls = list[tuple[str, int, int]]


def sha256(content: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Web:
    """A web server of this machine: what it serves, how it behaves, what it was asked."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    break_at: int | None = None
    honours_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    """A server on 127.0.0.1 that can break off and ignore ranges."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            state.ranges.append(asked)
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and state.honours_ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start : state.break_at])

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pocket weights, with a file for every name in the table."""
    folder = tmp_path / "weights"
    monkeypatch.setattr(store, "WEIGHTS_DIR", folder)
    monkeypatch.setattr(store, "MANIFEST_FILE", folder / "manifest.json")
    for row in PROFILES["pocket"].values():
        for name in row.files:
            path = folder / row.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{row.part} {name}".encode())
    return folder


def full_profile(web: Web, monkeypatch: pytest.MonkeyPatch) -> dict[str, Checkpoint]:
    """The full profile with small contents, served by `web`."""
    networks = {name: name.encode() * 50 for name in BUFFALO_L.files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**networks, "genderage.onnx": b"unwanted"}.items():
            archive.writestr(f"buffalo_l/{name}", content)
    web.files = {"/buffalo_l.zip": buffer.getvalue(), "/clip": CONTENT, "/head.pth": b"head"}
    rows = {
        "faces": replace(
            BUFFALO_L,
            source=f"{web.address}/buffalo_l.zip",
            files={name: sha256(content) for name, content in networks.items()},
            archive_sha256=sha256(buffer.getvalue()),
            size_bytes=len(buffer.getvalue()),
        ),
        "encoder": replace(
            UNIFD_ENCODER,
            source=f"{web.address}/clip",
            files={"model.safetensors": sha256(CONTENT)},
            size_bytes=len(CONTENT),
        ),
        "heads": replace(
            UNIFD_HEAD,
            source=f"{web.address}/head.pth",
            files={"fc_weights.pth": sha256(b"head")},
            size_bytes=4,
        ),
    }
    monkeypatch.setattr(store, "PROFILES", {**PROFILES, "full": rows})
    return rows


def quiet(name: str, done: int, total: int) -> None:
    """Nobody watches."""


def get(
    web: Web, target: Path, *, expected: str = sha256(CONTENT), calls: Calls | None = None
) -> None:
    """Fetch the served file."""

    def watch(name: str, done: int, total: int) -> None:
        if calls is not None:
            calls.append((name, done, total))

    download_file(
        f"{web.address}/clip",
        target,
        sha256=expected,
        size=len(CONTENT),
        progress=watch,
        opener=PLAIN,
    )


@local_only
def test_a_file_arrives_whole(web: Web, tmp_path: Path) -> None:
    """A transfer puts exactly the served bytes in place and reports how far it is."""
    web.files["/clip"], calls = CONTENT, Calls()
    get(web, tmp_path / "deep" / "model.bin", calls=calls)
    assert (tmp_path / "deep" / "model.bin").read_bytes() == CONTENT
    assert calls[-1] == ("model.bin", len(CONTENT), len(CONTENT))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.bin"]


@local_only
@pytest.mark.parametrize("honours_ranges", [True, False])
def test_a_broken_transfer_goes_on(web: Web, tmp_path: Path, honours_ranges: bool) -> None:
    """After a break the next call fetches the rest, or everything where ranges are ignored."""
    web.files["/clip"], target = CONTENT, tmp_path / "model.bin"
    web.break_at, web.honours_ranges = 300_000, honours_ranges
    with pytest.raises(SetupError, match=r"broke off at 300000 of 512000.*same command again"):
        get(web, target)
    assert not target.exists()
    web.break_at = None
    get(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges == [None, "bytes=300000-"]


@local_only
def test_wrong_content_is_thrown_away(web: Web, tmp_path: Path) -> None:
    """A file with another sha256 never takes the place of what was there, and leaves no rest."""
    web.files["/clip"], target = CONTENT[:-1] + b"!", tmp_path / "model.bin"
    target.write_bytes(b"the old one")
    with pytest.raises(SetupError, match="sha256"):
        get(web, target)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "model.bin": b"the old one"
    }


@local_only
def test_a_file_that_never_ends_is_cut(web: Web, tmp_path: Path) -> None:
    """A server that sends more than announced cannot fill the disk."""
    web.files["/clip"] = CONTENT * 20
    calls = Calls()
    with pytest.raises(SetupError, match="sha256"):
        get(web, tmp_path / "model.bin", calls=calls)
    assert calls[-1][1] < 3 * len(CONTENT)


@local_only
def test_a_missing_file_is_a_setup_error(web: Web, tmp_path: Path) -> None:
    """404 is told to the person with the address, without a traceback."""
    with pytest.raises(SetupError, match=r"/clip failed: .*404"):
        get(web, tmp_path / "model.bin")


@local_only
def test_a_silent_server_is_a_setup_error(tmp_path: Path) -> None:
    """When nobody answers the person is told the address, without a traceback."""
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:9/x failed"):
        download_file("https://127.0.0.1:9/x", tmp_path / "x", sha256="", size=1, progress=quiet)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.invalid/x",
        "http://127.0.0.1/x",
        "file:///etc/hostname",
        "ftp://127.0.0.1/x",
        "data:,x",
        "x",
    ],
)
def test_only_https_is_downloaded(tmp_path: Path, url: str) -> None:
    """Plain http and local files are refused before anything is opened."""
    with pytest.raises(SetupError, match="not https"):
        download_file(url, tmp_path / "x", sha256="", size=1, progress=quiet)


@local_only
@pytest.mark.parametrize("target", ["http", "https", "file"])
def test_no_redirect_leads_down_from_https(web: Web, tmp_path: Path, target: str) -> None:
    """A redirect to https is followed, one to anything else is refused before it is opened."""
    web.files["/clip"] = CONTENT
    local = tmp_path / "local"
    local.write_bytes(CONTENT)
    with secure_server() as (address, where, trusting):
        places = {"http": f"{web.address}/clip", "file": local.as_uri(), "https": f"{address}/clip"}
        where["/clip"], where["/moved"] = CONTENT, places[target]
        opener = urllib.request.build_opener(HttpsOnly, trusting)
        get = partial(
            download_file, f"{address}/moved", tmp_path / "model.bin", sha256=sha256(CONTENT),
            size=len(CONTENT), progress=quiet, opener=opener,
        )  # fmt: skip
        if target == "https":
            get()
            assert (tmp_path / "model.bin").read_bytes() == CONTENT
        else:
            with pytest.raises(SetupError, match=r"not https|not allowed"):
                get()
            assert not (tmp_path / "model.bin").exists()
    assert web.ranges == []


@contextlib.contextmanager
def secure_server() -> Iterator[tuple[str, dict[str, bytes | str], urllib.request.HTTPSHandler]]:
    """An https server of this machine: its address, what lies where, and who trusts it.

    A text is an address that it redirects to.
    """
    where: dict[str, bytes | str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = where[self.path]
            self.send_response(302 if isinstance(there, str) else 200)
            if isinstance(there, str):
                self.send_header("Location", there)
            self.end_headers()
            self.wfile.write(b"" if isinstance(there, str) else there)

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with tempfile.TemporaryDirectory() as folder:
        certificate = write_certificate(Path(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        mine.load_cert_chain(certificate)
        server.socket = mine.wrap_socket(server.socket, server_side=True)
        theirs = ssl.create_default_context(cafile=str(certificate))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            address = f"https://127.0.0.1:{server.server_port}"
            yield address, where, urllib.request.HTTPSHandler(context=theirs)
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def write_certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that its own holder has signed, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + built.public_bytes(Encoding.PEM)
    )
    return file


def test_a_full_disk_is_told_before_the_transfer(tmp_path: Path) -> None:
    """What cannot fit is not begun."""
    with pytest.raises(SetupError, match="are needed"):
        download_file(
            "https://x.invalid/x", tmp_path / "x", sha256="", size=1 << 60, progress=quiet
        )


@local_only
def test_the_full_profile_is_downloaded_and_verified(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything arrives in its place, verified; only the networks in use leave the archive."""
    rows = full_profile(web, monkeypatch)
    assert {status.state for status in verify("full", tmp_path)} == {"missing"}
    with pytest.raises(SetupError, match="unmask models download full"):
        locate(rows["encoder"], tmp_path)
    download("full", tmp_path, quiet, opener=PLAIN)
    assert {status.state for status in verify("full", tmp_path)} == {"ok"}
    faces = locate(rows["faces"], tmp_path)
    assert {path.name for path in faces.iterdir()} == set(BUFFALO_L.files)
    config = json.loads((locate(rows["encoder"], tmp_path) / "open_clip_config.json").read_text())
    assert config["model_name"] == "ViT-L-14-quickgelu"
    assert fingerprint("full", tmp_path) == {
        part: expected_fingerprint(rows[part]) for part in ("faces", "encoder")
    }


@local_only
def test_downloading_again_fetches_only_what_is_broken(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intact files are kept; a changed one is noticed, named and replaced."""
    rows = full_profile(web, monkeypatch)
    download("full", tmp_path, quiet, opener=PLAIN)
    download("full", tmp_path, quiet, opener=PLAIN)
    assert len(web.ranges) == 3
    damaged = locate(rows["faces"], tmp_path) / "det_10g.onnx"
    damaged.write_bytes(b"changed")
    wrong = [status for status in verify("full", tmp_path) if status.state != "ok"]
    assert [(status.path, status.state) for status in wrong] == [(damaged, "wrong sha256")]
    download("full", tmp_path, quiet, opener=PLAIN)
    assert {status.state for status in verify("full", tmp_path)} == {"ok"}
    assert len(web.ranges) == 4


@local_only
def test_a_folder_of_files_is_downloaded_one_by_one(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chat model's files arrive each with its own sha256; after a break only the rest does."""
    contents = {"config.json": b"{}", "model.safetensors": CONTENT}
    web.files = {f"/{name}": content for name, content in contents.items()}
    row = replace(
        QWEN3_VL_4B,
        source=f"{web.address}/",
        files={name: sha256(content) for name, content in contents.items()},
        sizes={name: len(content) for name, content in contents.items()},
    )
    monkeypatch.setattr(store, "PROFILES", {"full": {"vlm": row}})
    web.break_at = 1000
    with pytest.raises(SetupError, match="broke off"):
        download("full", tmp_path, quiet, opener=PLAIN)
    web.break_at = None
    download("full", tmp_path, quiet, opener=PLAIN)
    assert {status.state for status in verify("full", tmp_path)} == {"ok"}
    assert web.ranges == [None, None, "bytes=1000-"]


@local_only
def test_an_archive_with_other_networks_is_refused(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files inside an archive are verified one by one before they take their place."""
    rows = full_profile(web, monkeypatch)
    changed = replace(rows["faces"], files={"det_10g.onnx": "0" * 64})
    monkeypatch.setattr(store, "PROFILES", {"full": {"faces": changed}})
    with pytest.raises(SetupError, match="det_10g"):
        download("full", tmp_path, quiet, opener=PLAIN)
    assert not list(tmp_path.rglob("*.onnx"))


def test_pocket_is_never_downloaded(tmp_path: Path) -> None:
    """The pocket profile comes with the project."""
    with pytest.raises(SetupError, match="nothing to download"):
        download("pocket", tmp_path, quiet)


def test_pocket_is_verified_against_the_manifest(weights: Path, tmp_path: Path) -> None:
    """Files are unknown without a manifest, intact after it, and named when they change."""
    assert {status.state for status in verify("pocket", tmp_path)} == {"not in the manifest"}
    assert write_manifest() == []
    assert {status.state for status in verify("pocket", tmp_path)} == {"ok"}
    (weights / "encoder" / "model.safetensors").write_bytes(b"changed")
    (weights / "verdict.json").unlink()
    states = {
        status.path.name: status.state
        for status in verify("pocket", tmp_path)
        if status.state != "ok"
    }
    assert states == {"model.safetensors": "wrong sha256", "verdict.json": "missing"}


def test_what_ships_is_what_the_manifest_names(tmp_path: Path) -> None:
    """A training that forgot the manifest would make `unmask doctor` call Unmask broken."""
    found = verify("pocket", tmp_path)
    assert found and [(it.path.name, it.state) for it in found if it.state != "ok"] == []


def test_the_manifest_names_what_is_missing(weights: Path) -> None:
    """A training that was forgotten is reported, not recorded as an empty hash."""
    missing = weights / "heads" / "face_bank.safetensors"
    missing.unlink()
    assert write_manifest() == [missing]
    assert "face_bank.safetensors" not in (weights / "manifest.json").read_text("utf-8")


def test_pocket_lies_in_the_package(weights: Path, tmp_path: Path) -> None:
    """Pocket parts are found without any data folder; a missing file names its training."""
    pocket = PROFILES["pocket"]
    assert locate(pocket["encoder"], tmp_path / "nowhere") == weights / "encoder"
    assert locate(pocket["verdict"], tmp_path / "nowhere") / "verdict.json" == (
        weights / "verdict.json"
    )
    (weights / "encoder" / "model.safetensors").unlink()
    with pytest.raises(SetupError, match=r"model\.safetensors.*python -m tools\.training"):
        locate(pocket["encoder"], tmp_path)


def test_fingerprints_follow_contents(weights: Path, tmp_path: Path) -> None:
    """A gallery is bound to what embeds: another encoder is noticed, another calibration is not."""
    before = fingerprint("pocket", tmp_path)
    assert set(before) == {"faces", "encoder"}
    (weights / "verdict.json").write_bytes(b"another fit")
    assert fingerprint("pocket", tmp_path) == before
    (weights / "encoder" / "open_clip_config.json").write_bytes(b"another margin")
    after = fingerprint("pocket", tmp_path)
    assert after["faces"] == before["faces"]
    assert after["encoder"] != before["encoder"]
    everything = fingerprint("pocket", tmp_path, parts=("faces", "encoder", "heads", "verdict"))
    assert len(set(everything.values())) == 4


def test_the_full_profile_has_no_calibration_until_somebody_fits_one(tmp_path: Path) -> None:
    """Nobody measured how the full profile's scores are to be read, so there is nothing to use."""
    assert "verdict" not in PROFILES["full"]
    assert calibration_file("full", tmp_path) is None
    own = tmp_path / "full" / "verdict" / "verdict.json"
    own.parent.mkdir(parents=True)
    own.write_text("{}")
    assert calibration_file("full", tmp_path) == own


def test_a_fit_of_ones_own_comes_before_the_packages(weights: Path, tmp_path: Path) -> None:
    """The pocket calibration serves until the person has made another on this machine."""
    assert calibration_file("pocket", tmp_path) == weights / "verdict.json"
    own = tmp_path / "pocket" / "verdict" / "verdict.json"
    own.parent.mkdir(parents=True)
    own.write_text("{}")
    assert calibration_file("pocket", tmp_path) == own


def test_every_download_is_pinned_and_licensed() -> None:
    """Rows of the full profile name https, a revision, a licence, a size and every sha256."""
    for row in PROFILES["full"].values():
        assert row.source.startswith("https://")
        assert row.revision is not None
        assert row.revision in row.source
        assert row.license
        assert row.size_bytes is not None
        assert row.size_bytes > 0
        pinned = {**expected_files(row), "archive": row.archive_sha256 or "0" * 64}
        assert all(len(str(value)) == 64 for value in pinned.values())
