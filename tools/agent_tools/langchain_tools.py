"""The assistant's tools as LangChain tools over one workspace.

Every tool returns compact JSON made of words: handles, verdicts, readings, never a measured number
and never a path. The typed result is attached as the message's artifact. Failures that the model
can react to are ToolErrors whose message explains them.
"""

from collections.abc import Collection, Sequence
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool

from tools.agent_tools.arguments import Number, Picture, Pictures, compact_json, refuse
from tools.agent_tools.casework_tools import CaseworkTools
from tools.agent_tools.facts import count_in_words, facts_for_model
from tools.agent_tools.photo_description import Description, image_content_block
from tools.agent_tools.state.comparisons import FaceComparison
from tools.agent_tools.workspace import Workspace
from tools.gallery.records import GalleryCounts
from tools.localisers import Localisation, evidence_region
from tools.search.results import Findings
from tools.verdict.handles import Fact, parse_handle
from tools.verdict.rule import VERDICTS

ContentBlocks = list[str | dict[str, Any]]


def toolkit(workspace: Workspace, *, names: Collection[str] | None = None) -> list[BaseTool]:
    """The assistant's tools over one workspace; each returns (content for the model, result).

    `names` chooses some of them, such as those that a model was trained with; unknown names are
    ignored, because a checkpoint may know tools of another version.
    """
    tools = _Tools(workspace)
    further = CaseworkTools(workspace, tools.word_findings)
    return [
        StructuredTool.from_function(
            each, response_format="content_and_artifact", handle_validation_error=refuse
        )
        for each in (
            tools.find_person,
            tools.score_fake,
            tools.compare_faces,
            tools.locate_artifacts,
            tools.describe_image,
            tools.gallery_summary,
            further.list_hits,
            further.more_hits,
            further.mark_hit,
            further.note_hit,
            further.reviewed,
            further.file_facts,
            further.undo,
            further.export_report,
            further.explain_term,
            further.about_unmask,
        )
        if names is None or each.__name__ in names
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
        return self.word_findings(findings), findings

    def word_findings(self, findings: Findings) -> str:
        """The findings of the latest search for the model."""
        content = {
            "hits": [self._hit_line(hit.handle) for hit in findings.hits],
            "counts": {
                f"S{number} {verdict}": count_in_words(findings.counts[verdict])
                for number, verdict in enumerate(VERDICTS, start=2)
            },
            "warnings": self._warnings(findings),
        }
        return compact_json(content)

    def score_fake(self, image: Picture) -> tuple[str, tuple[Fact, ...]]:
        """Verdict, probabilities and evidence about one photo or hit."""
        facts = self._workspace.facts(image)
        content: dict[str, Any] = {"image": image}
        if image.startswith("H"):
            content["verdict"] = self._workspace.hit(image).verdict
        return compact_json(content | _probabilities(facts) | {"evidence": _evidence(facts)}), facts

    def compare_faces(self, first: Picture, second: Picture) -> tuple[str, FaceComparison]:
        """Compare two faces: the same person, the same photograph?"""
        found = self._workspace.compare(first, second)
        content = {
            "comparison": found.handle,
            "faces": found.faces,
            **_probabilities(found.facts),
            "evidence": _evidence(found.facts),
        }
        return compact_json(content), found

    def locate_artifacts(self, image: Picture) -> tuple[str, Localisation]:
        """Where on the face of a photo or hit the signs of forgery lie."""
        maps = self._workspace.examinations.maps(self._workspace.take_snapshot(image))
        found = maps.located
        content: dict[str, Any] = {
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
        if maps.beside:
            content["other maps"] = list(maps.beside)
        return compact_json(content), found

    def describe_image(self, image: Picture) -> tuple[ContentBlocks, Description]:
        """Look at a photo or hit: the picture, its format, quality and metadata."""
        found = self._workspace.describe(image)
        text = {"type": "text", "text": compact_json(found.to_words())}
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
            "state": "ready" if counts.pictures else "empty",
        }
        return compact_json(content), counts

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
