"""Figures of explanations, computed by hand from made-up drafts."""

import math

import pytest

from assistant.conversation.steps import CheckedSentence, Explanation
from evals.suites.agent.explanations import ExplanationTrial, explanation_figures
from evals.suites.agent.sentences import contradicts, grounded_share, names_flaw, names_region
from tools.agent_tools.facts import verdict_fact

pytestmark = pytest.mark.fast

GOOD = CheckedSentence("[H1.E15].", ("H1.E15",))
WRONG = CheckedSentence(
    "It is genuine [H1.P2].", ("H1.P2",), "model", 'it types "genuine" instead of citing it'
)
TYPED = CheckedSentence("It scores 99.", (), "model", "it types a number instead of citing it")
PLAIN = CheckedSentence("The nose shows no trace [H2.E14].", ("H2.E14",), "plain")


def _explained(**changed: object) -> ExplanationTrial:
    made: dict[str, object] = {
        "workspace": "desk 0", "hit": "H1", "verdict": "impersonation", "draft": (GOOD,),
        "shown": Explanation("H1", (GOOD,)), "cites": (("H1.E15", True),), "regions": (True,),
        "passes_again": (True,), "follows": True, "rest_unchanged": True,
    }  # fmt: skip
    return ExplanationTrial(**{**made, **changed})  # type: ignore[arg-type]


def test_shares_by_hand() -> None:
    """Two explanations: one right, one with a wrong verdict, a typed number and two bad citations.

    Sentences 1 + 3, of which 2 pass: 1/2. Numbers: 1 cited well; then 3 cited, 1 well, and 1 typed:
    2 of 5. Citations of the right hit: 1 of 1 and 2 of 3, 3/4. Regions: 1 of 1 and 0 of 1, 1/2.
    """
    bad = _explained(
        workspace="desk 3",
        draft=(GOOD, WRONG, TYPED),
        cites=(("H1.E15", True), ("H1.E99", False), ("H2.E1", False)),
        regions=(False,),
        follows=False,
    )
    found = explanation_figures([_explained(), bad])
    assert found["sentences"] == 4
    assert found["grounded, nothing masked"] == pytest.approx(1 / 2)
    assert found["numeric fidelity, nothing masked"] == pytest.approx(2 / 5)
    assert found["right hit cited, nothing masked"] == pytest.approx(3 / 4)
    assert found["region validity, nothing masked"] == pytest.approx(1 / 2)
    assert found["deciding words typed, all refused"] == 1
    assert found["grounded after the check"] == 1.0
    assert found["flip test"] == {"swaps": 2, "text follows": 0.5, "rest unchanged": 1.0}


def test_artefacts_where_no_forgery_was_found_are_counted_as_shown() -> None:
    """Only sentences shown about hits in which no forgery was found count."""
    genuine = _explained(verdict="no forgery found", shown=Explanation("H1", (GOOD, PLAIN)))
    found = explanation_figures([_explained(), genuine])
    assert found["no forgery found, explained"] == 1
    assert found["artefact claims where no forgery was found"] == 2
    assert found["plain writer's"] == 1


def test_nothing_explained_is_nothing_measured() -> None:
    """Without hits shares are NaN, never 0."""
    found = explanation_figures([])
    assert found["hits"] == 0
    assert math.isnan(found["grounded, nothing masked"])  # type: ignore[arg-type]
    assert math.isnan(found["grounded before the check"])  # type: ignore[arg-type]


def test_a_refused_sentence_counts_once() -> None:
    """Two sentences of the plain writer in place of one refused: 1 passed, 1 refused."""
    first = CheckedSentence("a", (), "plain", "wrong", "it was")
    second = CheckedSentence("b", (), "plain", "wrong")
    assert grounded_share([(GOOD, first, second)]) == pytest.approx(1 / 2)


def test_a_contradiction_is_a_word_or_a_verdict_that_is_not_the_rules() -> None:
    """Of sentences shown as checked: a typed word counts, and a verdict filled in wrongly."""
    facts = {"H1.verdict": verdict_fact("H1", "copy")}
    said = CheckedSentence("[H1.verdict].", ("H1.verdict",))
    assert not contradicts(said, {"H1": "copy"}, facts.get)
    assert contradicts(said, {"H1": "other"}, facts.get)
    assert contradicts(CheckedSentence("All of them are fake."), {}, facts.get)
    assert not contradicts(CheckedSentence("Then ask me again."), {}, facts.get)


def test_regions_and_flaws() -> None:
    """Parts of the face are regions; flaws that nothing measures are counted with them."""
    assert names_region("the left eye is odd")
    assert not names_region("some region is odd")
    assert names_flaw("the hairline is odd")
    assert not names_flaw("it looks forged")
