"""Requests too short or too plain to be left to a reading, in the languages that rules know.

A wrong reading of them would be harmful or absurd: "who made this?" read as "which are real?" lists
nothing, and an empty list reads as an all-clear.
"""

import re

from assistant.agent.requests.conditions import is_a_condition

_ALTERED = (
    r"(?:altered|forged|fake[d]?|changed|manipulated|edited|tampered(?: with)?|swapped|"
    r"verändert|gefälscht|manipuliert|bearbeitet)"
)
_WHOLE = tuple(
    (re.compile(rf"{words}\W*", re.IGNORECASE), name)
    for words, name in (
        (r"undo(?: (?:that|it|this))?", "undo"),
        (r"why|warum|wieso", "why"),
        (r"(?:and )?(?:the )?\w+ (?:one |hit |picture )?from the (?:bottom|end)", "why"),
        (r"(?:find|search for|look for) (?:this|that) (?:person|man|woman|face)", "find"),
        (r"where|wo", "where"),
        (rf"(?:where|wo) (?:was|is|were|has|wurde|ist|sieht)\b[^?.!]{{0,40}} {_ALTERED}"
         r"(?: aus)?", "where"),
        (r"more|mehr", "more"),
        (r"export(?: the report)?", "export"),
        (r"help|hilfe|what (?:should|can) i do (?:next|now)|what now", "about_abilities"),
        (r"(?:zeige?|liste)(?: mir)?(?: bitte)? (?:die|alle) (?:echten|authentischen)\b.{0,20}",
         "which_genuine"),
        (r"(?:zeige?|liste)(?: mir)?(?: bitte)? (?:die|alle) (?:gefälschten|fälschungen)\b.{0,20}",
         "which_fake"),
        (r"mark [H\d, and]+ as confirmed", "confirm"),
        (r"mark [H\d, and]+ as rejected", "reject"),
        (r"hide [H\d, and]+", "hide"),
        (r"take back my decision on [H\d, and]+", "unmark"),
    )
)  # fmt: skip
"""Patterns of the whole text; the last ones are what the application itself offers."""

NOTE = "note"
"""A class that no reading names: only words that plainly dictate a note are one."""

_NOTED = re.compile(
    r"^\W*(?:please\s+)?(?:(?:(?:add|write|keep|make|put|leave|take)\s+)?(?:(?:an?|this|my|the)\s+)?"
    r"notes?|comment)\s+(?:for|on|to|about|beside)\s+(?P<hit>[^:]{1,30}?)\s*:\s*(?P<text>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_UNNOTED = re.compile(
    r"^\W*(?:please\s+)?(?:delete|remove|erase|drop)\s+(?:the|my|that)\s+(?:note|comment)"
    r"(?:\s+(?:for|on|to|of|from|about)\s+(?P<hit>[^:]{1,30}?))?\W*$",
    re.IGNORECASE,
)


def dictated_note(text: str) -> tuple[str, str] | None:
    """The words for the hit, and the note to keep (empty: remove it); None if there is none."""
    plain = text.strip()
    if match := _NOTED.match(plain):
        return match["hit"], match["text"].strip()
    if match := _UNNOTED.match(plain):
        return match["hit"] or "", ""
    return None


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
    r"(?:made|make|makes|create[ds]?|fabricat\w+|forged|forging|faked|faking|fake th\w+|produced?|"
    r"generated?|manipulated?|"
    r"photoshopped|doctored|edited|swapped|is behind|gemacht|erstellt\w*|erzeugt\w*|gefälscht|"
    r"fälschte|hergestellt|manipuliert|fabriqué\w*|créé\w*|truqué\w*|falsifié\w*|généré\w*|"
    r"produit\w*|réalisé\w*|trafiqué\w*|fait|hizo|hicieron|creó|fabricó|falsificó|generó|manipuló|"
    r"hecho|creado|ha fatto|ha creato|ha prodotto|ha falsificato|creato|fatto|falsificato|generato|"
    r"fez|fizeram|criou|fabricou|falsificou|gerou|feito|criado|gemaakt|vervalst\w*|maakte|"
    r"gefabriceerd|zrobił\w*|stworzył\w*|sfałszował\w*|wygenerował\w*|sfabrykował\w*)"
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
    r"\bwhy\b.{0,25}(?:n'?t\b|\bnot\b).{0,50}"
    r"\b(?:say|call\w*|mark\w*|count\w*|flag\w*|decide|fakes?|forged|forgery|impersonation|sure)\b"
    r"|\b(?:warum|wieso|weshalb)\b.{0,40}\bnicht\b.{0,40}\b(?:gefälscht|fälschung|fake|falsch)"
    r"|\bpourquoi\b.{0,40}\bpas\b.{0,40}\b(?:faux|fausse|truqu|fake|falsifi)"
    r"|\bpor qué no\b.{0,50}\b(?:fals|fake)|\bperché non\b.{0,50}\b(?:fals|fake)"
    r"|\bpor que não\b.{0,50}\b(?:fals|fake)|\bwaarom\b.{0,40}\bniet\b.{0,40}\b(?:nep|vals|fake)"
    r"|\bdlaczego nie\b.{0,50}\b(?:fałsz|podrób|fake)",
    re.IGNORECASE,
)
_DELETION = re.compile(
    r"\b(?:delete?|delet|erase|forget|remove|wipe|get rid of|lösch\w*|vergiss|effac\w*|supprim\w*|"
    r"oubli\w*|borr\w*|elimin\w*|cancell\w*|dimentic\w*|apag\w*|esquec\w*|verwijder\w*|wis|vergeet|"
    r"usu[nń]\w*|zapomnij)\b.{0,40}"
    r"\b(?:(?:everything|all (?:data|traces|records|information)|all (?:that )?(?:you|there)|"
    r"anything|data|traces|biometric\w*|alles|alle daten|daten|tout|toutes|données|todo|todos los|"
    r"datos|tutto|dati|tudo|dados|gegevens|wszystko|dane)\b)"
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
    r"\b(?:er|sie|dieselbe person|derselbe|dieselbe|die gleiche person)\b(?!.{0,40}\b(?:gefälscht|"
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
_MORE_FORGED = re.compile(
    r"\b(?:more|most|less|worse|likelier|rather|mehr|stärker|eher|plus|más|più|mais|meer|"
    r"bardziej)\b"
    r"(?: (?:likely|probably|heavily|strongly|obviously))*(?: (?:to be|a))*"
    r"\s*(?:manipulat\w*|forged|fake[dr]?|altered|edited|doctored|swapped|suspicious|suspect|"
    r"gefälscht|manipuliert|verändert|truqué\w*|falsifié\w*|fauss?e?|manipulé\w*|fals\w*|"
    r"manipolat\w*|"
    r"vervalst|gemanipuleerd|sfałszowan\w*)?\b",
    re.IGNORECASE,
)
_FORGED = re.compile(
    r"\b(?:manipulat|forge|fake|alter|edit|doctor|swap|worse|susp|gefälscht|manipul|veränder|truqu|"
    r"falsifi|fau[sx]|fals|vervalst|gemanip|sfałsz|impersonat)\w*",
    re.IGNORECASE,
)


def plain_request(text: str) -> str | None:
    """The class of a text that needs no reading; None for any other text."""
    plain = " ".join(text.replace("’", "'").split())
    whole = next((name for pattern, name in _WHOLE if pattern.fullmatch(plain)), None)
    if whole is not None:
        return whole
    if dictated_note(text) is not None:
        return NOTE
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


def asks_which_is_more_forged(text: str) -> bool:
    """Whether a text asks which of several hits is the more likely forgery."""
    return _MORE_FORGED.search(text) is not None and _FORGED.search(text) is not None
