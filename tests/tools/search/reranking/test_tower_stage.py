"""The stage of the pretrained tower, with the part that `unmask setup` installed here."""

import numpy as np
import pytest

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from evals.suites.detector_table import detector_list
from tests.support.cases import build_case
from tools.encoder.pretrained_tower import PretrainedTower
from tools.search.results import Findings, Hit
from tools.verdict.rule import TOWER

MODELS = Settings.load().models_dir  # before the tests' own data folders are set
TITLES = ["face/clip_forged", "face/clip_tuned", "face/clip_synthesis"]


@pytest.fixture(scope="module")
def with_tower(tmp_path_factory: pytest.TempPathFactory) -> tuple[Findings, Unmask]:
    """A search with the tower, and the case without it."""
    if PretrainedTower.installed(MODELS) is None:
        pytest.skip("needs the CLIP part: unmask setup")
    plain = build_case(tmp_path_factory.mktemp("home"))
    settings = plain.settings.model_copy(update={"models_dir": MODELS})
    asked = Unmask(settings, plain.gallery_name)
    return asked.find([plain.settings.home / "SECRET_NAME.png"]), plain


def _scores(hit: Hit) -> dict[str, float | None]:
    return {item.score: item.value for item in hit.evidence}


def test_leading_hits_are_judged_by_the_tower(with_tower: tuple[Findings, Unmask]) -> None:
    """Its scores are evidence with their own numbers, and decide the question."""
    findings, unmask = with_tower
    rule = unmask.models.rule
    assert rule is not None
    judged = [hit for hit in findings.hits if hit.assessment.fake_probability is not None]
    assert judged
    for hit in judged:
        scores = _scores(hit)
        assert [it.id for it in hit.evidence if it.score in TITLES] == ["E31", "E32", "E33"]
        forged, manipulated, synthesised = (scores[name] for name in TITLES)
        assert forged == pytest.approx(np.logaddexp(manipulated or 0.0, synthesised or 0.0))
        asked = hit.assessment.question or "alone"
        question = rule.further[TOWER].get(asked) or rule.question(asked, scores)
        assert hit.assessment.fake_scores == question.calibrator.features
        assert hit.assessment.fake_probability == question.calibrator.probability(scores)


def test_a_gallery_stays_valid_when_the_part_is_added(with_tower: tuple[Findings, Unmask]) -> None:
    """The same hits are found in it, and without the part nothing of it is said."""
    findings, plain = with_tower
    before = plain.find([plain.settings.home / "SECRET_NAME.png"])
    assert {hit.face_id for hit in before.hits} == {hit.face_id for hit in findings.hits}
    assert not any(TITLES[0] in _scores(hit) for hit in before.hits)


def test_the_evaluation_asks_the_towers_detectors(
    with_tower: tuple[Findings, Unmask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the part they are in the table of detectors; without it they are left out by name."""
    _, plain = with_tower
    own = {*TITLES[1:]}  # the first is computed from them
    for folder, installed in ((MODELS, True), (plain.settings.models_dir, False)):
        models = LoadedModels(plain.settings.model_copy(update={"models_dir": folder}))
        monkeypatch.setattr(detector_list, "load_models", lambda models=models: models)
        found = detector_list.evaluated_detectors(models.settings)
        asked = {it.name for it in found.evaluated_detectors} & own
        assert asked == (own if installed else set())
        assert {name for name, _ in found.left_out} & own == own - asked
