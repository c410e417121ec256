"""Verdict words, and words that carry no verdict: how a model's free text is read.

Verdict words (about forgery, identity or an empty result) belong to the application, which writes
them at a cited fact. Requests, offers and refusals consist of words that carry no verdict; as these
include no verb of being, showing or finding, no sentence of them claims anything about a face.
English only: other languages are not read.
"""

import re
import unicodedata

_STEMS = (
    "fake", "faking", "fakery", "forge", "forging", "genuin", "authentic", "synthe", "manipul",
    "imperson", "impost", "tamper", "doctored", "counterfeit", "fabricat", "fraud", "bogus",
    "phon(?:e)?y", "sham", "hoax", "swap", "morph", "deepf", "generated", "photoshop", "retouch",
    "alter", "edited", "pristine", "untouched", "legit", "trustworth", "original", "duplicat",
    "lookalike", "doppel", "identical", "clone", "spoof", "artificial", "airbrush", "unreal",
    "inconclusive", "bonafide", "pretend", "replica", "imitat", "simulat", "render",
)  # fmt: skip
_WORDS = (
    "real", "really", "true", "false", "truly", "ai", "cgi", "gan", "same", "different", "other",
    "another", "others", "else", "stranger", "strangers", "twin", "copy", "copies", "copied",
    "nothing", "none", "nobody", "clean", "safe", "verified", "proof", "proven", "proves", "match",
    "matches", "matched", "mismatch", "alike", "similar", "resembles", "unlike", "suspicious",
    "suspect", "suspects", "innocent", "guilty", "found", "made-up",
)  # fmt: skip

_OURS = frozenset(
    """
    a an the of on at to for from by with about and or if then so first next now again once more
    also i me you we us could can may might will would shall should cannot can't until
    please want wish like need ask tell give add drop choose pick select click press type name
    send upload attach open run start begin continue try explain describe compare search
    help answer wait mean photo photos picture pictures image images hit hits gallery folder
    folders file files panel button page screen tool tools question questions measurement
    measurements evidence details which what when where how do me
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
"""None of these words states what something is, has or shows, or whose it is."""

_ACTS = (
    "ask|tell|give|add|drop|choose|pick|select|click|press|type|name|send|upload|attach|open|run|"
    "start|begin|continue|try|explain|describe|compare|search|help|answer|wait"
)
_ACT = re.compile(
    rf"(?:please |then |now |first |next )*(?:(?:{_ACTS})\b|(?:i|we|you) (?:can|could|may|might|"
    r"will|would|shall|should|cannot|can't|want|need)\b|(?:shall|should|may|can|could|would) "
    r"(?:i|we|you)\b|do you (?:want|mean|need)\b|(?:which|what|how|where) [a-z ]*\bdo you mean\b|"
    r"if you (?:want|wish|like)\b)[a-z' ]*[.?!]",
    re.IGNORECASE,
)
"""An act that is requested, offered or refused, in one clause: a bare noun would be a claim."""

_ABOUT_THE_WORKSPACE = frozenset(
    """
    it its they them their theirs these those this that he him his she her hers one ones both all
    every everyone everybody everything each any anyone anybody anything someone somebody something
    tool tools measurement measurements measured some many most few several half first second third
    last you your yours we us our here there person people man men
    woman women guy guys lady face faces photo photos picture pictures image images hit hits result
    results gallery collection folder query match matches search video videos portrait portraits
    shot file files head eye eyes nose mouth skin hair verdict verdicts evidence yes no nope yeah
    yep sure surely certainly definitely absolutely indeed correct exactly right wrong course doubt
    affirmative negative obviously clearly undoubtedly guaranteed confirmed confirm
    """.split()  # noqa: SIM905
)
_ENGLISH = frozenset(
    """
    a an the of in on at to for from by with about and or but if so as than i you we me my your is
    are was were be been do does did can could will would have has had not no there here what who
    how when where why just very
    """.split()  # noqa: SIM905
)

_LONGEST = 15
_PLAIN = re.compile(r"[A-Za-z\s.,;:!?'\"()\-–—…’‘“”/&]*")
_LOOKS_LIKE = str.maketrans(
    "аеорсухіѕјԁһոԛԝαορντιкмвнт01345789@$",
    "aeopcyxisjdhnqwaopvtikmbhtoleastbgas",
)
_INSIDE = re.compile(r"[!|](?=\w)")
"""Marks that stand for an "i" when a letter follows."""

_DECIDING = re.compile(rf"(?:{'|'.join(_STEMS)})")


def find_verdict_word(text: str) -> str | None:
    """The first verdict word of a text, however it is spelt; None if there is none.

    Look-alike letters, digits for letters, invisible characters and blanks between letters count as
    the letters that they stand for.
    """
    plain = _plain(text)
    for word in re.findall(r"[a-z'-]+", plain):
        if _DECIDING.search(word.replace("-", "").replace("'", "")) or word in _WORDS:
            return str(word)
    joined = re.sub(r"[^a-z]", "", plain)
    found = _DECIDING.search(re.sub(r"(.)\1+", r"\1", joined)) or _DECIDING.search(joined)
    return found[0] if found else None


def _plain(text: str) -> str:
    """The text as lower-case letters, with look-alike characters mapped to ASCII."""
    apart = unicodedata.normalize("NFKD", text).replace("’", "'")
    seen = "".join(it for it in apart if unicodedata.category(it)[0] not in "MC" or it.isspace())
    return _INSIDE.sub("i", seen.lower()).translate(_LOOKS_LIKE)


def tokenize(text: str) -> list[str]:
    """The words of a text, lower-case."""
    return re.findall(r"[a-z]+(?:['’-][a-z]+)*", text.lower())


def is_plain_text(text: str) -> bool:
    """Whether a text consists of unaccented Latin letters and punctuation only."""
    return _PLAIN.fullmatch(text) is not None


def is_non_assertive(text: str) -> bool:
    """Whether a sentence requests, offers or refuses an act, in words that carry no verdict."""
    plain = text.replace("’", "'")
    return _ACT.fullmatch(plain) is not None and all(word in _OURS for word in tokenize(plain))


def is_off_topic(text: str) -> bool:
    """Whether a sentence is English, mentions nothing in the workspace and is not a yes."""
    said = [part for word in tokenize(text) for part in re.split("[-’']", word)]
    english = sum(word in _ENGLISH or word in _OURS for word in said)
    # A word that long is several words written as one.
    clear = is_plain_text(text) and len(said) > 2 and max(map(len, said)) < _LONGEST
    return clear and 2 * english >= len(said) and not _ABOUT_THE_WORKSPACE & {*said}
