"""The Chroma index: exact results, and self-repair after any damage to its files."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import ROOT
from tests.support.stand_ins import DIMENSION, FINGERPRINT, face_of, picture
from tools.gallery.engines.choice import choose_index
from tools.gallery.record_store import Gallery
from tools.gallery.records import AnalysedFace, AnalysedImage, FileRecord
from tools.gallery.vector_index import FaceIndex

FACES = 1200
"""More than the 1,000 after which Chroma writes its graph to disk."""

HARMS = (
    ("chroma.sqlite3", "delete"),
    ("chroma.sqlite3", "overwrite"),
    ("data_level0.bin", "truncate"),
    ("data_level0.bin", "overwrite"),
    ("link_lists.bin", "overwrite"),
    ("index_metadata.pickle", "delete"),
)
"""`python -m evals run chaos` tries every file with every harm."""


def unit_vectors(count: int, *, seed: int = 0) -> np.ndarray:
    """Random embeddings (count, 64)."""
    matrix = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def fill(gallery: Gallery, matrix: np.ndarray, *, first: int = 0) -> None:
    """Record a picture with one face per embedding."""
    like = face_of(picture(0))
    images = []
    for number, embedding in enumerate(matrix, start=first):
        face = type(like)(like.box, like.keypoints, None, like.quality, embedding)
        images.append(
            AnalysedImage(
                id=f"{number:064x}",
                width=64,
                height=64,
                format="PNG",
                frames=1,
                byte_size=1,
                perceptual_hash=number,
                unmask_forgery=False,
                features=None,
                faces=(AnalysedFace(face, None, None),),
            )
        )
    files = [FileRecord(Path(f"/{image.id}.png"), 1, 1, image_id=image.id) for image in images]
    gallery.add(images, files)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a gallery and its index, closed properly; tests copy it."""
    home = tmp_path_factory.mktemp("built")
    with Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        fill(gallery, unit_vectors(FACES))
        choose_index(gallery, "chroma")
        FaceIndex.open(gallery).close()
    return home


@pytest.fixture
def gallery(built: Path, tmp_path: Path) -> Iterator[Gallery]:
    """A gallery of its own with 1,200 faces and an index."""
    # copytree keeps times, so that the index counts as closed properly.
    shutil.copytree(built, tmp_path / "home")
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as opened:
        yield opened


def finds_everything(gallery: Gallery, index: FaceIndex) -> bool:
    """Whether every hundredth face is the best match for its own embedding, with cosine 1."""
    ids, matrix = gallery.embeddings.all()
    chosen = [*range(0, len(ids), 100), len(ids) - 1]
    best = [index.search(matrix[n], 1)[0] for n in chosen]
    return all(
        match.face_id == ids[n] and match.cosine_similarity == pytest.approx(1.0, abs=1e-5)
        for n, match in zip(chosen, best, strict=True)
    )


def damaged(gallery: Gallery) -> FaceIndex:
    """The index, opened after damage; it must say so and have mended itself."""
    index = FaceIndex.open(gallery)
    assert not index.searches_exactly
    return index


def test_search_equals_the_exact_ranking(gallery: Gallery) -> None:
    """The first fifty matches are those of an exact scan, in the same order."""
    ids, _ = gallery.embeddings.all()
    with FaceIndex.open(gallery) as index:
        assert index.notices == []
        for query in unit_vectors(5, seed=1):
            exact = gallery.embeddings.similarities(query, ids)
            wanted = [ids[n] for n in np.argsort(-exact, kind="stable")[:50]]
            assert [match.face_id for match in index.search(query, 50)] == wanted


def test_equal_faces_are_ranked_by_id(gallery: Gallery) -> None:
    """Faces with the same embedding come in the order of their ids, every time."""
    same = np.repeat(unit_vectors(1, seed=9), 5, axis=0)
    fill(gallery, same, first=90_000)
    with FaceIndex.open(gallery) as index:
        found = [match.face_id for match in index.search(same[0], 5)]
    assert found == sorted(found)
    assert found[0] == f"{90_000:064x}:0"


def test_more_are_asked_for_than_there_are(gallery: Gallery) -> None:
    """Asking for more faces than the gallery has gives all of them, each once."""
    with FaceIndex.open(gallery) as index:
        found = index.search(unit_vectors(1, seed=3)[0], 5000)
    assert len({match.face_id for match in found}) == len(found) == FACES


def test_an_empty_gallery_has_no_matches(tmp_path: Path) -> None:
    """A gallery without faces answers with nothing, opened once or twice."""
    with Gallery.open(tmp_path, fingerprint=FINGERPRINT) as gallery:
        for _ in range(2):
            with FaceIndex.open(gallery) as index:
                assert index.search(unit_vectors(1)[0], 3) == []
                assert (index.notices, index.searches_exactly) == ([], False)


def test_new_faces_are_found_at_once(gallery: Gallery) -> None:
    """An open index catches up with what the record gained, and with what it lost."""
    new = unit_vectors(30, seed=5)
    with FaceIndex.open(gallery) as index:
        fill(gallery, new, first=50_000)
        assert index.search(new[4], 1)[0].face_id == f"{50_004:064x}:0"
        gallery.add(
            [], [FileRecord(Path(f"/{50_004:064x}.png"), 1, 1, f"{50_004:064x}", None, True)]
        )
        assert gallery.delete_missing() == 1
        assert index.search(new[4], 1)[0].cosine_similarity < 0.9
        assert finds_everything(gallery, index)
    with FaceIndex.open(gallery) as index:
        assert index.notices == []


def test_a_deleted_index_is_rebuilt(gallery: Gallery) -> None:
    """Without Chroma's folder the index is built anew and says so."""
    shutil.rmtree(gallery.folder / "chroma")
    with damaged(gallery) as index:
        assert "missing: rebuilt from the record (1200 faces" in index.notices[0]
        assert finds_everything(gallery, index)
    with FaceIndex.open(gallery) as index:
        assert index.notices == []


@pytest.mark.parametrize(("name", "harm"), HARMS)
def test_damage_is_noticed_and_mended(gallery: Gallery, name: str, harm: str) -> None:
    """Whichever file of Chroma's is harmed, and how: afterwards every face is found."""
    (path,) = (gallery.folder / "chroma").rglob(name)
    size = path.stat().st_size
    if harm == "delete":
        path.unlink()
    elif harm == "truncate":
        os.truncate(path, size // 2)
    else:
        path.write_bytes(np.random.default_rng(0).bytes(size))
    with damaged(gallery) as index:
        assert finds_everything(gallery, index)
    with FaceIndex.open(gallery) as index:
        assert index.notices == []


def test_silent_loss_of_vectors_is_noticed(gallery: Gallery) -> None:
    """Chroma that counts all faces but holds another vector for one of them is rebuilt."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(
        path=str(gallery.folder / "chroma"), settings=Settings(anonymized_telemetry=False)
    )
    collection = client.get_collection("faces", embedding_function=None)
    collection.update(ids=[f"{700:064x}:0"], embeddings=unit_vectors(1, seed=77))
    client.close()
    with damaged(gallery) as index:
        assert "damaged: rebuilt" in index.notices[0]
        assert finds_everything(gallery, index)


def test_faces_that_are_not_in_the_record_are_not_answered(gallery: Gallery) -> None:
    """An index of another gallery in our place is recognised by what it holds."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(
        path=str(gallery.folder / "chroma"), settings=Settings(anonymized_telemetry=False)
    )
    collection = client.get_collection("faces", embedding_function=None)
    collection.add(ids=["stranger:0"], embeddings=unit_vectors(1, seed=78))
    client.close()
    with damaged(gallery) as index:
        assert "damaged: rebuilt" in index.notices[0]
        assert "stranger:0" not in index.candidates(unit_vectors(1, seed=78)[0], FACES)


def test_a_killed_writer_loses_nothing(gallery: Gallery) -> None:
    """After kill -9 in the middle of writing to Chroma, everything recorded is found."""
    fill(gallery, unit_vectors(3000, seed=8), first=10_000)
    code = (
        "import sys, os, signal; from pathlib import Path; "
        "from tools.gallery.record_store import Gallery; "
        "from tools.gallery.vector_index import FaceIndex\n"
        "def die(done, total):\n"
        "    if done > 2500: os.kill(os.getpid(), signal.SIGKILL)\n"
        "FaceIndex.open(Gallery.open_existing(Path(sys.argv[1])), on_progress=die)"
    )
    home = gallery.folder.parent.parent
    root = ROOT
    child = subprocess.run([sys.executable, "-c", code, str(home)], cwd=root, check=False)
    assert child.returncode == -signal.SIGKILL
    with damaged(gallery) as index:
        assert finds_everything(gallery, index)
        assert len(index.search(unit_vectors(1)[0], 9999)) == FACES + 3000


def test_a_writer_killed_before_its_first_face_is_continued(gallery: Gallery) -> None:
    """Chroma then holds an empty collection, which is filled instead of made again."""
    import chromadb
    from chromadb.config import Settings

    shutil.rmtree(gallery.folder / "chroma")
    client = chromadb.PersistentClient(
        path=str(gallery.folder / "chroma"), settings=Settings(anonymized_telemetry=False)
    )
    client.create_collection("faces", embedding_function=None)
    client.close()
    with damaged(gallery) as index:
        assert index.notices == [] and finds_everything(gallery, index)


def test_a_used_index_is_left_to_its_user(gallery: Gallery) -> None:
    """A second opener searches the record itself, says so, and finds the same."""
    query = unit_vectors(1, seed=4)[0]
    with FaceIndex.open(gallery) as first, FaceIndex.open(gallery) as second:
        assert second.searches_exactly
        assert "in use" in second.notices[0]
        assert second.search(query, 20) == first.search(query, 20)
        assert second.sync() == 0


def test_without_chroma_the_record_is_searched(gallery: Gallery) -> None:
    """When Chroma cannot be built at all, search is exact, and the person is told why."""
    query = unit_vectors(1, seed=4)[0]
    with FaceIndex.open(gallery) as index:
        wanted = index.search(query, 20)
    shutil.rmtree(gallery.folder / "chroma")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # no file may grow beyond 100 kB
    try:
        with FaceIndex.open(gallery) as index:
            assert index.searches_exactly
            assert "out of use" in index.notices[0]
            assert index.search(query, 20) == wanted
            assert index.sync() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with FaceIndex.open(gallery) as index:
        assert not index.searches_exactly
        assert index.search(query, 20) == wanted


def test_progress_is_told_while_building(gallery: Gallery) -> None:
    """A rebuild reports faces done and faces in all, ending at all of them."""
    shutil.rmtree(gallery.folder / "chroma")
    told: list[tuple[int, int]] = []
    FaceIndex.open(gallery, on_progress=lambda done, total: told.append((done, total))).close()
    assert told == [(500, FACES), (1000, FACES), (1200, FACES)]
