"""Whether a file is there, asked with text that a person wrote.

`Path.is_file` and its siblings raise OSError for a name that is too long or lies where nobody may
look, and ValueError for one with a zero byte; such a name is simply that of no file.
"""

import os
from pathlib import Path


def exists(path: Path | str) -> bool:
    """Whether anything is there."""
    return os.path.exists(path)  # noqa: PTH110 - see the module


def is_file(path: Path | str) -> bool:
    """Whether a file is there."""
    return os.path.isfile(path)  # noqa: PTH113 - see the module


def is_folder(path: Path | str) -> bool:
    """Whether a folder is there."""
    return os.path.isdir(path)  # noqa: PTH112 - see the module
