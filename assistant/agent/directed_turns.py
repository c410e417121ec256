"""Turns whose tool calls the application has decided: a button was pressed, words left no choice.

A language model that is asked "Where does H17 look forged?" may look at H1. A button therefore
names a call, the application makes it, and the model only words the result; where it fails, is
slow or says what the measurements do not bear out, the template's text stands instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.agent.photo_questions import PhotoQuestion
from assistant.conversation.steps import CheckedSentence, Step, ToolCall, ToolResult, UserTurn
from assistant.grounding.fallback_answers import describe_result
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError

PLANNED_CALL_PREFIX = "directed_"
"""How the ids of calls begin that no model asked for."""

NARRATION_TIMEOUT_S = 30.0
"""After so long without a finished answer of the model the template's text is shown."""


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """A turn's calls; what it is about, and what the application says besides.

    `extra_text` are words as they stand, `cites` a text of citations to be filled in.
    """

    calls: tuple[ToolCall, ...] = ()
    about: str | None = None
    extra_text: str = ""
    cites: str = ""


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """What the application asks the person: which face of a photo, or which photo is authentic.

    `photos` are those it is about; of a photo with several faces `boxes` (x1, y1, x2, y2 px) from
    left to right, and the turn that goes on once one is chosen.
    """

    photos: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...] = ()
    resume_with: PlannedTurn = PlannedTurn()


def plan_photo_comparison(asked: PhotoQuestion) -> PlannedTurn:
    """Compare the photos of a question, and look at the suspected ones."""
    base, *others = asked.photos
    compared = [ToolCall("compare_faces", {"first": base, "second": other}) for other in others[:4]]
    looked = [
        ToolCall("score_fake", {"image": it}) for it in asked.photos if it in asked.claimed_fake
    ]
    return PlannedTurn((*compared, *(looked if asked.authentic else ())), extra_text=_which(asked))


def _which(asked: PhotoQuestion) -> str:
    if asked.authentic:
        return ""
    names = " or ".join(asked.photos) if len(asked.photos) < 3 else ", ".join(asked.photos)
    return (
        f"Which of them is authentic, {names}? Only an authentic photo can serve as a reference; "
        "until you name one, they are not used for a search."
    )


def last_planned_turn(steps: Sequence[Step]) -> PlannedTurn | None:
    """The latest turn's calls, if no model had asked for them: what a retry makes again."""
    begun = [at for at, step in enumerate(steps) if isinstance(step, UserTurn)]
    turn = steps[begun[-1] :] if begun else ()
    calls = [
        it for it in turn if isinstance(it, ToolCall) and it.id.startswith(PLANNED_CALL_PREFIX)
    ]
    if not calls:
        return None
    pictures = [str(call.arguments.get("image", "")) for call in calls]
    about = pictures[0] if len(calls) == 1 and pictures[0].startswith("H") else None
    return PlannedTurn(tuple(calls), about)


# -- the template's text ------------------------------------------------------------------------


def written(
    workspace: Workspace,
    results: Sequence[tuple[ToolCall, ToolResult]],
    *,
    pending_question: PendingQuestion | None,
) -> list[CheckedSentence]:
    """What the tools answered, filled into templates; of a refused call what it refused for."""
    said: list[CheckedSentence] = []
    for call, result in results:
        said += (
            describe_result(workspace, call, result)
            if result.ok
            else _refused(result, pending_question)
        )
    return list({sentence.text: sentence for sentence in said}.values())


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


def addresses_question(directed: PlannedTurn, said: Sequence[CheckedSentence]) -> bool:
    """Whether a model's words are about what was asked: a comparison says whose."""
    if not any(call.name == "compare_faces" for call in directed.calls):
        return bool(said)
    cited = {id_ for sentence in said for id_ in sentence.cites}
    return any(id_.startswith("C") and id_.endswith(".P1") for id_ in cited)


def model_error_sentence(error: SetupError | ToolError) -> CheckedSentence:
    """What to say of a chat model that gave no words."""
    return CheckedSentence(f"The chat model gave no answer: {error}", (), "plain")
