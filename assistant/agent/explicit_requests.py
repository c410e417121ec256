"""Explicit requests in a user's text: number of hits, handles, face number.

A model that reads "top 50" may call a tool with 5, and one that reads "H17" may call it with H1.
Therefore values written in the question override the arguments of the call. Pure: text in, values
out.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from assistant.agent.requests.counts import parse_top
from tools.agent_tools.handle_parsing import find_handles, normalise_handle
from tools.errors import ToolError

DEFAULT_QUESTION = "Find fakes of this person."
"""The question that photos without text stand for."""

_PLACES = {"left": 1, "leftmost": 1, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_FACE = re.compile(
    r"\b(?:face|person|number|no\.?|#)\s*(?:number\s*|no\.?\s*|#)?(\d{1,3})\b"
    r"|\b(\d{1,3})(?:st|nd|rd|th)\s+(?:face|person|one)\b"
    rf"|\b({'|'.join(_PLACES)}|right|rightmost|last|middle)\s*(?:face|person|one|man|woman)?\b"
    r"|^\W*(\d{1,3})\W*$",
    re.IGNORECASE,
)
_ONE_PICTURE = ("image", "hit")
_TWO_PICTURES = ("first", "second")


def parse_face_number(text: str, *, faces: int) -> int | None:
    """The chosen face's number, counted from the left; None if the answer names no such face."""
    match = _FACE.search(text)
    if match is None:
        return None
    by_number = match[1] or match[2] or match[4]
    if by_number:
        number = int(by_number)
    else:
        word = match[3].lower()
        number = _PLACES.get(word) or ((faces + 1) // 2 if word == "middle" else faces)
    return number if 1 <= number <= faces else None


def correct_arguments(
    name: str, arguments: Mapping[str, Any], *, text: str, known: Collection[str]
) -> dict[str, Any]:
    """Normalise the handles in a call's arguments, and override values that the question states.

    `known` are the existing photos and hits: no other word of the question counts as a handle.
    """
    given = {key: _plain(value) for key, value in arguments.items()}
    if name == "find_person":
        top = parse_top(text)
        return given if top is None else given | {"top": top}
    named = [handle for handle in find_handles(text) if handle in known]
    return given | _pictures(given, named)


def _plain(value: Any) -> Any:
    """A handle, or a list of handles, in the tools' form; any other value unchanged."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, str):
        return value
    try:
        return normalise_handle(value)
    except ToolError:
        return value  # the tool reports what is wrong with it


def _pictures(given: Mapping[str, Any], named: list[str]) -> dict[str, str]:
    """The pictures that the question names, if the call is about others."""
    places = [place for place in (*_ONE_PICTURE, *_TWO_PICTURES) if place in given]
    asked = [given[place] for place in places]
    if len(places) == 1 and len(named) == 1 and asked != named:
        return {places[0]: named[0]}
    if len(places) == 2 and len(named) == 2 and set(asked) != set(named):
        return dict(zip(places, named, strict=True))
    if len(places) == 2 and len(named) == 1 and named[0] not in asked:
        # The question does not name the other picture of the comparison: it stays.
        kind = named[0][0]
        place = next((at for at in places if str(given[at]).startswith(kind)), places[0])
        return {place: named[0]}
    return {}
