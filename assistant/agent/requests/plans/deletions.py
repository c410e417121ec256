"""Orders to delete files: nothing in a conversation does, and hiding must not look as if it did."""

import re
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.groups import group_named, ordered_act
from assistant.agent.requests.plans.proposals import proposal
from assistant.agent.requests.plans.request import GROUP_CLASSES, Plan, Request
from prompts import phrases

DELETION = "deletion"

_ERASE = (
    r"(?:delete|erase|wipe|destroy|purge|shred|trash|unlink|lösche?n?|supprime[rz]?|efface[rz]?|"
    r"borra[r]?|elimina\w*|cancella\w*|apaga\w*|verwijder|usuń)"
)
_REMOVE = (
    rf"(?:{_ERASE}|remove|take|get rid of|drop|clear|entferne?|enlève\w*|quita\w*|rimuovi|"
    r"togli)"
)
_OBJECT = (
    r"(?:(?:hits? |h ?)\d+|it|this|that|these|those|them|(?:the |this |that |these |those |all |"
    r"my |its )*(?:\w+ )?(?:photos?|pictures?|images?|files?|hits?|copies|fakes|forgeries|"
    r"originals?|ones|videos?|bild(?:er)?|fotos?|dateien?))"
)
_FOR_GOOD = r"(?:permanently|for good|forever|irrevocably|endgültig|définitivement)"
_STORE = (
    r"(?:(?:from|off|out of|aus|von|de|du|dal?|van|z) (?:\w+ ){0,2}?(?:collection|galler\w+|"
    r"dis[ck]|drive|computer|laptop|pc|mac|machine|server|database|index|archive|storage|folder|"
    r"directory|file ?system|phone|sammlung|galerie|festplatte|rechner|ordner|disque|ordinateur|"
    r"dossier|colección|galería|disco|carpeta|collezione|cartella|coleção|pasta|collectie)"
    rf"|{_FOR_GOOD})"
)
_HIT = r"(?:hit |h ?)\d+"
_DELETION = re.compile(
    rf"^(?!.*\b(?:his|her|their|him|data|traces|everything|(?:this|that|the) (?:person|man|woman|"
    r"guy|girl|boy|lady|actor|politician))\b)"
    rf"(?:.{{0,30}}\b)?{_REMOVE}\b.{{0,40}}"
    rf"\b{_OBJECT}\b.{{0,40}}\b{_STORE}\b"
    rf"|\b{_REMOVE} (?:the )?(?:original )?files? (?:of|behind|for) {_HIT}"
    rf"|^\W*(?:please )?{_ERASE} (?:my|the|this) (?:(?:query|reference|own|first|second|other|"
    rf"uploaded) )?(?:photos?|pictures?|images?)(?: again)?\W*$"
    rf"|\b{_REMOVE}\b.{{0,20}}\b{_HIT} on my \w+|^\W*(?:please )?forget {_HIT}\W*$",
    re.IGNORECASE,
)
_ERASED = re.compile(rf"\b{_ERASE}\b|^(?!\W*hide\b).*\b{_FOR_GOOD}\b", re.IGNORECASE)
_FROM_THE_LIST = re.compile(
    r"\b(?:list|results?|view|screen|display\w*|page|above|liste|ergebnis\w*|lista|lijst)\b",
    re.IGNORECASE,
)


def asks_to_delete(text: str) -> bool:
    """Whether a text wants files deleted, and not hits left out of a list."""
    return _DELETION.search(text) is not None and _FROM_THE_LIST.search(text) is None


def meant(request: Request) -> bool:
    """Whether what was read as hiding may be meant as deleting: "erase H1", "delete all copies"."""
    if request.name not in GROUP_CLASSES or _FROM_THE_LIST.search(request.text):
        return False
    hides = request.name == "hide" or ordered_act(request.text) == "hide"
    return hides and _ERASED.search(request.text) is not None


def deletion(request: Request) -> Plan:
    """That nothing was deleted, how a picture leaves a gallery, and the offer to hide the hits."""
    last = request.state.last if slots.points_at_one(request.text) else ""
    named = slots.hits_named(request.text, replace(request.state, last=last))
    handles = group_named(request.text, request.listed, request.state) or named
    known = {hit.handle for hit in request.listed if hit.decision != "hidden"}
    handles = [it for it in handles if it in known]
    if not handles:
        return Plan(note=phrases.NOT_DELETED)
    asked = proposal("hide", handles)
    question = asked.note.removeprefix(phrases.NOTHING_CHANGED).strip()
    return replace(asked, note=f"{phrases.NOT_DELETED} {question}")
