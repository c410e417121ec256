"""From logits to words: thresholds, places, and the sentence that is shown. Without weights."""

import numpy as np
import pytest

from assistant.chat_model.looking.attributes import FACE_PARTS, PICTURE_GROUPS
from assistant.chat_model.looking.reading import NEVER, Named, name_attributes, name_place
from assistant.chat_model.looking.views import SIDE, detail_view, whole_view
from assistant.chat_model.looking.words import WORDS, word_impression
from tools.agent_tools.facts import impression_fact
from tools.search.checking.impression import NO_IMPRESSION, Seen, impression_text

pytestmark = pytest.mark.fast

SETTINGS = {
    "temperature": dict.fromkeys(PICTURE_GROUPS, 1.0),
    "threshold": {group: dict.fromkeys(classes, 0.6) for group, classes in PICTURE_GROUPS.items()},
}
PLACES = {"scale": [1.0] * 4, "shift": [0.0] * 4, "threshold": 0.7}
FIGURES = {"faces test": {"right": 0.8, "chance": 0.4, "false_alarms": 0.05}}


def logits(**likely: str) -> np.ndarray:
    """Logits of all groups, in which the given classes are near certain."""
    rows = []
    for group, classes in PICTURE_GROUPS.items():
        rows += [5.0 if likely.get(group) == name else 0.0 for name in classes]
    return np.array(rows)


def test_every_class_has_words() -> None:
    """Only "no" is never named."""
    named = {(group, it) for group, classes in PICTURE_GROUPS.items() for it in classes}
    assert {it for it in named if it[1] != "no"} == WORDS.keys()


def test_only_what_is_sure_is_named() -> None:
    """Even classes stay unsaid, and so does the place of a face that is not seen."""
    assert name_attributes(logits(), SETTINGS) == ()
    (only,) = name_attributes(logits(screenshot="yes", text="no", position="left"), SETTINGS)
    assert (only.group, only.name) == ("screenshot", "yes") and only.probability > 0.9
    both = name_attributes(logits(faces="one", position="left"), SETTINGS)
    assert [it.name for it in both] == ["one", "left"]


def test_a_class_that_was_never_right_enough_is_never_named() -> None:
    """Its threshold cannot be reached."""
    strict = {**SETTINGS, "threshold": {**SETTINGS["threshold"], "colour": dict.fromkeys(
        PICTURE_GROUPS["colour"], NEVER)}}  # fmt: skip
    assert name_attributes(logits(colour="grey"), strict) == ()


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ([0.0, 3, 3, 3], None),  # unsure whether anything was altered
        ([3.0, -1, -1, -1], None),  # something, but nowhere
        ([3.0, 2, -1, 1], "eyes"),
        ([3.0, 2, 1, 1], "whole face"),
    ],
)
def test_a_place_needs_an_alteration_and_a_part(said: list[float], place: str | None) -> None:
    """The likeliest part, or the whole face if all are likely."""
    found = name_place(said, PLACES)
    assert (found.name if found else None) == place


def test_a_place_comes_with_how_often_it_is_right() -> None:
    """Against chance, and on authentic faces; the application fills it in."""
    (seen,) = word_impression([], Named("altered", FACE_PARTS[0], 0.9), FIGURES)
    assert seen.what == "the eyes look altered"
    for share in ("80 %", "40 %", "5 %"):
        assert share in seen.remark
    assert word_impression([], Named("altered", "whole face", 0.9), FIGURES)[0].what.startswith(
        "the whole face looks"
    )


def test_the_sentence_says_what_it_is() -> None:
    """An impression, never a measurement; without the network, what brings it; or nothing."""
    fact = impression_fact("H3", (Seen("a screenshot", 0.97),))
    assert fact.reads == "a screenshot (97 %)" and fact.value is None
    assert "measured" in fact.method
    assert impression_fact("H3", None).reads == NO_IMPRESSION and "unmask setup" in NO_IMPRESSION
    assert "nothing" in impression_text(())
    assert Seen("sharp", 0.9999).text == "sharp (99 %)"


@pytest.mark.parametrize("size", [(40, 30), (224, 224), (500, 3000), (1200, 900)])
def test_views_have_one_size(size: tuple[int, int]) -> None:
    """Small, long and large pictures alike."""
    pixels = np.zeros((*size, 3), np.uint8)
    for view in (whole_view(pixels), detail_view(pixels)):
        assert view.shape == (SIDE, SIDE, 3) and view.dtype == np.uint8
