"""Patch maps: tiles cover the whole picture within a budget, and show what stands out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cases import astronaut_pixels
from tests.support.tiny_clip import tiny_clip
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import UnifdLinear
from tools.detectors.clip_heads import patches
from tools.detectors.clip_heads.patch_head import PatchHead
from tools.detectors.clip_heads.patches import KIND, NAME, PatchDetector, local_patch_features
from tools.detectors.folders import WEIGHTS_FILE, DetectorDescription, StoredDetector
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import PixelDetector
from tools.detectors.scoring import run_detector
from tools.encoder.clip import Encoder
from tools.encoder.tiles import MAX_TILES, make_tiles, merge_tile_maps, picture_map, top_mean
from tools.errors import SetupError
from tools.search.model_bundle import ModelBundle
from tools.search.reranking.patch_grid import (
    image_heatmap,
    patch_map,
    score_tiles_by_evidence,
    score_tiles_by_features,
)

SIZE = 128


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The pocket encoder."""
    return Encoder.load(WEIGHTS_DIR / "encoder", threads=1)


@pytest.fixture(scope="module")
def placeless(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A CLIP that makes no map and does not tell depths apart."""
    return tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")[0]


def drawn_head(channels: int = 449, seed: int = 0) -> PatchHead:
    """A head that knows nothing."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return PatchHead(torch.zeros(channels), torch.ones(channels), hidden=8).eval()


@dataclass
class Roughness:
    """A reader whose logits are how rough each sixteenth of a tile is; it counts its tiles."""

    tiles: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Logits (n, 4, 4)."""
        self.tiles += [part.shape for part in parts]
        return np.stack([self._of(part) for part in parts])

    def _of(self, part: np.ndarray) -> np.ndarray:
        rows = np.array_split(part.astype(np.float32), 4)
        return np.array([[it.std() for it in np.array_split(row, 4, axis=1)] for row in rows])


def roughness(pixels: np.ndarray) -> np.ndarray:
    """The map of a picture by `Roughness`."""
    heat = picture_map(pixels, Roughness(), size=SIZE)
    assert heat is not None
    return heat


def features(values: Sequence[float]) -> Any:
    """An encoder whose feature is a given number a tile."""
    return SimpleNamespace(
        image_size=SIZE,
        encode_images=lambda parts: np.array(values[: len(parts)], np.float32)[:, None],
    )


FIRST = UnifdLinear(np.array([1.0]), 0.0, "image")


# -- tiles -----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(32, 2500), st.integers(32, 2500))
def test_tiles_cover_a_picture_within_their_budget(height: int, width: int) -> None:
    """Whatever its size, nothing sticks out, and but for strips every pixel lies in a tile."""
    placed = make_tiles(height, width, size=SIZE)
    assert 1 <= len(placed) <= MAX_TILES
    seen = np.zeros((height, width), bool)
    for tile in placed:
        assert tile.left >= 0 and tile.top >= 0
        seen[tile.top : tile.top + tile.side, tile.left : tile.left + tile.side] = True
        assert tile.left + tile.side <= width and tile.top + tile.side <= height
    assert seen.all() or max(height, width) > 20 * min(height, width)


@pytest.mark.parametrize(("height", "width"), [(200, 218), (450, 800), (512, 512)])
def test_a_photograph_is_seen_at_its_own_scale(height: int, width: int) -> None:
    """The finer tiles are as large as the network's input, and the coarser ones larger."""
    sides = {tile.scale: tile.side for tile in make_tiles(height, width, size=SIZE)}
    assert sides[0] == SIZE
    assert sides[1] == min(2 * SIZE, height, width)


def test_overlapping_maps_are_averaged_in_place() -> None:
    """A tile's map lies where the tile does, and two that overlap share the place."""
    placed = [it for it in make_tiles(200, 300, size=100) if it.scale == 0]
    maps = np.array([np.full((2, 2), number) for number in range(len(placed))], float)
    heat = merge_tile_maps(placed, maps, height=200, width=300)
    assert heat.shape == (32, 48)
    assert heat[0, 0] == 0 and heat[-1, -1] == len(placed) - 1
    assert heat[:4, :4].max() == 0 and 0 < heat[0, 14] < 1


def test_what_lies_in_no_tile_is_not_measured() -> None:
    """A gap in the tiles of a strip is NaN in the map, and takes no part in the number."""
    heat = merge_tile_maps(
        make_tiles(32, 9000, size=SIZE), np.zeros((64, 1, 1)), height=32, width=9000
    )
    assert np.isnan(heat).any() and np.isfinite(heat).any()
    assert top_mean(heat) == 0
    assert np.isnan(top_mean(np.full((4, 4), np.nan)))


def test_a_single_place_decides_nothing() -> None:
    """One outlier among a thousand places moves the number little, a forged patch moves it far."""
    calm, patch = np.zeros((32, 32)), np.zeros((32, 32))
    calm[5, 5] = patch[10:20, 10:20] = 9.0
    assert top_mean(calm) < 2
    assert top_mean(patch) == 9.0


# -- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("corner", [(20, 30), (20, 400), (420, 60), (400, 430)])
def test_the_map_is_strongest_where_a_patch_was_pasted(corner: tuple[int, int]) -> None:
    """In each corner of a photograph, far from the face."""
    top, left = corner
    pixels = np.full((512, 512, 3), 90, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (70, 70, 3), dtype=np.uint8)
    pixels[top : top + 70, left : left + 70] = noise
    heat = picture_map(pixels, Roughness(), size=SIZE)
    assert heat is not None
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    step = 512 / len(heat)
    assert top - 32 <= (row + 0.5) * step <= top + 102
    assert left - 32 <= (column + 0.5) * step <= left + 102


@pytest.mark.parametrize("shape", [(20, 400), (31, 31)])
def test_a_tiny_picture_is_not_measured(shape: tuple[int, int], encoder: Encoder) -> None:
    """No map, and NaN for the number, beside a picture that is large enough."""
    pixels = np.full((*shape, 3), 90, np.uint8)
    detector = PatchDetector(encoder, drawn_head(), "0" * 64)
    assert picture_map(pixels, Roughness(), size=SIZE) is None
    assert patch_map(np.full((4, 4), np.nan)) is None
    found = detector.score_images([pixels, astronaut_pixels()[:200, :200]])
    assert np.isnan(found).tolist() == [True, False]


def test_a_huge_picture_costs_no_more_than_the_budget() -> None:
    """Twelve megapixels are read in at most sixty-four tiles, each of which may be large."""
    reader = Roughness()
    assert picture_map(np.zeros((3000, 4000, 3), np.uint8), reader, size=SIZE) is not None
    assert len(reader.tiles) <= MAX_TILES
    assert {shape[0] for shape in reader.tiles} > {128} or min(reader.tiles)[0] > 128


def test_the_map_is_drawn_over_the_whole_picture() -> None:
    """As large as it can be shown; grey where nothing stands out, coloured where something does."""
    pixels = np.full((600, 1200, 3), 90, np.uint8)
    quiet = patch_map(roughness(pixels))
    pixels[:100, :100] = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    marked = patch_map(roughness(pixels))
    assert quiet is not None and marked is not None
    dark, lit = quiet.over(pixels), marked.over(pixels)
    assert lit.shape == (480, 960, 3)
    assert (dark.max(axis=2) == dark.min(axis=2)).all()
    assert lit[20, 20, 0] > int(lit[20, 20, 2]) + 50
    assert (lit[-20, -20] == dark[-20, -20]).all()
    assert marked.where == "top left" and marked.score > 10 * (quiet.score + 1)


def test_what_is_usual_is_not_drawn() -> None:
    """A sign no stronger than authentic pictures have leaves the map grey; the score stays."""
    pixels = np.full((300, 300, 3), 90, np.uint8)
    pixels[120:180, 120:180] = 99
    drawn, left = (patch_map(roughness(pixels), usual=usual) for usual in (0.0, 20.0))
    assert drawn is not None and left is not None
    assert np.ptp(drawn.over(pixels).astype(int), axis=2).max() > 50
    assert np.ptp(left.over(pixels).astype(int), axis=2).max() == 0
    assert left.score == drawn.score and drawn.where == "middle"


# -- readers ---------------------------------------------------------------------------------


def test_a_head_reads_tiles_by_their_features() -> None:
    """One logit a tile, spread over it; what has no features stays unknown."""
    pixels = np.zeros((128, 320, 3), np.uint8)
    heat = picture_map(pixels, score_tiles_by_features(features([0.0, 1.0, 4.0]), FIRST), size=SIZE)
    assert heat is not None and heat[0, 0] == 0 and heat[0, -1] == 4
    unknown = picture_map(pixels, score_tiles_by_features(features([np.nan] * 3), FIRST), size=SIZE)
    assert unknown is not None and np.isnan(top_mean(unknown))


def test_the_towers_own_map_is_read_where_there_is_one(
    encoder: Encoder, placeless: Encoder
) -> None:
    """Ours makes one, a plain CLIP makes none."""
    read = score_tiles_by_evidence(encoder)
    assert read is not None
    maps = read([astronaut_pixels()[:128, :128], astronaut_pixels()[128:256, :128]])
    assert maps.shape == (2, SIZE, SIZE) and not np.array_equal(maps[0], maps[1])
    assert score_tiles_by_evidence(placeless) is None


def test_depths_of_the_tower_include_what_it_ends_with(encoder: Encoder) -> None:
    """The cells that its features are made of, its evidence, and what came before them."""
    trunk = cast(Any, encoder.model).visual.trunk
    part = astronaut_pixels()[:128, :128]
    seen = local_patch_features(encoder, [part])
    assert seen is not None and seen.shape == (1, 449, 16, 16)
    with torch.inference_mode():
        cells, evidence = trunk.cells(encoder.preprocess([part]))
    np.testing.assert_allclose(seen[:, :160], cells.numpy(), atol=1e-5)
    np.testing.assert_allclose(seen[:, 160], evidence.numpy(), atol=1e-5)


def test_patches_need_a_tower_with_depths(placeless: Encoder) -> None:
    """Another encoder is told apart from a picture without forgeries."""
    assert local_patch_features(placeless, [astronaut_pixels()]) is None
    with pytest.raises(SetupError, match="depths"):
        PatchDetector(placeless, drawn_head(), "").score_images([astronaut_pixels()])


def test_patches_go_to_the_shelf_and_come_back(encoder: Encoder, tmp_path: Path) -> None:
    """What was saved says the same again, and is judged like any other detector."""
    head, folder = drawn_head(), tmp_path / NAME
    about = DetectorDescription(
        KIND, NAME, "image", "pixels", "test", "nothing", encoder_sha256=encoder.sha256
    )
    about.save(folder)
    head.save(folder / WEIGHTS_FILE)
    shelf = StoredDetector(folder, about)
    detector = load_detector(shelf, encoder)
    assert isinstance(detector, PixelDetector) and detector.sha256 == shelf.sha256
    pixels = astronaut_pixels()[:160, :160]
    own = PatchDetector(encoder, head, "").score_images([pixels])
    assert run_detector(detector, cast(Any, OneLook(pixels))).logits == pytest.approx(own, abs=0.02)
    drawn_head(seed=1).save(folder / WEIGHTS_FILE)
    assert StoredDetector(folder, about).sha256 != detector.sha256
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros((1, 4), np.float32)}, folder / WEIGHTS_FILE)
    with pytest.raises(SetupError, match="does not hold a patch head"):
        load_detector(shelf, encoder)


@dataclass(frozen=True)
class OneLook:
    """One picture without a face, as detectors see it."""

    pixels: np.ndarray

    def __len__(self) -> int:
        return 1

    def images_with_keypoints(self) -> Any:
        """Its pixels."""
        yield self.pixels, None


# -- a hit -----------------------------------------------------------------------------------


def bundle(**parts: Any) -> ModelBundle:
    """A profile of these parts."""
    return cast(ModelBundle, SimpleNamespace(**{"pixel_detectors": [], "detectors": [], **parts}))


def test_a_hit_is_scored_by_what_the_profile_has(encoder: Encoder) -> None:
    """A detector of patches measures by itself; else the image head does; else nothing does."""
    pixels = astronaut_pixels()[:200, :200]
    detector = PatchDetector(encoder, drawn_head(), "")
    own = image_heatmap(pixels, bundle(pixel_detectors=[detector], encoder=encoder))
    assert own is not None
    np.testing.assert_array_equal(own, detector.heatmap(pixels))
    head = bundle(detectors=[FIRST], encoder=features([0, 0, 0, 0, 8.0]))
    found = image_heatmap(pixels, head)
    assert found is not None and top_mean(found) > 0
    assert image_heatmap(pixels, bundle(encoder=encoder)) is None


def test_a_map_is_made_once_for_score_and_screen(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same pixels give the same map without another look; other pixels, and later ones, do not
    take its place for good."""
    made = list[int]()

    def counting(pixels: np.ndarray, read: object, *, size: int) -> np.ndarray:
        made.append(len(pixels))
        return np.full((4, 4), float(pixels[0, 0, 0]), np.float32)

    monkeypatch.setattr(patches, "picture_map", counting)
    detector = PatchDetector(encoder, drawn_head(), "")
    first, other = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 7, np.uint8)
    assert detector.score_images([first, first, other]).tolist() == [0, 0, 7]
    assert len(made) == 2
    kit = bundle(pixel_detectors=[detector], encoder=encoder)
    found = image_heatmap(first, kit)
    assert found is not None and found.max() == 0 and len(made) == 2
    for value in range(100, 200):
        detector.heatmap(np.full((40, 40, 3), value, np.uint8))
    detector.heatmap(first)
    assert len(made) == 103


@pytest.mark.parametrize("pixels", [np.zeros((20, 20, 3), np.uint8), np.zeros((200, 200, 3))])
def test_what_cannot_be_measured_is_none_and_never_zero(pixels: np.ndarray) -> None:
    """A picture too small to cut, and features that are not there."""
    unknown = features([np.nan] * 5)
    found = image_heatmap(pixels, bundle(detectors=[FIRST], encoder=unknown))
    assert found is None or patch_map(found) is None
