"""Plots of a run exist, are valid pictures, and are listed with their captions."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evals.plots import curves, failures, matrix, scatter
from evals.plots.bars import Bar, bars
from evals.plots.curves import LevelPoint
from evals.plots.failures import Failure, worst_errors
from evals.plots.style import DPI, SERIES, short
from evals.runs import folder as runs

Draw = Callable[[Path | None, str], None]

pytestmark = pytest.mark.usefixtures("few_epochs")

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3 == 0
SCORES = RNG.normal(size=60) + LABELS
SYSTEMS = {
    "face/one": (SCORES, LABELS),
    "two, only real": (SCORES, np.zeros(60, bool)),
    "three, never measured": (np.full(60, np.nan), LABELS),
}
PROBABILITIES = {name: (1 / (1 + np.exp(-scores)), of) for name, (scores, of) in SYSTEMS.items()}
FEATURES = RNG.normal(size=(60, 12)) + LABELS[:, None] * 2
PERSONS = [f"person {number % 9}" if number % 10 else None for number in range(60)]
ATTACKS = {
    "JPEG": [LevelPoint(0, 0.9, 0.8, 0.95), LevelPoint(1, 0.7), LevelPoint(2, np.nan)],
    "none": [],
}

DRAWINGS: dict[str, Draw] = {
    "roc": lambda folder, name: curves.roc(folder, name, SYSTEMS, title="ROC"),
    "det": lambda folder, name: curves.det(folder, name, SYSTEMS, title="DET"),
    "reliability": lambda folder, name: curves.reliability(
        folder, name, PROBABILITIES, title="Calibration"
    ),
    "histograms": lambda folder, name: curves.histograms(
        folder, name, SYSTEMS, title="Scores", threshold=0.5
    ),
    "levels": lambda folder, name: curves.levels(
        folder, name, ATTACKS, title="AUC under attacks", x_label="level", y_label="AUC",
        chance=0.5, x_names={0: "untouched"},
    ),
    "tsne": lambda folder, name: scatter.tsne(
        folder, name, FEATURES, LABELS, title="Features", persons=PERSONS
    ),
    "umap": lambda folder, name: scatter.umap(folder, name, FEATURES, LABELS, title="Features"),
    "failures": lambda folder, name: failures.gallery(
        folder, name, [Failure(np.full((20, 30, 3), 90, np.uint8), "fake called real", 0.4)],
        title="Worst",
    ),
    "confusion": lambda folder, name: matrix.confusion(
        folder, name, [[8, 2], [0, 0]], rows=["genuine", "forged"], columns=["real", "fake"],
        title="Verdicts",
    ),
    "bars": lambda folder, name: bars(
        folder, name, [Bar("one", 0.9, 0.8, 0.95), Bar("two", np.nan)], title="AUC", axis="AUC",
        references={"chance": 0.5},
    ),
    "heat map": lambda folder, name: matrix.heat_map(
        folder, name, [[0.5, np.nan]], rows=["one"], columns=["a set", "a set with a long name"],
        title="AUC", unit="AUC", low=0.5,
    ),
}  # fmt: skip


def caption_in(folder: Path) -> str:
    """The caption of the only picture of a run."""
    (entry,) = json.loads((folder / runs.PICTURES_FILE).read_text(encoding="utf-8"))
    return str(entry["caption"])


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_kind_is_a_picture_and_is_listed(drawing: str, tmp_path: Path) -> None:
    """A PNG of a readable size and several colours, under a title, as the report reads it."""
    DRAWINGS[drawing](tmp_path, f"Face/{drawing}")
    (listed,) = runs.load_pictures(tmp_path)
    assert listed.file.name == f"face-{drawing.replace(' ', '-')}.png" and listed.title
    with Image.open(listed.file) as picture:
        assert picture.format == "PNG"
        assert 400 <= picture.width <= 1600 and 250 <= picture.height <= 1000
        colours = picture.convert("RGB").getcolors(1 << 20)
    assert colours is not None and len(colours) > 10
    assert max(colours)[1] == (255, 255, 255)


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_without_a_folder_nothing_is_drawn(
    drawing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suite that keeps nothing draws nothing."""
    monkeypatch.chdir(tmp_path)
    DRAWINGS[drawing](None, "name")
    assert list(tmp_path.iterdir()) == []


def test_the_size_is_what_was_asked_for(tmp_path: Path) -> None:
    """Inches times dots per inch, so that letters have the same size in all pictures."""
    curves.roc(tmp_path, "roc", SYSTEMS, title="ROC")
    with Image.open(tmp_path / "roc.png") as picture:
        assert picture.size == pytest.approx((8.4 * DPI, 5 * DPI), abs=1)


def test_the_same_figures_give_the_same_files(tmp_path: Path) -> None:
    """Twice drawn, byte for byte: a comparison of runs shows changes of the figures only."""
    for name in ("tsne", "umap", "levels"):
        DRAWINGS[name](tmp_path / "one", "a")
        DRAWINGS[name](tmp_path / "two", "a")
        assert (tmp_path / "one" / "a.png").read_bytes() == (
            tmp_path / "two" / "a.png"
        ).read_bytes()


def test_a_picture_drawn_again_replaces_the_first(tmp_path: Path) -> None:
    """A suite that goes on after an interruption lists each picture once, in order."""
    for name, title in (("a", "first"), ("b", "second"), ("a", "third")):
        curves.roc(tmp_path, name, SYSTEMS, title=title)
    titles = [picture.title for picture in runs.load_pictures(tmp_path)]
    assert [title.split(" ")[0] for title in titles] == ["second", "third"]


def test_titles_count(tmp_path: Path) -> None:
    """Of 60 scores 20 are fakes'; a system that measured fewer turns the counts into a bound."""
    curves.roc(tmp_path, "a", {"one": (SCORES, LABELS)}, title="ROC")
    fewer = np.where(np.arange(60) < 6, np.nan, SCORES)
    curves.roc(tmp_path, "b", {"one": (SCORES, LABELS), "two": (fewer, LABELS)}, title="ROC")
    assert [picture.title for picture in runs.load_pictures(tmp_path)] == [
        "ROC · 40 real, 20 fake",
        "ROC · up to 40 real, 20 fake",
    ]


@pytest.mark.parametrize("points", [0, 1, 2, 9])
def test_too_few_points_are_projected_and_said_to_be(points: int, tmp_path: Path) -> None:
    """Below ten, principal components in place of UMAP, with the number in the caption."""
    scatter.umap(tmp_path, "few", FEATURES[:points], LABELS[:points], title="Few")
    assert caption_in(tmp_path).startswith(f"Only {points} points: their first principal")


@pytest.mark.parametrize("points", [10, 12])
def test_a_perplexity_fits_the_number_of_points(points: int, tmp_path: Path) -> None:
    """t-SNE takes ten points, for which its usual perplexity of 30 would be an error."""
    scatter.tsne(tmp_path, "few", FEATURES[:points], LABELS[:points], title="Few")
    assert "Only" not in caption_in(tmp_path)


def test_points_that_are_all_alike_are_no_fault(tmp_path: Path) -> None:
    """Where nothing differs there is nothing to arrange."""
    scatter.umap(tmp_path, "same", np.ones((30, 4)), np.arange(30) > 20, title="Same")
    assert "principal components" in caption_in(tmp_path)


def test_what_is_not_drawn_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without features, and those beyond what a picture can hold, stand in the caption."""
    monkeypatch.setattr(scatter, "MOST", 20)
    features = FEATURES.copy()
    features[:5, 3] = np.nan
    scatter.tsne(tmp_path, "some", features, LABELS, title="Some", caption="Crops.")
    caption = caption_in(tmp_path)
    assert caption.startswith("Crops. 5 without features are left out. 20 of 55 samples")


def test_far_apart_classes_stay_apart() -> None:
    """Two clouds, twenty standard deviations apart: no point is nearer to the other's centre."""
    features = np.concatenate([RNG.normal(size=(30, 8)), RNG.normal(size=(30, 8))])
    features[:30, 0] += 20
    features[30:, 1] += 20
    for method in ("t-SNE", "UMAP"):
        places, said = scatter.project_2d(features.astype(np.float32), method)
        centres = places[:30].mean(axis=0), places[30:].mean(axis=0)
        to_first, to_second = (np.linalg.norm(places - centre, axis=1) for centre in centres)
        assert said == method
        assert ((to_first < to_second) == (np.arange(60) < 30)).all()


def test_the_worst_failures_come_first_and_right_ones_not_at_all() -> None:
    """Threshold 0: real at +2 and +1 and fake at −3 are wrong, by 2, 1 and 3."""
    scores = [2.0, -1.0, 1.0, -3.0, 4.0, np.nan]
    labels = [False, False, False, True, True, True]
    assert worst_errors(scores, labels, threshold=0).tolist() == [3, 0, 2]
    assert worst_errors(scores, labels, threshold=0, most=1).tolist() == [3]


def test_a_failure_gallery_shows_the_worst_in_front(tmp_path: Path) -> None:
    """Two pictures, the green one worse: green lies left of red; the title counts both."""
    red, green = np.zeros((2, 40, 30, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    failures.gallery(
        tmp_path, "worst", [Failure(red, "a", 0.1), Failure(green, "b", 0.9)], title="W", total=7
    )  # fmt: skip
    with Image.open(tmp_path / "worst.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    columns = [
        np.nonzero((pixels == colour).all(axis=2))[1].mean()
        for colour in ([0, 255, 0], [255, 0, 0])
    ]
    assert columns[0] < columns[1]
    assert runs.load_pictures(tmp_path)[0].title == "W · 2 of 7"


def test_no_failures_are_said_to_be_none(tmp_path: Path) -> None:
    """An empty gallery is a result, and looks like one."""
    failures.gallery(tmp_path, "worst", [], title="Worst")
    assert runs.load_pictures(tmp_path)[0].title == "Worst · none"


def test_names_of_a_table_must_fit_it(tmp_path: Path) -> None:
    """A table with a name too few is a mistake of the caller, not a picture with a hole."""
    with pytest.raises(ValueError, match="2 rows"):
        matrix.heat_map(tmp_path, "x", [[1.0]], rows=["a", "b"], columns=["c"], title="", unit="")


def test_nothing_to_draw_is_no_fault(tmp_path: Path) -> None:
    """No systems, no levels: empty pictures, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curves.roc(tmp_path, "roc", {}, title="ROC")
        curves.histograms(tmp_path, "histograms", {}, title="Scores")
        curves.levels(tmp_path, "levels", {}, title="AUC", x_label="level", y_label="AUC")
    assert len(runs.load_pictures(tmp_path)) == 3


def test_infinite_scores_and_dollars_can_be_drawn(tmp_path: Path) -> None:
    """A logit of a certain probability, and a file's name that looks like a formula."""
    scores = np.where(np.arange(60) < 2, np.inf, SCORES)
    system = {"$\\frac{a$": (scores, LABELS)}
    curves.histograms(tmp_path, "histograms", system, title="Scores")
    curves.det(tmp_path, "det", system, title="DET")
    assert len(runs.load_pictures(tmp_path)) == 2


def test_colours_differ_for_everyone() -> None:
    """All pairs of series differ in lightness or are far apart in a red-green blind eye's plane.

    Luminance and blue against the rest are what is left without telling red from green.
    """
    colours = np.array([tuple(bytes.fromhex(colour[1:])) for colour in SERIES]) / 255
    lightness = colours @ [0.299, 0.587, 0.114]
    left = np.stack([lightness, colours[:, 2] - lightness], axis=1)
    distance = np.linalg.norm(left[:, None] - left[None], axis=2)
    assert distance[~np.eye(len(SERIES), dtype=bool)].min() > 0.08


def test_long_names_keep_both_ends() -> None:
    """Twenty signs at most: what distinguishes paths is at their ends."""
    assert short("face/unifd_linear", 20) == "face/unifd_linear"
    assert short("a" * 30 + "z" * 30, 21) == "a" * 10 + "…" + "z" * 10
