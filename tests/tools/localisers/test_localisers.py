"""Heat maps follow the picture, and their regions match the map or are not read."""

from dataclasses import replace

import numpy as np
import pytest

from assistant import Unmask
from tests.support.cases import astronaut_pixels
from tools.encoder.clip import Encoder
from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.forge.forgery import forge
from tools.localisers import LOCALISERS, REGIONS, evidence_region, localise_forgery, overlay_heatmap
from tools.localisers.occlusion import occlusion_map
from tools.localisers.regions import interpret_region, region_evidence

TOWER, *_, OCCLUSION = LOCALISERS


@pytest.fixture(scope="module")
def face(case: Unmask) -> Face:
    """The astronaut's face."""
    (found,) = case.models.faces.analyse([astronaut_pixels()])[0]
    return found


@pytest.fixture(scope="module")
def encoder(case: Unmask) -> Encoder:
    """The pocket encoder."""
    return case.models.encoder


class CountsRed:
    """An encoder whose only feature is how red the left upper quarter is."""

    image_size = 64
    face_margin = 1.0

    def encode_images(self, images: list[np.ndarray]) -> np.ndarray:
        """Features (n, 1): the spread of red there."""
        return np.array([[float(image[:32, :32, 0].std())] for image in images], np.float32)

    def evidence_map(self, image: np.ndarray, *, size: int | None = None) -> None:
        """It makes no map of its own."""


class FirstFeature:
    """A head that scores the first feature."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, 1) to (n,)."""
        return np.asarray(features[:, 0], np.float64)


def test_occlusion_lights_up_what_the_score_rests_on() -> None:
    """Only the quarter that the encoder looks at loses score when it is hidden."""
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    heat = occlusion_map(crop, encoder=CountsRed(), head=FirstFeature())
    assert heat.shape == (64, 64)
    assert heat[:32, :32].mean() > 10 * abs(heat[40:, 40:].mean())


def test_the_map_follows_the_picture(case: Unmask, face: Face, encoder: Encoder) -> None:
    """A face that was synthesised again reads strong somewhere; the authentic photo nowhere."""
    assert face.landmarks is not None
    pixels, head = astronaut_pixels(), FirstFeature()
    forged = forge(
        pixels, face.landmarks, family="resynthesis", rng=np.random.default_rng(1)
    ).pixels
    readings = [
        {
            item.reads
            for item in localise_forgery(picture, face, encoder=encoder, head=head).evidence
        }
        for picture in (forged, pixels)
    ]
    assert "strong" in readings[0]
    assert "strong" not in readings[1]


def test_regions_are_numbered_after_the_other_evidence(face: Face, encoder: Encoder) -> None:
    """E11 is the left eye and E17 the face's boundary, each with method and limits."""
    located = localise_forgery(astronaut_pixels(), face, encoder=encoder, head=FirstFeature())
    assert [item.id for item in located.evidence] == [f"E{number}" for number in range(11, 18)]
    assert [evidence_region(item.id) for item in located.evidence] == list(REGIONS)
    assert evidence_region("E10") is evidence_region("E18") is None
    assert all(item.method and item.limits for item in located.evidence)


def test_a_hot_spot_is_the_region_it_lies_in(face: Face) -> None:
    """Heat at the mouth alone reads strong at the mouth and none at the eyes."""
    assert face.landmarks is not None
    heat = np.full((512, 512), -3.0, np.float32)
    x, y = face.landmarks[48:68].mean(axis=0).astype(int)
    heat[y - 30 : y + 30, x - 45 : x + 45] = 5.0
    reads = {
        evidence_region(item.id): item.reads
        for item in region_evidence(heat, face.landmarks, localiser=TOWER)
    }
    assert reads["mouth"] == "strong"
    assert reads["left eye"] == reads["right eye"] == reads["eyebrows"] == "none"


def test_a_region_outside_of_the_crop_is_not_measured(face: Face) -> None:
    """Landmarks far away give no value, and no reading but that."""
    assert face.landmarks is not None
    away = region_evidence(np.zeros((64, 64), np.float32), face.landmarks + 5000, localiser=TOWER)
    assert {(item.value, item.reads) for item in away} == {(None, "not measured")}


def test_what_was_never_calibrated_is_not_read() -> None:
    """Occlusion's values have no thresholds, so that no sentence can rest on them."""
    assert interpret_region(9.0, OCCLUSION) == "not calibrated"
    assert [interpret_region(value, TOWER) for value in (9.0, 1.5, 0.0, None)] == [
        "strong", "weak", "none", "not measured",
    ]  # fmt: skip


def test_without_landmarks_nothing_is_located(face: Face, encoder: Encoder) -> None:
    """Models without landmarks cannot tell the parts of a face apart, and the tool says so."""
    bare = replace(face, landmarks=None)
    with pytest.raises(ToolError, match="no landmarks"):
        localise_forgery(astronaut_pixels(), bare, encoder=encoder, head=FirstFeature())


def test_an_encoder_without_a_map_gets_occlusion(face: Face) -> None:
    """The same call works with any encoder that has a head."""
    located = localise_forgery(astronaut_pixels(), face, encoder=CountsRed(), head=FirstFeature())
    assert "occlusion" in located.evidence[0].method
    assert {item.reads for item in located.evidence} == {"not calibrated"}


@pytest.mark.parametrize(
    ("heat", "coloured"), [(np.full((8, 8), -2.0), False), (np.full((8, 8), 9.0), True)]
)
def test_only_heat_is_drawn(heat: np.ndarray, coloured: bool) -> None:
    """A cold map leaves the grey face; a hot one of any size turns it red."""
    drawn = overlay_heatmap(astronaut_pixels()[:96, :128], heat.astype(np.float32))
    assert drawn.shape == (96, 128, 3)
    assert drawn.dtype == np.uint8
    assert bool((drawn[..., 0] != drawn[..., 2]).any()) is coloured
