"""Names and meanings of measures in sentences: one of each for every measure."""

import pytest

from tools.verdict.clauses import clause, display_name
from tools.verdict.evidence import numbered_measures
from tools.verdict.glossary import MEANINGS
from tools.verdict.handles import Fact
from tools.verdict.interpretation import interpret_score
from tools.verdict.units import format_value

pytestmark = pytest.mark.fast


def test_every_measure_has_a_meaning() -> None:
    """Whatever number evidence gets, `about.E…` explains that measure and no other."""
    assert [id_ for number, _ in numbered_measures() if (id_ := f"E{number}") not in MEANINGS] == []


def test_names_in_sentences_belong_to_their_measures() -> None:
    """The other words for a measure stand by that measure's number."""
    spoken = {it.score: display_name(f"E{number}", it.name) for number, it in numbered_measures()}
    assert spoken["reference/patch_distance"] == "distance from the query photos, place by place,"
    assert spoken["reference/inner_outer"] == "difference of the inner from the outer face"
    assert spoken["image/patches"] == "strongest sign of forgery in a part of the image"
    assert not [name for name in spoken.values() if name.startswith(("nearest", "the ", "which"))]


def test_what_stands_beside_a_verdict_is_set_apart() -> None:
    """A sentence that goes on after the verdict still reads."""
    words = "no forgery found (3 of 90 swaps also passed)"
    fact = Fact("H3.verdict", "verdict", None, "in words", words, "rule", "")
    assert clause(fact).startswith("the verdict on {it} is no forgery found (")


def test_shares_are_shown_as_percent() -> None:
    """A share of retakes reads "100 % of retakes", not "1 share of retakes"."""
    fact = Fact("H1.E18", "steadiness", 1.0, "share of retakes", "steady", "m", "l")
    assert fact.shown == "100 % of retakes"
    assert Fact("H1.E27", "agreement", 0.944, "share", "ordinary", "m", "l").shown == "94 %"


def test_an_unproven_photograph_is_not_called_another() -> None:
    """Two frames of one scene stand in the list as nearly the same picture."""
    fact = Fact("C1.E8", "same photograph", 0.0, "", "not proven", "m", "l")
    assert clause(fact) == "{it} are not proven to be the same photograph"


def test_a_failed_proof_is_no_proof_of_the_opposite() -> None:
    """Heavy crops hide a copy, so a photograph that was not proven to be the same stays open."""
    reads = interpret_score(
        "query/same_photograph", {"query/same_photograph": 0.0}, share=None, rule=None
    )
    assert reads == "not proven"
    fact = Fact("H1.E8", "same photograph", 0.0, "", reads, "m", "l")
    assert clause(fact) == "that {it} is the same photograph as a query photo is not proven"


def test_no_share_is_less_than_nothing() -> None:
    """Rounding leaves no "-0 %"."""
    share = format_value(-0.001, "share of the identity similarity", id="E21")
    assert share.startswith("0 %")
