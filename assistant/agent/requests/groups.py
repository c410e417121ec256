"""Groups of hits that an order names: "hide all copies", "reject the rest", "the first three"."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.conditions import adds_nothing
from assistant.agent.requests.counts import NUMBERS, in_digits
from assistant.agent.requests.instructions import orders
from assistant.agent.requests.state import CaseState, ListedHit
from tools.verdict.rule import Verdict

_SUCH = r"(?:ones|those|hits|all|images|pictures|every\w*|any\w*)\b.{0,15}(?:is|are|'?s) (?:an? )?"
"""Stands before the word for one: "everything that's a copy"."""

_VERDICTS: Mapping[Verdict, str] = {
    "other": r"(?:ones|those|hits|all|images|pictures|faces|every\w*)\b.{0,25}\b(?:some|any)"
    r"(?:body|one) else(?:'?s)?|some(?:body|one)[- ]elses|(?:ones|those|hits|all|images|pictures)"
    r"\b.{0,25}\b(?:not|aren'?t|isn'?t) (?:even )?(?:her|him|me|them)|others? (?:person|people|men|"
    r"women)s?|everything\b.{0,25}\b(?:not|isn'?t) (?:even )?(?:her|him|me|them)|"
    r"strangers|(?:every|each) stranger|the wrong (?:people|men|women)|andere personen|"
    r"fremden|autres personnes|otras personas|altre persone|outras pessoas|andere personen",
    "copy": r"copies|duplicates|(?:every|each) (?:copy|duplicate)|re-?uploads|re-?posts|kopien|"
    r"duplikate|copias|"
    rf"{_SUCH}(?:copy|copies|duplicates?)|"
    r"(?:les|le|tutte le) copies?|kopieën",
    "inconclusive": r"undecided(?: ones)?|inconclusive(?: ones| hits)?|unclear ones|uncertain ones|"
    r"open ones|unklare[nr]?|unentschiedene?n?|inkonklusiv\w*|indécis\w*|inconclus\w+",
    "impersonation": r"(?:every|each) (?:fake|forgery|impersonation)|impersonations|fakes|"
    r"forgeries|deepfakes|(?:forged|fake) (?:ones|hits|images|pictures|photos)|fälschungen|"
    r"gefälschten|les faux|falsos|falsas|i falsi|"
    rf"{_SUCH}(?:fakes?|forged|impersonations?)",
    "no forgery found": r"(?:real|genuine|authentic|clean) (?:ones|hits|images|pictures|photos)|"
    r"originals|unforged ones|echten|authentischen|vrais|auténtic[ao]s|autentic[ihe]+",
    "not assessed": r"(?:not|un-?)\s?assessed(?: ones)?|unmeasured ones",
}
_REST = re.compile(
    r"\b(?:(?:all )?(?:the )?(?:others|rest|remaining(?: ones| hits)?|other (?:ones|hits|images|"
    r"pictures|photos))|everything else|all (?:but|except)|everything (?:but|except)|"
    r"übrigen|rest(?:lichen)?|autres|otros|altri|outros|andere|pozostał\w+)\b",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\b(?:(?:them )?all(?: of them| (?:the )?(?:hits|results|images|pictures|photos|these))?|"
    r"everything|every (?:hit|result|image|picture|one)|alle|alles|tous|toutes|todos|todas|tutti|"
    r"tutte|wszystkie)\b(?! right\b)",
    re.IGNORECASE,
)
_END = re.compile(
    rf"\b(?P<end>first|top|last|bottom|weakest|lowest)\s+(?!(?:1|one)\b)(?P<count>\d+|{'|'.join(NUMBERS)})\b",
    re.IGNORECASE,
)
TO = r"(?:to|thro?u(?:gh)?|until|till|bis|-|–|à|al?)"
_COUNT_FIRST = re.compile(rf"\b(\d+|{'|'.join(NUMBERS)})\s+(weakest|lowest)\b", re.IGNORECASE)
_RANGE = re.compile(rf"\bh?(\d{{1,4}})\s*{TO}\s*h?(\d{{1,4}})\b", re.IGNORECASE)
_MARKED_AS = re.compile(
    r"\b(?:(?:as|als)\b(?! well)|to (?:confirmed|rejected|hidden)).*$", re.IGNORECASE | re.DOTALL
)
_SPARED = re.compile(
    r"\b(?:except(?: for)?|but(?: not)?|other than|besides|apart from|außer|sauf|excepto|salvo|"
    r"tranne|behalve|oprócz|keep|not)\b",
    re.IGNORECASE,
)
_EXCEPT = re.compile(
    r"\b(?:except(?: for)?|but(?: not)?|other than|besides|apart from|without|außer|sauf|excepto|"
    r"salvo|tranne|behalve|oprócz|(?<!as )not(?! (?:just|only)\b)|"
    r"(?:is|are|was|were|do|does)n'?t)\b",
    re.IGNORECASE,
)
_ONE = re.compile(r"\b(?:it|this one|that one|dies\w*)\b", re.IGNORECASE)
_MARKED = r"(?:mark(?:iere?)?|set|flag|label|change)\b.{0,80}\b(?:as|to|als) (?:(?:an?|being) )?"
_ORDERS = {
    "hide": rf"{_MARKED}(?:hidden|ausgeblendet)|hide|remove|delete|drop|bin|exclude|get rid of|"
    r"throw (?:out|away)|kick|clear|filter out|leave out|take|suppress|blende|versteck\w*|"
    r"entferne?|oculta|quita|cache\w*|"
    r"masqu\w*|enl[eè]v\w*|nascondi|togli|rimuovi|verberg|verwijder|ukryj|usuń",
    "reject": rf"{_MARKED}(?:rejected|false (?:alarms?|positives?)|wrong|real|genuine|authentic|"
    r"verworfen|abgelehnt|fehlalarme?)|reject|dismiss|discard|cross off|verwirf|rechaza|"
    r"rejette\w*|rifiuta|odrzuć|wijs",
    "confirm": rf"{_MARKED}(?:confirmed|fakes?|forged|true positives?|bestätigt)|confirm|approve|"
    r"accept|validate|tick|sign off|bestätige?|confirma|confirme\w*|conferma|bevestig|potwierdź",
    "unmark": r"un-?mark|un-?tick|un-?confirm|un-?reject|un-?hide|reset|take back|"
    r"undo(?=.*\bh(?:its?)? ?\d)",
}
_BEGINS = {
    act: re.compile(
        rf"^\W*(?:(?:please|pls|and|then|also|now|just|so|ok(?:ay)?|(?:can|could|would|"
        rf"will) (?:you|u)|"
        rf"bitte|und|(?:i|we) (?:want|need) (?:you )?to|i(?:'d| would) like (?:you )?to|let's)\W+)*"
        rf"(?:{verbs})\b",
        re.IGNORECASE,
    )
    for act, verbs in _ORDERS.items()
}


def ordered_act(text: str) -> str:
    """The action that a text plainly orders with its first words; empty if it orders none."""
    return next((act for act, begins in _BEGINS.items() if begins.match(text.strip())), "")


def numbered_order(text: str) -> str:
    """The action that a text orders for hits that it names by nothing but numbers; or empty."""
    act, plain = ordered_act(text), _MARKED_AS.sub("", text.lower().replace("’", "'"))
    beside = re.sub(rf"\b(?:h?\d+|{_BESIDE_NUMBERS}|{'|'.join(NUMBERS)})\b", " ", plain)
    named = _RANGE.search(plain) or slots.hits_named(plain, CaseState(hits=9999))
    plainly = act and named and "%" not in plain and adds_nothing(beside)
    return act if plainly and orders(text, act) else ""


_BESIDE_NUMBERS = (
    rf"h|nr|hit|{TO}|und|can|could|will|would|u|need|both|again|decisions?|hiding|my|for|"
    r"take|back|reset|set|label|(?:un)?(?:mark|hide|reject|confirm)|markiere?|drop|remove|dismiss|undo|"
    r"change|from (?:confirmed|rejected|hidden)"
)


def verdicts_named(text: str) -> list[Verdict]:
    """The verdicts whose hits a text names: "the copies", "all strangers"; what they are to be
    marked as is none of them."""
    plain = _MARKED_AS.sub("", text.replace("’", "'"))
    return [
        verdict
        for verdict, words in _VERDICTS.items()
        if re.search(rf"\b(?:{words})(?!\w)", plain, re.IGNORECASE)
    ]


def without_verdicts(text: str) -> str:
    """A text without its words for verdicts."""
    return _masked(text.replace("’", "'")).replace("_", " ")


def _masked(text: str) -> str:
    """A text with underscores in place of its words for verdicts."""
    words = rf"\b(?:{'|'.join(_VERDICTS.values())})(?!\w)"
    return re.sub(words, lambda it: "_" * len(it[0]), text, flags=re.IGNORECASE)


def spares(text: str) -> bool:
    """Whether a text leaves out hits that it names: "all but H3"."""
    return _SPARED.search(text) is not None


def split_exception(text: str) -> tuple[str, str] | None:
    """A group of hits and what it leaves out, in words: "hide all" and "H3" of "hide all but H3".

    None if nothing is left out of a group. A "not" within the words for a verdict leaves out none.
    """
    plain = in_digits(text.replace("’", "'"))
    found = _EXCEPT.search(_masked(plain))
    if found is None:
        return None
    before, after = plain[: found.start()], plain[found.end() :]
    group = any(it.search(before) for it in (_REST, _END, _RANGE, _ALL)) or verdicts_named(before)
    return (before, after) if group else None


_RESTRICTED = re.compile(
    r"\b(?:from|in|at|with|within|inside|outside|taken|dated|shot|named|called|older|newer|before|"
    r"after|since|over|above|below|under|showing|of|(?<!one )by|aus|von|mit|vom|depuis|con)\s+"
    r"(?!(?:(?:the|this|that|your|my|a|der|die|das)\s+)?(?:list\w*|hits?|results?|view|screen|case|"
    r"verdicts?|them|these|those|all|me|now|here|total|one go|once|last|it|her|him|photos|images|"
    r"pictures|ones|h ?\d+)\b)[^,;.!?]*\w"
    r"|\b(?:that|which|who)\s+(?!(?:are|is|was|were|have|has|shows?|reads?|looks?)?(?: as| like)?"
    r"[\W_]*$)[^,;.!?]*\w",
    re.IGNORECASE,
)


def restriction(text: str) -> str:
    """The words of an order by which its group is told from others, if no rule knows them.

    "All from the BBC" are not all hits.
    """
    plain = _masked(_MARKED_AS.sub("", text.replace("’", "'")))
    order = re.split(r"[,;.!?]|\b(?:because|since (?:they|it)|as they|weil)\b", plain, maxsplit=1)[
        0
    ]
    if split_exception(text) is not None or _RANGE.search(order):
        return ""
    group = _ALL.search(order) or _REST.search(order) or re.search(r"__+", order)
    found = _RESTRICTED.search(order, group.end()) if group else None
    return found[0] if found else ""


def leaves_out_unknown(text: str, state: CaseState) -> bool:
    """Whether a text leaves out of a group what is neither hits nor a verdict: "all but Ada's"."""
    parts = split_exception(text)
    if parts is None:
        return False
    after = parts[1]
    named = slots.hits_named(after, replace(state, last=""))
    return not (named or verdicts_named(after) or _END.search(after))


def exception_order(text: str) -> str:
    """The mark that a text orders for all hits but some; empty if it plainly orders none.

    "Delete all data but my photos" is about data; "leave out all that is not in press", a filter.
    """
    act = ordered_act(text)
    if not act or _NO_MARK.search(text) or split_exception(text) is None:
        return ""
    everything = _ALL.search(text) or _REST.search(text) or counts_from_an_end(text)
    return act if everything and orders(text, act) else ""


def counts_from_an_end(text: str) -> bool:
    """Whether a text names hits by how many stand at an end of the list: "the top three"."""
    return _end(in_digits(text)) is not None


def _end(text: str) -> re.Match[str] | None:
    return _END.search(_COUNT_FIRST.sub(r"\2 \1", text))


_NO_MARK = re.compile(
    r"\b(?:data|daten|traces|records|information|biometric\w*|folders?|not in|without)\b"
    r"|^\W*(?:leave|filter) out\b",
    re.IGNORECASE,
)


def names_verdicts(text: str) -> bool:
    """Whether a text names its group by nothing but verdicts."""
    parts = split_exception(text)
    if parts is not None and not verdicts_named(parts[0]):
        return False
    vague = (_REST, _END, _RANGE)
    return bool(verdicts_named(text)) and not any(it.search(in_digits(text)) for it in vague)


def group_named(
    text: str, listed: Sequence[ListedHit], state: CaseState, shown: Sequence[str] = ()
) -> list[str] | None:
    """The handles of a group of hits that a text names, in order; None if it names no group.

    "The top three" are the first of those that are `shown`, in their order there.

    Hits that it names one by one are no group. "The rest" leaves out the hits that stand beside it,
    and without any, the hit spoken of last.
    """
    if parts := split_exception(text):
        group, out = (group_named(it, listed, state, shown) for it in parts)
        left_out = out or slots.hits_named(parts[1], replace(state, last=""))
        return None if group is None else [it for it in group if it not in left_out]
    plain = in_digits(text.replace("’", "'"))
    handles = [hit.handle for hit in listed]
    named = slots.hits_named(plain, replace(state, last=""))
    if span := _RANGE.search(plain):
        first, last = int(span[1]), int(span[2])
        return [it for it in handles if first <= int(it[1:]) <= last] if first < last else None
    if end := _end(plain):
        said = end["count"].lower()
        count = NUMBERS.get(said) or int(said)
        # The weakest are the last by rank, whatever the list is sorted by.
        seen = handles if end["end"].lower() in ("weakest", "lowest") else [*shown] or handles
        return seen[:count] if end["end"].lower() in ("first", "top") else seen[-count:]
    if _REST.search(plain):
        spared = named or ((state.last,) if state.last else ())
        return [it for it in handles if it not in spared]
    kinds = verdicts_named(plain)
    spared = named if _SPARED.search(plain) else ()
    if named and not spared:
        return None
    if kinds and not (_ONE.search(plain) and not _ALL.search(plain)):
        return [hit.handle for hit in listed if hit.verdict in kinds and hit.handle not in spared]
    return [it for it in handles if it not in spared] if _ALL.search(plain) else None
