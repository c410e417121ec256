"""Fresh wordings in the assistant's evaluation do not occur in any training grammar."""

import random

import pytest

from assistant.training.dialogues.grammar import expand
from evals.suites.agent import wordings as words
from evals.suites.agent.grammar import matches_training_grammar, pattern_regex, patterns
from evals.suites.agent.wordings import FRESH, HIT_NAMES

pytestmark = pytest.mark.fast

EXPANSIONS = 3000
_FILLED = {
    "hit": ("H3", "hit 12", "the third one", "it", "the worst hit", "number two", "#4"),
    "other": ("hit two",),
    "photo": ("Q1",),
    "top": ("five", "3"),
    "fact": ("H2.E4", "P1", "[e3]"),
    "face": ("second", "leftmost", "second from the left,"),
    "facenumber": ("2", "two"),
    "called": ("an impersonation",),
}


def _said(rng: random.Random, pattern: str) -> str:
    """A pattern as training says it, but for typos."""
    text = expand(pattern, rng)
    for slot, values in _FILLED.items():
        text = text.replace(f"<{slot}>", rng.choice(values))
    return " ".join(text.split())


def _asked(text: str) -> list[str]:
    """A wording of the evaluation with each name that a hit has there."""
    names = [name.replace("<n>", "3") for name in HIT_NAMES]
    return [text.replace("<hit>", name) for name in names] if "<hit>" in text else [text]


def test_the_structure_knows_everything_that_training_says() -> None:
    """Of 3,000 random expansions of all patterns each is recognised, whatever fills its slots."""
    rng = random.Random(5)  # noqa: S311 - not for secrets
    known = [pattern for _, pattern in patterns()]
    assert len(known) > 200
    for _ in range(EXPANSIONS):
        said = _said(rng, rng.choice(known))
        assert matches_training_grammar(said), said


def test_two_requests_in_one_are_known_as_well() -> None:
    """Training joins a search and a question; the structure sees through that."""
    assert matches_training_grammar("Find fakes of this person and explain the first hit.")
    assert matches_training_grammar("look for deepfakes of her; why is H1 forged?")
    assert not matches_training_grammar("Search for forgeries of her and sing.")


@pytest.mark.parametrize("kind", FRESH)
def test_fresh_wordings_are_new_to_training(kind: str) -> None:
    """Structurally, with every name of a hit; and they are asked."""
    asked = getattr(words, kind.upper().replace(" ", "_"))
    for text in FRESH[kind]:
        assert text in asked
        assert [said for said in _asked(text) if matches_training_grammar(said)] == []


def test_no_random_expansion_is_a_fresh_wording() -> None:
    """None of 3,000 expansions, drawn from the kinds that were widened, is a fresh wording."""
    rng = random.Random(6)  # noqa: S311 - not for secrets
    kinds = ("WHY", "DESCRIBE", "NEXT_PERSON", "OUTSIDE", "UNANSWERABLE")
    known = [pattern for name, pattern in patterns() if name.rpartition(".")[2] in kinds]
    fresh = {said.lower() for texts in FRESH.values() for text in texts for said in _asked(text)}
    said = {_said(rng, rng.choice(known)).lower() for _ in range(EXPANSIONS)}
    assert not fresh & said


def test_slots_and_stray_brackets_of_a_pattern() -> None:
    """Choices nest, slots take what training fills in, and a bracket that closes nothing stays."""
    pattern = pattern_regex("(why|how come( exactly|)) is <hit> fake(|?)")
    assert pattern.fullmatch("how come exactly is the third one fake?")
    assert not pattern.fullmatch("why is my grandmother fake")
    assert pattern_regex("hi(|!| :)|x)").fullmatch("hi :|x)")
