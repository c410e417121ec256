"""Fitting a detector to own pictures: nobody on both sides, nothing lost, all documented."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evals.suites.detector_table.training_distance import read_training_families, training_overlap
from tests.support.own_pictures import QUICK, engines, forgeries, photos, with_bad_files
from tools.detectors.catalogue import read_metrics
from tools.detectors.folders import DetectorDescription, StoredDetector, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.detectors.networks.architectures import ARCHITECTURES
from tools.detectors.protocol import DetectorScores
from tools.detectors.scoring import run_detector
from tools.errors import SetupError
from tools.faces.analyser import Face
from tools.metrics import calibration, detection, resampling
from tools.training.data.class_folders import seen_in_training
from tools.training.data.forgery_pool import HELD_OUT_FAMILY
from tools.training.detectors.sbi_caddm import POOLED
from tools.training.fitting.data.crops import WorkingImageReader
from tools.training.fitting.data.dataset import PersonDataset, PersonImage, scan_folders
from tools.training.fitting.data.detector_inputs import SplitInputs
from tools.training.fitting.data.faces import FolderScanner
from tools.training.fitting.data.identity_groups import (
    average_linkage,
    cluster_faces,
    match_persons,
)
from tools.training.fitting.data.pairs import (
    FACE_FAMILIES,
    FORGERY,
    ForgedPairs,
    MatchedPairs,
    match_originals,
)
from tools.training.fitting.data.splits import MIN_PERSONS, SPLITS, assign_splits, split_of
from tools.training.fitting.figures import compute_metrics
from tools.training.fitting.report import to_json
from tools.training.fitting.run import FitModels, FittedDetector, fit_detector
from tools.training.fitting.train_classifiers import NETWORKS
from tools.training.fitting.trainers import TRAINERS
from tools.training.fitting.training_context import FitOptions, TrainingContext
from tools.verdict.calibration import InconclusiveBand

if TYPE_CHECKING:
    from evals.datasets.manifest import Manifest


class Stopped(Exception):
    """What a kill is to a job: nothing of it is caught."""


class Counting:
    """The real analyser, and how many pictures it was shown."""

    def __init__(self) -> None:
        self.real, self.shown = engines().faces, 0

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Its own, counted."""
        self.shown += len(images)
        return self.real.analyse(images)

    def embed(self, looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Its own."""
        return self.real.embed(looks)


@pytest.fixture(scope="module")
def real(made_dataset: "Manifest", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of seven persons, and files of no use."""
    return with_bad_files(photos(made_dataset, tmp_path_factory.mktemp("photos")))


@pytest.fixture(scope="module")
def fake(made_dataset: "Manifest", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forgeries of the same photos, called like them."""
    clean = photos(made_dataset, tmp_path_factory.mktemp("clean"))
    return forgeries(clean, tmp_path_factory.mktemp("forgeries"))


@pytest.fixture(scope="module")
def fitted(real: Path, tmp_path_factory: pytest.TempPathFactory) -> FittedDetector:
    """A detector fitted to the photos alone."""
    out = tmp_path_factory.mktemp("shelf") / "mine"
    return fit_detector("unifd_linear", real, out=out, engines=engines(), options=QUICK)


def _people(real: Path, fake: Path | None, work: Path, *, seed: int = 0) -> PersonDataset:
    faces = FolderScanner(engines().faces, work / "faces.jsonl")
    return scan_folders(faces, real, fake, seed=seed, progress=lambda *_: None)


@pytest.fixture(scope="module")
def alone(real: Path, tmp_path_factory: pytest.TempPathFactory) -> PersonDataset:
    """The people of the photos."""
    return _people(real, None, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def beside(real: Path, fake: Path, tmp_path_factory: pytest.TempPathFactory) -> PersonDataset:
    """The people of the photos, and of the forgeries beside them."""
    return _people(real, fake, tmp_path_factory.mktemp("beside"))


# -- who is who ---------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**16), st.sampled_from([0.1, 0.25, 0.5]))
def test_linkage_is_average_linkage(count: int, seed: int, least: float) -> None:
    """Groups are those of scipy's table of all pairs, which large folders have no room for."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    faces = rng.normal(size=(count // 3 + 1, 8))[rng.integers(0, count // 3 + 1, count)]
    faces = faces + 0.4 * rng.normal(size=faces.shape)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    found = average_linkage(faces, np.ones(count), least=least)
    apart = 1 - (faces @ faces.T)[np.triu_indices(count, 1)]
    known = fcluster(linkage(np.clip(apart, 0, 2), "average"), 1 - least, "distance")
    assert adjusted_rand_score(known, found) == pytest.approx(1)


def test_folders_hold_persons_together_when_their_faces_agree() -> None:
    """A folder of one person is one, even with a bad picture; a folder of many says nothing."""
    basis = np.eye(8, dtype=np.float32)
    hard = (0.2 * basis[0] + basis[7]) / np.linalg.norm(0.2 * basis[0] + basis[7])
    faces = np.stack([basis[0], basis[0], hard, basis[1], basis[2], basis[3], basis[0]])
    found = cluster_faces(faces, ["ada", "ada", "ada", "2021", "2021", "2021", ""])
    assert found == ["person 1"] * 3 + ["person 2", "person 3", "person 4", "person 1"]
    # Without folders, the bad picture is of somebody else.
    assert cluster_faces(faces, [""] * 7)[2] != "person 1"


def test_a_swap_is_of_both_persons() -> None:
    """A forged face belongs to whom it resembles most, and to a second person only if clearly."""
    basis = np.eye(3, dtype=np.float32)
    assert match_persons(np.float32([0.8, 0.6, 0]), basis) == [0, 1]
    assert match_persons(np.float32([0.94, 0.3, 0.15]), basis) == [0]
    assert match_persons(np.float32([0.1, 0.1, 0.1]), basis) == []
    assert match_persons(basis[0], np.empty((0, 0))) == []


@st.composite
def collections(draw: st.DrawFn) -> list[tuple[frozenset[str], bool]]:
    """Pictures of seven persons or more: each has an authentic one, some are of two persons."""
    count = draw(st.integers(sum(MIN_PERSONS.values()), 30))
    names = [f"person {number}" for number in range(count)]
    pictures = [(frozenset({name}), False) for name in names]
    several = st.sets(st.sampled_from(names), min_size=1, max_size=2)
    more = draw(st.lists(st.tuples(several, st.booleans()), max_size=60))
    return pictures + [(frozenset(persons), forged) for persons, forged in more]


@settings(max_examples=40, deadline=None)
@given(collections(), st.integers(0, 99))
def test_nobody_is_in_two_parts(pictures: list[tuple[frozenset[str], bool]], seed: int) -> None:
    """Everybody is in one part, every part has its least, and a picture is used in one at most."""
    parts = assign_splits(pictures, seed=seed, forgeries=False)
    assert set(parts) == {name for persons, _ in pictures for name in persons}
    counts = Counter(parts.values())
    assert all(counts[part] >= MIN_PERSONS[part] for part in SPLITS)
    used = {part: set[str]() for part in SPLITS}
    for persons, _ in pictures:
        part = split_of(persons, parts)
        assert (part is None) == (len({parts[name] for name in persons}) > 1)
        if part is not None:
            used[part] |= persons
    assert sum(len(names) for names in used.values()) == len(set().union(*used.values()))
    assert assign_splits(pictures, seed=seed, forgeries=False) == parts


def test_too_few_persons_are_counted() -> None:
    """Who has too few people is told how many have been found and how many are needed."""
    pictures = [(frozenset({f"person {number}"}), False) for number in range(6)] * 50
    with pytest.raises(SetupError, match="6 persons have been found, 7 are needed"):
        assign_splits(pictures, seed=0, forgeries=False)


def test_every_part_holds_both_kinds() -> None:
    """Forgeries of a single person cannot serve four parts, and that is said."""
    pictures = [(frozenset({f"person {number}"}), False) for number in range(9)]
    pictures += [(frozenset({"person 0"}), True)] * 9
    with pytest.raises(SetupError, match="authentic and forged pictures"):
        assign_splits(pictures, seed=0, forgeries=True)


# -- folders ------------------------------------------------------------------------------------


def test_persons_of_a_folder_stay_in_their_part(alone: PersonDataset) -> None:
    """The people whose sub-folders are learnt from are nobody who is calibrated or tested on."""
    folders = [{it.picture.folder for it in alone.of(part)} for part in SPLITS]
    assert all(folders)
    assert sum(map(len, folders)) == len(set().union(*folders)) == 7
    assert len(alone.members) == 14


def test_files_of_no_use_are_named_with_their_reason(alone: PersonDataset) -> None:
    """Broken, faceless, doubled and marked files are left out and told; the rest is used."""
    assert {it.path.name: it.reason for it in alone.skipped} == {
        "torn.jpg": "truncated",
        "letter.jpg": "not an image",
        "wall.png": "no face",
        "again.jpg": "the same as another file",
        "slipped_in.png": "its metadata mark it as a forgery made by Unmask",
    }


def test_forgeries_lie_beside_their_originals(beside: PersonDataset, tmp_path: Path) -> None:
    """A forgery called like a photo is paired with it, and differs from it where it was forged."""
    looks = WorkingImageReader(tmp_path, 128)
    for part in SPLITS:
        members = beside.of(part)
        source = MatchedPairs(match_originals(members, seed=0), looks)
        assert {it.picture.id for pair in source.pairs for it in pair} == {
            it.picture.id for it in members
        }
        drawn = source.draw(0, np.random.default_rng(0))
        assert drawn is not None and drawn.paired and drawn.fake.mask is not None
        assert drawn.family in ("smudged", "patched")
        assert drawn.real.pixels.shape == drawn.fake.pixels.shape
        nose = drawn.real.keypoints[2].astype(int)
        assert drawn.fake.mask[nose[1] - 8 : nose[1] + 8, nose[0] - 8 : nose[0] + 8].mean() > 20
        assert drawn.fake.mask[:8].max() == 0


def test_what_is_said_to_be_both_is_neither(real: Path, tmp_path: Path) -> None:
    """A file that lies among the authentic and among the forged is not learnt from."""
    folder = tmp_path / "forged"
    folder.mkdir()
    one = sorted(real.glob("person_b/*.jpg"))[0]
    shutil.copyfile(one, folder / "renamed.jpg")
    faces = FolderScanner(engines().faces, tmp_path / "faces.jsonl")
    with pytest.raises(SetupError, match="authentic and forged pictures"):
        scan_folders(faces, real, folder, seed=0, progress=lambda *_: None)
    lines = [json.loads(it) for it in (tmp_path / "faces.jsonl").read_text().split("\n") if it]
    assert sum(it.get("id") == lines[-1]["id"] for it in lines) == 2


def _renamed(member: PersonImage, name: str) -> PersonImage:
    """The same picture in another place."""
    return replace(member, picture=replace(member.picture, name=PurePosixPath(name)))


def test_no_name_of_a_folder_makes_a_forgery_authentic(
    beside: PersonDataset, tmp_path: Path
) -> None:
    """What is forged is told by what a picture is, whatever its sub-folder is called."""
    members = [_renamed(it, f"authentic/{it.picture.name.name}") for it in beside.of("learn")]
    source = MatchedPairs(match_originals(members, seed=0), WorkingImageReader(tmp_path, 128))
    assert source.families == ("authentic",)
    found = {case.member.picture.id: case.forged for case in source.evaluation_samples(forgeries=0)}
    assert found == {it.picture.id: it.picture.forged for it in members}
    assert set(found.values()) == {True, False}


@pytest.mark.parametrize("name", ["authentic", "real", "Original"])
def test_authentic_pictures_are_not_taken_for_forgeries(
    name: str, real: Path, tmp_path: Path
) -> None:
    """A sub-folder of forgeries that is called like authentic pictures is refused by its path."""
    folder = tmp_path / "data" / name
    folder.mkdir(parents=True)
    with pytest.raises(SetupError, match=f"data/{name} is among the forgeries, .* --real, or"):
        fit_detector("coop", real, tmp_path / "data", out=tmp_path / "x", engines=engines())
    assert not (tmp_path / "x").exists()


def test_forgeries_are_made_of_a_part_alone(alone: PersonDataset, tmp_path: Path) -> None:
    """A swap takes its face from another person of the same part; equal seeds make equal ones."""
    members = alone.of("test")
    source = ForgedPairs(members, WorkingImageReader(tmp_path, 128), ("face_swap",))
    one, same, other = (source.draw(0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one is not None and same is not None and other is not None
    np.testing.assert_array_equal(one.fake.pixels, same.fake.pixels)
    assert (one.fake.pixels != other.fake.pixels).any()
    by_one = ForgedPairs(members[:1], WorkingImageReader(tmp_path, 128), ("face_swap",))
    assert by_one.draw(0, np.random.default_rng(1)) is None


def test_large_photos_are_copied_small(alone: PersonDataset, tmp_path: Path) -> None:
    """Of a large photo a copy is kept that looks the same; the face lies where it lay."""
    small = alone.members[0].picture
    large = np.asarray(Image.open(small.path).resize((1280, 1280)))
    Image.fromarray(large).save(tmp_path / "large.png")
    faces = FolderScanner(engines().faces, tmp_path / "faces.jsonl")
    (picture,) = faces.scan(tmp_path / "large.png", forged=False, progress=lambda *_: None).pictures
    looks = WorkingImageReader(tmp_path / "copies", 128)
    first = looks.look(picture)
    (copy,) = (tmp_path / "copies").iterdir()
    again = looks.look(picture)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert max(first.pixels.shape) < 640 and copy.suffix == ".png"
    (found,) = engines().faces.analyse([first.pixels])[0]
    assert np.abs(found.keypoints - first.keypoints).max() < 5


# -- the whole job ------------------------------------------------------------------------------


def test_a_fitted_detector_is_on_the_shelf(fitted: FittedDetector) -> None:
    """The folder holds a detector that loads, a calibration for it, a card and figures."""
    (found,) = find_stored_detectors([fitted.folder.parent])
    assert (found.title, fitted.title) == ("face/mine", "face/mine")
    detector = load_detector(found, engines().encoder)
    assert found.calibration is not None and found.calibration.matches_detector(detector)
    assert found.calibration == fitted.calibration
    assert {it.name for it in fitted.folder.iterdir()} == {
        "detector.json", "model.safetensors", "calibration.json", "CARD.md", "FIGURES.json",
    }  # fmt: skip
    (figure,) = read_metrics(fitted.folder)
    assert (figure.detector, figure.checkpoint) == (found.title, found.sha256)
    assert figure.value == fitted.figures.auc
    card = (fitted.folder / "CARD.md").read_text()
    for words in ("14 photos of 7 persons", "partial_swap, never learnt", "Limits", "Beware"):
        assert words in card
    assert str(fitted.folder.parent) not in card


def test_figures_are_of_the_test_part_alone(fitted: FittedDetector) -> None:
    """Two persons are tested on, in every family; the one that nothing learnt counts apart."""
    figures = fitted.figures
    assert (figures.persons, figures.authentic, figures.not_measured) == (2, 4, 0)
    assert set(figures.families) == {*FACE_FAMILIES, "partial_swap"}
    assert figures.unlearnt == ("partial_swap",)
    assert figures.auc is not None and figures.auc_interval is not None
    assert figures.auc_interval[0] <= figures.auc <= figures.auc_interval[1]
    assert fitted.told.persons == {"learn": 2, "stop": 1, "calibrate": 2, "test": 2}
    assert any("tested on only 2 persons" in it for it in fitted.remarks)
    assert fitted.told.unattributed == 0
    assert any("chance" in it for it in fitted.remarks) == (figures.auc_interval[0] <= 0.5)
    assert fitted.calibration is not None and fitted.calibration.band.high == 1.0
    assert any("calibrated on authentic pictures of 2 persons" in it for it in fitted.remarks)
    json.dumps(to_json(fitted), allow_nan=False)


def test_a_killed_job_goes_on_to_the_same_weights(
    fitted: FittedDetector, real: Path, tmp_path: Path
) -> None:
    """Stopped while it looks at faces, then while it learns: nothing is done twice or changed."""
    counting, out = Counting(), tmp_path / "mine"
    own = FitModels(engines().encoder, counting, engines().faces_sha256)  # type: ignore[arg-type]

    def stopping(where: str, after: float) -> Callable[[str, float, str], None]:
        def progress(what: str, share: float, said: str) -> None:
            if what == where and share > after:
                raise Stopped

        return progress

    for where, after in (("finding authentic faces", 0.5), ("learning", 0.3)):
        with pytest.raises(Stopped):
            fit_detector(
                "unifd_linear", real, out=out, engines=own, options=QUICK,
                progress=stopping(where, after),
            )  # fmt: skip
        assert not (out / "detector.json").exists()
    assert list(find_stored_detectors([tmp_path])) == []
    again = fit_detector("unifd_linear", real, out=out, engines=own, options=QUICK)
    assert again.resumed and not fitted.resumed
    assert counting.shown == 16  # what can be opened and is not marked, once each
    for name in ("model.safetensors", "calibration.json"):
        assert (out / name).read_bytes() == (fitted.folder / name).read_bytes()
    assert again.figures == fitted.figures


def test_another_job_is_not_mixed_in(fitted: FittedDetector, real: Path, tmp_path: Path) -> None:
    """A finished detector and a job with other options are kept, until --force."""
    with pytest.raises(SetupError, match="holds a detector: --force"):
        fit_detector("unifd_linear", real, out=fitted.folder, engines=engines(), options=QUICK)
    out = tmp_path / "begun"

    def stop(what: str, share: float, said: str) -> None:
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            fit_detector(
                "unifd_linear", real, out=out, engines=engines(), options=QUICK, progress=stop
            )
    other = replace(QUICK, seed=7)
    with pytest.raises(SetupError, match="begun with other options"):
        fit_detector("unifd_linear", real, out=out, engines=engines(), options=other, progress=stop)
    with pytest.raises(Stopped):
        fit_detector(
            "unifd_linear", real, out=out, engines=engines(), options=other, progress=stop,
            force=True,
        )  # fmt: skip
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(SetupError, match="holds other files"):
        fit_detector("unifd_linear", real, out=tmp_path / "letters", engines=engines())
    with pytest.raises(SetupError, match="not a detector name"):
        fit_detector("unifd_linear", real, out=tmp_path / "my detector", engines=engines())


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("magic", QUICK, "no detector 'magic' can be fitted; there are unifd_linear"),
        ("unifd_linear", replace(QUICK, epochs=3), "not trained in epochs"),
        ("coop", replace(QUICK, minutes=3.0), "not trained in minutes"),
    ],
)
def test_what_a_kind_does_not_know_is_said(
    kind: str, options: FitOptions, said: str, tmp_path: Path
) -> None:
    """Options without meaning are refused before anything is looked at."""
    with pytest.raises(SetupError, match=said):
        fit_detector(kind, tmp_path, out=tmp_path / "x", engines=engines(), options=options)
    with pytest.raises(SetupError, match="takes face inputs only"):
        fit_detector("sbi", tmp_path, out=tmp_path / "x", engines=engines(), inputs="image")
    with pytest.raises(SetupError, match="does not exist"):
        fit_detector("coop", tmp_path / "gone", out=tmp_path / "x", engines=engines())
    with pytest.raises(SetupError, match=r"lies in --real .* the one above all of them"):
        fit_detector("coop", tmp_path, tmp_path, out=tmp_path / "x", engines=engines())
    assert list(tmp_path.iterdir()) == []


# -- every kind ---------------------------------------------------------------------------------


def test_windows_of_swaps_are_partial_swaps(real: Path, tmp_path: Path) -> None:
    """CADDM has learnt windows of swaps: no card, figure or table says that it never did."""
    options = replace(QUICK, epochs=1, pairs=8)
    found = fit_detector("caddm", real, out=tmp_path / "mine", engines=engines(), options=options)
    assert HELD_OUT_FAMILY in found.figures.families
    assert (found.figures.unlearnt, found.figures.apart) == ((), (HELD_OUT_FAMILY,))
    card = (found.folder / "CARD.md").read_text()
    assert "never learnt" not in card
    assert f"{HELD_OUT_FAMILY}, not calibrated on, is in no figure but its own" in card
    assert f"--real {real.name} --inputs face --epochs 1 --seed 0`" in card
    assert "begun with the encoder's tower" in found.about.trained_on
    known = read_training_families(found.about.settings, below=None)
    near = {
        it: training_overlap(known, family=it, source="lfw")
        for it in (*FACE_FAMILIES, HELD_OUT_FAMILY)
    }
    assert set(near.values()) == {"learnt"}


@pytest.mark.parametrize(("kind", "knows"), [("sbi", False), ("sbi_caddm", True)])
def test_what_a_network_knows_is_what_it_made_and_began_with(
    kind: str, knows: bool, alone: PersonDataset, tmp_path: Path
) -> None:
    """Self-blends and the tower know no partial swap, windows do; both are written down."""
    lesson, _ = _lesson(kind, alone, tmp_path)
    families = TRAINERS[kind].fit(lesson).families
    assert families is not None
    assert families == DetectorDescription.load(lesson.out).settings["families"]
    assert set(families) >= POOLED
    assert (HELD_OUT_FAMILY in families) == knows


def test_a_folder_a_class_is_fitted_and_calibrated(real: Path, fake: Path, tmp_path: Path) -> None:
    """`real` beside the folders of forgeries: it is their authentic class, and told as such."""
    root = tmp_path / "classes"
    shutil.copytree(fake, root)
    shutil.copytree(real, root / "real")
    options = replace(QUICK, epochs=1)
    found = fit_detector(
        "small_cnn", root / "real", root, out=tmp_path / "shelf" / "named", engines=engines(),
        options=options,
    )  # fmt: skip
    # The wall counts too: whole pictures need no face.
    assert found.told.authentic == 15
    assert found.told.forged + found.told.apart == 14
    assert list(found.about.settings["classes"]) == ["real", "patched", "smudged"]
    assert set(found.figures.families) <= {"patched", "smudged"}
    (shelf,) = find_stored_detectors([tmp_path / "shelf"])
    assert shelf.calibration is not None
    assert shelf.calibration.matches_detector(load_detector(shelf, engines().encoder))
    assert "--real classes/real --fake classes" in (found.folder / "CARD.md").read_text()


def _lesson(
    kind: str, people: PersonDataset, tmp_path: Path
) -> tuple[TrainingContext, ForgedPairs]:
    """The smallest lesson that can be learnt from."""
    row, own = TRAINERS[kind], engines()
    whole = row.inputs == ("image",)
    looks = WorkingImageReader(tmp_path / "copies", max(row.crop_px, own.encoder.image_size), whole)
    families = ("self_blend", "inpainting")
    learn, stop, test = (
        ForgedPairs(people.of(part), looks, families, rounds)
        for part, rounds in (("learn", 2), ("stop", 1), ("test", 1))
    )

    def about(**more: str) -> DetectorDescription:
        return DetectorDescription(
            kind=kind, name="mine", inputs=row.inputs[0], needs=row.needs, licence="tests",
            trained_on="made", **more,  # type: ignore[arg-type]
        )  # fmt: skip

    options = FitOptions(epochs=1, pairs=8)
    lesson = TrainingContext(
        kind, learn, stop, whole, own.encoder, own.faces, own.faces_sha256, options,
        tmp_path / "work", tmp_path / "out", about, lambda share, found: None,
    )  # fmt: skip
    lesson.work.mkdir()
    lesson.out.mkdir()
    return lesson, test


# ResNet-50 is learnt by the same lines as the other networks, in ten times the time.
@pytest.mark.parametrize("kind", [it for it in TRAINERS if it != "resnet50"])
def test_every_kind_of_the_table_is_fitted(kind: str, alone: PersonDataset, tmp_path: Path) -> None:
    """Each row learns, writes a detector under the name it was given, and that judges pictures."""
    lesson, test = _lesson(kind, alone, tmp_path)
    learnt = TRAINERS[kind].fit(lesson)
    assert learnt.recipe
    detector = load_detector(
        StoredDetector(lesson.out, DetectorDescription.load(lesson.out)), lesson.encoder
    )
    assert (detector.name, detector.inputs) == ("mine", TRAINERS[kind].inputs[0])
    cases = test.evaluation_samples(forgeries=4)
    views = SplitInputs(
        test, cases, encoder=lesson.encoder, faces=lesson.faces, seed=0,
        progress=lambda done, total: None,
    )  # fmt: skip
    scored = run_detector(detector, views)
    assert np.isfinite(scored.logits).all()
    assert len(set(scored.logits.tolist())) > 1


def test_networks_of_the_table_are_known() -> None:
    """Every kind that is a network on whole pictures names one that can be built."""
    kinds = {kind for kind, row in TRAINERS.items() if row.inputs == ("image",)}
    assert set(NETWORKS) == kinds
    assert set(NETWORKS.values()) <= set(ARCHITECTURES)


def test_classes_of_forgeries_are_told_apart(beside: PersonDataset, tmp_path: Path) -> None:
    """A classifier on forgeries in several sub-folders has a class for each."""
    lesson, _ = _lesson("small_cnn", beside, tmp_path)
    sources = [MatchedPairs(match_originals(beside.of(part), seed=0), lesson.learn.looks)
               for part in ("learn", "stop")]  # fmt: skip
    TRAINERS["small_cnn"].fit(replace(lesson, learn=sources[0], stop=sources[1]))
    assert list(DetectorDescription.load(lesson.out).settings["classes"]) == [
        "real",
        "patched",
        "smudged",
    ]
    assert _left_out(beside, lesson.out)


def _left_out(people: PersonDataset, folder: Path) -> bool:
    """Whether evaluations know what was learnt from, and only that."""
    seen = seen_in_training(folder)
    by_part = {part: [seen(it.picture.id) for it in people.of(part)] for part in ("learn", "test")}
    return all(by_part["learn"]) and not any(by_part["test"])


def test_forgeries_on_the_disk_say_so(alone: PersonDataset, tmp_path: Path) -> None:
    """What a classifier's job writes while it lasts carries the mark of a forgery."""
    from tools.media.pictures.decoding import read_photo

    lesson, _ = _lesson("small_cnn", alone, tmp_path)
    TRAINERS["small_cnn"].fit(lesson)
    assert _left_out(alone, lesson.out)
    written = list((lesson.work / "pictures").rglob("*.png"))
    assert {read_photo(it).unmask_forgery for it in written if FORGERY in it.name} == {True}
    assert {read_photo(it).unmask_forgery for it in written if FORGERY not in it.name} == {False}


def test_figures_are_those_of_the_evaluations() -> None:
    """AUC, interval, accuracies and calibration error agree with `tools.metrics`."""
    rng = np.random.default_rng(3)
    forged = rng.random(300) < 0.4
    logits = np.round(rng.normal(size=300) + forged, 1)
    logits[5] = np.nan
    chances = 1 / (1 + np.exp(-logits))
    persons = [f"person {number}" for number in rng.integers(0, 20, 300)]
    scored = DetectorScores("face/x", logits, chances, "resize", "0" * 64)
    found = compute_metrics(
        scored, InconclusiveBand(0.3, 0.7, 0.1, 0.02), persons=persons, learnt=(), apart=(), seed=4,
        families=["made" if it else None for it in forged],
    )  # fmt: skip
    assert found.unlearnt == ("made",)
    known = detection.accuracies(chances, forged)
    assert found.auc == pytest.approx(detection.auc(logits, forged))
    rows = np.isfinite(logits)
    assert found.auc_interval == pytest.approx(
        resampling.auc_interval(logits[rows], forged[rows], np.array(persons)[rows], seed=4)
    )
    assert (found.real_accuracy, found.fake_accuracy) == pytest.approx((known.real, known.fake))
    assert found.ece == pytest.approx(calibration.ece(chances, forged))
    assert found.not_measured == 1
    scored = replace(scored, probabilities=np.full(300, np.nan))
    bare = compute_metrics(
        scored, None, persons=persons, learnt=(), apart=(), seed=4,
        families=["made" if it else None for it in forged],
    )  # fmt: skip
    assert bare.auc == found.auc
    assert {bare.real_accuracy, bare.fake_accuracy, bare.ece, bare.inconclusive} == {None}
