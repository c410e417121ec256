"""Grounding checker: decides which sentences of a model may be shown, and as what.

A sentence is shown as checked if its form allows it (`assistant.grounding.statements`) and
everything that it cites exists; the application then writes what was measured. So no verdict,
count, likeness, place or "nothing found" is ever in a model's own words. English about nothing in
the workspace is shown as unchecked; every other sentence is a finding. Pure: the same text and
facts give the same findings.

Does not show: that the citations are well chosen, or complete.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

from assistant.conversation.steps import CheckedSentence
from assistant.grounding.sentences import split_sentences
from assistant.grounding.statements import form_error, is_allowed_unchecked
from prompts.phrases import JOINTS
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.verdict.handles import CITATION_PATTERN, Fact, cited_handles, parse_handle


@dataclass(frozen=True, slots=True)
class FactContext:
    """The facts that a text is checked against.

    `fact` looks up a fact by its id, measured or not; None if there is none. `about` restricts the
    subjects that the text may mention (None: everything in the workspace).
    """

    fact: Callable[[str], Fact | None]
    about: frozenset[str] | None = None

    @classmethod
    def of(cls, workspace: Workspace, *, about: str | None = None) -> Self:
        """The facts of a workspace, or those of one hit only."""
        # Facts of a photo are measured and those of the gallery read from disk: once per text.
        facts = cache(lambda group: _facts(workspace, group))
        return cls(
            fact=lambda id_: facts(parse_handle(id_).group).get(id_),
            about=None if about is None else frozenset([about]),
        )


def _facts(workspace: Workspace, group: str) -> dict[str, Fact]:
    try:
        return {fact.id: fact for fact in workspace.facts(group)}
    except (ToolError, SetupError):  # unknown hit, no face in the photo or no gallery: no facts
        return {}


def check_sentences(text: str, context: FactContext) -> tuple[CheckedSentence, ...]:
    """Split a model's text into sentences, each with its finding, or None.

    Repeated sentences of a small model are kept once.
    """
    once = dict.fromkeys(map(_without_repeats, split_sentences(text)))
    return tuple(_checked(sentence, context) for sentence in once)


def once(said: Sequence[CheckedSentence]) -> tuple[CheckedSentence, ...]:
    """The sentences without those that repeat the words of an earlier one."""
    spoken: set[str] = set()
    kept = []
    for one in said:
        if not one.text or one.text not in spoken:
            kept.append(one)
        spoken.add(one.text)
    return tuple(kept)


def _without_repeats(sentence: str) -> str:
    """The sentence without repeated citations and the joints before them.

    "[H1.E4], but [H1.E2]" after "[H1.E2]" would set a measurement against itself.
    """
    kept, seen, end = "", set[str](), 0
    for match in CITATION_PATTERN.finditer(sentence):
        between, id_ = sentence[end : match.start()], str(parse_handle(match[1]))
        joint = between.strip(" ,;").casefold()
        if id_ not in seen or joint not in ("", *JOINTS):
            kept += between + match[0]
        seen.add(id_)
        end = match.end()
    return kept + sentence[end:]


def _checked(sentence: str, context: FactContext) -> CheckedSentence:
    wrong = finding(sentence, context)
    if wrong is not None and context.about is None and is_allowed_unchecked(sentence):
        return CheckedSentence(sentence, (), "unchecked", UNCHECKED_REASON)
    return CheckedSentence(sentence, cited_handles(sentence), "model", wrong)


UNCHECKED_REASON = "no tool measures what it says"
"""The reason shown with a model's own, unchecked words."""


def finding(sentence: str, context: FactContext) -> str | None:
    """The problem with a sentence, worded for the model and the user; None if there is none."""
    return form_error(sentence) or _wrong_citation(sentence, context)


def _wrong_citation(sentence: str, context: FactContext) -> str | None:
    for id_ in cited_handles(sentence):
        subject = parse_handle(id_).subject
        if context.about is not None and subject not in context.about:
            return f"it cites {id_}, which is not about {' or '.join(sorted(context.about))}"
        if context.fact(id_) is None:
            return f"it cites {id_}, which does not exist"
    return None
