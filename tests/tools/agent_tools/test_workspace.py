"""The workspace: handles, follow-ups without measuring again, facts with readings."""

import re
from pathlib import Path

import pytest

from assistant import Unmask
from tests.support.cases import GALLERY, altered_portrait, workspace_of
from tools.agent_tools.facts import comparison_facts
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.forge.forgery import save_forgery
from tools.search.query import NoFace, SeveralFaces
from tools.verdict.clauses import clause
from tools.verdict.handles import IN_WORDS
from tools.verdict.rule import LEAD, OTHER_VERSION


@pytest.fixture(scope="module")
def home(case: Unmask) -> Path:
    """Where the query photos lie."""
    return case.settings.home


@pytest.fixture
def workspace(case: Unmask) -> Workspace:
    """An empty workspace."""
    return workspace_of(case)


@pytest.fixture(scope="module")
def searched(case: Unmask, home: Path) -> Workspace:
    """A workspace on which the portrait was searched for; not to be changed."""
    workspace = workspace_of(case)
    workspace.find_person([workspace.add_photo(home / "SECRET_NAME.png")])
    return workspace


def test_the_same_bytes_are_the_same_photo(workspace: Workspace, home: Path) -> None:
    """A photo that is dropped twice, under whatever name, keeps its handle."""
    again = home / "again.png"
    again.write_bytes((home / "SECRET_NAME.png").read_bytes())
    assert workspace.add_photo(home / "SECRET_NAME.png") == "Q1"
    assert workspace.add_photo(home / "SECRET_GROUP.png") == "Q2"
    assert workspace.add_photo(again) == "Q1"
    assert list(workspace.photos) == ["Q1", "Q2"]


def test_hits_are_called_by_their_rank(searched: Workspace) -> None:
    """H1 is the first hit; its picture and its upright face can be had by that name."""
    assert searched.last_search is not None
    findings, query = searched.last_search
    assert [hit.handle for hit in findings.hits] == ["H1", "H2", "H3"]
    assert searched.hit("H2") is findings.hits[1]
    assert searched.pictures.pixels("H1").ndim == 3
    assert (
        searched.pictures.aligned("H1", 64).shape
        == searched.pictures.aligned("Q1", 64).shape
        == (64, 64, 3)
    )
    assert query.paths == tuple(searched.photos.values())


def test_the_workspace_finds_what_the_python_api_finds(
    searched: Workspace, case: Unmask, home: Path
) -> None:
    """Verdicts and order are the same on both ways in."""
    there = case.find([home / "SECRET_NAME.png"], top=10)
    assert searched.last_search is not None
    here = searched.last_search[0]
    assert [(h.face_id, h.verdict) for h in here.hits] == [
        (h.face_id, h.verdict) for h in there.hits
    ]
    assert here.counts == there.counts


def test_a_follow_up_measures_nothing_again(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a photo was measured and judged, asking again for it or its hits runs no network."""
    photo = workspace.add_photo(home / "SECRET_NAME.png")
    workspace.find_person([photo])
    judged = workspace.facts("Q1")
    monkeypatch.setattr(workspace.instruments.faces, "analyse", None)
    monkeypatch.setattr(workspace.instruments.encoder, "encode_images", None)
    assert len(workspace.find_person([photo], top=1).hits) == 1
    assert workspace.facts("Q1") == judged


def test_facts_have_the_same_number_everywhere(searched: Workspace) -> None:
    """E2 of a hit and of a photo are the same measure, and every reading is free of digits."""
    facts = {fact.id: fact for fact in (*searched.facts("H1"), *searched.facts("Q1"))}
    assert facts["H1.E2"].name == facts["Q1.E2"].name == "forgery score of the face"
    assert {"H1.P1", "H1.P2", "H1.P3", "Q1.P2"} <= facts.keys()
    assert {"Q1.P1", "Q1.E1"}.isdisjoint(facts)
    for fact in (*facts.values(), *searched.facts("S"), *searched.facts("G")):
        if fact.unit != IN_WORDS:  # those are written for people, and no model reads them
            assert not re.search(r"\d", fact.reads + fact.name), fact


def test_readings_follow_the_verdict(searched: Workspace) -> None:
    """The words for the three probabilities agree with the rule's verdict of every hit."""
    agrees = {
        "impersonation": ("same person", "forged", "likely"),
        "copy": ("same person", "no sign of forgery", "unlikely"),
        "no forgery found": ("same person", "no sign of forgery", "unlikely"),
    }
    assert searched.last_search is not None
    for hit in searched.last_search[0].hits:
        reads = tuple(searched.fact(f"{hit.handle}.P{number}").reads for number in (1, 2, 3))
        assert reads == agrees.get(hit.verdict, reads)
        if hit.verdict == "other":
            assert (reads[0], reads[2]) == ("another person", "unlikely")


def test_what_speaks_against_a_verdict_is_a_fact_by_itself(searched: Workspace) -> None:
    """It repeats what other facts hold, so it stands in no list of them."""
    for hit in searched.hits:
        assert searched.fact(f"{hit.handle}.against").reads.startswith("what speaks against ")
        assert not any(it.id.endswith(".against") for it in searched.facts(hit.handle))


def test_counts_are_facts_of_the_search_and_the_gallery(searched: Workspace) -> None:
    """S1 is what was compared, S2 to S7 add up to it, G1 is the number of images."""
    values = [fact.value or 0 for fact in searched.facts("S")]
    assert values[0] == sum(values[1:]) == 3
    assert searched.fact("[G1]").shown == "4 images"
    assert searched.fact("G3").reads == "one"


def test_two_faces_are_compared_under_one_name(searched: Workspace) -> None:
    """A comparison keeps its handle when it is asked for again, and a copy is the same person."""
    first = searched.compare("Q1", "H1")
    assert searched.compare("Q1", "H1").handle == first.handle
    assert [fact.id.split(".")[1] for fact in first.facts] == ["P1", "E1", "E7", "E8"]
    copy = next(hit.handle for hit in searched.last_search[0].hits if hit.verdict == "copy")  # type: ignore[index]
    facts = {fact.id.split(".")[1]: fact.reads for fact in searched.compare("Q1", copy).facts}
    assert facts == {
        "P1": "same person", "E1": "same person", "E7": "alike", "E8": "same photograph",
    }  # fmt: skip


def test_comparing_a_swap_with_its_original_says_which_was_altered(
    case: Unmask, home: Path, tmp_path: Path
) -> None:
    """The chat's tool draws the conclusion of a search: one of the two was altered, and which."""
    workspace, altered = workspace_of(case), tmp_path / "altered.jpg"
    save_forgery(altered_portrait(case), altered)
    original, swap = workspace.add_photo(home / "SECRET_NAME.png"), workspace.add_photo(altered)
    facts = {fact.id: fact for fact in workspace.compare(original, swap).facts}
    assert clause(facts["C1.E34"]).endswith("one of them was altered")
    assert clause(facts["C1.E37"]).endswith("the second was altered")


def test_a_likeness_that_an_alteration_left_contradicts_no_proof(case: Unmask) -> None:
    """Beside "one of them was altered", "the same person" is said of the likeness only."""
    rule = case.models.rule
    scores = {"cosine_similarity": 1.0, OTHER_VERSION: 1.0, LEAD: 0.5}
    person, *_ = comparison_facts("C1", scores, usable=True, rule=rule, whom="Q1 and H2")
    assert (person.id, clause(person)) == (
        "C1.P1",
        "a likeness remains, as after a retouch or a close swap: by their faces alone {it} would "
        "count as one person",
    )
    alone, *_ = comparison_facts("C1", {"cosine_similarity": 1.0}, usable=True, rule=rule)
    assert clause(alone) == "{it} most likely show the same person"


def test_a_group_asks_which_face_is_meant_and_remembers(workspace: Workspace, home: Path) -> None:
    """Without a choice the error says what to ask; the choice holds for later calls."""
    photo = workspace.add_photo(home / "SECRET_GROUP.png")
    with pytest.raises(SeveralFaces, match="call find_person with face") as caught:
        workspace.find_person([photo])
    assert len(caught.value.boxes) > 1
    with pytest.raises(SeveralFaces):
        workspace.facts(photo)
    with pytest.raises(SeveralFaces, match="that many"):
        workspace.find_person([photo], face=99)
    workspace.find_person([photo], face=2)
    assert workspace.facts(photo)
    assert workspace.compare(photo, "H1").facts


def test_errors_name_handles_and_never_files(workspace: Workspace, home: Path) -> None:
    """A photo without a face, a broken file and a picture that is gone say so by handle."""
    with pytest.raises(ToolError, match="not an image") as broken:
        workspace.add_photo(home / "SECRET_TEXT.jpg")
    with pytest.raises(NoFace, match="in Q1") as faceless:
        workspace.find_person([workspace.add_photo(home / "SECRET_CUP.png")])
    passing = home / "SECRET_PASSING.png"
    passing.write_bytes((home / "SECRET_GROUP.png").read_bytes())
    workspace.add_photo(passing)
    passing.unlink()
    with pytest.raises(ToolError, match="the file of Q2") as gone:
        workspace.pictures.pixels("Q2")
    for caught in (broken, faceless, gone):
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("handle", "valid"),
    [
        ("H99", "hits are H1 to H3"),
        ("Q7", "photos are Q1"),
        ("C9", "comparisons|compare_faces"),
        ("H1.E99", r"H1\.E10"),
        ("S9", "S7"),
        ("nonsense", "handles look like"),
    ],
)
def test_a_bad_handle_lists_the_valid_ones(searched: Workspace, handle: str, valid: str) -> None:
    """The model can correct itself from the message."""
    with pytest.raises(ToolError, match=valid):
        searched.fact(handle) if "." in handle or handle[0] == "S" else searched.facts(handle)


def test_before_any_search_the_error_says_what_to_call(workspace: Workspace) -> None:
    """There are no hits yet, and the message names the tool that makes some."""
    with pytest.raises(ToolError, match="call find_person"):
        workspace.hit("H1")
    assert workspace.last_search is None
    assert workspace.facts("S") == ()


def test_an_empty_gallery_says_how_to_fill_it(workspace: Workspace, home: Path) -> None:
    """Switching to a gallery that was never made forgets the hits and refuses to search."""
    photo = workspace.add_photo(home / "SECRET_NAME.png")
    workspace.find_person([photo])
    workspace.gallery = "nowhere"
    assert workspace.last_search is None
    with pytest.raises(ToolError, match=r"'nowhere' is empty; .*`unmask index DIR`"):
        workspace.find_person([photo])
    workspace.gallery = GALLERY
    assert workspace.find_person([photo]).hits


def test_workspaces_share_nothing_but_weights(case: Unmask, searched: Workspace) -> None:
    """A new workspace beside a used one is empty."""
    fresh = workspace_of(case)
    assert not fresh.photos
    assert fresh.last_search is None
    assert fresh.instruments is searched.instruments
