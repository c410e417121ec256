"""Updates of the page's components: the message box, a turn as it goes on, photos looked at.

Here a fault of a turn or check reaches a person: it is logged and shown.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.chat.citations import escape_html
from assistant.chat.events.uploads import delete_uploads
from assistant.chat.messages import Message
from assistant.chat.session_state import ChatSession, TurnStatus
from assistant.report.checks_page import problem_text
from tools.errors import SetupError, ToolError

logger = logging.getLogger(__name__)

Updates = tuple[Any, ...]
"""Updates of chatbot, findings, detail and composer, in this order."""

_UPDATE_EVERY_S = 0.08
_EMPTIED = (
    "The photos were deleted after that, so the boxes are empty again; to look at them beside "
    "others, choose them once more."
)
_FAULT = "An internal error ended this turn without a result; the server's log says more: "


def busy_composer() -> Any:
    """The message box during an answer: typing and stopping are possible."""
    return gr.update(interactive=True, submit_btn=False, stop_btn=True)


def idle_composer(*, text: str = "", photos: Sequence[Path] = ()) -> Any:
    """The message box when idle; text typed during the answer stays."""
    idle: dict[str, Any] = {"interactive": True, "submit_btn": True, "stop_btn": False}
    return gr.update(**idle, value=composed(text, photos)) if text else gr.update(**idle)


def composed(text: str, photos: Sequence[Path] = ()) -> dict[str, Any]:
    """The value of the message box with this text and these files."""
    return {"text": text, "files": [str(photo) for photo in photos]}


def viewers_composer() -> Any:
    """The message box of a viewer, who sends nothing."""
    return gr.update(interactive=False, placeholder="Viewers look at cases; they ask nothing.")


def looked_at(
    look: Callable[[], tuple[str, bool]], uploads: Sequence[Path], *, what: str, missing: str
) -> Iterator[Updates]:
    """Updates of the result, the two file boxes and the face; then uploads are deleted.

    `look` returns the page's part, and whether a face must be chosen: then the files stay in their
    boxes for the next press. Otherwise the boxes are emptied, and `what` was looked at stands above
    the result.
    """
    if missing:
        gr.Warning(missing, title="No photo")
        yield (gr.skip(),) * 4
        return
    again = False
    busy = _said_html("Looking closely: this takes seconds for each face.", role="status")
    try:
        yield (busy, gr.skip(), gr.skip(), gr.skip())
        shown, again = look()
    except (ToolError, SetupError) as error:
        shown = _said_html(problem_text(error, *uploads), role="alert")
    except Exception as bug:
        logger.exception("a check ended with a fault")
        shown = _said_html(_FAULT + type(bug).__name__, role="alert")
    finally:
        delete_uploads(() if again else uploads)
    if again:
        yield (shown, gr.skip(), gr.skip(), gr.skip())
    else:
        yield (_said_html(f"{what}. {_EMPTIED}", role="status") + shown, None, None, "")


def _said_html(text: str, *, role: str) -> str:
    return f'<div class="unmask job" role="{role}">{escape_html(text)}</div>'


def following(
    investigation: ChatSession, turn: TurnStatus, steps: Iterator[None]
) -> Iterator[Updates]:
    """Run a turn in a thread of its own; yield updates until it has ended.

    If the page is closed, the turn goes on: the page that is opened next shows it.
    """
    version, context = investigation.version, copy_context()
    running = threading.Thread(
        target=context.run, args=(_run, investigation, turn, steps), name="turn", daemon=True
    )
    running.start()

    def ended() -> bool:
        running.join(_UPDATE_EVERY_S)
        return not running.is_alive()

    yield from _until(ended, investigation, turn, version)


def watching(investigation: ChatSession) -> Iterator[Updates]:
    """Yield updates of a turn that another page began, if there is one, and how it ended."""

    def ended() -> bool:
        time.sleep(_UPDATE_EVERY_S)
        return not investigation.busy

    yield from _until(ended, investigation, None, investigation.version)


def _run(investigation: ChatSession, turn: TurnStatus, steps: Iterator[None]) -> None:
    """Run a turn to its end; a fault is logged and shown."""
    try:
        for _ in steps:
            pass
    except Exception as bug:
        logger.exception("a turn ended with a fault")
        investigation.say(_FAULT + type(bug).__name__, turn)


def _until(
    ended: Callable[[], bool], investigation: ChatSession, turn: TurnStatus | None, version: int
) -> Iterator[Updates]:
    """Yield at most a dozen updates per second, findings only when they change, and the end."""
    shown: list[Message] = []
    fault, over = "", False
    while not over:
        over = ended()
        messages, changed = investigation.messages, over or investigation.version != version
        if not changed and messages == shown:
            continue
        shown = messages
        if changed and not fault:
            version = investigation.version
            try:
                whole = everything(investigation)
            except Exception as bug:
                # The turn goes on, and so does this: a page that left it would offer to send.
                logger.exception("a turn could not be shown")
                fault = type(bug).__name__
            else:
                yield (*whole, gr.skip())
                continue
        if over and fault:
            investigation.say(_FAULT + fault, turn)
            shown = investigation.messages
        yield (shown, gr.skip(), gr.skip(), gr.skip())


def everything(investigation: ChatSession) -> Updates:
    """Conversation, findings and detail as they are now."""
    findings = investigation.findings_html()
    return (
        investigation.messages,
        gr.skip() if findings is None else findings,
        investigation.detail_html(),
    )
