"""Explanations say only what was measured, and cite it."""

import re

import pytest

from tests.test_verdict import HIGH, LOW, MIDDLE, RULE, scores
from tools.evidence import collect
from tools.plain_writer import explain, render


@pytest.mark.parametrize("identity", [HIGH, MIDDLE, LOW])
@pytest.mark.parametrize("fake", [HIGH, MIDDLE, LOW, None])
@pytest.mark.parametrize("bits", [2.0, 40.0])
@pytest.mark.parametrize("usable", [True, False])
def test_two_to_five_sentences_that_cite_existing_evidence(
    identity: float, fake: float | None, bits: float, usable: bool
) -> None:
    """Whatever was measured, every citation names evidence that has a value."""
    measured = scores(identity, fake, bits=bits)
    evidence = collect(measured, RULE.references)
    sentences = explain(RULE.assess(measured, usable=usable), evidence)
    assert 2 <= len(sentences) <= 5
    with_value = {item.id for item in evidence if item.value is not None}
    cited = set(re.findall(r"\[(E\d+)\]", render(sentences)))
    assert cited <= with_value
    assert cited or not usable


def test_an_unmeasured_score_is_never_spoken_of_as_a_number() -> None:
    """Without a forgery score there is no sentence about a forgery probability."""
    measured = scores(HIGH, None)
    evidence = collect(measured, RULE.references)
    text = render(explain(RULE.assess(measured, usable=True), evidence))
    assert "forgery probability" not in text


def test_the_verdict_in_the_text_is_the_rules() -> None:
    """Only the opening of the rule's own verdict appears."""
    measured = scores(HIGH, LOW)
    text = render(explain(RULE.assess(measured, usable=True), collect(measured, {})))
    assert "genuine photo of the query person" in text
    assert "impersonates" not in text


def test_a_changed_score_changes_the_sentence_about_it_alone() -> None:
    """Flip test: another cosine similarity leaves the sentence about forgery as it was."""
    texts = []
    for cosine in (4.0, 5.0):
        measured = scores(cosine, HIGH)
        sentences = explain(RULE.assess(measured, usable=True), collect(measured, {}))
        texts.append([str(sentence) for sentence in sentences])
    different = [one for one, two in zip(*texts, strict=True) if one != two]
    assert len(different) == 1
    assert "cosine" in different[0]
