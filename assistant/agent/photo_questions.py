"""Questions about photos from the user: compare them, and which of them is authentic.

A doubted photo must never become the reference for what is authentic. Patterns read here what the
words claim about each photo; if they do not identify the authentic one, the application asks. Pure:
words and handles in, a reading out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

FAKE_WORDS = (
    r"(?:fak(?:e|es|ed|ery)|forged|forgery|deep-?fakes?|manipulat\w+|doctored|altered|edited|"
    r"tampered|photoshopped|face-?swap\w*|swapped|synthetic|ai[- ]generated|generated|"
    r"suspect(?:ed)?|suspicious|questioned|doubtful|impersonat\w+)"
)
AUTHENTIC_WORDS = r"(?:real|authentic|genuine|original|true|untouched)"
_COMPARE = (
    r"\bcompar\w+|\bsame (?:person|man|woman|face|photo|picture)|\bdifferen\w+|\bdiffers?\b|"
    r"\bversus\b|\bvs\b|\bidentical|\blook(?:s)? alike|\bmatch(?:es)?\b"
)
_SAME_PERSON = r"\bsame (?:person|individual|man|woman|guy|girl|lady|boy)\b"
_SEARCH = (
    r"\bfind\b|\bsearch\w*|\blook(?:ing)? for\b|\bgaller\w+|\bcollection\b|\bwhich images\b|"
    r"\bother (?:fakes|images|photos)\b"
)
_ORDINALS = {
    "first": 0, "1st": 0, "former": 0, "left": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2,
    "fourth": 3, "4th": 3,
}  # fmt: skip
_LAST = ("latter", "right", "last")
_NOUN = r"(?:photo(?:graph)?|picture|image|one|pic)"
_REF = re.compile(
    rf"\bQ\s?0*([1-9]\d*)\b|\b{_NOUN}\s+(?:number\s+|no\.?\s*|#)?([1-9]\d*)\b"
    rf"|\b({'|'.join((*_ORDINALS, *_LAST))})\b(?:\s+{_NOUN})?"
    rf"|\b(other)\b(?:\s+{_NOUN})?|\b(this|it)\b(?:\s+{_NOUN})?",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r"[.;!?,\n]+|\bbut\b|\bwhile\b|\band\b", re.IGNORECASE)
_ASKS = re.compile(
    r"^\W*(?:and |so |then )?(?:is|are|was|were|does|do|did|could|can|may|might|has|which|what|"
    r"who|how|check|tell|whether|if)\b",
    re.IGNORECASE,
)
_ABOUT_IT = re.compile(r"\bthese|\bthem\b|\bboth\b|\btwo (?:photos|pictures|images)\b", re.I)
_ABOUT_PHOTOS = re.compile(
    r"\b(?:both|two|my|our|query|reference) (?:of )?(?:(?:my|the|query|reference) )*"
    r"(?:photos|pictures|images|references)\b",
    re.I,
)
"""The same beside a list, whose hits "these" and "both" mean."""


@dataclass(frozen=True, slots=True)
class PhotoQuestion:
    """A question about given photos, in the order in which they are compared.

    `authentic` and `claimed_fake` are the photos that the words call so; `searches` is true if a
    gallery is to be searched too, `of_person` if only whom photos of earlier turns show is asked,
    which puts none of them in doubt.
    """

    photos: tuple[str, ...]
    authentic: frozenset[str] = field(default=frozenset())
    claimed_fake: frozenset[str] = field(default=frozenset())
    searches: bool = False
    of_person: bool = False

    @property
    def doubted(self) -> frozenset[str]:
        """The photos that must not be taken as authentic so far."""
        return frozenset() if self.of_person else frozenset(self.photos) - self.authentic


def parse_photo_question(
    text: str,
    given: Sequence[str],
    known: Sequence[str],
    *,
    doubted: frozenset[str] = frozenset(),
    listed: bool = False,
) -> PhotoQuestion | None:
    """Parse a question about photos; None if it is not about two of them.

    `given` came with the question, `known` are all existing photos, `doubted` those whose
    authenticity an earlier question put in doubt: the words may answer that. If hits are `listed`,
    "which of these are authentic?" asks about them, and puts no photo in doubt.
    """
    scope = _scope(given, known)
    if len(scope) < 2 or re.search(r"\bH\s?\d", text):
        return None
    if doubted and not given and (answer := _answered(text, scope, doubted)) is not None:
        return answer
    named = _refs(text, scope, given)
    suspects = re.search(rf"\b{FAKE_WORDS}\b|\b{AUTHENTIC_WORDS}\b", text, re.I) is not None
    compares = re.search(_COMPARE, text, re.I) is not None
    about = _ABOUT_PHOTOS if listed else _ABOUT_IT
    together = len(given) > 1 or len({*named}) > 1 or (not given and about.search(text))
    together = together or (len(given) == 1 and compares and len(known) == 2)
    if not together or not (suspects or compares):
        return None
    searches = re.search(_SEARCH, text, re.I) is not None
    authentic, suspected = _said(text, scope, given)
    if searches and not (authentic or suspected):
        return None  # photos of a person to search for
    photos = tuple(dict.fromkeys(named)) if len({*named}) > 1 else tuple(scope)
    first = sorted(photos, key=lambda it: it not in authentic)
    # Photos that were given before were taken as they are: this question does not change that.
    of_person = not given and not suspects and re.search(_SAME_PERSON, text, re.I) is not None
    return PhotoQuestion(tuple(first), authentic, suspected, searches, of_person)


def _scope(given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The photos that ordinals count: those attached together, otherwise all existing ones."""
    return tuple(given) if len(given) > 1 else tuple(dict.fromkeys((*known, *given)))


def _answered(text: str, scope: Sequence[str], doubted: frozenset[str]) -> PhotoQuestion | None:
    """Parse the answer to which photo is authentic: a photo's name, both, or neither."""
    if len(text.split()) > 12 or _ASKS.match(text) or re.search(_SEARCH, text, re.I):
        return None
    photos = tuple(handle for handle in scope if handle in doubted)
    if re.search(r"\bboth\b|\ball\b", text, re.I) and not re.search(
        rf"\b{FAKE_WORDS}\b", text, re.I
    ):
        return PhotoQuestion(photos, authentic=frozenset(photos))
    authentic, suspected = _said(text, scope, ())
    named = frozenset(_refs(text, scope, ()))
    if not authentic and not suspected and named & doubted and len(text.split()) <= 5:
        authentic = named & doubted
    if not authentic and not suspected:
        return None
    if suspected and not authentic and len(photos) == 2 and len(suspected) == 1:
        return PhotoQuestion(photos, claimed_fake=suspected)
    first = sorted(photos, key=lambda it: it not in authentic)
    return PhotoQuestion(tuple(first), authentic, frozenset(photos) - authentic)


def _refs(text: str, scope: Sequence[str], given: Sequence[str]) -> list[str]:
    """The photos that a text names, in order; ordinals count within `scope`."""
    found: list[str] = []
    for match in _REF.finditer(text):
        handle = _ref(match, scope, given, before=found)
        if handle is not None:
            found.append(handle)
    return found


def _ref(
    match: re.Match[str], scope: Sequence[str], given: Sequence[str], *, before: Sequence[str]
) -> str | None:
    by_handle, by_number, ordinal, other, this = match.groups()
    if by_handle:
        return f"Q{by_handle}" if f"Q{by_handle}" in scope else None
    if other:
        rest = [handle for handle in scope if handle not in before[-1:]]
        return rest[0] if before and len(scope) == 2 else None
    if this:
        return given[0] if len(given) == 1 else None
    place = int(by_number) - 1 if by_number else _ORDINALS.get(ordinal.lower(), len(scope) - 1)
    return scope[place] if place < len(scope) else None


def _said(
    text: str, scope: Sequence[str], given: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The photos that the words call authentic, and those that they suspect."""
    authentic, suspected = set[str](), set[str]()
    for clause in _CLAUSES.split(text):
        refs = _refs(clause, scope, given)
        marks = re.search(rf"\b{FAKE_WORDS}\b", clause, re.I)
        real = re.search(rf"\b{AUTHENTIC_WORDS}\b", clause, re.I)
        if len(refs) >= 2:
            one, other = _of_two(clause, refs, marks, real)
            authentic |= one
            suspected |= other
        elif refs and real and not _ASKS.match(clause) and not _denied(clause):
            authentic.add(refs[0])
        elif refs and (marks or real):
            suspected.add(refs[0])
    return frozenset(authentic - suspected), frozenset(suspected)


def _of_two(
    clause: str, refs: Sequence[str], marks: re.Match[str] | None, real: re.Match[str] | None
) -> tuple[set[str], set[str]]:
    """Parse a clause on two photos: "X is a fake of Y", "the real X with the suspected Y"."""
    places = [match.start() for match in _REF.finditer(clause)][:2]
    made_from = marks and re.search(r"\b(?:of|from|by)\b", clause[marks.end() :], re.I)
    if marks and made_from and places[0] < marks.start() < places[1]:
        return {refs[1]}, {refs[0]}  # "is the second a fake of the first"
    near = {
        kind: min(range(2), key=lambda at: abs(places[at] - match.start()))
        for kind, match in (("suspected", marks), ("authentic", real))
        if match is not None
    }
    if len(near) == 2 and near["suspected"] == near["authentic"]:
        return set(), set()
    if _ASKS.match(clause) and "suspected" not in near:
        return set(), set()
    return (
        {refs[near["authentic"]]} if "authentic" in near else set(),
        {refs[near["suspected"]]} if "suspected" in near else set(),
    )


def _denied(clause: str) -> bool:
    return re.search(r"\bnot\b|n't\b|\bnever\b", clause, re.I) is not None
