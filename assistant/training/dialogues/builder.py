"""One dialogue in the making: typed steps, what is on the workspace, and what may be cited.

The steps are those of a real conversation (`assistant.conversation.steps`), so that a dialogue is
rendered and checked by the very code that serves people.
"""

import json
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from assistant.conversation.messages import image_content_block
from assistant.conversation.steps import (
    CheckedSentence,
    ModelText,
    Step,
    ToolCall,
    ToolResult,
    UserTurn,
)
from assistant.grounding.checker import FactContext
from assistant.training.dialogues.material import (
    HarvestedPicture,
    SampledSearch,
    ToolResultPool,
    to_compact_json,
)
from tools.agent_tools.facts import file_fact, meaning_facts
from tools.verdict.handles import IN_WORDS, VERDICT_KEYS, Fact

Json = dict[str, Any]
PLACEHOLDER_IMAGE = np.zeros((2, 2, 3), np.uint8)
"""Stands for any picture in messages; training puts the real ones in its place."""


class DialogueBuilder:
    """Steps so far, and the state that the next turn builds on."""

    def __init__(self, tool_results: ToolResultPool, rng: random.Random) -> None:
        self.tool_results, self.rng = tool_results, rng
        self.steps: list[Step] = []
        self.photos: dict[str, HarvestedPicture] = {}
        self.person: list[str] = []  # the photos of the person asked about now
        self.search: SampledSearch | None = None
        self.focus: str | None = None
        self.comparisons = 0
        self.facts: dict[str, Fact] = {}
        self.shown: list[int] = []  # the numbers of all pictures in the prompt, in order
        self.targets: list[tuple[str, FactContext]] = []
        self._calls = 0
        for fact in meaning_facts():
            self.facts[fact.id] = fact
        self.allow_citation("hits.all")
        self.allow_citation("G5")

    # -- steps --------------------------------------------------------------------------------

    def add_user_turn(self, text: str, *, photos: tuple[str, ...] = ()) -> None:
        """The person says something."""
        self.steps.append(UserTurn(text, photos))
        self.shown += [self.photos[handle].picture for handle in photos]

    def calls(self, name: str, **arguments: Any) -> str:
        """The model calls a tool; returns the call's id."""
        self._calls += 1
        self.steps.append(ToolCall(name, arguments, f"call_{self._calls}"))
        return f"call_{self._calls}"

    def add_tool_result(
        self, call: str, name: str, content: Mapping[str, Any], *, picture: str = ""
    ) -> None:
        """The tool answers; with a picture, `picture` says whose."""
        text = to_compact_json(content)
        blocks: Any = text
        if picture:
            blocks = [{"type": "text", "text": text}, image_content_block(PLACEHOLDER_IMAGE)]
            self.shown.append(self.hit(picture).picture)
        self.steps.append(ToolResult(call, name, blocks, True, 0.0))

    def add_tool_error(self, call: str, name: str, message: str) -> None:
        """The tool has a ToolError."""
        self.steps.append(ToolResult(call, name, _error(message), False, 0.0))

    def add_answer(self, text: str) -> None:
        """The model answers."""
        self.targets.append((text, self.context()))
        self.steps.append(ModelText((CheckedSentence(text),), None, 0.0))

    # -- the workspace -----------------------------------------------------------------------------

    def new_photo(self) -> str:
        """A photo comes onto the workspace."""
        handle = f"Q{len(self.photos) + 1}"
        subject = self.tool_results.photo(handle, self.rng)
        self.photos[handle] = subject
        self.allow_citation(f"{handle}.faces")
        self.learn(subject.score)
        return handle

    def set_search(self, search: SampledSearch) -> None:
        """The hits are those of a new search."""
        self.search, self.focus = search, None
        for name in [name for name in self.facts if name.startswith(("H", "S"))]:
            del self.facts[name]
        for hit in search.hits:
            self.learn(hit.score)
            self.allow_citation(f"{hit.line['id']}.verdict")
        for number in range(1, 9):
            self.allow_citation(f"S{number}")
        for key in VERDICT_KEYS:
            self.allow_citation(f"hits.{key}")

    def allow_citation(self, handle: str) -> None:
        """A fact can be cited from now on; what it says is for the application to fill in."""
        self.facts[handle] = _fact(handle, "")

    def add_file_fact(self, handle: str, described: Json) -> None:
        """What the file of a picture is can be cited from now on."""
        self.facts[f"{handle}.file"] = file_fact(handle, described)

    def learn(self, content: Json) -> None:
        """Facts of a tool's answer can be cited from now on."""
        for handle, reads in content.get("probabilities", {}).items():
            self.facts[handle] = _fact(handle, reads)
        for item in content["evidence"]:
            self.facts[item["id"]] = _fact(item["id"], item["reads"])

    def hit(self, handle: str) -> HarvestedPicture:
        """A hit of the latest search, or a photo."""
        if handle in self.photos:
            return self.photos[handle]
        assert self.search is not None  # noqa: S101 - turns about hits need a search
        return self.search.hits[int(handle[1:]) - 1]

    def context(self) -> FactContext:
        """What a text may say at this point, for the checker."""
        return FactContext(fact=dict(self.facts).get)


def _fact(handle: str, reads: str) -> Fact:
    return Fact(handle, "", None, IN_WORDS, reads, method="", limits="")


def _error(message: str) -> str:
    return json.dumps({"error": message}, ensure_ascii=False)
