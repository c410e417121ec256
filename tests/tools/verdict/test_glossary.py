"""The glossary covers all words of the screens, in plain sentences, as people write them."""

import re
from typing import get_args

import pytest

from assistant.chat.citations import SOURCE_LABELS
from assistant.report.pictures.further_maps import TITLES
from assistant.report.pictures.maps import DISTANCE_MAP_TITLE, FORGERY_MAP_TITLE, PICTURE_MAP_TITLE
from tools.verdict.evidence import numbered_measures
from tools.verdict.interpretation import HIGH_SHARE, RAISED_SHARE, UNCALIBRATED, UNCERTAIN
from tools.verdict.rule import PRIOR_IN_WORDS, Verdict
from tools.verdict.term_lookup import closest_terms, explain_term, glossary, split_terms

pytestmark = pytest.mark.fast


def meaning(term: str) -> str:
    """What a term means; fails where it is unknown."""
    entry = explain_term(term)
    assert entry is not None, term
    return entry.meaning


def test_every_word_of_the_screens_is_explained() -> None:
    """Verdicts, units, maps, numbers and writers: whatever the page shows has an entry."""
    units = {measure.unit.split(" of ")[0] for _, measure in numbered_measures()} - {"", "share"}
    writers = {label.partition(",")[0] for label, _ in SOURCE_LABELS.values()}
    maps = {FORGERY_MAP_TITLE, DISTANCE_MAP_TITLE, PICTURE_MAP_TITLE, *TITLES.values()}
    for term in (
        *get_args(Verdict),
        *units,
        *writers,
        *maps,
        UNCALIBRATED,
        UNCERTAIN,
        "same person",
    ):
        assert meaning(term)
    for number, measure in numbered_measures():
        assert meaning(f"E{number}").startswith(f"E{number} ")
        assert meaning(measure.name.partition(" (")[0])
    for handle in ("P1", "P2", "P3", "S1", "S8", "G1", "G4", "H1", "Q1", "C1"):
        assert meaning(handle)


def test_explanations_are_one_or_two_sentences() -> None:
    """A tooltip is read at a glance: at most two sentences and 200 characters, one entry a term."""
    entries = [entry for section in glossary().values() for entry in section]
    for entry in entries:
        assert entry.meaning[0].isupper() and entry.meaning.endswith("."), entry
        assert 1 <= len(re.findall(r"[.!?](?: |$)", entry.meaning)) <= 2, entry
        assert len(entry.meaning) <= 200, entry
    assert len({entry.term for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("logits", "logit"), ("LOGIT", "logit"), ("[H3.E2]", "E2"), ("h12.p1", "P1"), ("E2", "E2"),
        ("H17", "H1"), ("no_forgery_found", "no forgery found"), ("look alike", "look-alike"),
        ("bands", "band"), ("perturbation", "retake"), ("grad-cam", "Grad-CAM"),
        ("forgery score of the face", "E2"), ("odds", "prior odds"), ("fakes", "forgery"),
    ],
)  # fmt: skip
def test_terms_are_found_as_people_write_them(written: str, term: str) -> None:
    """Case, plural, brackets and other names do not matter."""
    entry = explain_term(written)
    assert entry is not None and entry.term == term


def test_an_unknown_word_gets_the_closest_ones() -> None:
    """A slip of a letter leads to the term; nothing is invented for a word that is not there."""
    assert explain_term("cosin") is None
    assert closest_terms("cosin")[0] == "cosine similarity"
    assert closest_terms("inconclusiv")[0] == "inconclusive"
    assert "prior odds" in closest_terms("prior")
    assert closest_terms("") == closest_terms("%%%") == ()


def test_terms_in_a_text_keep_the_text() -> None:
    """Pieces join to the text again; a term is explained once, everyday words are not."""
    text = "linear classifier on CLIP features, 2.1 logit; a hit with another logit"
    pieces = list(split_terms(text))
    assert "".join(words for words, _ in pieces) == text
    assert [words for words, meaning in pieces if meaning] == ["CLIP features", "logit"]


def test_figures_in_the_glossary_are_the_rule_s() -> None:
    """Numbers that an explanation names are the ones that the code decides by."""
    assert "odds of 1 to 20" in PRIOR_IN_WORDS and "1 to 20" in meaning("prior odds")
    assert f"{HIGH_SHARE:.0%}".replace("%", " %") in meaning("high")
    assert f"{RAISED_SHARE:.0%}".replace("%", " %") in meaning("raised")


def test_a_finding_s_absence_is_no_all_clear() -> None:
    """What was not found and what was not measured are explained as just that."""
    assert "never means authentic" in meaning("no forgery found")
    assert "does not mean zero" in meaning("not measured")
    assert "do not allow a decision" in meaning("inconclusive")
