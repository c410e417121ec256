"""The question that a conversation waits on, and the turns that the user's words alone determine.

A photo with several faces, or photos of which one is said to be forged, leave the user a choice
that neither a model nor a measurement may make.
"""

from collections.abc import Sequence
from dataclasses import replace

from assistant.agent.directed_turns import PendingQuestion, PlannedTurn, plan_photo_comparison
from assistant.agent.explicit_requests import parse_face_number
from assistant.agent.list_questions import plan_hit_list_turn
from assistant.agent.photo_questions import PhotoQuestion, parse_photo_question
from assistant.conversation.quotations import strip_quotations
from assistant.conversation.steps import Step, ToolCall, ToolResult, UserTurn, latest_turn
from assistant.grounding.casework_answers import describe_handle
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.search.query import SeveralFaces


class OpenQuestions:
    """What the user is still to decide about a workspace's photos.

    `pending` is the open question, if any. Doubted photos are excluded from the searches of the
    workspace until the user calls them authentic.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.pending: PendingQuestion | None = None

    def restore(self, steps: Sequence[Step]) -> None:
        """Restore the doubted photos and the open question of a recorded case."""
        for asked in (step for step in steps if isinstance(step, UserTurn)):
            question = self._doubt(asked)
            is_open = question is not None and not (question.authentic or question.searches)
            self.pending = PendingQuestion(question.photos) if question and is_open else None
        turn = latest_turn(steps)
        refused = {it.call_id for it in turn if isinstance(it, ToolResult) and not it.ok}
        for call in turn:
            if isinstance(call, ToolCall) and call.id in refused:
                self._find_several_faces(call)

    def _find_several_faces(self, call: ToolCall) -> None:
        """Ask which face to use, if the call was refused because a photo has several."""
        for photo in (it for it in call.handles if it in self._workspace.photos):
            try:
                self._workspace.pictures.face(photo)
            except SeveralFaces as several:
                self.ask_which_face(several, call)
                return
            except ToolError:
                continue

    def ask_which_face(self, several: SeveralFaces, call: ToolCall) -> None:
        """Ask which face of a photo is meant; the answer makes the refused call again."""
        boxes = tuple(several.boxes)
        self.pending = PendingQuestion((str(several.photo),), boxes, PlannedTurn((call,)))

    def resume_with(self, turn: PlannedTurn) -> None:
        """Let the answer to which face is meant continue with a whole turn."""
        if self.pending is not None and self.pending.boxes:
            self.pending = replace(self.pending, resume_with=turn)

    def determine(self, asked: UserTurn) -> PlannedTurn | None:
        """The turn that the user's words alone determine; None leaves it to a model.

        The question that was open is answered or dropped; the words may open another one.
        """
        answered, self.pending = self.pending, None
        if answered is not None and answered.boxes and not asked.photos:
            number = parse_face_number(asked.text, faces=len(answered.boxes))
            if number is not None:
                return self._choose_face(answered, number)
        question, searched = self._doubt(asked), self._workspace.last_search
        if question is None and not asked.photos and searched is not None:
            return plan_hit_list_turn(
                strip_quotations(asked.text), searched[0].hits,
                lambda handle: describe_handle(self._workspace, handle),
            )  # fmt: skip
        if question is None or question.searches:
            return None
        if question.doubted and not question.authentic:
            self.pending = PendingQuestion(question.photos)
        return plan_photo_comparison(question)

    def _choose_face(self, answered: PendingQuestion, number: int) -> PlannedTurn:
        self._workspace.choose_face(answered.photos[0], number)
        if self._workspace.excluded_photos:
            self.pending = PendingQuestion(tuple(sorted(self._workspace.excluded_photos)))
        return answered.resume_with

    def _doubt(self, asked: UserTurn) -> PhotoQuestion | None:
        """Parse a question about photos, and exclude the doubted ones from later searches."""
        workspace = self._workspace
        text = strip_quotations(asked.text)
        question = parse_photo_question(
            text, asked.photos, [*workspace.photos], doubted=workspace.excluded_photos,
            listed=workspace.last_search is not None,
        )  # fmt: skip
        if question is not None:
            workspace.exclude_photos(
                (workspace.excluded_photos | question.doubted) - question.authentic
            )
        return question
