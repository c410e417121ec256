"""The verdict rule: every cell of its table, and its results when measurements are missing."""

from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.verdict.calibration import InconclusiveBand, LogisticCalibrator, ReferenceDistribution
from tools.verdict.impostors import ImpostorThreshold
from tools.verdict.rule import (
    BLOCKS,
    DISGUISES,
    LEAD,
    NOISE,
    OTHER_VERSION,
    RESCALED,
    SAME_PHOTOGRAPH,
    ForgeryQuestion,
    Verdict,
    VerdictRule,
)

pytestmark = pytest.mark.fast


def _plain(*names: str) -> LogisticCalibrator:
    count = len(names)
    return LogisticCalibrator(names, (0.0,) * count, (1.0,) * count, (1.0,) * count, 0.0)


RULE = VerdictRule(
    identity=_plain("cosine_similarity"),
    identity_band=InconclusiveBand(0.3, 0.7, 0.05, 0.05),
    strangers=ImpostorThreshold(0.05, (1, 100), (0.5, 0.5), 1.0, 99),
    questions={
        "alone": ForgeryQuestion(
            _plain("face/unifd_linear"), InconclusiveBand(0.2, 0.9, 0.05, 0.05)
        ),
        "with_query": ForgeryQuestion(
            _plain("face/unifd_linear", "query/face_linear_difference"),
            InconclusiveBand(0.3, 0.7, 0.05, 0.05),
        ),
        "same_photo": ForgeryQuestion(
            _plain("query/face_linear_difference"), InconclusiveBand(0.6, 0.8, 0.05, 0.05)
        ),
        "one_of_two": ForgeryQuestion(_plain(LEAD), InconclusiveBand(0.1, 0.9, 0.05, 0.05)),
    },
    copy_bits=6,
    references={"face/unifd_linear": ReferenceDistribution((0.0, 1.0))},
    fitted_on={
        "dataset": "none",
        "unseen": {
            "with_query": [{"what": "made-up swaps", "forgeries": 40, "passed": 10, "most": 0.387}]
        },
    },
)
HIGH, MIDDLE, LOW = 5.0, 0.0, -5.0


def scores(
    identity: float, fake: float | None, *, bits: float = 40.0, same_photo: float | None = None
) -> dict[str, float | None]:
    """Raw scores of one face; `fake` None was not measured, `same_photo` None not looked at."""
    return {
        SAME_PHOTOGRAPH: same_photo,
        "cosine_similarity": identity,
        "face/unifd_linear": fake,
        "query/face_linear_difference": 0.0,
        "query/face_hash_distance": bits,
    }


@pytest.mark.parametrize(
    ("identity", "fake", "same_photo", "verdict"),
    [
        (HIGH, HIGH, None, "impersonation"),
        (HIGH, LOW, None, "no forgery found"),
        (HIGH, LOW, 0.0, "no forgery found"),
        (HIGH, HIGH, 0.0, "impersonation"),
        (HIGH, MIDDLE, None, "inconclusive"),
        (HIGH, LOW, 1.0, "copy"),
        (HIGH, HIGH, 1.0, "copy"),
        (MIDDLE, HIGH, 1.0, "inconclusive"),
        (MIDDLE, LOW, None, "inconclusive"),
        (LOW, HIGH, None, "other"),
        (LOW, LOW, 1.0, "other"),
        (LOW, None, None, "other"),
        (MIDDLE, None, None, "not assessed"),
    ],
)
def test_every_cell_of_the_table(
    identity: float, fake: float | None, same_photo: float | None, verdict: Verdict
) -> None:
    """Both axes and the proof of one photograph decide as the table in the README says."""
    measured = scores(identity, fake, same_photo=same_photo)
    assert RULE.assess(measured, usable=True).verdict == verdict


@pytest.mark.parametrize(
    ("identity", "fake", "lead", "verdict", "asked"),
    [
        (HIGH, LOW, HIGH, "impersonation", "one_of_two"),  # the proof stands above the scores
        (HIGH, MIDDLE, MIDDLE, "inconclusive", "with_query"),
        (HIGH, LOW, MIDDLE, "inconclusive", "with_query"),
        (HIGH, LOW, LOW, "inconclusive", "with_query"),  # the other one reads more forged
        (HIGH, HIGH, LOW, "inconclusive", "with_query"),
        (HIGH, HIGH, MIDDLE, "impersonation", "with_query"),
        (HIGH, LOW, None, "no forgery found", "with_query"),
        (MIDDLE, LOW, HIGH, "inconclusive", "one_of_two"),
        (LOW, HIGH, HIGH, "other", "alone"),
    ],
)
def test_another_version_decides_which_was_altered(
    identity: float, fake: float, lead: float | None, verdict: Verdict, asked: str
) -> None:
    """One of two proven versions was altered; which one, the lead of the scores says, or nobody."""
    measured = scores(identity, fake) | {OTHER_VERSION: 1.0, LEAD: lead}
    given = RULE.assess(measured, usable=True)
    assert (given.verdict, given.question) == (verdict, asked)


def test_another_version_never_makes_a_face_less_forged() -> None:
    """Two forgeries of one photograph: that one of them reads less forged does not clear it."""
    alone = RULE.assess(scores(HIGH, MIDDLE), usable=True)
    beside = RULE.assess(scores(HIGH, MIDDLE) | {OTHER_VERSION: 1.0, LEAD: LOW}, usable=True)
    assert (beside.of_two, beside.verdict) == ("low", "inconclusive")
    assert beside.fake_probability == alone.fake_probability
    assert beside.impersonation_probability == alone.impersonation_probability


def test_a_proof_counts_only_if_there_is_one_and_no_copy() -> None:
    """A lead without a proven version, and a version of the query photo itself, decide nothing."""
    for unproven in (None, 0.0):
        measured = scores(HIGH, LOW) | {OTHER_VERSION: unproven, LEAD: HIGH}
        assert RULE.assess(measured, usable=True).verdict == "no forgery found"
    copy = scores(HIGH, LOW, same_photo=1.0) | {OTHER_VERSION: 1.0, LEAD: HIGH}
    assert RULE.assess(copy, usable=True).question == "same_photo"


@pytest.mark.parametrize("bits", [0, 2, 6, 40])
@pytest.mark.parametrize("same_photo", [None, 0.0])
def test_a_hash_proves_no_copy(bits: float, same_photo: float | None) -> None:
    """However near two hashes are: what is not proven is judged as any other photograph."""
    given = RULE.assess(scores(HIGH, HIGH, bits=bits, same_photo=same_photo), usable=True)
    assert (given.verdict, given.question) == ("impersonation", "with_query")
    assert given.reason == "same person, and forged"


def test_every_question_is_judged_by_its_own_band() -> None:
    """One probability of 0.8 is high beside the query, and within the band of a face alone."""
    fake = 1.3863  # the log odds of 0.8
    beside = RULE.assess(scores(HIGH, fake), usable=True)
    alone = RULE.assess(scores(MIDDLE, fake), usable=True)
    assert (beside.question, beside.fake_place) == ("with_query", "high")
    assert (alone.question, alone.fake_place) == ("alone", "within")
    assert beside.fake_band == RULE.questions["with_query"].band
    assert alone.fake_band == RULE.questions["alone"].band


def test_the_assessment_says_where_it_was_placed_and_by_what() -> None:
    """Both places, both bands, among how many faces, and what forgeries pass unseen."""
    given = RULE.for_gallery_size(100).assess(scores(HIGH, LOW), usable=True)
    assert (given.identity_place, given.fake_place, given.faces) == ("high", "low", 100)
    assert given.identity_band == RULE.for_gallery_size(100).identity_band
    assert given.notes[0] == (
        "10 of 40 made-up swaps (each judged beside photos of the person) also passed (25 %; at "
        "most 39 % at 95 % confidence)"
    )
    assert "among 100 faces" in " ".join(given.notes)
    assert not RULE.assess(scores(HIGH, HIGH), usable=True).unseen


@hypothesis.given(st.floats(-3, 6), st.lists(st.integers(1, 10**7), min_size=2, max_size=6))
def test_a_larger_gallery_never_makes_a_face_surer(identity: float, sizes: list[int]) -> None:
    """What is the same person among many faces is so among fewer; the probability stays."""
    given = [
        RULE.for_gallery_size(size).assess(scores(identity, LOW), usable=True)
        for size in sorted(sizes)
    ]
    order = ["high", "within", "low"]
    places = [order.index(it.identity_place or "") for it in given]
    assert places == sorted(places)
    assert len({it.identity_probability for it in given}) == 1


def test_more_faces_than_were_tried_are_told() -> None:
    """Beyond the sizes that were fitted the edge still rises, and the text says what it is."""
    given = RULE.for_gallery_size(5000).assess(scores(9.0, LOW), usable=True)
    assert not given.faces_measured
    assert "5,000 faces are more than were ever tested" in " ".join(given.notes)
    assert RULE.for_gallery_size(100).assess(scores(9.0, LOW), usable=True).faces_measured


def test_a_wide_band_says_so() -> None:
    """Where nothing could be promised a note says so, and nothing is called high or low."""
    wide = replace(RULE, identity_band=InconclusiveBand(0.0, 1.0, 0.05, 0.01, 20, 20))
    given = wide.assess(scores(HIGH, LOW), usable=True)
    assert given.verdict == "inconclusive"
    assert "the inconclusive band of identity is wide" in " ".join(given.notes)


def test_no_verdict_rests_on_metadata() -> None:
    """Anyone can add or strip a mark: it changes no part of the assessment but its evidence."""
    shipped = VerdictRule.load(WEIGHTS_DIR / "verdict.json")
    assert "unmask_mark" not in shipped.needs
    marks = [scores(HIGH, LOW) | {"unmask_mark": it} for it in (0.0, 1.0)]
    marked = [RULE.assess(it, usable=True) for it in marks]
    assert marked[0] == marked[1]


@pytest.mark.parametrize(
    ("difference", "verdict"), [(0.0, "copy"), (1.0, "inconclusive"), (5.0, "impersonation")]
)
def test_the_query_photo_itself_is_judged_by_what_differs_from_it(
    difference: float, verdict: Verdict
) -> None:
    """A re-upload is a copy; an altered one is an impersonation, whatever it looks like alone."""
    measured = scores(HIGH, LOW, same_photo=1.0) | {"query/face_linear_difference": difference}
    assert RULE.assess(measured, usable=True).verdict == verdict


def test_the_ranking_assumes_that_most_faces_are_somebody_elses() -> None:
    """Worked out by hand: p(same) = 1/2 at even odds is 1/21 at one to twenty."""
    assessment = RULE.assess(scores(MIDDLE, MIDDLE), usable=True)
    assert assessment.identity_probability == pytest.approx(0.5)
    assert assessment.impersonation_probability == pytest.approx(0.5 / 21)


def test_an_unusable_face_is_not_assessed() -> None:
    """A face below the quality gate gets no probabilities at all."""
    assessment = RULE.assess(scores(HIGH, HIGH), usable=False)
    assert assessment.verdict == "not assessed"
    assert assessment.impersonation_probability is None


def test_an_unmeasured_forgery_score_is_not_zero() -> None:
    """A face whose forgery score is missing is not assessed, and certainly not genuine."""
    assessment = RULE.assess(scores(HIGH, None), usable=True)
    assert assessment.verdict == "not assessed"
    assert assessment.identity_probability is not None
    assert assessment.fake_probability is None


def test_query_evidence_counts_only_for_the_same_person() -> None:
    """The query-relative score moves the forgery probability of the same person alone."""
    same = scores(HIGH, 0.5) | {"query/face_linear_difference": 3.0}
    other = scores(LOW, 0.5) | {"query/face_linear_difference": 3.0}
    alone, _ = RULE.assess_without_query(other)
    assert RULE.assess(other, usable=True).fake_probability == alone
    assert (RULE.assess(same, usable=True).fake_probability or 0) > (alone or 0)


def test_a_rule_survives_its_file(tmp_path: Path) -> None:
    """Saving and loading gives the same rule."""
    RULE.save(tmp_path / "verdict.json")
    assert VerdictRule.load(tmp_path / "verdict.json") == RULE


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """A truncated calibration is a SetupError that names the command."""
    (tmp_path / "verdict.json").write_text('{"identity": {')
    with pytest.raises(SetupError, match="unmask models verify"):
        VerdictRule.load(tmp_path / "verdict.json")


@pytest.mark.parametrize(
    ("fake", "verdict"),
    [
        (HIGH, "forged"),
        (MIDDLE, "inconclusive"),
        (LOW, "no forgery found"),
        (None, "not assessed"),
    ],
)
def test_a_face_without_a_query_is_judged_by_itself(fake: float | None, verdict: Verdict) -> None:
    """The question about a face alone decides, and no probability speaks of a person."""
    assessment = RULE.assess_alone(scores(HIGH, fake), usable=True)
    assert assessment.verdict == verdict
    assert assessment.identity_probability is assessment.impersonation_probability is None
    assert RULE.assess_alone(scores(HIGH, fake), usable=False).verdict == "not assessed"


def test_a_forgery_that_a_retake_hides_is_inconclusive() -> None:
    """Mild retakes weigh on a face without a query as on a hit."""
    given, taken = (RULE.assess_alone(scores(HIGH, it), usable=True) for it in (HIGH, LOW))
    checked = RULE.check_stability(given, {"mild blur": taken, "mild resizing": given})
    assert (checked.verdict, checked.unsteady) == ("inconclusive", ("forgery",))
    assert RULE.check_stability(given, {"mild blur": given}).verdict == "forged"


def test_what_a_retake_left_open_has_not_passed() -> None:
    """The rates of forgeries that "also passed" belong to a verdict that finds nothing."""
    given, taken = (RULE.assess(scores(HIGH, it), usable=True) for it in (LOW, MIDDLE))
    assert given.verdict == "no forgery found"
    assert given.unseen
    checked = RULE.check_stability(given, {"mild blur": taken})
    assert checked.verdict == "inconclusive"
    assert not checked.unseen


HIDDEN = replace(RULE, disguises={it: replace(DISGUISES[it], limit=1.5) for it in DISGUISES})


@pytest.mark.parametrize(
    ("score", "word"), [(NOISE, "noisier"), (BLOCKS, "compressed"), (RESCALED, "resized")]
)
@pytest.mark.parametrize(("level", "hides"), [(None, False), (1.5, False), (1.6, True)])
def test_nothing_clears_a_face_in_a_disguise(
    score: str, word: str, level: float | None, hides: bool
) -> None:
    """Noise and compression hide forgeries; where they were not measured, nothing changes."""
    measured = scores(HIGH, LOW) | {score: level}
    for given in (HIDDEN.assess(measured, usable=True), HIDDEN.assess_alone(measured, usable=True)):
        assert given.verdict == ("inconclusive" if hides else "no forgery found")
        assert given.disguise == (score if hides else "")
        assert (word in given.reason) == hides
        assert given.fake_place == "low"  # what was measured stays as it was
    assert (HIDDEN.assess(measured, usable=True).unseen == ()) == hides


@pytest.mark.parametrize(
    "measured",
    [scores(HIGH, HIGH), scores(LOW, LOW), scores(HIGH, LOW, same_photo=1.0), scores(HIGH, MIDDLE)],
)
def test_a_disguise_changes_no_other_verdict(measured: dict[str, float | None]) -> None:
    """It makes a face read as more authentic: what reads as forged all the same is forged."""
    hidden = measured | {NOISE: 9.0, BLOCKS: 9.0, RESCALED: 9.0}
    assert HIDDEN.assess(hidden, usable=True) == RULE.assess(measured, usable=True)
