"""A hit against the query photos: the map depends on both, and needs both."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from assistant import Unmask
from assistant.report.pictures.maps import (
    DISTANCE_MAP_TITLE,
    FORGERY_MAP_TITLE,
    PICTURE_MAP_TITLE,
    distance_view,
    map_views,
)
from tests.support.cases import astronaut_pixels, group_pixels
from tests.support.tiny_clip import WIDTH, tiny_clip
from tools.encoder.clip import Encoder
from tools.encoder.patch_features import patch_features
from tools.faces.alignment import crop_matrix, transform_points
from tools.faces.analyser import Face, FaceAnalyser
from tools.forge.forgery import forge
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.inner_outer_face import (
    FaceInImage,
    InnerOuterDistances,
    inner_outer_distances,
    split_inner_outer,
)
from tools.search.reranking.reference_comparison import (
    INNER_OUTER,
    PATCH_DISTANCE,
    nearest_distances,
    reference_map,
    reference_scores,
)
from tools.search.reranking.rerank_input import RerankInput


@pytest.fixture(scope="module")
def portrait(case: Unmask) -> FaceInImage:
    """The astronaut."""
    (face,) = case.models.faces.analyse([astronaut_pixels()])[0]
    return astronaut_pixels(), face


@pytest.fixture(scope="module")
def others(case: Unmask) -> list[FaceInImage]:
    """Other persons."""
    return [(group_pixels(), face) for face in case.models.faces.analyse([group_pixels()])[0]]


@pytest.fixture(scope="module")
def encoder(case: Unmask) -> Encoder:
    """The pocket encoder."""
    return case.models.encoder


@pytest.fixture(scope="module")
def faces(case: Unmask) -> FaceAnalyser:
    """The pocket analyser."""
    return case.models.faces


def test_a_vit_s_cells_are_its_patches(tmp_path: Path) -> None:
    """One row of features a patch, in the picture's order: a changed corner changes its corner."""
    encoder, _ = tiny_clip(tmp_path / "vit")
    size = encoder.image_size
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    changed = picture.copy()
    changed[:16, -16:] = 255 - changed[:16, -16:]
    cells = patch_features(encoder, [picture, changed])
    assert cells is not None
    assert cells.shape == (2, size // 16, size // 16, WIDTH)
    moved = np.linalg.norm(cells[0] - cells[1], axis=-1)
    assert np.unravel_index(moved.argmax(), moved.shape) == (0, size // 16 - 1)


def test_the_pocket_tower_has_cells_and_a_tower_without_places_has_none(encoder: Encoder) -> None:
    """16 × 16 cells; None, and no made-up map, where there are none."""
    crop = np.zeros((encoder.image_size, encoder.image_size, 3), np.uint8)
    cells = patch_features(encoder, [crop])
    assert cells is not None and cells.shape[:3] == (1, 16, 16)
    placeless = cast(Encoder, SimpleNamespace(model=SimpleNamespace(visual=object())))
    assert patch_features(placeless, [crop]) is None


def test_a_cell_finds_its_like_nearby_and_no_further() -> None:
    """What moved by two cells is found at a reach of two, and missed at a reach of one."""
    cells = np.eye(36, dtype=np.float32).reshape(6, 6, 36)
    moved = np.roll(cells, 2, axis=1)
    assert nearest_distances(cells, moved[None], reach=2)[:, :4].max() == pytest.approx(0, abs=1e-6)
    apart = np.sqrt(2 / 36)  # two of 36 channels differ, by one each
    assert nearest_distances(cells, moved[None], reach=1)[:, :4].min() == pytest.approx(apart)


def test_the_same_photo_is_nowhere_far(portrait: FaceInImage, encoder: Encoder) -> None:
    """A query photo held against itself has no distance at any place."""
    mapped = reference_map(portrait, [portrait], encoder=encoder)
    assert mapped is not None
    assert mapped.distances.max() < 1e-4


def test_another_query_photo_changes_the_map(
    portrait: FaceInImage, others: list[FaceInImage], encoder: Encoder
) -> None:
    """The map is about both; with one more photo no place can get farther."""
    one = reference_map(portrait, others[:1], encoder=encoder)
    other = reference_map(portrait, others[1:2], encoder=encoder)
    both = reference_map(portrait, others[:2], encoder=encoder)
    assert one is not None and other is not None and both is not None
    assert np.abs(one.distances - other.distances).max() > 0.05
    assert (both.distances <= np.minimum(one.distances, other.distances) + 1e-5).all()


def test_a_pasted_patch_lights_up_where_it_lies(portrait: FaceInImage, encoder: Encoder) -> None:
    """The strongest cell lies in what was pasted over the mouth."""
    pixels, face = portrait
    assert face.landmarks is not None
    left, top = face.landmarks[48:68].min(axis=0).round().astype(int) - 6
    right, bottom = face.landmarks[48:68].max(axis=0).round().astype(int) + 6
    pasted = pixels.copy()
    noise = np.random.default_rng(0).integers(0, 256, (bottom - top, right - left, 3))
    pasted[top:bottom, left:right] = noise
    mapped = reference_map((pasted, face), [portrait], encoder=encoder)
    assert mapped is not None
    row, column = np.unravel_index(mapped.distances.argmax(), mapped.distances.shape)
    matrix = crop_matrix(face.keypoints, size=16, margin=encoder.face_margin)
    corners = transform_points(np.array([[left, top], [right, bottom]], float), matrix)
    assert corners[0, 0] - 1 <= column <= corners[1, 0] + 1
    assert corners[0, 1] - 1 <= row <= corners[1, 1] + 1


def test_a_face_is_taken_apart_without_a_rest(portrait: FaceInImage) -> None:
    """Every pixel is in the inner face or around it; the nose is inside, the corners outside."""
    apart = split_inner_outer(*portrait)
    nose = tuple(apart.keypoints[2].round().astype(int)[::-1])
    assert (apart.outer[nose] == 127).all() and (apart.inner[nose] != 127).any()
    assert (apart.inner[:20, :20] == 127).all() and (apart.outer[:20, :20] != 127).any()
    unmarked: Face = SimpleNamespace(keypoints=portrait[1].keypoints, landmarks=None)  # type: ignore[assignment]
    roughly = split_inner_outer(portrait[0], unmarked)
    assert (roughly.outer[nose] == 127).all()
    assert (roughly.inner[:20, :20] == 127).all()


def test_a_swap_keeps_the_face_and_changes_the_head(
    portrait: FaceInImage, others: list[FaceInImage], faces: FaceAnalyser
) -> None:
    """Of a swap the inner face is near the query photo's, and the head is another one's."""
    pixels, face = portrait
    body, theirs = others[2]
    swap = forge(
        body, theirs.landmarks, family="face_swap", rng=np.random.default_rng(0),
        source_pixels=pixels, source_landmarks=face.landmarks,
    )  # fmt: skip
    forged = inner_outer_distances((swap.pixels, theirs), [portrait], faces=faces)
    stranger = inner_outer_distances((body, theirs), [portrait], faces=faces)
    itself = inner_outer_distances(portrait, [portrait], faces=faces)
    assert forged is not None and stranger is not None and itself is not None
    assert itself.d2 == itself.e2 == itself.d3 == itself.e3 == pytest.approx(0, abs=1e-4)
    assert forged.e2 < stranger.e2 - 0.2
    assert forged.d2 > 0.3
    assert forged.score > itself.score


def test_a_reference_counts_as_far_as_it_is_near() -> None:
    """ICT's weights, worked out by hand for a near and for a far reference."""
    near = InnerOuterDistances(d1=1.0, d2=2.0, d3=0.0, e2=0.5, e3=0.5)
    assert near.score == pytest.approx(1.25 * 1.0 + 0.375 * 2.0)
    far = InnerOuterDistances(d1=1.0, d2=2.0, d3=0.0, e2=4.0, e3=4.0)
    assert far.score == pytest.approx(2.0, abs=0.01)


def test_without_query_photos_nothing_is_measured(portrait: FaceInImage, case: Unmask) -> None:
    """None, not zero; with one, both are measured."""
    models = cast(ModelBundle, case.models)
    alone = RerankInput(*portrait, {}, cast(Query, None), (), models)
    beside = RerankInput(*portrait, {}, cast(Query, None), (portrait,), models)
    assert reference_scores([alone]) == [{INNER_OUTER: None, PATCH_DISTANCE: None}]
    assert all(value is not None for value in reference_scores([beside])[0].values())


def test_maps_are_pictures_with_their_limits(portrait: FaceInImage, case: Unmask) -> None:
    """All maps of a hit, each with words, and with what it does not show."""
    views = map_views(*portrait, [portrait], instruments=case.models)
    assert [view.title for view in views] == [
        FORGERY_MAP_TITLE,
        DISTANCE_MAP_TITLE,
        PICTURE_MAP_TITLE,
    ]
    assert all(view.image.startswith("data:image/jpeg;base64,") for view in views)
    assert all(view.text and view.limits for view in views)
    mapped = reference_map(portrait, [portrait], encoder=case.models.encoder)
    assert mapped is not None
    assert distance_view(mapped).image == views[1].image
    alone = map_views(*portrait, [], instruments=case.models)
    assert [view.title for view in alone] == [FORGERY_MAP_TITLE, PICTURE_MAP_TITLE]
