"""Which engine a gallery uses: chosen by its owner, kept in its folder, automatic otherwise.

Automatic means the exact search of one file up to `EXACT_UP_TO` faces, and Chroma's graph above.
"""

import contextlib
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tools.errors import SetupError
from tools.gallery.engines import chroma, vector_file
from tools.gallery.engines.locking import IndexLock
from tools.gallery.engines.protocol import IN_USE, EngineError, IndexEngine
from tools.gallery.engines.served import IndexServer, ServedIndex, drop_collections, prefix
from tools.gallery.record_store import Gallery

EXACT_UP_TO = 300_000
"""Faces up to which the exact search is used: about where Chroma's candidates begin to be faster,
by Chroma's times up to 100,000 faces (`python -m evals run scale`, evals/CAPACITY.md)."""

AUTOMATIC, EXACT, CHROMA = "auto", "exact", "chroma"
CHOICE_FILE = "index.json"
INDEX_ENTRIES = (
    chroma.FOLDER, chroma.STATE_FILE, "chroma-state.draft",
    vector_file.VECTORS_FILE, vector_file.STATE_FILE, "vectors-state.draft",
)  # fmt: skip
"""Files and folders of local indexes in a gallery's folder."""

_QDRANT = "qdrant+"
_WAYS = (
    "auto, exact, chroma, http://HOST:8000 (Chroma's server) or qdrant+http://HOST:6333 (Qdrant)"
)


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """A gallery's engine, as `auto`, `exact`, `chroma` or a server's address.

    `key` begins the names of the gallery's collections on a server.
    """

    index: str = AUTOMATIC
    key: str = ""

    @property
    def is_server(self) -> bool:
        """Whether the index is on a server."""
        return "://" in self.index


def parse_index(text: str) -> str:
    """A choice in its normal form. Raises SetupError with the possible ones."""
    if text in (AUTOMATIC, EXACT, CHROMA):
        return text
    parts = urlsplit(text.removeprefix(_QDRANT))
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:  # a port that is none
        usable = False
    if not usable or parts.path.strip("/") or parts.query or parts.username or parts.password:
        raise SetupError(f"{text!r} is no index: use {_WAYS}")
    return text.rstrip("/")


def load_choice(folder: Path) -> IndexChoice:
    """The choice of a gallery's folder. Raises EngineError if it cannot be read."""
    try:
        fields = json.loads((folder / CHOICE_FILE).read_text(encoding="utf-8"))
        choice = IndexChoice(**fields)
        parse_index(choice.index)
    except FileNotFoundError:
        return IndexChoice()
    except (OSError, ValueError, TypeError, SetupError) as error:
        raise EngineError(
            f"its setting cannot be read: run `unmask galleries index {folder.name} {AUTOMATIC}`"
        ) from error
    return choice


def choose_index(gallery: Gallery, text: str) -> list[str]:
    """Use another engine from now on; the index before is deleted. Returns notices for the user.

    Raises SetupError, with nothing changed, if the text is no choice, a server does not answer, or
    another process uses the index.
    """
    index, folder = parse_index(text), gallery.folder
    with contextlib.suppress(EngineError):
        if load_choice(folder).index == index:
            return []
    try:
        lock = IndexLock(folder)
        if not lock.held:
            raise EngineError(IN_USE)
        with contextlib.closing(lock):
            if "://" in index:
                connect(index).close()
            notices = _remove_old(folder)
            _save(folder, IndexChoice(index, secrets.token_hex(6) if "://" in index else ""))
    except EngineError as error:
        raise SetupError(
            f"gallery {gallery.name!r} keeps its index: {error}; mend that, or "
            f"choose another: {_WAYS}"
        ) from error
    return [*notices, *_travelling(index)]


def describe_index(gallery: Gallery) -> str:
    """The gallery's engine in a few words."""
    try:
        index = load_choice(gallery.folder).index
    except EngineError as error:
        return str(error)
    if index != AUTOMATIC:
        return index
    now = CHROMA if _uses_chroma(gallery, index) else EXACT
    faces = gallery.embeddings.extent().faces
    return f"auto ({now} for {faces:,} faces, chroma above {EXACT_UP_TO:,})"


def open_engine(gallery: Gallery) -> IndexEngine:
    """The gallery's engine, not opened yet. Raises EngineError if it cannot be used."""
    choice = load_choice(gallery.folder)
    outdated: tuple[str, ...]
    if choice.is_server:
        return ServedIndex(gallery, connect(choice.index), key=choice.key)
    if _uses_chroma(gallery, choice.index):
        engine: IndexEngine = chroma.LocalChroma(gallery)
        outdated = (vector_file.VECTORS_FILE, vector_file.STATE_FILE)
    else:
        engine = vector_file.VectorFile(gallery)
        outdated = (chroma.FOLDER, chroma.STATE_FILE) if engine.may_write else ()
    with contextlib.suppress(OSError):  # a copy of embeddings that nobody keeps up to date
        for name in outdated:
            remove_entry(gallery.folder / name)
    return engine


def _uses_chroma(gallery: Gallery, index: str) -> bool:
    if index != AUTOMATIC:
        return index == CHROMA
    return gallery.embeddings.extent().faces > EXACT_UP_TO


def connect(index: str) -> IndexServer:
    """A connection to an index server. Raises EngineError."""
    if index.startswith(_QDRANT):
        from tools.gallery.engines.qdrant import Qdrant

        return Qdrant.at(index.removeprefix(_QDRANT), here=_is_here(index))
    from tools.gallery.engines.chroma_server import ChromaServer

    return ChromaServer(index, here=_is_here(index))


def remove_index(folder: Path) -> None:
    """Delete a gallery's index, here and on its server. The caller holds the index's lock.

    Raises SetupError if a server that holds embeddings does not answer.
    """
    remove_from_server(folder)
    for name in INDEX_ENTRIES:
        remove_entry(folder / name)


def remove_from_server(folder: Path) -> None:
    """Delete a gallery's embeddings from its server, if it has one: they are sent anew when needed.

    The caller holds the index's lock. Raises SetupError if the server does not answer.
    """
    try:
        choice = load_choice(folder)
    except EngineError:
        choice = IndexChoice()
    if choice.is_server:
        try:
            _drop(choice)
        except EngineError as error:
            raise SetupError(
                f"gallery {folder.name!r} has embeddings on a server that cannot be deleted "
                f"({error}): start it and run the same command again, or give them up with "
                f"`unmask galleries index {folder.name} {AUTOMATIC}`"
            ) from error


def _remove_old(folder: Path) -> list[str]:
    """Delete the index before; one whose server is gone is given up, with a notice."""
    notices = []
    with contextlib.suppress(EngineError):
        choice = load_choice(folder)
        if choice.is_server:
            try:
                _drop(choice)
            except EngineError as error:
                notices.append(
                    f"face embeddings stay on the server before ({error}): delete its collections "
                    f"that begin with {prefix(choice.key)!r} there"
                )
    for name in INDEX_ENTRIES:
        remove_entry(folder / name)
    return notices


def _drop(choice: IndexChoice) -> None:
    with contextlib.closing(connect(choice.index)) as server:
        drop_collections(server, choice.key)


def _save(folder: Path, choice: IndexChoice) -> None:
    draft = folder / f"{CHOICE_FILE}.draft"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(choice), file)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o600)
    draft.replace(folder / CHOICE_FILE)


def _is_here(index: str) -> bool:
    host = urlsplit(index.removeprefix(_QDRANT)).hostname
    return host in ("localhost", "127.0.0.1", "::1")


def _travelling(index: str) -> list[str]:
    """A notice if embeddings leave this machine."""
    if "://" not in index or _is_here(index):
        return []
    host = urlsplit(index.removeprefix(_QDRANT)).hostname
    open_to_all = ", unencrypted" if not index.removeprefix(_QDRANT).startswith("https") else ""
    return [
        f"face embeddings of this gallery are sent to {host}{open_to_all}, and kept there until it "
        "is forgotten or gets another index"
    ]


def remove_entry(path: Path) -> None:
    """Delete a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
