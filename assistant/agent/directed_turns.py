"""Turns whose tool calls the application plans: a pressed button, or an unambiguous request.

A language model that reads "Where does H17 look forged?" may look at H1. Therefore a button names a
call, the application makes it, and the model only words the result. If the model fails, is slow or
contradicts the measurements, the template's text is shown instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assistant.agent.photo_questions import PhotoQuestion
from assistant.conversation.steps import CheckedSentence, Step, ToolCall, ToolResult, latest_turn
from assistant.grounding.casework_answers import MANY, describe_marks
from assistant.grounding.fallback_answers import describe_result
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted

PLANNED_CALL_PREFIX = "directed_"
"""Prefix of the ids of calls that no model requested."""


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """A turn's planned calls, its subject, and text that the application adds.

    `extra_text` is shown as it is; `cites` is a text of citations to be filled in.
    """

    calls: tuple[ToolCall, ...] = ()
    about: str | None = None
    extra_text: str = ""
    cites: str = ""


TurnPlanner = Callable[[tuple[str, ...]], PlannedTurn]
"""Plans a turn's tool calls from the handles of the photos attached to it."""


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """A question from the application: which face of a photo, or which photo is authentic.

    `photos` are the photos in question. For a photo with several faces, `boxes` (x1, y1, x2, y2 px)
    are ordered from left to right, and `resume_with` is the turn that continues after the choice.
    """

    photos: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...] = ()
    resume_with: PlannedTurn = PlannedTurn()


def plan_photo_comparison(asked: PhotoQuestion) -> PlannedTurn:
    """Plan a comparison of the photos in a question, and a look at the suspected ones."""
    base, *others = asked.photos
    compared = [ToolCall("compare_faces", {"first": base, "second": other}) for other in others[:4]]
    looked = [
        ToolCall("score_fake", {"image": it}) for it in asked.photos if it in asked.claimed_fake
    ]
    return PlannedTurn((*compared, *(looked if asked.authentic else ())), extra_text=_which(asked))


def _which(asked: PhotoQuestion) -> str:
    if asked.authentic or not asked.doubted:
        return ""
    names = " or ".join(asked.photos) if len(asked.photos) < 3 else ", ".join(asked.photos)
    return (
        f"Which of them is authentic, {names}? Only an authentic photo can serve as a reference; "
        "until you name one, they are not used for a search."
    )


def last_planned_turn(steps: Sequence[Step]) -> PlannedTurn | None:
    """The latest turn's calls if no model requested them; a retry makes them again."""
    calls = [
        it
        for it in latest_turn(steps)
        if isinstance(it, ToolCall) and it.id.startswith(PLANNED_CALL_PREFIX)
    ]
    if not calls:
        return None
    pictures = [str(call.arguments.get("image", "")) for call in calls]
    about = pictures[0] if len(calls) == 1 and pictures[0].startswith("H") else None
    return PlannedTurn(tuple(calls), about)


# -- template text ------------------------------------------------------------------------------


def written(
    workspace: Workspace,
    results: Sequence[tuple[ToolCall, ToolResult]],
    *,
    pending_question: PendingQuestion | None,
) -> list[CheckedSentence]:
    """Fill the tools' results into templates; for a refused call, the reason of the refusal."""
    said: list[CheckedSentence] = []
    marked = _marked_together([result for _, result in results])
    for together in marked:
        said += describe_marks(workspace, together)
    for call, result in results:
        if any(result in together for together in marked):
            continue
        said += (
            describe_result(workspace, call, result)
            if result.ok
            else _refused(result, pending_question)
        )
    return list({sentence.text: sentence for sentence in said}.values())


def _marked_together(results: Sequence[ToolResult]) -> list[list[ToolResult]]:
    """The results of many marks with one decision, which are worded together."""
    kinds: dict[str, list[ToolResult]] = {}
    for result in results:
        if result.ok and result.name == "mark_hit":
            kinds.setdefault(str(result.data["decision"]), []).append(result)
    return [kind for kind in kinds.values() if len(kind) >= MANY]


def _refused(
    result: ToolResult, pending_question: PendingQuestion | None
) -> Iterator[CheckedSentence]:
    if pending_question is not None and pending_question.boxes:
        text = (
            f"{pending_question.photos[0]} shows several people, so nothing was measured yet; "
            "answer with the number of the face, from left to right."
        )
    else:
        error = str(result.data["error"])
        text = f"{error[:1].upper()}{error[1:]}."
    yield CheckedSentence(text, (), "plain")


def quoted_list(questions: Sequence[str]) -> str:
    """Parts of what the user wrote, quoted, each at most 120 characters long."""
    return join_with_and([quote_untrusted(it, longest=120) for it in questions])


def addresses_question(directed: PlannedTurn, said: Sequence[CheckedSentence]) -> bool:
    """Whether the model's words address the question: a comparison must say whose faces."""
    if not any(call.name == "compare_faces" for call in directed.calls):
        return bool(said)
    cited = {id_ for sentence in said for id_ in sentence.cites}
    return any(id_.startswith("C") and id_.endswith(".P1") for id_ in cited)


def model_error_sentence(error: SetupError | ToolError) -> CheckedSentence:
    """The sentence shown when the chat model returned no text."""
    return CheckedSentence(f"The chat model gave no answer: {error}", (), "plain")
