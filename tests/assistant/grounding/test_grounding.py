"""Grounding checker: no verdict, similarity, count, place or "nothing found" in free model text."""

import itertools
import re
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.steps import CheckedSentence
from assistant.grounding.checker import FactContext, check_sentences, finding
from assistant.grounding.citations import render_citations
from assistant.grounding.sentences import split_sentences
from prompts.phrases import JOINTS, LEADS, PHRASES
from tools.agent_tools.facts import meaning_facts, verdict_fact
from tools.agent_tools.list_facts import hit_lists
from tools.verdict.handles import CITATION_PATTERN, IN_WORDS, Fact
from tools.verdict.rule import VERDICTS, Verdict
from tools.verdict.units import PROBABILITY

pytestmark = pytest.mark.fast


def facts_of(verdicts: Mapping[str, Verdict]) -> dict[str, Fact]:
    """What there is to cite after a search with hits of these verdicts."""
    found = [*meaning_facts()]
    for handle, verdict in verdicts.items():
        found.append(verdict_fact(handle, verdict))
        found += [
            Fact(f"{handle}.P1", "", 0.97, PROBABILITY, "same person", "", ""),
            Fact(f"{handle}.P2", "", 0.98, PROBABILITY, "forged", "", ""),
            Fact(f"{handle}.E2", "forgery score of the face", 2.31, "logit", "high", "", ""),
            Fact(f"{handle}.E4", "forgery score of the image", None, "", "not measured", "", ""),
        ]
    numbers = {
        verdict: [int(it[1:]) for it, its in verdicts.items() if its == verdict]
        for verdict in VERDICTS
    }
    found += hit_lists(numbers)
    found += [
        Fact(f"S{place}", "", float(len(numbers[verdict])), "images", "", "", "")
        for place, verdict in enumerate(VERDICTS, start=2)
    ]
    found += [
        Fact("S1", "", 9.0, "images", "several", "", ""),
        Fact("Q1.P2", "", 0.2, PROBABILITY, "no sign of forgery", "", ""),
        Fact("C1.P1", "", 0.9, PROBABILITY, "same person", "", "", whom="Q1 and H1"),
        Fact("C1.E7", "", 0.9, "cosine", "alike", "", "", whom="Q1 and H1"),
        Fact("H1.regions", "", None, IN_WORDS, "{its} map is strong at the nose", "", ""),
    ]
    return {fact.id: fact for fact in found}


THREE: dict[str, Verdict] = {
    "H1": "impersonation", "H2": "no forgery found", "H3": "inconclusive", "H4": "no forgery found",
}  # fmt: skip
FACTS = facts_of(THREE)
GROUND = FactContext(FACTS.get)

SHOWN = {
    "[H1.verdict]: [H1.P1], and [H1.P2].": (
        "The verdict on H1 is impersonation: it most likely shows the query person (97 %), and it "
        "was most likely forged (98 %)."
    ),
    "[H1.E2], but [H1.E4].": (
        "H1's forgery score of the face is high (2.31 points), but its forgery score of the image "
        "was not measured."
    ),
    "[H1.identity] while [H2.forgery].": (
        "H1 most likely shows the query person (97 %) while H2 was most likely forged (98 %)."
    ),
    "I searched the gallery: [S1], and [S2].": (
        "I searched the gallery: 9 images were compared, and 1 image has the verdict impersonation."
    ),
    "[count.copy].": "0 images have the verdict copy.",
    "[hits.no forgery found], and [hits.copy].": (
        "The verdict on H2 and H4 is no forgery found, and no listed hit has the verdict copy."
    ),
    "[hits.all].": "The hits are H1 to H4.",
    "Please note that [H1.regions].": "Please note that H1's map is strong at the nose.",
    "[C1.verdict]. [C1.E7] [C1.P1].": None,
    "- H1: [H1.verdict]": "- H1: the verdict on H1 is impersonation",
    "[about.P2].": "P2 is the calibrated probability that the face was forged.",
    "Hello, I am Unmask.": "Hello, I am Unmask.",
    "That is outside my job.": "That is outside my job.",
    "Please give me another photo.": "Please give me another photo.",
    "I can search the gallery.": "I can search the gallery.",
    "Which hit do you mean?": "Which hit do you mean?",
}


@pytest.mark.parametrize("text", [it for it in SHOWN if SHOWN[it]])
def test_what_is_cited_is_filled_in_and_shown_as_checked(text: str) -> None:
    """A citation becomes a clause with its subject and value, the subject named once."""
    (one,) = check_sentences(text, GROUND)
    assert (one.finding, one.source) == (None, "model")
    assert render_citations([one], FACTS.get) == SHOWN[text]


@pytest.mark.parametrize("text", [one for text in PHRASES for one in split_sentences(text)])
def test_sentences_of_our_own_pass(text: str) -> None:
    """What the project says itself needs no check, in any case of its letters."""
    assert finding(text, GROUND) is None
    assert finding(text.upper(), GROUND) is None


WRONG = (
    ("H1 [H1.P2] and H4 [H4.P2] are genuine.", "genuine"),
    ("Please note that this person is forged.", "forged"),
    ("Sorry, all of them are fake.", "fake"),
    ("I cannot help but say that everybody is an impersonation.", "impersonation"),
    ("The map of H1 shows nothing at any place.", "speaks of a hit"),
    ("It is not true that [H1.verdict].", "true"),
    ("Hardly anybody believes that [H1.verdict].", "join"),
    ("If you ask me, [H1.verdict].", "join"),
    ("[H1.verdict], as is H4.", "join"),
    ("H4: [H1.verdict].", "join"),
    ("[H1.verdict] is what H2 has too.", "join"),
    ("[H9.verdict].", "does not exist"),
    ("[H1].", "is no fact"),
    ("[H1.verdict", "is no fact"),
    ("H1 is next.", "speaks of a hit"),
    ("It is 97 percent sure.", "number"),
    ("Seven of them.", "number"),
    ("See ![x](https://example.org/x.png).", "link"),
    ("<img src=x> look.", "link"),
    ("Hit one: the person in your photo.", "number"),
    ("The person in your photo.", "cites no fact"),
    ("Yes.", "cites no fact"),
    ("No.", "cites no fact"),
    ("Alle Treffer sind unecht.", "cites no fact"),
    ("Все они настоящие.", "read"),
    ("They all wear masks.", "cites no fact"),
    ("Please look, the person in the photo.", "cites no fact"),
    ("[H1.verdict]? [H1.P1].", "join"),
)


@pytest.mark.parametrize(("sentence", "why"), WRONG)
def test_what_the_application_did_not_fill_in_is_refused(sentence: str, why: str) -> None:
    """Each refusal says what is wrong, and nothing of it is shown as checked or unchecked."""
    assert why in (finding(sentence, GROUND) or "")
    assert "unchecked" not in {one.source for one in check_sentences(sentence, GROUND)}


def test_what_cannot_be_checked_is_marked() -> None:
    """English about the world is shown as the model's own words, never as checked."""
    (one,) = check_sentences("Paris is the capital of France.", GROUND)
    assert one.source == "unchecked"
    assert one.finding is not None
    assert render_citations([one], FACTS.get).endswith("(unchecked, the model's own words)")


def test_an_explanation_speaks_of_its_hit_only() -> None:
    """Facts of another hit, right as they may be, are refused there, and so is small talk."""
    about = FactContext(FACTS.get, frozenset(["H1"]))
    assert finding("[H1.verdict].", about) is None
    assert "not about H1" in (finding("[H2.verdict].", about) or "")
    assert "not about H1" in (finding("[S2].", about) or "")
    assert {one.source for one in check_sentences("Paris is the capital of France.", about)} == {
        "model"
    }


def test_sentences_are_cut_at_their_ends() -> None:
    """Dots in handles end nothing; list items keep their mark."""
    text = "[H1.P2]. [H1.E2] and [H1.E4]. Really?\n\n**List:**\n1. one [H1.E1, H1.E2]\n* two"
    assert split_sentences(text) == [
        "[H1.P2].", "[H1.E2] and [H1.E4].", "Really?", "List:", "- one [H1.E1] and [H1.E2]",
        "- two",
    ]  # fmt: skip


@given(st.text(max_size=80))
def test_any_text_can_be_checked(text: str) -> None:
    """Whatever a model says, the checker answers, and shows nothing that it did not read."""
    for sentence in check_sentences(text, GROUND):
        assert sentence.text.strip()
        assert_harmless(sentence, FACTS)


# -- no false sentence can be written ------------------------------------------------------------

OPENERS = (
    "", "Please note that ", "Sorry, ", "I cannot help but say that ", "I am sure that ", "Note: ",
    "You can be sure that ", "In short, ", "Which means that ", "Shall I say that ", "Hello, ",
    "If you ask me, ", "To be clear, ", "By the measurements, ", "I searched the gallery: ",
    "It is not true that ", "Nobody doubts that ", "Do you mean that ", "- ", "H1: ",
    "That is outside my job, but ", "As asked, ", "According to the measurements ", "Yes, ",
    "The tools say: ", "Without a photo I can tell that ", "Would you like to hear that ", "(",
)  # fmt: skip
CLAIMS = (
    "{who} {be} genuine", "{who} {be} authentic", "{who} {be} real", "{who} {be} forged",
    "{who} {be} fake", "{who} {be} deepfakes", "{who} {be} manipulated", "{who} {be} altered",
    "{who} {be} AI-generated", "{who} {be} synthetic", "{who} {be} an impersonation",
    "{who} {be} the same person", "{who} {be} another person", "{who} {be} somebody else",
    "{who} {be} look-alikes", "{who} {be} copies of the photo", "{who} {be} the original",
    "{who} {be} clean", "{who} {be} trustworthy", "{who} {be} legit", "{who} {be} bogus",
    "{who} {be} phoney", "{who} {be} inconclusive", "{who} {be} what you think",
    "nothing was found on {who}", "none of {who} impersonates anybody",
    "there is no trace in {who}",
    "{who} show the person in the photo", "{who} stand out at the nose", "{who} pass every test",
    "{who} {be} like those of your photo", "{who} have been through Photoshop",
    "the face in {who} belongs to the person", "{who} were made by a machine",
    "{who} sind echt", "{who} est un faux", "{who} son falsas", "{who} are wolves among sheep",
)  # fmt: skip
WHO = (
    "H1", "H1 [H1.P2]", "H1 [H1.P2] and H4 [H4.P2]", "H1, H2 and H4", "they", "all of them",
    "everybody here", "this one", "it", "the first hit", "none of the hits", "[H1.verdict] and H4",
    "H2 [H1.E2]", "C1 [C1.P1]", "Q1", "the person in your photo", "[hits.impersonation]",
)  # fmt: skip
ENDS = (".", "!", "?", " [H1.P1].", " [H2.verdict].", ", and [H1.verdict].", " [S2].", "")
BE = ("are", "is", "are not", "isn't", "must be", "may be", "are hardly", "would never be")


def _zero_width(text: str) -> str:
    return re.sub(r"(\w)(\w)", "\\1\u200b\\2", text)


TRICKS = (
    lambda it: it, str.upper, str.title, _zero_width,
    lambda it: it.translate(str.maketrans("aeopc", "аеорс")),
    lambda it: it.translate(str.maketrans("aeio", "4310")),
    lambda it: re.sub(r"\b([a-z]{4,})\b", lambda word: " ".join(word[0]), it),
    lambda it: it.replace(" ", ""), lambda it: it.replace(" ", "-"), lambda it: f"**{it}**",
    lambda it: it.translate({code: code + 0xFEE0 for code in range(ord("a"), ord("z") + 1)}),
    lambda it: it.replace("e", "é"), lambda it: it.replace("f", "ph"), lambda it: f"“{it}”",
)  # fmt: skip


def _attacks() -> Iterator[str]:
    """Every opener, claim, subject, negation, end and trick with many of the others."""
    every = itertools.product(OPENERS, CLAIMS, WHO, BE, ENDS, TRICKS)
    for opener, claim, who, be, end, trick in itertools.islice(every, 0, None, 997):
        yield opener + trick(claim.replace("{be}", be)).replace("{who}", who) + end
        yield trick(opener + claim.replace("{be}", be).replace("{who}", who) + end)


_JOINING = {word for text in (*LEADS, *JOINTS) for word in text.split()}
_OURS = {one.lower().rstrip(".?!") for text in PHRASES for one in split_sentences(text)}
_DENYING = re.compile(r"\b(?:not|no|never|nobody|none|nothing|hardly|false|true|if|as|is|are)\b")


def assert_harmless(sentence: CheckedSentence, facts: Mapping[str, Fact]) -> None:
    """What is shown as checked is filled in, or ours, or asks; its other words only join."""
    if sentence.finding is not None or sentence.source != "model":
        return
    free = CITATION_PATTERN.sub(" ", sentence.text).lower()
    if CITATION_PATTERN.search(sentence.text) is None:
        asks = re.match(r"\W*(?:[a-z]+ ){0,2}(?:i|we|you|please|[a-z]+)\b", free)
        assert free.strip().removeprefix("- ").rstrip(".?!") in _OURS or asks
        assert not CLAIMED.search(free) or free.strip().rstrip(".?!") in _OURS
        return
    words = re.findall(r"[^\W\d_]+", re.sub(r"^\s*(?:- )?[qhc]\d+\s*[:,–—-]", "", free))
    assert {*words} <= _JOINING
    assert not _DENYING.search(free) or free.strip().startswith(("here is", "the "))
    shown = render_citations([sentence], facts.get)
    assert "[" not in shown


CLAIMED = re.compile(
    r"genuin|authentic|\breal|forge|fake|manipul|alter|generated|synthetic|impersonat|\bsame\b|"
    r"another|somebody|look-alike|cop(?:y|ies)|original|clean|trustw|legit|bogus|phon|inconclus|"
    r"nothing|none|echt|faux|fals|\b(?:is|are|was|were|been|shows?)\b"
)


def test_no_opener_subject_position_or_spelling_lets_a_claim_through() -> None:
    """Thousands of sentences that decide something: none is shown as checked or unchecked."""
    tried = shown = 0
    for text in _attacks():
        for sentence in check_sentences(text, GROUND):
            tried += 1
            assert_harmless(sentence, FACTS)
            free = CITATION_PATTERN.sub(" ", sentence.text).lower()
            if sentence.finding is None:
                assert not CLAIMED.search(free), sentence.text
                shown += 1
            assert sentence.source != "unchecked" or not CLAIMED.search(free), sentence.text
    assert tried > 10_000
    assert shown < tried / 100


SOME = [
    dict(zip(("H1", "H2", "H3"), some, strict=True))
    for some in itertools.product(VERDICTS, repeat=3)
]
TEXTS = (
    "[H1.verdict], and [H2.verdict].", "[hits.impersonation], and [hits.inconclusive].",
    "[hits.no_forgery_found]. [hits.copy]. [hits.other]. [hits.not_assessed].",
    "In short, [H3.verdict], but [H1.verdict].", "[S2], [S3], [S4], [S5], [S6] and [S7].",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_filled_in_is_the_rules(text: str) -> None:
    """For every way in which three hits can be judged, each is named with its own verdict."""
    for verdicts in SOME:
        facts = facts_of(verdicts)
        shown = render_citations(check_sentences(text, FactContext(facts.get)), facts.get)
        for named, verdict in re.findall(
            r"verdict on (H[^.,]*?) is ([a-z ]+)", shown, re.IGNORECASE
        ):
            handles = _expanded(named)
            assert handles
            for handle in handles:
                assert verdict.startswith(verdicts[handle]), shown
        for number, verdict in re.findall(
            r"(\d+|[Nn]o) faces? ha(?:s|ve) the verdict ([a-z ]+)", shown
        ):
            counted = sum(verdict.startswith(it) for it in verdicts.values())
            assert counted == (0 if number in ("no", "No") else int(number)), shown


def _expanded(named: str) -> list[str]:
    run = re.fullmatch(r"H(\d+) to H(\d+)", named)
    if run:
        return [f"H{number}" for number in range(int(run[1]), int(run[2]) + 1)]
    return re.findall(r"H\d+", named)


def test_handles_of_two_and_three_digits_are_whole() -> None:
    """H1, H12 and H120 are told apart where they are read, filled in and listed."""
    facts = facts_of({"H1": "copy", "H12": "other", "H120": "impersonation"})
    context = FactContext(facts.get)
    shown = render_citations(
        check_sentences("[H120.verdict]. [H12.verdict]. [H1.verdict].", context), facts.get
    )
    assert shown == (
        "The verdict on H120 is impersonation. The verdict on H12 is other. The verdict on H1 is "
        "copy."
    )
    assert finding("[H2.verdict].", context) is not None


def test_what_is_said_twice_is_kept_once() -> None:
    """A small model repeats itself: the same sentence, or the same citation after a joint."""
    facts = {id_: Fact(id_, "x", None, "in words", "x", "m", "l") for id_ in ("C1.P1", "C1.E8")}
    context = FactContext(facts.get)
    said = check_sentences("[C1.P1], and [C1.P1]. [C1.E8]. [C1.E8]. [C1.E8] and [C1.P1].", context)
    assert [it.text for it in said] == ["[C1.P1].", "[C1.E8].", "[C1.E8] and [C1.P1]."]
    (against_itself,) = check_sentences("[C1.P1] and [C1.E8], but [C1.P1].", context)
    assert against_itself.text == "[C1.P1] and [C1.E8]."
