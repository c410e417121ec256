"""Hits and photos that a request names by a file: "frame18", "clip_018.png".

File names are data of strangers: they are only compared with what the user wrote, and only names of
listed hits, of the proven other versions of their photographs, and of the user's photos are known.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from assistant.agent.requests.state import ListedHit
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted

_MEDIA = r"(?:png|jpe?g|jfif|webp|gif|bmp|tiff?|heic|heif|avif|mp4|mov|mkv|webm|avi|m4v|mpe?g|pdf)"
_ENDING = re.compile(rf"\.{_MEDIA}$", re.IGNORECASE)
_WORD = re.compile(r"(?<![\w.])[^\W_][\w.\-]*[^\W_](?![\w])")
_HANDLE = re.compile(r"[a-z]?\d{1,4}|[qhc]\d+\.\w+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """A text with handles in place of file names; `notes` say what a name stands for, or that it
    stands for nothing; then `lost` is true if no other name stood for a hit."""

    text: str
    notes: tuple[str, ...] = ()
    lost: bool = False


def find_files(
    text: str, listed: Sequence[ListedHit], photos: Mapping[str, str] | None = None
) -> NamedFiles:
    """Put handles in place of the names of files; `photos` are the names of query photos by
    handle."""
    own = _by_name((hit.handle, hit.names) for hit in listed)
    own |= _by_name((handle, (name,)) for handle, name in (photos or {}).items())
    others = _by_name((hit.handle, hit.versions) for hit in listed)
    notes, lost, found = list[str](), False, False
    for name in _written(text, {**own, **others}):
        key = _key(name)
        handles = own.get(key) or others.get(key) or ()
        if len(handles) == 1:
            text, found = text.replace(name, handles[0]), True
            if key not in own:
                notes.append(
                    f"{quote_untrusted(name)} is the other version of the photograph of "
                    f"{handles[0]}."
                )
        else:
            lost = True
            notes.append(
                f"{quote_untrusted(name)} could be {join_with_and(handles)}: name the hit by its "
                "number."
                if handles
                else f"No listed hit and no photo of yours is called {quote_untrusted(name)}."
            )
    return NamedFiles(text, tuple(notes), lost and not found)


def _by_name(named: "Iterator[tuple[str, Sequence[str]]]") -> dict[str, tuple[str, ...]]:
    """Handles by the key of a name, in order."""
    found = defaultdict[str, list[str]](list)
    for handle, names in named:
        for name in names:
            if handle not in found[_key(name)]:
                found[_key(name)].append(handle)
    return {key: tuple(handles) for key, handles in found.items() if key}


def _key(name: str) -> str:
    """A name without its ending, signs and case: people write "frame 18" as "Frame_18"."""
    return re.sub(r"[\W_]+", "", _ENDING.sub("", PurePath(name).name).casefold())


def _written(text: str, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The names of files in a text, as written there.

    Known ones, others with the ending of a picture or a video, and others that are numbered like
    known ones. A name that is a word of the language needs its ending.
    """
    stems = {match[0] for key in known if (match := re.match(r"[^\W\d_]{3,}(?=\d)", key))}
    for match in _WORD.finditer(text):
        name, key = match[0], _key(match[0])
        begins = re.match(r"[^\W\d_]{3,}(?=\d+$)", key)
        numbered = begins is not None and begins[0] in stems
        plain_name = key in known and re.search(r"\d|[_-]", name) is not None
        if _ENDING.search(name) or numbered or (plain_name and not _HANDLE.fullmatch(name)):
            yield name
