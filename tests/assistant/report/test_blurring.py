"""Other people in a picture are blurred where it is shown; the face in question never is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from assistant import Unmask
from assistant.report.pictures.blurring import blur_people, people_beside, without_bystanders
from assistant.report.pictures.versions import _in_theirs
from tests.support.cases import workspace_of
from tools.agent_tools.state.pictures import FaceSnapshot
from tools.agent_tools.workspace import Workspace
from tools.faces.analyser import Face
from tools.media.hashing import file_sha256
from tools.search.bystanders import other_people
from tools.search.results import HitVersion


@pytest.fixture(scope="module")
def workspace(case: Unmask) -> Workspace:
    """A search for the portrait's person, which also finds a group of strangers."""
    made = workspace_of(case)
    made.find_person([made.add_photo(case.settings.home / "SECRET_NAME.png")])
    return made


@pytest.fixture(scope="module")
def look(workspace: Workspace) -> FaceSnapshot:
    """The hit in the group."""
    assert workspace.last_search is not None
    (hit,) = [it for it in workspace.last_search[0].hits if it.path.name == "group.png"]
    return workspace.take_snapshot(hit.handle)


@pytest.fixture(scope="module")
def faces(case: Unmask, look: FaceSnapshot) -> list[Face]:
    """Everybody in the group."""
    return list(case.models.faces.analyse([look.pixels])[0])


def part(pixels: np.ndarray, box: np.ndarray) -> np.ndarray:
    """What a box holds."""
    left, top, right, bottom = np.round(box).astype(int)
    return pixels[top:bottom, left:right]


def test_strangers_are_blurred_beyond_recognition(
    workspace: Workspace, look: FaceSnapshot, faces: list[Face], case: Unmask
) -> None:
    """No face of theirs is found again as theirs; the hit's is the same pixel by pixel."""
    path = workspace.pictures.path(look.handle)
    before, pixels = file_sha256(path), look.pixels.copy()
    shown = without_bystanders(workspace, look)
    assert len(people_beside(workspace, look)) == len(faces) - 1 == 5
    mine = look.face.face.box
    assert np.array_equal(part(shown, mine), part(look.pixels, mine))
    assert np.array_equal(look.pixels, pixels) and file_sha256(path) == before
    seen = case.models.faces.analyse([shown])[0]
    others = [it for it in faces if np.abs(it.box - mine).max() > 3]
    left = [max(float(it.embedding @ each.embedding) for it in seen) for each in others]
    assert max(left) < 0.35, left
    for face in others:
        assert np.abs(part(shown, face.box).astype(int) - part(pixels, face.box)).mean() > 8


def test_the_query_person_is_not_blurred_beside_the_hit(
    case: Unmask, faces: list[Face], look: FaceSnapshot
) -> None:
    """A second face that is hers stays visible; without a rule nobody can say so."""
    rule = case.models.rule
    mine = look.face.face.box
    other = next(it for it in faces if np.abs(it.box - mine).max() > 3)
    kept = other_people(faces, list(mine), other.embedding, rule=rule)
    assert len(kept) == len(faces) - 2
    assert not any(np.allclose(box, other.box) for box in kept)
    assert len(other_people(faces, list(mine), other.embedding, rule=None)) == len(faces) - 1


@dataclass
class _Everybody:
    """Models of a user who set UNMASK_SHOW_BYSTANDERS."""

    models: object
    show_bystanders: bool = True

    def __getattr__(self, name: str) -> object:
        return getattr(self.models, name)


def test_everybody_is_shown_if_the_user_says_so(
    workspace: Workspace, look: FaceSnapshot, case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting switches it off; nothing is copied then."""
    monkeypatch.setattr(workspace, "instruments", _Everybody(case.models))
    assert without_bystanders(workspace, look) is look.pixels


def test_a_blur_never_reaches_the_face_in_question() -> None:
    """An overlapping stranger is covered up to it; boxes beyond the edge do no harm."""
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    shown = blur_people(pixels, [(30, 20, 70, 80), (110, -9, 150, 20), (200, 5, 240, 30)],
                        keep=[(60, 20, 100, 80)])  # fmt: skip
    assert np.array_equal(shown[20:80, 60:100], pixels[20:80, 60:100])
    assert np.abs(shown[30:70, 35:55].astype(int) - pixels[30:70, 35:55]).mean() > 30
    assert np.array_equal(shown[30:, 105:], pixels[30:, 105:])


def test_strangers_are_found_in_the_other_version_too() -> None:
    """Their boxes are carried over by the alignment of the two pictures."""
    matrix = ((2.0, 0.0, 10.0), (0.0, 2.0, -4.0))  # from the other version to the hit
    nowhere = (0.0, 0.0, 1.0, 1.0)
    version = HitVersion("a" * 64, (Path("x.jpg"),), False, nowhere, nowhere, matrix)
    assert _in_theirs((30.0, 16.0, 50.0, 36.0), version) == (10.0, 10.0, 20.0, 20.0)
