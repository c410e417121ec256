"""Fit the verdict rule: calibrators, fusion, bands and the copy threshold.

    python -m tools.training.verdict --data ../shared/data --work DIR

Uses one half of the validation persons, whom no other part was trained on; the other half is
what `python -m evals run impersonation` reports on. All probabilities are for prior odds of one
to one, so that they say what the evidence adds, not how full of forgeries a collection is.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tools.calibration import Band, Logistic, Reference
from tools.checkpoint_table import Checkpoint
from tools.checkpoints import PROFILES, WEIGHTS, fingerprint, folder_of, locate
from tools.detectors import detectors
from tools.detectors.shelf import FOLDER, shelved
from tools.encoder import Encoder
from tools.faces import FaceAnalyser
from tools.patch_grid import SCORE as PATCHES
from tools.second_embedder import DIFFERENCE, SHIPPED, Embedder
from tools.training.casework import Comparison, build, halves, measure, portraits
from tools.training.verdict_kit import Kit, Told
from tools.verdict import Asked, Question, Rule

FACE_AND_IMAGE = (
    "face/unifd_linear",
    "face/unifd_neighbours",
    "image/unifd_linear",
    "image/unifd_neighbours",
)
# What a closer look at the leading hits adds, without and with the query's own pictures.
CLOSER = (*FACE_AND_IMAGE, "face/sbi_caddm")
BESIDE = ("reference/inner_outer", "reference/patch_distance")
# Shown and read, but not asked about: what they add where they were fitted is that our swaps are
# less alike to their victim than a photo is, which a better generator's are not.
SECOND = (DIFFERENCE,)
RELATIVE = ("query/face_linear_difference", "query/face_feature_cosine")
# The original at hand: what differs from it counts, not what the photo looks like by itself. Not
# the hash's distance: a crop or another size moves the aligned face, and with it the hash, as far
# as many a forgery does.
SAME_PHOTO = RELATIVE

# What an error costs decides the edges: an investigator who is told "impersonation" acts on it,
# so authentic photos rarely may get there; a forgery that falls into the band is still looked at.
IDENTITY_ALPHA_HIGH, IDENTITY_ALPHA_LOW = 0.01, 0.05
FAKE_ALPHA_HIGH, FAKE_ALPHA_LOW = 0.015, 0.10

# Of 1:1 to 1:400, what ranked the calibration half best (mAP 0.60 against 0.50 at even odds).
CROWD_PRIOR_ODDS = 1 / 20


def fit_logistic(
    features: tuple[str, ...], rows: Sequence[dict[str, float | None]], labels: Sequence[bool]
) -> Logistic:
    """L2-regularised logistic regression on standardised scores, classes weighted equally.

    Rows with a missing score are left out.
    """
    from sklearn.linear_model import LogisticRegression

    table = np.array(
        [[np.nan if row.get(name) is None else row[name] for name in features] for row in rows],
        float,
    )
    whole = np.isfinite(table).all(axis=1)
    table, known = table[whole], np.asarray(labels)[whole]
    means, scales = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    model.fit((table - means) / scales, known)
    return Logistic(
        features=features,
        means=tuple(map(float, means)),
        scales=tuple(map(float, scales)),
        weights=tuple(map(float, model.coef_[0])),
        bias=float(model.intercept_[0]),
    )


def fit(rows: Sequence[Comparison], frames: Sequence[Told] = ()) -> Rule:
    """The rule fitted on comparisons with known answers, and on `frames` that name nobody."""
    rows = [row for row in rows if row.usable]
    same = [row for row in rows if row.same_person]
    # Each file once, by the comparison in which it was looked at closest.
    each = list({it.exhibit.file: it for it in sorted(rows, key=_measured)}.values())
    identity = fit_logistic(
        ("cosine_similarity",), [row.scores for row in rows], [row.same_person for row in rows]
    )
    without = [*((row.scores, row.forged) for row in each), *frames]
    alone = fit_logistic(
        FACE_AND_IMAGE, [it for it, _ in without], [forged for _, forged in without]
    )
    others = [row for row in same if row.exhibit.kind != "copy" and not row.exhibit.of_query]
    relative = fit_logistic(
        FACE_AND_IMAGE + RELATIVE, [row.scores for row in others], [row.forged for row in others]
    )
    copy_bits = _copy_bits(same)
    same_photo = [row for row in same if _bits(row) <= copy_bits]
    altered = fit_logistic(
        SAME_PHOTO, [row.scores for row in same_photo], [row.forged for row in same_photo]
    )
    authentic = [row.scores for row in each if not row.forged]
    mates = [row.scores for row in same if row.exhibit.kind == "authentic"]
    questions: Mapping[Asked, tuple[tuple[str, ...], Sequence[Told]]] = {
        "alone": (CLOSER, without),
        "with_query": ((*CLOSER, *RELATIVE, *BESIDE), _told(others)),
    }
    closer = {
        asked: question
        for asked, (names, known) in questions.items()
        if (question := _closer(names, known)) is not None
    }
    return Rule(
        identity=identity,
        fake_alone=alone,
        fake_with_query=relative,
        fake_same_photo=altered,
        identity_band=_band(
            identity, [(row.scores, row.same_person) for row in rows],
            alpha_low=IDENTITY_ALPHA_LOW, alpha_high=IDENTITY_ALPHA_HIGH,
        ),
        fake_band=_band(
            relative, _told(others),
            alpha_low=FAKE_ALPHA_LOW, alpha_high=FAKE_ALPHA_HIGH,
        ),
        same_photo_band=_band(
            altered, _told(same_photo),
            alpha_low=FAKE_ALPHA_LOW, alpha_high=FAKE_ALPHA_HIGH,
        ),
        copy_bits=copy_bits,
        crowd_prior_odds=CROWD_PRIOR_ODDS,
        references={
            name: Reference.fit(values)
            for names, known in (((*CLOSER, PATCHES), authentic), ((*BESIDE, *SECOND), mates))
            for name in names
            if (values := [it for scores in known if (it := scores.get(name)) is not None])
        },
        closer=closer,
        fitted_on={
            "dataset": "calibration halves of LFW val, forged by tools.forge, and of DFDC val",
            "persons": len({row.query_person for row in rows}),
            "faces": len(each),
            "same_person_comparisons": len(same),
            "same_photo_comparisons": len(same_photo),
            "video_frames": len(frames),
            "prior_odds": "1:1",
        },
    )  # fmt: skip


def _measured(row: Comparison) -> int:
    return sum(value is not None for value in row.scores.values())


def _told(rows: Sequence[Comparison]) -> list[Told]:
    return [(row.scores, row.forged) for row in rows]


def _closer(names: tuple[str, ...], told: Sequence[Told]) -> Question | None:
    """The question with the scores of a closer look; None where no row has all of them."""
    known = [it for it in told if all(it[0].get(name) is not None for name in names)]
    if len({forged for _, forged in known}) < 2:
        return None
    calibrator = fit_logistic(names, [it for it, _ in known], [forged for _, forged in known])
    band = _band(calibrator, known, alpha_low=FAKE_ALPHA_LOW, alpha_high=FAKE_ALPHA_HIGH)
    return Question(calibrator, band)


def _band(
    calibrator: Logistic, told: Sequence[Told], *, alpha_low: float, alpha_high: float
) -> Band:
    known = [(calibrator.probability(scores), label) for scores, label in told]
    false = [p for p, label in known if p is not None and not label]
    true = [p for p, label in known if p is not None and label]
    return Band.fit(false, true, alpha_low=alpha_low, alpha_high=alpha_high)


def _bits(row: Comparison) -> float:
    distance = row.scores["query/face_hash_distance"]
    return 64.0 if distance is None else distance


def _copy_bits(same: Sequence[Comparison]) -> int:
    """Half-way between nearly all copies and nearly no other photo of the same person."""
    copies = [_bits(row) for row in same if row.exhibit.kind == "copy"]
    others = [_bits(row) for row in same if row.exhibit.kind == "authentic"]
    return int((np.quantile(copies, 0.98) + np.quantile(others, 0.005)) / 2)


def main() -> None:
    """Build the casework, measure it with the shipped parts, fit and write `verdict.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for pictures")
    parser.add_argument("--queries", type=int, default=None, help="cap, for a smoke run")
    parser.add_argument("--out", type=Path, default=None, help="default: the shipped verdict.json")
    options = parser.parse_args()
    rows: dict[str, Checkpoint] = dict(PROFILES["pocket"].items())
    pocket = {part: locate(rows[part], Path()) for part in ("faces", "encoder", "heads")}
    out = options.out or folder_of(rows["verdict"], Path()) / "verdict.json"
    encoder = Encoder.load(pocket["encoder"])
    people = halves(portraits(options.data, split="val"))[0]
    exhibits = build(people, options.work, seed=1, queries=options.queries)
    kit = Kit(
        FaceAnalyser(pocket["faces"]), encoder, detectors(pocket["heads"], encoder.sha256),
        [it.load(encoder) for it in shelved([WEIGHTS / FOLDER]) if it.title in (*CLOSER, PATCHES)],
        Embedder.load(SHIPPED), fingerprint=fingerprint("pocket", Path(), parts=("faces",)),
    )  # fmt: skip
    comparisons = measure(
        options.work, exhibits, faces=kit.faces, encoder=encoder, detectors=kit.detectors,
        further=kit.further,
    )  # fmt: skip
    rule = fit(comparisons, kit.video_frames(options.data))
    rule.save(out)
    for name in ("identity_band", "fake_band", "same_photo_band"):
        print(name, getattr(rule, name))
    for asked, question in rule.closer.items():
        weights = dict(zip(question.calibrator.features, question.calibrator.weights, strict=True))
        print(f"closer, {asked}: {question.band} {weights}")
    print(f"copy bits {rule.copy_bits}\nfitted on {dict(rule.fitted_on)}")


if __name__ == "__main__":
    main()
