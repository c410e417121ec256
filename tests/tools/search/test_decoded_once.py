"""A search decodes each picture once, and the cache of decoded pictures is bounded."""

import gc
import weakref
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from assistant import Unmask
from tests.support.cases import GALLERY, workspace_of
from tools.media.pictures import decoding
from tools.media.pictures.decoding import Photo
from tools.search.photo_cache import PhotoCache, PixelBudget


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the bytes of each picture were decoded, by their sha256."""
    counts, real = Counter[str](), decoding._decode

    def counting(data: bytes, orientation: int) -> Photo:
        counts[decoding.image_id(data)] += 1
        return real(data, orientation)

    monkeypatch.setattr(decoding, "_decode", counting)
    return counts


def test_a_search_decodes_each_picture_once(case: Unmask, decoded: Counter[str]) -> None:
    """The query photo is measured and looked at closer as it was read; hits are read once."""
    for kept in case.settings.galleries_dir.rglob("closer-looks.sqlite3"):
        kept.unlink()  # other tests searched the same collection
    findings = Unmask(case.settings, GALLERY, models=case.models).find(
        case.settings.home / "SECRET_NAME.png"
    )
    assert {*findings.query_ids, *(hit.image_id for hit in findings.hits)} == decoded.keys()
    assert set(decoded.values()) == {1}


def test_a_workspace_decodes_a_query_photo_once(case: Unmask, decoded: Counter[str]) -> None:
    """Adding, measuring, the closer look, its facts and looking at it need one reading."""
    workspace = workspace_of(case)
    photo = workspace.add_photo(case.settings.home / "SECRET_NAME.png")
    findings = workspace.find_person([photo])
    assert workspace.facts(photo)
    workspace.describe(photo)
    assert decoded[findings.query_ids[0]] == 1


def test_looking_at_a_hit_again_decodes_nothing(case: Unmask, decoded: Counter[str]) -> None:
    """After a search a hit is read once more, however many tools look at it."""
    workspace = workspace_of(case)
    workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")])
    workspace.pictures.pixels("H1")
    before = decoded.copy()
    workspace.describe("H1")
    workspace.compare("Q1", "H1")
    assert decoded == before


def test_what_is_held_is_bounded_and_follows_the_file(tmp_path: Path) -> None:
    """The photos met last stay within the budget; a changed or missing file is not known."""
    cache, paths = PhotoCache(PixelBudget(250)), [tmp_path / name for name in "abc"]
    photos = [
        Photo(path.name, np.zeros((10, 10, 3), np.uint8), "PNG", 1, 0, False) for path in paths
    ]
    for path, photo in zip(paths, photos, strict=True):
        path.write_text("x")
        cache.keep(photo, path)
    assert [cache.get(path) for path in paths] == [None, photos[1], photos[2]]
    assert cache.get(paths[2], 1.0) is None
    paths[1].write_text("another")
    paths[2].unlink()
    assert [cache.get(path) for path in paths] == [None, None, None]


def test_one_photo_larger_than_the_budget_is_held_alone(tmp_path: Path) -> None:
    """A photo of 80 megapixels is decoded once as well, and makes room for the next one."""
    cache, paths = PhotoCache(PixelBudget(50)), [tmp_path / name for name in "ab"]
    photos = [
        Photo(path.name, np.zeros((10, 10, 3), np.uint8), "PNG", 1, 0, False) for path in paths
    ]
    for path, photo in zip(paths, photos, strict=True):
        path.write_text("x")
        cache.keep(photo, path)
        assert cache.get(path) is photo
    assert cache.get(paths[0]) is None


def test_all_investigations_share_one_budget(tmp_path: Path) -> None:
    """Many idle sessions hold no more than one; a closed one holds nothing, and never mixes."""
    budget, path = PixelBudget(250), tmp_path / "a"
    path.write_text("x")
    photos = [Photo("a", np.zeros((10, 10, 3), np.uint8), "PNG", 1, 0, False) for _ in range(3)]
    caches = [PhotoCache(budget) for _ in range(4)]
    for cache, photo in zip(caches, photos, strict=False):
        cache.keep(photo, path)
    assert [cache.get(path) for cache in caches] == [None, photos[1], photos[2], None]
    left = weakref.ref(photos[2].pixels)
    del photos, cache, photo
    caches.pop(2)
    gc.collect()
    assert left() is None
    assert caches[1].get(path) is not None


def test_a_cache_may_go_while_the_photos_are_counted(tmp_path: Path) -> None:
    """The collector may end a session in the thread that is keeping a photo of another one."""
    budget, path = PixelBudget(2_500), tmp_path / "a"
    path.write_text("x")
    leaving = [PhotoCache(budget) for _ in range(3)]
    ending = False

    class Counted(np.ndarray):
        """Pixels whose size is asked for as the collector ends the other caches."""

        @property
        def size(self) -> int:  # type: ignore[override]
            if ending:
                leaving.clear()
            return 300

    def keep(cache: PhotoCache, pixels: np.ndarray) -> Photo:
        return cache.keep(Photo("a", pixels, "PNG", 1, 0, False), path)

    staying = PhotoCache(budget)
    photo = keep(staying, np.zeros((10, 10, 3), np.uint8).view(Counted))
    for number in range(3):
        keep(leaving[number], np.zeros((5, 5, 3), np.uint8))
    ending = True
    keep(PhotoCache(budget), np.zeros((5, 5, 3), np.uint8))
    assert not leaving
    assert staying.get(path) is photo
