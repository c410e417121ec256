"""Searches with a further reference: a photo that was given is one, a hit or a file's name is not.

A hit may be a forgery, and what a forgery shows must not become the person that is searched for.
"""

import re

from assistant.agent.requests.plans.request import Plan, Request
from assistant.agent.requests.slots import photo_named
from prompts import phrases
from tools.agent_tools.handle_parsing import find_handles
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted

REFERENCE, SEARCHED_WITH = "reference", "searched_with"
SEARCHES = ("find", "again", "more_photos", REFERENCE)
"""Classes of requests that search with photos."""

_FILE = r"\b[^\W\d_]{2,}[\w.-]*[_\d][\w.-]*\w"
_NAMED = rf"(?:(?:hit |h ?|q ?)\d+|{_FILE})"
_AS_ONE = (
    r"(?:as|for) (?:(?:an?|another|the|my|one|second|third|additional|further|extra|new|more) )*"
    r"(?:reference|query)\b"
)
_ALL_PHOTOS = r"(?:both|all|two|three) (?:of )?(?:my|our|the) (?:photos|pictures|images)\b"
_REFERENCE = re.compile(
    rf"\b(?:use|add|take|include|put|set)\b.{{0,40}}\b{_NAMED}.{{0,30}}\b{_AS_ONE}"
    rf"|\b(?:add|include)\b.{{0,20}}\b{_NAMED}.{{0,20}}\b(?:to|in) (?:the|my|your) "
    r"(?:references?|search|query|reference photos|query photos)\b"
    r"|(?<!\bi )\b(?:search|look|find|query|run)\b.{0,40}\b(?:with|using|by|including|like)\b"
    rf"(?: \w+){{0,3}}? {_NAMED}"
    r"|\b(?:can|could|may|how (?:do|can)) (?:i|we) (?:add|attach|give|send|upload|use) (?:you )?"
    r"(?:another|more|an? (?:second|further|additional)) (?:reference )?(?:photos?|pictures?) of "
    r"(?:him|her|them|the (?:same )?person)\b"
    r"|\b(?:search|find|look|use|add|include|repeat)\b.{0,30}\b(?:my|the|our) "
    r"(?:second|third|other) (?:photo|picture|image)\b"
    rf"|\b(?:search|find|look|use|include|repeat)\b.{{0,30}}\b{_ALL_PHOTOS}",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\b(?:as well|too|also|besides|in addition|another|additional|further|both|plus|add|and|"
    r"together|include|auch|zusätzlich|dazu|aussi|también|anche)\b",
    re.IGNORECASE,
)
_PHOTOS = r"(?:photos?|pictures?|images?|references?)"
_NAMED_SO = rf"(?:(?:reference|query) {_PHOTOS}|references)"
_USED = re.compile(
    rf"\W*(?:(?:and|so|but)\W+)*(?:(?:with )?(?:which|what|how many)(?: of (?:the|my))? "
    rf"(?:{_NAMED_SO} (?:do|did|are|have|were|was|is)\b[^.!;]{{0,30}}"
    rf"|{_PHOTOS}(?: of (?:mine|ours))? (?!.*\btrain)[^.!;]{{0,20}}\b(?:us(?:e|ed|ing)|"
    rf"search(?:ed|ing)? "
    rf"with)\b[^.!;]{{0,20}})"
    rf"|(?:which|what) are (?:my|the|our) {_NAMED_SO}(?: now)?"
    r"|(?:(?:which|what) (?:hits|ones) )?(?:did|have|are) you (?:now )?(?:find|found|us(?:e|ed|"
    r"ing)|search(?:ed|ing)?)\b[^.!;]{0,25}\b(?:both|(?:my|the|our) (?:first|second|third|other|"
    r"new))"
    rf" (?:(?:my|of my|the|reference|query) )*{_PHOTOS}[^.!;]{{0,12}})\W*",
    re.IGNORECASE,
)


def asks_what_was_searched_with(text: str) -> bool:
    """Whether a text asks which photos the latest search was with, or for one of them to go."""
    return (_USED.fullmatch(text) or _DROPPED.search(text)) is not None


_DROPPED = re.compile(
    r"\b(?:drop|remove|omit|exclude|leave out|forget|without|ignore|take out|delete)\b.{0,20}"
    r"\b(?:q ?\d+|(?:reference|query)(?: (?:photo|picture|image))?|(?:my|"
    r"our) (?:\w+ )?(?:photo|picture))\b",
    re.IGNORECASE,
)


def searched_with(request: Request) -> Plan:
    """The photos of the latest search."""
    if not request.state.searched:
        return Plan(text="[hits.all].")
    several = len(request.state.searched) > 1
    together = " All hits were found with them together." if several else ""
    names = phrases.NAME_PHOTOS if _DROPPED.search(request.text) else ""
    return Plan(opening=f"{_latest(request)}{together}", note=names)


def _latest(request: Request) -> str:
    return f"The latest search was with {join_with_and(request.state.searched)}."


def asks_to_search_with(text: str) -> bool:
    """Whether a text wants a search with a picture that it names."""
    return _REFERENCE.search(text) is not None and not asks_what_was_searched_with(text)


def photos_to_search(request: Request) -> list[str]:
    """The photos that came along, or that are named; else those of the latest search.

    "Also" and further photos of the person leave those of the latest search beside them.
    """
    state = request.state
    said = (*find_handles(request.text), photo_named(request.text, state))
    named = [it for it in dict.fromkeys(said) if it in state.photos]
    wanted = [*state.new, *named]
    every = re.search(_ALL_PHOTOS, request.text, re.IGNORECASE) is not None
    if not wanted and (every or request.name == "more_photos"):
        wanted = [*state.photos]
    beside = request.name == "more_photos" or (named and _BESIDE.search(request.text))
    return [*dict.fromkeys([*(state.person if beside or not wanted else ()), *wanted])]


def not_searched_with(request: Request) -> Plan | None:
    """That no search was made with a hit, or with a photo that is not there; None if all are."""
    state = request.state
    if request.name not in SEARCHES or state.new or not state.photos:
        return None
    named = find_handles(request.text)
    hits = [it for it in named if it.startswith("H")]
    unknown = list[str]()
    if request.name == REFERENCE and not request.lost:
        unknown = [it for it in re.findall(_FILE, request.text) if it.upper() not in named]
    nothing_new = request.name in ("more_photos", REFERENCE) and {*photos_to_search(request)} <= {
        *state.searched
    }
    if not (hits or unknown or request.lost or nothing_new):
        return None
    are = "are hits" if len(hits) > 1 else "is a hit"
    files = {it.handle: quote_untrusted(it.names[0]) for it in request.listed if it.names}
    hits = [f"{it} ({files[it]})" if it in files else it for it in hits]
    said = [phrases.NO_SUCH_PHOTO.format(name=quote_untrusted(it)) for it in unknown]
    said += [phrases.NOT_SEARCHED]
    said += [f"{join_with_and(hits)} {are}, and a hit may be forged."] if hits else []
    if state.searched:
        said.append(_latest(request))
    return Plan(note=" ".join([*said, phrases.ATTACH_PHOTO]))
