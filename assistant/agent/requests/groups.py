"""Groups of hits that an order names: "hide all copies", "reject the rest", "the first three"."""

import re
from collections.abc import Sequence
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.counts import NUMBERS, in_digits
from assistant.agent.requests.state import CaseState, ListedHit

_VERDICTS = {
    "other": r"(?:ones|those|hits|all|images|pictures|faces|every\w*)\b.{0,25}\b(?:some|any)"
    r"(?:body|one) else(?:'?s)?|some(?:body|one)[- ]elses|(?:ones|those|hits|all|images|pictures)"
    r"\b.{0,25}\b(?:not|aren'?t|isn'?t) (?:even )?(?:her|him|me|them)|others? (?:person|people|men|"
    r"women)s?|strangers|the wrong (?:people|men|women)|andere personen|fremden|autres personnes|"
    r"otras personas|altre persone|outras pessoas|andere personen",
    "copy": r"copies|duplicates|re-?uploads|re-?posts|kopien|duplikate|copias|(?:les|le|"
    r"tutte le) copies?|kopieën",
    "inconclusive": r"undecided(?: ones)?|inconclusive(?: ones| hits)?|unclear ones|uncertain ones|"
    r"open ones|unklaren|unentschiedenen|indécis\w*|inconclus\w+",
    "impersonation": r"impersonations|fakes|forgeries|deepfakes|(?:forged|fake) (?:ones|hits|"
    r"images|"
    r"pictures|photos)|fälschungen|gefälschten|les faux|falsos|falsas|i falsi",
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
    rf"\b(?P<end>first|top|last|bottom)\s+(?!(?:1|one)\b)(?P<count>\d+|{'|'.join(NUMBERS)})\b",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"\bh?(\d{1,4})\s*(?:to|through|until|till|bis|-|–|à|al?)\s*h?(\d{1,4})\b", re.IGNORECASE
)
_SPARED = re.compile(
    r"\b(?:except(?: for)?|but(?: not)?|other than|besides|apart from|außer|sauf|excepto|salvo|"
    r"tranne|behalve|oprócz|keep|not)\b",
    re.IGNORECASE,
)
_ONE = re.compile(r"\b(?:it|this one|that one|dies\w*)\b", re.IGNORECASE)
_ORDERS = {
    "hide": r"hide|remove|delete|drop|bin|exclude|get rid of|throw (?:out|away)|kick|clear|"
    r"filter out|leave out|take|suppress|blende|versteck\w*|entferne?|oculta|quita|cache\w*|"
    r"masqu\w*|enl[eè]v\w*|nascondi|togli|rimuovi|verberg|verwijder|ukryj|usuń",
    "reject": r"reject|dismiss|discard|cross off|mark\b.{0,60}\b(?:rejected|false (?:alarms?|"
    r"positives?)|wrong|real|genuine)|verwirf|rechaza|rejette\w*|rifiuta|odrzuć|wijs",
    "confirm": r"confirm|approve|accept|validate|tick|sign off|mark\b.{0,60}\b(?:confirmed|fakes?|"
    r"forged|true positives?)|bestätige?|confirma|confirme\w*|conferma|bevestig|potwierdź",
    "unmark": r"un-?mark|un-?tick|un-?confirm|un-?reject|un-?hide|reset|take back",
}
_BEGINS = {
    act: re.compile(
        rf"^\W*(?:(?:please|pls|and|then|also|now|ok(?:ay)?|can you|could you|would you|bitte|und|"
        rf"i "
        rf"want (?:you )?to|i'd like to|let's)\W+)*(?:{verbs})\b",
        re.IGNORECASE,
    )
    for act, verbs in _ORDERS.items()
}


def ordered_act(text: str) -> str:
    """The action that a text plainly orders with its first words; empty if it orders none."""
    return next((act for act, begins in _BEGINS.items() if begins.match(text.strip())), "")


def group_named(text: str, listed: Sequence[ListedHit], state: CaseState) -> list[str] | None:
    """The handles of a group of hits that a text names, in order; None if it names no group.

    Hits that it names one by one are no group. "The rest" and "all but H3" leave out the hits that
    stand beside them, and "the rest" without any, the hit spoken of last.
    """
    plain = in_digits(text.replace("’", "'"))
    handles = [hit.handle for hit in listed]
    named = slots.hits_named(plain, replace(state, last=""))
    if span := _RANGE.search(plain):
        first, last = int(span[1]), int(span[2])
        return [it for it in handles if first <= int(it[1:]) <= last] if first < last else None
    if end := _END.search(plain):
        said = end["count"].lower()
        count = NUMBERS.get(said) or int(said)
        return handles[:count] if end["end"].lower() in ("first", "top") else handles[-count:]
    if _REST.search(plain):
        spared = named or ((state.last,) if state.last else ())
        return [it for it in handles if it not in spared]
    kinds = [
        verdict
        for verdict, words in _VERDICTS.items()
        if re.search(rf"\b(?:{words})(?!\w)", plain, re.IGNORECASE)
    ]
    spared = named if _SPARED.search(plain) else ()
    if named and not spared:
        return None
    if kinds and not (_ONE.search(plain) and not _ALL.search(plain)):
        return [hit.handle for hit in listed if hit.verdict in kinds and hit.handle not in spared]
    return [it for it in handles if it not in spared] if _ALL.search(plain) else None
