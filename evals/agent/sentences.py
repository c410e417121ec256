"""What is counted in checked sentences: how many passed, what they name."""

from collections.abc import Sequence

from assistant import claims
from assistant.steps import CheckedSentence


def grounded(answers: Sequence[Sequence[CheckedSentence]]) -> float:
    """Share of the model's sentences that passed at once; NaN without any.

    A refused sentence counts once, though the plain writer may have put several in its place.
    """
    passed, refused = 0, 0
    for sentences in answers:
        before: str | None = None
        for sentence in sentences:
            again = sentence.source == "plain" and sentence.finding == before
            passed += sentence.finding is None and sentence.source == "model"
            refused += sentence.finding is not None and not again
            before = sentence.finding
    return passed / (passed + refused) if passed + refused else float("nan")


def names_region(text: str) -> bool:
    """Whether a part of the face is named."""
    return any(
        pattern.search(text) for pattern, numbers in claims.REGIONS if len(numbers) < 3
    )  # fmt: skip


def names_flaw(text: str) -> bool:
    """Whether a part of the face is named, or a flaw that no tool measures."""
    return names_region(text) or claims.UNMEASURED.search(text) is not None
