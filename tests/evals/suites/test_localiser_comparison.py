"""The comparison of localisers hides, exchanges and reports what it claims to."""

import numpy as np
import pytest

from assistant import Unmask
from evals.suites.weights.localiser_comparison import (
    FAMILIES,
    LAST_LAYERS,
    ForgedFace,
    candidates,
    deletion_insertion_curves,
    own_networks,
    randomise_weights,
    sanity_check,
    supported_localisers,
)
from tests.support.cases import astronaut_pixels
from tools.detectors import UnifdLinear
from tools.detectors.networks.caddm import Caddm
from tools.encoder.clip import Encoder
from tools.faces.alignment import aligned_crop
from tools.forge.forgery import FAMILIES as FORGED


@pytest.fixture(scope="module")
def encoder(case: Unmask) -> Encoder:
    """The pocket encoder."""
    return case.models.encoder


@pytest.fixture(scope="module")
def head(case: Unmask) -> UnifdLinear:
    """The pocket's linear head."""
    return next(it for it in case.models.detectors if isinstance(it, UnifdLinear))


@pytest.fixture(scope="module")
def finder(case: Unmask) -> Caddm:
    """The shipped detector that draws boxes."""
    return next(it for it, _ in case.models.localising_detectors if isinstance(it, Caddm))


@pytest.fixture(scope="module")
def crop(case: Unmask) -> np.ndarray:
    """The astronaut's aligned face."""
    pixels, encoder = astronaut_pixels(), case.models.encoder
    face = case.models.faces.analyse([pixels])[0][0]
    size, margin = encoder.image_size, encoder.face_margin
    return aligned_crop(pixels, face.keypoints, size=size, margin=margin)


def test_deletion_and_insertion_are_one_way_and_the_other(
    encoder: Encoder, head: UnifdLinear, crop: np.ndarray
) -> None:
    """Both go between the whole crop and the blurred one, in opposite directions."""
    heat = np.random.default_rng(0).random(crop.shape[:2], np.float32)
    deletion, insertion = deletion_insertion_curves(crop, heat, encoder=encoder, head=head)
    whole = 1 / (1 + np.exp(-head.score(encoder.encode_images([crop]))[0]))
    assert deletion[0] == pytest.approx(whole, abs=1e-4)
    assert insertion[-1] == pytest.approx(whole, abs=1e-4)
    assert deletion[-1] == pytest.approx(insertion[0], abs=1e-4)
    # The other way round, the coldest first, insertion is the deletion read backwards.
    backwards, _ = deletion_insertion_curves(crop, -heat, encoder=encoder, head=head)
    assert backwards == pytest.approx(insertion[::-1], abs=1e-3)


def test_weights_are_exchanged_in_a_copy_only(encoder: Encoder, crop: np.ndarray) -> None:
    """Each weight keeps its values, as many as asked change places, and the original stays."""
    before = encoder.encode_images([crop])
    other = randomise_weights(encoder, last=LAST_LAYERS, rng=np.random.default_rng(0))
    pairs = list(
        zip(encoder.model.visual.parameters(), other.model.visual.parameters(), strict=True)
    )
    moved = [not bool((one == two).all()) for one, two in pairs]
    assert sum(moved) == LAST_LAYERS
    assert all(bool((one.sum() - two.sum()).abs() < 1e-2) for one, two in pairs)
    assert np.array_equal(encoder.encode_images([crop]), before)
    assert np.abs(other.encode_images([crop]) - before).max() > 0.01


def test_what_the_tower_cannot_do_is_left_out(
    encoder: Encoder, head: UnifdLinear, finder: Caddm
) -> None:
    """A convolutional tower has no attention to be relevant, and gets no empty rows for it."""
    assert list(supported_localisers(candidates(0, [finder]), encoder, head)) == [
        "tower_map", "occlusion", "grad_cam", "artefact_boxes/sbi_caddm", "random", "centre",
    ]  # fmt: skip
    assert set(FAMILIES) <= set(FORGED)


def test_the_sanity_check_tells_what_a_map_depends_on(
    encoder: Encoder, head: UnifdLinear, crop: np.ndarray
) -> None:
    """The middle depends on nothing, the tower's own map on the tower alone, Grad-CAM on both."""
    one = ForgedFace("inpainting", "astronaut", crop, np.zeros(crop.shape[:2], bool))
    heats = {
        name: heat for name, heat in candidates(0).items()
        if name in ("tower_map", "grad_cam", "centre")
    }  # fmt: skip
    found = sanity_check([one], heats, encoder=encoder, head=head, seed=0)
    assert found["centre"] == pytest.approx({"head": 1.0, "last_layers": 1.0, "tower": 1.0})
    assert found["tower_map"]["head"] == pytest.approx(1.0)
    assert found["tower_map"]["last_layers"] < 0.9
    assert found["grad_cam"]["head"] < 0.9


def test_boxes_depend_on_their_own_network(
    encoder: Encoder, head: UnifdLinear, finder: Caddm, crop: np.ndarray
) -> None:
    """Neither the encoder nor its head changes them; other weights of the network that draws do."""
    cases = [ForgedFace("inpainting", "astronaut", crop, np.zeros(crop.shape[:2], bool))]
    name, heats = "artefact_boxes/sbi_caddm", candidates(0, [finder])
    found = sanity_check(cases, {name: heats[name]}, encoder=encoder, head=head, seed=0)
    assert found[name] == pytest.approx({"head": 1.0, "last_layers": 1.0, "tower": 1.0})
    before = heats[name](crop, encoder, head)
    own = own_networks(cases, [finder], encoder, head, seed=0)
    assert not own[name] > 0.9
    assert np.array_equal(heats[name](crop, encoder, head), before)
