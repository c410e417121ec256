"""What requests hold in text: any text is either understood or a problem document."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.server.api.checks import face_numbers
from assistant.server.api.uploads import Uploads, _free
from assistant.server.problems import Problem

pytestmark = pytest.mark.fast

FILES = Uploads(Path("/nowhere"), (Path("/nowhere/group.jpg"), Path("/nowhere/ada.png")))
NUMBERS = st.dictionaries(
    st.sampled_from(["group.jpg", "ada.png", "x"]) | st.text(), st.integers() | st.booleans()
)


@given(st.text() | NUMBERS.map(json.dumps) | st.sampled_from(["[" * 100_000, "9" * 9_000, "NaN"]))
@settings(deadline=None)  # machines may be busy
def test_faces_are_numbers_of_files_or_a_problem(given: str) -> None:
    """Nothing else comes out, and nothing else is raised."""
    try:
        chosen = face_numbers(given, FILES)
    except Problem as problem:
        assert problem.status == 422
        return
    assert set(chosen) <= set(FILES.paths)
    assert all(type(it) is int and 1 <= it <= 1000 for it in chosen.values())


@given(st.text() | st.text("./\\~%\0:", max_size=12))
@settings(deadline=None)  # machines may be busy
def test_an_uploaded_name_stays_in_its_folder(name: str) -> None:
    """Whatever a file is called, it is written below the folder under a name of moderate length."""
    path = _free(Path("/nowhere"), name)
    assert path.parent == Path("/nowhere") and path.name not in ("", ".", "..")
    assert len(path.name) <= 110 and path.name.isprintable()
