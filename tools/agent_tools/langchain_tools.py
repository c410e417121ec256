"""The assistant's tools as LangChain tools over one workspace.

Every tool returns compact JSON made of words: handles, verdicts, readings, never a number
and never a path. The typed result is attached as the message's artifact. Failures that the model
can react to are ToolErrors whose message explains them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BeforeValidator, ValidationError

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


def _handle(written: Any) -> Any:
    """Convert a picture's handle to the workspace's form."""
    return normalise_handle(written) if isinstance(written, str) else written


def _several(written: Any) -> Any:
    """Convert one handle, or a list written as text, to a list."""
    if not isinstance(written, str):
        return written
    try:
        listed = json.loads(written)
    except json.JSONDecodeError:
        listed = written
    return listed if isinstance(listed, list) else [written]


def _number(written: Any) -> Any:
    if isinstance(written, bool):
        raise ValueError(f"{written} is no number")
    return written


Picture = Annotated[str, BeforeValidator(_handle)]
Pictures = Annotated[list[Picture], BeforeValidator(_several)]
Number = Annotated[int, BeforeValidator(_number)]


def toolkit(workspace: Workspace) -> list[BaseTool]:
    """The assistant's tools over one workspace; each returns (content for the model, result)."""
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
    """The methods are the tools: their names, annotations and docstrings go into every prompt."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def find_person(
        self, photos: Pictures, top: Number = 10, face: Number | None = None
    ) -> tuple[str, Findings]:
        """Search the gallery for the person in the photos; face: which one, from the left."""
        findings = self._workspace.find_person(photos, top=top, face=face)
        content = {
            "hits": [self._hit_line(hit.handle) for hit in findings.hits],
            "counts": {
                f"S{number} {verdict}": count_in_words(findings.counts[verdict])
                for number, verdict in enumerate(VERDICTS, start=2)
            },
            "warnings": self._warnings(findings),
        }
        return _compact(content), findings

    def score_fake(self, image: Picture) -> tuple[str, tuple[Fact, ...]]:
        """Verdict, probabilities and evidence about one photo or hit."""
        facts = self._workspace.facts(image)
        content: dict[str, Any] = {"image": image}
        if image.startswith("H"):
            content["verdict"] = self._workspace.hit(image).verdict
        return _compact(content | _probabilities(facts) | {"evidence": _evidence(facts)}), facts

    def compare_faces(self, first: Picture, second: Picture) -> tuple[str, FaceComparison]:
        """Compare two faces: the same person, the same photograph?"""
        found = self._workspace.compare(first, second)
        content = {
            "comparison": found.handle,
            "faces": found.faces,
            **_probabilities(found.facts),
            "evidence": _evidence(found.facts),
        }
        return _compact(content), found

    def locate_artifacts(self, image: Picture) -> tuple[str, Localisation]:
        """Where on the face of a photo or hit the signs of forgery lie."""
        found = self._workspace.localise_forgery(image)
        content = {
            "image": image,
            "evidence": [
                {
                    "id": f"{image}.{item.id}",
                    "region": evidence_region(item.id),
                    "reads": item.reads,
                }
                for item in found.evidence
            ],
            "limits": found.limits,
        }
        return _compact(content), found

    def describe_image(self, image: Picture) -> tuple[ContentBlocks, Description]:
        """Look at a photo or hit: the picture, its format, quality and metadata."""
        found = self._workspace.describe(image)
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


def check_arguments(
    tools: Mapping[str, BaseTool], name: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Validate and convert the arguments a model wrote; ToolError explains what is invalid.

    Models write numbers as text, one photo where a list is required, "None" for no value. Argument
    names unknown to the tool are refused: the model made them up, and the tool would ignore them.
    """
    if name not in tools:
        raise ToolError(f"no tool is called {name!r}; there are: {', '.join(tools) or 'none'}")
    takes = tools[name].args
    if unknown := [it for it in given if it not in takes]:
        known = ", ".join(takes) or "no arguments"
        raise ToolError(f"{name}: no argument is called {unknown[0]!r}; it takes: {known}")
    stated = {it: value for it, value in given.items() if value not in (None, "None", "null", "")}
    schema: Any = tools[name].args_schema
    try:
        checked: dict[str, Any] = schema.model_validate(stated).model_dump(exclude_unset=True)
    except ValidationError as error:
        _refuse(error)
    return checked


def _refuse(error: ValidationError) -> NoReturn:
    """Raise a ToolError that lets the model correct its arguments."""
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg'].lower()}"
        for each in error.errors()
    )
    raise ToolError(f"the arguments do not fit: {wrong}") from error
