"""Heads on the tower: fitted, saved, loaded and run on a face."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_clip import tiny_tower
from tools.detectors.clip_heads.tower_head import (
    FORGED,
    MANIPULATED,
    SYNTHESISED,
    TowerHead,
    forged_logit,
)
from tools.detectors.folders import find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.errors import SetupError
from tools.training.tower import heads
from tools.training.tower.features import TowerFeatures


def _table(count: int = 400) -> TowerFeatures:
    """Two sources; manipulated faces differ in block 4, synthesised ones in block 12."""
    rng = np.random.default_rng(0)
    label = np.array(["authentic", "manipulated", "synthesised", "authentic"] * (count // 4))
    source = np.where(np.arange(count) % 8 < 4, "one", "two")
    features = rng.normal(size=(count, 24, 16)).astype(np.float16)
    features[label == "manipulated", 3, 0] += 4
    features[label == "synthesised", 11, 1] += 4
    family = np.where(label == "authentic", label, np.char.add(label, source))
    split = np.where(np.arange(count) % 5 == 0, "val", "train")
    group = np.arange(count).astype(str)
    return TowerFeatures(features, label, source, family, group, split)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both heads, trained and written."""
    folder = tmp_path_factory.mktemp("heads")
    table = _table()
    for question, name in heads.NAMES.items():
        train = table.where(heads.rows_of(table, question) & (table.split == "train"))
        head = heads.standardised(heads.train_head(train, question), table)
        heads._save(head, folder / name, question)
    return folder


def test_a_head_answers_its_own_question(saved: Path, tmp_path: Path) -> None:
    """Each separates its forgeries on unseen groups and does not answer the other question."""
    table, tower = _table(), tiny_tower(tmp_path)
    val = table.where(table.split == "val")
    for found in find_stored_detectors([saved]):
        head = load_detector(found, None, tower=tower)  # type: ignore[arg-type]
        assert isinstance(head, TowerHead)
        scores = head.score_features(val.features)
        own = "manipulated" if "manipulation" in head.name else "synthesised"
        authentic = scores[val.label == "authentic"]
        assert scores[val.label == own].min() > np.median(authentic)
        assert abs(authentic.mean()) < 0.5  # standardised


def test_a_head_without_the_tower_says_what_to_install(saved: Path) -> None:
    """The message names the command."""
    found = next(iter(find_stored_detectors([saved])))
    with pytest.raises(SetupError, match="unmask setup"):
        load_detector(found, None)  # type: ignore[arg-type]


def test_both_questions_make_one_score() -> None:
    """The odds add up; a missing score is not zero."""
    assert forged_logit({MANIPULATED: 0.0, SYNTHESISED: 0.0}) == pytest.approx(np.log(2))
    assert forged_logit({MANIPULATED: 3.0, SYNTHESISED: -9.0}) == pytest.approx(3.0, abs=1e-3)
    assert forged_logit({MANIPULATED: 3.0}) is None
    assert forged_logit({MANIPULATED: None, SYNTHESISED: 1.0}) is None
    assert FORGED not in heads.NAMES


def test_a_tool_is_judged_by_a_head_that_never_saw_it() -> None:
    """One row for each tool, with its AUC."""
    rows = list(heads.left_out(_table(), "synthesised"))
    assert {row["tool"] for row in rows} == {"synthesisedone", "synthesisedtwo"}
    assert all(row["auc"] > 0.9 for row in rows)  # type: ignore[operator]
