"""Repair a model's draft: ask again for refused sentences, then use the plain writer.

One hit per prompt: a small model that reads five hits at once cites the wrong one's evidence.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage

from assistant.conversation.messages import explanation_messages, repair_messages
from assistant.conversation.steps import CheckedSentence, Explanation
from assistant.grounding.checker import FactContext, check_sentences
from assistant.grounding.fallback_answers import explain_hit
from tools.agent_tools.workspace import Workspace
from tools.search.results import Hit
from tools.verdict.handles import ALIASES, SUBJECT_PATTERN

EXPLANATION_BATCH_SIZE = 10
"""Hits explained in one batch of the model: as many as a search of the chat lists."""

MAX_REPAIRS = 6
"""Refused sentences of one draft that the model rewrites; further ones are replaced at once."""

GroundedPrompt = tuple[list[BaseMessage], FactContext]
"""Messages, and the facts that the answer will be checked against."""

GenerateFn = Callable[[Sequence[GroundedPrompt]], list[str]]
"""A model call: from several prompts to one answer each."""


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model's answer to a prompt, and the facts that it is checked against."""

    asked: list[BaseMessage]
    text: str
    context: FactContext


Wait = Callable[[Callable[[], list[str]]], list[str]]
"""Wraps a model call, to wait for its result."""


def explain_hits(
    model: BaseChatModel,
    workspace: Workspace,
    handles: Sequence[str],
    *,
    evidence: Callable[[str], str],
    wait: Wait = lambda call: call(),
) -> Iterator[Explanation]:
    """Explain why each hit got its verdict; `evidence` returns `score_fake`'s text for a hit.

    `wait` makes each call to the model, and may raise. Raises ToolError for a handle that is no
    hit.
    """
    hits = [workspace.hit(handle) for handle in handles]
    for start in range(0, len(hits), EXPLANATION_BATCH_SIZE):
        part = hits[start : start + EXPLANATION_BATCH_SIZE]
        ask = batch_generator(model, workspace, wait=wait)
        drafts = _drafts(ask, workspace, part, evidence)
        for hit, sentences in zip(part, repair_drafts(drafts, workspace, ask), strict=True):
            if is_empty_answer(sentences):
                sentences = (*sentences, *explain_hit(workspace, hit.handle))
            yield Explanation(hit.handle, sentences)


def batch_generator(
    model: BaseChatModel, workspace: Workspace, *, wait: Wait = lambda call: call()
) -> GenerateFn:
    """The model as a function from prompts to texts, all prompts in one batch."""

    def ask(prompts: Sequence[GroundedPrompt]) -> list[str]:
        limits: dict[str, Any] = {}
        if supports_citation_constraint(model):
            allowed = [
                citable_fact_ids(workspace, [*sorted(context.about or ())])
                for _, context in prompts
            ]
            limits = {"allowed_citations": allowed}
        return wait(
            lambda: [it.text for it in model.batch([asked for asked, _ in prompts], **limits)]
        )

    return ask


def citable_fact_ids(workspace: Workspace, groups: Iterable[str]) -> list[str]:
    """The ids of all facts of hits, photos, comparisons, or of a group ("S", "hits", "about").

    They include second names: models find `[H1.forgery]` more easily than `[H1.P2]`.
    """
    first = [fact.id for one in groups for fact in workspace.facts(one)]
    return [*first, *(name for id_ in first for name in _second_names(id_))]


def _second_names(id_: str) -> Iterator[str]:
    subject, _, kind = id_.rpartition(".")
    if subject and not SUBJECT_PATTERN.fullmatch(subject):
        return
    for name, of in ALIASES.items():
        if of == kind and ("." in name or name == "gallery") == (not subject):
            yield f"{subject}.{name}".removeprefix(".")


def supports_citation_constraint(model: BaseChatModel) -> bool:
    """Whether the model takes `allowed_citations`: models with constrained decoding do."""
    return bool(getattr(model, "constrained", False))


def repair_drafts(
    drafts: Sequence[ModelDraft], workspace: Workspace, ask: GenerateFn
) -> Iterator[tuple[CheckedSentence, ...]]:  # fmt: skip
    """Check each draft's sentences; ask once more for a refused one, then replace it.

    At most `MAX_REPAIRS` sentences of a draft are asked for again. If no checked sentence is left,
    the template writer must answer.
    """
    checked = [check_sentences(draft.text, draft.context) for draft in drafts]
    prompts = [
        (_repair(draft, one.text, one.finding or ""), draft.context)
        for draft, sentences in zip(drafts, checked, strict=True)
        for one in _asked_again(sentences)
    ]
    answers = iter(ask(prompts) if prompts else [])
    for draft, sentences in zip(drafts, checked, strict=True):
        again = _asked_again(sentences)
        judged = [
            _mended(one, next(answers), draft.context)
            if any(one is it for it in again)
            else _Judged(one, refused=_refused(one))
            for one in sentences
        ]
        yield tuple(_replaced(judged, workspace, draft.context))


def _asked_again(sentences: Sequence[CheckedSentence]) -> list[CheckedSentence]:
    return [one for one in sentences if _refused(one)][:MAX_REPAIRS]


def _refused(sentence: CheckedSentence) -> bool:
    return sentence.finding is not None and sentence.source == "model"


@dataclass(frozen=True, slots=True)
class _Judged:
    """A sentence after its repair: passed, or still `refused`."""

    sentence: CheckedSentence
    refused: bool


def _repair(draft: ModelDraft, sentence: str, finding: str) -> list[BaseMessage]:
    plain = sentence.removeprefix("- ")
    return repair_messages(draft.asked, draft.text, sentence=plain, finding=finding)


def _drafts(
    ask: GenerateFn, workspace: Workspace, hits: Sequence[Hit], evidence: Callable[[str], str]
) -> list[ModelDraft]:  # fmt: skip
    photo = first_query_photo(workspace)
    prompts: list[GroundedPrompt] = [
        (
            explanation_messages(
                workspace.pictures, hit=hit.handle, photo=photo, evidence=evidence(hit.handle)
            ),
            FactContext.of(workspace, about=hit.handle),
        )
        for hit in hits
    ]
    return [
        ModelDraft(asked, text, context)
        for (asked, context), text in zip(prompts, ask(prompts), strict=True)
    ]


def first_query_photo(workspace: Workspace) -> str:
    """The handle of the first photo of the latest search."""
    searched = workspace.last_search[0].query_paths if workspace.last_search else ()
    return next(handle for handle, path in workspace.photos.items() if path in searched)


def _mended(refused: CheckedSentence, answer: str, context: FactContext) -> _Judged:
    """The rewritten sentence if it passes; the finding and the first text stay on record."""
    again = check_sentences(answer, context)
    cites = tuple(id_ for sentence in again for id_ in sentence.cites)
    if not cites or any(sentence.finding for sentence in again):
        return _Judged(refused, refused=True)
    item = "- " if refused.text.startswith("- ") else ""
    text = item + " ".join(sentence.text.removeprefix("- ") for sentence in again)
    mended = CheckedSentence(text, cites, "model", refused.finding, refused.text)
    return _Judged(mended, refused=False)


def _replaced(
    judged: Sequence[_Judged], workspace: Workspace, context: FactContext
) -> Iterator[CheckedSentence]:  # fmt: skip
    """Replace refused sentences by the plain writer's about the same hits, or drop them."""
    written: set[str] = set()
    for each in judged:
        hits = _hits_of(each.sentence, workspace, context) if each.refused else []
        new = [handle for handle in hits if handle not in written]
        written |= {*new}
        if not each.refused:
            yield each.sentence
        elif new:
            yield from plain(workspace, new, instead_of=each.sentence)
        else:
            yield CheckedSentence("", (), "model", each.sentence.finding, each.sentence.text)


def _hits_of(sentence: CheckedSentence, workspace: Workspace, context: FactContext) -> list[str]:
    """The hits that a sentence mentions, or must be about."""
    there = (
        {hit.handle for hit in workspace.last_search[0].hits} if workspace.last_search else set()
    )
    spoken = context.about or {match[0] for match in SUBJECT_PATTERN.finditer(sentence.text)}
    return sorted(spoken & there, key=lambda handle: int(handle[1:]))


def plain(
    workspace: Workspace, handles: Sequence[str], *, instead_of: CheckedSentence
) -> Iterator[CheckedSentence]:
    """The plain writer on hits: every sentence for a single hit, the first one for several.

    The first sentence written records the refused sentence that it replaces.
    """
    refused: str | None = instead_of.text
    for handle in handles:
        said = explain_hit(workspace, handle)
        for one in said if len(handles) == 1 else said[:1]:
            item = "- " if len(handles) > 1 else ""
            yield replace(
                one, text=f"{item}{one.text}", finding=instead_of.finding, refused=refused
            )
            refused = None


def is_empty_answer(sentences: Sequence[CheckedSentence]) -> bool:
    """Whether no sentence is left that was checked or written from the measurements."""
    return not any(one.text and one.source != "unchecked" for one in sentences)
