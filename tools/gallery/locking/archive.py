"""An encrypted archive of files: tar, encrypted with age, written and read as a stream.

The standard tools open it: `age -d -i KEY locked.age | tar x`. Memory stays small whatever the
size. Raises OSError or SetupError for what the disk refuses, and SetupError for a wrong key or a
damaged archive.
"""

import contextlib
import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO

import pyrage

from tools.errors import SetupError
from tools.media.hashing import read_sha256
from tools.media.private_files import FILE_MODE, open_private, private_folder

_BLOCK = 1 << 20


def write_archive(
    folder: Path, names: Iterable[str], target: Path, identity: pyrage.x25519.Identity
) -> None:
    """Encrypt files of a folder, given by their relative names; on the disk when this returns."""
    listed, (reading, writing) = list(names), os.pipe()
    with open_private(target, "wb") as out, ThreadPoolExecutor(1) as pool:
        packed = pool.submit(_pack, folder, listed, writing)
        with os.fdopen(reading, "rb") as source:  # closed before the thread is waited for
            try:
                pyrage.encrypt_io(source, out, [identity.to_public()])
            except pyrage.EncryptError as error:
                raise SetupError(f"the encrypted copy cannot be written: {error}") from error
        packed.result()
        out.flush()
        os.fsync(out.fileno())


def _pack(folder: Path, names: list[str], writing: int) -> None:
    with (
        os.fdopen(writing, "wb") as sink,
        tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names:
            tar.add(folder / name, arcname=name, recursive=False)


def verify_archive(
    folder: Path, names: Iterable[str], archive: Path, identity: pyrage.x25519.Identity
) -> None:
    """Decrypt an archive and compare every byte with the files; SetupError if one differs."""
    held = dict[str, str]()
    with _members(archive, identity) as members:
        for name, file in members:
            held[name] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    there = {name: read_sha256(folder / name) for name in names}
    if held != there:
        raise SetupError(
            "the encrypted copy differs from the files, so nothing was locked: check the disk, and "
            "close what may have the files open"
        )


def extract_archive(archive: Path, target: Path, identity: pyrage.x25519.Identity) -> None:
    """Decrypt into a new folder, every file owner-only and on the disk when this returns."""
    private_folder(target)
    with _members(archive, identity) as members:
        for name, file in members:
            path = target / name
            private_folder(path.parent)
            with open_private(path, "wb") as out:
                while block := file.read(_BLOCK):
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            path.chmod(FILE_MODE)


@contextlib.contextmanager
def _members(
    archive: Path, identity: pyrage.x25519.Identity
) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """The files in an archive by name, while it is decrypted in a thread."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as pool:
        decrypted = pool.submit(_decrypt, archive, identity, writing)
        with os.fdopen(reading, "rb") as source:
            try:
                with tarfile.open(fileobj=source, mode="r|") as tar:
                    yield _files(tar)
                while source.read(_BLOCK):  # what follows the last file
                    pass
            except tarfile.TarError as error:
                source.close()
                _raise_first(decrypted)
                raise _damaged() from error
        _raise_first(decrypted)


def _files(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in tar:
        parts = PurePosixPath(member.name).parts
        file = tar.extractfile(member) if member.isreg() else None
        if file is None or not parts or ".." in parts or parts[0] == "/":
            raise _damaged()
        yield member.name, file


def _decrypt(archive: Path, identity: pyrage.x25519.Identity, writing: int) -> None:
    with os.fdopen(writing, "wb") as sink, archive.open("rb") as file:
        pyrage.decrypt_io(file, sink, [identity])


def _raise_first(decrypted: "Future[None]") -> None:
    """Raise the reason why decryption failed, if it did."""
    try:
        decrypted.result()
    except BrokenPipeError:
        return  # this side stopped reading
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise SetupError("this is another key: nothing was changed") from error
        raise _damaged() from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged() from error  # age says so of bytes that were changed or cut off


def _damaged() -> SetupError:
    return SetupError(
        "the encrypted archive is damaged or cut off: restore it from a backup; nothing was changed"
    )
