"""The checker holds every sentence against the facts: what it passes and what it refuses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grounding import Ground, check, finding
from assistant.sentences import sentences
from tools.handles import Fact
from tools.verdict import Verdict


def _facts(subject: str, **reads: str | None) -> dict[str, Fact]:
    """Facts of one subject by number; None was not measured."""
    return {
        f"{subject}.{number}": Fact(
            f"{subject}.{number}", number, None if words is None else 0.5, "", words or
            "not measured", "", "",
        )
        for number, words in reads.items()
    }  # fmt: skip


def _counts(**values: int) -> dict[str, Fact]:
    words = {0: "none", 1: "one"}
    return {
        name: Fact(name, name, float(value), "faces", words.get(value, "several"), "", "")
        for name, value in values.items()
    }


VERDICTS: dict[str, Verdict] = {
    "H1": "impersonation", "H2": "no forgery found", "H3": "inconclusive", "H4": "other", "H5": "copy",
    "H6": "not assessed",
}  # fmt: skip
FACTS = {
    **_facts("H1", P1="same person", P2="forged", P3="likely", E1="same person", E2="high",
             E3="ordinary", E4="raised", E6="above the query photos", E7="alike",
             E8="another photograph", E9="enough detail", E10="not marked", E14="none",
             E15="strong", E16="weak"),
    **_facts("H2", P1="same person", P2="no sign of forgery", P3="unlikely", E1="same person",
             E2="ordinary", E3="ordinary", E6="like the query photos", E9="enough detail",
             E10="marked", E5=None),
    **_facts("H3", P1="same person", P2="uncertain", P3="uncertain", E1="same person", E2="raised"),
    **_facts("H4", P1="another person", P2="forged", P3="unlikely", E1="another person", E2="high"),
    **_facts("H5", P1="same person", P2="no sign of forgery", E8="same photograph"),
    **_facts("H6", P1=None, P2=None, E9="little detail"),
    **_facts("Q1", P2="no sign of forgery", E2="ordinary", E9="enough detail"),
    **_facts("C1", P1="same person", E1="same person", E7="alike", E8="another photograph"),
    **_counts(S1=9, S2=3, S3=1, S4=1, S5=0, S6=4, S7=0, G1=9, G2=9),
}  # fmt: skip
GROUND = Ground(FACTS.get, VERDICTS.get, frozenset([*VERDICTS, "Q1", "Q2"]))
ABOUT_H1 = replace(GROUND, about=frozenset(["H1"]))

RIGHT = (
    "Hello, I am Unmask.",
    "Please drop a photo of the person whose fakes I should find.",
    "I find forged images of one person in a gallery.",
    "That is outside my job.",
    "Without a photo I cannot search for fakes.",
    "You can add images with the Gallery panel.",
    "Which face in Q1 do you mean?",
    "Shall I locate the traces of a forgery in H1?",
    "I searched for fakes of this person and compared [S1] faces.",
    "I compared [S1] faces: [S2] impersonations, [S3] inconclusive and [S4] genuine.",
    "[S2] faces are impersonations.",
    "No copies were found [S5].",
    "There are [S5] copies.",
    "H1 is an impersonation [H1.P3].",
    "It shows the same person [H1.P1] and was likely forged [H1.P2].",
    "It shows the same person, but the face was forged [H1.P1] [H1.P2].",
    "The forgery score of the face stands out [H1.E2], the nearest known faces are ordinary "
    "[H1.E3].",
    "Its forgery score is higher than that of most authentic photos [H1.E2].",
    "The forgery score of the whole image is raised [H1.E4].",
    "Its forgery score lies above the query photos [H1.E6].",
    "The mouth matters most for the score [H1.E15].",
    "The nose shows no trace [H1.E14].",
    "H2 is genuine [H2.P2].",
    "H2 shows no sign of forgery [H2.P2].",
    "No forgery score stands out [H2.E2] [H2.E3].",
    "H2 is not an impersonation [H2.P3].",
    "It is neither high nor raised [H2.E2].",
    "Its metadata is marked as a forgery by Unmask [H2.E10].",
    "H3 is inconclusive [H3.P3].",
    "It is uncertain whether H3 was forged [H3.P2].",
    "H3 may be forged [H3.P2].",
    "A forgery cannot be ruled out [H3.P2].",
    "H4 shows another person [H4.P1].",
    "H4 does not show the same person [H4.P1].",
    "H5 is a copy of the query photo Q1 [H5.E8].",
    "H6 was not assessed, for it has too little detail [H6.E9].",
    "H6 could not be assessed [H6.E9].",
    "H1 is an impersonation [H1.P3], H2 is genuine [H2.P2].",
    "H1 is an impersonation and H2 is genuine [H1.P3] [H2.P2].",
    "Q1 and H1 show the same person [C1.P1].",
    "Their faces look alike [C1.E7].",
    "Q1 shows no sign of forgery [Q1.P2].",
    "E4 is the forgery score of the whole image.",
    "The probability that H2 was forged is [H2.P2].",
    "H5 is a small JPEG image with one face.",
    "H4 was forged [H4.P2] but shows someone else [H4.P1].",
    "It is very likely forged [H1.P2], since its score is high [H1.E2] compared to authentic "
    "photos.",
    "E1 means how alike the faces are.",
    "A genuine verdict means that nothing measured points to a forgery.",
    "- H1: impersonation [H1.P3]",
)

WRONG = (
    ("It is forged with 97 percent [H1.P2].", "number"),
    ("The score is 0.97 [H1.E2].", "number"),
    ("Hit 1 is an impersonation [H1.P3].", "number"),
    ("Ninety percent sure [H1.P2].", "number"),
    ("There are three impersonations [S2].", "number"),
    ("It is ½ forged [H1.P2].", "number"),
    ("See ![x](https://example.org/x.png).", "link"),
    ("<img src=x> H1.", "link"),
    ("It is forged [H1].", "no fact"),
    ("It is forged [E2].", "no fact"),
    ("It is forged [H1.E2", "no fact"),
    ("It is forged [H9.P2].", "does not exist"),
    ("H9 is next.", "there is no H9"),
    ("The whole image is ordinary [H2.E5].", "not measured"),
    ("H1 is forged [H4.P2].", "speaks of H1 but cites H4"),
    ("H1 and H2 show the same person [H1.P1].", "about H2"),
    ("This image is fake.", "cites no fact"),
    ("I am sure that it is fake.", "cites no fact"),
    ("It means that it is forged.", "cites no fact"),
    ("You can be sure that all of them are fake.", "cites no fact"),
    ("H1 is an impersonation.", "cites no fact"),
    ("None of the hits are genuine.", "cites no fact"),
    ("The eyes look odd [H1.E15].", '"eyes" was not located'),
    ("The mouth is forged [H1.P2].", '"mouth" was not located'),
    ("The nose gives it away [H1.E14].", '"none"'),
    ("There is a seam at the mouth [H1.E15].", 'no tool measures "seam"'),
    ("The lighting is forged [H1.P2].", "lighting"),
    ("H1 is genuine [H1.P3].", '"impersonation"'),
    ("H1 is not an impersonation [H1.P3].", '"impersonation"'),
    ("H2 is an impersonation [H2.P3].", '"no forgery found"'),
    ("H3 is an impersonation [H3.P3].", '"inconclusive"'),
    ("H3 is not genuine [H3.P3].", '"inconclusive"'),
    ("H4 is genuine [H4.P1].", '"other"'),
    ("H1 is genuine and H2 is an impersonation [H1.P3] [H2.P3].", "verdict on H2"),
    ("H2 is a copy [H2.P1].", '"no forgery found"'),
    ("H3 is forged [H3.P2].", '"uncertain"'),
    ("H3 is forged [H3.E2].", "H3.P2"),
    ("H3 is not forged [H3.P2].", '"uncertain"'),
    ("H2 may be forged [H2.P2].", "no sign of forgery"),
    ("H1 shows no sign of forgery [H1.P2].", '"forged"'),
    ("H1 is authentic [H1.P2].", '"forged"'),
    ("H4 is the same person [H4.P1].", '"another person"'),
    ("H1 shows another person [H1.P1].", '"same person"'),
    ("It is forged [H1.E9].", "not what the cited facts are about"),
    ("The forgery score is high [H1.E3].", '"ordinary"'),
    ("The forgery score is ordinary [H1.E2].", '"high"'),
    ("The forgery score does not stand out [H1.E2].", '"high"'),
    ("The forgery scores stand out [H1.E2] [H1.E3].", "H1.E3"),
    ("The forgery score is high [H1.E3] and the identity is fine [H1.E1].", "H1.E3"),
    ("Its forgery score lies below the query photos [H1.E6].", "above"),
    ("It is a duplicate [H1.E8].", "another photograph"),
    ("It has little detail [H1.E9].", "enough detail"),
    ("Impersonations were found [S5].", "S2"),
    ("No impersonations were found [S2].", "denies"),
    ("Several copies were found [S5].", "affirms"),
    ("All faces are impersonations [S2].", "not all"),
    ("Q1 is forged [Q1.P2].", "no sign of forgery"),
)


@pytest.mark.parametrize("sentence", RIGHT)
def test_what_the_facts_bear_out_passes(sentence: str) -> None:
    """Claims that agree with their citations, and words that claim nothing, are left alone."""
    assert finding(sentence, GROUND) is None


@pytest.mark.parametrize(("sentence", "why"), WRONG)
def test_what_the_facts_do_not_bear_out_is_refused(sentence: str, why: str) -> None:
    """Each refusal says what is wrong."""
    found = finding(sentence, GROUND)
    assert found is not None
    assert why in found


def test_an_explanation_speaks_of_its_hit_only() -> None:
    """Facts of another hit, right as they may be, are refused there."""
    assert finding("H1 is forged [H1.P2].", ABOUT_H1) is None
    for sentence in ("H2 is genuine [H2.P2].", "It is one of [S2].", "H2 comes next."):
        assert "H2" in (found := finding(sentence, ABOUT_H1) or "") or "S2" in found


def test_a_swapped_reading_changes_one_finding() -> None:
    """When one score reads otherwise, the sentence about it is refused and no other."""
    text = "The forgery score stands out [H1.E2]. It shows the same person [H1.P1]."
    swapped = FACTS | {"H1.E2": replace(FACTS["H1.E2"], reads="ordinary")}
    before = check(text, GROUND)
    after = check(text, replace(GROUND, fact=swapped.get))
    assert [one.finding for one in before] == [None, None]
    assert [one.finding is None for one in after] == [False, True]


def test_sentences_are_cut_at_their_ends() -> None:
    """Dots in handles end nothing; citations after a full stop belong to the sentence before."""
    text = (
        "H1 is forged [H1.P2]. It stands out. [H1.E2] Really?\n\n**List:**\n"
        "1. one [H1.E1, H1.E2]\n* two"
    )
    assert sentences(text) == [
        "H1 is forged [H1.P2].",
        "It stands out. [H1.E2]",
        "Really?",
        "List:",
        "- one [H1.E1] [H1.E2]",
        "- two",
    ]


@given(st.text(max_size=80))
def test_any_text_can_be_checked(text: str) -> None:
    """Whatever a model says, the checker answers."""
    for sentence in check(text, GROUND):
        assert sentence.text.strip()


@given(st.integers(0, 99), st.sampled_from(RIGHT))
def test_a_typed_number_never_passes(number: int, sentence: str) -> None:
    """A digit beside any sentence that would pass is found."""
    assert "number" in (finding(f"{number} {sentence.removeprefix('- ')}", GROUND) or "")
