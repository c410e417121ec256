"""Indexing on Ray's processes: the same gallery as without, also if a worker is killed.

Skipped where Ray is not installed, as in CI: its 79 MB and this test's half minute are not spent
on every change.
"""

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.profile import load_analysers
from assistant.settings import Settings
from tests.support.cases import astronaut_pixels
from tests.support.stand_ins import FINGERPRINT
from tools.errors import SetupError
from tools.gallery.indexing import batches
from tools.gallery.indexing.job import index_folders
from tools.gallery.indexing.ray_pool import RayAnalysisPool
from tools.gallery.record_store import Gallery

PICTURES = 12


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs of one person, each with its own noise, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    portrait = astronaut_pixels()[:256, 96:352].astype(np.float32)
    for number in range(PICTURES):
        noise = np.random.default_rng(number).normal(0, 4, portrait.shape)
        pixels = np.clip(portrait + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "letter.jpg").write_text("no picture")
    return folder


@pytest.mark.allow_hosts(["127.0.0.1", "::1"])
def test_a_killed_worker_loses_and_doubles_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two workers is killed after the first commit; the gallery is that of a job alone."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
    monkeypatch.setattr(batches, "BATCH_IMAGES", 2)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    load = partial(load_analysers, Settings(home=tmp_path / "home"))
    faces, encoder = load()
    pool = RayAnalysisPool(2, load=load)
    committed: list[str] = []

    def killing(ids: Sequence[str]) -> None:
        if not committed:
            os.kill(pool.worker_pids[0], signal.SIGKILL)
        committed.extend(ids)

    found = []
    for name, chosen, told in (("alone", None, None), ("ray", pool, killing)):
        with Gallery.open(tmp_path / "home", name, fingerprint=FINGERPRINT) as gallery:
            summary = index_folders(
                [photos], gallery=gallery, faces=faces, encoder=encoder, threads=1, pool=chosen,
                on_indexed=told,
            )  # fmt: skip
            assert (summary.images_added, summary.faces_found) == (PICTURES, PICTURES)
            assert summary.skipped == {"not an image": 1}
            assert gallery.problems() == []
            found.append({it: gallery.faces_of(it)[0] for it in gallery.image_ids()})
    alone, on_ray = found
    assert len(pool.worker_pids) == 3  # two, and one in place of the killed one
    assert sorted(committed) == sorted(on_ray) == sorted(alone)
    for image_id, face in alone.items():
        other = on_ray[image_id]
        np.testing.assert_allclose(other.face.embedding, face.face.embedding, atol=1e-5)
        assert face.features is not None and other.features is not None
        np.testing.assert_allclose(other.features, face.features, atol=1e-4)
        assert other.face_hash == face.face_hash


def test_without_ray_one_line_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the extra that brings it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SetupError, match=r"pip install -e '\.\[ray\]'"):
        RayAnalysisPool(1, load=lambda: pytest.fail("nothing to load"))
