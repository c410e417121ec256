"""All facts of an investigation that an answer may cite, looked up by handle."""

from tools.agent_tools.facts import (
    against_fact,
    faces_fact,
    file_fact,
    gallery_facts,
    hit_facts,
    impression_fact,
    meaning_facts,
    photo_facts,
    search_facts,
)
from tools.agent_tools.list_facts import list_facts
from tools.agent_tools.photo_description import Description, describe
from tools.agent_tools.state.comparisons import Comparisons
from tools.agent_tools.state.examinations import Examinations
from tools.agent_tools.state.pictures import Pictures
from tools.errors import ToolError
from tools.search.search import SearchOutcome
from tools.verdict.handles import Fact, parse_handle, quote_untrusted


class CitableFacts:
    """The facts as they are now: a search, a comparison or an examination changes them."""

    def __init__(
        self, pictures: Pictures, comparisons: Comparisons, examinations: Examinations
    ) -> None:
        self._pictures, self._search = pictures, pictures.search
        self._comparisons, self._examinations = comparisons, examinations
        self._described: dict[tuple[SearchOutcome | None, str], tuple[Fact, ...]] = {}

    def describe(self, handle: str) -> Description:
        """Describe a photo or hit; its file's properties and the impression become facts."""
        found = describe(self._pictures, handle, look=self._examinations.impression)
        told = file_fact(handle, found.to_words()), impression_fact(handle, found.impression)
        self._described[self._search.latest, handle] = told
        return found

    def fact(self, handle: str) -> Fact:
        """One fact, e.g. "H3.E2"; ToolError, which lists its neighbours, if it does not exist."""
        asked = parse_handle(handle)
        facts = self.of(asked.group)
        found = next((fact for fact in facts if fact.id == str(asked)), None)
        if found is None:
            valid = ", ".join(fact.id for fact in facts) or "nothing was searched for yet"
            raise ToolError(f"there is no fact {quote_untrusted(handle)}; there are: {valid}")
        return found

    def of(self, handle: str) -> tuple[Fact, ...]:
        """All facts about Q1, H3 or C1, or of a group without a subject.

        The groups are "S" (the search), "hits" (its lists), "G" (the gallery), "about" (what
        measures mean), "Q1.faces" (how many faces a photo shows) and "H3.against" (what speaks
        against a verdict).
        """
        findings = self._search.findings
        match handle:
            case "G":
                return self._of_gallery()
            case "S":
                return () if findings is None else search_facts(findings)
            case "hits":
                return list_facts(findings)
            case "about":
                return meaning_facts()
        asked = parse_handle(handle)
        if asked.kind == "faces":  # also known for photos without a chosen face
            return (self._faces_fact(asked.subject),)
        if asked.kind == "against":
            return (against_fact(self._search.found(asked.subject)[1]),)
        match asked.subject[:1]:
            case "H":
                found = self._of_hit(handle)
            case "C":
                return self._comparisons.facts(handle)
            case _:
                found = self._of_photo(handle)
        return (*found, *self._described.get((self._search.latest, handle), ()))

    def _of_gallery(self) -> tuple[Fact, ...]:
        try:
            return gallery_facts(self._search.counts())
        except ToolError:  # empty or missing
            return gallery_facts(None)

    def _of_hit(self, handle: str) -> tuple[Fact, ...]:
        hit, examined = self._search.found(handle)[1], self._examinations
        beside = examined.shown_beside(handle)
        return hit_facts(hit, examined.regions(handle), beside=beside)

    def _of_photo(self, handle: str) -> tuple[Fact, ...]:
        examined = self._examinations
        facts = photo_facts(
            handle, examined.judged_alone(handle), examined.regions(handle),
            beside=examined.shown_beside(handle),
        )  # fmt: skip
        return (*facts, self._faces_fact(handle))

    def _faces_fact(self, handle: str) -> Fact:
        return faces_fact(handle, self._pictures.count_faces(handle))
