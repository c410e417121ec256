"""File download over HTTPS: resumes, checks the SHA-256, and replaces the target atomically."""

import http.client
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import OpenerDirector

from tools.errors import SetupError
from tools.media.hashing import read_sha256

Progress = Callable[[str, int, int], None]
"""Called with the file name, the bytes received and the total bytes."""

CHUNK = 1 << 20
TIMEOUT_S = 60
RESUME_HINT = "run the same command again to go on"


class HttpsOnly(urllib.request.BaseHandler):
    """Rejects every URL that is not https, including redirects."""

    def default_open(self, request: urllib.request.Request) -> None:
        """Called before the handler of a scheme; None passes the request on to it."""
        if request.type != "https":
            raise SetupError(f"refusing to download {request.full_url!r}: not https")


HTTPS = urllib.request.build_opener(HttpsOnly)
"""Opener used for downloads."""


def download_file(
    url: str,
    target: Path,
    *,
    sha256: str,
    size: int,
    progress: Progress,
    opener: OpenerDirector = HTTPS,
) -> None:
    """Download `url` to `target`.

    Partial content stays in `<target>.part` if the connection breaks; the next call resumes from
    there. Raises SetupError if the transfer fails, the disk is too small, or the content does not
    match `sha256`; then `target` is unchanged.
    """
    request = _request(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(target.parent).free
    if free < size - have:
        raise SetupError(f"{target.parent} has {free} bytes free, {size - have} are needed")
    if have < size:
        try:
            with _opened(request, opener, have=have) as answer:
                _append(answer, part, size=size, progress=progress)
        except (OSError, http.client.HTTPException) as error:
            raise SetupError(f"downloading {url} failed: {error}; {RESUME_HINT}") from error
    _put_in_place(part, target, url=url, sha256=sha256)


def _request(url: str) -> urllib.request.Request:
    try:
        return urllib.request.Request(url, headers={"User-Agent": "unmask"})  # noqa: S310 - see HttpsOnly
    except ValueError as error:
        raise SetupError(f"refusing to download {url!r}: not https") from error


def _opened(request: urllib.request.Request, opener: OpenerDirector, *, have: int) -> Any:
    if have:
        request.add_header("Range", f"bytes={have}-")
    return opener.open(request, timeout=TIMEOUT_S)


def _append(answer: Any, part: Path, *, size: int, progress: Progress) -> None:
    # A server that does not support ranges replies with 200 and the whole file.
    mode = "ab" if answer.status == http.HTTPStatus.PARTIAL_CONTENT else "wb"
    with part.open(mode) as file:
        while file.tell() < size and (chunk := answer.read(CHUNK)):
            file.write(chunk)
            progress(part.stem, file.tell(), size)
    # urllib does not notice a connection that closes early.
    if part.stat().st_size < size:
        raise http.client.HTTPException(f"broke off at {part.stat().st_size} of {size} bytes")


def _put_in_place(part: Path, target: Path, *, url: str, sha256: str) -> None:
    found = read_sha256(part)
    if found != sha256:
        part.unlink()
        raise SetupError(
            f"{url} has sha256 {found}, expected {sha256}; the download was deleted. If this "
            "happens again, the file was replaced at its source: do not use it"
        )
    part.replace(target)
