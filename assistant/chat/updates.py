"""Updates of the page's components: the message box, a turn as it goes on, photos looked at.

Here a fault of a turn or check reaches a person: it is logged and shown.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.chat.citations import escape_html
from assistant.chat.session_state import ChatSession, TurnStatus
from assistant.report.checks_page import problem_text
from tools.errors import SetupError, ToolError

logger = logging.getLogger(__name__)

Updates = tuple[Any, ...]
"""Updates of chatbot, findings, detail and composer, in this order."""

_UPDATE_EVERY_S = 0.08
_FAULT = "An internal error ended this turn without a result; the server's log says more: "


def busy_composer() -> Any:
    """The message box during an answer: typing and stopping are possible."""
    return gr.update(submit_btn=False, stop_btn=True)


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
    look: Callable[[], tuple[str, bool]], uploads: Sequence[Path], *, missing: str
) -> Iterator[Updates]:
    """Updates of findings, detail, the two file boxes and the face; then uploads are deleted.

    `look` returns the page's part, and whether a face must be chosen: then the files stay in their
    boxes for the next press.
    """
    if missing:
        gr.Warning(missing, title="No photo")
        yield (gr.skip(),) * 5
        return
    again = False
    busy = _said_html("Looking closely: this takes seconds for each face.", role="status")
    try:
        yield (busy, "", gr.skip(), gr.skip(), gr.skip())
        shown, again = look()
    except (ToolError, SetupError) as error:
        shown = _said_html(problem_text(error, *uploads), role="alert")
    except Exception as bug:
        logger.exception("a check ended with a fault")
        shown = _said_html(_FAULT + type(bug).__name__, role="alert")
    finally:
        # Uploads lie where every user of the page could read them.
        for upload in () if again else uploads:
            upload.unlink(missing_ok=True)
    kept = (gr.skip(),) * 3 if again else (None, None, "")
    yield (shown, "", *kept)


def _said_html(text: str, *, role: str) -> str:
    return f'<div class="unmask job" role="{role}">{escape_html(text)}</div>'


def following(
    investigation: ChatSession, turn: TurnStatus, steps: Iterator[None]
) -> Iterator[Updates]:
    """Yield updates during a turn and at its end; a fault is logged and shown."""
    try:
        yield from _as_it_goes_on(investigation, steps)
        yield (*everything(investigation), gr.skip())
    except Exception as bug:
        logger.exception("a turn ended with a fault")
        investigation.say(_FAULT + type(bug).__name__, turn)
        yield (investigation.messages, gr.skip(), gr.skip(), gr.skip())


def _as_it_goes_on(investigation: ChatSession, turn: Iterator[None]) -> Iterator[Updates]:
    """Yield at most a dozen updates per second; findings only when they change."""
    shown, version = 0.0, investigation.version
    for _ in turn:
        now = time.monotonic()
        if investigation.version != version:
            version, shown = investigation.version, now
            yield (*everything(investigation), gr.skip())
        elif now - shown >= _UPDATE_EVERY_S:
            shown = now
            yield (investigation.messages, gr.skip(), gr.skip(), gr.skip())


def everything(investigation: ChatSession) -> Updates:
    """Conversation, findings and detail as they are now."""
    findings = investigation.findings_html()
    return (
        investigation.messages,
        gr.skip() if findings is None else findings,
        investigation.detail_html(),
    )
