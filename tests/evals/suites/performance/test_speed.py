"""What the speed of indexing is measured by."""

from pathlib import Path

import pytest
from PIL import Image

from evals.suites.performance.speed import _folder_of, _Indexer
from tests.support.cases import astronaut_pixels
from tools.errors import SetupError


def test_only_photographs_that_were_analysed_are_timed(tmp_path: Path) -> None:
    """A folder of links is analysed; a file that is passed over is a fault, not a fast one."""
    photo, text = tmp_path / "ada.png", tmp_path / "notes.png"
    Image.fromarray(astronaut_pixels()).save(photo)
    text.write_text("no picture")
    with _Indexer(tmp_path / "work") as indexer:
        cost, _, _ = indexer.index(_folder_of(tmp_path / "one", [photo]), 1)
        assert cost.cpu_ms > 1
        with pytest.raises(SetupError, match="only 0 of 1 photographs"):
            indexer.index(_folder_of(tmp_path / "two", [text]), 1)
