"""Hits and photos that a request names by a file: "frame18", "clip_018.png".

File names are data of strangers: they are only compared with what the user wrote, and only names of
listed hits, of the proven other versions of their photographs, and of the user's photos are known.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from assistant.agent.requests.conditions import adds_nothing
from assistant.agent.requests.state import ListedHit
from prompts import phrases
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
    """Put handles in place of the names of files; a name that files are searched by stays.

    `photos` are the names of query photos by handle.
    """
    mine = [(handle, (name,)) for handle, name in (photos or {}).items()]
    hits = [(hit.handle, hit.names) for hit in listed]
    own = _by_name(hits) | _by_name(mine)
    whole = _by_name(hits, str.casefold) | _by_name(mine, str.casefold)
    others = _by_name((hit.handle, hit.versions) for hit in listed)
    notes, lost, found = list[str](), False, False
    searched = name_named(text)
    for match in () if searched else [*_THE_ONE.finditer(text)]:
        handles = _with_word(match["word"], listed)
        if len(handles) == 1:
            text, found = text.replace(match[0], handles[0]), True
        elif handles:
            lost = True
            notes.append(_several(match["word"], handles))
    for spoken, handle in () if searched else _spoken(listed):
        text, count = re.subn(rf"(?<![\w.]){spoken}(?![\w.])", handle, text, flags=re.IGNORECASE)
        found = found or count > 0
    for name in _written(text, {**own, **others}):
        if name in searched:
            continue
        key = _key(name)
        handles = whole.get(name.casefold()) or own.get(key) or others.get(key) or ()
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
                _several(name, handles)
                if handles
                else phrases.NO_SUCH_PHOTO.format(name=quote_untrusted(name))
            )
    return NamedFiles(text, tuple(notes), lost and not found)


_THE_ONE = re.compile(
    r"\b(?:the|that)\s+(?P<word>(?!(?:same|other|only|whole|query|reference|original|first|last|next|"
    r"top|best|real|fake|forged)\b)[^\W\d_]{3,})\s+(?:one|hit|picture|photo|image|file|clip)\b",
    re.IGNORECASE,
)
"""A hit by a word of its file's name: "the beckham one"."""


def _spoken(listed: Sequence[ListedHit]) -> Iterator[tuple[str, str]]:
    """Patterns of names of several words that one hit has: "Ada Lovelace" of Ada_Lovelace_2."""
    said = defaultdict[str, set[str]](set)
    for hit in listed:
        for name in hit.names:
            words = name_words([name])
            if len(words) > 1 and min(map(len, words)) > 2:
                said[r"[ _-]".join(words)].add(hit.handle)
    for words_said, handles in said.items():
        if len(handles) == 1:
            yield words_said, min(handles)


def name_words(names: Iterable[str]) -> list[str]:
    """The words of files' names, in lower case and without their endings."""
    stems = (PurePath(it).stem.casefold() for it in names)
    return [word for it in stems for word in re.split(r"[\W\d_]+", it) if word]


def _with_word(word: str, listed: Sequence[ListedHit]) -> tuple[str, ...]:
    """The handles of the hits whose file names hold a word."""
    return tuple(hit.handle for hit in listed if word.casefold() in name_words(hit.names))


def _several(name: str, handles: Sequence[str]) -> str:
    could_be = f"{quote_untrusted(name)} could be {join_with_and(handles)}"
    return f"{could_be}: name the hit by its number."


_NAME = (
    r"[\"“”„«'‘`](?P<{0}_quoted>[^\"“”„«»'‘’`]{{1,60}})[\"“”»'’`]"
    r"|(?!(?:an?|the|it|that|this|so|what|as|by|like|in|at|on|there|here|fakes?|forged|inconclusive|impersonations?|"
    r"cop(?:y|ies)|others?|real|hits?|me|you|her|him)\b)(?P<{0}>[\w.\-]*[^\W_])"
)
_FILES = (
    r"(?:hits?|results?|files?|pictures?|photos?|images?|videos?|clips?|ones?|any(?:thing)?|"
    r"something|which|all|treffer|datei(?:en)?|bild(?:er)?|fotos?)"
)
_CALLED = re.compile(
    rf"\b{_FILES}\b(?:\s+\w+){{0,3}}?\s+(?:named|called|titled|entitled|namens|heißen|heißt)\s+"
    rf"(?:{_NAME.format('called')})"
    r"|\b(?:file ?)?names?\b(?:\s+\w+)?\s+(?:contains?|containing|includ\w+|has|have|"
    r"(?:starts?|begins?|ends?|starting|beginning|ending) with)\s+"
    rf"(?:{_NAME.format('holds')})"
    rf"|\b{_FILES}\b(?:\s+\w+){{0,2}}?\s+(?:with|have|has|having)\s+(?:the\s+word\s+)?(?:{_NAME.format('with')})\s+in\s+"
    r"(?:the|its|their)\s+(?:file ?)?names?\b",
    re.IGNORECASE,
)


_ASKED = re.compile(
    rf"^\W*(?:(?:and|so|ok(?:ay)?|now|please|pls|bitte)\W+)*(?:which|what|is|are|do|does|any|show|"
    rf"list|find|give|only|just|filter|search|how many|gibt|zeige?|welche\w*|{_FILES})\b",
    re.IGNORECASE,
)


_KIND = re.compile(
    rf"(?<![\w.])\.?(?P<kind>{_MEDIA})(?:s|[ -](?:files|images|pictures|photos|videos|clips|hits|"
    r"ones|dateien|bilder|fichiers))\b"
    rf"|(?:(?<=\bare )|(?<=\bis )|(?<=\bsind ))\.?(?P<alone>{_MEDIA})(?=\W*$)",
    re.IGNORECASE,
)


def name_named(text: str) -> str:
    """The part of a file's name by which a text searches hits: "files called IMG_2"; or empty.

    "Only png files" are found by their ending, ".png". A person's name is none: "a man called Ada"
    names no file.
    """
    kinds = [(it["kind"] or it["alone"]).casefold() for it in _KIND.finditer(text)]
    if len(kinds) == 1 and _ASKED.match(text) and adds_nothing(_KIND.sub(" ", text)):
        return f".{kinds[0]}"
    match = _CALLED.search(text) if _ASKED.match(text) else None
    found = match.groupdict().values() if match else ()
    return next((it.strip() for it in found if it), "")


def _key(name: str) -> str:
    """A name without its ending, signs and case: people write "frame 18" as "Frame_18"."""
    return re.sub(r"[\W_]+", "", _ENDING.sub("", PurePath(name).name).casefold())


def _by_name(
    named: Iterable[tuple[str, Sequence[str]]], key: Callable[[str], str] = _key
) -> dict[str, tuple[str, ...]]:
    """Handles by the key of a name, in order."""
    found = defaultdict[str, list[str]](list)
    for handle, names in named:
        for name in names:
            if handle not in found[key(name)]:
                found[key(name)].append(handle)
    return {it: tuple(handles) for it, handles in found.items() if it}


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
