"""Findings in an XMP packet: source type, software, history, a remote manifest."""

from collections.abc import Iterator, Sequence

from tools.provenance.findings import Finding, clean, quoted
from tools.provenance.formats.xmp import Property
from tools.provenance.generator_texts import software_findings
from tools.provenance.known_software import SOURCE_TYPES, names_generator, source_term

_SOURCE_TYPES = ("Iptc4xmpExt:DigitalSourceType", "Iptc4xmpExt:DigitalSourcefileType")
_AI_FIELDS = (
    "Iptc4xmpExt:AISystemUsed",
    "Iptc4xmpExt:AISystemVersionUsed",
    "Iptc4xmpExt:AIPromptInformation",
)
_CREDITS = ("photoshop:Credit", "photoshop:Source")
_HISTORY_MOST = 5


def xmp_findings(properties: Sequence[Property]) -> Iterator[Finding]:
    """Findings in a packet's properties, in a fixed order."""
    for it in _distinct(properties, _SOURCE_TYPES):
        term = source_term(it.value)
        bearing, meaning = SOURCE_TYPES.get(term, ("fact", "a term that is not known here"))
        text = f"states the source type {quoted(term)}: {meaning}"
        yield Finding("source type", bearing, f"XMP {it.name}", text, (("uri", clean(it.value)),))
    for it in _distinct(properties, _AI_FIELDS):
        text = f"describes a generator or its prompt: {quoted(it.value)}"
        yield Finding("generator", "generated", f"XMP {it.name}", text)
    for it in _distinct(properties, ("xmp:CreatorTool",)):
        yield from software_findings(f"XMP {it.name}", it.value)
    for it in _distinct(properties, _CREDITS):
        if names_generator(it.value):
            text = f"names an image generator: {quoted(it.value)}"
            yield Finding("generator", "generated", f"XMP {it.name}", text)
    yield from _history(properties)
    for it in _distinct(properties, ("dcterms:provenance",)):
        yield Finding(
            "remote manifest", "fact", f"XMP {it.name}",
            f"refers to content credentials at {quoted(it.value)}, which were not fetched",
        )  # fmt: skip


def _history(properties: Sequence[Property]) -> Iterator[Finding]:
    steps = [it for it in properties if it.name == "stEvt:action"]
    agents = [it.value for it in _distinct(properties, ("stEvt:softwareAgent",))]
    if not steps and not agents:
        return
    named = ", ".join(quoted(it) for it in agents[:_HISTORY_MOST]) or "unnamed software"
    more = f" and {len(agents) - _HISTORY_MOST} more" if len(agents) > _HISTORY_MOST else ""
    generated = any(names_generator(it) for it in agents)
    text = f"has a history of {len(steps)} steps by {named}{more}"
    yield Finding(
        "generator" if generated else "editor",
        "generated" if generated else "edited",
        "XMP xmpMM:History",
        text.replace("of 1 steps", "of 1 step"),
        (("actions", clean(", ".join(dict.fromkeys(it.value for it in steps)))),),
    )


def _distinct(properties: Sequence[Property], names: Sequence[str]) -> list[Property]:
    return list(dict.fromkeys(it for it in properties if it.name in names))
