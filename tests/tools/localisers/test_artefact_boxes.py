"""Boxes around artefacts as a heat map, read by regions like any other."""

from collections.abc import Sequence

import numpy as np
import pytest
import skimage.data

from tests.support.stand_ins import FakeEncoder
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.networks.artefact_module import ArtefactNetwork
from tools.detectors.networks.caddm import Caddm
from tools.faces.analyser import Face, FaceAnalyser
from tools.localisers import (
    OPTIONAL_LOCALISERS,
    Localisation,
    evidence_region,
    localise_with,
    optional_localisers,
)
from tools.localisers.artefact_boxes import (
    BOX_EDGE_SOFTNESS,
    BoxDetector,
    artefact_boxes,
    boxes_to_heatmap,
)

SIDE = 100


class Drawn:
    """Finds the boxes that it was given, whatever it sees; keeps what it was shown."""

    def __init__(self, *boxes: tuple[float, ...], size: int = 32, margin: float = 1.3) -> None:
        self.size, self.margin = size, margin
        self.name = "drawn"
        self.shown: list[np.ndarray] = []
        self._boxes = np.array(boxes, np.float32).reshape(-1, 5)

    def boxes(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same for each."""
        self.shown += pictures
        return [self._boxes for _ in pictures]


class NoHead:
    """A head that has no part in it."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """Never asked."""
        raise AssertionError("boxes need no head")


class Mapless(FakeEncoder):
    """An encoder that makes no map of its own; its crops are 32 px at a margin of 1.3."""

    def evidence_map(self, image: np.ndarray, *, size: int | None = None) -> None:
        """None."""


@pytest.fixture(scope="module")
def face() -> Face:
    """The astronaut's face."""
    (found,) = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1).analyse([skimage.data.astronaut()])[0]
    return found


def drawn(finder: BoxDetector, face: Face) -> Localisation | None:
    """The boxes of a detector on the astronaut's face."""
    photo = skimage.data.astronaut()
    return localise_with(artefact_boxes(finder), photo, face, encoder=Mapless(), head=NoHead())


def test_a_place_has_the_scores_of_the_boxes_over_it() -> None:
    """Scores add up where boxes overlap; outside of all of them there is nothing."""
    heat = boxes_to_heatmap(
        np.array([[0.2, 0.3, 0.6, 0.7, 0.5], [0.5, 0.3, 0.9, 0.7, 0.3]]), side=SIDE
    )
    assert (heat.shape, heat.dtype) == ((SIDE, SIDE), np.float32)
    assert heat[50, [30, 55, 80, 5, 97]] == pytest.approx([0.5, 0.8, 0.3, 0, 0])
    assert heat[[10, 90], 55] == pytest.approx([0, 0])  # x is the second axis


def test_edges_are_soft_but_not_those_of_the_crop() -> None:
    """A box fades out over its edge, half of it inside; one that ends with the crop does not."""
    heat = boxes_to_heatmap(np.array([[0.0, 0.0, 0.5, 1.0, 0.8]]), side=SIDE)
    assert heat[0, 0] == heat[-1, 0] == pytest.approx(0.8)
    fading = heat[50, 46:54]
    assert (np.diff(fading) < 0).sum() >= BOX_EDGE_SOFTNESS * SIDE - 1
    assert float(fading.mean()) == pytest.approx(0.4, abs=0.01)


def test_without_boxes_the_map_is_dark() -> None:
    """Nothing found is a measurement, 0 everywhere."""
    assert not boxes_to_heatmap(np.empty((0, 5)), side=SIDE).any()


def test_a_box_at_the_mouth_is_read_at_the_mouth(face: Face) -> None:
    """Through landmarks and evidence as for the other localisers, without words for its values."""
    # The crop's template has the mouth at a height of 0.75, the eyes at 0.47.
    located = drawn(Drawn((0.2, 0.65, 0.8, 0.95, 0.9)), face)
    assert located is not None
    values = {evidence_region(it.id): it.value for it in located.evidence}
    assert values["mouth"] == pytest.approx(0.9, abs=0.1)
    assert values["left eye"] == values["right eye"] == values["eyebrows"] == 0.0
    assert {it.reads for it in located.evidence} == {"not calibrated"}
    assert "box" in located.limits


def test_the_detector_sees_the_crop_that_it_wants(face: Face) -> None:
    """A smaller margin is cut out of the encoder's crop, and its boxes are put back there."""
    same, inner = Drawn(), Drawn((0.0, 0.0, 1.0, 1.0, 1.0), size=20, margin=0.65)
    located = drawn(same, face), drawn(inner, face)
    assert located[0] is not None
    assert located[1] is not None
    crop, heat = located[0].crop, located[1].heatmap
    assert np.array_equal(same.shown[0], crop)
    assert inner.shown[0].shape == (20, 20, 3)
    assert abs(inner.shown[0].mean() - crop[8:24, 8:24].mean()) < 2
    assert (heat[16, 16], heat[2, 16], heat[16, 30]) == (1, 0, 0)


def test_a_crop_that_shows_too_little_gets_no_map(face: Face) -> None:
    """What the encoder's crop does not show cannot be searched for artefacts."""
    finder = Drawn(margin=1.6)
    assert drawn(finder, face) is None
    assert finder.shown == []


def test_a_trained_network_is_one() -> None:
    """The detector of artefacts has what is asked for, and gives a map even untrained."""
    network = ArtefactNetwork("pocket_tower", module=True).eval()
    finder: BoxDetector = Caddm(network, 128, 1.0, True, "sbi_caddm", "0" * 64)
    crop = skimage.data.astronaut()[:128, 160:288]
    *others, localiser = optional_localisers([object(), finder])
    assert tuple(others) == OPTIONAL_LOCALISERS
    assert localiser.name == "artefact_boxes/sbi_caddm"
    heat = localiser.heatmap(crop, encoder=Mapless(), head=NoHead())
    assert heat is not None
    assert heat.shape == (128, 128)
