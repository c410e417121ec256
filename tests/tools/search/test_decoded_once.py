"""A search decodes each picture once, and the cache of decoded pictures is bounded."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from assistant import Unmask
from tests.support.cases import GALLERY, workspace_of
from tools.media import images
from tools.media.images import Photo
from tools.search.photo_cache import PhotoCache


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the bytes of each picture were decoded, by their sha256."""
    counts, real = Counter[str](), images._decode

    def counting(data: bytes, orientation: int) -> Photo:
        counts[images.image_id(data)] += 1
        return real(data, orientation)

    monkeypatch.setattr(images, "_decode", counting)
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
    cache, paths = PhotoCache(budget_pixels=250), [tmp_path / name for name in "abc"]
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
