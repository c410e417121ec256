"""File existence checks for paths typed by a person: invalid paths do not exist, and raise nothing.

`Path.is_file` and its siblings raise OSError if a name is too long or its folder may not be
searched, and ValueError if it contains a zero byte. Here such a name counts as missing.
"""

import os
from pathlib import Path


def exists(path: Path | str) -> bool:
    """Whether the path exists."""
    return os.path.exists(path)  # noqa: PTH110 - see the module


def is_file(path: Path | str) -> bool:
    """Whether the path is a file."""
    return os.path.isfile(path)  # noqa: PTH113 - see the module


def is_folder(path: Path | str) -> bool:
    """Whether the path is a folder."""
    return os.path.isdir(path)  # noqa: PTH112 - see the module
