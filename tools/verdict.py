"""The one rule that turns measurements into a verdict; no language model comes near it.

Two axes, each with an inconclusive band: does the face depict the query person, and was it
forged? Parameters come from `weights/verdict.json`, fitted on persons that no other part was
trained on. A profile without fitted parameters measures scores but assesses nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.calibration import Band, Logistic, Reference, Scores, to_json
from tools.errors import SetupError

Verdict = Literal["impersonation", "genuine", "other", "copy", "inconclusive", "not assessed"]
VERDICTS: tuple[Verdict, ...] = (
    "impersonation", "inconclusive", "genuine", "copy", "other", "not assessed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict with the calibrated probabilities behind it; None is *not measured*.

    `reason` says in a few words which part of the rule decided.
    """

    verdict: Verdict
    identity_probability: float | None
    fake_probability: float | None
    impersonation_probability: float | None
    reason: str


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

    Does not show: who made a forgery or why; a genuine verdict is not proof of authenticity.
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

    def assess(self, scores: Scores, *, usable: bool) -> Assessment:
        """Judge one face from its raw scores (`tools.comparison`); `usable` is its quality gate."""
        same = self.identity.probability(scores)
        if not usable or same is None:
            reason = "the face is not usable" if not usable else "identity was not measured"
            return Assessment("not assessed", None, None, None, reason)
        place = self.identity_band.place(same)
        calibrator, band, low = self._question(place, scores)
        fake = calibrator.probability(scores)
        if fake is None:
            return Assessment("not assessed", same, None, None, "forgery was not measured")
        verdict, reason = _decide(place, band.place(fake), low)
        return Assessment(verdict, same, fake, self._in_a_crowd(same) * fake, reason)

    def fake_place(self, scores: Scores) -> str | None:
        """The place in its band of the forgery probability that `assess` gives, if measured."""
        same = self.identity.probability(scores)
        if same is None:
            return None
        calibrator, band, _ = self._question(self.identity_band.place(same), scores)
        fake = calibrator.probability(scores)
        return None if fake is None else band.place(fake)

    def _in_a_crowd(self, same: float) -> float:
        """The probability of the same person at the prior odds of a collection of many people."""
        odds = same / max(1.0 - same, 1e-9) * self.crowd_prior_odds
        return odds / (1.0 + odds)

    def _question(self, identity: str, scores: Scores) -> tuple[Logistic, Band, Verdict]:
        """Which forgery evidence applies, its band, and the verdict when it shows nothing."""
        if identity != "high":
            return self.fake_alone, self.fake_band, "genuine"
        bits = scores.get("query/face_hash_distance")
        if bits is not None and bits <= self.copy_bits:
            return self.fake_same_photo, self.same_photo_band, "copy"
        return self.fake_with_query, self.fake_band, "genuine"

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
    return "genuine", "same person, and no sign of forgery above the band"


UNFITTED = Assessment("not assessed", None, None, None, "this profile has no fitted calibration")
"""What every hit gets while a profile's calibration was never fitted."""
