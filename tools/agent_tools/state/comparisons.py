"""Comparisons of two faces of an investigation, C1, C2 …"""

from dataclasses import dataclass

from tools.agent_tools.facts import comparison_facts
from tools.agent_tools.state.pictures import Pictures, is_hit
from tools.errors import ToolError
from tools.search.checking.two_versions import (
    MeasuredFace,
    shows_another_face,
    version_scores,
)
from tools.search.same_photograph.decision import Alignment, same_photograph
from tools.search.scoring import pair_scores
from tools.search.search import SearchOutcome
from tools.verdict.handles import Fact, quote_untrusted


@dataclass(frozen=True, slots=True)
class FaceComparison:
    """Two compared faces, with the handles they had at that time."""

    handle: str
    faces: tuple[str, str]
    facts: tuple[Fact, ...]


class Comparisons:
    """The compared pairs. A pair keeps its handle; its hits are those of the search at that time.

    ToolError for an unknown handle, and for one whose hits are of an earlier search.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._made: dict[tuple[bytes, bytes], FaceComparison] = {}
        self._compared_in: dict[str, SearchOutcome | None] = {}

    def compare(self, first: str, second: str) -> FaceComparison:
        """Compare the faces of two photos or hits."""
        if first == second:
            raise ToolError(f"{first} cannot be compared with itself; name two different ones")
        one, other = self._pictures.face(first), self._pictures.face(second)
        key = one.face.embedding.tobytes(), other.face.embedding.tobytes()
        known = self._made.get(key)
        handle = known.handle if known else f"C{len(self._made) + 1}"
        alignment = self._alignment(first, second)
        scores = pair_scores(one, other, alignment=alignment)
        if shows_another_face(alignment, one.face, other.face):
            scores |= version_scores(
                self._measured(first),
                self._measured(second),
                instruments=self._pictures.instruments,
            )
        facts = comparison_facts(
            handle,
            scores,
            usable=one.face.quality.usable and other.face.quality.usable,
            rule=self._pictures.instruments.rule,
            whom=f"{first} and {second}",
        )
        self._made[key] = FaceComparison(handle, (first, second), facts)
        self._compared_in[handle] = self._pictures.search.latest
        return self._made[key]

    def _alignment(self, first: str, second: str) -> Alignment:
        """The alignment of the pictures of two handles."""
        pictures = self._pictures
        return same_photograph(
            pictures.pixels(first), pictures.pixels(second),
            first_face=pictures.face(first).face.box, second_face=pictures.face(second).face.box,
        )  # fmt: skip

    def _measured(self, handle: str) -> MeasuredFace:
        pictures = self._pictures
        return MeasuredFace(
            pictures.pixels(handle), pictures.analysis(handle), pictures.face(handle)
        )

    def facts(self, handle: str) -> tuple[Fact, ...]:
        """The facts about a comparison."""
        found = next((it for it in self._made.values() if it.handle == handle), None)
        if found is None:
            known = ", ".join(it.handle for it in self._made.values())
            valid = f"comparisons are {known}" if known else "call compare_faces first"
            raise ToolError(f"there is no comparison {quote_untrusted(handle)}; {valid}")
        of_hits = any(map(is_hit, found.faces))
        if of_hits and self._compared_in[handle] is not self._pictures.search.latest:
            raise ToolError(
                f"{handle} compared hits of an earlier search; call compare_faces again"
            )
        return found.facts
