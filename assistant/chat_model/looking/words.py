"""The application's words for what the network names, and how often it is right."""

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.chat_model.looking.reading import Named
from tools.search.checking.impression import Impression, Seen

WORDS: Mapping[tuple[str, str], str] = {
    ("colour", "colour"): "in colour",
    ("colour", "grey"): "in shades of grey",
    ("colour", "toned"): "in shades of one tone",
    ("sharpness", "sharp"): "sharp",
    ("sharpness", "soft"): "slightly blurred",
    ("sharpness", "blurred"): "blurred",
    ("compression", "yes"): "strongly compressed",
    ("screenshot", "yes"): "a screenshot",
    ("text", "yes"): "text over the picture",
    ("watermark", "yes"): "a watermark or logo",
    ("frame", "yes"): "a frame or bars around it",
    ("collage", "yes"): "several pictures joined",
    ("rephotographed", "yes"): "photographed from a screen",
    ("faces", "none"): "no face",
    ("faces", "one"): "one face",
    ("faces", "two"): "two faces",
    ("faces", "several"): "several faces",
    ("position", "left"): "the largest face on the left",
    ("position", "middle"): "the largest face in the middle",
    ("position", "right"): "the largest face on the right",
}


def word_impression(
    attributes: Sequence[Named], place: Named | None, figures: Mapping[str, Any]
) -> Impression:
    """What is seen, in words; `figures` are those measured on held-out faces."""
    seen = [Seen(WORDS[it.group, it.name], it.probability) for it in attributes]
    if place is not None:
        verb = "look" if place.name == "eyes" else "looks"
        where = f"the {place.name} {verb} altered"
        seen.append(Seen(where, place.probability, _reliability(figures)))
    return tuple(seen)


def _reliability(figures: Mapping[str, Any]) -> str:
    """How often a named place is right, against chance, and how often authentic faces get one."""
    known = figures["faces test"]
    return (
        f"on forged faces in tests such a place is right in {_percent(known['right'])}, by chance "
        f"in {_percent(known['chance'])}; of authentic faces, {_percent(known['false_alarms'])} "
        "get one as well"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
