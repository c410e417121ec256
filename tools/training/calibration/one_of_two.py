"""Fit the question which of two versions of one photograph was altered, into `verdict.json`.

    python -m tools.training.calibration.one_of_two --data ../shared/data --models DIR --work DIR

A pair is a face swap and the photograph it was made from, proven to be one photograph with two
faces as in a search. The lead of a version is its forgery log-odds, judged alone, minus those of
the other; both are measured, so the fitted probability treats them alike. Either of the two may
have been edited harmlessly since (`tools.training.data.harmless_edits`).

Pairs are DFDC's of the fitting half, and swaps by our forge among the fitting half of LFW's
validation persons. No swap by another published tool is used. It runs after
`tools.training.calibration.verdict`, whose question about a face alone gives the log-odds.
"""

import argparse
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from tools.checkpoints.store import PROFILES, checkpoint_folder
from tools.checkpoints.table import Checkpoint
from tools.errors import ToolError
from tools.forge.forgery import forge
from tools.gallery.indexing.analysis import analyse_photo
from tools.gallery.records import AnalysedImage, FaceRecord, face_id
from tools.media.pictures.decoding import decode_photo
from tools.search.query import Query
from tools.search.reranking.other_version import lead
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.rerank_input import RerankInput
from tools.search.same_photograph.local_features import local_features
from tools.search.same_photograph.other_face import other_face
from tools.search.scoring import scores_without_query
from tools.training.calibration.benchmark_cases import LabelledPortrait, portraits, split_persons
from tools.training.calibration.components import CalibrationModels
from tools.training.calibration.detector_pictures import dfdc_files
from tools.training.calibration.questions import ScoredSample, fit_question
from tools.training.calibration.verdict import cached, load_models
from tools.training.data.forgery_pool import read_rgb
from tools.training.data.harmless_edits import EDITS
from tools.verdict.calibration import Scores
from tools.verdict.rule import LEAD, VerdictRule

MOST_CROPS, MOST_SWAPS = 60, 40
"""Pairs of each kind; the inconclusive band needs 33 originals."""

BODIES = 24
"""The best fitting of so many bodies gets the face, as a forger would choose."""


@dataclass(frozen=True, slots=True)
class VersionPair:
    """Scores of a swap and of its original, each as it is ("") and after a harmless edit."""

    original: str
    forged: Mapping[str, Scores]
    authentic: Mapping[str, Scores]


def version_pairs(data: Path, models: CalibrationModels, *, seed: int = 5) -> list[VersionPair]:
    """The pairs that are proven to be one photograph with two faces, measured."""
    rng = np.random.default_rng(seed)
    kinds = (_dfdc(data), MOST_CROPS), (_swaps(data, rng), MOST_SWAPS)
    found: list[VersionPair] = []
    for pictures, most in kinds:
        proven = (it for it in pictures if is_proven(it[1], it[2], models))
        for name, fake, real in itertools.islice(proven, most):
            sides = [
                {"": pixels, edit: EDITS[edit](pixels, rng)}
                for pixels in (fake, real)
                for edit in [str(rng.choice(list(EDITS)))]
            ]
            forged, authentic = (
                {
                    edit: scores
                    for edit, pixels in side.items()
                    if (scores := _scores(pixels, models)) is not None
                }
                for side in sides
            )
            found.append(VersionPair(name, forged, authentic))
    return found


def is_proven(fake: np.ndarray, real: np.ndarray, models: CalibrationModels) -> bool:
    """Whether a search would prove two pictures to be one photograph with two faces."""
    ours, theirs = (_main_face(it, models) for it in (fake, real))
    if ours is None or theirs is None:
        return False
    (_, face), (_, there) = ours, theirs
    features = local_features(fake), local_features(real)
    return other_face(features[0], face.face, features[1], [there]) is not None


def with_one_of_two(rule: VerdictRule, pairs: Sequence[VersionPair]) -> VerdictRule:
    """The same rule with the question which of two versions was altered."""
    samples = [
        ScoredSample({LEAD: sign * value}, forged, pair.original, edit)
        for pair in pairs
        for before, scores in pair.forged.items()
        for edit, others in pair.authentic.items()
        if (value := lead(rule, scores, others)) is not None
        for sign, forged, edit in ((1, True, before), (-1, False, edit))
    ]
    question = fit_question((LEAD,), samples)
    if question is None:
        raise ValueError("no pair was proven")
    # Each lead is seen from both sides, so both edges promise the same.
    band = question.band
    band = replace(band, low=1 - band.high, alpha_low=band.alpha_high)
    question = replace(question, band=band)
    fitted_on = {**rule.fitted_on, "version_pairs": len(pairs)}
    return replace(rule, questions={**rule.questions, "one_of_two": question}, fitted_on=fitted_on)


def _dfdc(data: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for fake, real in dfdc_files(data, "fit"):
        yield real, read_rgb(data / "dfdc" / fake), read_rgb(data / "dfdc" / real)


def _swaps(data: Path, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    people = split_persons(portraits(data, split="val"))[0]
    everyone = [shot for shots in people.values() for shot in shots]
    for shots in people.values():
        drawn = [everyone[int(it)] for it in rng.choice(len(everyone), BODIES)]
        others = [it for it in drawn if it.person != shots[0].person]
        body = min(others, key=lambda it: _misfit(it, shots[0]))
        try:
            forged = forge(
                body.pixels(), body.landmarks, family="face_swap", rng=rng,
                source_pixels=shots[0].pixels(), source_landmarks=shots[0].landmarks,
            )  # fmt: skip
        except ToolError:
            continue  # this face does not fit this body
        yield shots[0].person, forged.pixels, body.pixels()


def _misfit(body: LabelledPortrait, source: LabelledPortrait) -> float:
    """How differently two faces are turned: distance of the landmarks, each set normalised."""
    first, second = (
        (it.landmarks - it.landmarks.mean(axis=0)) / it.landmarks.std() for it in (body, source)
    )
    return float(np.abs(first - second).mean())


def _main_face(
    pixels: np.ndarray, models: CalibrationModels
) -> tuple[AnalysedImage, FaceRecord] | None:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    photo = decode_photo(written.getvalue())
    image = analyse_photo(photo, 0, faces=models.faces, encoder=models.encoder)
    if not image.faces:
        return None
    place, main = max(
        enumerate(image.faces), key=lambda it: float(it[1].face.box[2] - it[1].face.box[0])
    )
    named = face_id(image.id, place)
    return image, FaceRecord(named, image.id, place, main.face, main.features, main.face_hash)


def _scores(pixels: np.ndarray, models: CalibrationModels) -> Scores | None:
    found = _main_face(pixels, models)
    if found is None:
        return None
    image, record = found
    scores = scores_without_query(image, record, detectors=models.detectors)
    look = RerankInput(pixels, record.face, scores, cast(Query, _NoQuery(record)), (), models)
    return {**scores, **picture_scores([look])[0]}


@dataclass(frozen=True, slots=True)
class _NoQuery:
    """Stands for a query, whose embedding no detector used here needs."""

    record: FaceRecord

    @property
    def template(self) -> np.ndarray:
        return self.record.face.embedding


def main() -> None:
    """Measure the pairs, fit the question, and write it into the rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True, help="keeps the measurements")
    parser.add_argument(
        "--models", type=Path, required=True, help="models folder with the CLIP part of the setup"
    )
    options = parser.parse_args()
    rows: dict[str, Checkpoint] = dict(PROFILES["pocket"].items())
    path = checkpoint_folder(rows["verdict"], Path()) / "verdict.json"
    options.work.mkdir(parents=True, exist_ok=True)
    models = load_models(options.models)
    pairs = cached(
        options.work / "version_pairs.pickle", lambda: version_pairs(options.data, models)
    )
    rule = with_one_of_two(VerdictRule.load(path), pairs)
    rule.save(path)
    question = rule.questions["one_of_two"]
    print(f"{len(pairs)} pairs\n{question.band}\n{question.calibrator}")


if __name__ == "__main__":
    main()
