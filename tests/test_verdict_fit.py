"""Fitting the rule: on comparisons with known answers it learns what tells them apart."""

import numpy as np
import pytest

from tools.training.casework import Comparison, Exhibit
from tools.training.verdict import FACE_AND_IMAGE, fit
from tools.verdict import Rule


def _comparison(
    rng: np.random.Generator, number: int, kind: str, *, same: bool, bits: float
) -> Comparison:
    forged = kind == "forgery"
    scores: dict[str, float | None] = {
        name: float(rng.normal(2.0 if forged else -2.0, 1.0)) for name in FACE_AND_IMAGE
    }
    scores["cosine_similarity"] = float(rng.normal(0.6 if same else 0.0, 0.1))
    scores["query/face_linear_difference"] = float(rng.normal(3.0 if forged else 0.0, 1.0))
    scores["query/face_feature_cosine"] = float(rng.normal(0.5 if forged else 0.9, 0.05))
    scores["query/face_hash_distance"] = bits + float(rng.integers(0, 3))
    depicted = "ada" if same else "somebody"
    return Comparison("ada", Exhibit(f"{number}.jpg", kind, depicted, depicted, ""), True, scores)


@pytest.fixture(scope="module")
def rule() -> Rule:
    """A rule fitted on 1,000 made-up comparisons whose answers are plain."""
    rng = np.random.default_rng(0)
    groups = [
        ("authentic", True, 30.0), ("forgery", True, 30.0), ("copy", True, 2.0),
        ("forgery", True, 4.0), ("bystander", False, 30.0),
    ]  # fmt: skip
    return fit(
        [
            _comparison(rng, 1000 * group + number, kind, same=same, bits=bits)
            for group, (kind, same, bits) in enumerate(groups)
            for number in range(200)
        ]
    )


def _scores(cosine: float, forged: bool, bits: float) -> dict[str, float | None]:
    level = 2.5 if forged else -2.5
    return dict.fromkeys(FACE_AND_IMAGE, level) | {
        "cosine_similarity": cosine,
        "query/face_linear_difference": 3.5 if forged else 0.0,
        "query/face_feature_cosine": 0.45 if forged else 0.92,
        "query/face_hash_distance": bits,
        "query/same_photograph": float(bits <= 6),
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
    rule: Rule, cosine: float, forged: bool, bits: float, verdict: str
) -> None:
    """Each kind of file that the fit saw is judged as what it is."""
    assert rule.assess(_scores(cosine, forged, bits), usable=True).verdict == verdict


def test_the_copy_threshold_lies_between_copies_and_other_photos(rule: Rule) -> None:
    """Copies were at 2 to 4 bits and other photos from 30 on: the edge is in between."""
    assert 4 < rule.copy_bits < 30


def test_the_rule_says_what_it_was_fitted_on(rule: Rule) -> None:
    """The numbers of persons and faces are counted, not typed in."""
    assert rule.fitted_on["persons"] == 1
    assert rule.fitted_on["faces"] == 1000
