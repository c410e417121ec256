"""Map thresholds: signs that authentic photographs also show are neither read nor drawn."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import astronaut_pixels
from tools.errors import SetupError
from tools.localisers import LOCALISERS
from tools.localisers.map_scales import (
    MAP_THRESHOLDS_FILE,
    NO_FINDING_TEXT,
    MapThreshold,
    read_map_thresholds,
)
from tools.localisers.regions import Localisation, region_evidence
from tools.search.reranking.patch_grid import patch_map
from tools.search.reranking.reference_comparison import ReferenceMap
from tools.training.calibration.map_scales import Row, fit_map_thresholds, write

pytestmark = pytest.mark.fast

TOWER = LOCALISERS[0]
CROP = np.full((64, 64, 3), 120, np.uint8)
_ANGLES = np.linspace(0, 2 * np.pi, 68, endpoint=False)
LANDMARKS = (32 + 20 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)).astype(np.float32)


def _located(heat: float, scale: MapThreshold | None) -> Localisation:
    whole = np.full((64, 64), heat, np.float32)
    return Localisation(
        CROP, whole, region_evidence(whole, LANDMARKS, localiser=TOWER, scale=scale)
    )


@pytest.mark.parametrize("heat", [1.3, 2.5, 2.9])
def test_what_authentic_photographs_reach_is_no_sign(heat: float) -> None:
    """Strong by the localiser's own limits, yet not beyond the scale: "none", and nothing drawn."""
    bare, scaled = _located(heat, None), _located(heat, MapThreshold(3.0, 0.05, {"LFW": 80}))
    assert bare.has_finding
    assert bare.displayed_heatmap.max() == pytest.approx(heat)
    assert {it.reads for it in scaled.evidence if it.value is not None} == {"none"}
    assert not scaled.has_finding
    assert not scaled.displayed_heatmap.any()


def test_what_is_beyond_the_scale_is_read_and_drawn() -> None:
    """A region above it reads as before."""
    located = _located(3.5, MapThreshold(3.0, 0.05, {"LFW": 80}))
    assert {it.reads for it in located.evidence if it.value is not None} == {"strong"}
    assert located.displayed_heatmap.any()


def test_a_picture_in_which_nothing_stands_out_stays_grey() -> None:
    """Its strongest places may be as strong as in authentic photographs: it says so."""
    pixels, heat = astronaut_pixels(), np.full((12, 12), 2.0, np.float32)
    quiet = patch_map(heat, scale=MapThreshold(2.5, 0.05, {"LFW": 80}))
    found = patch_map(heat, scale=MapThreshold(1.5, 0.05, {"LFW": 80}))
    unknown = patch_map(heat)
    assert quiet is not None
    assert found is not None
    assert unknown is not None
    assert (quiet.has_finding, quiet.text) == (False, NO_FINDING_TEXT)
    shown = quiet.over(pixels)
    assert (shown == shown[..., :1]).all()
    assert found.text.startswith("stands out from authentic photographs; strongest at")
    shown = found.over(pixels)
    assert not (shown == shown[..., :1]).all()
    assert "not calibrated" in unknown.text


def test_a_distance_map_without_a_far_region_is_not_drawn() -> None:
    """Nothing far: the map says so, and shows no place."""
    heat = np.ones((8, 8), np.float32)
    near = ReferenceMap(CROP, heat, heat, standardised=True, far=())
    assert NO_FINDING_TEXT in near.text
    assert not near.displayed_heatmap.any()
    heat[:2] = 5.0
    far = ReferenceMap(CROP, heat, heat, standardised=True, far=("mouth",), drawn_from=4.0)
    assert (far.displayed_heatmap[:2] == 1.0).all()
    assert (far.displayed_heatmap[2:] < 0).all(), "what is usual is not red, whatever is far"
    own = ReferenceMap(CROP, heat, heat, standardised=False, far=None)
    assert (own.displayed_heatmap[2:] < 0).all(), "nor on a scale of its own"


def _rows(rng: np.random.Generator, persons: int) -> list[Row]:
    """Photographs of two kinds, of which one is noisier, one to four of each person."""
    return [
        (kind, f"{kind} {person}", {"map": float(rng.normal(level, 1.0))})
        for kind, level in (("press", 0.0), ("frame", 1.0))
        for person in range(persons)
        for _ in range(rng.integers(1, 5))
    ]


def test_of_each_kind_of_photograph_at_most_the_promised_share_shows_anything() -> None:
    """Over 100 simulated fits, photographs of persons never seen: 5 % of the noisier kind too."""
    rng, shown = np.random.default_rng(0), []
    for _ in range(100):
        scale = fit_map_thresholds(_rows(rng, 60))["map"]
        shown += [
            float(found["map"] > scale.finding)
            for kind, _, found in _rows(rng, 30)
            if kind == "frame"
        ]
    assert np.mean(shown) <= 0.06
    assert np.mean(shown) >= 0.01


def test_with_too_few_persons_no_map_finds_anything() -> None:
    """Ten persons promise nothing rarer than one in eleven."""
    assert fit_map_thresholds(_rows(np.random.default_rng(1), 10))["map"].finding == float("inf")


def test_scales_are_read_back_for_their_encoder_alone(tmp_path: Path) -> None:
    """Another encoder's maps have no scale; a damaged file says what to do."""
    path = tmp_path / "scales.json"
    write(_rows(np.random.default_rng(2), 40), "abc", path)
    assert set(read_map_thresholds(path)) == {("abc", "map")}
    (tmp_path / "damaged.json").write_text("{")
    with pytest.raises(SetupError, match="unmask models verify"):
        read_map_thresholds(tmp_path / "damaged.json")


def test_the_shipped_scales_rest_on_persons_enough() -> None:
    """Every shipped map has one, and each kind of photograph was of at least 19 persons."""
    shipped = read_map_thresholds(MAP_THRESHOLDS_FILE)
    assert {name for _, name in shipped} == {
        "tower_map", "distance_map", "small_picture_map", "large_picture_map",
    }  # fmt: skip
    for scale in shipped.values():
        assert np.isfinite(scale.finding)
        assert min(scale.persons.values()) >= 19
