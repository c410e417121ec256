"""Which tools a checkpoint knows: a small model is offered no others."""

from pathlib import Path

import pytest

from assistant.chat_model.local.loading import ABOUT_FILE, read_known_tools
from assistant.training.rows import TAUGHT_TOOLS
from tools.checkpoints.table import CHAT_WEIGHTS_DIR
from tools.errors import SetupError


def test_the_shipped_model_knows_the_tools_of_its_training() -> None:
    """Six: its prompt is the one that it was trained with, whatever tools there are."""
    assert read_known_tools(CHAT_WEIGHTS_DIR / "vlm") == TAUGHT_TOOLS
    assert len(TAUGHT_TOOLS) == 6


@pytest.mark.parametrize("text", [None, "{}", '{"tools": null}'])
def test_a_checkpoint_that_names_none_takes_any(tmp_path: Path, text: str | None) -> None:
    """Checkpoints of others have no such file."""
    if text is not None:
        (tmp_path / ABOUT_FILE).write_text(text)
    assert read_known_tools(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"tools": "undo"}', '{"tools": [1]}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    """The person can mend it: the message names the file."""
    (tmp_path / ABOUT_FILE).write_text(text)
    with pytest.raises(SetupError, match=r"unmask\.json"):
        read_known_tools(tmp_path)
