"""The verdict rule: turns calibrated scores into a verdict, without any language model.

Two axes, each with an inconclusive band: does the face depict the query person, and was it forged?
Parameters come from `weights/verdict.json`, fitted on persons that no other part was trained on. A
profile without fitted parameters measures scores but assesses nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tools.errors import SetupError
from tools.faces.blocking import BLOCKING_LIMIT
from tools.faces.noise import NOISE_LIMIT
from tools.faces.rescaled_blocking import RESCALED_LIMIT
from tools.verdict.calibration import (
    BandPosition,
    InconclusiveBand,
    LogisticCalibrator,
    ReferenceDistribution,
    Scores,
    to_json,
)
from tools.verdict.impostors import ImpostorThreshold
from tools.verdict.measured_rates import (
    ShareReaching,
    UnseenToolMissRate,
    shares_reaching,
)

Verdict = Literal[
    "impersonation", "no forgery found", "other", "copy", "inconclusive", "not assessed", "forged"
]
"""The outcome for a face; only a face that was judged without a query can be "forged"."""
Axis = Literal["identity", "forgery"]
VERDICTS: tuple[Verdict, ...] = (
    "impersonation", "inconclusive", "no forgery found", "copy", "other", "not assessed",
)  # fmt: skip


# Of 1:1 to 1:400, the odds that ranked the calibration half best (mAP 0.60; 0.50 at even odds).
CROWD_PRIOR_ODDS = 1 / 20
PRIOR_IN_WORDS = "odds of 1 to 20, about one face in twenty-one"
"""Prior odds, assumed by the ranking, that a face is the query person's."""

CLOSER, TOWER = "closer", "tower"
"""Further stages: with reranking scores, and with those of the pretrained tower's detectors."""

QuestionKind = Literal["alone", "with_query", "same_photo", "one_of_two"]
"""Forgery questions: about a face alone, relative to the query, for a copy of the query photo, or
which of two versions of one photograph was altered."""

SAME_PHOTOGRAPH = "query/same_photograph"
"""Score for a hit being a query photo: 1 proven, 0 not proven; None not measured."""

OTHER_VERSION, LEAD = "version/other_face", "version/lead"
"""Scores for a second version of the hit's photograph that shows another face: whether one is in
the collection (1 proven, 0 none found, None not measured), and how much more forged the hit scores
than it (log-odds)."""


NOISE, BLOCKS, RESCALED = "face/noise", "face/blocks", "face/rescaled_blocks"
"""Scores for the noise of a face, in grey levels, for the edges of JPEG's blocks in it, and for
those of blocks that were resized."""


@dataclass(frozen=True, slots=True)
class Disguise:
    """What hides a forgery from every detector: above `limit`, nothing clears a face.

    `reason` says so of the face, as a clause.
    """

    limit: float
    reason: str


_TESTED = "than nearly all photographs that such a finding was tested on"
DISGUISES: Mapping[str, Disguise] = {
    NOISE: Disguise(NOISE_LIMIT, f"the face is noisier {_TESTED}"),
    BLOCKS: Disguise(BLOCKING_LIMIT, f"the face is compressed more strongly {_TESTED}"),
    RESCALED: Disguise(
        RESCALED_LIMIT, f"the face was compressed more strongly {_TESTED}, and then resized"
    ),
}
"""By their scores."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with the calibrated probabilities behind it; None is *not measured*.

    `reason` states briefly which part of the rule decided. `unsteady` are the axes on which mild
    retakes of the image changed the side of the band, so that the verdict became inconclusive.
    `fake_scores` are the scores that the forgery probability was computed from. `identity_place`
    and `fake_place` are the positions of the probabilities relative to `identity_band` and
    `fake_band`; the latter is that of the `question` used. `faces` is the number of faces in the
    search; without `faces_measured`, its identity threshold is extrapolated from fewer faces.
    `disguise`: no forgery was found, but this score (of `DISGUISES`) is too high for that to clear
    the face.
    `unseen` are the miss rates that accompany a verdict that finds nothing, `reached` how many test
    pictures of each kind read as forged as a face whose forgery stays open. `of_two` is set if
    another version of the photograph with another face is proven: whether this one reads more
    forged than it.
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
    reached: tuple[ShareReaching, ...] = ()
    of_two: BandPosition | None = None
    disguise: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the verdict: miss rates, number of faces, and missing guarantees."""
        return (*(it.text for it in self.unseen), *_notes(self))


@dataclass(frozen=True, slots=True)
class ForgeryQuestion:
    """A calibrator for "was the face forged?", with its inconclusive band."""

    calibrator: LogisticCalibrator
    band: InconclusiveBand


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """Calibrators with their bands, and how they combine.

    Of `questions`, "alone" judges a face by itself; "with_query" adds evidence relative to the
    query and is used only if the identity band gives *same person* (a reference is informative only
    if it is the right person: ICT-Ref, SELFI). If a hit is proven to be the same photograph as a
    query photo, "same_photo" judges whether this version was altered. If it is proven to be the
    same photograph as another picture of the collection that shows another face in its place, at
    least one of the two was altered, whatever either scores: "one_of_two" judges whether it is this
    one, from the difference of their scores. It never clears a face, since the other version may be
    forged as well. `further` holds the same questions with more scores, by stage, each stage after
    the weaker one: the last question whose scores were all measured is used. Every question has its
    own band.

    `identity_band` is that of two faces. In a gallery of `faces` faces, the identity must also
    exceed the similarity that the most similar of that many `strangers` reaches
    (`for_gallery_size`). Both axes are for prior odds of one to one; the ranking uses
    `CROWD_PRIOR_ODDS` for the query person, otherwise every good forgery of another person would
    outrank the less certain forgeries of the query person. Aligned faces that differ in at most
    `copy_bits` of 64 bits are compared as one photograph; that alone proves and decides nothing.
    Nothing clears a face in one of the `disguises`, by their scores.

    Does not show: who made a forgery or why; `no forgery found` is not proof of authenticity:
    `fitted_on` counts the forgeries by unseen tools that read so too.
    """

    identity: LogisticCalibrator
    identity_band: InconclusiveBand
    strangers: ImpostorThreshold
    questions: Mapping[QuestionKind, ForgeryQuestion]
    copy_bits: int
    references: Mapping[str, ReferenceDistribution]
    fitted_on: Mapping[str, Any]
    further: dict[str, Mapping[QuestionKind, ForgeryQuestion]] = field(default_factory=dict)
    disguises: Mapping[str, Disguise] = field(default_factory=lambda: DISGUISES)
    faces: int = 1

    def for_gallery_size(self, faces: int) -> "VerdictRule":
        """The same rule for a search among this many faces, with a raised identity threshold."""
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
        question, fake, fake_place = self._answer(asked, scores)
        pair = self._of_two(place, scores)
        of_two = None if pair is None else pair[2]
        if pair is not None and of_two == "high":
            asked, (question, fake, fake_place) = "one_of_two", pair
        verdict, reason, disguise = self._cleared(_decide(place, fake_place, asked, of_two), scores)
        return Assessment(
            verdict, same, fake, None if fake is None else self._at_crowd_odds(same) * fake, reason,
            fake_scores=() if fake is None else question.calibrator.features,
            identity_place=place, fake_place=fake_place, identity_band=self.identity_band,
            fake_band=None if fake is None else question.band,
            question=None if fake is None else asked,
            faces=self.faces, faces_measured=self.strangers.measured(self.faces),
            unseen=self.unseen(asked, question) if verdict in ("no forgery found", "copy") else (),
            reached=self._reached(question, fake, fake_place) if place != "low" else (),
            of_two=of_two, disguise=disguise,
        )  # fmt: skip

    def assess_without_query(self, scores: Scores) -> tuple[float | None, BandPosition | None]:
        """Forgery probability of a face without a query, and its position relative to the band."""
        question = self.question("alone", scores)
        fake = question.calibrator.probability(scores)
        return fake, None if fake is None else question.band.place(fake)

    def assess_alone(self, scores: Scores, *, usable: bool) -> Assessment:
        """Judge one face without a query: whether it was forged, whomever it shows."""
        question = self.question("alone", scores)
        fake, place = self.assess_without_query(scores) if usable else (None, None)
        if fake is None or place is None:
            reason = "forgery was not measured" if usable else "the face is not usable"
            return Assessment("not assessed", None, None, None, reason)
        verdict, reason, disguise = self._cleared(_ALONE[place], scores)
        return Assessment(
            verdict, None, fake, None, reason, fake_scores=question.calibrator.features,
            fake_place=place, fake_band=question.band, question="alone",
            unseen=self.unseen("alone", question) if verdict == "no forgery found" else (),
            reached=self._reached(question, fake, place), disguise=disguise,
        )  # fmt: skip

    def _cleared(
        self, decided: tuple[Verdict, str], scores: Scores
    ) -> tuple[Verdict, str, str]:  # fmt: skip
        """The verdict, which clears no face in a disguise; its reason, and the disguise."""
        verdict, reason = decided
        for score, disguise in self.disguises.items():
            measured = scores.get(score)
            if verdict == "no forgery found" and measured is not None and measured > disguise.limit:
                return "inconclusive", f"no sign of forgery, but {disguise.reason}", score
        return verdict, reason, ""

    def unseen(
        self, asked: QuestionKind, question: ForgeryQuestion
    ) -> tuple[UnseenToolMissRate, ...]:
        """Measured miss rates of this question for forgeries by unseen tools."""
        return tuple(
            UnseenToolMissRate(**{**it, "what": f"{it['what']} ({_JUDGED[asked]})"})
            for it in self._tested("unseen", question)
        )

    def _reached(
        self, question: ForgeryQuestion, fake: float | None, place: BandPosition | None
    ) -> tuple[ShareReaching, ...]:
        """How usual a probability is that the band leaves open."""
        if fake is None or place != "within":
            return ()
        return shares_reaching(self._tested("reached", question), fake)

    def _tested(self, what: str, question: ForgeryQuestion) -> Sequence[Mapping[str, Any]]:
        """What was measured about a question."""
        names = [name for name, it in self.named_questions() if it is question]
        known: Mapping[str, Sequence[Mapping[str, Any]]] = self.fitted_on.get(what, {})
        return known.get(names[0], ()) if names else ()

    def named_questions(self) -> Iterator[tuple[str, ForgeryQuestion]]:
        """All questions by name: `alone`, or with the stage `closer/alone`."""
        yield from self.questions.items()
        for stage, questions in self.further.items():
            yield from ((f"{stage}/{asked}", it) for asked, it in questions.items())

    def identity_place(self, scores: Scores) -> BandPosition | None:
        """Position of the same-person probability relative to its band; None if not measured."""
        same = self.identity.probability(scores)
        return None if same is None else self.identity_band.place(same)

    def check_stability(self, given: Assessment, retaken: Mapping[str, Assessment]) -> Assessment:
        """Compare a verdict with those of mild retakes of the image, keyed by the retake's name.

        It becomes inconclusive if a retake gives another decided verdict, or if most retakes give a
        different one. Retakes never decide an inconclusive verdict, and the probabilities stay as
        measured. A copy stays a copy: it is judged by its differences from the query photo, which
        retakes change too.
        """
        changing = {name: it for name, it in retaken.items() if it.verdict != given.verdict}
        turned = [name for name, it in changing.items() if it.verdict in _DECIDED]
        if given.verdict not in _RETESTED or not (turned or 2 * len(changing) > len(retaken)):
            return given
        moved = [it.identity_place != given.identity_place for it in changing.values()]
        axes: dict[Axis, bool] = {"identity": any(moved), "forgery": not all(moved)}
        unsteady = tuple(axis for axis, changed in axes.items() if changed)
        reason = f"the verdict does not survive {' or '.join(changing)}"
        # Nothing has passed: the miss rates of a verdict that finds nothing went with it.
        return replace(
            given, verdict="inconclusive", reason=reason, unsteady=unsteady, unseen=()
        )  # fmt: skip

    def forgery_scores(self, scores: Scores) -> frozenset[str]:
        """Names of the scores that the verdict hangs on, apart from the identity's.

        Empty where the identity decides alone: not the same person, or perhaps not, and whether
        the face was forged can be told from the `scores` at all.
        """
        place = self.identity_place(scores)
        if place != "high":
            return frozenset()
        return frozenset(self.question(self._asked(place, scores), scores).calibrator.features)

    def forgery_scores_alone(self, scores: Scores) -> frozenset[str]:
        """Names of the scores that the verdict on a face without a query hangs on."""
        return frozenset(self.question("alone", scores).calibrator.features)

    @property
    def needs(self) -> frozenset[str]:
        """Names of all scores that the rule uses."""
        asked = [it.calibrator for _, it in self.named_questions()]
        return frozenset(name for it in (self.identity, *asked) for name in it.features)

    def question(self, asked: QuestionKind, scores: Scores) -> ForgeryQuestion:
        """The question for these scores: that of the last stage whose scores are all present."""
        for questions in reversed(self.further.values()):
            found = questions.get(asked)
            if found is not None and found.calibrator.logit(scores) is not None:
                return found
        return self.questions[asked]

    def place(self, asked: QuestionKind, scores: Scores) -> BandPosition | None:
        """Place of the forgery probability in a question's band; None if it was not measured."""
        return self._answer(asked, scores)[2]

    def _answer(self, asked: QuestionKind, scores: Scores) -> "_Answer":
        question = self.question(asked, scores)
        fake = question.calibrator.probability(scores)
        return question, fake, None if fake is None else question.band.place(fake)

    def _of_two(self, identity: BandPosition, scores: Scores) -> "_Answer | None":
        """Which of two versions was altered; None unless they are proven to be one photograph.

        A copy of a query photo needs no second version: the query photo is authentic.
        """
        proven = scores.get(OTHER_VERSION) == 1.0 and scores.get(SAME_PHOTOGRAPH) != 1.0
        if identity == "low" or not proven or "one_of_two" not in self.questions:
            return None
        return self._answer("one_of_two", scores)

    def _at_crowd_odds(self, same: float) -> float:
        """Same-person probability at the prior odds of a collection of many people."""
        odds = same / max(1.0 - same, 1e-9) * CROWD_PRIOR_ODDS
        return odds / (1.0 + odds)

    def _asked(self, identity: BandPosition, scores: Scores) -> QuestionKind:
        """Which forgery question applies."""
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
            "further": {
                stage: {name: asdict(it) for name, it in questions.items()}
                for stage, questions in self.further.items()
            },
        }
        path.write_text(json.dumps(data, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "VerdictRule":
        """Load `verdict.json`; raises SetupError if it is damaged."""
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
                further={stage: _questions(it) for stage, it in data.get("further", {}).items()},
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


_Answer = tuple[ForgeryQuestion, float | None, BandPosition | None]
"""A question with the forgery probability and its place."""


def _decide(
    identity: BandPosition,
    fake: BandPosition | None,
    asked: QuestionKind,
    of_two: BandPosition | None,
) -> tuple[Verdict, str]:
    """Decision table of the README: positions on the two axes to a verdict and its reason.

    `of_two` is the place among two proven versions. A face whose own scores read as forged stays
    so, unless the other version reads more forged.
    """
    if identity == "low":
        return "other", "the face is not the query person's"
    if fake is None:
        return "not assessed", "forgery was not measured"
    if identity == "within":
        return "inconclusive", "whether the face is the query person's stays open"
    if of_two is not None and (of_two != "within" or fake != "high"):
        return _ONE_OF_TWO[of_two]
    same_photo = asked == "same_photo"
    if fake == "high":
        return "impersonation", (
            "the query photo, but altered" if same_photo else "same person, and forged"
        )
    if fake == "within":
        return "inconclusive", "whether the face was forged stays open"
    if same_photo:
        return "copy", "the same photograph as the query, unaltered as far as was measured"
    return "no forgery found", "same person, and no sign of forgery"


def _notes(given: Assessment) -> Iterator[str]:
    """Identity: the number of faces in the search; both bands: missing guarantees."""
    if given.faces is not None and given.faces > 1 and given.identity_place == "high":
        yield f"identity was judged among {given.faces:,} faces"
    if given.faces is not None and not given.faces_measured:
        yield (
            f"{given.faces:,} faces are more than were ever tested: how similar strangers can be "
            "among so many is extrapolated"
        )
    for axis, band in (("identity", given.identity_band), ("forgery", given.fake_band)):
        if band is not None and not (band.guarantees_low and band.guarantees_high):
            yield f"the inconclusive band of {axis} is wide: it was fitted on too few people"


_ONE_OF_TWO: Mapping[BandPosition, tuple[Verdict, str]] = {
    "high": (
        "impersonation",
        "the same photograph with another face is among the pictures compared, and this one was "
        "most likely altered",
    ),
    "within": (
        "inconclusive",
        "at least one of two versions of this photograph was altered, and which one stays open",
    ),
    "low": (
        "inconclusive",
        "at least one of two versions of this photograph was altered, and the other one reads more "
        "forged",
    ),
}
"""Decision table of the query person's face, if another version of the photograph is proven."""

_ALONE: Mapping[BandPosition, tuple[Verdict, str]] = {
    "high": ("forged", "the face shows signs of forgery"),
    "within": ("inconclusive", "whether the face was forged stays open"),
    "low": ("no forgery found", "no sign of forgery"),
}
"""Decision table of a face without a query."""

_JUDGED: Mapping[QuestionKind, str] = {
    "alone": "each judged by itself",
    "with_query": "each judged beside photos of the person",
    "same_photo": "each judged as an altered query photo",
    "one_of_two": "each judged as one of two versions",
}
"""The question that the tests asked: counts of different questions do not compare."""

_RETESTED = ("impersonation", "no forgery found", "other", "forged")
_DECIDED = (*_RETESTED, "copy")

NOT_ASSESSED = Assessment(
    "not assessed", None, None, None, "this profile has no fitted calibration"
)
"""The assessment of every hit in a profile without a fitted calibration."""
