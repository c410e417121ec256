"""The remarks of a search or check as readers see them.

What is known of the models, such as error rates that differ between groups of people, holds for
every search alike: it stands once, with the limits, not above the findings.
"""

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from tools.detectors.catalogue import GROUPS_PREFIX

_COMMAND = re.compile("`([^`]+)`")


def own_remarks(warnings: Sequence[str]) -> list[str]:
    """The warnings about this search or check itself."""
    return [it for it in warnings if not it.startswith(GROUPS_PREFIX)]


def known_limits(warnings: Sequence[str]) -> list[str]:
    """The warnings about the models, which stand with every search."""
    return [it for it in warnings if it.startswith(GROUPS_PREFIX)]


def plain_sentence(text: str) -> str:
    """A remark as a sentence, without the marks around commands."""
    plain = _COMMAND.sub(r"\1", text)
    return plain[:1].upper() + plain[1:] + ("" if plain.endswith((".", "!", "?")) else ".")


def typed_html(text: str) -> Markup:
    """A text, escaped, with commands marked by their type."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def sentence_html(text: str) -> Markup:
    """A remark as a sentence, as `typed_html`."""
    typed = typed_html(text[:1].upper() + text[1:])
    return typed if typed.endswith((".", "!", "?")) else typed + "."
