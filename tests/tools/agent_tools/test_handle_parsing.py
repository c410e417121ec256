"""Parsing handles as written by people and models, with any number of digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.agent_tools.handle_parsing import find_handles, normalise_handle
from tools.errors import ToolError

pytestmark = pytest.mark.fast

NUMBERS = st.integers(1, 999)
FORMS = (
    "H{}", "h{}", "[H{}]", " H{} ", "H {}", "H0{}", "hit {}", "Hit #{}", "hit number {}", "[ h{} ]"
)  # fmt: skip


@given(NUMBERS, st.sampled_from(FORMS))
def test_every_form_of_a_hit_is_that_hit(number: int, form: str) -> None:
    """Two and three digits stay two and three digits, however a hit is written."""
    assert normalise_handle(form.format(number)) == f"H{number}"


@given(NUMBERS, NUMBERS)
def test_hits_named_in_a_sentence_are_read_in_order(one: int, other: int) -> None:
    """Both hits are found, in the order in which they are named, and no other."""
    expected = tuple(dict.fromkeys((f"H{one}", f"H{other}")))
    assert find_handles(f"Compare H{one} with H{other}.") == expected
    assert find_handles(f"compare hits {one} and {other}, please") == expected
    assert find_handles(f"why is h{one} like hit {other}?") == expected


@pytest.mark.parametrize(
    ("text", "handles"),
    [
        ("the 17th hit", ("H17",)),
        ("the third photo and the second hit", ("Q3", "H2")),
        ("hits 3, 14 and 105", ("H3", "H14", "H105")),
        ("top 50 hits", ()),
        ("show 20 hits", ()),
        ("H1.E2 is high", ()),
        ("H0", ()),
        ("photograph 12 km away", ()),
        ("50 photos", ()),
    ],
)
def test_counts_are_no_handles(text: str, handles: tuple[str, ...]) -> None:
    """A number is a handle only where a picture is named by it."""
    assert find_handles(text) == handles


@pytest.mark.parametrize("text", ["H0", "", "H", "the photo", "H1 and H2", "17", "H1.5.2", "X7"])
def test_what_is_no_handle_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ToolError, match="is no handle"):
        normalise_handle(text)
