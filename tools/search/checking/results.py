"""Results of a check: one verdict per face, and what could not be checked."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.localisers import Localisation
from tools.media.file_names import printable
from tools.media.skip_reasons import without_path
from tools.provenance.findings import LIMITS, Provenance
from tools.search.bystanders import Box
from tools.search.checking.impression import Impression
from tools.search.query import SeveralFaces
from tools.search.results import judged_by
from tools.verdict.evidence import Evidence
from tools.verdict.interpretation import interpret_forgery, interpret_person
from tools.verdict.rule import Assessment, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class CheckedFace:
    """One face with its verdict.

    `paths` are the given files with these bytes. `number` counts the picture's `faces` from the
    left; for a video both are None, and `seen` says in which frames the person is. `box`
    (x1, y1, x2, y2) is in pixels of the upright picture. Without a reference the verdict is
    "forged", "no forgery found", "inconclusive" or "not assessed", and nothing is said about the
    person. `located` is the map of the face; None where nothing speaks for a forgery, because a map
    shows something on any photograph. `impression` is what a network names about the picture and
    this face; None without the network. It has no part in the verdict. `others` are the boxes of
    other people in the picture if only this face is in question, because references were given or
    it was chosen.
    """

    paths: tuple[Path, ...]
    image_id: str
    number: int | None
    faces: int | None
    box: tuple[float, float, float, float]
    assessment: Assessment
    evidence: tuple[Evidence, ...]
    explanation: str
    located: Localisation | None = None
    impression: Impression | None = None
    at: str = ""
    seen: str = ""
    others: tuple[Box, ...] = ()

    @property
    def path(self) -> Path:
        """The first file."""
        return self.paths[0]

    @property
    def name(self) -> str:
        """The file's name, with the number of the face if there are several."""
        which = f" face {self.number} of {self.faces}" if (self.faces or 1) > 1 else self.at
        return f"{printable(Path(self.path.name))}{which}"

    @property
    def verdict(self) -> Verdict:
        """The rule's outcome."""
        return self.assessment.verdict

    @property
    def forgery(self) -> str:
        """Whether the face was forged, in words: "forged", "uncertain", "no sign of forgery"."""
        return interpret_forgery(self.assessment)

    @property
    def person(self) -> str:
        """Whether it is the references' person, in words; "not measured" without references."""
        return interpret_person(self.assessment)

    @property
    def forged(self) -> bool:
        """Whether the face reads as forged, whomever it shows."""
        return self.forgery == "forged"

    @property
    def where(self) -> str:
        """Where the map shows signs of forgery, in words; empty without a map."""
        return "" if self.located is None else self.located.text

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; null means not measured."""
        given = self.assessment
        return {
            "path": printable(self.path),
            "other_paths": [printable(path) for path in self.paths[1:]],
            "image_id": self.image_id,
            "face": self.number,
            "faces": self.faces,
            "box": [round(edge, 1) for edge in self.box],
            "seen": self.seen,
            "verdict": self.verdict,
            "reason": given.reason,
            "forged": self.forgery,
            "person": self.person,
            "fake_probability": given.fake_probability,
            "identity_probability": given.identity_probability,
            "impersonation_probability": given.impersonation_probability,
            **judged_by(given),
            "where": self.where,
            "regions": [item.to_json() for item in self.located.evidence] if self.located else [],
            "impression": (
                None if self.impression is None else [it.to_json() for it in self.impression]
            ),
            "evidence": [item.to_json() for item in self.evidence],
            "explanation": self.explanation,
        }


@dataclass(frozen=True, slots=True)
class CheckProblem:
    """A file or reference that could not be used; `error` says why, in one line or several.

    `named`: the user named this very file; otherwise it lay in a folder.
    """

    path: Path
    error: ToolError
    named: bool = True

    @property
    def text(self) -> str:
        """The first line of the error."""
        return str(self.error).splitlines()[0]

    @property
    def reason(self) -> str:
        """The same without the path, which stands beside it."""
        return without_path(self.error)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; with the boxes of the faces, from the left, if one must be chosen."""
        told = {"path": printable(self.path), "reason": self.reason}
        if isinstance(self.error, SeveralFaces):
            return told | {"faces": [list(box) for box in self.error.boxes]}
        return told


_ORIGINAL = (
    "A collection may hold the original that a picture was made from, which would prove it: "
    "`unmask index` and `unmask find` look for it."
)
_NOTHING = "No face was checked: name a picture that can be read and shows a face."


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checked faces, those most likely forged first.

    `references` are the files of the person that the faces were compared with, `files` the number
    of files that were checked. `warnings` are sentences for the user. `provenance` is what each
    file that was measured says about its own origin; it has no part in the verdicts.
    """

    faces: tuple[CheckedFace, ...]
    references: tuple[Path, ...]
    problems: tuple[CheckProblem, ...]
    warnings: tuple[str, ...]
    files: int
    profile: str
    provenance: tuple[tuple[Path, Provenance], ...] = ()

    @property
    def forged(self) -> tuple[CheckedFace, ...]:
        """The faces that read as forged."""
        return tuple(face for face in self.faces if face.forged)

    @property
    def counts(self) -> dict[str, int]:
        """Number of faces per verdict that occurs."""
        return dict(Counter(str(face.verdict) for face in self.faces))

    @property
    def next_step(self) -> str:
        """What to do next, beyond the explanation of each face; empty if nothing is left open."""
        if not self.faces:
            return _NOTHING
        open_ = any(face.forged or face.verdict == "inconclusive" for face in self.faces)
        return _ORIGINAL if open_ else ""

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {
            "next_step": self.next_step,
            "references": [printable(path) for path in self.references],
            "profile": self.profile,
            "files": self.files,
            "forged": len(self.forged),
            "counts": self.counts,
            "warnings": list(self.warnings),
            "problems": [it.to_json() for it in self.problems],
            "faces": [face.to_json() for face in self.faces],
            "provenance": {
                "part_in_verdict": False,
                "limits": LIMITS,
                "files": [
                    {"path": printable(path), **found.to_json()} for path, found in self.provenance
                ],
            },
        }
