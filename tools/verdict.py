"""The one rule that turns measurements into a verdict; no language model comes near it.

Two axes, each with an inconclusive band: does the face depict the query person, and was it
forged? Parameters come from `weights/verdict.json`, fitted on persons that no other part was
trained on. A profile without fitted parameters measures scores but assesses nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tools.calibration import Band, Logistic, Reference, Scores, to_json
from tools.errors import SetupError

Verdict = Literal[
    "impersonation", "no forgery found", "other", "copy", "inconclusive", "not assessed"
]
Axis = Literal["identity", "forgery"]
VERDICTS: tuple[Verdict, ...] = (
    "impersonation", "inconclusive", "no forgery found", "copy", "other", "not assessed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with the calibrated probabilities behind it; None is *not measured*.

    `reason` says in a few words which part of the rule decided. `unsteady` are the axes that mild
    retakes of the picture moved to another side of their band, and so took the verdict away.
    `fake_scores` names the scores that the forgery probability was computed from.
    """

    verdict: Verdict
    identity_probability: float | None
    fake_probability: float | None
    impersonation_probability: float | None
    reason: str
    unsteady: tuple[Axis, ...] = ()
    fake_scores: tuple[str, ...] = ()


Asked = Literal["alone", "with_query", "same_photo"]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a face was forged, as one calibrator answers it; undecided within its band."""

    calibrator: Logistic
    band: Band


@dataclass(frozen=True, slots=True)
class Rule:
    """Calibrators, bands and the copy threshold, and how they combine.

    `fake_alone` judges a face by itself; `fake_with_query` adds evidence relative to the query
    and is used only when the identity band says *same person* (a reference is informative only
    when it is the right one: ICT-Ref, SELFI). At up to `copy_bits` of Hamming distance between
    64-bit hashes of two aligned faces they are the same photograph, and the question becomes
    whether this version of it was altered: `fake_same_photo`, with a band of its own.
    Both axes are for prior odds of one to one; the ranking assumes that a face is anybody's with
    `crowd_prior_odds` for the query person, or every good forgery of somebody else would outrank
    the less certain forgeries of the person.
    `closer` holds the same questions with the scores of a closer look among them; each is asked
    where all its scores were measured, on the leading hits.

    Does not show: who made a forgery or why; `no forgery found` is not proof of authenticity.
    """

    identity: Logistic
    fake_alone: Logistic
    fake_with_query: Logistic
    fake_same_photo: Logistic
    identity_band: Band
    fake_band: Band
    same_photo_band: Band
    copy_bits: int
    crowd_prior_odds: float
    references: Mapping[str, Reference]
    fitted_on: Mapping[str, Any]
    closer: Mapping[Asked, Question] = field(default_factory=dict)

    def assess(self, scores: Scores, *, usable: bool) -> Assessment:
        """Judge one face from its raw scores (`tools.comparison`); `usable` is its quality gate."""
        same = self.identity.probability(scores)
        if not usable or same is None:
            reason = "the face is not usable" if not usable else "identity was not measured"
            return Assessment("not assessed", None, None, None, reason)
        place = self.identity_band.place(same)
        question, low = self._about(place, scores)
        fake = question.calibrator.probability(scores)
        if fake is None:
            return Assessment("not assessed", same, None, None, "forgery was not measured")
        verdict, reason = _decide(place, question.band.place(fake), low)
        return Assessment(
            verdict, same, fake, self._in_a_crowd(same) * fake, reason,
            fake_scores=question.calibrator.features,
        )  # fmt: skip

    def steadied(self, given: Assessment, retaken: Mapping[str, Assessment]) -> Assessment:
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
        places = {name: self._identity_place(it) for name, it in changing.items()}
        moved = [place != self._identity_place(given) for place in places.values()]
        axes: dict[Axis, bool] = {"identity": any(moved), "forgery": not all(moved)}
        unsteady = tuple(axis for axis, changed in axes.items() if changed)
        reason = f"the verdict does not survive {' or '.join(changing)}"
        return replace(given, verdict="inconclusive", reason=reason, unsteady=unsteady)

    def _identity_place(self, given: Assessment) -> str | None:
        same = given.identity_probability
        return None if same is None else self.identity_band.place(same)

    @property
    def needs(self) -> frozenset[str]:
        """The names of the scores that it asks about."""
        asked = [self.identity, self.fake_alone, self.fake_with_query, self.fake_same_photo]
        asked += [it.calibrator for it in self.closer.values()]
        return frozenset(name for it in asked for name in it.features)

    def question(self, asked: Asked, scores: Scores) -> Question:
        """The question as these scores let it be asked: by a closer look's if they are there."""
        closer = self.closer.get(asked)
        if closer is not None and closer.calibrator.logit(scores) is not None:
            return closer
        match asked:
            case "alone":
                return Question(self.fake_alone, self.fake_band)
            case "with_query":
                return Question(self.fake_with_query, self.fake_band)
        return Question(self.fake_same_photo, self.same_photo_band)

    def forgery_band(self, scores: Scores) -> Band:
        """The inconclusive band of the forgery probability that `assess` gives."""
        same = self.identity.probability(scores)
        place = "low" if same is None else self.identity_band.place(same)
        return self._about(place, scores)[0].band

    def fake_place(self, scores: Scores) -> str | None:
        """The place in its band of the forgery probability that `assess` gives, if measured."""
        same = self.identity.probability(scores)
        if same is None:
            return None
        question, _ = self._about(self.identity_band.place(same), scores)
        fake = question.calibrator.probability(scores)
        return None if fake is None else question.band.place(fake)

    def _in_a_crowd(self, same: float) -> float:
        """The probability of the same person at the prior odds of a collection of many people."""
        odds = same / max(1.0 - same, 1e-9) * self.crowd_prior_odds
        return odds / (1.0 + odds)

    def _about(self, identity: str, scores: Scores) -> tuple[Question, Verdict]:
        """Which question is asked about forgery, and the verdict when nothing speaks for one."""
        if identity != "high":
            return self.question("alone", scores), "no forgery found"
        bits = scores.get("query/face_hash_distance")
        if bits is not None and bits <= self.copy_bits:
            return self.question("same_photo", scores), "copy"
        return self.question("with_query", scores), "no forgery found"

    def save(self, path: Path) -> None:
        """Write the parameters as JSON."""
        data = {
            "identity": to_json(self.identity),
            "fake_alone": to_json(self.fake_alone),
            "fake_with_query": to_json(self.fake_with_query),
            "fake_same_photo": to_json(self.fake_same_photo),
            "identity_band": to_json(self.identity_band),
            "fake_band": to_json(self.fake_band),
            "same_photo_band": to_json(self.same_photo_band),
            "copy_bits": self.copy_bits,
            "crowd_prior_odds": self.crowd_prior_odds,
            "references": {name: to_json(ref) for name, ref in self.references.items()},
            "fitted_on": dict(self.fitted_on),
            "closer": {
                name: {"calibrator": to_json(it.calibrator), "band": to_json(it.band)}
                for name, it in self.closer.items()
            },
        }
        path.write_text(json.dumps(data, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Rule":
        """Read `verdict.json`; raises SetupError when it is damaged."""
        try:
            data = json.loads(path.read_text())
            return cls(
                identity=Logistic.from_json(data["identity"]),
                fake_alone=Logistic.from_json(data["fake_alone"]),
                fake_with_query=Logistic.from_json(data["fake_with_query"]),
                fake_same_photo=Logistic.from_json(data["fake_same_photo"]),
                identity_band=Band(**data["identity_band"]),
                fake_band=Band(**data["fake_band"]),
                same_photo_band=Band(**data["same_photo_band"]),
                copy_bits=int(data["copy_bits"]),
                crowd_prior_odds=float(data["crowd_prior_odds"]),
                references={
                    name: Reference(tuple(ref["quantiles"]))
                    for name, ref in data["references"].items()
                },
                fitted_on=data["fitted_on"],
                closer={
                    name: Question(Logistic.from_json(it["calibrator"]), Band(**it["band"]))
                    for name, it in data.get("closer", {}).items()
                },
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetupError(
                f"calibration {path.name!r} cannot be read ({error}); "
                "run `unmask models verify` to see which files are damaged"
            ) from error


def _decide(identity: str, fake: str, low: Verdict) -> tuple[Verdict, str]:
    """The table of the README: two axes in, a verdict and its reason out."""
    if identity == "low":
        return "other", "the face is not the query person's"
    if identity == "within":
        return "inconclusive", "identity lies in the inconclusive band"
    if fake == "high":
        altered = "the query photo, but altered" if low == "copy" else "same person, and forged"
        return "impersonation", altered
    if fake == "within":
        return "inconclusive", "authenticity lies in the inconclusive band"
    if low == "copy":
        return "copy", "the same photograph as the query, unaltered as far as was measured"
    return "no forgery found", "same person, and no sign of forgery above the band"


_STEADIED = ("impersonation", "no forgery found", "other")
_DECIDED = (*_STEADIED, "copy")

UNFITTED = Assessment("not assessed", None, None, None, "this profile has no fitted calibration")
"""What every hit gets while a profile's calibration was never fitted."""
