"""Checks without a gallery say the same as a search, say what they could not do, store nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from assistant import Unmask
from assistant.report.checks_page import report_html
from tests.support.cases import (
    altered_portrait,
    astronaut_pixels,
    group_pixels,
    impersonation,
    other_pixels,
    workspace_of,
)
from tests.support.clips import grey, write_clip
from tools.errors import SetupError, ToolError
from tools.forge.forgery import save_forgery
from tools.media.skip_reasons import UnreadableImage
from tools.search.checking.comparison import compare_photos
from tools.search.checking.results import CheckedFace, CheckReport
from tools.search.model_bundle import ModelBundle
from tools.search.query import NoFace, OtherPerson, SeveralFaces


@pytest.fixture(scope="module")
def photos(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos outside any gallery: two portraits, a swap, a group, a cup, a text."""
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(astronaut_pixels()).save(folder / "ada.png")
    Image.fromarray(astronaut_pixels()[:, ::-1]).save(folder / "mirrored.jpg", quality=85)
    Image.fromarray(other_pixels()).save(folder / "tom.png")
    Image.fromarray(group_pixels()).save(folder / "group.png")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "plain.png")
    (folder / "notes.jpg").write_text("no picture")
    save_forgery(impersonation(case, seed=0), folder / "swapped.jpg")
    return folder


def everything_below(folder: Path) -> dict[Path, int]:
    """Every file below a folder with its time of change."""
    return {it: it.stat().st_mtime_ns for it in folder.rglob("*") if it.is_file()}


def the_face(report: CheckReport) -> CheckedFace:
    """The only face of a report."""
    (face,) = report.faces
    return face


def test_a_check_says_the_same_as_a_search(case: Unmask) -> None:
    """The same photos and references: the same verdicts, probabilities, evidence and words."""
    query = case.settings.home / "SECRET_NAME.png"
    found = case.find(query).hits
    checked = case.check(case.settings.home / "collection", of=query).faces
    assert [face.image_id for face in checked] == [hit.image_id for hit in found]
    assert {hit.verdict for hit in found} != {"not assessed"}
    for hit, face in zip(found, checked, strict=True):
        assert face.verdict == hit.verdict
        assert face.assessment.reason == hit.assessment.reason
        assert face.assessment.notes == hit.assessment.notes
        assert face.explanation == hit.explanation
        for name in ("identity_probability", "fake_probability", "impersonation_probability"):
            ours, theirs = getattr(face.assessment, name), getattr(hit.assessment, name)
            assert ours == pytest.approx(theirs, abs=1e-4), name
        assert [item.score for item in face.evidence] == [item.score for item in hit.evidence]
        assert [item.reads for item in face.evidence] == [item.reads for item in hit.evidence]


def test_a_video_is_checked_as_a_search_would(case: Unmask, photos: Path, tmp_path: Path) -> None:
    """The means over its frames, not one frame, and the moments are named."""
    portrait = np.ascontiguousarray(astronaut_pixels()[:256, 96:352])
    clip = write_clip(tmp_path / "clip.mp4", [portrait] * 20)
    other = Unmask(case.settings.model_copy(update={"home": tmp_path / "home"}), models=case.models)
    other.index(clip)
    (hit,) = other.find(photos / "ada.png").hits
    face = the_face(case.check(clip, of=photos / "ada.png"))
    assert (face.verdict, face.seen) == (hit.verdict, hit.seen)
    assert face.assessment.fake_probability == pytest.approx(
        hit.assessment.fake_probability, abs=1e-4
    )
    (problem,) = case.check(clip).problems
    assert "several frames" in problem.text


def test_a_forgery_is_found_without_a_reference(case: Unmask, photos: Path) -> None:
    """A swapped face reads as forged, with places; nothing is said about whose face it is."""
    face = the_face(case.check(photos / "swapped.jpg"))
    assert (face.verdict, face.forged, face.person) == ("forged", True, "not measured")
    assert face.where.startswith(("strong", "weak"))
    assert face.assessment.identity_probability is None
    assert not [item for item in face.evidence if item.score.startswith(("query/", "cosine"))]
    assert "query" not in face.explanation
    told = json.loads(json.dumps(face.to_json(), allow_nan=False))
    assert (told["verdict"], told["person"], told["face"]) == ("forged", "not measured", 1)


def test_the_chat_says_the_same_as_a_check(case: Unmask, photos: Path) -> None:
    """The assistant's tool for a photo gives the probability and the reading of a check."""
    workspace = workspace_of(case)
    handle = workspace.add_photo(photos / "swapped.jpg")
    face, fact = the_face(case.check(photos / "swapped.jpg")), workspace.fact(f"{handle}.P2")
    assert fact.value == pytest.approx(face.assessment.fake_probability, abs=1e-4)
    assert fact.reads == face.forgery


def test_with_a_reference_it_is_an_impersonation(case: Unmask, photos: Path) -> None:
    """The person whose face was put there is impersonated, another reference's is not."""
    assert the_face(case.check(photos / "swapped.jpg", of=photos / "ada.png")).verdict == (
        "impersonation"
    )
    other = the_face(case.check(photos / "ada.png", of=photos / "tom.png"))
    assert other.verdict in ("other", "inconclusive")
    assert other.person != "same person"


def test_nothing_is_left_behind(case: Unmask, photos: Path) -> None:
    """No gallery, no file in the data folder, none beside the photos."""
    home = case.settings.home
    before = everything_below(home), everything_below(photos)
    case.check(photos, of=photos / "ada.png")
    case.compare(photos / "ada.png", photos / "tom.png")
    assert (everything_below(home), everything_below(photos)) == before


def test_what_cannot_be_checked_is_said_and_the_rest_is_done(
    case: Unmask, photos: Path, tmp_path: Path
) -> None:
    """No picture, no face, no file, an empty folder: a problem each; the rest has its verdict."""
    names = ("notes.jpg", "plain.png", "gone.jpg", "swapped.jpg")
    report = case.check([photos / name for name in names])
    assert the_face(report).verdict == "forged"
    assert [problem.path.name for problem in report.problems] == list(names[:3])
    assert "unmask find" in report.next_step, "a collection may prove what a check cannot"
    rows = [problem.to_json() for problem in report.problems]
    assert not [row for row in rows if str(photos) in str(row["reason"])]
    assert [type(problem.error) for problem in report.problems] == [
        UnreadableImage, NoFace, UnreadableImage,
    ]  # fmt: skip
    assert all(problem.named for problem in report.problems)
    (tmp_path / "empty").mkdir()
    nothing = case.check(tmp_path / "empty")
    assert nothing.next_step.startswith("No face was checked: ")
    (empty,) = nothing.problems
    assert empty.named and "is empty" in empty.text
    folder = case.check(photos).problems
    assert {it.path.name for it in folder} == {"notes.jpg", "plain.png"}
    assert not any(it.named for it in folder)


def test_references_of_two_persons_leave_the_forgery_to_be_checked(
    case: Unmask, photos: Path
) -> None:
    """Nobody is compared with the mean of two persons; whether it was forged is still answered."""
    two = [photos / "ada.png", photos / "group.png"]
    report = case.check(photos / "swapped.jpg", of=two, face={"group.png": 2})
    (problem,) = report.problems
    assert isinstance(problem.error, OtherPerson)
    assert report.references == ()
    assert the_face(report).verdict == "forged"


def test_a_reference_that_cannot_serve_leaves_the_others(case: Unmask, photos: Path) -> None:
    """A text, a cup and a group among the references: one problem each, the portrait serves."""
    of = [photos / name for name in ("notes.jpg", "group.png", "ada.png")]
    report = case.check(photos / "swapped.jpg", of=of)
    assert [type(it.error) for it in report.problems] == [UnreadableImage, SeveralFaces]
    assert report.references == (photos / "ada.png",)
    assert the_face(report).verdict == "impersonation"


def test_several_faces_are_numbered_and_one_can_be_chosen(case: Unmask, photos: Path) -> None:
    """Every face of a group is judged by itself, from left to right, or the one that is named."""
    group = photos / "group.png"
    report = case.check(group)
    by_number = sorted(report.faces, key=lambda face: face.number or 0)
    assert [face.number for face in by_number] == list(range(1, 7))
    assert [face.box[0] for face in by_number] == sorted(face.box[0] for face in by_number)
    assert any("6 faces were judged" in note for note in report.warnings)
    chosen = the_face(case.check(group, face=2))
    assert (chosen.number, chosen.faces) == (2, 6)
    assert chosen.verdict == by_number[1].verdict
    assert the_face(case.check([group, photos / "gone.jpg"], face={"group.png": 3})).number == 3
    (problem,) = case.check(group, face=7).problems
    assert "faces 1 to 6" in problem.text
    with pytest.raises(SetupError, match="of which photo"):
        case.check([group, photos / "ada.png"], face=2)
    with pytest.raises(SetupError, match=r"no photo is called 'nobody\.png'"):
        case.check(group, face={"nobody.png": 2})


def test_other_people_are_blurred_once_one_face_is_asked_about(case: Unmask, photos: Path) -> None:
    """With a chosen face or a reference; else every face is in question, and none is blurred."""
    group, hers = photos / "group.png", photos / "ada.png"
    everybody, chosen = case.check(group), the_face(case.check(group, face=2))
    assert [it.others for it in everybody.faces] == [()] * len(everybody.faces)
    assert len(chosen.others) == len(everybody.faces) - 1 and chosen.box not in chosen.others
    report = case.check([group, hers], of=hers)
    found = {it.path.name: it.others for it in report.faces}
    assert len(found["group.png"]) == len(everybody.faces) - 1 and found["ada.png"] == ()
    assert report_html(report).count("other faces are blurred") == 1
    assert "blurred" not in report_html(report, everybody=True) + report_html(everybody)


def test_the_same_file_twice_is_checked_once(case: Unmask, photos: Path, tmp_path: Path) -> None:
    """Identical bytes have one verdict, with both paths."""
    twin = tmp_path / "twin.jpg"
    twin.write_bytes((photos / "swapped.jpg").read_bytes())
    assert the_face(case.check([photos / "swapped.jpg", twin])).paths == (
        photos / "swapped.jpg",
        twin,
    )


def test_comparing_says_person_photograph_and_places(
    case: Unmask, photos: Path, tmp_path: Path
) -> None:
    """A mirrored copy, the same photo with another man's face, and two strangers."""
    ada, altered = photos / "ada.png", tmp_path / "altered.jpg"
    save_forgery(altered_portrait(case), altered)
    copy = case.compare(ada, photos / "mirrored.jpg")
    assert (copy.person, copy.same_photograph, copy.alignment.mirrored) == (
        "same person", True, True,
    )  # fmt: skip
    swap = case.compare(ada, altered)
    assert swap.same_photograph and swap.person != "same person"
    assert swap.altered == "second"
    one_altered, which, *_ = swap.sentences
    assert one_altered.startswith("One of the two was altered: they are the same photograph")
    assert "the second one was most likely altered" in which
    alike = replace(swap, person="same person", same_person_probability=0.99).sentences
    assert any(it.startswith("A likeness remains") and "99 %" in it for it in alike)
    assert not any("show the same person" in it for it in alike)
    assert any("published first" in it for it in swap.sentences)
    assert case.compare(altered, ada).altered == "first"
    for found in (copy, swap):  # what is usual between two photographs excuses nothing here
        assert not any("No part of the face" in it for it in found.sentences)
    assert copy.altered is None and "changed no more" in copy.sentences[-1]
    strangers = case.compare(ada, photos / "tom.png")
    assert strangers.person != "same person"
    assert not strangers.same_photograph
    for found in (copy, swap, strangers):
        json.dumps(found.to_json(), allow_nan=False)


def test_a_video_is_not_compared_and_not_called_unknown(tmp_path: Path) -> None:
    """It was told to become an MP4, which it was."""
    clip = write_clip(tmp_path / "clip.mp4", [grey(it) for it in (20, 90)], rate=1)
    with pytest.raises(ToolError, match=r"'clip\.mp4' has several frames: compare single pictures"):
        compare_photos(clip, clip, instruments=cast(ModelBundle, None))


def test_comparing_without_a_face_still_aligns_the_photographs(
    case: Unmask, photos: Path, tmp_path: Path
) -> None:
    """Two copies of a group: same photograph; whose faces are meant must be said."""
    again = tmp_path / "again.jpg"
    Image.fromarray(group_pixels()).save(again, quality=80)
    found = case.compare(photos / "group.png", again)
    assert found.same_photograph
    assert (found.person, len(found.problems)) == ("not measured", 2)
    chosen = case.compare(photos / "group.png", again, face={"group.png": 2, "again.jpg": 2})
    assert (chosen.person, chosen.problems) == ("same person", ())
    with pytest.raises(ToolError, match=r"notes\.jpg"):
        case.compare(photos / "notes.jpg", again)
    with pytest.raises(SetupError, match=r"no photo is called 'nobody\.png'"):
        case.compare(photos / "group.png", again, face={"nobody.png": 2})
