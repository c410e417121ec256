"""The suite on forged scenes runs on a small data set, and its figures are correct."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evals.options import EvalOptions
from evals.runs.figures import flatten_figures, number
from evals.suites.weights import scene_photos
from evals.suites.weights.scenes import _pointed, run
from tests.support.cases import astronaut_pixels
from tests.support.made.forgery_data import build
from tools.errors import SetupError
from tools.forge.forgery import SCENE_FAMILIES


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LFW made small, and one web photograph of somebody else."""
    root = build(tmp_path_factory.mktemp("data"))
    (root / "photos" / "astronaut").mkdir(parents=True)
    (root / "photos" / "another").mkdir()
    Image.fromarray(astronaut_pixels()).save(root / "photos/astronaut/00.jpg", quality=95)
    Image.fromarray(astronaut_pixels()[:, ::-1]).save(root / "photos/another/00.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def figures(data: Path) -> Mapping[str, object]:
    """What the suite finds on two photographs of each source."""
    told: Any = run(EvalOptions(data, limit=2))
    return flatten_figures(told)


def test_every_family_of_both_sources_is_measured(figures: Mapping[str, object]) -> None:
    """Faces, whole images and tiles each have an AUC, and the maps a place."""
    for name in ("lfw/scene_inpainting", "lfw/face_swap", "lfw/morph", "photos/scene_composite"):
        assert number(figures[f"{name}.n.forged"]) == 2
        for score in ("face/unifd_linear", "image/unifd_linear", "tiles/unifd_linear"):
            assert 0 <= number(figures[f"{name}.{score}.auc"]) <= 1
        for reader in ("tiles/unifd_linear", "tiles/evidence"):
            assert 0 <= number(figures[f"{name}.maps.{reader}.pointing"]) <= 1


def test_scenes_leave_the_face_crop_alone_and_swaps_do_not(figures: Mapping[str, object]) -> None:
    """What the suite says of face detectors rests on this."""
    for family in SCENE_FAMILIES:
        assert number(figures[f"lfw/{family}.crop_changed"]) < 0.15
    assert number(figures["lfw/face_swap.crop_changed"]) > 0.3


def test_authentic_and_forged_pictures_are_compressed_alike(data: Path) -> None:
    """But for the mask the two differ by no more than a JPEG may."""
    source = next(iter(scene_photos.sources(EvalOptions(data, limit=2))))
    authentic = scene_photos.authentic_shots(source.photos)
    forged = list(scene_photos.forged_shots(source.photos, "scene_resynthesis", seed=0))
    assert len({it.group for it in authentic}) == 2
    for at, shot in forged:
        difference = np.abs(shot.pixels.astype(int) - authentic[at].pixels).max(axis=2)
        middle = shot.keypoints.mean(axis=0).astype(int)
        face = slice(middle[1] - 15, middle[1] + 15), slice(middle[0] - 15, middle[0] + 15)
        assert difference[face].mean() < 2
        assert difference[face].mean() < difference[shot.mask].mean()


def test_pointing_counts_what_was_forged() -> None:
    """The strongest place in the mask is a hit; a map that could not be made is not measured."""
    mask = np.zeros((40, 40), bool)
    mask[:20, :20] = True
    right, wrong = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    right[:2, :2], wrong[3, 3] = 1, 1
    assert _pointed(right, wrong, mask) == (1, 1, 0, 0.25)
    assert np.isnan(_pointed(None, wrong, mask)).all()
    gap = np.where(right > 0, right, np.nan).astype(np.float32)
    assert _pointed(gap, wrong, mask)[0] == 0.25


def test_the_data_is_asked_for_where_it_is_missing(tmp_path: Path) -> None:
    """One line says what to pass."""
    with pytest.raises(SetupError, match="--data"):
        run(EvalOptions(tmp_path))
