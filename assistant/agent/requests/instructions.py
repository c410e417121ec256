"""Whether words order an action: "mark H3 as real" does, "he swears that H3 is real" does not.

A reading says which action a text is about. The application acts only if the words also order it:
they name the action, outside of questions, doubts, conditions and what other people say. Everything
else is asked back, because a decision that nobody made is worse than one more question.
"""

import re
from collections.abc import Mapping, Sequence

ACTS = ("confirm", "reject", "hide", "unmark", "undo", "export")
"""Requests that change something."""


def orders(text: str, act: str) -> bool:
    """Whether a text orders an action, one of `ACTS`."""
    plain = " ".join(text.replace("’", "'").split())
    sentences = re.findall(r"[^.;!?]+(?:\.(?=\w)[^.;!?]+)*[.;!?]*", plain)
    return any(_orders(sentence.strip(), act) for sentence in sentences)


def only_asks(text: str) -> bool:
    """Whether a text asks for an answer, and orders nothing that a list is to show.

    "Which are from 2019?" does, "can you show those from 2019?" does not; "and below 80?" goes on
    with an order.
    """
    plain = " ".join(text.replace("’", "'").split())
    if _TO_BE_SHOWN.search(plain):
        return False
    if _QUESTION.match(plain) is not None or _STATES.match(plain):
        return True
    return plain.endswith("?") and _GOES_ON.match(plain) is None


def doubts(text: str) -> bool:
    """Whether a text doubts a finding, or wants it proven."""
    return _DOUBT.search(text.replace("’", "'")) is not None


def accepted(text: str, offered: Sequence[str]) -> str | None:
    """What a text asks for: after "yes", the one offer before it; None if nothing is to change."""
    plain = text.strip().replace("’", "'")
    if _NO.fullmatch(plain) or _NOTHING.fullmatch(plain):
        return None
    return offered[0] if len(offered) == 1 and _YES.fullmatch(plain) else text


_YES = re.compile(
    r"(?:yes|yep|yeah|yup|y|sure|ok(?:ay)?|do (?:it|that|so)|go ahead|ja|oui|s[ií]|sì|sim|tak)"
    r"(?:[\s,]+(?:please|pls|do (?:it|that|so)|go ahead|bitte|mach das|s'il te plaît|por favor|"
    r"per favore))*\W*",
    re.IGNORECASE,
)
_NO = re.compile(
    r"(?:no|nope|nah|don'?t|rather not|not now|never ?mind|cancel|stop|(?:leave|keep|"
    r"forget) (?:it|that|"
    r"them)|nein|non|não|nee|nie)(?:[\s,.!]+(?:thanks?|thank you|please|don'?t|(?:leave|keep|"
    r"forget) "
    r"(?:it|that|them)|as (?:it is|they are)|never ?mind|danke|merci|gracias|grazie))*\W*",
    re.IGNORECASE,
)


def _orders(sentence: str, act: str) -> bool:
    if _asks(sentence, act):
        return False
    denied = _DENIED.get(act)
    told = _NOT_OWN.sub(" ", sentence)
    return _NAMES[act].search(denied.sub(" ", told) if denied else told) is not None


def _asks(sentence: str, act: str) -> bool:
    """Whether a sentence asks for an answer, not for an action."""
    if _ADVICE.search(sentence) or _CHECK.search(sentence):
        return True
    polite = _POLITE.search(sentence) is not None
    if act in ("confirm", "reject") and _MAY_I.search(sentence):
        return True
    if _QUESTION.match(sentence):
        return not polite
    # "paper trail?" names a thing that the application makes.
    return sentence.endswith("?") and not polite and act not in ("undo", "export")


def _any(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w])(?:{'|'.join(words)})(?![\w])", re.IGNORECASE)


# -- questions and doubts ---------------------------------------------------------------------

_DOUBT = _any(
    r"prove|proof|evidence for|(?:do not|don'?t|cannot|can'?t|hardly) believe|doubt\w*|why|really",
    r"how (?:do|can|could|would) you|are you (?:sure|certain)|says who|nonsense|reason\w*",
    r"warum|wieso|beweis\w*|glaube?\b.{0,20}\bnicht|pourquoi|preuve\w*|prouve\w*|crois pas",
    r"por qu[eé]|prueb\w+|no (?:te )?creo|perch[eé]|prova\w*|non (?:ti |ci )?credo|waarom|bewij\w+",
    r"geloof\b.{0,20}\bniet|dlaczego|dow[oó]d\w*|udowodnij|nie wierz\w+",
)
_QUESTION = re.compile(
    r"(?:(?:and|so|but|ok(?:ay)?|well|hm+|erm|please|sorry|then|und|aber|et|mais|y|pero|e|ma|en|a"
    r"|h\d+(?=[,?:]))[\s,?:]+)*"
    r"(?:why|who|whom|whose|(?:can|could|does|will) (?:undo|a mark|marking|hiding)|what|which|when|"
    r"where|how|is|are|was|were|am|does|did|had|should|shall|"
    r"do (?:i|you|we|they)|(?:has|have) (?:it|you|i|we|they|he|she|the|this|that|h\d+|any\w+)|"
    r"warum|wieso|weshalb|wer|was|wann|wo|wie|welche\w*|ist|sind|war|waren|hat|hast|habe ich|"
    r"soll(?:te)?|darf|muss ich|qui|pourquoi|quand|comment|où|quel\w*|est-ce|dois-je|faut-il|"
    r"por qué|quién|cuándo|cómo|qué|debo|debería|chi|perché|come|devo|dovrei|quem|por que|"
    r"waarom|wanneer|hoe|moet ik|zal ik|kto|dlaczego|kiedy|jak|czy)(?![\w'])",
    re.IGNORECASE,
)
_TO_BE_SHOWN = re.compile(
    r"(?:^\W*|[.?!,;:]\s*|\b(?:and|then|so|please|pls|you|me|(?:can|could|may) i|to|bitte|du|"
    r"mir)\s+)"
    r"(?:(?:please|pls|just|only|now|me|bitte|nur|mal)\s+)*"
    r"(?:show|list|filter|sort|order|rank|display|see|view|limit|narrow|give me|only|just|hide|"
    r"keep|zeige?|liste|filtere?|sortiere?|nur|montre\w*|affiche\w*|muestra\w*|mostra\w*|toon|pokaż)\b"
    r"(?!\s+(?:how|what|which|why|that|if|whether|wie|was|welche)\b)",
    re.IGNORECASE,
)
"""Orders a list, beside a question too: "anything from press? then show only that"."""

_STATES = re.compile(
    r"\W*(?:(?:so|but|and|well|ok(?:ay)?|wait|hm+|honestly)\W+)*(?:since|because|given|if|although|though|"
    r"i (?!want|need|(?:woul)?d|only|just)|you|he|she|they|we (?!want|need)|it|there|none|"
    r"nobody|nothing|"
    r"this|that|these|those)\b.*(?:\b(?:is|are|was|were|am|can|could|must|have|has|had|looks?|seems?|say|said|"
    r"says|think|told|guess|know|see)\b|'(?:s|re|m|ve|d)\b|n't\b)",
    re.IGNORECASE,
)
"""Tells something: "since none is a copy, I can leave that out"."""

_GOES_ON = re.compile(r"\W*(?:and|but|now|or|und|aber|et|y|e)\b", re.IGNORECASE)
_POLITE = _any(
    r"(?:can|could|would|will|may|might|kannst|könntest|können|könnten|würden?|würdest)"
    r" (?:you|u|we|it|i|this|that|the|my|h\d+|du|sie|wir|ich|man|es|das)",
    r"couldya|can u|(?:can|could) this|(?:is|would) it (?:be )?possible to|is there (?:a|"
    r"any) way to|please|pls|bitte|"
    r"peux-tu|pouvez-vous|puedes|podrías|puoi|potresti|podes|pode|poderia|kun je|możesz",
)
_ADVICE = _any(
    r"(?:would|might|is|was) it (?:be )?(?:\w+ )?(?:right|fair|wise|ok|okay|better|correct|safe|"
    r"wrong|sensible|reasonable|appropriate|justified|early)",
    r"(?:should|shall|must|do) (?:i|we)",
    r"(?:soll|sollte|muss) ich|dois-je|(?:debo|debería) yo",
    r"(?:whether|if) (?:i|we|to|you|it|he|she|h\d+|that|this)(?!'| (?:would|could|can|please|don))",
    r"would you (?:ever )?(?:say|confirm|reject|agree|accept|call)|what (?:if|would|happens)",
)
_CHECK = _any(
    r"(?:can|could|will|would) (?:you|anyone|anybody|someone) (?:please )?(?:confirm|verify|"
    r"validate)"
    r" (?:to me |for me )?(?:that|if|whether|this|it|(?:h\d+|he|she|it|the \w+(?: \w+)?|that|this)"
    r" (?:is|was|are|were|really|shows?|has))",
)
"""Wants to be told, not to have something marked: "can you confirm that H3 is fake?"."""

_MAY_I = re.compile(
    r"^\W*(?:and |so )?(?:can|could|may|might) (?:i|we|it|this|that|the|h\d+)\b", re.IGNORECASE
)

# -- what is not the user's own word ----------------------------------------------------------

_ORDER_AGAIN = (
    r"(?:so|and|but|please|pls|then|therefore|kindly|hence|just|now|mark|set|put|remove|reject|"
    r"confirm|hide|take|tick|note|log|save|enter|record|drop|delete|clear|reset|undo|bin|strike|"
    r"treat|flag|label|unmark|lift|leave|approve|dismiss|validate|make|revert)\b"
)
_TO_ITS_END = rf"(?:(?!,\s*{_ORDER_AGAIN}|[,\s]so\s|\s[-–—]\s)[^.;!?:])*"
_SAYS = (
    r"(?:says?|said|saying|swears?|swore|claims?|claimed|tells?|told|thinks?|thought|believes?|"
    r"believed|insists?|insisted|reckons?|argues?|argued|states?|stated|suggests?|suggested|wants?|"
    r"wanted|asks?|asked|asking|maintains?|alleges?|alleged|denies|denied|writes?|wrote|assured?s?|"
    r"promised?|expects?|sagt|sagte|behauptet\w*|meint|glaubt|schwört|dit|prétend|affirme|jure|"
    r"pense|dice|dijo|jura|afirma|cree|piensa|sostiene|giura|crede|pensa|diz|disse|acha|zegt|"
    r"beweert|zweert|denkt|mówi|twierdzi|przysięga)"
)
_NOT_OWN = re.compile(
    rf"(?<![\w'])(?!(?:i|we|to|please|can|will|don'?t|not|ich|je|wir)\s)[\w']+\s+(?:also |still |"
    rf"just |even "
    rf"|all |both |has |have |had |is |are )*{_SAYS}\b{_TO_ITS_END}"
    rf"|\b(?:if|unless|falls|wenn)\b(?!\s+(?:you'd|you (?:would|could|please|can|don)|possible))"
    rf"{_TO_ITS_END}"
    r"|\b(?:i (?:don'?t )?(?:think|believe|guess|suppose|wonder|doubt|feel)|not (?:so |quite |"
    r"really )?sure|"
    rf"unsure|maybe|perhaps|probably|possibly|supposedly|allegedly|apparently|might|could be|"
    rf"looks like|seems|ich glaube|vielleicht|je crois|peut-être|creo que|quizás|forse|misschien)\b"
    rf"{_TO_ITS_END}"
    r"|\b(?!(?:i|we|been|is|are|be|it|as)\s)[\w']+\s+(?:has |have |had )?"
    r"(?:confirmed|rejected|marked|hid|dismissed|approved|verified)\s+(?:it|that|this|the|h\d+)\b"
    rf"{_TO_ITS_END}"
    r"|\b(?:was|were|been|got|being)\s+(?:already |once |never )?"
    rf"(?:confirmed|rejected|hidden|marked|dismissed|accepted|verified)\b{_TO_ITS_END}",
    re.IGNORECASE,
)
"""Reports, conditions and guesses, each up to the words that order something after it."""

_NOT = r"(?:don'?t|do not|dont|never|won'?t|wouldn'?t|can'?t|cannot|not|nicht|no|ne|niet|nie)"
_DENIABLE = {
    "confirm": "confirm|mark|tick|accept|approv|validat|agree|bestätig|conf[ií]rm|conferm",
    "reject": "reject|mark|dismiss|discard|verwerf|verwirf|rejet|rechaz|rifiut",
    "hide": "hide|remov|delet|drop|bin|erase|ausblend|versteck|cache|ocult|nascond",
    "undo": "revert|annul",
    "export": "export",
}
_DENIED: Mapping[str, re.Pattern[str]] = {
    act: re.compile(
        rf"\b{_NOT}\s+(?:yet |going to |want to |want you to |ready to |have to |"
        rf"you )*(?:{verbs})\w*"
        rf"|\b(?:{verbs})\w*\s+(?:h\d+\s+)?(?:nicht|pas|niet)\b",
        re.IGNORECASE,
    )
    for act, verbs in _DENIABLE.items()
}
_ANY_ACT = rf"(?:{'|'.join(_DENIABLE.values())}|blend|chang|änder)\w*"
_NOTHING = re.compile(
    rf"(?:(?:please|bitte)\W+)*(?:{_NOT}\s+{_ANY_ACT}\s+(?:anything|any(?: of them)?|rien|nada)"
    rf"|{_ANY_ACT}\s+(?:nothing|nichts)|nichts\s+{_ANY_ACT})"
    r"(?:\s+(?:else|yet|now|please|bitte|aus|more|hits?))*\W*",
    re.IGNORECASE,
)

# -- the words of each action -----------------------------------------------------------------

_RECORD = (
    r"mark\w*|flag|label|log|record|register|enter|enters|save|store|set|count|treat|put|"
    r"note (?!of)|note|vote|disposition|(?:my|our) (?:call|decision|vote|ruling)|i(?: have|'ve)? "
    r"decided?|markier\w*|kennzeichn\w*|marca\w*|marque\w*|segna\w*|markeer\w*|zaznacz\w*|oznacz\w*"
)
"""Words that write a decision down; which one, the reading says."""

_NAMES: Mapping[str, re.Pattern[str]] = {
    "confirm": _any(
        _RECORD,
        r"confirm\w*|conferm\w*|konfirm\w*|accept|approve|validate|agree|agreed|concur|uphold|"
        r"upheld|tick|tick (?:it|that)|check ?mark|sign\w* (?:\w+ )?off|affirm|certify|"
        r"green ?light|"
        r"verified|true positive|tp|thumbs up|count me in",
        r"bestätig\w*|stimmt|conf[ií]rm\w*|valide\w*|valida\w*|bevestig\w*|potwierd\w*|acepto",
        r"abhaken|haken rein|trag\w*\b.{0,20}\bein|onayla\w*|zatwierd\w*|odnotuj\w*|akkoord|"
        r"visto bueno|reg[ií]stra\w*|coche[rz]?|einzutragen|確認",
    ),
    "reject": _any(
        _RECORD,
        r"reject\w*|rejekt\w*|dismiss\w*|(?:false|wrong) (?:alarm|positive|hit|match)s?|erroneous|"
        r"wrongly|mistake|mistaken|overturn|decline|discard|strike|cross\b.{0,30}\b(?:off|out)|"
        r"rule out|turn\w*\b.{0,20}\bdown|throw|thumbs down|negative|fp|cleared|x it|nope|no "
        r"violation|not accept|disagree|disapprove|decide against|bin",
        r"fehlalarm|ablehn\w*|lehne\b.{0,40}\bab|verwerf\w*|verwirf|rechaz\w*|recház\w*|rejet\w*|"
        r"rejett\w*|fausse alerte|falsa alarma|falso allarme|falso alarme|descart\w*|rifiut\w*|"
        r"scarta\w*|wijs\b.{0,30}\baf|afwijz\w*|odrzu\w*|rejeit\w*",
        r"reddet\w*|ret|abgelehnt|unbegründet|vermerk\w*|afkeur\w*|keur\b.{0,30}\baf|vals alarm|"
        r"respin\w+|reg[ií]stra\w*|registrar|rejeiç\w+|rechaz\w*|boccia\w*|notez\w*|false pos",
    ),
    "hide": _any(
        r"hide|hid|hied|hidden|remove\w*|remvoe|delete|del|drop|bin|away|suppress|omit|exclude|"
        r"unlist\w*|erase|clear|skip|kick|yeet|scrap|ditch|lose|cut|throw|vanish|disappear|off|"
        r"invisible|gone|withheld|withdrawn|discard|pull|strike|out|without|get rid|can go|"
        r"stop showing|no thanks|anymore|leave\b.{0,20}\bout|(?:do not|don'?t|"
        r"not) (?:be )?(?:show|list|display|want|have|on|"
        r"shown|listed|displayed)\w*|(?:never|rather not|shouldn'?t|can'?t have|"
        r"needn'?t)\b.{0,20}\b"
        r"(?:see|have|be|come|on)",
        r"blend\w*\b.{0,30}\baus|ausblend\w*|versteck\w*|weg|entfern\w*|aus der liste|quit[ae]\w*|"
        r"ocult\w+|escond\w*|retir\w+|enl[eè]v\w+|cache|masqu\w+|nascond\w+|togli\w*|rimuov\w+|"
        r"verberg\w*|verwijder\w*|ukryj|usuń|schowaj|znikn\w+|"
        r"nicht mehr sehen|verschwind\w*|haal\b.{0,40}\b(?:weg|uit)|laat\b.{0,30}\bverdwijnen|"
        r"görünmesin|gizle\w*|dispara[iî]\w+|dispar\w+|spari\w+|aparta\w*|tira\w*|some\w* com|"
        r"sum[ai]\w*|vire\b|veux plus|plus voir|no quiero volver|de la vista|kept out|chhupa|"
        r"oc[uú]lta\w*|quít\w*|plus afficher|niet meer",
    ),
    "unmark": _any(
        r"un-?(?:mark|confirm|reject|tick|hide|flag)\w*|withdraw|back|off|away|reset|rescind|"
        r"undecided|lift\w*|remove|clear|blank|wipe|revoke|retract|re-?open|reverse|void|undo|"
        r"cancel|erase|delete|drop|strike|set aside|pending|open|undetermined|unreviewed|neither|"
        r"no (?:decision|mark)|forget|changed my mind|revert|no longer stands|taken away|"
        r"as though|rather not commit",
        r"zurück\w*|entfern\w*|aufheb\w*|anul\w+|annul\w+|quit[ae]\w*|enl[eè]v\w+|togli\w*|"
        r"rimuov\w+|retir\w+|haal\b.{0,50}\bweg|cofnij|usuń|desm[aá]rc\w+",
        r"offen|unentschieden|lösch\w*|runter|heb\w*\b.{0,30}\bauf|weghalen|haal\b.{0,40}\baf|kaldır\w*|"
        r"borra\w*|remet\w+|plus de décision|non jugé\w*|leva\w*|bez decyzji|take of|hata do|外し",
    ),
    "undo": _any(
        r"un-?do|unddo|revert|reverse|roll ?back|rollback|back|restore|return|cancel\w*|"
        r"scratch|pretend|oops|ups|whoops|wrong \w+|misclick|ctrl\W*z|withdraw\w*|not that|"
        r"before|slipped|as (?:it|they) (?:was|were)|the cat's|didn'?t (?:want|mean)\w*",
        r"zurück\w*|rückgängig|des(?:hac|haz|hag|faz)\w*|annul\w+|cofnij|ongedaan|terug",
        r"ungeschehen|widerruf\w*|strg\W*z|geri al\w*|do tyłu|wycofa\w*|an[uú]la\w*|"
        r"como antes|dej[ae]\w*|remett?\w+|état précédent|défai\w+|en arrière|retrocede\w*|"
        r"volta\w*|torna\w*|com'era|not to have happened|取り消",
    ),
    "export": _any(
        r"export\w*|expórta\w*|report|rapport|save|sav|download|print\w*|file|files|csv|json|pdf|"
        r"html|excel|spreadsheet|spss|document\w*|paper|write(?: |-)?up|write|writing|written|"
        r"bundle|zip|archive|dossier|summary|annex|protocol|attach|table|machine[- ]readable|"
        r"copy of (?:the|these|this)|evidence pack|dump|draft|compile|as a (?:page|web ?page)",
        r"bericht\w*|ausdruck\w*|druck\w*|speicher\w*|rédige\w*|imprim\w*|enregistre\w*|informe|"
        r"guárda\w*|guarda\w*|salva\w*|relatório|verslag|zapisz|raport|rapor|rapporto|schriftliches|"
        r"one document|take\b.{0,20}\bhome|saved",
    ),
}
