"""Is the same photograph recognised without false matches?

- `false`: pairs of other photographs. LFW's `val` persons: every pair of photographs of one person,
  and pairs of strangers; web photographs of one athlete and of two. Proven pairs are listed in
  `proven_pairs` for inspection: LFW holds some photographs twice.
- `true`: a photograph and its edit by crop, mirror image, border, watermark, text, screenshot,
  grey, JPEG 30 or x0.3, and by two of these in sequence; by kind, with intervals over photographs.

Thresholds were chosen on LFW's `train` persons. Faces are placed by LFW's labels, or by the
detector on web photographs; in the edited picture no face is known. `--limit` caps the persons.

Does not show: neighbouring frames of one video, which are left out here and may be called the same
photograph; prints photographed at an angle.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from evals.suites.same_photograph.edits import EDIT_PAIRS, EDITS
from tools.errors import SetupError
from tools.faces.alignment import box_from_landmarks
from tools.media.pictures.decoding import read_photo
from tools.metrics import interval, mean
from tools.search.same_photograph.decision import Alignment, align_features
from tools.search.same_photograph.local_features import LocalFeatures, local_features
from tools.training.calibration.benchmark_cases import portraits

FALSE_PAIRS = 20_000
TRUE_PHOTOS = 60
"""Persons of LFW; all web photographs are used."""

PAIRS_EACH = 8
"""Edit pairs per photograph."""

_CACHED = 1500


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """One photograph: its file, its person, and the face's box x1 y1 x2 y2 px if known."""

    path: Path
    person: str
    box: tuple[float, ...] | None

    @property
    def face(self) -> np.ndarray | None:
        """The box (4,)."""
        return None if self.box is None else np.array(self.box, np.float32)


Pair = tuple[FacePhoto, FacePhoto]


def run(options: EvalOptions) -> dict[str, object]:
    """Shares of false and true pairs that were proven to be the same photograph."""
    lfw, web = _lfw(options), _web(options)
    if not lfw and not web:
        raise SetupError(f"{str(options.data)!r} holds neither lfw/ nor photos/")
    rng, samples = np.random.default_rng(options.seed), SampleWriter(options.output)
    features = lru_cache(_CACHED)(lambda path: local_features(read_photo(path).pixels))
    pairs = _false_pairs(lfw, web, rng)
    false = {kind: _false(kind, some, features, options, samples) for kind, some in pairs.items()}
    chosen = [lfw[place] for place in rng.permutation(len(lfw))[:TRUE_PHOTOS]]
    return {
        "false": false,
        "true": {
            name: _true(name, shots, options, samples)
            for name, shots in (("lfw", chosen), ("web", web))
            if shots
        },
    }


# -- other photographs ------------------------------------------------------------------------


def _false_pairs(
    lfw: Sequence[FacePhoto], web: Sequence[FacePhoto], rng: np.random.Generator
) -> Mapping[str, list[Pair]]:
    found = {
        "lfw, one person": _within(lfw), "web, one person": _within(web),
        "web, strangers": [pair for pair in itertools.combinations(web, 2) if not _mates(pair)],
    }  # fmt: skip
    rest = max(0, FALSE_PAIRS - sum(map(len, found.values())))
    drawn = (
        [(lfw[a], lfw[b]) for a, b in rng.integers(0, max(1, len(lfw)), (2 * rest, 2))]
        if lfw
        else []
    )
    found["lfw, strangers"] = [pair for pair in drawn if not _mates(pair)][:rest]
    return {kind: pairs for kind, pairs in found.items() if pairs}


def _within(shots: Sequence[FacePhoto]) -> list[Pair]:
    return [pair for pair in itertools.combinations(shots, 2) if _mates(pair)]


def _mates(pair: Pair) -> bool:
    return pair[0].person == pair[1].person


def _false(
    kind: str,
    pairs: Sequence[Pair],
    features: Callable[[Path], LocalFeatures],
    options: EvalOptions,
    samples: SampleWriter,
) -> dict[str, object]:
    proven = []
    for number, (one, other) in enumerate(pairs):
        if not number % 100:
            options.progress(number, len(pairs), kind)
        found = align_features(
            features(one.path), features(other.path), first_face=one.face, second_face=other.face
        )
        if found.proven:
            proven.append(f"{one.path.name} {other.path.name}")
            samples.query(
                id=proven[-1], group=one.person, kind=kind, values={"inliers": found.inliers}
            )
    # No proof in n pairs: with 95 % confidence fewer than 3 in n (the rule of three).
    return {
        "pairs": len(pairs), "proven": len(proven), "proven_pairs": proven,
        "at_most_95": (len(proven) + 3 + (1.96 * len(proven) ** 0.5)) / len(pairs),
    }  # fmt: skip


# -- the same photograph ----------------------------------------------------------------------


def _true(
    name: str, shots: Sequence[FacePhoto], options: EvalOptions, samples: SampleWriter
) -> dict[str, object]:
    rng = np.random.default_rng(options.seed + 1)
    one: dict[str, list[float]] = {kind: [] for kind in EDITS}
    two: list[float] = []
    by_second: dict[str, list[float]] = {kind: [] for kind in EDITS}
    for number, shot in enumerate(shots):
        options.progress(number, len(shots), f"{name}, edited")
        image = Image.fromarray(read_photo(shot.path).pixels)
        known = local_features(np.asarray(image))
        for kind in EDITS:
            one[kind].append(_proven(known, shot, _edited(image, (kind,), rng)))
        drawn = [EDIT_PAIRS[place] for place in rng.permutation(len(EDIT_PAIRS))[:PAIRS_EACH]]
        got = [_proven(known, shot, _edited(image, kinds, rng)) for kinds in drawn]
        two.append(mean(got))
        for kinds, value in zip(drawn, got, strict=True):
            for kind in kinds:
                by_second[kind].append(value)
        samples.query(id=f"{name}/{shot.path.name}", group=shot.person, values={
            **{kind: one[kind][-1] for kind in EDITS}, "two": two[-1],
        })  # fmt: skip
    return {
        "photos": len(shots),
        **{kind: _share(values, options.seed) for kind, values in one.items()},
        "two of them": _share(two, options.seed),
        "two, by either": {kind: mean(values) for kind, values in by_second.items()},
    }


def _share(values: Sequence[float], seed: int) -> dict[str, object]:
    return {"proven": mean(values), "interval_95": interval(values, seed=seed)}


def _edited(image: Image.Image, kinds: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    for kind in kinds:
        image = EDITS[kind](image, rng)
    return np.asarray(image)


def _proven(known: LocalFeatures, shot: FacePhoto, edited: np.ndarray) -> float:
    found: Alignment = align_features(known, local_features(edited), first_face=shot.face)
    return float(found.proven)


# -- which photographs ------------------------------------------------------------------------


def _lfw(options: EvalOptions) -> list[FacePhoto]:
    if not (options.data / "lfw" / "labels.npz").is_file():
        return []
    people = list(portraits(options.data, split="val").items())[: options.limit]
    return [
        FacePhoto(it.path, name, tuple(map(float, box_from_landmarks(it.landmarks))))
        for name, shots in people
        for it in shots
    ]


def _web(options: EvalOptions) -> list[FacePhoto]:
    folders = sorted((options.data / "photos").glob("*/"))[: options.limit]
    return [shot for folder in folders for shot in _athlete(folder, LoadedModels(Settings.load()))]


def _athlete(folder: Path, parts: LoadedModels) -> Iterator[FacePhoto]:
    for path in sorted(folder.iterdir()):
        (faces,) = parts.faces.analyse([read_photo(path).pixels])
        largest = max(faces, key=lambda it: it.quality.width_px, default=None)
        yield FacePhoto(
            path, folder.name, None if largest is None else tuple(map(float, largest.box))
        )
