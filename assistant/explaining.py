"""From a model's draft to checked sentences: repair what was refused, else the plain writer.

One hit, one prompt: a small model that reads five hits at once cites the wrong one's evidence.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage

from assistant.conversation import explanation_messages, repair_messages
from assistant.grounding import Ground, check, subjects_of
from assistant.steps import CheckedSentence, Explanation
from tools.desk import Desk
from tools.findings import Hit
from tools.plain_writer import explain as plain_sentences

BATCH = 8
"""Hits that are explained in one pass of the model."""

NOTHING_LEFT = "The measurements bear out no answer that I can give; ask about one hit."

Prompt = tuple[list[BaseMessage], Ground]
"""Messages, and what the answer will be held against."""

Ask = Callable[[Sequence[Prompt]], list[str]]
"""The model: what it answers to each of several prompts."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model said to a prompt, and what it is held against."""

    asked: list[BaseMessage]
    text: str
    ground: Ground


def explanations(
    model: BaseChatModel, desk: Desk, handles: Sequence[str], *, evidence: Callable[[str], str]
) -> Iterator[Explanation]:
    """Why each hit got its verdict; `evidence` gives `score_fake`'s text for a hit.

    Raises ToolError for a handle that is no hit.
    """
    hits = [desk.hit(handle) for handle in handles]
    for start in range(0, len(hits), BATCH):
        part = hits[start : start + BATCH]
        ask = asker(model, desk)
        drafts = _drafts(ask, desk, part, evidence)
        for hit, sentences in zip(part, settled(drafts, desk, ask), strict=True):
            yield Explanation(hit.handle, sentences)


def asker(model: BaseChatModel, desk: Desk) -> Ask:
    """The model as a function from prompts to texts, all prompts in one batch."""

    def ask(prompts: Sequence[Prompt]) -> list[str]:
        limits: dict[str, Any] = {}
        if limits_citations(model):
            allowed = [citable(desk, sorted(ground.about or ())) for _, ground in prompts]
            limits = {"allowed_citations": allowed}
        return [answer.text for answer in model.batch([asked for asked, _ in prompts], **limits)]

    return ask


def citable(desk: Desk, subjects: Iterable[str]) -> list[str]:
    """The ids of all measured facts of hits, photos, comparisons, or of counts ("S", "G")."""
    return [fact.id for one in subjects for fact in desk.facts(one) if fact.value is not None]


def limits_citations(model: BaseChatModel) -> bool:
    """Whether the model takes `allowed_citations`: those that constrain their decoding do."""
    return bool(getattr(model, "constrained", False))


def settled(
    drafts: Sequence[Draft], desk: Desk, ask: Ask
) -> Iterator[tuple[CheckedSentence, ...]]:  # fmt: skip
    """Each draft's sentences, checked; a refused one is asked for again, once, then replaced."""
    checked = [check(draft.text, draft.ground) for draft in drafts]
    prompts = [
        (_repair(draft, one.text, one.finding), draft.ground)
        for draft, sentences in zip(drafts, checked, strict=True)
        for one in sentences
        if one.finding is not None
    ]
    again = iter(ask(prompts) if prompts else [])
    for draft, sentences in zip(drafts, checked, strict=True):
        judged = [
            _Judged(one, refused=False)
            if one.finding is None
            else _mended(one, next(again), draft.ground)
            for one in sentences
        ]
        yield tuple(_replaced(judged, desk, draft.ground))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A sentence after its repair; still `refused`, or passed."""

    sentence: CheckedSentence
    refused: bool


def _repair(draft: Draft, sentence: str, finding: str) -> list[BaseMessage]:
    plain = sentence.removeprefix("- ")
    return repair_messages(draft.asked, draft.text, sentence=plain, finding=finding)


def _drafts(
    ask: Ask, desk: Desk, hits: Sequence[Hit], evidence: Callable[[str], str]
) -> list[Draft]:  # fmt: skip
    photo = searched_photo(desk)
    prompts: list[Prompt] = [
        (
            explanation_messages(desk, hit=hit.handle, photo=photo, evidence=evidence(hit.handle)),
            Ground.of(desk, about=hit.handle),
        )
        for hit in hits
    ]
    return [
        Draft(asked, text, ground)
        for (asked, ground), text in zip(prompts, ask(prompts), strict=True)
    ]


def searched_photo(desk: Desk) -> str:
    """The handle of the first photo of the latest search."""
    searched = desk.search[0].query_paths if desk.search else ()
    return next(handle for handle, path in desk.photos.items() if path in searched)


def _mended(refused: CheckedSentence, answer: str, ground: Ground) -> _Judged:
    """The sentence as the model wrote it again, if that passes; why it had to stays on record."""
    again = check(answer, ground)
    cites = tuple(id_ for sentence in again for id_ in sentence.cites)
    evades = bool(refused.cites) and not cites
    if not again or evades or any(sentence.finding for sentence in again):
        return _Judged(refused, refused=True)
    item = "- " if refused.text.startswith("- ") else ""
    text = item + " ".join(sentence.text.removeprefix("- ") for sentence in again)
    mended = CheckedSentence(text, cites, "model", refused.finding, refused.text)
    return _Judged(mended, refused=False)


def _replaced(
    judged: Sequence[_Judged], desk: Desk, ground: Ground
) -> Iterator[CheckedSentence]:  # fmt: skip
    """What is still refused becomes the plain writer's sentences about its hits, or is dropped."""
    written: set[str] = set()
    said = False
    for each in judged:
        hits = sorted(_hits_of(each.sentence, ground)) if each.refused else []
        new = [handle for handle in hits if handle not in written]
        written |= {*new}
        if not each.refused:
            yield each.sentence
        elif new:
            yield from plain(desk, new, instead_of=each.sentence)
        else:
            yield CheckedSentence("", (), "model", each.sentence.finding, each.sentence.text)
        said = said or bool(new) or not each.refused
    if not said:
        yield from plain(desk, sorted(ground.about or ()))
        if not ground.about:
            yield _summary(desk)


def _hits_of(sentence: CheckedSentence, ground: Ground) -> frozenset[str]:
    """The hits that a sentence speaks of, or must speak of."""
    spoken = ground.about or frozenset(subjects_of(sentence.text)) & ground.subjects
    return frozenset(handle for handle in spoken if handle.startswith("H"))


def plain(
    desk: Desk, handles: Sequence[str], *, instead_of: CheckedSentence | None = None
) -> Iterator[CheckedSentence]:
    """The plain writer about hits: all it has to say of one, its first sentence of several.

    The first one tells which refused sentence they stand for.
    """
    finding, refused = (instead_of.finding, instead_of.text) if instead_of else (None, None)
    for handle in handles:
        hit = desk.hit(handle)
        said = plain_sentences(hit.assessment, hit.evidence)
        for sentence in said if len(handles) == 1 else said[:1]:
            cites = tuple(f"{handle}.{id_}" for id_ in sentence.cites)
            marks = "".join(f" [{id_}]" for id_ in cites)
            item = f"- {handle}: " if len(handles) > 1 else ""
            text = f"{item}{sentence.text.removesuffix('.')}{marks}."
            yield CheckedSentence(text, cites, "plain", finding, refused)
            refused = None


def _summary(desk: Desk) -> CheckedSentence:
    """What to say when nothing of an answer is left."""
    if desk.search is None:
        return CheckedSentence(NOTHING_LEFT, (), "plain")
    text = (
        "I compared [S1] faces: [S2] impersonations, [S3] inconclusive, [S4] with no forgery found, "
        "[S5] copies of the query photo, [S6] others and [S7] not assessed."
    )
    return CheckedSentence(text, tuple(f"S{number}" for number in range(1, 8)), "plain")
