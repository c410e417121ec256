"""Training texts of the request reader: classes, slots, and what evaluation keeps apart."""

import random
import re
from collections import Counter

import pytest

from assistant.training.reader import references as refer
from assistant.training.reader.classes import class_of, classes, examples, wordings
from evals.suites.agent.requests import expected, free_requests, situation, words

pytestmark = pytest.mark.fast


def test_every_class_has_many_wordings() -> None:
    """None of them rests on a few sentences."""
    counts = Counter(class_of(row) for row in wordings())
    assert counts.total() > 4000
    assert min(counts.values()) >= 10
    assert len(counts) == len(classes())


def test_no_slot_is_left() -> None:
    """Everything between angle brackets is filled in, but for a tag that an author wrote."""
    for text, _ in examples(random.Random(3), wordings()):  # noqa: S311 - not for secrets
        assert re.search(r"<(?!result>)[a-z0-9]+>", text) is None, text


def test_no_evaluation_wording_is_trained_on() -> None:
    """The words of the evaluation's requests occur in no training file; each has an answer."""
    trained = {words(row["text"]) for row in wordings()}
    asked = free_requests()
    assert len(asked) >= 240
    assert not [row["text"] for _, row in asked if words(row["text"]) in trained]
    for _, row in asked:
        answer = expected(row, situation(row))
        assert bool(answer.calls) != bool(answer.text)


def test_typing_errors_spare_what_the_answer_copies() -> None:
    """A folder's name that was mistyped could not be found."""
    rng = random.Random(0)  # noqa: S311 - not for secrets
    for _ in range(300):
        said = refer.spoilt("Only hits from Telegram leaks, please.", rng, keep=["Telegram leaks"])
        assert "Telegram leaks" in said


@pytest.mark.parametrize(
    ("number", "ending"), [(1, "st"), (2, "nd"), (3, "rd"), (11, "th"), (22, "nd")]
)
def test_ordinals_are_english(number: int, ending: str) -> None:
    """The 22nd, not the 22th."""
    names = {refer.hit_name(random.Random(seed), number, 200) for seed in range(900)}  # noqa: S311
    assert f"the {number}{ending} hit" in names
