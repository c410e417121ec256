"""Handles are parsed strictly, and a fact shows its value in readable form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import ToolError
from tools.verdict.handles import Fact, cited_handles, parse_handle, quote_untrusted, sanitise_text
from tools.verdict.units import PROBABILITY

pytestmark = pytest.mark.fast


def fact(value: float | None, unit: str) -> Fact:
    """A fact with this value."""
    return Fact("H3.E2", "forgery score", value, unit, "high", method="measured", limits="few")


@pytest.mark.parametrize("text", ["Q1", "H12", "C3", "H3.E2", "Q1.P2", "C1.E8", "S1", "G4"])
def test_a_handle_survives_being_taken_apart(text: str) -> None:
    """Every form of handle is read and written back the same, with or without brackets."""
    assert str(parse_handle(text)) == text
    assert str(parse_handle(f" [{text}] ")) == text


@pytest.mark.parametrize("text", ["", "H0", "E4", "H3.X1", "h3", "S0", "S12", "G", "/etc/passwd"])
def test_anything_else_is_refused_and_the_forms_are_named(text: str) -> None:
    """The model is told what handles look like."""
    with pytest.raises(ToolError, match=r"handles look like Q1, H3, C1 or H3\.E2"):
        parse_handle(text)


def test_citations_are_found_in_their_order() -> None:
    """Only well-formed handles in square brackets count."""
    text = "Forged [H3.P2], as [H3.E2] and [S2] say; H3.E4, [H3] and [E2] are no citations."
    assert cited_handles(text) == ("H3.P2", "H3.E2", "S2")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.6234, "cosine", "0.62 on a scale up to 1"),
        (0.97, PROBABILITY, "97 %"),
        (1.0, PROBABILITY, "over 99 %"),
        (None, PROBABILITY, "not measured"),
        (None, "cosine", "not measured"),
        (0.0, "cosine", "0 on a scale up to 1"),
        (-0.0213, "logit", "-0.021 points"),
        (43.61, "px", "43.6 pixels"),
        (1.0, "faces", "1 face"),
        (21.0, "faces", "21 faces"),
        (1.0, "images and videos", "1 image or video"),
        (0.0, "log ratio", "as large as that of the surroundings"),
        (4.8, "log ratio", "120 times that of the surroundings"),
        (1.0, "", "1"),
    ],
)
def test_a_value_is_shown_with_its_unit(value: float | None, unit: str, shown: str) -> None:
    """Probabilities are percentages and never certain; what is missing is said to be."""
    assert fact(value, unit).shown == shown


@given(st.text())
def test_text_from_outside_stays_one_short_harmless_line(text: str) -> None:
    """No control character, line break or quote of it survives, whatever it was."""
    assert len(sanitise_text(text)) <= 60
    assert sanitise_text(text).isprintable()
    assert quote_untrusted(text).count('"') == 2
