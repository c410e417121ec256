"""The README walks through the code name only files and folders that exist."""

import re

import pytest

from tests.support.paths import ROOT

WALKS = [it for it in ("tools/README.md", "assistant/README.md") if (ROOT / it).is_file()]
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|md|json|toml)|(?:[\w-]+/)+)`")


def test_the_tools_have_a_walk() -> None:
    """Fifteen steps from `unmask index` to a verdict, and a line for each room, in 60 lines."""
    text = (ROOT / "tools" / "README.md").read_text("utf-8")
    assert len(re.findall(r"^\d+\. ", text, re.MULTILINE)) == 15
    assert len(text.splitlines()) <= 60
    rooms = {f"tools/{it.parent.name}/" for it in (ROOT / "tools").glob("*/__init__.py")}
    assert rooms <= set(PATH.findall(text))


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_names_only_what_exists(walk: str) -> None:
    """Files and folders stand as paths from the root of the project, or from the walk's folder."""
    path = ROOT / walk
    named = PATH.findall(path.read_text("utf-8"))
    missing = [it for it in named if not any((at / it).exists() for at in (ROOT, path.parent))]
    assert named and not missing, f"{walk} names {missing}"
