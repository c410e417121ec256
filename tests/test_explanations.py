"""The figures of explanations, computed by hand from made-up drafts."""

import math

import pytest

from assistant.steps import CheckedSentence, Explanation
from evals.agent.sentences import grounded, names_flaw, names_region
from evals.explanations import Explained, figures

GOOD = CheckedSentence("The mouth stands out [H1.E15].", ("H1.E15",))
WRONG = CheckedSentence(
    "It is genuine [H1.P2].", ("H1.P2",), "model", "does not fit the verdict on H1"
)
TYPED = CheckedSentence("It scores 99.", (), "model", "it types a number instead of citing it")
PLAIN = CheckedSentence("The nose shows no trace [H2.E14].", ("H2.E14",), "plain")


def _explained(**changed: object) -> Explained:
    made: dict[str, object] = {
        "desk": "desk 0", "hit": "H1", "verdict": "impersonation", "draft": (GOOD,),
        "shown": Explanation("H1", (GOOD,)), "cites": (("H1.E15", True),), "regions": (True,),
        "passes_again": (True,), "follows": True, "rest_unchanged": True,
    }  # fmt: skip
    return Explained(**{**made, **changed})  # type: ignore[arg-type]


def test_shares_by_hand() -> None:
    """Two explanations: one right, one with a wrong verdict, a typed number and two bad citations.

    Sentences 1 + 3, of which 2 pass: 1/2. Numbers: 1 cited well; then 3 cited, 1 well, and 1 typed:
    2 of 5. Citations of the right hit: 1 of 1 and 2 of 3, 3/4. Regions: 1 of 1 and 0 of 1, 1/2.
    """
    bad = _explained(
        desk="desk 3",
        draft=(GOOD, WRONG, TYPED),
        cites=(("H1.E15", True), ("H1.E99", False), ("H2.E1", False)),
        regions=(False,),
        follows=False,
    )
    found = figures([_explained(), bad])
    assert found["sentences"] == 4
    assert found["grounded, nothing masked"] == pytest.approx(1 / 2)
    assert found["numeric fidelity, nothing masked"] == pytest.approx(2 / 5)
    assert found["right hit cited, nothing masked"] == pytest.approx(3 / 4)
    assert found["region validity, nothing masked"] == pytest.approx(1 / 2)
    assert found["verdict contradictions before"] == 1
    assert found["grounded after the check"] == 1.0
    assert found["flip test"] == {"swaps": 2, "text follows": 0.5, "rest unchanged": 1.0}


def test_artefacts_on_genuine_photos_are_counted_as_shown() -> None:
    """Only sentences shown about hits whose verdict is genuine count."""
    genuine = _explained(verdict="no forgery found", shown=Explanation("H1", (GOOD, PLAIN)))
    found = figures([_explained(), genuine])
    assert found["genuine explained"] == 1
    assert found["artefact claims on genuine"] == 2
    assert found["plain writer's"] == 1


def test_nothing_explained_is_nothing_measured() -> None:
    """Without hits shares are NaN, never 0."""
    found = figures([])
    assert found["hits"] == 0
    assert math.isnan(found["grounded, nothing masked"])  # type: ignore[arg-type]
    assert math.isnan(found["grounded before the check"])  # type: ignore[arg-type]


def test_a_refused_sentence_counts_once() -> None:
    """Two sentences of the plain writer in place of one refused: 1 passed, 1 refused."""
    first = CheckedSentence("a", (), "plain", "wrong", "it was")
    second = CheckedSentence("b", (), "plain", "wrong")
    assert grounded([(GOOD, first, second)]) == pytest.approx(1 / 2)


def test_regions_and_flaws() -> None:
    """Parts of the face are regions; flaws that nothing measures are counted with them."""
    assert names_region("the left eye is odd")
    assert not names_region("some region is odd")
    assert names_flaw("the hairline is odd")
    assert not names_flaw("it looks forged")
