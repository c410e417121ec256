"""Questions about the list that only words name."""

import pytest

from assistant.agent.requests.list_words import (
    ALIKE,
    FORGED_OTHERS,
    MOST_FORGED,
    NAMED_FILES,
    NOT_FORGED,
    PERCENTAGE,
    UNASSESSED,
    group_order,
    list_question,
    verdict_counted,
)

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("which of them is most likely faked", MOST_FORGED),
        ("name the worst one and say why", MOST_FORGED),
        ("what is the single most likely fake?", MOST_FORGED),
        ("who looks most manipulated?", MOST_FORGED),
        ("welches ist am ehesten gefälscht?", MOST_FORGED),
        ("which two are nearly the same picture?", ALIKE),
        ("are there near-duplicates?", ALIKE),
        ("is any picture in there twice?", ALIKE),
        ("which ones are practically identical?", ALIKE),
        ("gibt es Bilder, die fast identisch sind?", ALIKE),
        ("which picture could not be assessed?", UNASSESSED),
        ("which ones weren't measured?", UNASSESSED),
        ("which faces were too small?", UNASSESSED),
        ("why could tiny_7 not be assessed?", UNASSESSED),
        ("which two hits look most alike?", ALIKE),
        ("how many could not be judged?", "counts"),
        ("which of the others read as forged?", FORGED_OTHERS),
        ("are any of the strangers fake?", FORGED_OTHERS),
        ("does someone else look manipulated?", FORGED_OTHERS),
        ("who else in the list looks manipulated?", FORGED_OTHERS),
        ("which hits are named elon?", NAMED_FILES),
        ("show only png files", NAMED_FILES),
        ("how many jpgs are there?", NAMED_FILES),
        ("Combien sont faux ?", "counts"),
        ("wie viele sind echt?", "counts"),
        ("¿cuántas son falsas?", "counts"),
        ("how many fakes are there?", "counts"),
        ("which ones should I rather not publish as fake?", NOT_FORGED),
        ("which shouldn’t I call fake?", NOT_FORGED),
        ("welche sollte ich nicht als Fälschung veröffentlichen?", NOT_FORGED),
        ("what does 87% mean", PERCENTAGE),
        ("what's the 99 % of H1?", PERCENTAGE),
        ("was bedeuten die 87 Prozent?", PERCENTAGE),
    ],
)
def test_what_is_asked_about_the_list(text: str, asked: str) -> None:
    """One pattern a question, whatever the wording around it."""
    assert list_question(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "which are fake?",
        "which did I not mark as fake?",
        "is H3 not to be called fake?",
        "show the 3 strongest fakes",
        "sort by the most forged",
        "most of them are fake, right?",
        "why is H3 most likely forged?",
        "is H1 or H2 the more likely forgery?",
        "are H1 and H2 the same picture?",
        "is H4 a duplicate?",
        "hide the duplicates",
        "which are copies?",
        "why was H3 not assessed?",
        "why wasn't it measured?",
        "which ones are most similar to my photo?",
        "which are nearly the same as my photo?",
        "which ones are identical to the school photo?",
        "he was not judged by anyone",
        "find other fakes of her",
        "the most important thing is privacy",
        "how many fakes are in press?",
        "what is 17 % of 4200?",
        "give me a pdf file",
        "how do I index HEIC photos?",
    ],
)
def test_other_questions_are_none_of_these(text: str) -> None:
    """Two hits, an order, a plural or a statement."""
    assert list_question(text) == ""


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("mark all inconclusive as confirmed", "confirm"),
        ("mark the real ones as confirmed", "confirm"),
        ("please mark all inconclusive ones as fakes", "confirm"),
        ("mark every copy as real", "reject"),
        ("reject every stranger except H16", "reject"),
        ("mark all copies as real", "reject"),
        ("reject all strangers", "reject"),
        ("markiere alle Kopien als verworfen", "reject"),
        ("mark the copies as hidden", "hide"),
        ("set all copies to rejected", "reject"),
        ("hide all copies", "hide"),
        ("leave out the real ones", ""),
        ("remove the word inconclusive", ""),
        ("unmark the fakes", "unmark"),
        ("mark H4 as one of the fakes", ""),
        ("should I reject all strangers?", ""),
        ("do not hide the copies", ""),
        ("hide the rest", ""),
        ("show all copies", ""),
    ],
)
def test_a_mark_is_ordered_for_all_hits_with_a_verdict(text: str, act: str) -> None:
    """If the first words order it, and a verdict says which; what they are marked as is none."""
    assert group_order(text) == act


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("how many are fake? one number", "impersonation"),
        ("wie viele sind gefälscht?", "impersonation"),
        ("how many impersonations?", "impersonation"),
        ("how many are inconclusive?", "inconclusive"),
        ("how many copies are there", "copy"),
        ("how many are someone else?", "other"),
        ("how many are real?", "no forgery found"),
        ("how many are not fake?", "no forgery found"),
        ("how many are genuine or forged?", None),
        ("how many are not copies?", None),
        ("combien sont vraies ?", "no forgery found"),
        ("how many could not be assessed?", "not assessed"),
        ("how many fakes and copies?", None),
        ("how many did you look at?", None),
    ],
)
def test_the_verdict_that_is_counted(text: str, verdict: str | None) -> None:
    """None stands for all counts."""
    assert verdict_counted(text) == verdict
