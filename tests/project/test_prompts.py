"""Prompts are text files, and an undefined variable in one is an error."""

import pytest

import prompts
from tools.verdict.handles import CITATION_PATTERN, SUBJECT_PATTERN

pytestmark = pytest.mark.fast


def test_placeholders_are_filled() -> None:
    """What is given stands in the text, and nothing else is left open."""
    text = prompts.text("explanation", hit="H3", evidence='{"cost": "$5"}')
    assert text.startswith("Explain H3 ")
    assert text.endswith('{"cost": "$5"}')


def test_a_gap_is_an_error() -> None:
    """A missing value, a value without a place and an unknown prompt are never passed over."""
    with pytest.raises(KeyError):
        prompts.text("explanation", hit="H3")
    with pytest.raises(TypeError, match="mood"):
        prompts.text("assistant", mood="good")
    with pytest.raises(FileNotFoundError):
        prompts.text("poem")


def test_the_system_prompt_is_short_and_types_no_number() -> None:
    """It is part of every prompt of a small model, which copies what it sees."""
    text = prompts.text("assistant")
    assert len(text) < 1000
    assert "[H1.P2]" in text
    bare = SUBJECT_PATTERN.sub("", CITATION_PATTERN.sub("", text))
    assert not any(character.isdigit() for character in bare)
