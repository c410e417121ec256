"""Fitting the verdict rule: on comparisons with known answers it learns to separate them."""

import numpy as np
import pytest

from tools.training.calibration.benchmark_cases import BenchmarkFile, LabelledComparison
from tools.training.calibration.questions import ScoredSample, cross_validated_question
from tools.training.calibration.verdict import FACE_AND_IMAGE, fit_rule
from tools.verdict.rule import SAME_PHOTOGRAPH, VerdictRule

pytestmark = pytest.mark.fast

PERSONS = 100
LEVELS = {"morph": 0.0}
"""Where the scores of a family lie: morphs hide between authentic photos and other forgeries."""


def _comparison(
    rng: np.random.Generator, number: int, kind: str, *, same: bool, bits: float,
    of_query: bool = False, family: str = "",
) -> LabelledComparison:  # fmt: skip
    forged = kind == "forgery"
    scores: dict[str, float | None] = {
        name: float(rng.normal(LEVELS.get(family, 2.0) if forged else -2.0, 1.0))
        for name in FACE_AND_IMAGE
    }
    scores["cosine_similarity"] = float(rng.normal(0.6 if same else 0.0, 0.1))
    scores["query/face_linear_difference"] = float(rng.normal(3.0 if forged else 0.0, 1.0))
    scores["query/face_feature_cosine"] = float(rng.normal(0.5 if forged else 0.9, 0.05))
    scores["query/face_hash_distance"] = bits + float(rng.integers(0, 3))
    person = f"person {number % PERSONS}"
    depicted = person if same else f"stranger {number % PERSONS}"
    exhibit = BenchmarkFile(f"{number}.jpg", kind, depicted, depicted, family, of_query=of_query)
    return LabelledComparison(person, exhibit, True, scores)


@pytest.fixture(scope="module")
def rule() -> VerdictRule:
    """A rule fitted on 1,400 made-up comparisons of a hundred persons."""
    return _fitted("partial_swap", "morph")


def _fitted(*left_out: str) -> VerdictRule:
    rng = np.random.default_rng(0)
    groups = [
        ("authentic", True, 30.0, False, ""), ("forgery", True, 30.0, False, ""),
        ("copy", True, 2.0, False, ""), ("forgery", True, 4.0, True, ""),
        ("bystander", False, 30.0, False, ""),
        *(("forgery", True, 30.0, False, family) for family in left_out),
    ]  # fmt: skip
    rows = [
        _comparison(
            rng, 1000 * group + number, kind, same=same, bits=bits, of_query=of_query,
            family=family,
        )
        for group, (kind, same, bits, of_query, family) in enumerate(groups)
        for number in range(200)
    ]  # fmt: skip
    cosines = rng.normal(0, 0.1, (PERSONS, 300))
    return fit_rule(rows, strangers=cosines)


def _scores(cosine: float, forged: bool, bits: float) -> dict[str, float | None]:
    level = 2.5 if forged else -2.5
    known: dict[str, float | None] = dict.fromkeys(FACE_AND_IMAGE, level)
    return known | {
        "cosine_similarity": cosine,
        "query/face_linear_difference": 3.5 if forged else 0.0,
        "query/face_feature_cosine": 0.45 if forged else 0.92,
        "query/face_hash_distance": bits,
        SAME_PHOTOGRAPH: 1.0 if bits < 5 else 0.0,
    }


@pytest.mark.parametrize(
    ("cosine", "forged", "bits", "verdict"),
    [
        (0.6, True, 30.0, "impersonation"),
        (0.6, False, 30.0, "no forgery found"),
        (0.6, False, 2.0, "copy"),
        (0.6, True, 4.0, "impersonation"),
        (-0.1, True, 30.0, "other"),
    ],
)
def test_a_fitted_rule_judges_plain_cases(
    rule: VerdictRule, cosine: float, forged: bool, bits: float, verdict: str
) -> None:
    """Each kind of file that the fit saw is judged as what it is."""
    assert rule.assess(_scores(cosine, forged, bits), usable=True).verdict == verdict


def test_the_copy_threshold_lies_between_copies_and_other_photos(rule: VerdictRule) -> None:
    """Copies were at 2 to 4 bits and other photos from 30 on: the edge is in between."""
    assert 4 < rule.copy_bits < 30


def test_the_rule_says_what_it_was_fitted_on(rule: VerdictRule) -> None:
    """The numbers of persons and faces are counted, not typed in."""
    assert rule.fitted_on["persons"] == PERSONS
    assert rule.fitted_on["faces"] == 1400


def test_the_lower_edge_is_that_of_the_family_that_hides_best(rule: VerdictRule) -> None:
    """A family left out of all training moves the edge, and no calibrator: at most 10 % pass it."""
    without = _fitted()
    asked, before = rule.questions["with_query"], without.questions["with_query"]
    assert asked.calibrator.features == before.calibrator.features
    assert asked.band.low < before.band.low - 0.1
    (unseen,) = rule.unseen("with_query", rule.questions["with_query"])
    assert unseen.forgeries == 400
    assert 0 < unseen.share <= 0.10


def test_the_bands_count_persons(rule: VerdictRule) -> None:
    """Two photos of each of a hundred persons are a hundred, for every question."""
    for name, question in rule.questions.items():
        strangers = PERSONS if name == "alone" else 0
        counted = question.band.persons_true, question.band.persons_false
        assert counted == (PERSONS, PERSONS + strangers)
        assert question.band.guarantees_low
        assert question.band.guarantees_high


def test_edges_are_fitted_on_persons_whom_the_calibrator_has_not_seen() -> None:
    """A score that only tells persons apart promises nothing about others: no edge relies on it."""
    rng = np.random.default_rng(3)
    told = [
        ScoredSample({f"of {of}": float(of == person) for of in range(40)}, person % 2 == 1,
               f"person {person}", "")
        for person in range(40)
        for _ in range(rng.integers(1, 4))
    ]  # fmt: skip
    fitted = cross_validated_question(tuple(f"of {person}" for person in range(40)), told)
    assert fitted is not None
    forged = np.array([it.forged for it in told])
    # The calibrator knows each person by heart; of a person left out it knows nothing.
    by_heart = [fitted.question.calibrator.probability(it.scores) or 0.0 for it in told]
    assert min(np.array(by_heart)[forged]) > max(np.array(by_heart)[~forged])
    assert fitted.probabilities[forged].mean() < fitted.probabilities[~forged].mean() + 0.2
    assert fitted.question.band.low < fitted.question.band.high
