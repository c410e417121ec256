"""Names by which software is recognised, and the IPTC's terms for the source of a picture.

Names are matched in the fields in which software names itself, never in captions: a photograph *of*
a generator's office is not a generated picture.
"""

import re
from collections.abc import Mapping

from tools.provenance.findings import Bearing

SOURCE_TYPES: Mapping[str, tuple[Bearing, str]] = {
    "trainedAlgorithmicMedia": ("generated", "created by a trained model"),
    "compositeWithTrainedAlgorithmicMedia": (
        "generated",
        "edited with a generative model, or combined with generated elements",
    ),
    "compositeSynthetic": ("generated", "a composite that includes synthetic elements"),
    "algorithmicMedia": ("made", "created by an algorithm without training data"),
    "dataDrivenMedia": ("made", "made from data by software"),
    "virtualRecording": ("made", "a recording of a virtual event"),
    "digitalArt": ("made", "drawn by a person with software"),
    "digitalCreation": ("made", "made by a person with software"),
    "softwareImage": ("made", "made by software"),
    "algorithmicallyEnhanced": ("edited", "altered by an algorithm"),
    "humanEdits": ("edited", "edited by a person with tools that do not generate"),
    "minorHumanEdits": ("edited", "slightly edited by a person"),
    "composite": ("edited", "a composite of several elements"),
    "compositeCapture": ("edited", "a composite of captured elements"),
    "screenCapture": ("fact", "a picture of a screen"),
    "digitalCapture": ("captured", "captured by a camera"),
    "computationalCapture": ("captured", "captured by a camera from several frames"),
    "negativeFilm": ("captured", "digitised from a negative"),
    "positiveFilm": ("captured", "digitised from a positive film"),
    "print": ("captured", "digitised from a print"),
}
"""Terms of cv.iptc.org/newscodes/digitalsourcetype (October 2024, with retired ones)."""

_GENERATORS = (
    "stable[ -]?diffusion", "sdxl", "sd.?webui", "automatic1111", "comfy ?ui", "invoke ?ai",
    "fooocus", "novel ?ai", "easy ?diffusion", "draw ?things", "swarm ?ui", "midjourney",
    r"dall[-·. ]?e(?: ?\d)?", "openai", "chatgpt", "gpt-?image", "gpt-4o", "sora",
    "firefly", r"imagen ?\d", "google imagen", "google ai", "gemini", "nano ?banana",
    "bing image creator", "microsoft designer", "ideogram", "recraft", "leonardo ?ai",
    r"flux[ .-]?(?:\d|dev|schnell|pro|kontext)",
    "black forest labs", "grok", "stylegan", "this ?person ?does ?not ?exist", "deep ?face ?lab",
    "faceswap", "face ?fusion", "roop", "simswap", "dreamstudio", "night ?cafe",
    "playground ?ai", "krea", "runway ?ml", "hunyuan", "qwen-?image", "seedream",
)  # fmt: skip
_EDITORS = (
    "photoshop", "lightroom", "camera raw", "gimp", "affinity", "paint ?shop", "pixelmator",
    "capture one", "darktable", "rawtherapee", "luminar", "photo ?scape", "snapseed", "picsart",
    "face ?app", "face ?tune", "reface", "remini", "canva", "pixlr", "photopea", "paint\\.net",
    "krita", "acdsee", "dxo", "topaz", "imagemagick", "graphicsmagick", "beauty ?plus", "meitu",
    "you ?cam", "airbrush", "vsco", "picasa", "corel", "inkscape", "figma",
)  # fmt: skip


def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{'|'.join(names)})(?![a-z])", re.IGNORECASE)


_GENERATOR_PATTERN, _EDITOR_PATTERN = _pattern(_GENERATORS), _pattern(_EDITORS)


def names_generator(software: str) -> bool:
    """Whether a piece of software has the name of a known image generator or face swapper."""
    return _GENERATOR_PATTERN.search(software[:2000]) is not None


def names_editor(software: str) -> bool:
    """Whether it is the name of a known picture editor."""
    return _EDITOR_PATTERN.search(software[:2000]) is not None


def source_term(value: str) -> str:
    """The last part of a source type's URI: `trainedAlgorithmicMedia`."""
    return re.split(r"[/#:]", value.strip().rstrip("/"))[-1]
