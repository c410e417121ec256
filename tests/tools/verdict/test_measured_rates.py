"""What tests found about a question: how usual a probability is that stays open."""

from dataclasses import replace

import pytest

from tools.checkpoints.table import WEIGHTS_DIR
from tools.verdict.measured_rates import in_words, reached_record, shares_reaching
from tools.verdict.rule import VerdictRule
from tools.verdict.template_writer import explain_alone, render

KINDS = [
    reached_record("untouched photos", [0.1, 0.2, 0.7]),
    reached_record("forgeries", [0.2, 0.6, 0.8, 0.9]),
]


@pytest.mark.parametrize(
    ("probability", "reaching"),
    [(0.0, [3, 4]), (0.15, [2, 4]), (0.65, [1, 2]), (0.7, [1, 2]), (0.95, [0, 0]), (1.0, [0, 0])],
)
def test_pictures_that_read_as_forged_are_counted(probability: float, reaching: list[int]) -> None:
    """A value counts from its own percent on; nothing is more than certain."""
    shares = shares_reaching(KINDS, probability)
    assert [it.reaching for it in shares] == reaching
    assert [it.pictures for it in shares] == [3, 4]


def test_the_counts_are_one_sentence() -> None:
    """Authentic and forged kinds beside each other, so that neither number stands alone."""
    said = in_words(shares_reaching(KINDS, 0.65))
    assert (
        said == "In tests, 33 % of untouched photos and 50 % of forgeries read at least as forged"
    )
    assert in_words(()) == ""


def test_none_is_said_with_the_number_of_pictures() -> None:
    """No percentage: 0 % of three pictures would promise too much."""
    (untouched, _) = shares_reaching(KINDS, 0.8)
    assert untouched.text == "none of 3 untouched photos"


@pytest.fixture
def shipped_rule() -> VerdictRule:
    """The rule that Unmask comes with."""
    return VerdictRule.load(WEIGHTS_DIR / "verdict.json")


@pytest.fixture
def rule(shipped_rule: VerdictRule) -> VerdictRule:
    """The shipped rule with counts that are easy to read."""
    told = {**shipped_rule.fitted_on, "reached": {"alone": KINDS}}
    return replace(shipped_rule, fitted_on=told)


def _alone(rule: VerdictRule, share: float) -> dict[str, float]:
    """Scores whose probability lies that far into the band of a face alone, 0..1."""
    question = rule.questions["alone"]
    wanted = question.band.low + share * (question.band.high - question.band.low)
    calibrator = question.calibrator
    scores = dict(zip(calibrator.features, calibrator.means, strict=True))
    first, scale, weight = calibrator.features[0], calibrator.scales[0], calibrator.weights[0]
    low, high = -200.0, 200.0
    for _ in range(80):
        middle = (low + high) / 2
        scores[first] = calibrator.means[0] + middle * scale / weight
        reached = calibrator.probability(scores) or 0.0
        low, high = (middle, high) if reached < wanted else (low, middle)
    return scores


def test_a_face_that_stays_open_is_placed_among_the_test_pictures(rule: VerdictRule) -> None:
    """Said once, in the explanation; a decided face needs no such comparison."""
    open_ = rule.assess_alone(_alone(rule, 0.5), usable=True)
    assert open_.verdict == "inconclusive"
    assert open_.reached == shares_reaching(KINDS, open_.fake_probability or 0.0)
    assert in_words(open_.reached) in render(explain_alone(open_, ()))
    decided = rule.assess_alone(_alone(rule, 1.2), usable=True)
    assert decided.verdict == "forged"
    assert decided.reached == ()
    assert "read at least as forged" not in render(explain_alone(decided, ()))


def test_the_shipped_counts_agree_with_the_promises(shipped_rule: VerdictRule) -> None:
    """Few authentic photos lie above each band, and more forgeries than authentic photos."""
    for name, question in shipped_rule.named_questions():
        if name.split("/")[-1] not in ("alone", "with_query"):
            continue
        high = shares_reaching(shipped_rule.fitted_on["reached"][name], question.band.high)
        untouched, edited, forged = (it.reaching / it.pictures for it in high)
        assert untouched <= 0.03, name
        assert edited <= 0.05, name
        assert forged > edited, name
