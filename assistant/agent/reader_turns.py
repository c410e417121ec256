"""Turns that the request reader understands: the application plans the calls and words the results.

A question in several parts is answered part by part, until a call is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from assistant.agent.directed_turns import PlannedTurn, quoted_list
from assistant.agent.planned_answers import PlannedAnswers
from assistant.agent.requests.file_names import NamedFiles, find_files
from assistant.agent.requests.instructions import accepted
from assistant.agent.requests.parts import Part, read_parts, split_request
from assistant.agent.requests.plain_requests import dictated_note, note_and_more
from assistant.agent.requests.planning import plan_request
from assistant.agent.requests.plans.request import Plan, Request
from assistant.agent.requests.reader import ReadsRequests
from assistant.agent.requests.state import ListedHit, state_of
from assistant.agent.turn_calls import Event, TurnCalls
from assistant.conversation.languages import remark_on_language
from assistant.conversation.quotations import strip_quotations
from assistant.conversation.steps import CheckedSentence, ToolCall, UserTurn
from assistant.grounding.checker import FactContext
from assistant.grounding.fallback_answers import written as filled_in
from prompts import phrases
from tools.verdict.interpretation import describe_question

READ_CALL_PREFIX = "read_"
"""Prefix of the ids of calls that answer what the request reader understood."""


@dataclass(frozen=True, slots=True)
class ReaderTurns:
    """Answers what `reader` understands, with calls or a text, both of the application."""

    reader: ReadsRequests
    calls: TurnCalls
    answers: PlannedAnswers

    def turn(self, asked: UserTurn) -> Iterator[Event]:
        """Answer each part of what the user asked."""
        steps = self.calls.case.steps()
        dictated = note_and_more(asked.text) or any(map(dictated_note, split_request(asked.text)))
        own = asked.text if dictated else strip_quotations(asked.text)
        text = accepted(own, state_of(steps).offered)
        if text is None:
            yield from self.answers.word(PlannedTurn(extra_text=phrases.NOTHING_CHANGED), ())
            return
        files = find_files(text, self._listed(), self.calls.case.photo_names())
        parts, unclear = read_parts(self.reader, files.text, with_photo=bool(asked.photos))
        about_language = remark_on_language(asked.text, steps)
        made, said, spoken = list[ToolCall](), set[str](), False
        for number, part in enumerate(parts, start=1):
            plan = self._planned(part, files, first=number == 1)
            calls = _not_yet_made(plan, made)
            last = number == len(parts)
            if (not calls and plan.calls) or (plan.text in said and plan.text and not plan.note):
                if not last or not unclear:
                    continue  # asked twice in other words
                plan, calls = Plan(), ()
            made += calls
            said.add(plan.text)
            answered = yield from self.calls.one_by_one(calls)
            self.calls.questions.resume_with(PlannedTurn(calls))
            refused = not all(result.ok for _, result in answered)
            fact = FactContext.of(self.calls.workspace).fact
            ends = last or refused
            notes = [plan.note]
            if unclear and ends:
                notes += [f"I am not sure what you ask for with {quoted_list(unclear)}."]
                notes += [phrases.ALSO_POSSIBLE]
            openings = filter(None, (about_language if not spoken else "", plan.opening))
            spoken = True
            yield from self.answers.word(
                PlannedTurn(calls, extra_text=" ".join(filter(None, notes))),
                answered,
                before=(
                    *(CheckedSentence(it, (), "plain") for it in openings),
                    *filled_in(plan.text, fact),
                ),
                left=tuple(it.text for it in parts[number:]) if refused else (),
                offers=plan.offers,
            )
            if refused:
                return

    def _planned(self, part: Part, files: NamedFiles, *, first: bool) -> Plan:
        """The plan of a part in the present state; photos that came along belong to the first."""
        notes = files.notes if first else ()
        if not part.sure:
            return Plan(text=phrases.UNSURE, note=" ".join(notes))
        state = state_of(self.calls.case.steps())
        if not first:
            state = replace(state, new=())
        elif self.calls.opened in {hit.handle for hit in self.calls.workspace.hits}:
            state = replace(state, last=self.calls.opened)
        request = Request(
            part.name, part.text, state, self._folders(), self._listed(), notes, files.lost,
            self._shown(), self._counts(),
        )  # fmt: skip
        return plan_request(request)

    def _listed(self) -> list[ListedHit]:
        """What a request may name the listed hits by."""
        return [
            ListedHit(
                hit.handle,
                hit.assessment.verdict,
                describe_question(hit.assessment.question),
                hit.assessment.fake_probability,
                tuple(path.name for path in hit.paths),
                () if hit.version is None else tuple(it.name for it in hit.version.paths),
                self.calls.workspace.review.decision_word(hit),
                hit.assessment.identity_probability,
            )
            for hit in self.calls.workspace.hits
        ]

    def _shown(self) -> tuple[str, ...]:
        """The handles of the hits that are listed now."""
        workspace = self.calls.workspace
        return workspace.review.listed().hits if workspace.hits else ()

    def _counts(self) -> Mapping[str, int]:
        """The pictures that the latest search compared, by verdict."""
        searched = self.calls.workspace.last_search
        return searched[0].counts if searched else {}

    def _folders(self) -> list[str]:
        """The names of the folders of the listed hits."""
        paths = (path for hit in self.calls.workspace.hits for path in hit.paths)
        return [*dict.fromkeys(folder for path in paths for folder in path.parent.parts)]


def _not_yet_made(plan: Plan, made: list[ToolCall]) -> tuple[ToolCall, ...]:
    """A plan's calls without those made for an earlier part, numbered after them."""
    known = [(it.name, it.arguments) for it in made]
    return tuple(
        replace(call, id=f"{READ_CALL_PREFIX}{place}")
        for place, call in enumerate(plan.calls, start=len(made) + 1)
        if (call.name, call.arguments) not in known
    )
