"""The chat model, bound to a workspace's facts: it streams, can be stopped, and cites what exists.

Models that support it are restricted while they write: they can cite no fact that does not exist.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count, takewhile
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool

from assistant.agent.model_stream import ModelStream, Passing, TextDelta
from assistant.conversation.steps import Explanation
from assistant.grounding.repair import (
    GroundedPrompt,
    citable_fact_ids,
    explain_hits,
    supports_citation_constraint,
)
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError


class CitingModel:
    """A chat model's words on a workspace; setting `stopping` ends them with TurnCancelled."""

    def __init__(
        self, model: BaseChatModel, workspace: Workspace, *, stopping: threading.Event
    ) -> None:
        self._model = model
        self._workspace = workspace
        self._stream = ModelStream(model, stopping)

    def message(
        self, asked: list[BaseMessage], tools: Sequence[BaseTool] = ()
    ) -> Generator[Passing, None, AIMessage]:
        """Stream the next message: yields its text as tokens, returns the message."""
        options = self._options()
        bound = self._model.bind_tools(tools, **options) if tools else self._model.bind(**options)
        return (yield from self._stream.message(bound, asked))

    def rewrite(self, prompts: Sequence[GroundedPrompt]) -> list[str]:
        """Answer prompts one after the other, so that each can be stopped at any token."""
        return ["".join(self._pieces(asked)) for asked, _ in prompts]

    def _pieces(self, prompt: list[BaseMessage]) -> Iterator[str]:
        yield from (it.text for it in self.message(prompt) if isinstance(it, TextDelta))

    def explain(
        self, handles: Sequence[str], *, evidence: Callable[[str], str]
    ) -> Iterator[Explanation]:
        """Explain the verdicts of hits in checked text; ToolError for an unknown hit."""
        return explain_hits(
            self._model, self._workspace, handles, evidence=evidence, wait=self._stream.texts
        )

    def _options(self) -> dict[str, Any]:
        """Model options that restrict citations to existing facts, if the model supports them."""
        if not supports_citation_constraint(self._model):
            return {}
        return {"allowed_citations": citable_fact_ids(self._workspace, self._subjects())}

    def _subjects(self) -> tuple[str, ...]:
        """All subjects that have facts so far."""
        photos = self._workspace.photos
        comparisons = takewhile(self._has_facts, (f"C{number}" for number in count(1)))
        seen = (f"{photo}.faces" for photo in photos)
        others = filter(self._has_facts, ("S", "G", "hits", "about", *seen, *photos))
        return (*(hit.handle for hit in self._workspace.hits), *comparisons, *others)

    def _has_facts(self, subject: str) -> bool:
        try:
            self._workspace.facts(subject)
        except (ToolError, SetupError):
            # The photo has no face, the comparison does not exist, or the gallery is empty or not
            # ours (tools report that when called).
            return False
        return True
