"""Answers to planned turns: the application makes the calls, then words what came of them.

A model may word the results of a pressed button. If it fails, is slow or contradicts the
measurements, the template's text is shown instead.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from assistant.agent.citing_model import CitingModel
from assistant.agent.directed_turns import (
    PLANNED_CALL_PREFIX,
    PlannedTurn,
    addresses_question,
    model_error_sentence,
    quoted_list,
    written,
)
from assistant.agent.list_questions import offers_after
from assistant.agent.model_stream import TextDelta
from assistant.agent.turn_calls import AnsweredCall, Event, TurnCalls
from assistant.conversation.messages import conversation_messages
from assistant.conversation.steps import CheckedSentence, ModelText, latest_turn
from assistant.grounding.casework_answers import WORDED_TOOLS
from assistant.grounding.checker import FactContext, check_sentences
from assistant.grounding.fallback_answers import written as filled_in
from tools.errors import SetupError, ToolError

NARRATION_TIMEOUT_S = 30.0
"""Seconds after which the template's text replaces an unfinished model answer."""


@dataclass(frozen=True, slots=True)
class PlannedAnswers:
    """Makes planned calls and records the answer; `budget` limits a prompt, in characters."""

    model: CitingModel
    calls: TurnCalls
    budget: int

    def turn(self, planned: PlannedTurn) -> Iterator[Event]:
        """Make and record the planned calls like any other, then word their results."""
        calls = tuple(
            replace(call, id=f"{PLANNED_CALL_PREFIX}{number}")
            for number, call in enumerate(planned.calls, start=1)
        )
        answered = yield from self.calls.one_by_one(calls)
        self.calls.questions.resume_with(planned)
        began = time.perf_counter()
        sentences: tuple[CheckedSentence, ...] = ()
        worth_wording = any(call.name not in WORDED_TOOLS for call, _ in answered)
        if worth_wording and all(result.ok for _, result in answered):
            sentences = yield from self._narrated(planned)
        yield self._recorded(planned, answered, sentences, began=began)

    def word(
        self,
        planned: PlannedTurn,
        answered: Sequence[AnsweredCall],
        *,
        before: tuple[CheckedSentence, ...] = (),
        left: tuple[str, ...] = (),
        offers: tuple[str, ...] = (),
    ) -> Iterator[Event]:
        """Record the application's answer to calls that were made; no model is asked for words.

        `before` are sentences that precede it; `left` are questions that were not come to, offered
        again; `offers` are further requests that the user may press.
        """
        began = time.perf_counter()
        yield self._recorded(planned, answered, before, left=left, offers=offers, began=began)

    def _recorded(
        self,
        planned: PlannedTurn,
        answered: Sequence[AnsweredCall],
        said: tuple[CheckedSentence, ...],
        *,
        left: tuple[str, ...] = (),
        offers: tuple[str, ...] = (),
        began: float,
    ) -> Event:
        workspace, pending = self.calls.workspace, self.calls.questions.pending
        sentences = [*said]
        if not any(it.source == "model" and it.text for it in said):
            sentences += written(workspace, answered, pending_question=pending)
        if planned.cites:
            cited = {id_ for it in sentences for id_ in it.cites}
            more = filled_in(planned.cites, FactContext.of(workspace).fact)
            sentences += [it for it in more if not it.cites or {*it.cites} - cited]
        unreached = f"I have not come to {quoted_list(left)} yet." if left else ""
        sentences += [
            CheckedSentence(text, (), "plain") for text in (planned.extra_text, unreached) if text
        ]
        results = [result for _, result in answered]
        offers = (*left, *offers, *offers_after(results, workspace.last_search))
        duration_s = time.perf_counter() - began
        return self.calls.record_text(ModelText(tuple(sentences), None, duration_s, offers))

    def _narrated(
        self, planned: PlannedTurn
    ) -> Generator[Event, None, tuple[CheckedSentence, ...]]:
        """The model's words for this turn alone; () if any sentence fails its check.

        The prompt holds no earlier turn: with several hits in one prompt a small model cites the
        wrong one.
        """
        workspace = self.calls.workspace
        turn = latest_turn(self.calls.case.steps())
        asked = conversation_messages(turn, workspace.pictures, budget=self.budget)
        said, until = "", time.monotonic() + NARRATION_TIMEOUT_S
        speaking = self.model.message(asked)
        try:
            for event in speaking:
                said += event.text if isinstance(event, TextDelta) else ""
                yield event
                if time.monotonic() > until:
                    return ()
        except (SetupError, ToolError) as error:
            return (model_error_sentence(error),)
        finally:
            speaking.close()
        sentences = check_sentences(said, FactContext.of(workspace, about=planned.about))
        sound = [sentence for sentence in sentences if sentence.finding is None]
        whole = len(sound) == len(sentences) and addresses_question(planned, sentences)
        return sentences if whole else ()
