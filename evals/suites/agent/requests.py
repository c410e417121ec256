"""Are requests understood that were worded by authors who never saw the training's wordings?

1,008 requests by eight authors (`free_wordings/`), who knew what the application can do and nothing
of the training data; some are not in English; the few that training happens to word alike are left
out. Rules were mended on the first six. Each is read in a scripted situation (photos, number of
hits, the previous turn), as the agent reads it: the reader
names its class, `assistant.agent.requests.planning` makes the plan. Right means exactly the
expected calls, or the expected answer without a call; asking again for want of certainty counts as
wrong. The authors are language models writing as people of several professions and languages, not
people: how real users write is not measured. Needs `unmask setup`. `--limit` takes that many,
evenly spaced.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.agent.requests.loading import load_request_reader
from assistant.agent.requests.parts import sure_from
from assistant.agent.requests.planning import plan_request
from assistant.agent.requests.plans import lists
from assistant.agent.requests.plans.request import Plan, Request
from assistant.agent.requests.reader import Reading, ReadsRequests
from assistant.agent.requests.state import CaseState
from assistant.conversation.steps import ToolCall
from assistant.settings import Settings
from assistant.training.reader.classes import ATTACHED, wordings
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from prompts import phrases
from tools.errors import SetupError
from tools.metrics import interval, mean
from tools.verdict.handles import cited_handles
from tools.verdict.term_lookup import explain_term

WORDINGS = Path(__file__).parent / "free_wordings"
LISTED, EARLIER = 12, 5
"""Hits of a situation that names no other number, and the hit of the previous turn."""

FOLDERS = ("home", "pictures", "collection", "2023", "press agency", "telegram-old")
"""Folders of the listed hits, besides the one that a request names."""

DECLINED = {
    "outside": phrases.OUTSIDE,
    "unanswerable": phrases.UNANSWERABLE,
    "injection": phrases.OBEDIENCE,
}
_SAID = {
    "no_photo": phrases.ASK_PHOTO,
    "greeting": phrases.GREETING,
    "thanks": phrases.THANKS,
    "which_hit": phrases.WHICH_HIT,
    "named_person": phrases.BY_PHOTO,
    **DECLINED,
}
_VERDICTS = {
    "which_fake": "impersonation",
    "which_genuine": "no forgery found",
    "which_inconclusive": "inconclusive",
    "which_other": "other",
    "which_copy": "copy",
}
_DECISIONS = {"confirm": "confirmed", "reject": "rejected", "hide": "hidden", "unmark": "none"}
_ON_HIT = {
    "why": "score_fake",
    "where": "locate_artifacts",
    "describe": "describe_image",
    "file_facts": "file_facts",
}


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One request with its author, what was expected, and what was read."""

    author: str
    row: Mapping[str, Any]
    expected: Plan
    made: Plan
    reading: Reading
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the calls are the expected ones, or the answers without a call agree."""
        if self.expected.calls or self.made.calls:
            return sorted(map(_plain, self.expected.calls)) == sorted(map(_plain, self.made.calls))
        cites = cited_handles(self.expected.text)
        if cites:
            return set(cites) <= set(cited_handles(self.made.text))
        return self.expected.text.split(".")[0] in self.made.text


def run(options: EvalOptions) -> dict[str, object]:
    """Share of requests read rightly, in total, by author and by intent."""
    reader = load_request_reader(Settings.load())
    if reader is None:
        raise SetupError("the request reader is not installed: run `unmask setup`")
    rows = free_requests()
    if options.limit is not None:
        rows = rows[:: max(1, len(rows) // options.limit)]
    samples, found = SampleWriter(options.output), list[ReadRequest]()
    for number, (author, row) in enumerate(rows):
        options.progress(number, len(rows), "reading")
        it = read(reader, author, row)
        found.append(it)
        samples.query(
            id=f"{author}/{number}", group=author, values={"right": float(it.right)},
            about=row["intent"], asked=row["text"], expected=_shown(it.expected),
            made=_shown(it.made), read=it.reading.name, probability=it.reading.probability,
        )  # fmt: skip
    return figures(found, seed=options.seed)


def free_requests() -> list[tuple[str, Mapping[str, Any]]]:
    """All requests whose words do not occur in the training, each with its author."""
    trained = {words(row["text"]) for row in wordings()}
    written = [
        (file.stem, json.loads(line))
        for file in sorted(WORDINGS.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return [(author, row) for author, row in written if words(row["text"]) not in trained]


def words(text: str) -> str:
    """The letters of a text, to compare texts by."""
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


def read(reader: ReadsRequests, author: str, row: Mapping[str, Any]) -> ReadRequest:
    """Read one request in its situation, as the agent does."""
    state, began = situation(row), time.monotonic()
    reading = reader.read(row["text"], with_photo=bool(state.new))
    folders = [*FOLDERS, row["folder"]] if "folder" in row else FOLDERS
    made = plan_request(Request(reading.name, row["text"], state, folders))
    if reading.probability < sure_from(reading.name):
        made = Plan(text=phrases.UNSURE)
    seconds = time.monotonic() - began
    return ReadRequest(author, row, expected(row, state), made, reading, seconds)


def figures(found: Sequence[ReadRequest], *, seed: int) -> dict[str, object]:
    """Shares with intervals over requests."""
    by_intent: dict[str, list[bool]] = defaultdict(list)
    by_author: dict[str, list[float]] = defaultdict(list)
    for it in found:
        by_intent[it.row["intent"]].append(it.right)
        by_author[it.author].append(float(it.right))
    right = [float(it.right) for it in found]
    return {
        "requests": len(found),
        "right": mean(right),
        "right_95": interval(right, seed=seed),
        "right by author": {author: mean(some) for author, some in by_author.items()},
        "out of scope, unanswerable, orders: recognised": mean(
            [it.right for it in found if it.row["intent"] in DECLINED]
        ),
        "handles of two and three digits": mean(
            [it.right for it in found if int(it.row.get("hit", 0)) > 9]
        ),
        "asked again": mean([it.made.text == phrases.UNSURE for it in found]),
        "seconds a request, mean": mean([it.seconds for it in found]),
        "seconds a request, slowest": max(it.seconds for it in found),
        "right by intent": {
            intent: f"{sum(some)}/{len(some)}" for intent, some in sorted(by_intent.items())
        },
    }


def situation(row: Mapping[str, Any]) -> CaseState:
    """Photos, hits and the previous turn around a request."""
    intent, hits = row["intent"], int(row.get("hits", LISTED))
    if intent == "no_photo":
        return CaseState()
    if intent in ("find", "find_top", "two_find_why"):
        return CaseState(("Q1",), ("Q1",))
    if intent in ATTACHED:
        return CaseState(("Q1", "Q2"), ("Q2",), ("Q1",), hits)
    photos = tuple(f"Q{number}" for number in range(1, int(row.get("photo", 1)) + 1))
    if not row.get("after") and intent not in ("correction", "unmark", "undo"):
        return CaseState(photos, (), photos, hits)
    # A follow-up is about the hit of the previous turn, a correction about another one.
    last = int(row.get("hit", EARLIER)) if row.get("after") else EARLIER
    if not row.get("after") and row.get("hit") == EARLIER:
        last = EARLIER + 1
    before = ToolCall("score_fake", {"image": f"H{last}"})
    return CaseState(photos, (), photos, hits, f"H{last}", (before,))


def expected(row: Mapping[str, Any], state: CaseState) -> Plan:
    """What answers a request of this intent."""
    intent, hit = row["intent"], f"H{row.get('hit', EARLIER)}"
    photo = f"Q{row['photo']}" if "photo" in row else state.person[0] if state.person else ""
    if intent in _SAID:
        return Plan(text=_SAID[intent])
    if intent in ("find", "find_top", "next_person"):
        return _calls(("find_person", {"photos": [*state.new], **_given(row, top="n")}))
    if intent == "fewer" and "search" not in row["text"]:  # the list is not cut
        told = [f"H{at}" for at in range(1, 1 + min(row.get("n", 1), lists.MOST_WORDED))]
        return Plan(text=" ".join(f"[{it}.verdict], and [{it}.P2]." for it in told))
    if intent in ("again", "fewer"):
        return _calls(("find_person", {"photos": [*state.person], **_given(row, top="n")}))
    if intent == "more_photos":
        return _calls(("find_person", {"photos": [*state.person, *state.new]}))
    if intent == "more":
        return _calls(("more_hits", _given(row, count="n")))
    if intent in ("why", "correction"):
        return _calls(("score_fake", {"image": hit}))
    if intent in _ON_HIT:
        return _calls((_ON_HIT[intent], {"image": hit}))
    compared = ("compare_faces", {"first": photo, "second": hit})
    located = ("locate_artifacts", {"image": hit})
    if intent.startswith("about_"):
        return _calls(("about_unmask", {"topic": intent.removeprefix("about_")}))
    if intent in _VERDICTS:
        return _calls(("list_hits", {"verdict": _VERDICTS[intent]}))
    if intent in _DECISIONS:
        return _calls(("mark_hit", {"hit": hit, "decision": _DECISIONS[intent]}))
    match intent:
        case "own_photo":
            return _calls(("score_fake", {"image": photo}))
        case "compare":
            return _calls(compared)
        case "compare_hits":
            return _calls(("compare_faces", {"first": hit, "second": f"H{row['hit2']}"}))
        case "sure":
            return Plan(text=f"[{hit}.P1] and [{hit}.P2]")
        case "same_person":
            return Plan(text=f"[{hit}.P1]")
        case "counts":
            return Plan(text="[S8]")
        case "sort":
            return _calls(("list_hits", {"sort": row["by"]}))
        case "filter_folder":
            return _calls(("list_hits", {"folder": row["folder"]}))
        case "filter_date":
            return _calls(("list_hits", {row["when"]: row["date"]}))
        case "clear_filter":
            return _calls(("list_hits", {}))
        case "undo":
            return _calls(("undo", {}))
        case "reviews":
            return _calls(("reviewed", {"hit": hit} if "hit" in row else {}))
        case "export":
            return _calls(("export_report", {"format": row.get("format", "html")}))
        case "term":
            return _calls(("explain_term", {"term": row["term"]}))
        case "measure":
            return Plan(text=f"[about.{row['fact']}]")
        case "gallery":
            return _calls(("gallery_summary", {}))
        case "two_find_why":
            first = ("find_person", {"photos": [*state.new]})
            return _calls(first, ("score_fake", {"image": "H1"}))
        case "two_why_where":
            return _calls(("score_fake", {"image": hit}), located)
        case "two_compare_where":
            return _calls(compared, located)
    raise ValueError(f"no answer is defined for {intent!r}")


def _calls(*calls: tuple[str, Mapping[str, Any]]) -> Plan:
    return Plan(tuple(ToolCall(name, dict(arguments)) for name, arguments in calls))


def _given(row: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {argument: row[field] for argument, field in names.items() if field in row}


_DEFAULTS = {"top": 10, "count": 10, "sort": "rank", "format": "html"}


def _plain(call: ToolCall) -> str:
    """A call as text: without defaults, dates to the year, two faces in any order.

    Whether a list stays as it is, and which decisions an answer is about, no wording states.
    """
    beside = ("stays", "decision") if call.name == "reviewed" else ("stays",)
    given = {
        key: value
        for key, value in call.arguments.items()
        if value is not None and _DEFAULTS.get(key) != value and key not in beside
    }
    for key in ("after", "before"):
        if key in given:
            given[key] = str(given[key])[:4]
    if "folder" in given:
        given["folder"] = str(given["folder"]).lower()
    if "term" in given:
        entry = explain_term(str(given["term"]))
        given["term"] = entry.term if entry else str(given["term"]).strip("\"'").lower()
    if call.name == "compare_faces":
        given = {"faces": sorted(map(str, given.values()))}
    return json.dumps([call.name, given], sort_keys=True)


def _shown(plan: Plan) -> str:
    return plan.text or "; ".join(_plain(call) for call in plan.calls)
