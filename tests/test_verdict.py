"""The rule: every cell of its table, and what it says when something was not measured."""

from pathlib import Path

import pytest

from tools.calibration import Band, Logistic, Reference
from tools.errors import SetupError
from tools.verdict import Rule, Verdict


def _plain(*names: str) -> Logistic:
    count = len(names)
    return Logistic(names, (0.0,) * count, (1.0,) * count, (1.0,) * count, 0.0)


RULE = Rule(
    identity=_plain("cosine_similarity"),
    fake_alone=_plain("face/unifd_linear"),
    fake_with_query=_plain("face/unifd_linear", "query/face_linear_difference"),
    fake_same_photo=_plain("query/face_linear_difference"),
    identity_band=Band(0.3, 0.7, 0.05, 0.05),
    fake_band=Band(0.3, 0.7, 0.05, 0.05),
    same_photo_band=Band(0.6, 0.8, 0.05, 0.05),
    copy_bits=6,
    crowd_prior_odds=0.05,
    references={"face/unifd_linear": Reference((0.0, 1.0))},
    fitted_on={"dataset": "none"},
)
HIGH, MIDDLE, LOW = 5.0, 0.0, -5.0


def scores(identity: float, fake: float | None, *, bits: float = 40.0) -> dict[str, float | None]:
    """Raw scores of one face; `fake` None was not measured."""
    return {
        "cosine_similarity": identity,
        "face/unifd_linear": fake,
        "query/face_linear_difference": 0.0,
        "query/face_hash_distance": bits,
        "query/same_photograph": float(bits <= 6),
    }


@pytest.mark.parametrize(
    ("identity", "fake", "bits", "verdict"),
    [
        (HIGH, HIGH, 40, "impersonation"),
        (HIGH, LOW, 40, "no forgery found"),
        (HIGH, MIDDLE, 40, "inconclusive"),
        (HIGH, LOW, 2, "copy"),
        (HIGH, HIGH, 2, "copy"),
        (MIDDLE, HIGH, 40, "inconclusive"),
        (MIDDLE, LOW, 40, "inconclusive"),
        (LOW, HIGH, 40, "other"),
        (LOW, LOW, 40, "other"),
    ],
)
def test_every_cell_of_the_table(
    identity: float, fake: float, bits: float, verdict: Verdict
) -> None:
    """Both axes and the copy distance decide as the table in the README says."""
    assert RULE.assess(scores(identity, fake, bits=bits), usable=True).verdict == verdict


@pytest.mark.parametrize(
    ("difference", "verdict"), [(0.0, "copy"), (1.0, "inconclusive"), (5.0, "impersonation")]
)
def test_the_query_photo_itself_is_judged_by_what_differs_from_it(
    difference: float, verdict: Verdict
) -> None:
    """A re-upload is a copy; an altered one is an impersonation, whatever it looks like alone."""
    measured = scores(HIGH, LOW, bits=2) | {"query/face_linear_difference": difference}
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
    alone = RULE.fake_alone.probability(other)
    assert RULE.assess(other, usable=True).fake_probability == alone
    assert (RULE.assess(same, usable=True).fake_probability or 0) > (alone or 0)


def test_a_rule_survives_its_file(tmp_path: Path) -> None:
    """Saving and loading gives the same rule."""
    RULE.save(tmp_path / "verdict.json")
    assert Rule.load(tmp_path / "verdict.json") == RULE


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """A truncated calibration is a SetupError that names the command."""
    (tmp_path / "verdict.json").write_text('{"identity": {')
    with pytest.raises(SetupError, match="unmask models verify"):
        Rule.load(tmp_path / "verdict.json")
