"""Error rates by group: labels, intervals, and what is said where groups differ."""

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assistant import Settings
from assistant.profile import LoadedModels
from evals.options import EvalOptions
from evals.suites.weights import groups
from evals.suites.weights.groups import chosen, groups_of, pair_rate, records, run
from tests.support.cases import astronaut_pixels, other_pixels
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.catalogue import (
    GROUPS_FILE,
    GROUPS_PREFIX,
    MetricRecord,
    group_differences,
    read_metrics,
)  # fmt: skip
from tools.errors import SetupError
from tools.training.data.face_sources import split_of


def record(group: str, low: float, high: float, *, kind: str = "sex") -> MetricRecord:
    """A rate in the middle of its interval."""
    return MetricRecord(
        "verdict rule", "a", f"UTKFace/{kind}/{group}", "", "false alarms", (low + high) / 2,
        (low, high), 50, 0, "", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("17_0_0_20170109.jpg.chip.jpg", ("under_18", "male", "white")),
        ("18_1_4_20170109.jpg.chip.jpg", ("18_to_39", "female", "other")),
        ("40_1_1_20170109.jpg", ("40_to_64", "female", "black")),
        ("116_0_2_20170109.jpg", ("65_and_over", "male", "asian")),
    ],
)
def test_labels_are_read_from_the_name(name: str, found: tuple[str, ...]) -> None:
    """Age, sex and ethnicity, as UTKFace codes them."""
    assert tuple((groups_of(f"crop_part1/{name}") or {}).values()) == found


@pytest.mark.parametrize("name", ["61_1_20170109142408075.jpg.chip.jpg", "1_2_3_4.jpg", "x.jpg"])
def test_a_name_with_missing_labels_is_left_out(name: str) -> None:
    """Nothing is guessed."""
    assert groups_of(f"crop_part1/{name}") is None


def test_a_pair_rate_counts_each_valid_pair_once() -> None:
    """Four pictures, one pair left out, two of five match."""
    valid = ~np.eye(4, dtype=bool)
    valid[0, 1] = valid[1, 0] = False
    matches = np.zeros((4, 4), bool)
    for one, other in ((0, 1), (0, 2), (2, 3)):
        matches[one, other] = matches[other, one] = True
    rate = pair_rate(matches, valid, seed=0)
    assert rate is not None
    assert (rate.value, rate.count) == (2 / 5, 5)
    assert rate.interval[0] <= rate.value <= rate.interval[1]


def test_no_match_is_not_certainty() -> None:
    """Without a match the upper edge stays above zero, the more so with fewer pictures."""
    few, many = (
        pair_rate(np.zeros((n, n), bool), ~np.eye(n, dtype=bool), seed=0) for n in (10, 100)
    )
    assert few is not None and many is not None
    assert few.value == 0
    assert 0 < many.interval[1] < few.interval[1] < 1
    assert pair_rate(np.zeros((1, 1), bool), np.zeros((1, 1), bool), seed=0) is None


def test_only_groups_whose_intervals_part_are_named() -> None:
    """Touching intervals say nothing; kinds of groups are not compared with each other."""
    alike = [record("male", 0.01, 0.05), record("female", 0.05, 0.09)]
    assert group_differences(alike) == []
    (said,) = group_differences([*alike, record("white", 0.2, 0.3, kind="ethnicity"),
                                 record("asian", 0.32, 0.5, kind="ethnicity")])  # fmt: skip
    assert said.startswith(
        "false alarms differ by ethnicity: asian: 41 % (32 to 50 %), white: 25 %"
    )


def test_differences_are_shown_for_the_measured_models_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are notices of every search, until any part changes."""
    monkeypatch.setattr("assistant.profile.checkpoint_folder", lambda *_: tmp_path)
    rows = [record("male", 0.01, 0.05), record("female", 0.06, 0.09)]
    for checkpoint, shown in ((LoadedModels(Settings()).judged_by, 1), ("another", 0)):
        told = [{**asdict(it), "checkpoint": checkpoint} for it in rows]
        (tmp_path / GROUPS_FILE).write_text(json.dumps(told))
        models = LoadedModels(Settings())
        assert len(models.group_differences) == shown
        notices = [it for it in models.notices if it.startswith(GROUPS_PREFIX)]
        assert len(notices) == min(shown, 1)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare clone with four faces of the val split, one of another, and one without labels."""
    root = tmp_path_factory.mktemp("copies")
    work, bare = root / "work", root / groups.SOURCE.repository.replace("/", "+") / "repo"
    (work / "crop_part1").mkdir(parents=True)
    pictures = [astronaut_pixels(), other_pixels()]
    made = {"val": 0, "train": 0}
    for number in range(10_000):
        age, sex, ethnicity = 20 + number % 50, number % 2, number % 3
        name = f"{age}_{sex}_{ethnicity}_{number}.jpg"
        split = split_of(Path(name).stem)
        if split in made and made[split] < {"val": 4, "train": 1}[split]:
            picture = pictures[made[split] % 2]
            picture = picture[:, ::-1] if made[split] > 1 else picture
            Image.fromarray(np.ascontiguousarray(picture)).save(work / "crop_part1" / name)
            made[split] += 1
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(work)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "faces"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)  # noqa: S607
    shutil.rmtree(work)
    return root


def test_only_val_pictures_are_chosen(copies: Path) -> None:
    """What teaches the embedder is not measured with; a limit holds per sex and ethnicity."""
    entries = chosen(copies, EvalOptions(copies))
    assert len(entries) == 4
    assert {entry.split for entry, _ in entries} == {"val"}
    cells = [(it["sex"], it["ethnicity"]) for _, it in chosen(copies, EvalOptions(copies, limit=1))]
    assert len(cells) == len(set(cells))


def test_the_suite_measures_real_faces(copies: Path) -> None:
    """Every rate lies in its interval, and becomes a record of the catalogue."""
    figures: Any = run(EvalOptions(Path("none"), copies=copies))
    assert figures["faces"] == 4
    for kinds in figures["by_group"].values():
        for of_kind in kinds.values():
            for rate in of_kind.values():
                assert rate["interval"][0] <= rate["value"] <= rate["interval"][1]
    rows = list(records(figures["by_group"], checkpoint="a", date="2026-01-01"))
    assert any(it.dataset == "UTKFace/all/all" and it.figure == "false alarms" for it in rows)


def test_without_a_clone_the_option_is_named(tmp_path: Path) -> None:
    """One line says what to pass."""
    with pytest.raises(SetupError, match=r"pass --copies DIR"):
        run(EvalOptions(tmp_path))


def test_shipped_rates_can_be_read() -> None:
    """If rates are shipped, each names its data set, kind and group."""
    for row in read_metrics(WEIGHTS_DIR / "heads", GROUPS_FILE):
        assert row.dataset.count("/") == 2
