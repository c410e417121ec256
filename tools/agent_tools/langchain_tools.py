"""The tools that a language model calls, as LangChain tools over one workspace.

Every tool answers with compact JSON made of words: handles, verdicts, readings, never a number
and never a path. The typed result travels beside it as the message's artifact. What the model
can do something about is a ToolError whose message says what.
"""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import ValidationError

from tools.agent_tools.facts import count_in_words, facts_for_model
from tools.agent_tools.handle_parsing import normalise_handle
from tools.agent_tools.photo_description import Description, image_content_block
from tools.agent_tools.workspace import FaceComparison, Workspace
from tools.errors import ToolError
from tools.gallery.records import GalleryCounts
from tools.localisers import Localisation, evidence_region
from tools.search.results import Findings
from tools.verdict.handles import Fact, parse_handle
from tools.verdict.rule import VERDICTS

ContentBlocks = list[str | dict[str, Any]]


def toolkit(workspace: Workspace) -> list[BaseTool]:
    """The assistant's tools over one workspace; each answers (content for the model, result)."""
    tools = _Tools(workspace)
    return [
        StructuredTool.from_function(
            each, response_format="content_and_artifact", handle_validation_error=_refuse
        )
        for each in (
            tools.find_person,
            tools.score_fake,
            tools.compare_faces,
            tools.locate_artifacts,
            tools.describe_image,
            tools.gallery_summary,
        )
    ]


class _Tools:
    """The methods are the tools: names, annotations and docstrings go into every prompt."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def find_person(
        self, photos: list[str], top: int = 10, face: int | None = None
    ) -> tuple[str, Findings]:
        """Search the gallery for the person in the photos; face: which one, from the left."""
        findings = self._workspace.find_person(
            [_picture(photo) for photo in photos], top=top, face=face
        )
        content = {
            "hits": [self._hit_line(hit.handle) for hit in findings.hits],
            "counts": {
                f"S{number} {verdict}": count_in_words(findings.counts[verdict])
                for number, verdict in enumerate(VERDICTS, start=2)
            },
            "warnings": self._warnings(findings),
        }
        return _compact(content), findings

    def score_fake(self, image: str) -> tuple[str, tuple[Fact, ...]]:
        """Verdict, probabilities and evidence about one photo or hit."""
        handle = _picture(image)
        facts = self._workspace.facts(handle)
        content: dict[str, Any] = {"image": handle}
        if handle.startswith("H"):
            content["verdict"] = self._workspace.hit(handle).verdict
        return _compact(content | _probabilities(facts) | {"evidence": _evidence(facts)}), facts

    def compare_faces(self, first: str, second: str) -> tuple[str, FaceComparison]:
        """Compare two faces: the same person, the same photograph?"""
        found = self._workspace.compare(_picture(first), _picture(second))
        content = {
            "comparison": found.handle,
            "faces": found.faces,
            **_probabilities(found.facts),
            "evidence": _evidence(found.facts),
        }
        return _compact(content), found

    def locate_artifacts(self, image: str) -> tuple[str, Localisation]:
        """Where on the face of a photo or hit the signs of forgery lie."""
        handle = _picture(image)
        found = self._workspace.localise_forgery(handle)
        content = {
            "image": handle,
            "evidence": [
                {
                    "id": f"{handle}.{item.id}",
                    "region": evidence_region(item.id),
                    "reads": item.reads,
                }
                for item in found.evidence
            ],
            "limits": found.limits,
        }
        return _compact(content), found

    def describe_image(self, image: str) -> tuple[ContentBlocks, Description]:
        """Look at a photo or hit: the picture, its format, quality and metadata."""
        found = self._workspace.describe(_picture(image))
        text = {"type": "text", "text": _compact(found.to_words())}
        return [text, image_content_block(found.pixels)], found

    def gallery_summary(self) -> tuple[str, GalleryCounts]:
        """What the gallery holds."""
        counts = self._workspace.counts()
        content = {
            "gallery": self._workspace.gallery,
            "images": "G1",
            "faces": "G2",
            "without face": "G3",
            "skipped": "G4",
            "state": "ready" if counts.images else "empty",
        }
        return _compact(content), counts

    def _hit_line(self, handle: str) -> dict[str, str]:
        reads = {fact.id: fact.reads for fact in self._workspace.facts(handle)}
        return {
            "id": handle,
            "verdict": self._workspace.hit(handle).verdict,
            "identity": reads[f"{handle}.P1"],
            "forgery": reads[f"{handle}.P2"],
        }

    def _warnings(self, findings: Findings) -> list[str]:
        latest = self._workspace.last_search
        notes = list(latest[1].warnings) if latest else []
        return notes if findings.hits else [*notes, "no face in the gallery could be compared"]


def _picture(handle: str) -> str:
    """A picture's handle as the workspace knows it, however it was written."""
    return normalise_handle(handle)


def _probabilities(facts: Sequence[Fact]) -> dict[str, Any]:
    return {
        "probabilities": {
            fact.id: fact.reads for fact in facts if parse_handle(fact.id).kind == "P"
        },
    }


def _evidence(facts: Sequence[Fact]) -> list[dict[str, str]]:
    return [
        {"id": fact.id, "name": fact.name, "reads": fact.reads}
        for fact in facts_for_model(facts)
        if parse_handle(fact.id).kind == "E"
    ]


def _compact(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _refuse(error: ValidationError) -> NoReturn:
    """Bad arguments as something that the model can act on."""
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg'].lower()}"
        for each in error.errors()
    )
    raise ToolError(f"the arguments do not fit: {wrong}") from error
