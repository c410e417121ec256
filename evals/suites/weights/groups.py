"""Do error rates differ between groups of people?

Data: UTKFace's `val` pictures, labelled with age, sex and ethnicity by their file names, from a
bare clone of a public repository (`--copies DIR`); at most 100 of each combination of sex and
ethnicity (`--limit N`), in a fixed random order. `train` pictures teach the embedder, `sealed` ones
stay unused. Every picture's largest face, if its quality is sufficient, with the parts in use:

- `false_matches`: share of the pairs of different pictures within a group whose similarity the
  rule's band for two faces calls the same person. UTKFace names no persons, so every pair counts as
  two strangers; near-duplicates (a hash that differs in at most 10 of 64 bits) are left out.
  Intervals: bootstrap over pictures; without any match (or only matches), those of half as many
  independent pairs as pictures.
- `false_alarms`: share of the photographs that the rule places above the forgery band, without a
  query. `inconclusive`: share within the band. Intervals: Wilson.

All intervals are 95 %. `differences` names the measures for which two groups of one kind have
intervals that do not touch. Does not show: the stages of the rule that read pixels again
(reranking, a pretrained tower), errors on photographs from elsewhere or of whole scenes, missed
persons or missed forgeries, nor effects of age, sex and ethnicity apart from each other. A person
in several pictures raises the false matches of a group. The labels were estimated by a program and
checked by people.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import load_models
from evals.suites.weights.faces import wilson
from tools.detectors.catalogue import MetricRecord, group_differences
from tools.errors import SetupError, ToolError
from tools.gallery.indexing.analysis import analyse_photo
from tools.gallery.records import AnalysedFace, AnalysedImage
from tools.media.pictures.decoding import decode_photo
from tools.media.pictures.perceptual_hash import hash_distance
from tools.metrics.resampling import resamples
from tools.search.scoring import FaceColumns, detector_scores
from tools.training.data.face_sources import PUBLISHED, Entry
from tools.verdict.rule import VerdictRule

PER_CELL = 100
DUPLICATE_BITS = 10
ROUNDS = 1000
COMMAND = "python -m evals run groups"
SOURCE = next(it for it in PUBLISHED if it.name == "utkface")

_LABELS = re.compile(r"crop_part1/(?P<age>\d+)_(?P<sex>[01])_(?P<ethnicity>[0-4])_[^/]*\.jpg")
_SEXES = ("male", "female")
_ETHNICITIES = ("white", "black", "asian", "indian", "other")
_AGES = ((18, "under_18"), (40, "18_to_39"), (65, "40_to_64"), (1000, "65_and_over"))

Groups = Mapping[str, str]
"""The group of a person by kind: age, sex, ethnicity."""

Rates = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""The fields of each `Rate` by measure, kind and group."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFace:
    """The largest face of a labelled picture, and the picture's measurements."""

    groups: Groups
    image: AnalysedImage
    face: AnalysedFace


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval; `count` pictures, or pairs of pictures."""

    value: float
    interval: tuple[float, float]
    count: int


def run(options: EvalOptions) -> dict[str, object]:
    """Measure false matches, false alarms and inconclusive shares by group."""
    models, rule = load_models(), load_models().rule
    if rule is None:
        raise SetupError("this profile has no fitted rule: use `--profile pocket`")
    entries = chosen(options.copies or options.data, options)
    faces = list(_measured(entries, options))
    usable = [it for it in faces if it.face.face.quality.usable and it.face.features is not None]
    if len(usable) < 2:
        raise SetupError("fewer than two usable faces: pass --copies DIR, or a larger --limit")
    rates = _nested(_rates(usable, rule, seed=options.seed))
    rows = list(records(rates, checkpoint=models.judged_by, date=""))
    return {
        "judged_by": models.judged_by,
        "pictures": len(entries),
        "faces": len(faces),
        "usable": len(usable),
        "differences": "; ".join(group_differences(rows)) or "none",
        "by_group": rates,
    }


def records(by_group: Rates, *, checkpoint: str, date: str) -> Iterator[MetricRecord]:
    """The rates as the catalogue's records; `checkpoint` identifies all parts that decided."""
    for measure, kinds in by_group.items():
        for kind, groups in kinds.items():
            for group, it in groups.items():
                low, high = it["interval"]
                yield MetricRecord(
                    "verdict rule", checkpoint, f"UTKFace/{kind}/{group}", "val pictures",
                    measure.replace("_", " "), round(it["value"], 5),
                    (round(low, 5), round(high, 5)), it["count"], 0, COMMAND, date,
                )  # fmt: skip


def groups_of(path: str) -> Groups | None:
    """The groups in a file's name; None if it has no complete labels."""
    found = _LABELS.fullmatch(path)
    if found is None:
        return None
    age = int(found["age"])
    return {
        "age": next(name for below, name in _AGES if age < below),
        "sex": _SEXES[int(found["sex"])],
        "ethnicity": _ETHNICITIES[int(found["ethnicity"])],
    }


def chosen(copies: Path, options: EvalOptions) -> list[tuple[Entry, Groups]]:
    """The pictures to measure: at most `limit` of each sex and ethnicity, in a random order."""
    try:
        known = [it for it in SOURCE.choose(SOURCE.copy(copies), frozenset()) if it.split == "val"]
    except SetupError as error:
        raise SetupError(f"{error}; pass --copies DIR, see tools/training/data") from error
    labelled = [(it, groups) for it in known if (groups := groups_of(it.path)) is not None]
    cells, some = Counter[tuple[str, str]](), []
    for at in np.random.default_rng(0).permutation(len(labelled)).tolist():
        cell = labelled[at][1]["sex"], labelled[at][1]["ethnicity"]
        cells[cell] += 1
        if cells[cell] <= (options.limit or PER_CELL):
            some.append(labelled[at])
    return some


def _measured(
    entries: Sequence[tuple[Entry, Groups]], options: EvalOptions
) -> Iterator[LabelledFace]:
    models = load_models()
    copy = SOURCE.copy(options.copies or options.data)
    blobs = copy.blobs([entry.path for entry, _ in entries])
    for number, ((_, groups), blob) in enumerate(zip(entries, blobs, strict=True), start=1):
        options.progress(number, len(entries), "faces")
        try:
            image = analyse_photo(
                decode_photo(blob or b""), len(blob or b""),
                faces=models.faces, encoder=models.encoder,
            )  # fmt: skip
        except ToolError:
            continue
        if image.faces:
            widest = max(image.faces, key=lambda it: it.face.quality.width_px)
            yield LabelledFace(groups, image, widest)


def _rates(
    faces: Sequence[LabelledFace], rule: VerdictRule, *, seed: int
) -> dict[tuple[str, str, str], Rate]:
    """Rates by measure, kind of group and group; kind "all" has one group, "all"."""
    kinds = {
        "all": ["all"] * len(faces),
        **{kind: [it.groups[kind] for it in faces] for kind in ("age", "sex", "ethnicity")},
    }
    matches, valid = _pairs(faces, rule)
    places = np.array([_place(scores, rule) for scores in _scores(faces)])
    found: dict[tuple[str, str, str], Rate] = {}
    for kind, names in kinds.items():
        for group in sorted(set(names)):
            rows = np.flatnonzero(np.array(names) == group)
            inside = np.ix_(rows, rows)
            pairs = pair_rate(matches[inside], valid[inside], seed=seed)
            if pairs is not None:
                found["false_matches", kind, group] = pairs
            known = [it for it in places[rows] if it]
            for measure, place in (("false_alarms", "high"), ("inconclusive", "within")):
                if known:
                    hits = sum(it == place for it in known)
                    rate = Rate(hits / len(known), wilson(hits, len(known)), len(known))
                    found[measure, kind, group] = rate
    return found


def pair_rate(matches: np.ndarray, valid: np.ndarray, *, seed: int) -> Rate | None:
    """Share of matches (n, n) among the valid pairs (n, n), both symmetric; None without pairs."""
    matches, valid = np.triu(matches & valid, 1), np.triu(valid, 1)
    pairs, hits = int(valid.sum()), int(matches.sum())
    if not pairs:
        return None
    if hits in (0, pairs):
        independent = len(valid) // 2
        interval = wilson(hits * independent // pairs, independent)
        return Rate(hits / pairs, interval, pairs)
    one, other = matches.astype(float), valid.astype(float)
    drawn = []
    for weights in resamples(np.arange(len(valid)), seed=seed, rounds=ROUNDS):
        total = float(weights @ other @ weights)
        if total:
            drawn.append(float(weights @ one @ weights) / total)
    edges = np.quantile(drawn, [0.025, 0.975])
    return Rate(hits / pairs, (float(edges[0]), float(edges[1])), pairs)


def _pairs(faces: Sequence[LabelledFace], rule: VerdictRule) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs match, and which are of clearly different pictures: (n, n) bool each."""
    vectors = np.stack([it.face.face.embedding for it in faces])
    cosines = np.asarray(vectors @ vectors.T, np.float64)
    ordered = np.unique(cosines)
    first = bisect_left(
        ordered, True, key=lambda it: rule.identity_place({"cosine_similarity": it}) == "high"
    )
    lowest = ordered[first] if first < len(ordered) else np.inf
    valid = np.array([[not _duplicates(one, other) for other in faces] for one in faces])
    return cosines >= lowest, valid


def _duplicates(one: LabelledFace, other: LabelledFace) -> bool:
    whole = hash_distance(one.image.perceptual_hash, other.image.perceptual_hash)
    faces = one.face.face_hash, other.face.face_hash
    close = None not in faces and hash_distance(faces[0] or 0, faces[1] or 0) <= DUPLICATE_BITS
    return whole <= DUPLICATE_BITS or close


def _scores(faces: Sequence[LabelledFace]) -> Iterator[dict[str, float | None]]:
    columns = FaceColumns(
        embeddings=np.stack([it.face.face.embedding for it in faces]),
        face_features=np.stack([_known(it.face.features) for it in faces]),
        image_features=np.stack([_known(it.image.features) for it in faces]),
        face_hashes=[it.face.face_hash for it in faces],
        interocular_px=[it.face.face.quality.interocular_px for it in faces],
        unmask_marks=[False] * len(faces),
    )
    scores = detector_scores(columns, detectors=load_models().detectors)
    for row in range(len(faces)):
        yield {name: float(column[row]) for name, column in scores.items()}


def _known(features: np.ndarray | None) -> np.ndarray:
    if features is None:
        raise ValueError("features of a usable face were not measured")
    return features


def _place(scores: Mapping[str, float | None], rule: VerdictRule) -> str:
    """The place of a face relative to the forgery band; empty if not measured."""
    return rule.assess_without_query(scores)[1] or ""


def _nested(rates: Mapping[tuple[str, str, str], Rate]) -> dict[str, dict[str, dict[str, Any]]]:
    nested: dict[str, dict[str, dict[str, Any]]] = {}
    for (measure, kind, group), rate in rates.items():
        nested.setdefault(measure, {}).setdefault(kind, {})[group] = asdict(rate)
    return nested
