"""Reranking: leading hits are read again, measured further, assessed and ordered again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from assistant import Unmask
from tests.support.cases import GALLERY, astronaut_pixels, build_case, workspace_of
from tools.agent_tools.langchain_tools import toolkit
from tools.detectors.protocol import qualified_name
from tools.errors import ToolError
from tools.gallery.closer_looks import forget_looks
from tools.gallery.database_file import gallery_folder
from tools.gallery.record_store import Gallery
from tools.search.query_files import query_from_files
from tools.search.reranking import reranker, result_key, stability
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.rerank_input import RerankInput, RerankMeasure, one_by_one
from tools.search.reranking.reranker import Reranker
from tools.search.reranking.stability import VERDICT_STABILITY, Perturbation
from tools.search.results import Findings, Hit
from tools.search.same_photograph.scores import same_photograph_scores
from tools.search.search import search
from tools.verdict.calibration import InconclusiveBand, LogisticCalibrator
from tools.verdict.evidence import FIRST_RERANK_NUMBER
from tools.verdict.rule import BLOCKS, CLOSER, NOISE, RESCALED, SAME_PHOTOGRAPH, VerdictRule


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Unmask:
    """A case whose files may be taken away."""
    return build_case(tmp_path_factory.mktemp("home"))


def found(unmask: Unmask, reranker: Reranker | None, *, top: int = 20) -> Findings:
    """The portrait searched for in the gallery of the case."""
    parts, home = unmask.models, unmask.settings.home
    query = query_from_files([home / "SECRET_NAME.png"], faces=parts.faces, encoder=parts.encoder)
    with Gallery.open_existing(home, GALLERY, fingerprint=parts.fingerprint) as gallery:
        return search(gallery, query, instruments=parts, top=top, reranker=reranker).findings


def hit_of(findings: Findings, name: str) -> Hit:
    """The hit in a file."""
    return next(hit for hit in findings.hits if hit.path.name == name)


def values(hit: Hit) -> dict[str, float | None]:
    """Its evidence by score."""
    return {item.score: item.value for item in hit.evidence}


def bold(rule: VerdictRule | None) -> VerdictRule:
    """The same rule with a narrow band for every question about forgery, so that it decides."""
    assert rule is not None
    narrow = InconclusiveBand(0.25, 0.3, 0.1, 0.1)
    first = {name: replace(it, band=narrow) for name, it in rule.questions.items()}
    closer = {name: replace(it, band=narrow) for name, it in rule.further[CLOSER].items()}
    return replace(rule, questions=first, further={CLOSER: closer})


@one_by_one
def brightness(rerank_input: RerankInput) -> dict[str, float | None]:
    """A measurement with a place among the evidence."""
    return {"image/patches": float(rerank_input.pixels.mean())}


def as_the_portrait(pixels: np.ndarray, _: object) -> np.ndarray:
    """A retake that undoes a forgery of the portrait."""
    portrait = astronaut_pixels()
    return portrait if pixels.shape == portrait.shape else pixels


def test_shown_hits_get_further_evidence(case: Unmask) -> None:
    """It is numbered after the first stage's, which stays as it was."""
    before, after = found(case, None), found(case, Reranker([brightness]))
    for hit in after.hits:
        first = hit_of(before, hit.path.name)
        assert hit.evidence[: len(first.evidence)] == first.evidence
        ids = [item.id for item in hit.evidence[len(first.evidence) :]]
        assert ids == ["E18", "E24", "E34", "E35", "E36", "E37"]
    portrait = values(hit_of(after, "copy.jpg"))["image/patches"]
    assert portrait == pytest.approx(astronaut_pixels().mean(), abs=0.5)


def test_a_batch_gives_what_each_hit_gives_alone(
    case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts and numbers depend neither on the batch, nor on what a retake could leave out."""
    forget_looks(gallery_folder(case.settings.home, case.gallery_name))
    together = found(case, Reranker())
    monkeypatch.setattr(reranker, "BATCH_HITS", 1)
    monkeypatch.setattr(
        VerdictRule, "forgery_scores", lambda rule, _: rule.needs | {SAME_PHOTOGRAPH}
    )
    forget_looks(gallery_folder(case.settings.home, case.gallery_name))
    alone = found(case, Reranker())
    for one, other in zip(together.hits, alone.hits, strict=True):
        assert one.face_id == other.face_id
        assert one.verdict == other.verdict
        assert one.assessment.fake_probability == pytest.approx(
            other.assessment.fake_probability, abs=1e-5
        )
        assert values(one) == pytest.approx(values(other), abs=1e-4)


def test_a_second_search_measures_nothing(case: Unmask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process would read the results in the gallery; another checkpoint makes them void."""
    before = found(case, Reranker())

    def must_not_read(*_: object) -> None:
        raise AssertionError("a picture was read again")

    with monkeypatch.context() as patched:
        patched.setattr(reranker, "_picture", must_not_read)
        again = found(case, Reranker())
    assert again.hits == before.hits
    told = list[tuple[int, int]]()
    monkeypatch.setattr(result_key, "ARITHMETIC", result_key.ARITHMETIC + 1)
    found(case, Reranker(on_progress=lambda *at: told.append(at)))
    assert told[0] == (0, 3)


def test_the_same_photograph_is_proven_among_the_hits(case: Unmask) -> None:
    """The copy is it, with what that rests on; what was not looked at says nothing."""
    before = values(hit_of(found(case, None), "copy.jpg"))
    assert before["query/same_photograph"] is None
    hits = found(case, Reranker([same_photograph_scores])).hits
    copy = next(hit for hit in hits if hit.path.name == "copy.jpg")
    proof = {item.score: item for item in copy.evidence}
    assert proof["query/same_photograph"].id == "E8"
    assert proof["query/same_photograph"].reads == "same photograph"
    assert proof["query/aligned_photo"].value == 1
    assert (proof["query/agreeing_share"].value or 0) > 0.95
    assert (proof["query/aligned_keypoints"].value or 0) > 100
    assert abs(proof["query/face_difference"].value or 1) < 0.2


def test_another_photo_of_the_query_is_held_against_each(case: Unmask, tmp_path: Path) -> None:
    """With several query photos the best one counts, and is named by its place among them."""
    parts = case.models
    portrait = Image.fromarray(astronaut_pixels())
    paths = [tmp_path / "turned.png", tmp_path / "portrait.png"]
    portrait.resize((300, 512)).rotate(25).save(paths[0])
    portrait.save(paths[1])
    query = query_from_files(paths, faces=parts.faces, encoder=parts.encoder)
    other = np.ascontiguousarray(data.chelsea())
    photos = ((other, query.faces[0]), (astronaut_pixels(), query.faces[1]))
    rerank_input = RerankInput(astronaut_pixels(), query.faces[1], {}, query, photos, parts)
    (scores,) = same_photograph_scores([rerank_input])
    assert (scores["query/same_photograph"], scores["query/aligned_photo"]) == (1.0, 2.0)
    (nothing,) = same_photograph_scores([replace(rerank_input, query_photos=())])
    assert set(nothing.values()) == {None}
    stranger = replace(rerank_input, pixels=data.coffee())
    assert same_photograph_scores([stranger])[0]["query/same_photograph"] == 0.0


def test_a_closer_look_sees_the_querys_pictures(case: Unmask) -> None:
    """Pixels and faces of the query photos come with every hit."""
    seen = list[RerankInput]()

    @one_by_one
    def watching(rerank_input: RerankInput) -> dict[str, float | None]:
        seen.append(rerank_input)
        return {}

    found(case, Reranker([watching]))
    assert len(seen) == 3
    for rerank_input in seen:
        ((pixels, face),) = rerank_input.query_photos
        assert np.array_equal(pixels, astronaut_pixels())
        assert face is rerank_input.query.faces[0]


@pytest.mark.parametrize("others", [False, True])
def test_forgery_is_measured_where_it_decides(
    case: Unmask, others: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the query person's face, not on another's, unless that is asked for."""
    rule = case.models.rule
    assert rule is not None
    strict = replace(rule, identity_band=replace(rule.identity_band, low=0.7))
    monkeypatch.setitem(vars(case.models), "rule", strict)
    seen = dict[str, tuple[bool, bool]]()

    @one_by_one
    def watching(look: RerankInput) -> dict[str, float | None]:
        (scores,) = picture_scores([look])
        asked = bool(scores), look.asks_for("query/same_photograph")
        seen.setdefault(look.face.embedding.tobytes().hex(), asked)  # retakes come later
        return scores

    findings = found(case, Reranker([watching], others=others))
    assert len(seen) == len(findings.hits) == 3
    assert all(aligned for _, aligned in seen.values())
    assert [measured for measured, _ in seen.values()].count(True) == (3 if others else 2)
    other = hit_of(findings, "group.png")
    assert other.assessment.verdict == "other"
    assert (values(other).get("image/patches") is not None) == others


def test_retakes_ask_only_the_detectors_that_the_rule_reads(
    case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile's detectors and the noise are asked once; each retake what its verdict needs."""
    monkeypatch.setattr("tools.search.search.MIN_RERANKED_HITS", 1)
    seen, rule = list[tuple[frozenset[str] | None, set[str]]](), case.models.rule
    assert rule is not None

    @one_by_one
    def watching(rerank_input: RerankInput) -> dict[str, float | None]:
        (given,) = picture_scores([rerank_input])
        seen.append((rerank_input.requested_scores, set(given)))
        return given

    found(case, Reranker([watching]), top=1)
    everything = {qualified_name(it) for it in case.models.pixel_detectors}
    assert everything - rule.needs
    first, *retakes = seen
    assert first == (None, everything | {NOISE, BLOCKS, RESCALED})
    for asked, given in retakes:
        assert asked is not None
        assert asked <= rule.needs
        assert given == everything & asked


def test_a_verdict_that_a_retake_turns_is_inconclusive(
    case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reason, evidence, text and counts say so, and by which retake; it keeps its probabilities."""
    monkeypatch.setitem(vars(case.models), "rule", bold(case.models.rule))
    before = hit_of(found(case, Reranker()), "forged.jpg")
    monkeypatch.setattr(
        stability, "PERTURBATIONS", (Perturbation("a touch of magic", as_the_portrait),)
    )
    findings = found(case, Reranker())
    hit = hit_of(findings, "forged.jpg")
    assert (before.verdict, hit.verdict) == ("impersonation", "inconclusive")
    assert hit.assessment.fake_probability == before.assessment.fake_probability
    assert hit.assessment.reason == "the verdict does not survive a touch of magic"
    (steadiness,) = [item for item in hit.evidence if item.score == VERDICT_STABILITY]
    assert (steadiness.value, steadiness.reads) == (0.0, "changes")
    assert steadiness.method.endswith("it changed after a touch of magic")
    assert "is enough to change whether it reads as forged" in hit.explanation
    assert findings.counts["impersonation"] == 0
    assert hit_of(findings, "copy.jpg").verdict == "copy"


def test_readings_of_an_unsteady_verdict_leave_it_open(
    case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is told the readings cannot say forged where the verdict was taken away."""
    monkeypatch.setattr(
        stability, "PERTURBATIONS", (Perturbation("a touch of magic", as_the_portrait),)
    )
    workspace = workspace_of(case)
    findings = workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")])
    handle = hit_of(findings, "forged.jpg").handle
    reads = {fact.id.partition(".")[2]: fact.reads for fact in workspace.facts(handle)}
    assert (reads["P1"], reads["P2"], reads["P3"]) == ("same person", "uncertain", "uncertain")
    assert reads["E18"] == "changes"


def test_a_model_is_told_of_a_closer_look_what_leaves_doubt(
    case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Further scores and a steady verdict are on the screen only; a changed one is told."""
    photo = case.settings.home / "SECRET_NAME.png"
    steady = told(case, photo)
    assert not any(f'"H1.E{number}"' in steady for number in range(FIRST_RERANK_NUMBER, 30))
    monkeypatch.setattr(
        stability, "PERTURBATIONS", (Perturbation("a touch of magic", as_the_portrait),)
    )
    assert '"id":"H1.E18","name":"steadiness of the verdict","reads":"changes"' in told(case, photo)


def told(case: Unmask, photo: Path) -> str:
    """What a model reads about the first hit, which is the forgery."""
    workspace = workspace_of(case)
    findings = workspace.find_person([workspace.add_photo(photo)])
    assert findings.hits[0].path.name == "forged.jpg"
    assert any(fact.id == "H1.E18" for fact in workspace.facts("H1"))
    score_fake = next(tool for tool in toolkit(workspace) if tool.name == "score_fake")
    return str(score_fake.invoke({"image": "H1"}))


def test_steady_verdicts_are_no_news(case: Unmask) -> None:
    """Every retake keeps them; the text does not boast of it."""
    for hit in found(case, Reranker()).hits:
        assert values(hit)[VERDICT_STABILITY] == 1.0
        assert "[E18]" not in hit.explanation


def test_a_picture_that_is_gone_keeps_its_verdict(own: Unmask) -> None:
    """What would have been measured is missing, not zero; other hits are measured."""
    before = hit_of(found(own, None), "forged.jpg")
    before.path.rename(before.path.with_suffix(".gone"))
    try:
        findings = found(own, Reranker([brightness]))
    finally:
        before.path.with_suffix(".gone").rename(before.path)
    hit = hit_of(findings, "forged.jpg")
    assert hit.assessment == before.assessment
    assert {name: values(hit)[name] for name in (VERDICT_STABILITY, "image/patches")} == {
        VERDICT_STABILITY: None, "image/patches": None,
    }  # fmt: skip
    assert values(hit_of(findings, "copy.jpg"))["image/patches"] is not None


def test_a_file_with_another_picture_is_not_measured(
    own: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there now was not indexed, and is not taken for what was."""
    monkeypatch.setitem(vars(own.models), "rule", bold(own.models.rule))
    path = hit_of(found(own, None), "forged.jpg").path
    kept = path.read_bytes()
    path.write_bytes(path.with_name("copy.jpg").read_bytes())
    try:
        hit = hit_of(found(own, Reranker([brightness])), "forged.jpg")
    finally:
        path.write_bytes(kept)
    assert values(hit)["image/patches"] is None
    assert hit.verdict == "impersonation"


def test_what_cannot_be_measured_on_one_hit_is_missing_there(case: Unmask) -> None:
    """A measurement may refuse a picture; the other measurements and hits go on."""

    @one_by_one
    def refusing(rerank_input: RerankInput) -> dict[str, float | None]:
        if rerank_input.pixels.shape != astronaut_pixels().shape:
            raise ToolError("no place for it")
        return {"second/difference": 1.0}

    findings = found(case, Reranker([refusing, brightness]))
    assert values(hit_of(findings, "group.png"))["second/difference"] is None
    assert values(hit_of(findings, "group.png"))["image/patches"] is not None
    assert values(hit_of(findings, "copy.jpg"))["second/difference"] == 1.0


def test_only_leading_hits_are_looked_at(case: Unmask, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are shown; and progress says how many of how many."""
    told = list[tuple[int, int]]()
    monkeypatch.setattr("tools.search.search.MAX_RERANKED_HITS", 2)
    findings = found(case, Reranker(on_progress=lambda *at: told.append(at)))
    assert told[-1] == (2, 2)
    assert [VERDICT_STABILITY in values(hit) for hit in findings.hits].count(True) == 2
    assert [hit.rank for hit in findings.hits] == [1, 2, 3]


def test_the_rule_is_asked_again(case: Unmask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured further takes part in verdict, retakes and order, if the rule wants it."""
    rule = case.models.rule
    assert rule is not None
    bright = LogisticCalibrator(("image/patches",), (0.0,), (1.0,), (1.0,), 0.0)
    bands = {name: replace(it, calibrator=bright) for name, it in rule.questions.items()}
    wanting = replace(rule, questions=bands, further={})
    monkeypatch.setitem(vars(case.models), "rule", wanting)
    assert {hit.verdict for hit in found(case, None).hits} == {"not assessed"}
    assert {hit_of(found(case, Reranker([looks(sign)])), "copy.jpg").verdict
            for sign in (1.0, -1.0)} == {"impersonation", "copy"}  # fmt: skip
    asked = list[RerankInput]()
    measured = found(case, Reranker([looks(1.0, asked)]))
    persons = sum(hit.assessment.identity_place == "high" for hit in measured.hits)
    assert len(asked) == len(measured.hits) + persons * len(stability.PERTURBATIONS)
    ranked = [hit.assessment.impersonation_probability or 0.0 for hit in measured.hits]
    assert ranked == sorted(ranked, reverse=True)


def looks(sign: float, asked: list[RerankInput] | None = None) -> RerankMeasure:
    """A measurement that finds every picture forged (1) or none (-1); notes what it is asked."""

    @one_by_one
    def measurement(rerank_input: RerankInput) -> dict[str, float | None]:
        if asked is not None:
            asked.append(rerank_input)
        bright = sign * float(rerank_input.pixels.mean())
        return {"image/patches": bright, SAME_PHOTOGRAPH: 1.0}

    return measurement


def test_the_python_api_can_do_without(case: Unmask) -> None:
    """`rerank=False` reads no picture of the gallery again."""
    photo = case.settings.home / "SECRET_NAME.png"
    assert all(VERDICT_STABILITY in values(hit) for hit in case.find([photo]).hits)
    assert not any(
        VERDICT_STABILITY in values(hit) for hit in case.find([photo], rerank=False).hits
    )


def test_a_bad_folder_of_the_persons_own_stops_no_search(case: Unmask, tmp_path: Path) -> None:
    """It is told with what to do; every detector that is whole is asked."""
    folder = tmp_path / "detectors" / "torn"
    folder.mkdir(parents=True)
    (folder / "detector.json").write_text('{"kind": "sbi_caddm"}', "utf-8")
    settings = case.settings.model_copy(update={"models_dir": tmp_path})
    asked = Unmask(settings, case.gallery_name)
    findings = asked.find([case.settings.home / "SECRET_NAME.png"], top=1)
    (told,) = [it for it in findings.warnings if "torn" in it]
    assert "lacks 'name', 'inputs', 'needs', 'licence', 'trained_on'" in told
    assert "unmask fit" in told
    assert {"face/sbi_caddm", "image/patches"} <= {*values(findings.hits[0])}


def test_a_short_list_is_the_head_of_the_usual_one(case: Unmask) -> None:
    """Order and counts do not depend on how many hits are asked for: the same are reranked."""
    usual, short = found(case, Reranker()), case.find(case.settings.home / "SECRET_NAME.png", top=1)
    assert [hit.image_id for hit in short.hits] == [usual.hits[0].image_id]
    assert short.hits[0].assessment == usual.hits[0].assessment
    assert short.counts == usual.counts
