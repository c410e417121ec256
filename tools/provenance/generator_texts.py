"""Texts that image generators write into files: parameters, prompts, workflows."""

import re
from collections.abc import Iterator

from tools.provenance.findings import Finding, quoted
from tools.provenance.formats.exif import Exif
from tools.provenance.known_software import names_editor, names_generator

_CHARACTERS_READ = 50_000

# PNG keywords by which generators keep their settings, and what a text under it must hold.
_KEYWORDS: dict[str, re.Pattern[str]] = {
    "parameters": re.compile(r"\bSteps: \d+"),
    "prompt": re.compile(r'"class_type"|\bSteps: \d+'),
    "workflow": re.compile(r'"nodes"|"class_type"'),
    "invokeai_metadata": re.compile(r"."),
    "invokeai_graph": re.compile(r"."),
    "invokeai_workflow": re.compile(r"."),
    "sd-metadata": re.compile(r"."),
    "Dream": re.compile(r"-s ?\d+|-S ?\d+|steps", re.IGNORECASE),
    "fooocus_scheme": re.compile(r"."),
    "generation_data": re.compile(r"."),
}
# Settings as Stable Diffusion's interfaces write them, in any text: two together are no accident.
_SETTINGS = (
    re.compile(r"\bSteps: \d+"),
    re.compile(r"\bSampler: \S"),
    re.compile(r"\bCFG scale: [\d.]+", re.IGNORECASE),
    re.compile(r"\bSeed: \d+"),
    re.compile(r"\bModel hash: [0-9a-f]+", re.IGNORECASE),
    re.compile(r'"(?:sampler|sampler_name|scheduler)": ?"'),
    re.compile(r'"(?:cfg|cfg_scale|guidance_scale|scale)": ?[\d.]'),
    re.compile(r'"steps": ?\d'),
    re.compile(r'"(?:uc|negative_prompt|noise_schedule)": ?"'),
)
# Midjourney's signature at the end of a description.
_JOB_ID = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")

_SOFTWARE, _PROCESSING, _MAKE, _MODEL, _ARTIST = 0x0131, 0x000B, 0x010F, 0x0110, 0x013B
_DESCRIPTION, _USER_COMMENT, _XP_COMMENT = 0x010E, 0x9286, 0x9C9C
_SELF_NAMING = frozenset(("software", "source", "generator", "creator tool", "creatortool"))


def texts_findings(texts: list[tuple[str, str]]) -> Iterator[Finding]:
    """Findings in PNG text chunks and comments."""
    for keyword, text in texts:
        head, where = text[:_CHARACTERS_READ], f"text {quoted(keyword)}"
        wanted = _KEYWORDS.get(keyword)
        if (wanted and wanted.search(head)) or _has_settings(head):
            yield _generator(where, head)
        elif keyword.lower() in _SELF_NAMING:
            yield from software_findings(where, head)


def exif_findings(exif: Exif) -> Iterator[Finding]:
    """Findings in the EXIF fields in which generators and editors leave their texts."""
    for tag, name in (
        (_USER_COMMENT, "UserComment"),
        (_DESCRIPTION, "ImageDescription"),
        (_XP_COMMENT, "XPComment"),
        (_MAKE, "Make"),
        (_MODEL, "Model"),
    ):
        text = exif.text(tag)[:_CHARACTERS_READ]
        # ComfyUI's WebP and AVIF keep the graph in Make and Model.
        graph = re.match(r"(?:prompt|workflow):\s*\{", text) and '"class_type"' in text
        if _has_settings(text) or graph:
            yield _generator(f"EXIF {name}", text)
    for tag, name in ((_SOFTWARE, "Software"), (_PROCESSING, "ProcessingSoftware")):
        yield from software_findings(f"EXIF {name}", exif.text(tag))


def software_findings(where: str, software: str) -> Iterator[Finding]:
    """A finding if the name of a piece of software is that of a known generator or editor."""
    if names_generator(software):
        text = f"names an image generator: {quoted(software)}"
        yield Finding("generator", "generated", where, text)
    elif names_editor(software):
        text = f"names software that edits pictures: {quoted(software)}"
        yield Finding("editor", "edited", where, text)


def _has_settings(text: str) -> bool:
    return bool(_JOB_ID.search(text)) or sum(bool(it.search(text)) for it in _SETTINGS) >= 2


def _generator(where: str, text: str) -> Finding:
    return Finding(
        "generator", "generated", where, f"holds text as image generators write it: {quoted(text)}"
    )
