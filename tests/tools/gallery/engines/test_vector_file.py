"""The exact engine: one file of embeddings, rebuilt whenever it is not as it was left."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.stand_ins import FINGERPRINT
from tests.tools.gallery.test_index import fill, finds_everything, unit_vectors
from tools.gallery.engines import choice, vector_file
from tools.gallery.engines.choice import choose_index, describe_index
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex

FACES = 600


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a gallery of 600 faces and its index; tests copy it."""
    home = tmp_path_factory.mktemp("built")
    with Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        fill(gallery, unit_vectors(FACES))
        FaceIndex.open(gallery).close()
    return home


@pytest.fixture
def gallery(built: Path, tmp_path: Path) -> Iterator[Gallery]:
    """A gallery of its own."""
    shutil.copytree(built, tmp_path / "home")
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as opened:
        yield opened


def exact(gallery: Gallery, query: np.ndarray, n: int) -> list[str]:
    """The n nearest faces by the record alone."""
    ids, _ = gallery.embeddings.all()
    cosines = gallery.embeddings.similarities(query, ids)
    return [ids[at] for at in np.argsort(-cosines, kind="stable")[:n]]


def test_a_small_gallery_is_searched_in_one_file(gallery: Gallery) -> None:
    """Without Chroma, with the exact ranking, and a reopened file is not built again."""
    before = (gallery.folder / vector_file.VECTORS_FILE).stat()
    with FaceIndex.open(gallery) as index:
        assert (index.notices, index.searches_exactly) == ([], False)
        for query in unit_vectors(5, seed=1):
            assert [it.face_id for it in index.search(query, 50)] == exact(gallery, query, 50)
        assert len(index.search(unit_vectors(1)[0], 5000)) == FACES
    assert not (gallery.folder / "chroma").exists()
    after = (gallery.folder / vector_file.VECTORS_FILE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_it_follows_the_record(gallery: Gallery) -> None:
    """Faces that come are found at once, those that go are not, and both after reopening."""
    new = unit_vectors(30, seed=5)
    with FaceIndex.open(gallery) as index:
        fill(gallery, new, first=50_000)
        assert index.sync() == 30
        assert index.search(new[4], 1)[0].face_id == f"{50_004:064x}:0"
        (file,) = [it for it in gallery.files_below(Path("/")) if f"{50_004:064x}" in str(it.path)]
        gallery.add([], [type(file)(file.path, 1, 1, file.image_id, None, True)])
        gallery.delete_missing()
        assert index.search(new[4], 1)[0].cosine_similarity < 0.9
    with FaceIndex.open(gallery) as index:
        assert index.notices == []
        assert finds_everything(gallery, index)


@pytest.mark.parametrize("harm", ["delete", "truncate", "overwrite", "same time", "interrupt"])
def test_harm_is_noticed_and_mended(gallery: Gallery, harm: str) -> None:
    """Whatever happened to the file, it is rebuilt from the record, and says so."""
    path = gallery.folder / vector_file.VECTORS_FILE
    status = path.stat()
    if harm == "delete":
        path.unlink()
    elif harm == "truncate":
        os.truncate(path, status.st_size // 2)
    elif harm == "interrupt":  # the state file goes before anything is written
        (gallery.folder / vector_file.STATE_FILE).unlink()
    else:
        path.write_bytes(np.random.default_rng(0).bytes(status.st_size))
    if harm == "same time":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with FaceIndex.open(gallery) as index:
        assert f"rebuilt from the record ({FACES} faces" in index.notices[0]
        assert finds_everything(gallery, index)
    with FaceIndex.open(gallery) as index:
        assert index.notices == []


def test_two_may_search_and_one_writes(gallery: Gallery) -> None:
    """A second opener finds the same, and new faces too, while the first holds the file."""
    new = unit_vectors(3, seed=7)
    with FaceIndex.open(gallery) as first, FaceIndex.open(gallery) as second:
        fill(gallery, new, first=70_000)
        for index in (second, first):
            assert index.search(new[1], 1)[0].face_id == f"{70_001:064x}:0"
            assert index.notices == []
    with FaceIndex.open(gallery) as index:
        assert (index.search(new[2], 1)[0].face_id, index.notices) == (f"{70_002:064x}:0", [])


def test_above_the_crossing_chroma_takes_over(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Automatically, each way; the copy of embeddings that is not used any more is deleted."""
    query = unit_vectors(1, seed=3)[0]
    wanted = exact(gallery, query, 20)
    for limit, there, gone in (
        (FACES - 1, "chroma", "vectors.bin"),
        (FACES, "vectors.bin", "chroma"),
    ):
        monkeypatch.setattr(choice, "EXACT_UP_TO", limit)
        assert f"auto ({'exact' if there == 'vectors.bin' else 'chroma'} for" in describe_index(
            gallery
        )
        with FaceIndex.open(gallery) as index:
            assert [it.face_id for it in index.search(query, 20)] == wanted
            assert (index.notices, index.searches_exactly) == ([], False)
        assert (gallery.folder / there).exists()
        assert not (gallery.folder / gone).exists()
    assert choose_index(gallery, "chroma") == []
    assert describe_index(gallery) == "chroma"
