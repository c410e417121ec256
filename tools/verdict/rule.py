"""The one rule that turns measurements into a verdict; no language model comes near it.

Two axes, each with an inconclusive band: does the face depict the query person, and was it
forged? Parameters come from `weights/verdict.json`, fitted on persons that no other part was
trained on. A profile without fitted parameters measures scores but assesses nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tools.errors import SetupError
from tools.verdict.calibration import (
    BandPosition,
    InconclusiveBand,
    LogisticCalibrator,
    ReferenceDistribution,
    Scores,
    to_json,
)
from tools.verdict.impostors import ImpostorThreshold

Verdict = Literal[
    "impersonation", "no forgery found", "other", "copy", "inconclusive", "not assessed"
]
Axis = Literal["identity", "forgery"]
VERDICTS: tuple[Verdict, ...] = (
    "impersonation", "inconclusive", "no forgery found", "copy", "other", "not assessed",
)  # fmt: skip


# Of 1:1 to 1:400, what ranked the calibration half best (mAP 0.60 against 0.50 at even odds).
CROWD_PRIOR_ODDS = 1 / 20
PRIOR_IN_WORDS = "odds of 1 to 20, about one face in twenty-one"
"""That any face is the query person's, as the ranking assumes before it looks."""

CLOSER_STAGE = "closer/"
"""Before the name of a question in `fitted_on` that reads scores of the closer look."""

QuestionKind = Literal["alone", "with_query", "same_photo"]
"""The questions about forgery: of a face by itself, beside the query, of the query photo itself."""

SAME_PHOTOGRAPH = "query/same_photograph"
"""The score that says whether a hit is a query photo: 1 proven, 0 not; None not looked at."""


@dataclass(frozen=True, slots=True)
class UnseenToolMissRate:
    """How many of the `forgeries` by tools that nothing was trained on are not told from photos.

    `what` says which they are, and `passed` how many of them read "no sign of forgery"; `most` is
    the share that so few would not allow (one-sided 95 % limit, as if they were independent).
    """

    what: str
    forgeries: int
    passed: int
    most: float

    @property
    def share(self) -> float:
        """0..1."""
        return self.passed / self.forgeries

    @property
    def short_text(self) -> str:
        """The same within a sentence that goes on."""
        return (
            f"{self.passed} of {self.forgeries} {self.what} also passed, at most "
            f"{100 * self.most:.0f} % at 95 % confidence"
        )

    @property
    def text(self) -> str:
        """What stands beside a verdict that finds nothing."""
        return (
            f"{self.passed} of {self.forgeries} {self.what} also passed "
            f"({100 * self.share:.0f} %; at most {100 * self.most:.0f} % at 95 % confidence)"
        )


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with the calibrated probabilities behind it; None is *not measured*.

    `reason` says in a few words which part of the rule decided. `unsteady` are the axes that mild
    retakes of the picture moved to another side of their band, and so took the verdict away.
    `fake_scores` names the scores that the forgery probability was computed from. `identity_place`
    and `fake_place` are where the probabilities lie, by `identity_band` and `fake_band`; the
    latter belongs to the `question` that was asked. `faces` is among how many faces the identity
    was judged; where it is not `faces_measured`, the edge is extrapolated from fewer. `unseen`
    stands beside a verdict that finds nothing: what forgeries pass unseen.
    """

    verdict: Verdict
    identity_probability: float | None
    fake_probability: float | None
    impersonation_probability: float | None
    reason: str
    unsteady: tuple[Axis, ...] = ()
    fake_scores: tuple[str, ...] = ()
    identity_place: BandPosition | None = None
    fake_place: BandPosition | None = None
    identity_band: InconclusiveBand | None = None
    fake_band: InconclusiveBand | None = None
    question: QuestionKind | None = None
    faces: int | None = None
    faces_measured: bool = True
    unseen: tuple[UnseenToolMissRate, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the verdict, in words: what passes unseen, among how many, promises."""
        return (*(it.text for it in self.unseen), *_notes(self))


@dataclass(frozen=True, slots=True)
class ForgeryQuestion:
    """Whether a face was forged, as one calibrator answers it; undecided within its band."""

    calibrator: LogisticCalibrator
    band: InconclusiveBand


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """Calibrators with their bands, and how they combine.

    Of `questions`, "alone" judges a face by itself; "with_query" adds evidence relative to the
    query and is asked only when the identity band says *same person* (a reference is informative
    only when it is the right one: ICT-Ref, SELFI). Where a hit is proven to be the same photograph
    as a query photo, the question becomes whether this version of it was altered: "same_photo".
    `closer` holds the same questions with the scores of a closer look among them; each is asked
    where all its scores were measured, on the leading hits. Every question has a band of its own.

    `identity_band` is that of two faces. Among `faces` of a gallery the identity must exceed what
    the likeliest of so many `strangers` reaches too (`for_gallery_size`).
    Both axes are for prior odds of one to one; the ranking assumes that a face is anybody's with
    `CROWD_PRIOR_ODDS` for the query person, or every good forgery of somebody else would outrank
    the less certain forgeries of the person.
    Up to `copy_bits` of 64 two aligned faces are alike enough to be looked at as one photograph;
    that proves nothing, and nothing is decided by it.

    Does not show: who made a forgery or why; `no forgery found` is not proof of authenticity:
    `fitted_on` counts the forgeries by tools never seen that read so too.
    """

    identity: LogisticCalibrator
    identity_band: InconclusiveBand
    strangers: ImpostorThreshold
    questions: Mapping[QuestionKind, ForgeryQuestion]
    copy_bits: int
    references: Mapping[str, ReferenceDistribution]
    fitted_on: Mapping[str, Any]
    closer: Mapping[QuestionKind, ForgeryQuestion] = field(default_factory=dict)
    faces: int = 1

    def for_gallery_size(self, faces: int) -> "VerdictRule":
        """The same rule for a search among so many faces, of which any may be taken for someone."""
        edge = self.identity.probability({"cosine_similarity": self.strangers.threshold(faces)})
        high = 1.0 if edge is None or not self.strangers.has_guarantee else edge
        band = replace(self.identity_band, high=max(self.identity_band.high, high))
        return replace(self, identity_band=band, faces=faces)

    def assess(self, scores: Scores, *, usable: bool) -> Assessment:
        """Judge one face from its raw scores (`search.scoring`); `usable` is its quality gate."""
        same = self.identity.probability(scores)
        if not usable or same is None:
            reason = "the face is not usable" if not usable else "identity was not measured"
            return Assessment("not assessed", None, None, None, reason)
        place = self.identity_band.place(same)
        asked = self._asked(place, scores)
        question = self.question(asked, scores)
        fake = question.calibrator.probability(scores)
        fake_place = None if fake is None else question.band.place(fake)
        verdict, reason = _decide(place, fake_place, asked)
        return Assessment(
            verdict, same, fake, None if fake is None else self._in_a_crowd(same) * fake, reason,
            fake_scores=() if fake is None else question.calibrator.features,
            identity_place=place, fake_place=fake_place, identity_band=self.identity_band,
            fake_band=None if fake is None else question.band,
            question=None if fake is None else asked,
            faces=self.faces, faces_measured=self.strangers.measured(self.faces),
            unseen=self.unseen(asked, question) if verdict in ("no forgery found", "copy") else (),
        )  # fmt: skip

    def assess_without_query(self, scores: Scores) -> tuple[float | None, BandPosition | None]:
        """The probability that a face is forged, judged without a query, and where it lies."""
        question = self.question("alone", scores)
        fake = question.calibrator.probability(scores)
        return fake, None if fake is None else question.band.place(fake)

    def unseen(
        self, asked: QuestionKind, question: ForgeryQuestion
    ) -> tuple[UnseenToolMissRate, ...]:
        """What forgeries by tools never seen read "no sign of forgery" to it, as counted."""
        stage = CLOSER_STAGE if question is self.closer.get(asked) else ""
        return tuple(
            UnseenToolMissRate(**it)
            for it in self.fitted_on.get("unseen", {}).get(stage + asked, ())
        )

    def identity_place(self, scores: Scores) -> BandPosition | None:
        """Where the probability of the same person lies; None where it was not measured."""
        same = self.identity.probability(scores)
        return None if same is None else self.identity_band.place(same)

    def check_stability(self, given: Assessment, retaken: Mapping[str, Assessment]) -> Assessment:
        """A verdict held against those of mild retakes of the same picture, by the retake's name.

        One that a retake turns into another decided verdict, or that most retakes leave open,
        becomes inconclusive. Retakes never decide what was left open, and the probabilities stay
        as they were measured. A copy is told by what differs from the query photo, which a retake
        changes by itself: it stays one.
        """
        changing = {name: it for name, it in retaken.items() if it.verdict != given.verdict}
        turned = [name for name, it in changing.items() if it.verdict in _DECIDED]
        if given.verdict not in _STEADIED or not (turned or 2 * len(changing) > len(retaken)):
            return given
        moved = [it.identity_place != given.identity_place for it in changing.values()]
        axes: dict[Axis, bool] = {"identity": any(moved), "forgery": not all(moved)}
        unsteady = tuple(axis for axis, changed in axes.items() if changed)
        reason = f"the verdict does not survive {' or '.join(changing)}"
        return replace(given, verdict="inconclusive", reason=reason, unsteady=unsteady)

    @property
    def needs(self) -> frozenset[str]:
        """The names of the scores that it asks about."""
        asked = [*self.questions.values(), *self.closer.values()]
        return frozenset(
            name for it in (self.identity, *(it.calibrator for it in asked)) for name in it.features
        )

    def question(self, asked: QuestionKind, scores: Scores) -> ForgeryQuestion:
        """The question as these scores let it be asked: by a closer look's if they are there."""
        closer = self.closer.get(asked)
        if closer is not None and closer.calibrator.logit(scores) is not None:
            return closer
        return self.questions[asked]

    def _in_a_crowd(self, same: float) -> float:
        """The probability of the same person at the prior odds of a collection of many people."""
        odds = same / max(1.0 - same, 1e-9) * CROWD_PRIOR_ODDS
        return odds / (1.0 + odds)

    def _asked(self, identity: BandPosition, scores: Scores) -> QuestionKind:
        """Which question is asked about forgery."""
        if identity != "high":
            return "alone"
        return "same_photo" if scores.get(SAME_PHOTOGRAPH) == 1.0 else "with_query"

    def save(self, path: Path) -> None:
        """Write the parameters as JSON."""
        data = {
            "identity": to_json(self.identity),
            "identity_band": to_json(self.identity_band),
            "strangers": asdict(self.strangers),
            "questions": {name: asdict(it) for name, it in self.questions.items()},
            "copy_bits": self.copy_bits,
            "references": {name: to_json(ref) for name, ref in self.references.items()},
            "fitted_on": dict(self.fitted_on),
            "closer": {name: asdict(it) for name, it in self.closer.items()},
        }
        path.write_text(json.dumps(data, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "VerdictRule":
        """Read `verdict.json`; raises SetupError when it is damaged."""
        try:
            data = json.loads(path.read_text())
            return cls(
                identity=LogisticCalibrator.from_json(data["identity"]),
                identity_band=InconclusiveBand(**data["identity_band"]),
                strangers=ImpostorThreshold.from_json(data["strangers"]),
                questions=_questions(data["questions"]),
                copy_bits=int(data["copy_bits"]),
                references={
                    name: ReferenceDistribution(tuple(ref["quantiles"]))
                    for name, ref in data["references"].items()
                },
                fitted_on=data["fitted_on"],
                closer=_questions(data.get("closer", {})),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetupError(
                f"calibration {path.name!r} cannot be read ({error}); "
                "run `unmask models verify` to see which files are damaged"
            ) from error


def _questions(data: Mapping[QuestionKind, Any]) -> dict[QuestionKind, ForgeryQuestion]:
    return {
        name: ForgeryQuestion(
            LogisticCalibrator.from_json(it["calibrator"]), InconclusiveBand(**it["band"])
        )
        for name, it in data.items()
    }


def _decide(
    identity: BandPosition, fake: BandPosition | None, asked: QuestionKind
) -> tuple[Verdict, str]:
    """The table of the README: two axes in, a verdict and its reason out."""
    if identity == "low":
        return "other", "the face is not the query person's"
    if fake is None:
        return "not assessed", "forgery was not measured"
    if identity == "within":
        return "inconclusive", "identity lies in the inconclusive band"
    same_photo = asked == "same_photo"
    if fake == "high":
        return "impersonation", (
            "the query photo, but altered" if same_photo else "same person, and forged"
        )
    if fake == "within":
        return "inconclusive", "authenticity lies in the inconclusive band"
    if same_photo:
        return "copy", "the same photograph as the query, unaltered as far as was measured"
    return "no forgery found", "same person, and no sign of forgery"


def _notes(given: Assessment) -> Iterator[str]:
    """Of identity: among how many faces it was judged; of both bands: what they cannot promise."""
    if given.faces is not None and given.identity_place == "high":
        yield f"identity was judged among {given.faces:,} {'face' if given.faces == 1 else 'faces'}"
    if given.faces is not None and not given.faces_measured:
        yield (
            f"{given.faces:,} faces are more than were ever tested: how similar strangers can be "
            "among so many is extrapolated"
        )
    for axis, band in (("identity", given.identity_band), ("forgery", given.fake_band)):
        if band is not None and not (band.guarantees_low and band.guarantees_high):
            yield f"the inconclusive band of {axis} is wide: it was fitted on too few people"


_STEADIED = ("impersonation", "no forgery found", "other")
_DECIDED = (*_STEADIED, "copy")

NOT_ASSESSED = Assessment(
    "not assessed", None, None, None, "this profile has no fitted calibration"
)
"""What every hit gets while a profile's calibration was never fitted."""
