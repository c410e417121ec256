"""The loop in which the model calls tools until it answers the user's question.

The loop is bounded: the last step offers no tools, so the model must answer.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool

from assistant.agent.citing_model import CitingModel
from assistant.agent.explicit_requests import correct_arguments
from assistant.agent.list_questions import offers_after
from assistant.agent.turn_calls import Event, TurnCalls
from assistant.conversation.messages import conversation_messages
from assistant.conversation.quotations import strip_quotations
from assistant.conversation.steps import CheckedSentence, ModelText, ToolCall, UserTurn
from assistant.grounding.checker import FactContext, check_sentences, once
from assistant.grounding.fallback_answers import answer, word_casework, word_impressions
from assistant.grounding.repair import ModelDraft, is_empty_answer, repair_drafts
from tools.agent_tools.arguments import check_arguments
from tools.errors import ToolError


class ModelLoop:
    """Turns in which `model` chooses among the `offered` tools, in at most `max_steps` messages.

    `budget` is the longest prompt, in characters.
    """

    def __init__(
        self,
        model: CitingModel,
        calls: TurnCalls,
        offered: Mapping[str, BaseTool],
        *,
        max_steps: int,
        budget: int,
    ) -> None:
        self._model = model
        self._calls = calls
        self._workspace, self._case = calls.workspace, calls.case
        self._offered = offered
        self._max_steps = max_steps
        self._budget = budget

    def turn(self) -> Iterator[Event]:
        """Answer the user's latest message; the last step is the checked answer."""
        for left in reversed(range(self._max_steps)):
            began = time.perf_counter()
            steps, pictures = self._case.steps(), self._workspace.pictures
            asked = conversation_messages(steps, pictures, budget=self._budget)
            tools = [*self._offered.values()] if left else []
            message = yield from self._model.message(asked, tools)
            calls = self._requested(message) if left else []
            sentences = (
                self._preface(message.text)
                if calls
                else self._checked(ModelDraft(asked, message.text, FactContext.of(self._workspace)))
            )
            if sentences:
                offers = () if calls else self._offers()
                tokens = message.usage_metadata["output_tokens"] if message.usage_metadata else None
                duration_s = time.perf_counter() - began
                yield self._calls.record_text(ModelText(sentences, tokens, duration_s, offers))
            if not calls:
                return
            yield from self._calls.all_at_once(calls)

    # -- the calls of a message ---------------------------------------------------------------

    def _requested(self, message: AIMessage) -> list[tuple[ToolCall, ToolError | None]]:
        """The calls of a message, each with the error that the model must correct, if any."""
        readable = [
            self._corrected(ToolCall(call["name"], call["args"], call["id"] or f"call_{place}"))
            for place, call in enumerate(message.tool_calls)
        ]
        unreadable = [
            (
                ToolCall(bad["name"] or "", {}, bad["id"] or f"bad_{place}"),
                ToolError(bad["error"] or f"the call cannot be read: {bad['args']}"),
            )
            for place, bad in enumerate(message.invalid_tool_calls)
        ]
        return [*readable, *unreadable]

    def _corrected(self, call: ToolCall) -> tuple[ToolCall, ToolError | None]:
        """The call with the arguments that the user's words determine, checked."""
        said = [step.text for step in self._case.steps() if isinstance(step, UserTurn)]
        known = [*self._workspace.photos, *(hit.handle for hit in self._workspace.hits)]
        text = strip_quotations(said[-1]) if said else ""
        asked = correct_arguments(call.name, call.arguments, text=text, known=known)
        try:
            return replace(call, arguments=check_arguments(self._offered, call.name, asked)), None
        except ToolError as error:
            return call, error

    # -- the text of a message ----------------------------------------------------------------

    def _preface(self, text: str) -> tuple[CheckedSentence, ...]:
        """Check the text before a tool call; drop the sentences that fail."""
        context = FactContext.of(self._workspace)
        return tuple(
            sentence for sentence in check_sentences(text, context) if sentence.finding is None
        )

    def _checked(self, draft: ModelDraft) -> tuple[CheckedSentence, ...]:
        """Check, repair and replace the sentences of an answer; never empty."""
        calls, results = self._calls.of_latest_turn()
        worded = word_casework(self._workspace, calls, results)
        (sentences,) = repair_drafts([draft], self._workspace, self._model.rewrite)
        sentences = once((*worded, *sentences))  # a repaired sentence may repeat another
        if not is_empty_answer(sentences):
            return once((*sentences, *word_impressions(self._workspace, calls, results)))
        return (*sentences, *answer(self._workspace, calls, results))

    def _offers(self) -> tuple[str, ...]:
        _, results = self._calls.of_latest_turn()
        return offers_after(results, self._workspace.last_search)
