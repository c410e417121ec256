"""Report of a turn on the terminal or as JSON: tool calls, answer, explanations."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.agent.agent import Agent
from assistant.agent.model_stream import WAITING_AFTER_S, TextDelta, Waiting
from assistant.agent.reader_turns import READ_CALL_PREFIX
from assistant.console.output import (
    escape_terminal,
    print_remarks,
    print_table,
    stderr_console,
    stdout_console,
)
from assistant.conversation.steps import (
    CheckedSentence,
    Explanation,
    ModelText,
    Step,
    ToolCall,
    ToolResult,
    to_json,
)
from assistant.grounding.citations import render_citations
from assistant.report.case_export import decision_json
from assistant.report.pictures.map_files import write_map
from assistant.report.pictures.numbered_faces import clarification_text
from tools.errors import ToolError
from tools.media.file_names import printable
from tools.search.results import Hit
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import Fact, quote_untrusted

_LISTING = ("find_person", "more_hits", "list_hits", "mark_hit", "undo")
"""Tools after which the list of hits may be another one."""


class TurnReporter:
    """The events of a run: shown step by step, then as an answer or as JSON."""

    def __init__(self, agent: Agent, *, show: bool) -> None:
        self._agent = agent
        self._show = show
        self._console = stderr_console()
        self._steps: list[Step] = []

    def turn(self, question: str, photos: Sequence[Path]) -> None:
        """Run a turn, and show each tool's name, duration and count after its result."""
        for event in self._agent.ask(question, photos):
            if isinstance(event, Waiting):
                self._wait(event)
            elif not isinstance(event, TextDelta):
                self._steps.append(event)
                self._tell(event)

    def explain(self, count: int) -> None:
        """Explain the leading hits, if there are any."""
        searched = self._agent.workspace.last_search
        if count and searched is not None:
            handles = [hit.handle for hit in searched[0].hits[:count]]
            self._steps += self._agent.explain(handles)

    def print_answer(self) -> None:
        """The checked answer with its values, the hits, and the explanations."""
        say = stdout_console()
        say.print(self._filled(self._answer()), soft_wrap=True)
        if any(it.name in _LISTING and not it.data.get("list") for it in self._results()):
            self._print_hits()  # else a follow-up left the list as it was
        for handle, path in self._maps().items():
            say.print(f"The map of {handle}: {escape_terminal(path)}", soft_wrap=True, markup=False)
        for step in self._steps:
            if isinstance(step, Explanation):
                say.print(f"\n{step.hit}  {self._filled(step.sentences)}", soft_wrap=True)
        if offers := self._offers():
            quoted = join_with_and([quote_untrusted(it, longest=120) for it in offers])
            say.print(f"Ask next: {escape_terminal(quoted)}", soft_wrap=True, markup=False)
        pending = self._agent.pending_question
        if pending is not None:
            workspace = self._agent.workspace
            print_remarks([clarification_text(pending, workspace, workspace.home / "faces")])
        print_remarks(
            f"a sentence was left out: {sentence.finding}"
            for sentence in self._answer()
            if not sentence.text
        )

    def _print_hits(self) -> None:
        """The listed hits; with a column of decisions if one has any."""
        by_handle = {hit.handle: hit for hit in self._hits()}
        listed = [by_handle[handle] for handle in self._listed()]
        if not listed:
            return
        review = self._agent.workspace.review
        decided, words = review.authors.column("decision", [review.decision(it) for it in listed])
        rows = [
            [hit.handle, hit.verdict, *([word] if any(words) else []), printable(hit.path) + hit.at]
            for hit, word in zip(listed, words, strict=True)
        ]
        stdout_console().print()
        print_table(["hit", "verdict", *([decided] if any(words) else []), "file"], rows)

    def to_json(self, question: str) -> dict[str, Any]:
        """One dict that can be written as JSON, without pictures."""
        steps = [to_json(step) for step in self._steps]
        explained = [it for it in self._steps if isinstance(it, Explanation)]
        return {
            "case": self._agent.case.id,
            "gallery": self._agent.workspace.gallery,
            "question": question,
            "answer": self._filled(self._answer(), mark=False),
            "sentences": [asdict(it) for it in self._answer()],
            "facts": self._facts(),
            "explanations": {
                it.hit: self._filled(it.sentences, mark=False) for it in explained
            },
            "maps": {handle: printable(path) for handle, path in self._maps().items()},
            "listed": list(self._listed()),
            "offers": list(self._offers()),
            "hits": [_hit(hit) | {"decision": self._decision(hit)} for hit in self._hits()],
            "steps": [_without_pictures(step) for step in steps],
        }  # fmt: skip

    def _tell(self, step: Step) -> None:
        if self._show and isinstance(step, ToolResult):
            found = step.found or "done"
            self._console.print(
                f"{escape_terminal(step.name)}: {found}, {step.duration_s:.1f} s", style="dim"
            )

    def _wait(self, waiting: Waiting) -> None:
        """Report a wait at once, and then every 30 seconds."""
        if self._show and (waiting.seconds == WAITING_AFTER_S or waiting.seconds % 30 == 0):
            told = f"waiting for the chat server at {waiting.server}, {waiting.seconds} s so far"
            self._console.print(escape_terminal(f"{told}; Ctrl-C stops"), style="dim")

    def _answer(self) -> tuple[CheckedSentence, ...]:
        """The answer; of a question in several parts, that to each part, in order."""
        said = [step.sentences for step in self._steps if isinstance(step, ModelText)]
        parts = all(
            step.id.startswith(READ_CALL_PREFIX)
            for step in self._steps
            if isinstance(step, ToolCall)
        )
        return tuple(it for some in (said if parts else said[-1:]) for it in some)

    def _offers(self) -> tuple[str, ...]:
        said = [step for step in self._steps if isinstance(step, ModelText)]
        return said[-1].offers if said else ()

    def _hits(self) -> Sequence[Hit]:
        searched = self._agent.workspace.last_search
        return () if searched is None else searched[0].hits

    def _results(self) -> list[ToolResult]:
        return [step for step in self._steps if isinstance(step, ToolResult) and step.ok]

    def _maps(self) -> dict[str, Path]:
        """The maps that this turn located, written into the folder of the case, by handle."""
        calls = {step.id: step for step in self._steps if isinstance(step, ToolCall)}
        written = dict[str, Path]()
        for result in self._results():
            if result.name == "locate_artifacts" and result.call_id in calls:
                for handle in calls[result.call_id].handles:
                    with contextlib.suppress(ToolError):  # another search has begun since
                        written[handle] = write_map(
                            self._agent.workspace, handle, self._agent.case.folder
                        )
        return written

    def _listed(self) -> tuple[str, ...]:
        """The handles that the filter in force lists, in order."""
        return self._agent.workspace.review.listed().hits if self._hits() else ()

    def _decision(self, hit: Hit) -> dict[str, str] | None:
        return decision_json(self._agent.workspace.review.decision(hit))

    def _facts(self) -> dict[str, Any]:
        return {id_: fact.to_json() for id_, fact in self._cited().items()}

    def _cited(self) -> Mapping[str, Fact]:
        told = self._agent.case.steps_with_facts()[-len(self._steps) :]
        return {id_: fact for _, facts in told for id_, fact in facts.items()}

    def _filled(self, sentences: Sequence[CheckedSentence], *, mark: bool = True) -> str:
        text = render_citations(sentences, self._cited().get, mark=mark)
        return "\n".join(escape_terminal(line) for line in text.split("\n"))


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.handle,
        "verdict": hit.verdict,
        "path": printable(hit.path),
        "image_id": hit.image_id,
        "time_s": hit.time_s,
        "moments": list(hit.moments),
    }


def _without_pictures(step: dict[str, Any]) -> dict[str, Any]:
    content = step.get("content")
    if not isinstance(content, list):
        return step
    return step | {"content": [block for block in content if block.get("type") == "text"]}
