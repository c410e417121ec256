"""Convert the agent's steps to chat messages in the format of a Gradio chatbot.

The messages are a view of the case's steps: the same steps give the same messages, live and after a
reload. Their whole content is escaped here; no text from a model, a file or a person is read as
markup.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from assistant.chat.citations import escape_html, sentences_html
from assistant.conversation.steps import (
    CheckedSentence,
    Explanation,
    Failed,
    ModelText,
    Step,
    Stopped,
    ToolCall,
    ToolResult,
    UserTurn,
)
from assistant.grounding.citations import FactLookup
from tools.agent_tools.casework_tools import EXPORT_FORMATS

Message = dict[str, Any]
PhotoUri = Callable[[str], str | None]
"""Returns a small query photo as a data URI; None if it cannot be shown."""

_TITLES = {
    "find_person": "Search the gallery",
    "score_fake": "Read the evidence",
    "compare_faces": "Compare faces",
    "locate_artifacts": "Look for forged regions",
    "describe_image": "Look at the image",
    "gallery_summary": "Look into the gallery",
    "list_hits": "Filter the hits",
    "more_hits": "List more hits",
    "mark_hit": "Note the decision",
    "undo": "Undo",
    "export_report": "Export the report",
    "explain_term": "Explain a word",
    "about_unmask": "About Unmask",
    "note_hit": "Keep a note",
    "reviewed": "Look up decisions and notes",
    "file_facts": "Read what the file says",
}
_SHOWN_CHARACTERS = 4000
_TELLING_S = 1.0
"""Seconds from which a step says how long it took."""


class ChatTranscript:
    """The messages of one conversation, growing with each step; `messages` is the visible list."""

    def __init__(self, photo_uri: PhotoUri) -> None:
        self._photo_uri = photo_uri
        self._told: list[Message] = []
        self._calls: dict[str, tuple[Message, ToolCall]] = {}
        self._draft = self._waiting = ""
        self._offers: tuple[str, ...] = ()

    @property
    def messages(self) -> list[Message]:
        """All messages; the last one shows the text being written or the current wait.

        The newest answer has the questions that it offers as buttons.
        """
        if self._waiting:
            return [*self._told, _said(_busy(self._waiting))]
        if not self._draft:
            if not self._offers:
                return list(self._told)
            options = [{"value": text, "label": text} for text in self._offers]
            return [*self._told[:-1], self._told[-1] | {"options": options}]
        return [*self._told, _said(_busy(f"writing… ({_counted(self._draft)}, being checked)"))]

    def token(self, text: str) -> None:
        """Append a piece of streamed text."""
        self._draft, self._waiting = self._draft + text, ""

    def progress(self, text: str) -> None:
        """Show how far a running tool is; an empty text ends it."""
        self._waiting = text

    def waiting(self, server: str, seconds: int) -> None:
        """Show that the chat server has sent nothing for `seconds`."""
        self._waiting = f"waiting for the chat server at {server}… ({seconds} s)"

    def add(self, step: Step, fact: FactLookup) -> None:
        """Add a finished step; `fact` looks up its citations, with the values at that time."""
        self._draft = self._waiting = ""
        self._offers = ()
        match step:
            case UserTurn():
                self._told.append({"role": "user", "content": self._asked(step)})
            case ToolCall():
                self._calls[step.id] = self._called(step), step
            case ToolResult():
                self._answered(step)
            case Stopped() | Failed():
                self._end_calls()
                self._told.append(_said(_ending(step)))
            case ModelText() | Explanation():
                self._told.append(_said(_answer(step, fact)))
        if isinstance(step, ModelText):  # a page may read at any moment: not beside the last answer
            self._offers = step.offers

    def notice(self, text: str) -> None:
        """Add a sentence from the application to the user, outside the case.

        Text being streamed continues: the sentence may be about another attempt.
        """
        self._offers = ()
        self._told.append(_said(f'<div class="problem" role="alert">{escape_html(text)}</div>'))

    def _asked(self, turn: UserTurn) -> str:
        uris = {handle: self._photo_uri(handle) for handle in turn.photos}
        photos = "".join(
            f'<img src="{uri}" alt="Photo {escape(handle)}" class="photo">'
            for handle, uri in uris.items()
            if uri is not None
        )
        return f'<div class="asked">{photos}<div>{escape_html(turn.text)}</div></div>'

    def _called(self, call: ToolCall) -> Message:
        # While it runs, its title says it in words; its name and arguments are for later reading.
        message = _said("")
        message["metadata"] = {"title": _title(call), "status": "pending"}
        self._told.append(message)
        return message

    def _answered(self, result: ToolResult) -> None:
        if result.call_id not in self._calls:
            return
        message, call = self._calls.pop(result.call_id)
        took = result.duration_s
        shown = message | {
            "content": _code(f"{call.name}\n{_lines(call.arguments)}") + _code(_lines(result.data)),
            "metadata": {
                "title": _title(call),
                "status": "done",
                "log": result.found,
                # Gradio would show what is done at once as "(10.0ms)".
                **({"duration": round(took, 1)} if took >= _TELLING_S else {}),
            },
        }
        self._told = [shown if told is message else told for told in self._told]

    def _end_calls(self) -> None:
        """End the spinners of calls that will never get a result."""
        for message, _ in self._calls.values():
            message["metadata"] = message["metadata"] | {"status": "done", "log": "not finished"}
        self._calls.clear()


def _said(html: str) -> Message:
    return {"role": "assistant", "content": html}


def opening_message() -> Message:
    """What stands in the conversation while a recorded case is opened."""
    return _said(_busy("opening your latest case: its search is restored…"))


def _busy(what: str) -> str:
    """A note that text is being written or waited for: unchecked words are not an answer."""
    return (
        '<div class="answer draft"><span class="writing" aria-hidden="true"></span>'
        f"{escape_html(what)}</div>"
    )


def _counted(text: str) -> str:
    count = len(text.split())
    return "1 word" if count == 1 else f"{count} words"


def _ending(step: Stopped | Failed) -> str:
    if isinstance(step, Failed):
        return f'<div class="problem" role="alert">{escape_html(step.message)}</div>'
    left = f" {_counted(step.unchecked)} left out, not checked." if step.unchecked else ""
    return f'<div class="ended">Stopped.{left}</div>'


def _answer(step: ModelText | Explanation, fact: FactLookup) -> str:
    about = f"<b>{escape(step.hit)}</b> " if isinstance(step, Explanation) else ""
    subject = step.hit if isinstance(step, Explanation) else ""
    said = tuple(sentence for sentence in step.sentences if sentence.text)
    dropped = tuple(sentence for sentence in step.sentences if not sentence.text)
    text = sentences_html(said, fact, subject=subject)
    return f'<div class="answer">{about}{text}{_dropped(dropped)}</div>'


def _dropped(sentences: tuple[CheckedSentence, ...]) -> str:
    if not sentences:
        return ""
    reasons = "; ".join(sentence.finding or "" for sentence in sentences)
    what = "One sentence was" if len(sentences) == 1 else f"{len(sentences)} sentences were"
    return (
        f'<details class="dropped"><summary>{what} left out by the check</summary>'
        f"{escape_html(reasons)}</details>"
    )


def _title(call: ToolCall) -> str:
    """A call's title, with its handles; its other arguments are the model's text."""
    title = _TITLES.get(call.name, "Call a tool")
    format = str(call.arguments.get("format", "")).casefold()
    if call.name == "export_report" and format in EXPORT_FORMATS:
        return f"{title} as {'bundle' if format == 'bundle' else format.upper()}"
    return f"{title} · {', '.join(call.handles)}" if call.handles else title


def _lines(value: object) -> str:
    """Format JSON as readable lines: one entry per line, small objects on one line."""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_lines(each)}" for name, each in value.items())
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return "".join(f"\n· {_values(each)}" for each in value)
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    return str(value)


def _values(entry: Mapping[str, object]) -> str:
    return ", ".join(str(value) for value in entry.values())


def _code(text: str) -> str:
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + " …"
    return f'<div class="tooltext">{escape_html(text)}</div>'
