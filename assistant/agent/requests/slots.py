"""What a request names: hits, photos, numbers, dates, folders, terms, formats.

Parsed by rules, so that a handle of three digits is as sure as one of one digit, and nothing can be
named that the request does not name. Pure: text and state in, values out.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from assistant.agent.requests.counts import NUMBERS, in_digits, parse_top
from assistant.agent.requests.state import CaseState
from tools.verdict.glossary import MEANINGS
from tools.verdict.term_lookup import explain_term, glossary

_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "primer": 1,
    "primero": 1, "primera": 1, "erste": 1, "ersten": 1, "zweite": 2, "zweiten": 2, "dritte": 3,
    "dritten": 3, "vierte": 4, "vierten": 4, "fünfte": 5, "fünften": 5, "sechste": 6,
    "sechsten": 6, "siebte": 7, "siebten": 7, "achte": 8, "achten": 8, "neunte": 9, "neunten": 9,
    "zehnte": 10, "zehnten": 10, "cuarto": 4, "quinto": 5, "quatrième": 4, "cinquième": 5,
    "segundo": 2, "segunda": 2, "tercero": 3, "tercera": 3, "premier": 1,
    "première": 1, "deuxième": 2, "troisième": 3,
}  # fmt: skip
_WORD_NUMBER = "|".join(NUMBERS)
_NO_HIT = (
    r"time|times|thing|place|half|person|case|step|page|reason|instance|look|glance|lot|photo i|"
    r"photo we|picture i|picture we|batch|few|\w+ (?:hits|results)|question|part|line|row of"
)
"""What follows an ordinal that numbers something else."""
_HIT = re.compile(
    r"\bh\s?#?0*(?P<handle>[1-9]\d{0,4})\b(?!\.\w)"
    r"|(?:#|\bnr\.?\s*|\bno\.?\s+|\bnum(?:bers?|éros?|eros?)?\.?\s*|\bnumm?er\s*|\bnúmero\s*|\bhits?\s+|"
    r"\bresults?\s+|\bresultados?\s+|\btreffer\s+|\bimage\s+|\bpicture\s+|\bpic\s+|\bphoto\s+|"
    r"\bmatch\s+|\bcandidate\s+|\bentry\s+|\bitem\s+|\bbild\s+|\brank\s+|\bplace\s+|\bone\s+)+"
    rf"(?:h|#)?\s?0*(?P<number>[1-9]\d{{0,4}}|{_WORD_NUMBER})\b"
    r"|\b0*(?P<nth>[1-9]\d{0,4})(?:st|nd|rd|th)\b(?!\s+(?:of\s+[A-Z]|century|time|"
    r"of\s+\w+\s+(?:19|20)))"
    rf"|\b(?:the|der|die|das|el|la|le)\s+(?P<ordinal>{'|'.join(_ORDINALS)})\b(?!\s+(?:{_NO_HIT})\b)"
    r"|\b(?:top|best|strongest|worst|first)(?P<top>)\s+(?:hit|result|match|one|candidate)\b"
    rf"|\b(?P<kind>{'|'.join(_ORDINALS)})\s+(?:one|hit|result|match|candidate|treffer|bild)\b"
    rf"|^\W*(?P<alone>{'|'.join(_ORDINALS)})(?:\s+one)?\W*$"
    r"|\b(?P<last>(?:very )?last|final|letzten?|último|última|dernier|dernière)\b"
    r"(?=\s+(?:one|hit|result|picture|photo|image|pic|in the list|on the list|treffer)\b|\s*$|"
    r"\s*[,.;?!])",
    re.IGNORECASE,
)
_FROM_END = re.compile(
    rf"\b(?:(?P<ordinal>{'|'.join(_ORDINALS)})|(?P<nth>\d{{1,3}})(?:st|nd|rd|th))"
    r"(?:\s+(?:one|hit|result|picture|image|photo))?\s+"
    r"(?:from (?:the )?(?:bottom|end|back|last)|(?:to|from|before) (?:the )?last)\b"
    r"|\b(?P<second>next to last|last but one|penultimate)\b",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?<![\w.,/-])0*([1-9]\d{0,3})(?!\s?%|[\w/-]|[.,]\d)")
_PHOTO = re.compile(
    r"\bq\s?0*(?P<handle>[1-9]\d*)\b"
    r"|\b(?:photo|picture|foto)\s+(?:no\.?\s*|number\s+)?(?P<number>[1-9]\d?)\s+"
    r"(?:(?:that|which)\s+)?(?:i|we)\b"
    r"|\b(?P<nth>first|second|third|fourth)\s+(?:one\s+|(?:of\s+(?:the\s+)?(?:(?:two|three|four)\s+)?)?"
    r"(?:photo(?:graph)?|picture|pic|image)s?\s+)(?:(?:that|which)\s+)?(?:i|we)\s+"
    r"(?:(?:myself|ourselves|have|just|had)\s+)*"
    r"(?:gave|given|sent|submit\w*|suppl\w+|upload\w*|load\w*|attach\w*|add\w*|put|handed|dropped)\b"
    rf"|\b(?:(?:my|our|meine?n?|unser|ma|mon|mi|minha)\s+(?P<mine>{'|'.join(_ORDINALS)}|zweites|"
    r"erstes|drittes)|"
    rf"(?P<given>{'|'.join(_ORDINALS)})\s+(?:reference|query|authentic|own))\s+"
    r"(?:reference\s+|query\s+|own\s+)?(?:photo|picture|image|foto|bild|photographie)\b"
    rf"|\b(?P<reference>{'|'.join(_ORDINALS)})\s+(?:reference|query)\b(?!\s+\w+s\b)",
    re.IGNORECASE,
)
_FACT = re.compile(r"(?<![A-Za-z])([EPSG])\s?([1-9]\d?)\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“”„«»'‘`]([^\"“”„«»'‘’`]{1,60})[\"“”«»'’`]")
_MONTHS = {
    name: at
    for at, names in enumerate(
        (
            "jan|january|januar|enero|janvier", "feb|february|februar|febrero|février",
            "mar|march|märz|marzo|mars", "apr|april|abril|avril", "may|mai|mayo",
            "jun|june|juni|junio|juin", "jul|july|juli|julio|juillet",
            "aug|august|agosto|août", "sep|sept|september|septiembre|septembre",
            "oct|october|oktober|octubre|octobre", "nov|november|noviembre|novembre",
            "dec|december|dezember|diciembre|décembre",
        ),
        start=1,
    )
    for name in names.split("|")
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"\b(?P<y>(?:19|20)\d\d)-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?\b"),
    re.compile(r"\b(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>(?:19|20)\d\d)\b"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.|er)?\s+(?:of\s+|de\s+)?(?P<name>{_MONTH})\.?,?\s+"
        r"(?:of\s+|de\s+)?(?P<y>(?:19|20)\d\d)\b",
        re.I,
    ),
    re.compile(
        rf"\b(?P<name>{_MONTH})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>(?:19|20)\d\d)\b",
        re.I,
    ),
    re.compile(rf"\b(?P<name>{_MONTH})\.?,?\s+(?:of\s+|de\s+)?(?P<y>(?:19|20)\d\d)\b", re.I),
    re.compile(r"\b(?P<y>(?:19|20)\d\d)\b"),
)
_FORMATS = {
    "csv": r"\bcsv\b|\bcomma[- ]separated|\bspss\b|spread\s?sheet|\bexcel\b|\btable\b|tabelle",
    "json": r"\bjson\b|machine[- ]readable",
    "pdf": r"\bpdf\b|\bprint(?:able|out)?\b|\bto print\b",
    "bundle": r"\bbundle\b|\bzip\b|\b(?:with|and) (?:all )?(?:the )?(?:originals|original files)\b",
    "html": r"\bhtml\b|web ?page",
}


def hits_named(text: str, state: CaseState) -> tuple[str, ...]:
    """The hits that a text names, in order; if it names none, the one that was spoken of last."""
    count = state.hits or 0
    text = _FROM_END.sub(lambda match: _counted_back(match, count), in_digits(text))
    found = [f"H{number}" for number in _numbers(text, count)]
    if not found:
        bare = [int(it) for it in _BARE.findall(_without_dates(text))]
        found = [f"H{number}" for number in bare if 1 <= number <= max(count, 1)]
    if not found and state.last:
        found = [state.last]
    return tuple(dict.fromkeys(found))


def _counted_back(match: re.Match[str], count: int) -> str:
    """The handle that is "the third from the bottom" of so many hits; the words if it is none."""
    said = match["ordinal"]
    back = _ORDINALS[said.lower()] if said else int(match["nth"] or 2)
    return f"H{count + 1 - back}" if 0 < back <= count else match[0]


def _numbers(text: str, count: int) -> list[int]:
    found = []
    for match in _HIT.finditer(text):
        if match["last"]:
            found += [count] if count else []
        elif match["top"] is not None:
            found.append(1)
        elif said := match["ordinal"] or match["kind"] or match["alone"]:
            found.append(_ORDINALS[said.lower()])
        else:
            number = (match["handle"] or match["number"] or match["nth"]).lower()
            found.append(NUMBERS.get(number) or int(number))
    for several in _SEVERAL.finditer(text):
        found += map(int, re.findall(r"\d+", several[0]))
    return found


_SEVERAL = re.compile(
    r"\b(?:hits?|results?|numbers?|h)\s?#?\d{1,4}(?:\s*(?:,\s*and|and|with|to|&|,|vs\.?|versus|"
    r"against)\s*(?:hit\s+|number\s+|#|h)?\d{1,4}\b(?!\s?%))+",
    re.IGNORECASE,
)
"""Hits after the first one need no word: "hits 3, 5 and 7", "H2 with 5"."""


def photo_named(text: str, state: CaseState) -> str:
    """The query photo that a text names; empty if it names none that exists."""
    match = _PHOTO.search(text)
    if match is None:
        return ""
    said = match["nth"] or match["mine"] or match["given"] or match["reference"]
    number = (
        _ORDINALS[said.lower().removesuffix("s")]
        if said
        else int(match["handle"] or match["number"])
    )
    return f"Q{number}" if f"Q{number}" in state.photos else ""


def speaks_of_my_photo(text: str) -> bool:
    """Whether a text is about a photo that the user gave, without naming which."""
    return (
        re.search(r"\b(?:my|our) (?:\w+ )?(?:photo|picture|image|face)s?\b", text, re.I) is not None
    )


def without_photo(text: str, state: CaseState) -> str:
    """A text without the words for the query photo that it names: "the second photo I gave"."""
    return _PHOTO.sub(" ", text) if photo_named(text, state) else text


def asks_what_is_seen(text: str) -> bool:
    """Whether the words plainly ask what a picture shows: a photo alone looks like a search."""
    return _SEEN.fullmatch(text.strip()) is not None


_SEEN = re.compile(
    r"(?:please\s+)?(?:describe (?:the|this|my) (?:picture|photo|image)"
    r"|what (?:is|can be seen|do you see|can you see)(?: there)? (?:in|on) (?:the|this|my) "
    r"(?:picture|photo|image)|what do you see(?: here)?)\W*",
    re.I,
)


def asks_what_speaks_against(text: str) -> bool:
    """Whether a text asks what speaks against a finding, or for the opposite."""
    return _AGAINST.search(text) is not None


_AGAINST = re.compile(
    r"\b(?:speak|argue|point|count|anything|evidence|argument|reason|something)\w*\b.{0,20}"
    r"\b(?:against|for (?:it|this|that) (?:being|to be))\b"
    r"|\bcounter-?(?:evidence|arguments?)\b|\bspricht\b.{0,20}\b(?:gegen|dagegen)\b|\bdagegen\b|"
    r"\bparle contre\b|\bhabla en contra\b",
    re.IGNORECASE,
)


def asks_for_the_oldest(text: str) -> bool:
    """Whether a text asks which of the hits is the oldest or the newest."""
    return _OLDEST.search(text) is not None


def speaks_of_a_tab(text: str) -> bool:
    """Whether a text is about what was checked or compared beside the chat."""
    return _TAB.search(text) is not None


def one_described(text: str) -> str:
    """The word by which a text picks a hit that is not the one spoken of last: "the beckham one".

    Empty if it picks none. Handles cannot be told from such a word, so the hit is asked for.
    """
    found = _DESCRIBED.search(text)
    return found[1] if found else ""


_DESCRIBED = re.compile(
    r"\b(?:the|that)\s+(?!(?:same|other|only|current|previous|right|wrong|whole|next|last|fake|forged|"
    r"real)\b|\w+est\b)([^\W\d_]{3,})\s+one\b(?!\s+of\b)",
    re.IGNORECASE,
)


def points_at_one(text: str) -> bool:
    """Whether a text points at the hit that was spoken of last: "my note there", "that one"."""
    return _POINTS.search(_ARE_THERE.sub(" ", text)) is not None


_OLDEST = re.compile(
    r"\b(?:old|new|earli|late|young)(?:est|iest)\b|\b(?:most|least) recent\b|\bcame first\b|"
    r"\b(?:älteste|neu(?:e)?ste|früheste|jüngste|späteste)\w*|\bplus (?:ancien|récent|vieil)\w*|"
    r"\bmás (?:antigu|reciente|viej|nuev)\w*|\bpiù (?:vecchi|recent|antic|nuov)\w*|"
    r"\bmais (?:antig|recent|velh|nov)\w*|\b(?:oudste|nieuwste|recentste)\b|"
    r"\bnaj(?:starsz|nowsz)\w*",
    re.IGNORECASE,
)
_TAB = re.compile(
    r"\b(?:photo|picture|image|face|one|two|pair)s? (?:that |which )?(?:i|we) (?:have )?(?:just )?"
    r"(?:checked|compared)\b(?! with)|\bin the check tab\b",
    re.IGNORECASE,
)
_ARE_THERE = re.compile(r"\b(?:are|is|were|was) there\b|\bthere (?:are|is)\b", re.IGNORECASE)
_POINTS = re.compile(
    r"\b(?:that|this|it|its|there|one|him|her|dies\w*|dazu|daran|hier|dort|das|celle|celui|cette|ça|"
    r"ese|esa|esta|ahí|quest[ao]|quell[ao]|ess[ae]|dit|deze|dat|tym|tego|nim|ta|to)\b",
    re.IGNORECASE,
)


def count_named(text: str) -> int | None:
    """A number of hits; None if there is none."""
    known = parse_top(text)
    if known is not None:
        return known
    plain = _without_dates(in_digits(text))
    digits = re.search(r"(?<![\w#])([1-9]\d{0,3})(?![\w%])", plain)
    if digits:
        return int(digits[1])
    worded = re.search(
        rf"\b(?!one\s+of\b)({_WORD_NUMBER})\b(?!\s+(?:more time|last|another))", plain, re.I
    )
    return NUMBERS[worded[1].lower()] if worded else None


_EARLIER = re.compile(
    r"\b(?:before|prior|earlier|older|until|till|up to|by the end|vor|bis|älter|früher|avant|"
    r"jusqu\w*|antes|hasta|até|anterior\w*)\b",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"\b(?:after|since|later|newer|younger|onwards?|from (?:\w+ )?(?:19|20)\d\d|nach|seit|ab|"
    r"später|neuer|après|depuis|desde|después|depois|posterior\w*)\b",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"\b(?:nothing|no|not|none|without|exclude|excluding|drop|nichts|keine?|rien|nada)\b",
    re.IGNORECASE,
)


def date_side_named(text: str) -> str:
    """On which side of its date the wanted hits lie: "after", "before"; empty if unclear.

    "Nothing older than" wants what comes after.
    """
    earlier, later = _EARLIER.search(text), _LATER.search(text)
    if bool(earlier) == bool(later):
        return ""
    said = earlier or later
    denied = said is not None and _NONE.search(text[: said.start()]) is not None
    return "after" if denied == bool(earlier) else "before"


_WITHIN = re.compile(
    r"\b(?:from|in|of|on|during|dated|aus|von|de|en)\s+(?:the year\s+)?"
    r"(?:\d{1,2}[./]\d{1,2}[./]|(?:\d{1,2}\S{0,2}\s+)?[^\W\d]+\.?\s+(?:\d{1,2}\S{0,2}\s+)?)?"
    r"(?:19|20)\d\d(?:-\d\d){0,2}\b"
    r"(?!\s*(?:on\b|onwards?|and later|or later|up\b|to\b|till|until|-))",
    re.IGNORECASE,
)


def is_within_its_date(text: str) -> bool:
    """Whether the wanted hits lie within the year, month or day named: "pictures from 2018".

    "From 2018 on" is open at its end.
    """
    return _WITHIN.search(text) is not None and not (
        _EARLIER.search(text) or _LATER.search(_WITHIN.sub(" ", text)) or _NONE.search(text)
    )


def date_after(date: str) -> str:
    """The year, month or day that follows one in the form of `date_named`; ValueError if none."""
    year, *rest = map(int, date.split("-"))
    if not rest:
        return str(year + 1)
    if len(rest) == 1:
        return f"{year + rest[0] // 12}-{rest[0] % 12 + 1:02}"
    return (datetime(year, *rest) + timedelta(days=1)).strftime("%Y-%m-%d")  # type: ignore[arg-type]


def date_named(text: str) -> str:
    """A date as "2024", "2024-05" or "2024-05-02"; empty if there is none."""
    for pattern in _DATES:
        match = pattern.search(text)
        if match is None:
            continue
        part = match.groupdict()
        month = _MONTHS[part["name"].lower()] if part.get("name") else int(part.get("m") or 0)
        day = int(part.get("d") or 0)
        if month > 12:
            month, day = day, month
        return "-".join([part["y"], *(f"{it:02}" for it in (month, day) if it)])
    return ""


def folders_named(text: str, folders: Sequence[str]) -> list[str]:
    """The folders that a text names: existing ones, the longest name first, or one in quotes.

    `folders` are the names of the folders of the listed hits.
    """
    plain = _folder_words(text)
    existing = [it for it in folders if len(it) > 1 and f" {_folder_words(it)} " in f" {plain} "]
    if existing:
        return sorted(existing, key=len, reverse=True)
    if quoted := _QUOTED.search(text):
        return [quoted[1].strip()]
    called = _FOLDER.search(text)
    return [it for it in called.groups() if it][:1] if called else []


def speaks_of_a_folder(text: str, folders: Sequence[str] | None = None) -> bool:
    """Whether a text says that hits lie in a folder: "in folder press", "from the press folder".

    One of `folders` needs no such word: "in press".
    """
    if folders is None:
        return _FOLDER.search(text) is not None
    plain = _folder_words(text)
    names = "|".join(re.escape(_folder_words(it)) for it in folders if len(it) > 1)
    within = rf"\b(?:in|from|inside|within|aus|dans|en) (?:the |my )?(?:{names})(?: folder)?(?: |$)"
    return bool(names) and re.search(within, plain) is not None


_NO_NAME = (
    r"(?!(?:on|and|or|is|are|of|which|that|with|where|same|any|each|every|what|whole|this|one|first|"
    r"other|another|right|please|only|the|my|i|you|we|they|he|she|it|here|there)\b)"
)
_FOLDER = re.compile(
    r"\b(?:in|from|inside|within|of|aus|im|dans|en|nella|na) (?:(?:the|my|a|any|dem|le|la) )?"
    r"(?:(?:sub-?)?folder|directory|ordner|dossier|carpeta|cartella|pasta)"
    rf"(?: (?:called|named|namens))? {_NO_NAME}([\w.-]*\w)"
    rf"|\b(?:in|from|inside|within|of) (?:the |my )?{_NO_NAME}([\w.-]*\w) "
    r"(?:(?:sub-?)?folder|directory)\b",
    re.IGNORECASE,
)


def _folder_words(text: str) -> str:
    """The words of a name: `Case_17`, `case-17` and `case 17` are written for one another."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def fact_named(text: str) -> str:
    """The measure that a text names, such as E4; empty if it names none that exists."""
    found = (f"{letter.upper()}{number}" for letter, number in _FACT.findall(text))
    return next((it for it in found if it in MEANINGS), "")


def term_named(text: str) -> str:
    """The glossary's term that a text is about; else what stands in quotes, or its last words."""
    text = re.sub(r"\b(?:the|this|that|these|those) maps?\b", "heat map", text)  # mAP is another
    quoted = _QUOTED.search(text)
    if quoted and explain_term(quoted[1]):
        return quoted[1]
    names = [
        name for rows in glossary().values() for it in rows for name in (it.term, *it.names) if name
    ]
    found = [
        name
        for name in names
        if re.search(rf"(?<![\w-]){re.escape(name)}s?(?![\w-])", text, re.IGNORECASE)
    ]
    if found:
        # The words around a term are often terms themselves: "what does the verdict copy mean".
        return max(found, key=lambda name: (name.lower() not in _AROUND, len(name)))
    if quoted:
        return quoted[1]
    unknown = [word for word in re.findall(r"[\w-]+", text) if word.lower() not in _PLAIN]
    return unknown[-1] if unknown else text.strip(" ?.!")


_AROUND = {"hit", "verdict", "gallery", "tool", "report", "model", "case", "evidence", "word"}


_PLAIN = {
    *"""a an the of on in at to for from by with and or is are was be this that it its what whats
    does do did mean means meaning explain explanation define definition please me my i you we us
    can could would word term your report says say said saying tell understand dont don't don t know
    how read stands stand signify signifies about in plain simple words english again there here
    reader judge lady old newspaper language notion sense need def sop heck que veut dire was
    bedeutet significa qué""".split()  # noqa: SIM905 - a list of words reads better as words
}
"""Words around a term."""


def formats_named(text: str) -> tuple[str, ...]:
    """The formats of a report; html if none is named.

    Only formats that are called by their names are several: "a PDF to print" is one file.
    """
    wanted = re.sub(r"\b(?:not|no|instead of|rather than)\s+(?:an?\s+|as\s+)*\w+", " ", text)
    called = dict.fromkeys(
        "bundle" if it.lower() == "zip" else it.lower()
        for it in re.findall(r"\b(?:csv|json|pdf|html|zip|bundle)\b", wanted, re.I)
    )
    if len(called) > 1:
        return tuple(called)
    named = (it for it, words in _FORMATS.items() if re.search(words, wanted, re.I))
    return (next(named, "html"),)


def _without_dates(text: str) -> str:
    return re.sub(r"\b(?:19|20)\d\d\b", " ", text)
