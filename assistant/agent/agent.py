"""The agent loop: the model calls tools until it answers the user's question.

The loop is bounded: the last step offers no tools, so the model must answer. Every step is recorded
in the case before it is shown. Works with any langchain chat model; the results of tools (verdicts,
scores, order) never pass through it.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Self

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from assistant.agent.directed_turns import (
    NARRATION_TIMEOUT_S,
    PLANNED_CALL_PREFIX,
    PendingQuestion,
    PlannedTurn,
    addresses_question,
    model_error_sentence,
    plan_photo_comparison,
    written,
)
from assistant.agent.explicit_requests import correct_arguments, parse_face_number
from assistant.agent.list_questions import offer_of_more, plan_hit_list_turn
from assistant.agent.model_stream import ModelStream, Passing, TextDelta, TurnCancelled, Waiting
from assistant.agent.photo_questions import PhotoQuestion, parse_photo_question
from assistant.agent.requests.parts import Part, read_parts
from assistant.agent.requests.planning import Plan, Request, plan_request
from assistant.agent.requests.reader import ReadsRequests
from assistant.agent.requests.state import SEARCHES, state_of
from assistant.case.record import Case, names_of
from assistant.case.recorded_tools import RecordedTools, Turn
from assistant.conversation.messages import CONTEXT_BUDGET_CHARS, conversation_messages
from assistant.conversation.quotations import strip_quotations
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
from assistant.grounding.casework_answers import WORDED_TOOLS
from assistant.grounding.checker import FactContext, check_sentences, once
from assistant.grounding.fallback_answers import answer, word_casework, word_impressions
from assistant.grounding.fallback_answers import written as filled_in
from assistant.grounding.repair import (
    GroundedPrompt,
    ModelDraft,
    citable_fact_ids,
    explain_hits,
    is_empty_answer,
    repair_drafts,
    supports_citation_constraint,
)
from prompts import phrases
from tools.agent_tools.arguments import check_arguments
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.search.model_bundle import ModelBundle
from tools.search.query import SeveralFaces
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted

MAX_STEPS = 6
"""Maximum number of model calls in one turn; the last one offers no tools."""


READ_CALL_PREFIX = "read_"
"""Prefix of the ids of calls that answer what the request reader understood."""

Event = Passing | Step

TurnPlanner = Callable[[tuple[str, ...]], PlannedTurn]
"""Plans a turn's tool calls from the handles of the photos attached to it."""


class Agent:
    """One conversation: a model, a workspace with photos and hits, and the case that records it.

    The model is offered the tools that its checkpoint knows (`known_tools`; without it, all of
    them); buttons may call any. With a `reader`, requests are understood by it, and the
    application plans the calls and words the results; `model` still explains hits. Serves one turn
    at a time. Tools run in the thread that iterates `ask`; `stop` may be called from any thread.
    `notes` are sentences for the user about a resumed case. Tools run inside `turn()`.
    """

    def __init__(
        self,
        model: BaseChatModel,
        workspace: Workspace,
        case: Case,
        *,
        max_steps: int = MAX_STEPS,
        budget: int = CONTEXT_BUDGET_CHARS,
        notes: Sequence[str] = (),
        reader: ReadsRequests | None = None,
        turn: Turn = contextlib.nullcontext,
    ) -> None:
        self.model = model
        self.reader = reader
        self.workspace = workspace
        self.case = case
        self.max_steps = max_steps
        self.budget = budget
        self.notes = notes
        self._recorded = RecordedTools(workspace, case, turn=turn)
        self._tools = self._recorded.tools
        known = getattr(model, "known_tools", None)
        self._offered = {
            name: tool for name, tool in self._tools.items() if known is None or name in known
        }
        self._stopping = threading.Event()
        self.pending_question: PendingQuestion | None = None
        self._go_on(case.steps())

    @classmethod
    def begin(
        cls,
        model: BaseChatModel,
        models: ModelBundle,
        *,
        home: Path,
        gallery: str,
        reader: ReadsRequests | None = None,
        turn: Turn = contextlib.nullcontext,
    ) -> Self:
        """Start a new case on a gallery."""
        workspace = Workspace(models, home=home, gallery=gallery)
        case = Case.create(home, gallery=gallery)
        return cls(model, workspace, case, reader=reader, turn=turn)

    @classmethod
    def resume(
        cls,
        model: BaseChatModel,
        models: ModelBundle,
        case: Case,
        *,
        home: Path,
        user: str = "",
        reader: ReadsRequests | None = None,
        turn: Turn = contextlib.nullcontext,
    ) -> Self:
        """Resume a recorded case for a login, whose name the access logs get."""
        with turn():
            restored = case.restore(models, home=home, user=user)
        return cls(model, restored.workspace, case, notes=restored.notes, reader=reader, turn=turn)

    def ask(
        self, text: str, photos: Sequence[Path] = (), *, plan: TurnPlanner | None = None
    ) -> Iterator[Event]:
        """Run one turn on the user's text and the attached photos.

        `plan` gives the tool calls of a pressed button, which no model chooses. If the application
        then needs an answer from the user, `pending_question` holds the question. Yields tokens as
        they stream, `Waiting` while a chat server is silent, and steps as they are recorded; the
        last step is the checked answer, `Stopped` or `Failed`. Closing the iterator stops at that
        token. Raises UnreadableImage before anything is recorded; a bug or SetupError after
        `Failed`.
        """
        self._stopping.clear()
        spoken: list[str] = []
        asked = self._begun(text, photos)
        try:
            yield asked
            directed = self._decided(plan, asked.photos) if plan else self._read(asked)
            for event in self._undirected() if directed is None else self._directed(directed):
                if not isinstance(event, Waiting):
                    spoken = [*spoken, event.text] if isinstance(event, TextDelta) else []
                yield event
        except TurnCancelled:
            yield self._record(Stopped("".join(spoken)))
        except (GeneratorExit, KeyboardInterrupt):
            self._record(Stopped("".join(spoken)))
            raise
        except Exception as error:
            yield self._record(Failed(_in_words(error)))
            raise

    def stop(self) -> None:
        """End the turn at the next token, or when the running tool returns."""
        self._stopping.set()

    def explain(self, handles: Sequence[str]) -> Iterator[Explanation]:
        """Explain the verdicts of hits in checked model text; ToolError for an unknown hit."""
        self._stopping.clear()
        score_fake = self._tools["score_fake"]
        explained = explain_hits(
            self.model,
            self.workspace,
            handles,
            evidence=lambda hit: str(score_fake.invoke({"image": hit})),
            wait=ModelStream(self.model, self._stopping).texts,
        )
        with contextlib.suppress(TurnCancelled):
            for explanation in explained:
                if self._stopping.is_set():
                    return
                self._record(explanation)
                self._record_facts(explanation.sentences)
                yield explanation

    # -- planned turns -----------------------------------------------------------------------

    def _go_on(self, steps: Sequence[Step]) -> None:
        """Restore the doubted photos and the pending question of a recorded case."""
        begun = 0
        for at, step in enumerate(steps):
            if isinstance(step, UserTurn):
                begun, question = at, self._doubt(step)
                open_ = question is not None and not (question.authentic or question.searches)
                self.pending_question = (
                    PendingQuestion(question.photos) if question and open_ else None
                )
        refused = {it.call_id for it in steps[begun:] if isinstance(it, ToolResult) and not it.ok}
        for call in steps[begun:]:
            if isinstance(call, ToolCall) and call.id in refused:
                self.pending_question = self._several_faces(call) or self.pending_question

    def _several_faces(self, call: ToolCall) -> PendingQuestion | None:
        """The question which face to use, if the call was refused because a photo has several."""
        for photo in (it for it in call.handles if it in self.workspace.photos):
            try:
                self.workspace.face(photo)
            except SeveralFaces as several:
                return PendingQuestion((photo,), tuple(several.boxes), PlannedTurn((call,)))
            except ToolError:
                continue
        return None

    def _decided(self, plan: TurnPlanner, handles: tuple[str, ...]) -> PlannedTurn:
        self.pending_question = None
        return plan(handles)

    def _read(self, asked: UserTurn) -> PlannedTurn | None:
        """Tool calls that the user's words alone determine; None lets the model choose."""
        pending_question, self.pending_question = self.pending_question, None
        if pending_question is not None and pending_question.boxes and not asked.photos:
            number = parse_face_number(asked.text, faces=len(pending_question.boxes))
            if number is not None:
                self.workspace.choose_face(pending_question.photos[0], number)
                if self.workspace.excluded_photos:
                    self.pending_question = PendingQuestion(
                        tuple(sorted(self.workspace.excluded_photos))
                    )
                return pending_question.resume_with
        question = self._doubt(asked)
        if question is None and not asked.photos and self.workspace.last_search is not None:
            return plan_hit_list_turn(
                strip_quotations(asked.text), self.workspace.last_search[0].hits
            )
        if question is None or question.searches:
            return None
        if not question.authentic:
            self.pending_question = PendingQuestion(question.photos)
        return plan_photo_comparison(question)

    def _doubt(self, asked: UserTurn) -> PhotoQuestion | None:
        """Parse a question about photos, and exclude the doubted ones from later searches."""
        workspace = self.workspace
        text = strip_quotations(asked.text)
        question = parse_photo_question(
            text, asked.photos, [*workspace.photos], doubted=workspace.excluded_photos
        )
        if question is not None:
            workspace.exclude_photos(
                (workspace.excluded_photos | question.doubted) - question.authentic
            )
        return question

    def _directed(self, directed: PlannedTurn) -> Iterator[Event]:
        """Execute and record the planned calls like any other, then word their results."""
        calls = tuple(
            replace(call, id=f"{PLANNED_CALL_PREFIX}{number}")
            for number, call in enumerate(directed.calls, start=1)
        )
        answered = yield from self._called_in_order(calls, resume_with=directed)
        yield from self._worded(directed, answered)

    def _called_in_order(
        self, calls: Sequence[ToolCall], *, resume_with: PlannedTurn | None = None
    ) -> Generator[Event, None, list[tuple[ToolCall, ToolResult]]]:
        """Execute and record calls; a question which face is meant resumes with all of them."""
        answered: list[tuple[ToolCall, ToolResult]] = []
        for call in calls:
            if self._stopping.is_set():
                raise TurnCancelled
            yield self._record(call)
            result = self._result(call)
            yield self._record(result)
            answered.append((call, result))
        if self.pending_question is not None and self.pending_question.boxes:
            again = resume_with or PlannedTurn(tuple(calls))
            self.pending_question = replace(self.pending_question, resume_with=again)
        return answered

    def _worded(
        self,
        directed: PlannedTurn,
        answered: Sequence[tuple[ToolCall, ToolResult]],
        *,
        narrated: bool = True,
        before: tuple[CheckedSentence, ...] = (),
        left: tuple[str, ...] = (),
    ) -> Iterator[Event]:
        """Record the answer. If not `narrated`, no model is asked for words.

        `before` are sentences of the application; `left` are questions that were not come to,
        offered again.
        """
        began = time.perf_counter()
        sentences = before
        worth_wording = any(call.name not in WORDED_TOOLS for call, _ in answered)
        if narrated and worth_wording and all(result.ok for _, result in answered):
            sentences = yield from self._narrated(directed)
        if not any(it.source == "model" and it.text for it in sentences):
            sentences = (
                *sentences,
                *written(self.workspace, answered, pending_question=self.pending_question),
            )
        if directed.cites:
            sentences = (
                *sentences,
                *filled_in(directed.cites, FactContext.of(self.workspace).fact),
            )
        for text in (directed.extra_text, _left_in_words(left)):
            if text:
                sentences = (*sentences, CheckedSentence(text, (), "plain"))
        offers = (*left, *self._more_offers([result for _, result in answered]))
        yield self._record(ModelText(sentences, None, time.perf_counter() - began, offers))
        self._record_facts(sentences)

    def _more_offers(self, results: Sequence[ToolResult]) -> tuple[str, ...]:
        """The offer to list further hits, after a search that did not list all."""
        searched = self.workspace.last_search
        if searched is None or not any(it.ok and it.name in SEARCHES for it in results):
            return ()
        offer = offer_of_more(searched[0])
        return (offer,) if offer else ()

    def _narrated(
        self, directed: PlannedTurn
    ) -> Generator[Event, None, tuple[CheckedSentence, ...]]:
        """The model's words for this turn alone; () if any sentence fails its check.

        The prompt holds no earlier turn: with several hits in one prompt a small model cites the
        wrong one.
        """
        steps = self.case.steps()
        turn = max(at for at, step in enumerate(steps) if isinstance(step, UserTurn))
        asked = conversation_messages(steps[turn:], self.workspace, budget=self.budget)
        said, until = "", time.monotonic() + NARRATION_TIMEOUT_S
        speaking = self._said(asked, with_tools=False)
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
        sentences = check_sentences(said, FactContext.of(self.workspace, about=directed.about))
        sound = [sentence for sentence in sentences if sentence.finding is None]
        whole = len(sound) == len(sentences) and addresses_question(directed, sentences)
        return sentences if whole else ()

    # -- the request reader ------------------------------------------------------------------

    def _undirected(self) -> Iterator[Event]:
        return self._turn() if self.reader is None else self._understood(self.reader)

    def _understood(self, reader: ReadsRequests) -> Iterator[Event]:
        """A turn that the reader understands: its calls, or a text, both of the application."""
        asked = _latest_turn(self.case.steps())[0]
        assert isinstance(asked, UserTurn)  # noqa: S101 - how `_latest_turn` finds it
        text = strip_quotations(asked.text)
        parts, unclear = read_parts(reader, text, with_photo=bool(asked.photos))
        made, said = list[ToolCall](), set[str]()
        for number, part in enumerate(parts, start=1):
            plan = self._planned(part, first=number == 1)
            calls = tuple(
                replace(call, id=f"{READ_CALL_PREFIX}{place}")
                for place, call in enumerate(plan.calls, start=len(made) + 1)
                if (call.name, call.arguments) not in [(it.name, it.arguments) for it in made]
            )
            last = number == len(parts)
            if (not calls and plan.calls) or (plan.text and plan.text in said):
                if not last or not unclear:
                    continue  # asked twice in other words
                plan, calls = Plan(), ()
            made += calls
            said.add(plan.text)
            answered = yield from self._called_in_order(calls)
            refused = not all(result.ok for _, result in answered)
            last = last or refused
            words = () if calls else filled_in(plan.text, FactContext.of(self.workspace).fact)
            yield from self._worded(
                PlannedTurn(calls, extra_text=_unanswered(unclear) if last else ""),
                answered, narrated=False, before=words,
                left=tuple(it.text for it in parts[number:]) if refused else (),
            )  # fmt: skip
            if refused:
                return

    def _planned(self, part: Part, *, first: bool) -> Plan:
        """The plan of a part in the present state; photos that came along belong to the first."""
        if not part.sure:
            return Plan(text=phrases.UNSURE)
        state = state_of(self.case.steps())
        if not first:
            state = replace(state, new=())
        return plan_request(Request(part.name, part.text, state, self._folders()))

    def _folders(self) -> list[str]:
        """The names of the folders of the listed hits."""
        hits = self.workspace.last_search[0].hits if self.workspace.last_search else ()
        folders = (folder for hit in hits for path in hit.paths for folder in path.parent.parts)
        return [*dict.fromkeys(folders)]

    # -- the model loop ----------------------------------------------------------------------

    def _turn(self) -> Iterator[Event]:
        for left in reversed(range(self.max_steps)):
            began = time.perf_counter()
            asked = conversation_messages(self.case.steps(), self.workspace, budget=self.budget)
            message = yield from self._said(asked, with_tools=left > 0)
            calls = [*message.tool_calls, *message.invalid_tool_calls] if left else []
            sentences = (
                self._preface(message.text)
                if calls
                else self._checked(ModelDraft(asked, message.text, FactContext.of(self.workspace)))
            )
            if sentences:
                results = [
                    it for it in _latest_turn(self.case.steps()) if isinstance(it, ToolResult)
                ]
                offers = () if calls else self._more_offers(results)
                tokens = message.usage_metadata["output_tokens"] if message.usage_metadata else None
                duration_s = time.perf_counter() - began
                yield self._record(ModelText(sentences, tokens, duration_s, offers))
                self._record_facts(sentences)
            if not calls:
                return
            yield from self._called(message)

    def _said(
        self, asked: list[BaseMessage], *, with_tools: bool
    ) -> Generator[Passing, None, AIMessage]:
        """Stream the model's next message: yields its text as tokens, returns the message."""
        options = self._options()
        tools = [*self._offered.values()]
        model = (
            self.model.bind_tools(tools, **options) if with_tools else self.model.bind(**options)
        )
        return (yield from ModelStream(self.model, self._stopping).message(model, asked))

    def _options(self) -> dict[str, Any]:
        """Model options that restrict citations to existing facts, if the model supports them."""
        if not supports_citation_constraint(self.model):
            return {}
        return {"allowed_citations": citable_fact_ids(self.workspace, self._subjects())}

    def _subjects(self) -> tuple[str, ...]:
        """All subjects that have facts so far."""
        hits = self.workspace.last_search[0].hits if self.workspace.last_search else ()
        comparisons = takewhile(self._has_facts, (f"C{number}" for number in count(1)))
        seen = (f"{photo}.faces" for photo in self.workspace.photos)
        others = filter(self._has_facts, ("S", "G", "hits", "about", *seen, *self.workspace.photos))
        return (*(hit.handle for hit in hits), *comparisons, *others)

    def _has_facts(self, subject: str) -> bool:
        try:
            self.workspace.facts(subject)
        except (ToolError, SetupError):
            # The photo has no face, the comparison does not exist, or the gallery is empty or not
            # ours (tools report that when called).
            return False
        return True

    def _checked(self, draft: ModelDraft) -> tuple[CheckedSentence, ...]:
        """Check, repair and replace the sentences of an answer; never empty."""
        turn = _latest_turn(self.case.steps())
        calls = [step for step in turn if isinstance(step, ToolCall)]
        results = [step for step in turn if isinstance(step, ToolResult)]
        worded = word_casework(self.workspace, calls, results)
        (sentences,) = repair_drafts([draft], self.workspace, self._asked_again)
        sentences = once((*worded, *sentences))  # a repaired sentence may repeat another
        if not is_empty_answer(sentences):
            return once((*sentences, *word_impressions(self.workspace, calls, results)))
        return (*sentences, *answer(self.workspace, calls, results))

    def _asked_again(self, prompts: Sequence[GroundedPrompt]) -> list[str]:
        """Request the repairs one after the other, so that each can be stopped at any token."""
        return ["".join(self._pieces(asked)) for asked, _ in prompts]

    def _pieces(self, prompt: list[BaseMessage]) -> Iterator[str]:
        speaking = self._said(prompt, with_tools=False)
        yield from (event.text for event in speaking if isinstance(event, TextDelta))

    def _preface(self, text: str) -> tuple[CheckedSentence, ...]:
        """Check the text before a tool call; drop the sentences that fail."""
        context = FactContext.of(self.workspace)
        return tuple(
            sentence for sentence in check_sentences(text, context) if sentence.finding is None
        )

    # -- tools -------------------------------------------------------------------------------

    def _called(self, message: AIMessage) -> Iterator[Step]:
        """Yield all calls of one message, then their results, in order."""
        asked = [
            self._checked_call(ToolCall(call["name"], call["args"], call["id"] or f"call_{place}"))
            for place, call in enumerate(message.tool_calls)
        ]
        asked += [
            (
                ToolCall(bad["name"] or "", {}, bad["id"] or f"bad_{place}"),
                ToolError(bad["error"] or f"the call cannot be read: {bad['args']}"),
            )
            for place, bad in enumerate(message.invalid_tool_calls)
        ]
        for step, _ in asked:
            yield self._record(step)
        for step, wrong in asked:
            if self._stopping.is_set():
                raise TurnCancelled
            yield self._record(self._result(step, wrong))

    def _checked_call(self, call: ToolCall) -> tuple[ToolCall, ToolError | None]:
        """The call with corrected arguments, or with the error that the model must correct."""
        said = [step.text for step in self.case.steps() if isinstance(step, UserTurn)]
        hits = self.workspace.last_search[0].hits if self.workspace.last_search else ()
        known = [*self.workspace.photos, *(hit.handle for hit in hits)]
        text = strip_quotations(said[-1]) if said else ""
        asked = correct_arguments(call.name, call.arguments, text=text, known=known)
        try:
            return replace(call, arguments=check_arguments(self._offered, call.name, asked)), None
        except ToolError as error:
            return call, error

    def _result(self, call: ToolCall, wrong: ToolError | None = None) -> ToolResult:
        began = time.perf_counter()
        try:
            if wrong is not None:
                raise wrong
            return self._recorded.invoke(call)[0]
        except ToolError as error:
            if isinstance(error, SeveralFaces):
                again = PlannedTurn((call,))
                self.pending_question = PendingQuestion(
                    (str(error.photo),), tuple(error.boxes), again
                )
            content = json.dumps({"error": str(error)}, ensure_ascii=False)
            return ToolResult(call.id, call.name, content, False, time.perf_counter() - began)

    # -- the record --------------------------------------------------------------------------

    def _begun(self, text: str, photos: Sequence[Path]) -> UserTurn:
        """Record the turn with private copies of its photos, and add them to the workspace.

        If one photo is broken, nothing is recorded.
        """
        copies = self.case.keep_photos(photos)
        handles = {self.workspace.add_photo(copy): copy for copy in copies}
        return self.case.begin_turn(
            text, handles, gallery=self.workspace.gallery,
            names=names_of(photos, copies, handles),
        )  # fmt: skip

    def _record(self, step: Step) -> Step:
        self.case.append(step)
        return step

    def _record_facts(self, sentences: Sequence[CheckedSentence]) -> None:
        """Record the cited facts with their current values: the next search renumbers the hits."""
        context = FactContext.of(self.workspace)
        ids = dict.fromkeys(id_ for sentence in sentences for id_ in sentence.cites)
        facts = (context.fact(id_) for id_ in ids)
        known = tuple(fact for fact in facts if fact is not None)
        if known:
            self.case.record_facts(known)


def _unanswered(unclear: Sequence[str]) -> str:
    """What was left of a question because it was not understood."""
    quoted = join_with_and([quote_untrusted(it, longest=120) for it in unclear])
    return f"I am not sure what you ask for with {quoted}." if unclear else ""


def _left_in_words(left: Sequence[str]) -> str:
    quoted = join_with_and([quote_untrusted(it, longest=120) for it in left])
    return f"I have not come to {quoted} yet." if left else ""


def _in_words(error: Exception) -> str:
    """The error that ended a turn: advice if the user can fix it, else details for a developer."""
    known = isinstance(error, (ToolError, SetupError))
    return str(error) if known else f"{type(error).__name__}: {error}"


def _latest_turn(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps since the user's latest message."""
    begins = [place for place, step in enumerate(steps) if isinstance(step, UserTurn)]
    return steps[begins[-1] :] if begins else steps
