"""Parsing of explicit requests: how many hits, which hit, which face, which photo is authentic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.agent.directed_turns import plan_photo_comparison
from assistant.agent.explicit_requests import correct_arguments, parse_face_number
from assistant.agent.photo_questions import PhotoQuestion, parse_photo_question
from assistant.agent.requests.counts import parse_top

pytestmark = pytest.mark.fast

TWO = ("Q1", "Q2")


@given(
    st.integers(1, 999),
    st.sampled_from(
        [
            "top {}",
            "Top {}",
            "Show the top {} please",
            "find fakes, top-{}",
            "find the first {} fakes",
            "the best {} hits",
            "Give me {} results",
            "up to {} hits",
            "list {} candidates",
        ]
    ),
)
def test_a_count_in_words_is_that_count(number: int, form: str) -> None:
    """However it is put, fifty is fifty."""
    assert parse_top(form.format(number)) == number


@pytest.mark.parametrize(
    ("text", "doubted"),
    [
        ("Is Q1 the same person as Q2?", set()),
        ("do Q1 and Q2 show the same man", set()),
        ("Do Q1 and the fake Q2 show the same man?", {*TWO}),
        ("Compare Q1 with Q2.", {*TWO}),
    ],
)
def test_whom_earlier_photos_show_puts_none_in_doubt(text: str, doubted: set[str]) -> None:
    """Both have been searched with: only words about forgery change what they are taken for."""
    found = parse_photo_question(text, (), TWO)
    assert found is not None
    assert found.photos == TWO
    assert found.doubted == doubted
    asked = plan_photo_comparison(found)
    assert [call.name for call in asked.calls][:1] == ["compare_faces"]
    assert ("Which of them is authentic" in asked.extra_text) == bool(doubted)


@pytest.mark.parametrize(
    "text",
    [
        "Find fakes of this person.",
        "Why is H50 forged?",
        "the first 2 photos show her",
        "Is it 90 %?",
        "In 2019 she was 30",
        "face 2",
    ],
)
def test_other_numbers_are_no_counts(text: str) -> None:
    """Handles, years, faces and percentages ask for no number of hits."""
    assert parse_top(text) is None


@given(st.integers(1, 120), st.integers(1, 120))
def test_the_hit_of_the_question_is_the_hit_of_the_call(asked: int, called: int) -> None:
    """A model that shortens H17 to H1 does not get its way."""
    known = [f"H{number}" for number in range(1, 121)]
    for name in ("score_fake", "locate_artifacts", "describe_image"):
        given_ = {"image": f"H{called}"}
        assert correct_arguments(name, given_, text=f"What about H{asked}?", known=known) == {
            "image": f"H{asked}"
        }
        assert (
            correct_arguments(name, given_, text="What about the last one?", known=known) == given_
        )
    both = correct_arguments(
        "compare_faces",
        {"first": "Q1", "second": f"H{called}"},
        text=f"Compare hit {asked} with my photo",
        known=known,
    )
    assert both == {"first": "Q1", "second": f"H{asked}"}


def test_arguments_are_recorded_as_they_were_understood() -> None:
    """Brackets and blanks do not reach the record."""
    found = correct_arguments(
        "find_person", {"photos": ["[Q1]", "q2"]}, text="find top 50", known=TWO
    )
    assert found == {"photos": ["Q1", "Q2"], "top": 50}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("face 2", 2),
        ("2", 2),
        ("the second one", 2),
        ("The left person, please", 1),
        ("rightmost", 3),
        ("the 3rd face", 3),
        ("the middle one", 2),
        ("face 4", None),
        ("nobody", None),
    ],
)
def test_a_face_is_named_by_number_or_place(text: str, number: int | None) -> None:
    """From left to right, as the boxes are numbered."""
    assert parse_face_number(text, faces=3) == number


@pytest.mark.parametrize(
    ("text", "authentic", "suspected"),
    [
        ("Is the second a fake of the first?", {"Q1"}, {"Q2"}),
        ("is the first one a deepfake of the second one", {"Q2"}, {"Q1"}),
        ("Was photo 2 manipulated from photo 1?", {"Q1"}, {"Q2"}),
        ("The first is real, is the second fake?", {"Q1"}, {"Q2"}),
        ("Q2 is the original. Is Q1 forged?", {"Q2"}, {"Q1"}),
        ("Compare the authentic first photo with the suspected second photo.", {"Q1"}, {"Q2"}),
        ("Is the second one fake?", set(), {"Q2"}),
        ("Which of these is fake?", set(), set()),
        ("Which one is real?", set(), set()),
        ("Is one of them a deepfake?", set(), set()),
        ("Compare these two photos.", set(), set()),
        ("Do they show the same person?", set(), set()),
        ("Are they different people?", set(), set()),
    ],
)
def test_what_is_said_of_two_photos(text: str, authentic: set[str], suspected: set[str]) -> None:
    """Only what the words say; whoever is asked about is never taken for authentic."""
    found = parse_photo_question(text, TWO, TWO)
    assert found is not None
    assert (found.authentic, found.claimed_fake) == (authentic, suspected)
    assert found.doubted == {*TWO} - authentic
    assert {*found.photos} == {*TWO}


@pytest.mark.parametrize(
    "text",
    [
        "Find fakes of this person.",
        "Search the gallery for her",
        "These are photos of Ada: who forged her in the collection?",
        "What can you do?",
    ],
)
def test_several_photos_of_a_person_are_still_a_query(text: str) -> None:
    """A search with two photos is no question about the photos."""
    assert parse_photo_question(text, TWO, TWO) is None


def test_a_doubted_photo_keeps_out_of_a_search() -> None:
    """Who says which is fake and asks for a search, searches with the other one."""
    found = parse_photo_question("The second is a fake. Find others in the gallery.", TWO, TWO)
    assert found == PhotoQuestion(TWO, frozenset(), frozenset({"Q2"}), searches=True)


@pytest.mark.parametrize(
    ("text", "authentic"),
    [
        ("Q1 is authentic", {"Q1"}),
        ("the second", {"Q2"}),
        ("The first one is the original.", {"Q1"}),
        ("Both are authentic", {"Q1", "Q2"}),
        ("photo 2", {"Q2"}),
    ],
)
def test_an_answer_says_which_is_authentic(text: str, authentic: set[str]) -> None:
    """After the question a word is enough."""
    found = parse_photo_question(text, (), TWO, doubted=frozenset(TWO))
    assert found is not None
    assert found.authentic == authentic


@pytest.mark.parametrize("text", ["Why is H3 forged?", "Find fakes", "I do not know", "Hello"])
def test_other_words_do_not_lift_a_doubt(text: str) -> None:
    """What does not name an authentic photo leaves the doubt where it is."""
    found = parse_photo_question(text, (), TWO, doubted=frozenset(TWO))
    assert found is None or not found.authentic


@pytest.mark.parametrize(
    "text", ["which of these are authentic?", "are both fake?", "so none of them is real?"]
)
def test_hits_that_are_listed_are_meant_before_photos(text: str) -> None:
    """Otherwise a question about the list would put the photos in doubt that it was found with."""
    assert parse_photo_question(text, (), TWO, listed=True) is None
    assert parse_photo_question(text, (), TWO) is not None
    asked = parse_photo_question("which of my photos is fake?", (), TWO, listed=True)
    assert asked is not None
    assert asked.doubted == {*TWO}
