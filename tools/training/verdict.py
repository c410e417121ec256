"""Fit the verdict rule: calibrators, fusion, bands and the copy threshold.

    python -m tools.training.verdict --data ../shared/data --work DIR

Uses one half of the validation persons, whom no other part was trained on; the other half is
what `python -m evals run impersonation` reports on. All probabilities are for prior odds of one
to one, so that they say what the evidence adds, not how full of forgeries a collection is.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tools.calibration import Band, Logistic, Reference
from tools.checkpoint_table import Checkpoint
from tools.checkpoints import PROFILES, folder_of, locate
from tools.detectors import detectors
from tools.encoder import Encoder
from tools.faces import FaceAnalyser
from tools.training.casework import Comparison, build, halves, measure, portraits
from tools.verdict import Rule

FACE_AND_IMAGE = (
    "face/unifd_linear",
    "face/unifd_neighbours",
    "image/unifd_linear",
    "image/unifd_neighbours",
)
RELATIVE = ("query/face_linear_difference", "query/face_feature_cosine")
# The original at hand: what differs from it counts, not what the photo looks like by itself. Not
# the hash's distance: a crop or another size moves the aligned face, and with it the hash, as far
# as many a forgery does.
SAME_PHOTO = RELATIVE

# What an error costs decides the edges: an investigator who is told "impersonation" acts on it,
# so authentic photos rarely may get there; a forgery that falls into the band is still looked at.
IDENTITY_ALPHA_HIGH, IDENTITY_ALPHA_LOW = 0.01, 0.05
FAKE_ALPHA_HIGH, FAKE_ALPHA_LOW = 0.03, 0.10

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
        [[np.nan if row[name] is None else row[name] for name in features] for row in rows], float
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


def fit(rows: Sequence[Comparison]) -> Rule:
    """The rule fitted on comparisons with known answers."""
    rows = [row for row in rows if row.usable]
    same = [row for row in rows if row.same_person]
    each = list({row.exhibit.file: row for row in rows}.values())
    identity = fit_logistic(
        ("cosine_similarity",), [row.scores for row in rows], [row.same_person for row in rows]
    )
    alone = fit_logistic(FACE_AND_IMAGE, [row.scores for row in each], [r.forged for r in each])
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
    return Rule(
        identity=identity,
        fake_alone=alone,
        fake_with_query=relative,
        fake_same_photo=altered,
        identity_band=_band(
            identity, rows, [row.same_person for row in rows],
            alpha_low=IDENTITY_ALPHA_LOW, alpha_high=IDENTITY_ALPHA_HIGH,
        ),
        fake_band=_band(
            relative, others, [row.forged for row in others],
            alpha_low=FAKE_ALPHA_LOW, alpha_high=FAKE_ALPHA_HIGH,
        ),
        same_photo_band=_band(
            altered, same_photo, [row.forged for row in same_photo],
            alpha_low=FAKE_ALPHA_LOW, alpha_high=FAKE_ALPHA_HIGH,
        ),
        copy_bits=copy_bits,
        crowd_prior_odds=CROWD_PRIOR_ODDS,
        references={
            name: Reference.fit([s[name] for s in authentic if s[name] is not None])  # type: ignore[misc]
            for name in FACE_AND_IMAGE
        },
        fitted_on={
            "dataset": "LFW val, calibration half, forged by tools.forge",
            "persons": len({row.query_person for row in rows}),
            "faces": len(each),
            "same_person_comparisons": len(same),
            "same_photo_comparisons": len(same_photo),
            "prior_odds": "1:1",
        },
    )  # fmt: skip


def _band(
    calibrator: Logistic, rows: Sequence[Comparison], labels: Sequence[bool], *,
    alpha_low: float, alpha_high: float,
) -> Band:  # fmt: skip
    known = [(calibrator.probability(r.scores), lab) for r, lab in zip(rows, labels, strict=True)]
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
    comparisons = measure(
        options.work, exhibits, faces=FaceAnalyser(pocket["faces"]), encoder=encoder,
        detectors=detectors(pocket["heads"], encoder.sha256),
    )  # fmt: skip
    rule = fit(comparisons)
    rule.save(out)
    for name in ("identity_band", "fake_band", "same_photo_band"):
        print(name, getattr(rule, name))
    print(f"copy bits {rule.copy_bits}\nfitted on {dict(rule.fitted_on)}")


if __name__ == "__main__":
    main()
