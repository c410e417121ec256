"""Retrieval: the protocol on hand-made rows, figures on made-up lists, the suites end to end."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.protocol.data import _linked, without_train_split
from evals.protocol.measured import load_models
from evals.protocol.protocol import (
    RelationToQuery,
    body_owners,
    build_plan,
    limit_by_person,
    relation_to_query,
)
from evals.runs.figures import flatten_figures
from evals.runs.folder import HOME_DIR, EvalRun
from evals.runs.samples import QuerySample, ScoreSample, read
from evals.suites.impersonation import suite as impersonation
from evals.suites.impersonation.figures import (
    ORDERS,
    average_precisions,
    failures,
    flags,
    fusions,
    mean_metrics,
    outcomes,
)
from evals.suites.impersonation.peers import flags as peer_flags
from evals.suites.impersonation.search_results import MissedImage, RankedImage, SearchResult
from evals.suites.retrieval.ranking import RetrievalTask, task_from_rows, verification
from tests.evals.suite_run import run_suite
from tools.errors import SetupError
from tools.media.pictures.decoding import read_photo
from tools.verdict.rule import Verdict

# -- the protocol, without a picture ---------------------------------------------------------


def photo(path: str, person: str | None, *, video: str | None = None) -> ManifestRow:
    """An authentic row."""
    return ManifestRow(path, "made", "real", video_id=video, depicted_id=person, body_id=person)


def fake(path: str, person: str | None, body: str | None, *, of: str) -> ManifestRow:
    """A forged row, made out of the source `of`."""
    return ManifestRow(
        path, "made", "fake", depicted_id=person, body_id=body, method="m", source_video=of
    )


ROWS = (
    photo("x1.jpg", "X"),
    photo("x2.jpg", "X"),
    photo("b1.jpg", "B"),
    photo("y1.jpg", "Y", video="clip"),
    photo("y2.jpg", "Y", video="clip"),
    photo("z1.jpg", "Z"),
    photo("stranger.jpg", None),
    fake("x_on_b.jpg", "X", "B", of="b1.jpg"),
    fake("x_edited.jpg", "X", "X", of="x1.jpg"),
    fake("y_on_x.jpg", "Y", "X", of="x1.jpg"),
    fake("nobody.jpg", None, "X", of="x1.jpg"),
    fake("w_on_z.jpg", "W", "Z", of="z1.jpg"),
    ManifestRow("unlabelled.jpg", "made", "unknown", depicted_id="X"),
)
ALL = np.ones(len(ROWS), bool)


def paths(indices: tuple[int, ...]) -> set[str]:
    """What the rows are called."""
    return {ROWS[index].path for index in indices}


def test_who_has_a_photo_and_a_forgery_is_asked_for() -> None:
    """B has no forgery, Z neither, W no photo; X is asked with the photo nobody forged."""
    made = build_plan(ROWS, ALL)
    asked = {question.person: paths(question.references) for question in made.questions}
    assert asked == {"X": {"x2.jpg"}, "Y": {"y1.jpg"}}
    assert made.left_out["persons_forged_without_a_photo"] == 1


def test_the_source_of_a_query_is_not_in_the_gallery() -> None:
    """The other frame of a query's clip leaves with it; a photo of its own source stays."""
    gallery = paths(build_plan(ROWS, ALL).gallery)
    assert not gallery & {"x2.jpg", "y1.jpg", "y2.jpg"}
    assert gallery >= {"x1.jpg", "b1.jpg", "z1.jpg", "stranger.jpg", "x_edited.jpg"}


def test_what_nobody_could_judge_is_left_out_and_counted() -> None:
    """A forgery of somebody unnamed and a row without a label are in no gallery."""
    made = build_plan(ROWS, ALL)
    assert not paths(made.gallery) & {"nobody.jpg", "unlabelled.jpg"}
    assert made.left_out["rows_without_known_label_or_person"] == 2


def test_near_duplicates_of_a_query_leave_the_gallery() -> None:
    """A photo that is alike the query photo is gone from the gallery, and counted."""
    made = build_plan(ROWS, ALL, alike=lambda first, second: {first, second} == {0, 1})
    assert "x1.jpg" not in paths(made.gallery)
    assert made.left_out["near_duplicates_of_queries"] == 1


def test_one_photo_stays_in_the_gallery_whatever_is_asked_with() -> None:
    """Of two photos one is asked with though three are wanted; one whose face is lost is not."""
    assert len(build_plan(ROWS, ALL, references=3).questions[0].references) == 1
    (of_x, _) = build_plan(ROWS, ALL & (np.arange(len(ROWS)) != 1)).questions
    assert paths(of_x.references) == {"x1.jpg"}
    assert build_plan(ROWS, ~ALL).questions[0].references == ()


def test_a_body_owner_is_a_hard_negative_not_the_person() -> None:
    """Relevance follows the face; the body's owner sees somebody else's forgery."""
    rows = {row.path: row for row in ROWS}
    assert relation_to_query("X", rows["x_on_b.jpg"]) == "forgery of the person"
    assert relation_to_query("B", rows["x_on_b.jpg"]) == "forgery of another on the person's body"
    assert relation_to_query("Y", rows["x_on_b.jpg"]) == "forgery of another"
    assert relation_to_query("X", rows["x1.jpg"]) == "authentic photo of the person"
    assert relation_to_query("X", rows["stranger.jpg"]) == "authentic photo of another"
    assert body_owners("X", ROWS) == {"B"}


def test_a_limit_keeps_persons_together() -> None:
    """Of a hundred persons with three photos each, thirty rows are ten whole persons."""
    rows = tuple(
        photo(f"{name}_{shot}.jpg", f"p{name}") for name in range(100) for shot in range(3)
    )
    manifest = limit_by_person(Manifest("m", Path(), rows), 30, seed=1)
    assert len(manifest.rows) == 30
    assert len({row.depicted_id for row in manifest.rows}) == 10


def test_what_parts_may_have_learnt_from_is_left_out() -> None:
    """Rows of a train split go, and the notes count them; nothing else left is refused."""
    rows = (replace(ROWS[0], split="train"), replace(ROWS[1], split="val"), ROWS[2])
    kept = without_train_split(Manifest("m", Path(), rows))
    assert kept.rows == rows[1:]
    assert kept.notes["left out"] == "1 rows of the train split"
    with pytest.raises(SetupError, match="train split only"):
        without_train_split(Manifest("m", Path(), rows[:1]))


def test_names_are_joined_through_a_third() -> None:
    """a is like b and b like c: all are called a; d stays apart."""
    angles = np.radians([0, 45, 90, 180])
    faces = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # cos 45° = 0.71, cos 90° = 0
    assert _linked(["a", "b", "c", "d"], faces) == {"a": "a", "b": "a", "c": "a", "d": "d"}


# -- figures of made-up lists ----------------------------------------------------------------


def seen(
    rank: int, what: RelationToQuery, verdict: Verdict, same: float | None, forged: float | None
) -> RankedImage:
    """A picture in a list, called after its rank."""
    return RankedImage(f"{rank}.jpg", f"{rank}", what, "m", verdict, same, forged, rank)


LIST = SearchResult(
    "X", ("q.jpg",),
    (
        seen(1, "forgery of the person", "impersonation", 0.9, 0.8),
        seen(2, "authentic photo of the person", "impersonation", 0.95, 0.9),
        seen(3, "forgery of the person", "no forgery found", 0.4, 0.3),
        seen(4, "forgery of another", "other", 0.45, 0.99),
    ),
    (MissedImage("lost.jpg", "m", face_found=False),),
)  # fmt: skip


def test_average_precision_counts_what_was_missed() -> None:
    """Relevant at ranks 1 and 3, one missed: (1/1 + 2/3) / 3 = 5/9."""
    assert average_precisions([LIST], ORDERS["mAP"]) == [pytest.approx(5 / 9)]
    found = mean_metrics([LIST], seed=0)
    assert found["recall_at_1"] == pytest.approx(1 / 3)
    assert found["recall_at_10"] == pytest.approx(2 / 3)
    assert found["mrr"] == 1.0


def test_oracles_know_the_other_stage() -> None:
    """Detector: forgeries by likeness: 1, 4, 3: (1 + 2/3)/3. Retrieval: 2, 1, 3: (1/2 + 2/3)/3."""
    assert flags(LIST, ORDERS["mAP_oracle_detector"]) == [True, False, True, False]
    assert average_precisions([LIST], ORDERS["mAP_oracle_detector"]) == [pytest.approx(5 / 9)]
    assert average_precisions([LIST], ORDERS["mAP_oracle_retrieval"]) == [pytest.approx(7 / 18)]


def test_no_ceiling_where_nothing_is_to_be_told_apart() -> None:
    """Without an authentic photo of the person, any detector would look perfect: NaN."""
    only = SearchResult("X", ("q.jpg",), (LIST.judged[0], LIST.judged[3]), ())
    assert math.isnan(average_precisions([only], ORDERS["mAP_oracle_retrieval"])[0])
    assert average_precisions([only], ORDERS["mAP"]) == [1.0]


def test_fusions_order_by_what_they_say() -> None:
    """Products .72 .855 .12 .4455: 2, 1, 4, 3: (1/2 + 2/4)/3; passing .5 are 2, 1: then 4, 3."""
    found = fusions([LIST], seed=0)
    assert found["product"]["mAP"] == pytest.approx(1 / 3)  # type: ignore[index]
    assert found["filter_then_rank"]["mAP"] == pytest.approx(1 / 3)  # type: ignore[index]
    assert math.isnan(found["product"]["p"])  # type: ignore[index] # one person: no chance to tell


def test_false_alarms_and_failures_are_counted_by_kind() -> None:
    """One genuine photo of one was called impersonation; of three forgeries one was called so."""
    found = outcomes([LIST])
    assert found["genuine_called_impersonation"] == 1.0
    assert found["forgeries_of_others_called_impersonation"] == 0.0
    assert math.isnan(found["copies_called_impersonation"])  # type: ignore[arg-type]
    assert failures([LIST])["m"] == {
        "no_usable_face": 1, "not_retrieved": 0, "ranked_as_real": 1, "inconclusive": 0,
        "correct": 1,
    }  # fmt: skip


def test_a_peer_is_held_against_the_same_gallery() -> None:
    """What it left out was missed, what is not in the gallery does not count."""
    gallery = ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "lost.jpg"]
    ranking = {"lost.jpg": 0.9, "2.jpg": 0.8, "elsewhere.jpg": 2.0, "1.jpg": math.nan}
    assert peer_flags(LIST, ranking, gallery) == [True, False]


# -- face retrieval on a made-up likeness ----------------------------------------------------

FACES = (photo("a1", "A"), photo("a2", "A"), photo("b1", "B"), fake("a_on_b", "A", "B", of="b9"))
# What a1 and a2 see in all four.
LIKENESS = {0: [1.0, 0.9, 0.2, 0.1], 1: [0.9, 1.0, 0.3, 0.5]}


def faces_search() -> tuple[RetrievalTask, Callable[[np.ndarray], np.ndarray]]:
    """The search of those rows, and their likeness."""
    search = task_from_rows(FACES, [row.path for row in FACES], np.ones(4, bool))
    return search, lambda queries: np.array([LIKENESS[int(index)] for index in queries])


def test_the_drop_is_between_authentic_and_forged_mates() -> None:
    """a1 and a2 find each other first; the forgery is second for a1 (b1 is liker), first for a2."""
    search, similarity = faces_search()
    options = EvalOptions(Path())
    assert [search.ids[index] for index in search.queries] == ["a1", "a2"]
    real, forged = search.ask(similarity, "real", options), search.ask(similarity, "fake", options)
    assert real.ranks.tolist() == [1, 1]
    assert forged.ranks.tolist() == [2, 1]
    assert forged.values["mAP"].tolist() == [0.5, 1.0]
    assert real.gallery.tolist() == [2, 2]  # the other photo of A, and b1


def test_a_mate_without_a_face_is_missed() -> None:
    """NaN likeness to the only forged mate: its rank is infinite, its average precision 0."""
    search, similarity = faces_search()

    def blind(queries: np.ndarray) -> np.ndarray:
        values = similarity(queries)
        values[:, 3] = np.nan
        return values

    forged = search.ask(blind, "fake", EvalOptions(Path()))
    assert forged.ranks.tolist() == [math.inf, math.inf]
    assert forged.values["mAP"].tolist() == [0.0, 0.0]


def test_a_rate_needs_as_many_impostors() -> None:
    """Two impostor pairs measure no rate of 1e-2; genuine .9 .9 against .2 .3 is an AUC of 1."""
    search, similarity = faces_search()
    found = verification(search.ask(similarity, "real", EvalOptions(Path())), seed=0)
    assert found["auc"] == 1.0
    assert math.isnan(found["tar_at_far_0.01"])  # type: ignore[arg-type]
    assert found["too_few_impostors_for_far"] == ["0.01", "0.001", "0.0001"]


# -- the suites, end to end ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ran:
    """What a suite said, and the samples it left."""

    figures: Mapping[str, object]
    queries: list[QuerySample] = field(default_factory=list)
    scores: list[ScoreSample] = field(default_factory=list)

    @classmethod
    def of(cls, run: EvalRun, folder: Path) -> "Ran":
        """A run and what its folder holds."""
        scores, queries = read(folder)
        return cls(run.figures, queries, scores)

    def number(self, name: str) -> float:
        """One figure by its dotted name."""
        value = flatten_figures(self.figures)[name]
        assert isinstance(value, (int, float))
        return float(value)


def rankings(made: Manifest, file: Path, right: Callable[[ManifestRow, ManifestRow], bool]) -> Path:
    """A peer's file: 1 where a picture is right for a query photo, else 0."""
    lines = [
        f"{query.path},{row.path},{int(right(query, row))}"
        for query in made.rows
        if query.label == "real"
        for row in made.rows
    ]
    file.write_text("\n".join(["query,path,score", *lines]) + "\n")
    return file


def same(query: ManifestRow, row: ManifestRow) -> bool:
    """Both depict one person."""
    return query.depicted_id == row.depicted_id


def test_impersonation_is_measured_on_any_data_set(
    made_dataset: Manifest, made_run: Path, tmp_path: Path
) -> None:
    """Seven persons, six forgeries each; samples give the figures again; a perfect peer has 1."""
    peer = rankings(made_dataset, tmp_path / "peer.csv",
                    lambda query, row: row.label == "fake" and same(query, row))  # fmt: skip
    run = run_suite(
        "impersonation", made_dataset.root / "manifest.csv", output := tmp_path / "run",
        "--peer", f"oracle={peer}", home=made_run / HOME_DIR,
        headlines=("mAP_oracle_detector", "recall_at_10"),
    )  # fmt: skip
    it = Ran.of(run, output)
    assert it.number("queries") == 7
    assert it.number("relevant_per_query") == 6
    assert it.number("mAP") == pytest.approx(np.mean([query.values["ap"] for query in it.queries]))
    assert it.number("peers.oracle.mAP") == 1.0
    counted = [
        name for name in flatten_figures(it.figures) if name.startswith("failures.all methods")
    ]
    assert sum(it.number(name) for name in counted) == 42
    assert it.number("left_out.rows_of_query_sources") == 21  # a clip of three frames each
    names = ("false-alarms", "missed", "verdicts", "failures", "means")
    assert all((output / f"{name}.png").is_file() for name in names)


def test_casework_is_made_and_searched_by_the_application(
    made_dataset: Manifest, tmp_path: Path
) -> None:
    """A query and, of everybody asked for: photo, 3 swaps, 4 edits, a body and 3 copies."""
    write_lfw(made_dataset, tmp_path / "lfw")
    it = Ran(found := impersonation.run(EvalOptions(tmp_path, limit=2)))
    # Of the four persons that fit nothing two are asked for; the others give a photo each.
    assert (it.number("queries"), it.number("gallery_images")) == (2, 2 * 12 + 2)
    assert it.number("relevant_per_query") >= 7
    assert 0 < it.number("mAP") <= 1
    assert found["data"] == "casework"
    assert "copy of the query" in found["verdicts"]  # type: ignore[operator]


def write_lfw(made: Manifest, folder: Path) -> None:
    """Two photographs of each person as LFW is given: 218 px, with 68 landmarks, all for `val`."""
    names, landmarks = [], []
    for row in made.rows:
        if row.label != "real" or row.frame != 0:
            continue
        name = f"{row.depicted_id}/{row.depicted_id}_000{1 + int(str(row.video_id)[-1])}.jpg"
        pixels = cv2.resize(read_photo(made.file_of(row)).pixels, (218, 218))
        (face,) = load_models().faces.analyse([pixels])[0][:1]
        assert face.landmarks is not None
        (folder / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "images" / name, quality=95)
        names.append(name)
        landmarks.append(face.landmarks)
    split = np.array(["val"] * len(names))
    np.savez(folder / "labels.npz", path=np.array(names), landmarks68=landmarks, split=split)


def test_face_retrieval_is_measured_on_any_data_set(
    made_dataset: Manifest, made_run: Path, tmp_path: Path
) -> None:
    """One query a clip; both kinds of mates and the drop; the peer that knows persons has 1."""
    peer = rankings(made_dataset, tmp_path / "peer.csv", same)
    run = run_suite(
        "retrieval", made_dataset.root / "manifest.csv", output := tmp_path / "run",
        "--peer", f"oracle={peer}", home=made_run / HOME_DIR, headlines=("real_mates.auc",),
    )  # fmt: skip
    it = Ran.of(run, output)
    assert it.number("real_mates.queries") == it.number("fake_mates.queries") == 14
    assert it.number("real_mates.rank_1") > 0.8
    assert it.number("peers.oracle.fake_mates.rank_1") == 1.0
    forged = [query.values["mAP"] for query in it.queries if "fake" in query.id]
    assert it.number("fake_mates.mAP") == pytest.approx(np.mean(forged))
    both = it.number("real_mates.mAP") - it.number("fake_mates.mAP")
    assert it.number("drop.mAP") == pytest.approx(both)
    assert (output / "verification-roc.png").is_file()


def test_the_experiment_is_reproduced_on_any_data_set(
    made_dataset: Manifest, made_run: Path, tmp_path: Path, few_epochs: None
) -> None:
    """Every system has accuracies that its samples give again; the data's size is said."""
    peer = tmp_path / "peer.csv"
    lines = [f"{row.path},{0.9 if row.label == 'fake' else 0.1}" for row in made_dataset.rows]
    peer.write_text("\n".join(["path,score", *lines]) + "\n")
    run = run_suite(
        "reproduction", made_dataset.root / "manifest.csv", output := tmp_path / "run",
        "--peer", f"oracle={peer}", home=made_run / HOME_DIR,
    )  # fmt: skip
    it = Ran.of(run, output)
    systems = it.figures["systems"]
    assert isinstance(systems, dict)
    assert [*systems] == ["unifd_as_published", "unifd_whole_image", "unifd_face_crop", "fused",
                          "query_aware", "peer oracle"]  # fmt: skip
    assert str(it.figures["note"]).startswith("smoke test, not a benchmark: 42 forgeries of 7")
    assert "own image head" in str(it.figures["checkpoints"])
    for name, figures in systems.items():
        right = [one.scores[name] > 0.5 for one in it.scores if one.label]
        assert figures["fake_accuracy"] == pytest.approx(np.mean(right))
        assert 0 <= figures["retrieval_mAP"] <= 1
    assert systems["peer oracle"]["accuracy"] == 1.0
    assert len(it.scores) == 42 + 21
    for name in ("encoder-face-tsne", "face-embedding-umap", "roc", "probabilities"):
        assert (output / f"{name}.png").is_file()
