"""The report's data model: what JSON exports hold, and what the HTML page and the PDF show.

`report.schema.json` beside this file is this model's JSON Schema; `unmask cases schema` prints it.
A value that was not measured is null, never zero. Hashes are sha256 in hex, times ISO 8601 in UTC.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.agent_tools.file_facts import DateSource
from tools.agent_tools.hit_filter import DecisionWord
from tools.search.results import pictures_in_words
from tools.verdict.evidence import evidence_title
from tools.verdict.units import format_value

Format = Literal["unmask-report/1"]
FORMAT: Format = "unmask-report/1"
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")

Probability = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
VerdictName = Literal[
    "impersonation", "no forgery found", "other", "copy", "inconclusive", "not assessed", "forged"
]
Place = Literal["low", "within", "high"]


ExhibitState = Literal["unchanged", "changed since it was recorded", "missing"]


class Part(BaseModel):
    """A frozen part of the report; unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Propositions(Part):
    """Two pairs of competing propositions; the report never combines the pairs."""

    identity: tuple[str, str]
    forgery: tuple[str, str]
    note: str


class CaseHeader(Part):
    """The case record behind the report.

    `name` is the user's, "" if it has none. `head` is the newest entry's hash, `key` the name of
    the signing key ("" if there is none), and `signature` says in words what checking the record
    found when the report was written.
    """

    id: str
    name: str
    began: str
    entries: int
    head: Sha256
    key: str
    signature: str
    problems: tuple[str, ...]


class Exhibit(Part):
    """A file that the report is about: `label` is Q1 (query photo) or H1 (hit).

    `state` compares the file with its hash in the case or gallery. `sha256` and `bytes` are those
    of the file now, null if it is missing.
    """

    label: str
    role: Literal["query photo", "hit"]
    name: str
    path: str
    sha256: Sha256 | None
    recorded_sha256: str
    bytes: int | None
    state: ExhibitState


class Likelihood(Part):
    """The likelihood ratio of the face comparison, limited by the size of the validation."""

    value: Annotated[float, Field(gt=0)]
    limited: bool
    limit: int
    verbal: str
    sentence: str
    note: str


class Band(Part):
    """An inconclusive band of probabilities and the error rates that its edges keep to."""

    low: Probability
    high: Probability
    alpha_low: Probability
    alpha_high: Probability
    persons_false: int | None
    persons_true: int | None
    promises_low: bool
    promises_high: bool


class IdentityPlace(Part):
    """Where the same-person probability lies, among how many faces it was judged."""

    place: Place | None
    band: Band | None
    faces: int | None
    faces_measured: bool


class ForgeryPlace(Part):
    """Where the forgery probability lies; `question` is the calibration that was used.

    `of_two` is set if another version of the photograph with another face is proven: whether this
    one reads more forged than it.
    """

    place: Place | None
    band: Band | None
    question: Literal["alone", "with_query", "same_photo", "one_of_two"] | None
    of_two: Place | None = None


class MissRate(Part):
    """Forgeries that passed as no forgery found; `most` is the upper 95 % limit of the share."""

    what: str
    forgeries: int
    passed: int
    share: Probability
    most: Probability


class ReachItem(Part):
    """How many test pictures of a kind read at least as forged as a face that stays open."""

    what: str
    pictures: int
    reaching: int


class EvidenceItem(Part):
    """One measured fact; `value` is null if it was not measured."""

    id: str
    name: str
    value: float | None
    unit: str
    method: str
    limits: str
    share_of_authentic_below: Probability | None
    reads: str

    @property
    def title(self) -> str:
        """The name without the remarks in brackets that are for tables of numbers."""
        return evidence_title(self.name)

    @property
    def shown(self) -> str:
        """The value in words, for display."""
        return format_value(self.value, self.unit, id=self.id)


class DecisionItem(Part):
    """The reviewer's decision about a hit; it never changes the verdict."""

    decision: DecisionWord
    at: str
    user: str


class NoteItem(Part):
    """The reviewer's note on a hit, in their own words."""

    text: str
    at: str
    user: str


class CopyItem(Part):
    """Handles of near-identical hits with the same verdict, the leading one first.

    `earliest` has the oldest `date`, which has no time zone and can be edited; null without dates.
    """

    hits: tuple[str, ...]
    earliest: str | None
    date: str | None
    date_source: DateSource | None
    earliest_in_words: str


class VersionItem(Part):
    """Another version of a hit's photograph, proven by alignment, with another face in one place.

    `box` is that face in its pixels; `matrix` maps these to the hit's pixels, where `place` is the
    box of what differs. One of the two was altered.
    """

    path: str
    file_missing: bool
    image_id: str
    time_s: float | None
    page: int | None
    box: tuple[float, float, float, float]
    place: tuple[float, float, float, float]
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]]


class HitItem(Part):
    """One hit: verdict, probabilities with their bands, evidence, explanation and decision.

    `name` is the file's name with the moment or page; `seen` says how often a video shows the
    person, "" for a picture. `notes` are the verdict rule's, `reviewer_note` is the reviewer's.
    `missing_version` is a picture that may be another version, but whose file is gone.
    """

    handle: str
    name: str
    seen: str
    rank: int
    path: str
    other_paths: tuple[str, ...]
    file_missing: bool
    file_replaced: bool = False
    image_id: str
    face_id: str
    time_s: float | None
    page: int | None
    moments: tuple[float, ...]
    frames_seen: int | None
    frames: int | None
    box: tuple[float, float, float, float]
    other_version: VersionItem | None
    missing_version: str | None
    verdict: VerdictName
    reason: str
    identity_probability: Probability | None
    fake_probability: Probability | None
    impersonation_probability: Probability | None
    identity: IdentityPlace
    forgery: ForgeryPlace
    unseen: tuple[MissRate, ...]
    reached: tuple[ReachItem, ...] = ()
    notes: tuple[str, ...]
    evidence: tuple[EvidenceItem, ...]
    explanation: str
    likelihood_ratio: Likelihood | None
    decision: DecisionItem | None
    reviewer_note: NoteItem | None


class QueryItem(Part):
    """A query photo."""

    path: str
    image_id: str


class Instruments(Part):
    """What measured: version, checkpoints (sha256 by name), verdict rule and libraries."""

    unmask: str
    profile: str
    parts: dict[str, str]
    calibration: Sha256 | None
    libraries: dict[str, str]
    python: str
    machine: str


class Rate(Part):
    """One measured error rate or accuracy with what it was measured on."""

    subject: str
    what: str
    measured_on: str
    result: str


class Methods(Part):
    """How it was measured, with which versions, and the error rates that are known for them."""

    instruments: Instruments | None
    description: tuple[str, ...]
    rates: tuple[Rate, ...]
    not_measured: tuple[str, ...]
    likelihood_ratio: tuple[str, ...]


class CustodyItem(Part):
    """One entry of the case record, in words; `hash` chains it to the entry before."""

    entry: int
    at: str
    what: str
    hash: Sha256


class AccessItem(Part):
    """One line of the case's access log."""

    at: str
    who: str
    what: str


class Report(Part):
    """A whole report. `case` is null, and `custody` empty, for a search without a case."""

    format: Format = FORMAT
    made_at: str
    question: str
    propositions: Propositions
    case: CaseHeader | None
    query: tuple[QueryItem, ...]
    gallery: str
    retention: str
    profile: str
    compared: int
    videos: int
    faces: int
    counts: dict[str, int]
    images_without_face: int
    videos_without_face: int = 0
    warnings: tuple[str, ...]
    forged_others: str
    exhibits: tuple[Exhibit, ...]
    hits: tuple[HitItem, ...]
    copies: tuple[CopyItem, ...]
    methods: Methods
    limits: tuple[str, ...]
    alternatives: tuple[str, ...]
    custody: tuple[CustodyItem, ...]
    access: tuple[AccessItem, ...]

    @property
    def compared_in_words(self) -> str:
        """What `compared` counts: `21 images`, `20 images and 1 video`."""
        return pictures_in_words(self.compared, videos=self.videos)

    @property
    def faceless_in_words(self) -> str:
        """What `images_without_face` counts, in the same words."""
        return pictures_in_words(self.images_without_face, videos=self.videos_without_face)


def report_json(report: Report) -> str:
    """The report as JSON text; null means not measured."""
    return json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"


def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `report_json`."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": FORMAT, **schema}
