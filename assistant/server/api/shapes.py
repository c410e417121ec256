"""The shapes of answers: those of `--json` and of the JSON report, with their documented fields.

Findings, hits, checks and comparisons hold further fields (`tools.search.results` describes them);
they are passed on unchanged. Null means not measured, never zero.
"""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")
Probability = float | None


class Shape(BaseModel):
    """A frozen answer that may hold further fields."""

    model_config = ConfigDict(extra="allow", frozen=True)


Name = Annotated[str, Field(pattern=r"^\w[\w.-]{0,63}$")]


class Sent(BaseModel):
    """A request's JSON: a field that would be ignored, such as a note, is refused instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SentDecision(Sent):
    """A decision about a hit; `none` takes it back."""

    decision: Literal["confirmed", "rejected", "hidden", "none"]


class SentFormat(Sent):
    """The format of a report."""

    format: str = Field(max_length=20, examples=["html", "json", "csv"])


class SentNames(Sent):
    """The accounts that may see a case; no others may."""

    names: list[Name] = Field(max_length=100)


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor of the following one, null on the last."""

    items: list[Item]
    next: str | None


class ProblemDocument(Shape):
    """An error (RFC 9457); `detail` says in a sentence what to do next."""

    type: str
    title: str
    status: int
    detail: str


class GalleryShape(Shape):
    """A gallery; null if it cannot be read, and `problem` says why.

    `missing` files are gone from disk. `faces_waiting` are set aside until their files are back;
    `needs_upgrade` means that faces must be embedded again (`unmask galleries upgrade`).
    """

    name: str
    images: int | None
    videos: int | None
    faces: int | None
    files: int | None
    skipped: int | None
    missing: int | None
    created: str | None
    basis: str | None
    keep_until: str | None
    problem: str
    faces_waiting: int | None
    needs_upgrade: bool | None


class ProgressShape(Shape):
    """How far an index job is; `eta_s` is null before a rate is known."""

    files_done: int
    files_total: int
    images_added: int
    faces_found: int
    skipped: int
    seconds: float
    eta_s: float | None


class SkippedFileShape(Shape):
    """A file that was not added, why, and what can be done about it."""

    path: str
    reason: str
    way_on: str


class SummaryShape(Shape):
    """What an index job did.

    `already_known` files were there before, `duplicates` hold bytes that were, `missing` ones are
    gone from disk. `skipped` counts files by reason, of which the first thousand are named.
    `frames_added` of the `images_added` are of videos.
    """

    images_added: int
    videos_added: int
    frames_added: int
    faces_found: int
    already_known: int
    duplicates: int
    missing: int
    skipped: dict[str, int]
    skipped_files: list[SkippedFileShape]
    seconds: float
    notices: list[str]


class JobShape(Shape):
    """An index job; `progress` is null before the first file, `summary` until the end.

    Old jobs, and those of an earlier run of the server, have no summary.
    """

    id: str
    gallery: str
    state: Literal["waiting", "running", "done", "stopped", "failed", "interrupted"]
    progress: ProgressShape | None
    summary: SummaryShape | None
    problem: str


class EvidenceShape(Shape):
    """One measured fact, with its limits."""

    id: str
    name: str
    value: float | None
    unit: str


class MadeShape(Shape):
    """A reviewer's decision, by whom and when (UTC)."""

    decision: str
    at: str
    user: str


class NoteShape(Shape):
    """A reviewer's note, by whom and when (UTC)."""

    text: str
    at: str
    user: str


class HitShape(Shape):
    """A hit of a search; `decision` and `reviewer_note` are null if there is none."""

    rank: int
    path: str
    image_id: str
    face_id: str
    verdict: str
    reason: str
    identity_probability: Probability
    fake_probability: Probability
    impersonation_probability: Probability
    evidence: list[EvidenceShape]
    explanation: str
    decision: MadeShape | None
    reviewer_note: NoteShape | None


class FindingsShape(Shape):
    """The answer to a search: hits in order of their impersonation probability."""

    gallery: str
    profile: str
    compared: int
    faces: int
    counts: dict[str, int]
    warnings: list[str]
    hits: list[HitShape]


class InvestigationShape(Shape):
    """An investigation, which is a case; `findings` is null before a search.

    `photos` are the handles of the query photos, with the sha256 of their bytes.
    """

    id: str
    gallery: str
    photos: dict[str, str]
    notes: list[str]
    findings: FindingsShape | None


class DecisionShape(MadeShape):
    """A reviewer's decision about a hit's picture."""

    hit: str


class MapShape(Shape):
    """A map over a face; `image` is a picture as a data URI, `limits` what it does not show."""

    title: str
    image: str
    text: str
    limits: str
    over: str


class CaseShape(Shape):
    """A case record; `damaged` gives the reason why it cannot be read, empty if it can.

    `asked` is the first of the `questions`, `state` how the last one ended, `name` the user's name
    for the case, empty if it has none. `photos` are the sha256 of the kept query photos.
    """

    id: str
    name: str
    began: str
    changed: str
    state: str
    archived: bool
    gallery: str
    steps: int
    asked: str
    questions: list[str]
    photos: list[str]
    damaged: str


class VerifiedCase(CaseShape):
    """A case record that was checked for later changes."""

    ok: bool
    problems: list[str]
    signature: str


class SharesShape(Shape):
    """Who made a case (null without a login), and the names that it is shared with."""

    owner: str | None
    names: list[str]


class AccessShape(Shape):
    """A line of a case's access log: when (UTC), by whom, and what kind of access."""

    at: str
    who: str
    what: str


class CheckedFaceShape(Shape):
    """A checked face; `forged` and `person` say in words what the probabilities say.

    `map` is null if maps were not asked for, or nothing speaks for a forgery.
    """

    path: str
    face: int | None
    faces: int | None
    box: list[float]
    verdict: str
    reason: str
    forged: str
    person: str
    fake_probability: Probability
    identity_probability: Probability
    where: str
    evidence: list[EvidenceShape]
    explanation: str
    map: MapShape | None = None


class UnusedFileShape(Shape):
    """A photo or reference that could not be used.

    If it shows several faces and none was chosen, `faces` are their boxes, from the left.
    """

    path: str
    reason: str


class CheckShape(Shape):
    """Checked photos, the faces most likely forged first."""

    references: list[str]
    profile: str
    files: int
    forged: int
    counts: dict[str, int]
    warnings: list[str]
    problems: list[UnusedFileShape]
    faces: list[CheckedFaceShape]


class HandoffShape(Shape):
    """Where the page shows handed pictures: a path with a secret, to be opened once."""

    path: str
    expires_in_s: float


class ComparisonShape(Shape):
    """Two photos compared."""

    first: str
    second: str
    person: str
    same_person_probability: Probability
    same_photograph: bool
    reason: str
    sentences: list[str]
    problems: list[str]
    evidence: list[EvidenceShape]


class ModelShape(Shape):
    """A detector in use: what it looks at, and the sha256 of what makes its score."""

    name: str
    looks_at: str
    checkpoint: str | None


class ModelsShape(Shape):
    """The models in use. No detector's score is a verdict."""

    profile: str
    models: list[ModelShape]
    notices: list[str]


class FoundFaceShape(Shape):
    """A face of a picture, numbered from the left; `problems` say why it is not `usable`."""

    face: int
    box: list[float]
    usable: bool
    problems: list[str]


class ValidationShape(Shape):
    """Whether a picture can be checked; `problem` says what to do if it cannot."""

    valid: bool
    faces: list[FoundFaceShape]
    problem: str


class DetectionShape(Shape):
    """A check of one picture, which may be kept in the history by its `id`."""

    id: str
    result: CheckShape
    maps: list[MapShape]


class HistoryShape(Shape):
    """A kept check."""

    id: str
    at: str
    name: str
    result: CheckShape
