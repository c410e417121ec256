"""Uploaded files: kept in a private folder while they are read, under harmless names.

Archives are never unpacked: a ZIP file is "not an image". Pictures and videos are decoded by
`tools.media`, which recognises them by their bytes and limits their size.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import UploadFile

from assistant.server.problems import Problem
from tools.errors import SetupError, ToolError
from tools.media.private_files import open_private, private_folder

MAX_FILES = 20
"""Files in one request."""

_HARMLESS = re.compile(r"[^\w.() -]+")
_CHUNK = 1024 * 1024


@contextlib.asynccontextmanager
async def kept(files: Sequence[UploadFile], folder: Path) -> AsyncIterator["Uploads"]:
    """Write the files below `folder` for the time of a request.

    Errors inside that name the files by their path name them as they were sent.
    """
    if len(files) > MAX_FILES:
        raise Problem(422, f"at most {MAX_FILES} files can be sent in one request")
    private_folder(folder)
    here = Path(tempfile.mkdtemp(prefix="api-", dir=folder))
    try:
        paths = [await _written(file, here) for file in files]
        yield Uploads(here, tuple(paths))
    except (ToolError, SetupError) as error:
        shown = error.args[0] if error.args else ""
        error.args = (without_folder(shown, here), *error.args[1:])
        raise
    finally:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(here, ignore_errors=True))


class Uploads:
    """Uploaded files in the order they were sent."""

    def __init__(self, folder: Path, paths: tuple[Path, ...]) -> None:
        self.folder, self.paths = folder, paths

    def named(self, result: Any) -> Any:
        """A JSON-able result in which the files are named as they were sent."""
        return without_folder(result, self.folder)


def without_folder(result: Any, folder: Path) -> Any:
    """The same JSON-able value without this folder in its texts."""
    if isinstance(result, str):
        return result.replace(f"{folder}/", "")
    if isinstance(result, dict):
        return {key: without_folder(value, folder) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [without_folder(value, folder) for value in result]
    return result


async def _written(file: UploadFile, folder: Path) -> Path:
    path = _free(folder, file.filename or "")

    def write() -> None:
        with open_private(path, "wb") as copy:
            shutil.copyfileobj(file.file, copy, _CHUNK)

    await anyio.to_thread.run_sync(write)
    return path


def _free(folder: Path, name: str) -> Path:
    """An unused path in the folder: the last part of the name, without anything special."""
    last = _HARMLESS.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1])[-100:].lstrip(". -")
    path, number = folder / (last or "file"), 1
    while path.exists():
        number += 1
        path = folder / f"{number}-{last or 'file'}"
    return path
