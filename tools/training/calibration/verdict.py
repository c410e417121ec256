"""Fit the verdict rule: calibrators, fusion, bands and the copy threshold.

    python -m tools.training.calibration.verdict --data ../shared/data --work DIR

Uses one half of the validation persons, on whom no model was trained; `python -m evals run
impersonation` reports on the other half. All probabilities assume prior odds of 1:1, so they
express the evidence and not how common forgeries are in a collection.

Takes about half an hour. DIR keeps the measurements of each step, so a restarted run resumes.
Delete `DIR/*.pickle` after changing weights or code.
"""

import argparse
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tools.checkpoints.store import PROFILES, checkpoint_folder, fingerprint, locate
from tools.checkpoints.table import WEIGHTS_DIR, Checkpoint
from tools.detectors import load_detectors
from tools.detectors.clip_heads.tower_head import FORGED, MANIPULATED, SYNTHESISED
from tools.detectors.folders import DETECTORS_FOLDER, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.encoder.clip import Encoder
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError
from tools.faces.analyser import FaceAnalyser
from tools.faces.further_embedders import DIFFERENCE, SHIPPED_EMBEDDER, FaceEmbedder
from tools.search.reranking.patch_grid import SCORE as PATCHES
from tools.search.same_photograph.scores import FACE_CHANGE
from tools.training.calibration.benchmark_cases import (
    LEFT_OUT,
    LabelledComparison,
    build_benchmark,
    build_calibration_files,
    portraits,
    score_benchmark,
    split_persons,
)
from tools.training.calibration.components import CalibrationModels, ScoresAndLabel
from tools.training.calibration.impostors import impostor_similarities
from tools.training.calibration.questions import (
    FAKE_ALPHA_HIGH,
    FRAME,
    PORTRAIT,
    CrossValidatedQuestion,
    ScoredSample,
    cross_validated_question,
    fit_logistic,
)
from tools.training.calibration.real_swaps import miss_rate_record, real_swaps, with_real_swaps
from tools.verdict.calibration import (
    InconclusiveBand,
    ReferenceDistribution,
)
from tools.verdict.impostors import ImpostorThreshold
from tools.verdict.measured_rates import reached_record
from tools.verdict.rule import (
    CLOSER,
    SAME_PHOTOGRAPH,
    TOWER,
    ForgeryQuestion,
    QuestionKind,
    VerdictRule,
)

FACE_AND_IMAGE = (
    "face/unifd_linear",
    "face/unifd_neighbours",
    "image/unifd_linear",
    "image/unifd_neighbours",
)
# Extra scores of the leading hits, without and with the query's own pictures.
RERANK_SCORES = (*FACE_AND_IMAGE, "face/sbi_caddm")
REFERENCE_SCORES = ("reference/inner_outer", "reference/patch_distance")
# Shown but not used in the fusion: on the fitting data these scores learn that our swaps are less
# similar to the victim than a photo is, which does not hold for a better generator.
SECOND = (DIFFERENCE,)
RELATIVE = ("query/face_linear_difference", "query/face_feature_cosine")
# The original is at hand: the difference from it counts, not the photo's own appearance. The hash
# distance is not used: a crop or a resize moves the aligned face, and so changes the hash as much
# as many forgeries do.
SAME_PHOTO = RELATIVE

FEATURES: Mapping[QuestionKind, tuple[str, ...]] = {
    "alone": FACE_AND_IMAGE,
    "with_query": FACE_AND_IMAGE + RELATIVE,
    "same_photo": SAME_PHOTO,
}
RERANK_FEATURES: Mapping[QuestionKind, tuple[str, ...]] = {
    "alone": RERANK_SCORES,
    "with_query": (*RERANK_SCORES, *RELATIVE, *REFERENCE_SCORES),
    "same_photo": (FACE_CHANGE, "face/sbi_caddm"),
}
# Of the detectors on the pretrained tower, if it is installed: manipulated and synthesised in one
# score, fitted with video frames and synthesised faces, which our own forgeries cannot stand in
# for. Those have no query, so scores relative to one are left out. Without them, both calibrators
# can learn from every picture; only the bands differ. Taught by pictures of the query person alone,
# 22 % instead of 29 % of the forgeries of left-out families were called forged.
TOWER_SCORES = (MANIPULATED, SYNTHESISED)
FURTHER: Mapping[str, Mapping[QuestionKind, tuple[str, ...]]] = {
    CLOSER: RERANK_FEATURES,
    TOWER: dict.fromkeys(("alone", "with_query"), (*RERANK_SCORES, FORGED)),
}

IDENTITY_ALPHA_HIGH, IDENTITY_ALPHA_LOW = 0.01, 0.05
# The share of searches in which any stranger in the whole gallery is mistaken for the person.
STRANGERS_ALPHA = 0.05
# Most changes to the query photo itself are harmless, so the allowed false alarm rate is lower.
ALPHAS_HIGH: Mapping[QuestionKind, float] = {"same_photo": 0.015}

Measured = TypeVar("Measured")


def fit_rule(
    rows: Sequence[LabelledComparison],
    frames: Sequence[ScoresAndLabel] = (),
    *,
    strangers: np.ndarray,
    generated: Sequence[ScoresAndLabel] = (),
) -> VerdictRule:
    """Fit the rule on labelled comparisons, and on `frames` without known persons.

    `strangers` (queries, persons) are cosines of different people. `generated` are wholly
    synthesised faces and portraits, which only the tower's stage can tell apart. Forgeries by
    families excluded from all training fit no calibrator: together with the trained families they
    set the lower edge of every band.
    """
    rows = [row for row in rows if row.usable]
    same = [row for row in rows if row.same_person]
    # Each file once: the comparison with the most scores.
    each = list({it.exhibit.file: it for it in sorted(rows, key=_measured)}.values())
    identity = _identity(rows, strangers)
    alone = [*map(_sample, each), *_of_frames(frames)]
    # A copy that cannot be proven is judged like any other photograph of the person.
    beside = [_sample(row) for row in same if not _is_query_photo(row)]
    copies = [_sample(row) for row in same if _is_query_photo(row)]
    known: dict[QuestionKind, list[ScoredSample]] = {
        "alone": alone, "with_query": beside, "same_photo": copies,
    }  # fmt: skip
    whole = [*_of_frames(generated, family=PORTRAIT)]
    everything = [*alone, *whole]
    generated_too: dict[QuestionKind, list[ScoredSample]] = {
        "alone": everything, "with_query": [*beside, *_of_frames(frames), *whole],
    }  # fmt: skip
    fitted = {
        "": _questions(FEATURES, known),
        CLOSER: _questions(FURTHER[CLOSER], known),
        TOWER: _questions(
            FURTHER[TOWER], generated_too, taught=dict.fromkeys(FURTHER[TOWER], everything)
        ),
    }
    asked = {
        stage: {name: it.question for name, it in questions.items()}
        for stage, questions in fitted.items()
    }
    authentic = [row.scores for row in each if not row.forged]
    mates = [row.scores for row in same if row.exhibit.kind == "authentic"]
    return VerdictRule(
        identity=identity.calibrator,
        identity_band=identity.band,
        strangers=ImpostorThreshold.fit(strangers, alpha=STRANGERS_ALPHA),
        questions=asked.pop(""),
        copy_bits=_copy_bits(same),
        references={
            name: ReferenceDistribution.fit(values)
            for names, told in (
                ((*RERANK_SCORES, *TOWER_SCORES, PATCHES), authentic),
                ((*REFERENCE_SCORES, *SECOND), mates),
            )
            for name in names
            if (values := [it for scores in told if (it := scores.get(name)) is not None])
        },
        further={stage: questions for stage, questions in asked.items() if questions},
        fitted_on={
            "dataset": "calibration halves of LFW val, forged by tools.forge, and of DFDC val",
            "persons": len({row.query_person for row in rows}),
            "faces": len(each),
            "same_person_comparisons": len(same),
            "same_photo_comparisons": len(copies),
            "video_frames": len(frames),
            "generated_faces_and_portraits": len(generated),
            "prior_odds": "1:1",
            "left_out_families": sorted(LEFT_OUT),
            "unseen": {
                f"{stage}/{name}".lstrip("/"): [_passed(it)]
                for stage, questions in fitted.items()
                for name, it in questions.items()
                if any(sample.unseen for sample in it.samples)
            },
            "reached": {
                f"{stage}/{name}".lstrip("/"): [*_probabilities(it)]
                for stage, questions in fitted.items()
                for name, it in questions.items()
                if name in ("alone", "with_query")
            },
        },
    )  # fmt: skip


def _sample(row: LabelledComparison) -> ScoredSample:
    return ScoredSample(row.scores, row.forged, row.exhibit.depicted, row.exhibit.family)


def _of_frames(frames: Sequence[ScoresAndLabel], *, family: str = FRAME) -> Iterator[ScoredSample]:
    for number, (scores, forged) in enumerate(frames):
        yield ScoredSample(scores, forged, f"{family} {number}", family)


def _is_query_photo(row: LabelledComparison) -> bool:
    """Whether the product would treat this comparison as the query photo itself, if it was
    examined."""
    proven = row.scores.get(SAME_PHOTOGRAPH)
    known = row.exhibit.kind == "copy" or row.exhibit.of_query
    return known if proven is None else proven == 1.0


def _identity(rows: Sequence[LabelledComparison], strangers: np.ndarray) -> ForgeryQuestion:
    """Edges of the comparison of two faces: the lower from mates, the upper from strangers, with
    persons as clusters.

    With a single score and a rising calibrator, holding persons out would change the scale only and
    not the order.
    """
    names = ("cosine_similarity",)
    calibrator = fit_logistic(
        names, [row.scores for row in rows], [row.same_person for row in rows]
    )
    mates = [row for row in rows if row.same_person]
    of, _ = np.nonzero(np.isfinite(strangers))
    cosines = strangers[np.isfinite(strangers)]
    band = InconclusiveBand.fit(
        [calibrator.probability({names[0]: float(it)}) or 0.0 for it in cosines],
        [calibrator.probability(row.scores) or 0.0 for row in mates],
        alpha_low=IDENTITY_ALPHA_LOW, alpha_high=IDENTITY_ALPHA_HIGH,
        persons_false=of.tolist(), persons_true=[row.query_person for row in mates],
    )  # fmt: skip
    return ForgeryQuestion(calibrator, band)


def _questions(
    features: Mapping[QuestionKind, tuple[str, ...]],
    known: Mapping[QuestionKind, Sequence[ScoredSample]],
    taught: Mapping[QuestionKind, Sequence[ScoredSample]] | None = None,
) -> dict[QuestionKind, CrossValidatedQuestion]:
    """The questions of a stage that can be fitted; `taught` as in `cross_validated_question`."""
    found = {
        asked: cross_validated_question(
            names, known[asked], taught=(taught or {}).get(asked),
            alpha_high=ALPHAS_HIGH.get(asked, FAKE_ALPHA_HIGH),
        )
        for asked, names in features.items()
    }  # fmt: skip
    return {asked: it for asked, it in found.items() if it is not None}


def _passed(fitted: CrossValidatedQuestion) -> dict[str, Any]:
    """How many forgeries by families excluded from all training read "no sign of forgery"."""
    unseen = [
        fitted.question.band.place(float(probability))
        for it, probability in zip(fitted.samples, fitted.probabilities, strict=True)
        if it.unseen
    ]
    what = "forgeries of kinds left out of all training"
    return miss_rate_record(what, len(unseen), unseen.count("low"))


def _probabilities(fitted: CrossValidatedQuestion) -> Iterator[dict[str, Any]]:
    """Cross-validated probabilities of what an investigator's picture may be."""
    kinds: tuple[tuple[str, Callable[[ScoredSample], bool]], ...] = (
        ("untouched photos", lambda it: it.kind == "photo"),
        ("photos with harmless edits", lambda it: it.kind == "edited photo"),
        ("forgeries of kinds left out of all training", lambda it: it.unseen),
    )
    for what, belongs in kinds:
        of_kind = [belongs(it) for it in fitted.samples]
        if any(of_kind):
            yield reached_record(what, fitted.probabilities[np.array(of_kind)].tolist())


def _measured(row: LabelledComparison) -> int:
    return sum(value is not None for value in row.scores.values())


def _bits(row: LabelledComparison) -> float:
    distance = row.scores["query/face_hash_distance"]
    return 64.0 if distance is None else distance


def _copy_bits(same: Sequence[LabelledComparison]) -> int:
    """The midpoint between nearly all copies and nearly no other photo of the same person."""
    copies = [_bits(row) for row in same if row.exhibit.kind == "copy"]
    others = [_bits(row) for row in same if row.exhibit.kind == "authentic"]
    return int((np.quantile(copies, 0.98) + np.quantile(others, 0.005)) / 2)


def main() -> None:
    """Build the benchmark, measure it with the shipped models, fit and write `verdict.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for pictures")
    parser.add_argument("--queries", type=int, default=None, help="cap, for a smoke run")
    parser.add_argument(
        "--models", type=Path, required=True, help="models folder with the CLIP part of the setup"
    )
    parser.add_argument("--out", type=Path, default=None, help="default: the shipped verdict.json")
    options = parser.parse_args()
    rows: dict[str, Checkpoint] = dict(PROFILES["pocket"].items())
    out = options.out or checkpoint_folder(rows["verdict"], Path()) / "verdict.json"
    people = split_persons(portraits(options.data, split="val"))[0]
    exhibits = build_benchmark(people, options.work, seed=1, queries=options.queries)
    exhibits += build_calibration_files(people, options.work, seed=3, queries=options.queries)
    models = load_models(options.models)
    train = portraits(options.data, split="train")
    strangers = cached(
        options.work / "strangers.pickle",
        lambda: impostor_similarities(people, train, faces=models.faces),
    )
    frames = cached(options.work / "frames.pickle", lambda: models.video_frames(options.data))
    comparisons = cached(
        options.work / "comparisons.pickle",
        lambda: score_benchmark(
            options.work, exhibits, faces=models.faces, encoder=models.encoder,
            detectors=models.detectors,
            further=models.further,
        ),
    )  # fmt: skip
    swaps = cached(
        options.work / "swaps.pickle",
        lambda: real_swaps(options.data, options.work / "swaps", models=models),
    )
    generated = cached(options.work / "generated.pickle", lambda: models.generated(options.data))
    fitted = fit_rule(comparisons, frames, strangers=strangers, generated=generated)
    rule = with_real_swaps(fitted, swaps)
    rule.save(out)
    print("next: python -m tools.training.calibration.one_of_two")
    print_rule(rule)


def load_models(folder: Path) -> CalibrationModels:
    """The shipped models without a rule; `folder` holds the CLIP part. Raises SetupError."""
    rows: dict[str, Checkpoint] = dict(PROFILES["pocket"].items())
    pocket = {part: locate(rows[part], Path()) for part in ("faces", "encoder", "heads")}
    encoder, tower = Encoder.load(pocket["encoder"]), PretrainedTower.installed(folder)
    if tower is None:
        raise SetupError(f"no CLIP tower in {str(folder)!r}: run `unmask setup`")
    return CalibrationModels(
        FaceAnalyser(pocket["faces"]),
        encoder,
        load_detectors(pocket["heads"], encoder.sha256),
        [
            load_detector(it, encoder, tower=tower)
            for it in find_stored_detectors([WEIGHTS_DIR / DETECTORS_FOLDER])
            if it.title in (*RERANK_SCORES, *TOWER_SCORES, PATCHES)
        ],
        FaceEmbedder.load(SHIPPED_EMBEDDER),
        fingerprint=fingerprint("pocket", Path(), parts=("faces",)),
    )


def cached(path: Path, work: Callable[[], Measured]) -> Measured:
    """The measurements of an earlier run if `path` exists, else run `work` now."""
    if path.is_file():
        print(f"taken from {path}", flush=True)
        found: Measured = pickle.loads(path.read_bytes())  # noqa: S301 - our own file
        return found
    found = work()
    path.write_bytes(pickle.dumps(found))
    print(f"measured {path}", flush=True)
    return found


def print_rule(rule: VerdictRule) -> None:
    """Print the fitted rule."""
    print(f"identity: {rule.identity_band}\n{rule.strangers}")
    for name, question in rule.named_questions():
        fitted = question.calibrator
        weights = dict(zip(fitted.features, fitted.weights, strict=True))
        print(f"{name}: {question.band} {weights}")
    print(f"copy bits {rule.copy_bits}\nfitted on {dict(rule.fitted_on)}")


if __name__ == "__main__":
    main()
