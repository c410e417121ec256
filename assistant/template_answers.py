"""The template writer's answers: what to say when nothing of a model's answer is left.

It answers what was asked by what the turn's tools answered last, and without any by what lies on
the desk; so there is always an answer, and it is about the latest measurements.
"""

import json
from collections.abc import Sequence

from assistant.citing import FactOf, filled
from assistant.grounding import Ground
from assistant.sentences import sentences
from assistant.steps import CheckedSentence, ToolCall, ToolResult
from prompts import phrases
from tools.desk import Desk
from tools.errors import ToolError
from tools.handles import CITATION, SUBJECT, cited
from tools.plain_writer import explain


def answer(
    desk: Desk, asked: Sequence[ToolCall], told: Sequence[ToolResult]
) -> tuple[CheckedSentence, ...]:
    """Sentences about the latest results of a turn, at least one."""
    fact = Ground.of(desk).fact
    if told:
        calls = {call.id: call for call in asked}
        about = _about(desk, calls.get(told[-1].call_id), told[-1])
        said = tuple(about) if isinstance(about, list) else written(about, fact)
        if said:
            return said
    return written(_of_the_desk(desk), fact)


def written(text: str, fact: FactOf) -> tuple[CheckedSentence, ...]:
    """A text of citations as the template writer's sentences, filled in.

    A sentence that cites what there is not is left out.
    """
    said = []
    for sentence in sentences(text):
        if all(fact(id_) is not None for id_ in cited(sentence)):
            one = CheckedSentence(sentence, cited(sentence), "model")
            said.append(CheckedSentence(filled([one], fact), one.cites, "plain"))
    return tuple(said)


def about_hit(desk: Desk, handle: str) -> list[CheckedSentence]:
    """The plain writer's explanation of a hit."""
    hit = desk.hit(handle)
    return [
        _cited(sentence.text, [f"{handle}.{id_}" for id_ in sentence.cites])
        for sentence in explain(hit.assessment, hit.evidence, whom=handle)
    ]


def _cited(text: str, ids: Sequence[str]) -> CheckedSentence:
    marks = "".join(f" [{id_}]" for id_ in ids)
    return CheckedSentence(f"{text.removesuffix('.')}{marks}.", tuple(ids), "plain")


def _about(desk: Desk, call: ToolCall | None, result: ToolResult) -> str | list[CheckedSentence]:
    """What to say of one result: a text of citations, or sentences that stand as they are."""
    if not result.ok:
        return _refusal(call)
    image = str(call.arguments.get("image", "")).strip("[] ") if call else ""
    match result.name:
        case "find_person":
            return FOUND
        case "score_fake" if image.startswith("H"):
            try:
                return about_hit(desk, image)
            except ToolError:  # another search has renumbered the hits since
                return ""
        case "score_fake":
            return f"[{image}.P2]. [{image}.E2] and [{image}.E4]." if image else ""
        case "compare_faces":
            name = _comparison(result)
            return f"[{name}.P1]. [{name}.E7], and [{name}.E8]." if name else ""
        case "locate_artifacts":
            return f"[{image}.regions]." if image else ""
        case "describe_image":
            return f"[{image}.file]." if image else ""
        case "gallery_summary":
            return "[G1], and [G2]. [G3], and [G4]."
    return ""


def _comparison(result: ToolResult) -> str:
    try:
        name = str(json.loads(str(result.content))["comparison"])
    except (ValueError, KeyError):
        return ""
    return name if CITATION.fullmatch(f"[{name}.P1]") else ""


def _refusal(call: ToolCall | None) -> str:
    """What is known of the things that a refused call was about; nothing of what it said."""
    named = (
        [str(each) for value in call.arguments.values() for each in _each(value)] if call else []
    )
    photos = [name for name in named if name.startswith("Q") and SUBJECT.fullmatch(name)]
    said = [phrases.TOOL_REFUSED, *(f"[{photo}.faces]." for photo in photos)]
    if any(name.startswith("H") for name in named):
        said += ["[hits.all].", phrases.WHICH_HIT]
    elif call is None or call.name in ("find_person", "gallery_summary"):
        said.append("[G5].")
    return " ".join(said)


def _each(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


FOUND = (
    "[S1], and [S2]. [hits.impersonation], and [hits.inconclusive]. [hits.no_forgery_found]. "
    f"{phrases.NO_PROOF}"
)
"""What to say of a search."""


def _of_the_desk(desk: Desk) -> str:
    if desk.search is not None:
        return FOUND
    return phrases.SEARCH_FIRST if desk.photos else phrases.ASK_PHOTO
