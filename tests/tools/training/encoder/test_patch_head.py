"""The patch head learns from pictures without borders, split by person, cell by cell."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.tools.forge.test_forge import SOURCE, SOURCE_LANDMARKS, TARGET, TARGET_LANDMARKS
from tests.tools.forge.test_scenes import LANDMARKS, PIXELS
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.clip_heads.patches import KIND, PatchDetector
from tools.detectors.folders import StoredDetector, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.encoder.clip import Encoder
from tools.forge.forgery import HELD_OUT_FAMILIES, SCENE_FAMILIES
from tools.training.data.forgery_pool import HELD_OUT_FAMILY, LfwPhotographs
from tools.training.data.scene_pairs import borderless, drawn_family, forged_photo, scene_pair
from tools.training.encoder import patch_pool
from tools.training.encoder.patch_head import fit_patch_head, is_held_out, patch_auc, save
from tools.training.encoder.patch_pool import TilePair

CHANNELS = 12


def lesson(number: int) -> TilePair:
    """A tile whose forged cells have another third value, in noise."""
    rng = np.random.default_rng(number)
    cells = rng.normal(3, 2, (2, CHANNELS, 8, 8)).astype(np.float16)
    mask = np.zeros((8, 8), np.float32)
    mask[:, : 1 + number % 6] = 1
    cells[1, 2] += (4 * mask).astype(np.float16)
    return TilePair(cells, mask, "scene_inpainting", f"person {number % 40}")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The pocket encoder."""
    return Encoder.load(WEIGHTS_DIR / "encoder", threads=1)


# -- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("turn_deg", [0, 7, -15])
def test_black_wedges_are_cut_off(turn_deg: float) -> None:
    """Nothing of what the turning left is seen, and most of the photograph is."""
    rng = np.random.default_rng(0)
    photo = rng.integers(40, 255, (218, 218, 3), dtype=np.uint8)
    turned = cv2.warpAffine(photo, cv2.getRotationMatrix2D((109, 109), turn_deg, 1), (218, 218))
    rows, columns = borderless(turned)
    inner = turned[rows, columns]
    assert (inner.max(axis=2) < 8).mean() < 0.001
    assert min(inner.shape[:2]) >= (218 if turn_deg == 0 else 140)


def test_a_picture_that_is_dark_throughout_leaves_nothing() -> None:
    """There is no inside of nothing."""
    rows, columns = borderless(np.zeros((60, 60, 3), np.uint8))
    assert np.zeros((60, 60))[rows, columns].size == 0


def write_faces(folder: Path) -> LfwPhotographs:
    """Two photographed persons as LFW's labels list them, one with a black border."""
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    bordered = PIXELS.copy()
    bordered[:, :30] = 0
    cv2.imwrite(str(folder / "a/a.png"), bordered[..., ::-1])
    cv2.imwrite(str(folder / "b/b.png"), PIXELS[..., ::-1])
    landmarks = np.stack([LANDMARKS, LANDMARKS])
    return LfwPhotographs(folder, np.array(["a/a.png", "b/b.png"]), landmarks, np.array(["a", "b"]))


def test_pairs_have_no_border_and_their_landmarks_follow(tmp_path: Path) -> None:
    """The photograph is cut before it is forged, so the mask fits what is left."""
    faces = write_faces(tmp_path / "faces")
    pair = scene_pair(faces, 0, family="scene_composite", rng=np.random.default_rng(0))
    assert pair is not None and pair.landmarks is not None
    assert pair.real.shape == pair.fake.shape == (*pair.mask.shape, 3)
    cut = PIXELS.shape[1] - pair.real.shape[1]
    assert 30 <= cut <= 34
    np.testing.assert_allclose(pair.landmarks, LANDMARKS - [cut, 0], atol=1e-3)
    np.testing.assert_array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])


def test_what_cannot_be_forged_is_left_out() -> None:
    """A face that fills its photo has no scene: no pair, and no error."""
    left, top = TARGET_LANDMARKS.min(axis=0).astype(int) + 10
    right, bottom = TARGET_LANDMARKS.max(axis=0).astype(int) - 10
    found = forged_photo(
        TARGET[top:bottom, left:right], TARGET_LANDMARKS - [left, top],
        family="scene_resynthesis", rng=np.random.default_rng(0),
        source=(SOURCE, SOURCE_LANDMARKS), origin="a/a.png",
    )  # fmt: skip
    assert found is None


def test_families_that_are_held_out_are_never_drawn() -> None:
    """They measure how far what was learnt carries."""
    rng = np.random.default_rng(0)
    drawn = {drawn_family(rng) for _ in range(400)}
    assert set(SCENE_FAMILIES) < drawn
    assert not drawn & {HELD_OUT_FAMILY, *HELD_OUT_FAMILIES}


def test_tiles_are_kept_and_not_made_twice(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is read back, and a second run adds nothing."""
    faces = write_faces(tmp_path / "faces")
    monkeypatch.setattr(LfwPhotographs, "load", lambda data, *, split: faces)
    pool = tmp_path / "pool"
    patch_pool.write(tmp_path, pool, encoder, photos=2, seed=0)
    files = {path: path.stat().st_mtime_ns for path in pool.iterdir()}
    lessons = list(patch_pool.read(pool))
    assert {it.person for it in lessons} <= {"a", "b"} and lessons
    for it in lessons:
        assert it.cells.shape == (2, 449, 16, 16) and it.mask.shape == (16, 16)
        changed = np.abs(it.cells[0].astype(float) - it.cells[1]).max(axis=0) > 0.01
        assert it.mask.max() <= 1
        assert changed[it.mask > 0.5].all()
    patch_pool.write(tmp_path, pool, encoder, photos=2, seed=0)
    assert {path: path.stat().st_mtime_ns for path in pool.iterdir()} == files


# -- the head --------------------------------------------------------------------------------


def test_the_head_learns_what_marks_a_forged_cell() -> None:
    """On persons left out it ranks cells right; the standardisation is part of its weights."""
    lessons = [lesson(number) for number in range(120)]
    assert any(is_held_out(it.person) for it in lessons)
    fitted = fit_patch_head(lessons, epochs=8)
    assert fitted.cell_auc > 0.85
    assert fitted.persons == 40
    unseen = [lesson(number) for number in range(1000, 1010)]
    assert patch_auc(fitted.head, unseen) > 0.85
    blind = [TilePair(it.cells[:, ::-1], it.mask, it.family, it.person) for it in unseen]
    assert patch_auc(fitted.head, blind) < 0.7


def test_too_few_persons_are_told() -> None:
    """Without anybody left out nothing would say whether it has learnt."""
    with pytest.raises(ValueError, match="too few persons"):
        fit_patch_head([lesson(0), lesson(0)])


def test_a_fitted_head_lies_on_the_shelf(tmp_path: Path, encoder: Encoder) -> None:
    """It says of itself what it learnt from and which encoder it needs."""
    fitted = fit_patch_head([lesson(number) for number in range(80)], epochs=1)
    save(fitted, tmp_path / "patches", encoder)
    (found,) = find_stored_detectors([tmp_path])
    assert isinstance(found, StoredDetector) and found.about.kind == KIND
    assert found.title == "image/patches"
    assert found.about.encoder_sha256 == encoder.sha256
    assert "80 tiles" in found.about.trained_on
    assert isinstance(load_detector(found, encoder), PatchDetector)
    card = (found.folder / "CARD.md").read_text("utf-8")
    assert f"AUC {fitted.cell_auc:.3f}" in card and "80 tiles of 40" in card
