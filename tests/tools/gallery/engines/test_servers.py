"""Index servers: a real Chroma server, and Qdrant's client in its local mode.

Not covered: a Qdrant server. Its client has one interface for both modes, but local mode has no
graph and no quantisation.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from assistant.cli.main import app
from tests.support.stand_ins import FINGERPRINT
from tests.tools.gallery.engines.test_vector_file import exact
from tests.tools.gallery.test_index import fill, finds_everything, unit_vectors
from tools.errors import SetupError
from tools.gallery.engines import choice
from tools.gallery.engines.choice import choose_index, describe_index, load_choice, parse_index
from tools.gallery.engines.qdrant import Qdrant
from tools.gallery.forgetting import delete_gallery, forget_records, held_records
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    # Options for a server's graph, which local mode does without.
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

FACES = 600


@pytest.fixture(scope="module")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server of Chroma's, in a process of its own."""
    with running_chroma(tmp_path_factory.mktemp("server"), free_port()) as url:
        yield url


def free_port() -> int:
    """A port that nobody listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_chroma(folder: Path, port: int) -> Iterator[str]:
    """`chroma run`, until the end of the context."""
    program = Path(sys.executable).with_name("chroma")
    command = [
        str(program),
        "run",
        "--path",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/api/v2/heartbeat").is_success:
                        break
                time.sleep(0.1)
            yield url
        finally:
            child.kill()


@pytest.fixture(params=["chroma", "qdrant"])
def index(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """What to choose: a Chroma server's address, or one of a Qdrant that is in this process."""
    if request.param == "chroma":
        yield request.getfixturevalue("chroma_url")
        return
    qdrant_client = pytest.importorskip("qdrant_client", reason="pip install -e '.[qdrant]'")
    folder = str(tmp_path / "qdrant")

    def at(url: str, *, here: bool) -> Qdrant:
        return Qdrant(qdrant_client.QdrantClient(path=folder), url)

    monkeypatch.setattr(Qdrant, "at", at)  # its local mode: no Qdrant server runs here
    yield "qdrant+http://127.0.0.1:6333"


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """A gallery of 600 faces."""
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as opened:
        fill(opened, unit_vectors(FACES))
        yield opened


def collections(gallery: Gallery) -> dict[str, int]:
    """The gallery's collections on its server, with their sizes."""
    kept = load_choice(gallery.folder)
    with contextlib.closing(choice.connect(kept.index)) as server:
        names = [it for it in server.collections() if it.startswith(f"unmask-{kept.key}-")]
        return {name: server.count(name) for name in names}


def test_a_server_finds_what_the_record_has(gallery: Gallery, index: str) -> None:
    """Chosen once and remembered; exact ranking, new and deleted faces, nothing sent twice."""
    FaceIndex.open(gallery).close()
    assert choose_index(gallery, index) == []
    assert describe_index(gallery) == index
    assert not (gallery.folder / "vectors.bin").exists()
    for _ in range(2):
        with FaceIndex.open(gallery) as opened:
            assert (opened.notices, opened.searches_exactly) == ([], False)
            for query in unit_vectors(3, seed=1):
                found = [it.face_id for it in opened.search(query, 50)]
                assert found == exact(gallery, query, 50)
    new = unit_vectors(30, seed=5)
    with FaceIndex.open(gallery) as opened:
        fill(gallery, new, first=50_000)
        assert opened.search(new[4], 1)[0].face_id == f"{50_004:064x}:0"
    (before,) = collections(gallery).items()
    assert before[1] == FACES + 30
    gallery.close()
    home = gallery.folder.parent.parent
    with Gallery.open_existing(home) as again:
        held = held_records(again, [f"{50_004:064x}"])
    forget_records(home, "default", held)
    with Gallery.open_existing(home) as again:
        assert collections(again) == {}  # its vectors are gone there, before the record's
        with FaceIndex.open(again) as opened:
            assert opened.search(new[4], 1)[0].cosine_similarity < 0.9
            assert finds_everything(again, opened)
        (after,) = collections(again).items()
        assert after == (after[0], FACES + 29)
        assert after[0] != before[0]


def test_what_a_server_lost_is_noticed(gallery: Gallery, index: str) -> None:
    """Fewer faces are completed, other vectors and other collections are replaced."""
    choose_index(gallery, index)
    FaceIndex.open(gallery).close()
    ((name, _),) = collections(gallery).items()
    with contextlib.closing(choice.connect(index)) as server:
        server.put(name, [FACES], unit_vectors(1, seed=77))  # the last face's vector
    with FaceIndex.open(gallery) as opened:
        assert f"damaged: rebuilt from the record ({FACES} faces" in opened.notices[0]
        assert finds_everything(gallery, opened)
    with contextlib.closing(choice.connect(index)) as server:
        server.put(name, [10**6], unit_vectors(1, seed=78))
    with FaceIndex.open(gallery) as opened:
        assert "another record's: rebuilt" in opened.notices[0]
    with contextlib.closing(choice.connect(index)) as server:
        server.drop(name)
        matrix = unit_vectors(FACES)[:200]
        server.create(name, matrix.shape[1])
        server.put(name, range(1, 201), matrix)  # a writer that was killed
    with FaceIndex.open(gallery) as opened:
        assert opened.notices == []
        assert finds_everything(gallery, opened)
    assert collections(gallery) == {name: FACES}


def test_a_server_that_goes_away_costs_speed_only(gallery: Gallery, tmp_path: Path) -> None:
    """Before and in the middle of a session, the record is searched; back again, it is used."""
    query, port = unit_vectors(1, seed=2)[0], free_port()
    wanted = exact(gallery, query, 20)
    with running_chroma(tmp_path / "server", port) as url:
        choose_index(gallery, url)
        opened = FaceIndex.open(gallery)
        assert [it.face_id for it in opened.search(query, 20)] == wanted
    with opened:
        assert [it.face_id for it in opened.search(query, 20)] == wanted
        assert opened.searches_exactly
        (notice,) = opened.notices
    assert "out of use (Chroma's server at http://127.0.0.1" in notice
    assert "\n" not in notice
    with FaceIndex.open(gallery) as opened:
        fill(gallery, query[None], first=80_000)
        assert opened.search(query, 1)[0].face_id == f"{80_000:064x}:0"
        assert "searching the record itself" in opened.notices[0]
    gallery.close()
    home = gallery.folder.parent.parent
    with pytest.raises(SetupError, match="embeddings on a server that cannot be deleted"):
        delete_gallery(home, "default")
    with Gallery.open_existing(home) as again:
        with running_chroma(tmp_path / "server", port), FaceIndex.open(again) as opened:
            assert opened.search(query, 1)[0].face_id == f"{80_000:064x}:0"
            assert (opened.notices, opened.searches_exactly) == ([], False)
        (notice,) = choose_index(again, "auto")
        assert "begin with 'unmask-" in notice
        assert "stay on the server" in notice
    delete_gallery(home, "default")
    assert not (home / "galleries" / "default").exists()


def test_a_choice_that_cannot_be_is_one_line(gallery: Gallery) -> None:
    """No server, another server, no index; the gallery keeps what it had."""
    closed = f"http://127.0.0.1:{free_port()}"
    for index in (closed, f"qdrant+{closed}"):
        with pytest.raises(SetupError, match=r"keeps its index: .*127\.0\.0\.1") as failure:
            choose_index(gallery, index)
        assert "\n" not in str(failure.value)
    for text in (
        "faiss",
        "http://",
        "ftp://here",
        "http://me:secret@here",
        "http://a:b",
        "http://a/x",
    ):
        with pytest.raises(SetupError, match="is no index: use auto, exact, chroma, http"):
            parse_index(text)
    assert describe_index(gallery).startswith("auto")
    (gallery.folder / choice.CHOICE_FILE).write_text(json.dumps({"index": "faiss"}))
    with FaceIndex.open(gallery) as opened:
        assert "galleries index default auto" in opened.notices[0]
        assert finds_everything(gallery, opened)
    choose_index(gallery, "exact")
    with FaceIndex.open(gallery) as opened:
        assert opened.notices == []


def test_the_command_line_chooses_and_shows(
    gallery: Gallery, chroma_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`unmask galleries index`; the setting is its owner's only, and names no person or picture."""
    monkeypatch.setenv("UNMASK_HOME", str(gallery.folder.parent.parent))

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["galleries", "index", "default", *words])

    assert run().stdout == "Gallery 'default': auto (exact for 600 faces, chroma above 300,000).\n"
    assert run(chroma_url).stdout == run().stdout == f"Gallery 'default': {chroma_url}.\n"
    refused = run("faiss")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    file = gallery.folder / choice.CHOICE_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(file.read_text())) == {"index", "key"}
