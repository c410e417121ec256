"""Turns whose tool calls the application has decided: a button was pressed, words left no choice.

A language model that is asked "Where does H17 look forged?" may look at H1. A button therefore
names a call, the application makes it, and the model only words the result; where it fails, is
slow or says what the measurements do not bear out, the template's text stands instead.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.explaining import plain
from assistant.photo_questions import PhotoQuestion
from assistant.steps import CheckedSentence, Step, ToolCall, ToolResult, UserTurn
from assistant.tool_calls import Call
from tools.desk import Desk
from tools.errors import SetupError, ToolError
from tools.handles import Fact

DIRECTED = "directed_"
"""How the ids of calls begin that no model asked for."""

PATIENCE_S = 30.0
"""After so long without a finished answer of the model the template's text is shown."""


@dataclass(frozen=True, slots=True)
class Directed:
    """A turn's calls; `adds` is what the application says besides, `about` whom it is about."""

    calls: tuple[Call, ...] = ()
    about: str | None = None
    adds: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """What the application asks the person: which face of a photo, or which photo is authentic.

    `photos` are those it is about; of a photo with several faces `boxes` (x1, y1, x2, y2 px) from
    left to right, and the turn that goes on once one is chosen.
    """

    photos: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...] = ()
    goes_on: Directed = Directed()


def about_photos(asked: PhotoQuestion) -> Directed:
    """Compare the photos of a question, and look at the suspected ones."""
    base, *others = asked.photos
    compared = [Call("compare_faces", {"first": base, "second": other}) for other in others[:4]]
    looked = [Call("score_fake", {"image": it}) for it in asked.photos if it in asked.suspected]
    return Directed((*compared, *(looked if asked.authentic else ())), adds=_which(asked))


def _which(asked: PhotoQuestion) -> str:
    if asked.authentic:
        return ""
    names = " or ".join(asked.photos) if len(asked.photos) < 3 else ", ".join(asked.photos)
    return (
        f"Which of them is authentic, {names}? Only an authentic photo can serve as the measure: "
        "until it is named, none of them is searched with."
    )


def repeated(steps: Sequence[Step]) -> Directed | None:
    """The latest turn's calls, if no model had asked for them: what a retry makes again."""
    begun = [at for at, step in enumerate(steps) if isinstance(step, UserTurn)]
    turn = steps[begun[-1] :] if begun else ()
    calls = [it for it in turn if isinstance(it, ToolCall) and it.id.startswith(DIRECTED)]
    if not calls:
        return None
    pictures = [str(call.arguments.get("image", "")) for call in calls]
    about = pictures[0] if len(calls) == 1 and pictures[0].startswith("H") else None
    return Directed(tuple(Call(call.name, call.arguments) for call in calls), about)


# -- the template's text ------------------------------------------------------------------------


def written(desk: Desk, results: Sequence[tuple[ToolCall, ToolResult]]) -> list[CheckedSentence]:
    """What the tools answered, filled into templates."""
    said: list[CheckedSentence] = []
    for call, result in results:
        said += _refused(result) if not result.ok else _of(desk, call, result)
    return said


def _refused(result: ToolResult) -> Iterator[CheckedSentence]:
    text = str(json.loads(str(result.content))["error"])
    yield CheckedSentence(f"{text[:1].upper()}{text[1:]}.", (), "plain")


def _of(desk: Desk, call: ToolCall, result: ToolResult) -> Iterator[CheckedSentence]:
    image = str(call.arguments.get("image", ""))
    match call.name:
        case "score_fake" if image.startswith("H"):
            yield from plain(desk, [image])
        case "score_fake":
            yield from _facts(f"What was measured on {image}:", desk.facts(image))
        case "compare_faces":
            handle = str(json.loads(str(result.content))["comparison"])
            pair = f"{call.arguments['first']} and {call.arguments['second']}"
            yield from _facts(f"{pair} compared:", desk.facts(handle))
        case "locate_artifacts":
            yield from _located(desk, image, result)
        case "find_person":
            yield _searched(desk)
        case "gallery_summary":
            yield CheckedSentence(
                "The gallery holds [G1] images with [G2] faces; [G3] images show no face, and [G4] "
                "files were skipped.",
                ("G1", "G2", "G3", "G4"),
                "plain",
            )
        case "describe_image":
            yield _described(image, result)


def _facts(heading: str, facts: Sequence[Fact]) -> Iterator[CheckedSentence]:
    measured = [fact for fact in facts if fact.value is not None]
    nothing = "" if measured else " nothing could be measured."
    yield CheckedSentence(f"{heading}{nothing}", (), "plain")
    for fact in measured:
        name = f"{fact.name[:1].upper()}{fact.name[1:]}"
        reads = f", read as “{fact.reads}”" if fact.reads else ""
        yield CheckedSentence(f"- {name}: {fact.shown}{reads} [{fact.id}].", (fact.id,), "plain")


def _located(desk: Desk, image: str, result: ToolResult) -> Iterator[CheckedSentence]:
    answer = json.loads(str(result.content))
    regions = [it for it in answer["evidence"] if it["reads"] in ("strong", "weak")]
    if not regions:
        readings = sorted({it["reads"] for it in answer["evidence"]}) or ["not measured"]
        yield CheckedSentence(
            f"No part of the face of {image} stands out; the parts read as {', '.join(readings)}.",
            (),
            "plain",
        )
    for each in regions:
        fact = desk.fact(each["id"])
        yield CheckedSentence(
            f"- {image}, {each['region']}: {each['reads']} signs ({fact.shown}) [{fact.id}].",
            (fact.id,),
            "plain",
        )
    yield CheckedSentence(str(answer["limits"]), (), "plain")


def _searched(desk: Desk) -> CheckedSentence:
    verdicts = (
        "impersonation",
        "inconclusive",
        "no forgery found",
        "copy",
        "other",
        "not assessed",
    )
    counts = ", ".join(f"{verdict}: [S{at}]" for at, verdict in enumerate(verdicts, start=2))
    cites = tuple(f"S{number}" for number in range(1, 8))
    return CheckedSentence(f"[S1] faces were compared. {counts}.", cites, "plain")


def _described(image: str, result: ToolResult) -> CheckedSentence:
    blocks = result.content if isinstance(result.content, list) else [{"text": result.content}]
    text = next(str(block["text"]) for block in blocks if "text" in block)
    words = json.loads(text)
    quality = ", ".join(words["quality"]) or "no problem found"
    metadata = "; ".join(f"{name}: “{value}”" for name, value in words["metadata"].items())
    return CheckedSentence(
        f"{image} is a {words['size']} {words['format']} picture; faces: {words['faces']}; quality "
        f"of the face: {quality}; its file says of itself: {metadata or 'nothing'}.",
        (),
        "plain",
    )


def unanswered(error: SetupError | ToolError) -> CheckedSentence:
    """What to say of a chat model that gave no words."""
    return CheckedSentence(f"The chat model gave no words for this: {error}", (), "plain")
