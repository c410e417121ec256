"""`unmask setup`: nothing without consent, and no failure without a network."""

import shutil
from pathlib import Path

import pytest

from tests.assistant.cli.test_cli import Answer
from tests.tools.checkpoints.test_pretrained import index, part, wheels  # noqa: F401 - fixtures
from tools.checkpoints.pretrained import PretrainedPart


@pytest.fixture(autouse=True)
def only_ours(home: Path, part: PretrainedPart, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The made-up part is the only one there is."""
    monkeypatch.setattr("tools.checkpoints.pretrained.PRETRAINED_PARTS", {part.name: part})


def test_nothing_is_fetched_without_consent(index: Path, home: Path) -> None:  # noqa: F811
    """Licence, source and size are shown, and a no is a no."""
    answer = Answer("setup", typed="n\n")
    assert answer.status == 1
    assert "Apache-2.0" in answer.stdout
    assert "net-package==1.0" in answer.stdout
    assert "17.4 MB" in answer.stdout
    assert not (home / "models").exists()


def test_what_is_here_is_neither_asked_for_nor_fetched(index: Path, home: Path) -> None:  # noqa: F811
    """The second run needs no consent, no index, and says that all is here."""
    assert Answer("setup", typed="y\n").status == 0
    shutil.rmtree(index)
    answer = Answer("setup")
    assert answer.status == 0
    assert "Everything is here." in answer.stdout
    states = [it["state"] for it in Answer("setup", "--json").json["parts"]]  # type: ignore[attr-defined]
    assert states == ["here"]


def test_without_a_network_the_next_command_still_runs(index: Path) -> None:  # noqa: F811
    """`unmask setup --yes && unmask demo` goes on; what is missing and why is said."""
    for wheel in index.glob("*.whl"):
        wheel.unlink()
    answer = Answer("setup", "--yes")
    assert answer.status == 0
    assert "note: pip cannot fetch net-package==1.0: No matching distribution" in answer.stderr
    assert "unmask setup --from FOLDER" in answer.stdout


def test_a_folder_without_the_wheel_is_a_mistake(tmp_path: Path) -> None:
    """What a person named must be right: status 1, and the command that makes it so."""
    (tmp_path / "usb").mkdir()
    answer = Answer("setup", "--yes", "--json", "--from", tmp_path / "usb")
    assert answer.status == 1
    assert answer.stdout == ""
    assert "pip download --no-deps --only-binary=:all: net-package==1.0" in answer.stderr


def test_parts_can_be_carried_by_hand(wheels: Path) -> None:  # noqa: F811
    """A folder of wheels serves in place of the network; stdout is one JSON object."""
    told = Answer("setup", "--yes", "--json", "--from", wheels).json["parts"]
    assert isinstance(told, list)
    assert told[0]["state"] == "here"
    assert told[0]["licence"].startswith("Apache-2.0")
