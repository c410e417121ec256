"""Are requests understood that were worded by authors who never saw the training's wordings?

260 requests by two authors (`free_wordings/`), who knew what the application can do and nothing of
the training data; the few that training happens to word alike are left out. Each is read in a
scripted situation (photos, number of hits, the previous turn); right means exactly the expected
calls, or the expected answer without a call. Handles that the text names are put into a call as in
the application (`assistant.agent.explicit_requests`). Both authors are language models writing as
people of several professions and languages, not people: how real users write is not measured. Needs
`unmask setup`. `--limit` takes that many, evenly spaced.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage

import prompts
from assistant.agent.explicit_requests import correct_arguments
from assistant.chat_model.local.model import LocalVLM
from assistant.chat_model.reader import load_request_reader
from assistant.conversation.brief import (
    WorkspaceState,
    brief_citations,
    previous_messages,
    request_message,
)
from assistant.conversation.steps import ToolCall
from assistant.settings import Settings
from assistant.training.reader.examples import (
    ATTACHED,
    Answer,
    Asked,
    RequestExamples,
    meant,
)
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from tools import toolkit
from tools.errors import SetupError
from tools.metrics import interval, mean
from tools.verdict.handles import cited_handles

WORDINGS = Path(__file__).parent / "free_wordings"
LISTED, EARLIER = 12, 5
"""Hits of a situation that names no other number, and the hit of the previous turn."""

_UNMEASURED = ("outside", "unanswerable", "injection")


@dataclass(frozen=True, slots=True)
class Reading:
    """One request, what was expected, and what the reader answered."""

    author: str
    row: Mapping[str, Any]
    expected: Answer
    read: Answer
    seconds: float
    tokens: int

    @property
    def right(self) -> bool:
        """Whether the calls are the expected ones, or the answers without a call agree."""
        if self.expected.calls or self.read.calls:
            return _same(self.expected.calls, self.read.calls)
        cites = cited_handles(self.expected.text)
        if cites:
            return set(cites) == set(cited_handles(self.read.text))
        return self.expected.text.split(".")[0] in self.read.text


def run(options: EvalOptions) -> dict[str, object]:
    """Share of requests read rightly, in total, by author and by intent."""
    reader = load_request_reader(Settings.load())
    if reader is None:
        raise SetupError("the request reader is not installed: run `unmask setup`")
    rows = free_requests()
    if options.limit is not None:
        rows = rows[:: max(1, len(rows) // options.limit)]
    samples, readings = SampleWriter(options.output), list[Reading]()
    for number, (author, row) in enumerate(rows):
        options.progress(number, len(rows), "reading")
        it = read(reader, author, row)
        readings.append(it)
        samples.query(
            id=f"{author}/{number}", group=author, values={"right": float(it.right)},
            about=row["intent"], asked=row["text"], expected=_shown(it.expected),
            made=_shown(it.read),
        )  # fmt: skip
    return figures(readings, seed=options.seed)


def free_requests() -> list[tuple[str, Mapping[str, Any]]]:
    """All requests whose words do not occur in the training, each with its author."""
    trained = {words(row["text"]) for rows in RequestExamples().rows.values() for row in rows}
    written = [
        (file.stem, json.loads(line))
        for file in sorted(WORDINGS.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return [(author, row) for author, row in written if words(row["text"]) not in trained]


def words(text: str) -> str:
    """The letters of a text, to compare texts by."""
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


def read(reader: LocalVLM, author: str, row: Mapping[str, Any]) -> Reading:
    """Read one request in its situation."""
    asked, before = _situation(row)
    messages: list[BaseMessage] = [
        SystemMessage(prompts.text("reader")),
        *before,
        request_message(asked.state, row["text"]),
    ]
    workspace: Any = None  # the schemas are the same for every workspace
    options = {"allowed_citations": brief_citations(asked.state)}
    began = time.monotonic()
    message = reader.bind_tools(toolkit(workspace), **options).invoke(messages)
    seconds = time.monotonic() - began
    used = message.usage_metadata["output_tokens"] if message.usage_metadata else 0
    answer = _in_the_application(message, row["text"], asked.state)
    wanted = meant((asked.row or row)["intent"], asked)
    return Reading(author, row, wanted, answer, seconds, used)


def figures(readings: Sequence[Reading], *, seed: int) -> dict[str, object]:
    """Shares with intervals over requests."""
    right = [float(it.right) for it in readings]
    by_intent: dict[str, list[bool]] = defaultdict(list)
    by_author: dict[str, list[float]] = defaultdict(list)
    for it in readings:
        by_intent[it.row["intent"]].append(it.right)
        by_author[it.author].append(float(it.right))
    declined = [it.right for it in readings if it.row["intent"] in _UNMEASURED]
    far = [it.right for it in readings if int(it.row.get("hit", 0)) > 9]
    return {
        "requests": len(readings),
        "right": mean(right),
        "right_95": interval(right, seed=seed),
        "right by author": {author: mean(some) for author, some in by_author.items()},
        "out of scope, unanswerable, orders: recognised": mean(declined),
        "handles of two and three digits": mean(far),
        "seconds a request, mean": mean([it.seconds for it in readings]),
        "seconds a request, slowest": max(it.seconds for it in readings),
        "tokens an answer": mean([float(it.tokens) for it in readings]),
        "right by intent": {
            intent: f"{sum(some)}/{len(some)}" for intent, some in sorted(by_intent.items())
        },
    }


def _situation(row: Mapping[str, Any]) -> tuple[Asked, list[BaseMessage]]:
    """Photos, hits and the previous turn around a request."""
    intent, hits = row["intent"], int(row.get("hits", LISTED))
    named = {"hit": f"H{row.get('hit', EARLIER)}", "other": f"H{row.get('hit2', 0)}"}
    about = {
        "photo": f"Q{row['photo']}" if "photo" in row else "",
        "count": row.get("n"),
        "term": row.get("fact") or row.get("term") or "",
        "folder": row.get("folder", ""),
        "date": row.get("date", ""),
    }
    before: list[BaseMessage] = []
    if intent == "no_photo":
        state = WorkspaceState()
    elif intent in ("find", "find_top", "two_find_why"):
        state = WorkspaceState(("Q1",), ("Q1",))
    elif intent in ATTACHED:
        state = WorkspaceState(("Q1", "Q2"), ("Q2",), ("Q1",), hits)
    else:
        photos = ("Q1", "Q2") if about["photo"] == "Q2" else ("Q1",)
        state = WorkspaceState(photos, (), photos, hits)
    if row.get("after") or intent in ("correction", "unmark", "undo"):
        last = EARLIER if row.get("hit") != EARLIER or row.get("after") else EARLIER + 1
        state = WorkspaceState(state.photos, (), state.searched, hits, f"H{last}")
        before = previous_messages(
            f"why is H{last} fake?", (ToolCall("score_fake", {"image": f"H{last}"}),)
        )
        if intent == "correction":
            intent = "why"
    asked = Asked(state, **named, **about, row={**row, "intent": intent})  # type: ignore[arg-type]
    return asked, before


def _in_the_application(message: AIMessage, text: str, state: WorkspaceState) -> Answer:
    """The answer with the handles of the text put in, as the agent does."""
    known = [*state.photos, *(f"H{number}" for number in range(1, (state.hits or 0) + 1))]
    calls = tuple(
        ToolCall(
            call["name"], correct_arguments(call["name"], call["args"], text=text, known=known)
        )
        for call in message.tool_calls
    )
    return Answer(calls, message.text)


def _same(expected: Sequence[ToolCall], made: Sequence[ToolCall]) -> bool:
    return sorted(map(_plain, expected)) == sorted(map(_plain, made))


_DEFAULTS = {"top": 10, "count": 10, "sort": "rank", "format": "html"}


def _plain(call: ToolCall) -> str:
    """A call as text: without defaults, dates to the year, two faces in any order."""
    given = {
        key: value
        for key, value in call.arguments.items()
        if value is not None and _DEFAULTS.get(key) != value
    }
    for key in ("after", "before"):
        if key in given:
            given[key] = str(given[key])[:4]
    for key in ("folder", "term"):
        if key in given:
            given[key] = str(given[key]).strip("\"'").lower()
    if call.name == "compare_faces":
        given = {"faces": sorted(map(str, given.values()))}
    return json.dumps([call.name, given], sort_keys=True)


def _shown(answer: Answer) -> str:
    return answer.text or "; ".join(_plain(call) for call in answer.calls)
