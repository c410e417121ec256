"""The browser extension as a folder that a browser can load.

Its files are plain: no build step, nothing fetched from elsewhere. They are written for Chromium
and Firefox (Manifest V3). `assistant/server/access/hosts.py` lets its requests pass.
"""

import json
import shutil
from pathlib import Path

from assistant.server.browser.icons import icon_png
from tools.errors import SetupError

_FILES = Path(__file__).parent / "extension_files"
_MANIFEST = "manifest.json"


def write_extension(folder: Path) -> None:
    """Write the extension into a new or empty folder, or over an earlier one of it.

    Raises SetupError for a folder that holds something else, or cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
        raise SetupError(
            f"{str(folder)!r} holds other files: name a new folder, or an empty one, that stays "
            "where it is"
        )
    manifest = json.loads((_FILES / _MANIFEST).read_text("utf-8"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for size, name in manifest["icons"].items():
            (folder / name).write_bytes(icon_png(int(size)))
        for file in sorted(_FILES.iterdir()):
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise SetupError(
            f"the extension cannot be written to {str(folder)!r} ({error.strerror or error}): name "
            "another folder"
        ) from error


def _is_ours(folder: Path) -> bool:
    try:
        found = json.loads((folder / _MANIFEST).read_text("utf-8"))
        ours = json.loads((_FILES / _MANIFEST).read_text("utf-8"))
        return bool(found["key"] == ours["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
