"""Fallback answers: the template writer's text when no sentence of a model's answer is left.

It answers from the latest tool results of the turn or, without any, from the contents of the
workspace. So there is always an answer, and it is about the latest measurements.
"""

from collections.abc import Mapping, Sequence

from assistant.conversation.steps import CheckedSentence, ToolCall, ToolResult
from assistant.grounding.casework_answers import WORDED_TOOLS, describe_casework
from assistant.grounding.checker import FactContext
from assistant.grounding.citations import FactLookup, render_citations
from assistant.grounding.sentences import split_sentences
from assistant.grounding.statements import form_error
from prompts import phrases
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.verdict.clauses import format_hit_ranges
from tools.verdict.handles import CITATION_PATTERN, VERDICT_KEYS, cited_handles
from tools.verdict.interpretation import describe_band, describe_question
from tools.verdict.rule import VERDICTS, Verdict


def answer(
    workspace: Workspace, asked: Sequence[ToolCall], told: Sequence[ToolResult]
) -> tuple[CheckedSentence, ...]:
    """Sentences about the latest results of a turn; at least one."""
    said: tuple[CheckedSentence, ...] = ()
    if told:
        calls = {call.id: call for call in asked}
        said = describe_result(workspace, calls.get(told[-1].call_id), told[-1])
    return said or _of_the_workspace(workspace)


def word_casework(
    workspace: Workspace, asked: Sequence[ToolCall], told: Sequence[ToolResult]
) -> tuple[CheckedSentence, ...]:
    """The application's sentences about a turn's results that no model needs to word."""
    calls = {call.id: call for call in asked}
    return tuple(
        sentence
        for result in told
        if result.name in WORDED_TOOLS
        for sentence in describe_result(workspace, calls.get(result.call_id), result)
    )


def word_impressions(
    workspace: Workspace, asked: Sequence[ToolCall], told: Sequence[ToolResult]
) -> tuple[CheckedSentence, ...]:
    """What a network believes to see in the pictures that a turn described, whoever words them."""
    images = {call.id: str(call.arguments.get("image", "")) for call in asked}
    fact = FactContext.of(workspace).fact
    return tuple(
        sentence
        for result in told
        if result.ok and result.name == "describe_image"
        for sentence in written(f"[{images.get(result.call_id, '')}.impression].", fact)
    )


def describe_result(
    workspace: Workspace, call: ToolCall | None, result: ToolResult
) -> tuple[CheckedSentence, ...]:
    """Sentences about one result; empty if a later search has replaced it."""
    image = str(call.arguments.get("image", "")) if call else ""
    if result.ok and result.name == "find_person":
        return describe_search(workspace)
    if result.ok and result.name == "more_hits":
        fact = FactContext.of(workspace).fact
        return (*written("[hits.all].", fact), *describe_search(workspace))
    if result.name in WORDED_TOOLS:
        return describe_casework(workspace, call, result)
    if result.ok and result.name == "score_fake" and image.startswith("H"):
        try:
            return (*explain_hit(workspace, image), *_band(workspace, image))
        except ToolError:
            return ()
    text = _about(result, image) if result.ok else _refusal(call)
    return written(text, FactContext.of(workspace).fact)


def written(text: str, fact: FactLookup) -> tuple[CheckedSentence, ...]:
    """Fill in a text of citations as sentences of the template writer.

    A sentence that cites a missing fact is left out.
    """
    said = []
    for sentence in split_sentences(text):
        sound = form_error(sentence) is None or not CITATION_PATTERN.search(sentence)
        if sound and all(fact(id_) is not None for id_ in cited_handles(sentence)):
            one = CheckedSentence(sentence, cited_handles(sentence), "model")
            said.append(CheckedSentence(render_citations([one], fact), one.cites, "plain"))
    return tuple(said)


def explain_hit(workspace: Workspace, handle: str) -> list[CheckedSentence]:
    """The plain writer's explanation of a hit."""
    return [
        _cited(sentence.text, [f"{handle}.{id_}" for id_ in sentence.cites])
        for sentence in workspace.hit(handle).explain(handle)
    ]


def _band(workspace: Workspace, handle: str) -> tuple[CheckedSentence, ...]:
    """Why a probability leaves a forgery open, if that is why the hit is inconclusive."""
    given = workspace.hit(handle).assessment
    if given.verdict != "inconclusive" or given.identity_place != "high":
        return ()
    limits = describe_band(given)
    if not limits or given.fake_place != "within":
        return ()
    accused = next(
        (
            hit
            for hit in workspace.hits
            if hit.verdict == "impersonation" and hit.assessment.question != given.question
        ),
        None,
    )
    said = [limits]
    if accused is not None:
        question = describe_question(accused.assessment.question)
        judged = question if question.startswith("judged") else f"judged {question}"
        said.append(
            f"{accused.handle} was {judged}, which has other limits: the two probabilities do not "
            "compare."
        )
    return tuple(CheckedSentence(text, (f"{handle}.P2",), "plain") for text in said)


def _cited(text: str, ids: Sequence[str]) -> CheckedSentence:
    marks = "".join(f" [{id_}]" for id_ in ids)
    return CheckedSentence(f"{text.removesuffix('.')}{marks}.", tuple(ids), "plain")


def _about(result: ToolResult, image: str) -> str:
    """A text of citations about one result; `image` is the handle that the call was about."""
    match result.name:
        case "score_fake":
            return f"[{image}.P2]. [{image}.E2] and [{image}.E4]. [{image}.E9]."
        case "compare_faces":
            name = result.data["comparison"]
            return f"[{name}.E34]. [{name}.E37]. [{name}.P1]. [{name}.E7], and [{name}.E8]."
        case "locate_artifacts":
            return (
                f"[{image}.verdict]. [{image}.regions]."
                if image[:1] == "H"
                else (f"[{image}.P2]. [{image}.regions].")
            )
        case "describe_image":
            return f"[{image}.file]. [{image}.impression]."
        case "gallery_summary":
            return "[G1], and [G2]. [G3], and [G4]."
    return ""


def _refusal(call: ToolCall | None) -> str:
    """A text of citations on the subjects of a refused call; nothing from the refusal itself."""
    named = call.handles if call else ()
    photos = [name for name in named if name.startswith("Q")]
    said = [phrases.TOOL_REFUSED, *(f"[{photo}.faces]." for photo in photos)]
    if any(name.startswith("H") for name in named):
        said += ["[hits.all].", phrases.WHICH_HIT]
    elif call is None or call.name in ("find_person", "gallery_summary"):
        said.append("[G5].")
    return " ".join(said)


def describe_search(workspace: Workspace) -> tuple[CheckedSentence, ...]:
    """Describe a search: how much was compared, then each verdict with its number and its hits."""
    searched = workspace.last_search
    if searched is None:
        return ()
    findings, query = searched
    photo = "your photo" if len(query.paths) == 1 else "your photos"
    said: list[tuple[str, tuple[str, ...]]] = [
        (f"I compared {findings.compared_in_words} with {photo}.", ("S1",))
    ]
    if not findings.counts["impersonation"]:
        said.append((f"{'None' if findings.compared else 'No image'} reads as an impersonation.",
                     ("S2",)))  # fmt: skip
    for number, verdict in enumerate(VERDICTS, start=2):
        count = findings.counts[verdict]
        ranks = [hit.rank for hit in findings.hits if hit.verdict == verdict]
        if count:
            one, several = _FOUND[verdict]
            text = f"{count:,} {one if count == 1 else several}{_named(ranks, count)}"
            key = VERDICT_KEYS[VERDICTS.index(verdict)]
            said.append((f"{text.replace('{photo}', photo)}.", (f"S{number}", f"hits.{key}")))
    if (listed := len(findings.hits)) < findings.compared and listed:
        said.append((f"{listed} of {findings.compared:,} are listed, the leading ones.", ("S1",)))
    sentences = (CheckedSentence(text, cites, "plain") for text, cites in said)
    return (*sentences, CheckedSentence(phrases.NO_PROOF, (), "plain"))


_FOUND: Mapping[Verdict, tuple[str, str]] = {
    "impersonation": ("likely impersonates this person", "likely impersonate this person"),
    "inconclusive": (
        "is inconclusive and needs your own look", "are inconclusive and need your own look"
    ),
    "no forgery found": (
        "shows this person, and no forgery was found in it",
        "show this person, and no forgery was found in them",
    ),
    "copy": ("is a copy of {photo}", "are copies of {photo}"),
    "other": ("shows someone else", "show someone else"),
    "not assessed": ("could not be assessed", "could not be assessed"),
}  # fmt: skip
"""What a verdict says about one, and about several images or videos."""


def _named(ranks: Sequence[int], count: int) -> str:
    """The handles after a count: `: H1 to H6`, `; listed: H7`; empty if no hit is listed."""
    if not ranks:
        return ""
    return f"{': ' if len(ranks) == count else '; listed: '}{format_hit_ranges(ranks)}"


def _of_the_workspace(workspace: Workspace) -> tuple[CheckedSentence, ...]:
    if workspace.last_search is not None:
        return describe_search(workspace)
    text = phrases.SEARCH_FIRST if workspace.photos else phrases.ASK_PHOTO
    return written(text, FactContext.of(workspace).fact)
