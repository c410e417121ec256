"""Requests too short or too plain to be left to a reading, in the languages that rules know.

A wrong reading of them would be harmful or absurd: "who made this?" read as "which are real?" lists
nothing, and an empty list reads as an all-clear.
"""

import re

from assistant.agent.requests import slots
from assistant.agent.requests.conditions import is_a_condition
from assistant.agent.requests.groups import (
    TO,
    exception_order,
    numbered_order,
    ordered_act,
    split_exception,
)
from assistant.agent.requests.instructions import orders
from assistant.agent.requests.list_words import asks_for_marks, group_order, list_question
from assistant.agent.requests.plans.claims import CLAIM, asks_a_claim
from assistant.agent.requests.plans.deletions import DELETION, asks_to_delete
from assistant.agent.requests.plans.how_to import kind_of
from assistant.agent.requests.plans.originals import ORIGINAL, asks_for_an_original
from assistant.agent.requests.plans.references import (
    REFERENCE,
    SEARCHED_WITH,
    asks_to_search_with,
    asks_what_was_searched_with,
)

_ALTERED = (
    r"(?:altered|forged|fake[d]?|changed|manipulated|edited|tampered(?: with)?|swapped|"
    r"verändert|gefälscht|manipuliert|bearbeitet)"
)
_HELLO = (
    r"yo|hi|hey|hello|hallo|hullo|howzit|moin|servus|hola|salut|bonjour|coucou|oi|olá|hoi|hej|"
    r"cześć|merhaba|good (?:morning|afternoon|evening)|guten (?:morgen|tag|abend)|bom dia|"
    r"boa (?:tarde|noite)|buen(?:os|as) (?:días|tardes|noches)|buongiorno|buonasera|dzień dobry"
)
_THANKS = (
    r"thanks|thank you|thx|ty|tysm|cheers|danke|merci|gracias|grazie|obrigad[oa]|dank je(?: wel)?|"
    r"bedankt|dzięki|dziękuję|teşekkürler"
)
_HITS = r"(?:hits? #?\d+|#?h ?\d+)(?:(?: ?, ?(?:and )?| and | & | ?\+ ?)(?:#?h ?\d+|#?\d+))*"
_ONE = (
    r"(?:it|this|that|(?:this|that|the) (?:picture|photo|image|one)|(?:hit )?h ?\d+|hit \d+|"
    r"dieses bild|das bild)"
)
_COURTESY = re.compile(
    r"^(?:(?:please|pls|plz|bitte|now|actually|ok(?:ay)?|then|and)[ ,]+)+"
    r"|[ ,]+(?:please|pls|plz|bitte)(?=\W*$)",
    re.IGNORECASE,
)
_WHOLE = tuple(
    (re.compile(rf"{words}\W*", re.IGNORECASE), name)
    for words, name in (
        (r"undo(?: (?:that|it|this))?", "undo"),
        (r"(?:what|which|any|are there any|show(?: me)?|list) (?:(?:all|the|my|our|of) )*notes"
         r"(?: (?:are|is|do|did|have|there|i|we|written|write|made|make|so|far|here))*", "reviews"),
        (r"undo (?:everything|all)(?: (?:of it|of that|that|i|we|have|did|done|marked|"
         r"changed|so|far|today|my|the|changes|decisions|marks|notes))*", "undo"),
        (r"what (?:do|does)\b.{0,12} (?:colou?rs?|red|yellow) .{0,30}\bmaps?\b.{0,20}", "term"),
        (r"(?:let's )?(?:start|begin) (?:over|again|afresh|anew)", "clear_filter"),
        (r"(?:delete|erase|wipe|destroy) (?:this|the|my)(?: whole| entire)? "
         r"(?:case|chat|conversation|session)(?: for good| permanently)?", "about_privacy"),
        (r"why|warum|wieso", "why"),
        (rf"(?:warum|wieso|weshalb) (?:ist|steht|war) {_ONE} "
         r"(?:hier|da|dabei|(?:in|auf) der liste)", "why"),
        (rf"(?:{_HELLO})(?:[ ,]+(?:there|unmask|again|all|everyone))?", "greeting"),
        (rf"(?:(?:ok(?:ay)?|great|perfect)[ ,.!]+)?(?:{_THANKS})"
         r"(?: (?:so|very) much| a lot| vielmals| schön| beaucoup| mille| fr)?", "thanks"),
        (r"(?:and )?(?:the )?\w+ (?:one |hit |picture )?from the (?:bottom|end)", "why"),
        (r"(?:find|search for|look for) "
         r"(?:(?:this|that|the same) (?:person|man|woman|face)|her|him|them)(?: again)?"
         r"(?:[ ,]+(?:(?:only|just|the) )*top \d+)?", "find"),
        (r"where|wo", "where"),
        (rf"(?:where|wo)\b[^?.!]{{0,70}} {_ALTERED}(?: aus)?", "where"),
        (r"more|mehr", "more"),
        (r"export(?: the report)?", "export"),
        (r"help|hilfe|what (?:should|can) i do (?:next|now)|what now", "about_abilities"),
        (r"(?:zeige?|liste)(?: mir)?(?: bitte)? (?:die|alle) (?:echten|authentischen)\b.{0,20}",
         "which_genuine"),
        (r"(?:zeige?|liste)(?: mir)?(?: bitte)? (?:die|alle) (?:gefälschten|fälschungen)\b.{0,20}",
         "which_fake"),
        (r"un-?hide (?:them|all|these|those|everything)(?: (?:of them|again|now))*"
         r"|un-?hide (?:(?:all|the) )*hidden (?:ones|hits|pictures)"
         r"|show(?: me)? (?:(?:all|the) )*hidden (?:ones|hits|pictures) again",
         "unmark"),
        (rf"(?:is|are|was|were) {_HITS} (?:(?:already|now|still|both|currently) )*"
         r"(?:hidden|confirmed|rejected|marked)(?: (?:now|already|yet|by me))*", "reviews"),
        (rf"mache? (?:die |meine )?entscheidung (?:zu|bei|für|über) {_HITS} rückgängig", "unmark"),
        (rf"(?:and )?(?:where|from where) (?:is|was|does|did) (?:{_ONE}|(?:this|that|the) file)"
         r"(?: (?:come|taken|come here|copied|downloaded))?(?: from)", "file_facts"),
        (rf"(?:is|are) {_HITS} (?:among|in|on) (?:them|these|those|the (?:list|hits|results))",
         "file_facts"),
        (rf"(?:when|what (?:date|day)) (?:was|were)\b.{{0,20}}\b{_ONE} (?:taken|shot|photographed)",
         "file_facts"),
        (rf"(?:wann wurde|quand a été prise|cuándo se tomó|quando è stata scattata) {_ONE}"
         r"(?: aufgenommen| gemacht)?", "file_facts"),
        (r"(?:which|what) (?:is|one is) the (?:newest|oldest|latest|earliest)"
         r"(?: (?:picture|photo|image|hit|one|file))?(?: of (?:them|these|the hits))?",
         "file_facts"),
        (r"(?:export|save|download|give me|make|create|write|generate|prepare|build)(?: me)?"
         r"(?: an?| the)? (?:(?:\w+ )?report|pdf|csv|json|html|zip)\b.{0,60}", "export"),
        (r"(?:(?:no|nope|sorry|oops|wait|hm+)\W+)*not (?:hit |number |h ?)?\d+\W+"
         r"(?:(?:but|rather|i|it's|mean|meant|is)\W+)*(?:hit |number |h ?)?\d+", "correction"),
    )
)  # fmt: skip
"""Patterns of the whole text."""

_WITH_REASON = re.compile(
    rf"^(?P<order>(?:\w+(?: \w+)? )??"
    rf"(?:h ?\d+ ?{TO} ?h? ?\d+|{_HITS})"
    r"(?: (?:as |to )?(?:confirmed|rejected|hidden))?)"
    r"(?: ?[,;:.–—]+ ?| - | (?=(?:because|since|weil|denn)\b))"
    rf"(?!\W*(?:and|but(?! not)|or|if|unless|only|except|no|wait|und|aber|oder|wenn)\b)"
    rf"(?!{_HITS} (?!is\b|was\b|has\b|looks?\b|shows?\b)|{_HITS}\W*$)\S",
    re.IGNORECASE,
)


def order_with_reason(text: str) -> tuple[str, str] | None:
    """The mark that a text orders and its words, if a reason follows them: "reject H5, not him".

    The reason may name other hits, or look like a comparison: only the order's own words count.
    """
    found = _WITH_REASON.match(_COURTESY.sub("", " ".join(text.replace("’", "'").split())))
    act = ordered_act(found["order"]) if found else ""
    return (act, found["order"]) if found and act and orders(text, act) else None


QUOTED = r"(?:\"[^\"]+\"|“[^”]+”|‘.+?’(?!\w)|(?<!\w)'.+?'(?!\w))"
"""Words in quotation marks; an apostrophe within a word is none."""

_JOINED = re.compile(r"[\s,;.]*(?:and|then|also|&|und)\b", re.IGNORECASE)

NOTE = "note"
"""A class that no reading names: only words that plainly dictate a note are one."""

_NOTED = re.compile(
    r"^\W*(?:please\s+)?(?:(?P<down>(?:write|jot|note)\s+down\s+that\s+)|"
    r"(?:(?:add|write|keep|make|put|leave|take)\s+)?(?:(?:an?|this|my|the)\s+)?"
    r"(?:notes?|comment)\s+(?:for|on|to|about|beside)\s+)(?P<hit>[^:\"“'‘]{1,30}?)\s*"
    r"(?(down)(?:(?<=\d\s)|(?<=\bit\s))|(?:,?\s*(?:saying|that (?:says|reads)|"
    r"reading|with the (?:words|text))\b\s*:?|:))\s*"
    rf"(?:(?P<quoted>{QUOTED})(?P<rest>.*)|(?P<text>[^\"“'‘\s].*))$",
    re.IGNORECASE | re.DOTALL,
)
"""Words in quotation marks end with them; what joins them is another request."""

_UNNOTED = re.compile(
    r"^\W*(?:please\s+)?(?:delete|remove|erase|drop)\s+(?:the|my|that)\s+(?:note|comment)"
    r"(?:\s+(?:for|on|to|of|from|about)\s+(?P<hit>[^:]{1,30}?))?\W*$",
    re.IGNORECASE,
)


def dictated_note(text: str) -> tuple[str, str] | None:
    """The words for the hit, and the note to keep (empty: remove it); None if there is none."""
    plain = text.strip()
    if match := _NOTED.match(plain):
        if match["text"]:
            return match["hit"], match["text"].strip()
        if not match["rest"].strip(" .!,;"):
            return match["hit"], match["quoted"][1:-1].strip()
        joined = _JOINED.match(match["rest"])  # the note is one of several requests
        return None if joined else (match["hit"], plain[match.start("quoted") :])
    if match := _UNNOTED.match(plain):
        return match["hit"] or "", ""
    return None


def note_and_more(text: str) -> tuple[str, str] | None:
    """The words that dictate a quoted note, and the request after them; None if there is none."""
    match = _NOTED.match(text.strip())
    joined = _JOINED.match(match["rest"]) if match and match["rest"] else None
    if match is None or joined is None:
        return None
    return text.strip()[: match.start("rest")], match["rest"][joined.end() :].strip()


_WHO = (
    r"(?:who(?:'s| is| was| has| could have| might have)?|when|with (?:what|which)\b.{0,25}|"
    r"what (?:app|software|program|programme|tool|ai|model|generator)|"
    r"wer|wann|womit|mit (?:was|welche\w*)\b.{0,25}|"
    r"qui(?: est-ce qui)?|quand|avec (?:quoi|quel\w*)\b.{0,25}|"
    r"quién|quien|quiénes|cuándo|con (?:qué|que)\b.{0,25}|chi|quando|con (?:cosa|quale|"
    r"che)\b.{0,25}|"
    r"quem|com (?:quê|que|qual)\b.{0,25}|wie|wanneer|waarmee|kto|kiedy|czym)"
)
_MADE = (
    r"(?:made?|mak(?:es?|ing)|fait|fatto|hizo|hicieron|hecho|fez|fizeram|feito|gemaakt|maakte|"
    r"gemacht|is behind|"
    r"(?:creat|cread|creó|creò|criou|criad|cré|fabri[ck]|forg(?=e|ing)|fak(?=ed\b|ing|e th)|"
    r"produ[cit]|gener|génér|"
    r"manip|photoshop|doctored|edited|swapped|erstell|erzeug|gefälsch|fälscht|hergestell|truqu|falsif|réalis|"
    r"trafiqu|vervals|gefabric|zrobi|stworz|sfałsz|wygener|sfabryk)\w*)"
)
_THIS = (
    r"(?:this|these|it|them|those|h\d+|(?:the|dies\w*|die|das|ces?|cette|cet|l[ae]s?|est[aeo]s?|"
    r"quest[aeo]|essas?|esses?|deze|die|dit|te|tę|to|ten)\b)"
)
_ORIGIN = re.compile(
    rf"^\W*(?:(?:and|so|und|et|y|e|en|a|but|tell me|do you know|can you tell me) )?"
    r"(?!.*\b(?:my|degree|certainty|probability|confidence|wahrscheinlichkeit|sicherheit|"
    rf"certitude|probabilit\w+|certeza|certezza)\b){_WHO}\b"
    rf"(?=.{{0,60}}\b{_MADE}\b)(?=.{{0,60}}\b{_THIS})[^.!;,?]{{0,80}}[?.!\s]*$"
    r"|\b(?:for what reason|what for|why)\b.{0,25}\b(?:did|would|should|was|were)\b.{0,25}"
    r"\b(?:someone|somebody|anyone|anybody|they|he|she|he or she)\b.{0,25}"
    r"\b(?:make|made|create|fake|forge|do|want)\b",
    re.IGNORECASE,
)
_WHY_NOT = re.compile(
    r"^\W*(?:how come,? )?(?:why|warum|wieso|weshalb|pourquoi|por qu[eé]|perché|waarom|"
    r"dlaczego)\b.{0,40}"
    r"(?:n'?t\b|\b(?:not?|nicht|keine?|pas|non|não|niet|nie)\b).{0,50}\b(?:say|call|mark|count|flag|decide|"
    r"fake|forge|impersonation|sure|gefälscht|fälschung|faux|fausse|truqu|fals|nep|vals|fałsz|podrób)",
    re.IGNORECASE,
)
_DELETION = re.compile(
    r"\b(?:delete?|delet|erase|forget|remove|wipe|get rid of|lösch\w*|vergiss|effac\w*|supprim\w*|"
    r"oubli\w*|borr\w*|elimin\w*|cancell\w*|dimentic\w*|apag\w*|esquec\w*|verwijder\w*|wis|vergeet|"
    r"usu[nń]\w*|zapomnij)\b.{0,40}"
    r"\b(?:(?:everything|all (?:data|traces|records|information)|all (?:that )?(?:you|there)|"
    r"anything|data|traces|biometric\w*|alles|alle daten|daten|tout|toutes|données|todo|todos los|"
    r"datos|tutto|dati|tudo|dados|gegevens|wszystko|dane)\b)"
    r"|\b(?:delete|erase|forget|remove|wipe|lösche?)\b.{0,12}\b(?:(?:this|that|the) (?:person|man|"
    r"woman|guy|girl|boy|lady)|him|her|diese (?:person|frau)|diesen mann)\b(?! photo| picture)"
    r".{0,12}\b(?:from|out of|aus|completely|forever|for good)\b"
    r"|\b(?:right to be forgotten|right to erasure|droit à l'oubli|derecho al olvido)\b",
    re.IGNORECASE,
)
_NOT_DATA = re.compile(
    r"\b(?:list|results?|hits?|screen|view|marks?|decisions?|liste|filter\w*|above|instructions?|"
    r"rules|told|said|regras|règles|regeln|reglas|regole|regels|zasady|instruções|anweisungen|"
    r"instrucciones|istruzioni)\b|\bh\d",
    re.IGNORECASE,
)
_SAME_PERSON = re.compile(
    r"\b(?:ist|war|sind|zeigt)\b.{0,20}\b(?:wirklich|tatsächlich|echt|eigentlich)?\s*"
    r"\b(?:er|sie|dieselbe person|(?:derselbe|dieselbe)(?! (?!mann\b|frau\b|typ\b)\w)|"
    r"die gleiche person)\b(?!.{0,40}\b(?:gefälscht|"
    r"echt|fälschung|manipuliert|verändert|bearbeitet))"
    r"|\b(?:c'est|c'était|est-ce|était-ce)\b.{0,20}\b(?:bien|vraiment)\s+(?:lui|elle)\b"
    r"|\b(?:est-ce|c'est|c'était) (?:la même personne|lui|elle)\b"
    r"|\b(?:es|era) (?:de verdad |realmente )?(?:él|ella|la misma persona)\b"
    r"|\b(?:è|era) (?:davvero |proprio |veramente )?(?:lui|lei|la stessa persona)\b"
    r"|\b(?:é|era) (?:mesmo |realmente )?(?:ele|ela|a mesma pessoa)\b"
    r"|\b(?:is|was) (?:dat|dit|het|hij|zij)\s+(?:echt |wel )?(?:hij|hem|haar|zij|"
    r"dezelfde persoon)\b"
    r"|\bczy to (?:naprawdę |była? )*(?:on|ona|ta sama osoba)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:nicht|pas|non|no|não|niet|nie)\b", re.IGNORECASE)


def asks_about_a_folder(text: str) -> bool:
    """Whether a text asks for the hits of a folder that it calls one, and orders no mark."""
    return (
        slots.speaks_of_a_folder(text)
        and _LISTS.match(text) is not None
        and not ordered_act(text)
        and split_exception(text) is None
    )


_LISTS = re.compile(
    r"\W*(?:(?:and|so|now|please|also)\W+)*(?:which|what|any\w*|are|is|do|does|show|list|only|just|"
    r"give me|how many|filter|who|hits|those|the (?:ones|hits|fakes)|fakes|can you (?:show|list))\b"
    r"(?!.*\b(?:add|index|search|import|remove|delete|other than|outside|not|clear|regardless)\b)",
    re.IGNORECASE,
)

_BY_WORDS = (
    (DELETION, asks_to_delete),
    (SEARCHED_WITH, asks_what_was_searched_with),
    (REFERENCE, asks_to_search_with),
    (ORIGINAL, asks_for_an_original),
    ("reviews", asks_for_marks),
    (CLAIM, asks_a_claim),
)
"""Classes that one subject's words name."""


def plain_request(text: str) -> str | None:
    """The class of a text that needs no reading; None for any other text."""
    plain = " ".join(text.replace("’", "'").split())
    core = _COURTESY.sub("", plain)
    whole = next((name for it, name in _WHOLE if it.fullmatch(plain) or it.fullmatch(core)), None)
    if whole is not None:
        return whole
    if dictated_note(text) is not None:
        return NOTE
    if reasoned := order_with_reason(plain):
        return reasoned[0]
    if named := next((name for name, asks in _BY_WORDS if asks(core)), "") or kind_of(core):
        return named
    if asks_about_a_folder(core):
        return "filter_folder"
    if listed := (
        numbered_order(core) or exception_order(core) or group_order(core) or list_question(core)
    ):
        return listed
    if _ORIGIN.search(plain):
        return "unanswerable"
    if _DELETION.search(plain) and not _NOT_DATA.search(plain):
        return "about_privacy"
    if _WHY_NOT.search(plain):
        return "why"
    if is_a_condition(plain):
        return "clear_filter"  # all hits, of which those are listed that the words leave
    is_asked = _SAME_PERSON.search(plain) and not _NEGATED.search(plain)
    return "same_person" if is_asked else None
