"""Orders and questions about the files behind hits: deletion, originals, further references."""

from dataclasses import replace

import pytest

from assistant.agent.requests.plain_requests import plain_request
from assistant.agent.requests.planning import plan_request
from assistant.agent.requests.plans.deletions import DELETION
from assistant.agent.requests.plans.originals import ORIGINAL
from assistant.agent.requests.plans.references import REFERENCE, SEARCHED_WITH
from assistant.agent.requests.plans.request import Plan, Request
from assistant.agent.requests.state import CaseState, ListedHit
from prompts import phrases
from tools.verdict.template_writer import FIRST_PUBLISHED

pytestmark = pytest.mark.fast

HITS = (
    ListedHit("H1", "impersonation", "as one of two versions", 0.99, ("a.png",), ("b.png",)),
    ListedHit("H2", "inconclusive", "beside the query photos", 0.6, ("c.png",)),
    ListedHit("H3", "copy", "as an altered query photo", 0.1, ("d.png",)),
    ListedHit("H4", "other", "one of two versions", 0.1, ("b.png",)),
)
STATE = CaseState(("Q1", "Q2"), (), ("Q1",), 4, "H2")


def planned(name: str, text: str, *, lost: bool = False, state: CaseState = STATE) -> Plan:
    """The plan of a request."""
    return plan_request(Request(name, text, state, (), HITS, lost=lost))


@pytest.mark.parametrize(
    ("text", "name", "offers"),
    [
        ("delete H1 from the collection", DELETION, ("Hide H1",)),
        ("please remove H1 and H2 from my disk", DELETION, ("Hide H1 and H2",)),
        ("remove these photos from my disk", DELETION, ()),
        ("lösche H3 von der Festplatte", DELETION, ("Hide H3",)),
        ("erase H1 for good", DELETION, ("Hide H1",)),
        ("how do I delete H1 from the gallery?", DELETION, ("Hide H1",)),
        ("erase it", None, ("Hide H2",)),
        ("throw H1 away for good", None, ("Hide H1",)),
        ("get rid of H1 on my hard drive", DELETION, ("Hide H1",)),
        ("can you delete the original file of H1?", DELETION, ("Hide H1",)),
        ("forget H1", DELETION, ("Hide H1",)),
        ("delete all copies", None, ("Hide H3",)),
    ],
)
def test_nothing_is_deleted_and_hiding_does_not_look_so(
    text: str, name: str | None, offers: tuple[str, ...]
) -> None:
    """How a picture leaves a gallery is told; hiding waits for the user."""
    assert plain_request(text) == name
    plan = planned(name or "hide", text)
    assert plan.calls == ()
    assert plan.note.startswith(phrases.NOT_DELETED)
    assert plan.offers == offers


@pytest.mark.parametrize(
    "text", ["delete H1 from the list", "remove H1", "hide H1", "hide H1 for good"]
)
def test_leaving_out_of_the_list_hides(text: str) -> None:
    """As before."""
    plan = planned(plain_request(text) or "hide", text)
    assert [dict(it.arguments) for it in plan.calls] == [{"hit": "H1", "decision": "hidden"}]


@pytest.mark.parametrize(
    "text",
    ["which photo is the original of H1?", "what was H1 made from?", "where is H1's original?"],
)
def test_the_other_version_is_named(text: str) -> None:
    """With its hit, and what is measured about which of the two was altered."""
    name = plain_request(text)
    plan = planned(name or ORIGINAL, text)
    assert plan.opening.startswith('H1 and "b.png" (H4) are one photograph')
    assert (plan.text, plan.note) == ("[H1.E37].", FIRST_PUBLISHED)
    assert planned(ORIGINAL, "where is the original of H4?").opening == plan.opening


def test_a_hit_without_another_version_has_no_original_at_hand() -> None:
    """What was looked for is cited; a copy's original is the query photo."""
    plan = planned(ORIGINAL, "which is the original of H2?")
    assert plan.opening == phrases.NO_ORIGINAL.format(hit="H2")
    assert plan.text == "[H2.E34]. [H2.E8]."
    assert planned(ORIGINAL, "and of H3?").text == "[H3.E8]. [H3.verdict]."


@pytest.mark.parametrize(
    "text",
    [
        "what was he holding in the original of H1",
        "restore the original from H1",
        "original filename of H1",
        "compare H1 with the original",
    ],
)
def test_other_words_about_an_original_are_left_to_the_reading(text: str) -> None:
    """They ask for something else."""
    assert plain_request(text) is None


@pytest.mark.parametrize(
    ("name", "text", "photos"),
    [
        (REFERENCE, "search again with Q2 as well", ["Q1", "Q2"]),
        (REFERENCE, "search with Q2", ["Q2"]),
        (REFERENCE, "please also use my second photo", ["Q1", "Q2"]),
        (REFERENCE, "repeat the search with both my photos", ["Q1", "Q2"]),
        ("again", "again, please", ["Q1"]),
        ("more_photos", "take everything that I gave you", ["Q1", "Q2"]),
    ],
)
def test_the_photos_that_are_named_are_searched_with(
    name: str, text: str, photos: list[str]
) -> None:
    """Beside those of the latest search if the words say so."""
    assert plain_request(text) == (REFERENCE if name == REFERENCE else None)
    (search,) = planned(name, text).calls
    assert (search.name, search.arguments) == ("find_person", {"photos": photos})


@pytest.mark.parametrize(
    ("name", "text", "lost", "said"),
    [
        (
            "again",
            "use H3 as another reference",
            False,
            'H3 ("d.png") is a hit, and a hit may be forged.',
        ),
        ("again", "search again with bob_17 as well", False, "No listed hit and no photo of yours"),
        ("again", "search again with bob_17.png", True, phrases.NOT_SEARCHED),
        ("more_photos", "here is a further one", False, phrases.NOT_SEARCHED),
        ("again", "repeat the search with both my photos", False, phrases.NOT_SEARCHED),
        ("again", "search with my second photo", False, phrases.NOT_SEARCHED),
        ("about_indexing", "can I add another photo of him?", False, phrases.NOT_SEARCHED),
    ],
)
def test_what_cannot_be_searched_with_is_told(name: str, text: str, lost: bool, said: str) -> None:
    """No search that silently leaves it out; and how a photo is added."""
    state = replace(STATE, photos=("Q1",))
    plan = planned(plain_request(text) or name, text, lost=lost, state=state)
    assert plan.calls == ()
    assert said in plan.note
    assert "The latest search was with Q1." in plan.note
    assert plan.note.endswith(phrases.ATTACH_PHOTO)


def test_hits_with_a_proven_other_version_are_named() -> None:
    """Of all listed hits, those that are one of two versions of a photograph."""
    text = "Which hits have their original in the collection?"
    plan = planned(plain_request(text) or "", text)
    assert plan.calls == ()
    assert plan.opening == 'H1 and "b.png" are one photograph with two different faces.'
    assert plan.text == "[H1.E37]."
    request = Request(ORIGINAL, text, STATE, (), HITS[1:])
    assert plan_request(request).note == phrases.NO_VERSIONS


@pytest.mark.parametrize(
    "text", ["show H1 next to its original", "where does the original of H1 come from?"]
)
def test_the_original_of_a_hit_is_not_the_query_photo(text: str) -> None:
    """What is proven to be the same photograph answers, and no comparison with the reference."""
    assert plain_request(text) == ORIGINAL
    plan = planned(ORIGINAL, text)
    assert plan.calls == ()
    assert plan.opening.startswith('H1 and "b.png" (H4) are one photograph')


@pytest.mark.parametrize(
    "text",
    [
        "how many reference photos do you use now?",
        "which hits did you find with the second photo?",
        "did you use both photos?",
    ],
)
def test_what_was_searched_with_is_told_without_a_search(text: str) -> None:
    """A question about the photos must not change the list."""
    assert plain_request(text) == SEARCHED_WITH
    state = replace(STATE, searched=("Q1", "Q2"))
    plan = planned(SEARCHED_WITH, text, state=state)
    assert plan.calls == ()
    assert plan.opening.startswith("The latest search was with Q1 and Q2. All hits were found")
    alone = planned(SEARCHED_WITH, text, state=replace(STATE, searched=("Q1",)))
    assert alone.opening == "The latest search was with Q1."


@pytest.mark.parametrize(
    "text",
    [
        "how many images have you compared?",
        "what photos did you find?",
        "how many fakes did you find with my photo?",
    ],
)
def test_what_was_found_is_no_question_for_the_photos(text: str) -> None:
    """It is about the hits."""
    assert plain_request(text) != SEARCHED_WITH
