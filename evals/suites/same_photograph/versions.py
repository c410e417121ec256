"""Are face swaps proven by the photograph that they were made from, if it is in the collection?

Searches are those of the application (`tools.search.reranking.other_version`): hashes choose
candidates, the nearest are aligned. The collection is LFW's `val` photographs, the web photographs,
and the originals of all swaps.

- `found`: swaps whose own original is proven, by kind: swaps by published tools
  (`deepfakes/swaps.csv`), our forge's on LFW persons on whom nothing was fitted, as they are and
  after one edit of each kind, and DFDC's 224 px crops of the same half, which show little but the
  face. Only swaps whose person is not ruled out are searched, as in the application. Intervals are
  over originals. `altered` counts what the rule says of the swap, and `original accused` how often
  it would accuse the original if that were the hit.
- `false`: pairs of different photographs of one person or of two, each aligned without any choice
  of candidates unless their faces are alike, and proven ones by name.
- `same face`: the photograph before and after two harmless edits.
- `covered`: the photograph with its face hidden.
- `same background`: another person before the same background.

`--limit` caps the persons and crops of each kind, and the false pairs at 50 times as many.

Does not show: original and swap of other crops than those made here; frames of fixed cameras.
"""

import csv
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from evals.suites.same_photograph.edits import EDITS as REPOSTS
from evals.suites.same_photograph.negatives import COVERINGS, another_person
from tools.errors import SetupError, ToolError
from tools.forge.forgery import forge
from tools.gallery.records import FaceRecord, ImageRecord
from tools.media.pictures.decoding import read_photo
from tools.metrics import grouped_interval, mean
from tools.search.checking.unsaved import UnsavedPictures
from tools.search.query import QueryFace, build_query
from tools.search.reranking.other_version import VersionFinder, VersionResult
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.rerank_input import RerankInput
from tools.search.same_photograph.local_features import LocalFeatures, local_features
from tools.search.same_photograph.other_face import is_other_face, other_face
from tools.search.scoring import score_faces, to_columns
from tools.training.calibration.benchmark_cases import LabelledPortrait, portraits, split_persons
from tools.training.calibration.detector_pictures import dfdc_files
from tools.training.data.harmless_edits import EDITS
from tools.verdict.rule import LEAD, OTHER_VERSION

FALSE_PAIRS = 20_000
PAIRS_PER_LIMIT = 50
PERSONS, BODIES, CROPS, COVERED = 40, 24, 150, 40


@dataclass(frozen=True, slots=True)
class Swap:
    """A face swap, the photograph it was made from, a photo of the person shown, and its kind."""

    fake: Path
    original: Path
    person: Path
    kind: str


def run(options: EvalOptions) -> dict[str, object]:
    """Shares of swaps proven, and counts of what must not be."""
    samples, models = SampleWriter(options.output), LoadedModels(Settings.load())
    if models.rule is None:
        raise SetupError("this profile has no verdict rule: choose another profile")
    with tempfile.TemporaryDirectory() as folder:
        swaps = list(_swaps(options, Path(folder)))
        if not swaps:
            raise SetupError(f"{str(options.data)!r} holds neither deepfakes/, lfw/ nor dfdc/")
        shots = _shots(options)
        collection = _Collection(models)
        others = [*(it.path for it in shots), *_web(options)]
        files = list(dict.fromkeys([*(it.original for it in swaps), *others]))
        for number, path in enumerate(files):
            options.progress(number, len(files), "measuring the collection")
            collection.add(path)
        return {
            "pictures": len(files),
            "found": _found(swaps, collection, options, samples),
            "false": _false(shots, _web(options), collection, options),
            **_negatives(shots, collection, options),
        }


# -- pictures -----------------------------------------------------------------------------------


class _Collection:
    """Measured pictures by file, and searches among them."""

    def __init__(self, models: LoadedModels) -> None:
        self.models = models
        self.pictures = UnsavedPictures(models)
        self._ids: dict[Path, str | None] = {}
        self._features: dict[Path, LocalFeatures] = {}

    def add(self, path: Path) -> None:
        """Measure a picture once; an unreadable one has no faces."""
        if path in self._ids:
            return
        try:
            self._ids[path] = self.pictures.add(path)
        except ToolError:
            self._ids[path] = None

    def face(self, path: Path) -> FaceRecord | None:
        """The largest face of an added picture."""
        image_id = self._ids[path]
        faces = [] if image_id is None else self.pictures.faces_of(image_id)
        return max(faces, key=lambda it: float(it.face.box[2] - it.face.box[0]), default=None)

    def features(self, path: Path) -> LocalFeatures:
        """Its local features, computed once."""
        if path not in self._features:
            self._features[path] = local_features(read_photo(path).pixels)
        return self._features[path]

    def measured(self, pixels: np.ndarray) -> FaceRecord | None:
        """The largest face of a picture that is not added."""
        alone = _Collection(self.models)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            Image.fromarray(pixels).save(path)
            alone.add(path)
            return alone.face(path)


class _WithHits:
    """A collection (`PictureSource`) in which the hits can be looked up, but are not found."""

    def __init__(self, collection: UnsavedPictures, hits: UnsavedPictures) -> None:
        self.paths_of, self.frames_of = collection.paths_of, collection.frames_of
        self.faces_of, self.layouts = collection.faces_of, collection.layouts
        self.holds = collection.holds
        self._both = collection, hits

    def image(self, image_id: str) -> ImageRecord:
        """A picture of either."""
        collection, hits = self._both
        return (collection if image_id in collection.faces else hits).image(image_id)

    def images(self, ids: Iterable[str]) -> Mapping[str, ImageRecord]:
        """Pictures of either, by id."""
        return {image_id: self.image(image_id) for image_id in ids}


def _swaps(options: EvalOptions, folder: Path) -> Iterator[Swap]:
    yield from _published(options.data / "deepfakes")
    yield from _forged(options, folder)
    if (options.data / "dfdc" / "pairs.csv").is_file():
        root = options.data / "dfdc"
        for fake, real in dfdc_files(options.data, "report")[: options.limit or CROPS]:
            yield Swap(root / fake, root / real, root / fake, "DFDC crops, 224 px")


def _published(root: Path) -> Iterator[Swap]:
    if (root / "swaps.csv").is_file():
        with (root / "swaps.csv").open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                yield Swap(
                    root / row["fake"],
                    root / row["authentic_target"],
                    root / row["authentic_source"],
                    "published tools",
                )


def _forged(options: EvalOptions, folder: Path) -> Iterator[Swap]:
    """Swaps by our forge onto the best fitting of some bodies, whole and reposted."""
    shots, rng = _shots(options), np.random.default_rng(options.seed)
    for number, shot in enumerate(shots[: options.limit or PERSONS]):
        drawn = [shots[int(it)] for it in rng.choice(len(shots), min(BODIES, len(shots)))]
        bodies = [it for it in drawn if it.person != shot.person]
        if not bodies:
            continue
        body = min(bodies, key=lambda it: _misfit(it, shot))
        try:
            made = forge(
                body.pixels(), body.landmarks, family="face_swap", rng=rng,
                source_pixels=shot.pixels(), source_landmarks=shot.landmarks,
            )  # fmt: skip
        except ToolError:
            continue  # this face does not fit this body
        whole = Image.fromarray(made.pixels)
        for kind, edit in {"": lambda image, _: image, **REPOSTS}.items():
            path = folder / f"{number}-{kind}.png"
            edit(whole, rng).save(path)
            yield Swap(path, body.path, shot.path, f"our forge, {kind}" if kind else "our forge")


def _misfit(body: LabelledPortrait, source: LabelledPortrait) -> float:
    """How differently two faces are turned."""
    first, second = (
        (it.landmarks - it.landmarks.mean(axis=0)) / it.landmarks.std() for it in (body, source)
    )
    return float(np.abs(first - second).mean())


def _shots(options: EvalOptions) -> list[LabelledPortrait]:
    """Photographs of the persons on whom nothing was fitted, one person after the other."""
    if not (options.data / "lfw" / "labels.npz").is_file():
        return []
    people = split_persons(portraits(options.data, split="val"))[1]
    return [shot for shots in itertools.zip_longest(*people.values()) for shot in shots if shot]


def _web(options: EvalOptions) -> list[Path]:
    return sorted((options.data / "photos").glob("*/*.jpg"))


# -- swaps --------------------------------------------------------------------------------------


def _found(
    swaps: Sequence[Swap], collection: _Collection, options: EvalOptions, samples: SampleWriter
) -> dict[str, object]:
    hits = _Collection(collection.models)
    finder = VersionFinder(
        _WithHits(collection.pictures, hits.pictures),
        lambda image_id: read_photo(collection.pictures.paths_of(image_id)[0]).pixels,
        rule=collection.models.rule,
    )
    kinds: dict[str, list[tuple[str, VersionResult | None, bool]]] = {}
    for number, swap in enumerate(swaps):
        options.progress(number, len(swaps), "swaps")
        result, right = _search(swap, collection, hits, finder)
        kinds.setdefault(swap.kind, []).append((swap.original.name, result, right))
        samples.query(
            id=f"{swap.kind}/{swap.fake.name}", group=swap.original.name, kind=swap.kind,
            values={"searched": result is not None, "found": right},
        )  # fmt: skip
    return {kind: _figures(rows, collection, options.seed) for kind, rows in kinds.items()}


def _search(
    swap: Swap, collection: _Collection, hits: _Collection, finder: VersionFinder
) -> tuple[VersionResult | None, bool]:
    """What a search for the person says of the swap, and whether it names the right original.

    None if it is no hit: no face is found, or its person is ruled out.
    """
    models = collection.models
    for path in (swap.fake, swap.person):
        hits.add(path)
    face, person = hits.face(swap.fake), hits.face(swap.person)
    if face is None or person is None or person.features is None or person.face_hash is None:
        return None, False
    query = build_query(
        [QueryFace("", swap.person, "", False, person.face, person.features, person.face_hash)]
    )
    (scores,) = score_faces(query, to_columns(hits.pictures, [face]), detectors=models.detectors)
    pixels = read_photo(swap.fake).pixels
    look = RerankInput(pixels, face.face, scores, query, (), models)
    result = finder.find(replace(look, scores={**scores, **picture_scores([look])[0]}), face)
    if result.scores[OTHER_VERSION] is None:
        return None, False
    original = collection.face(swap.original)
    named = result.version and original and result.version.face.image_id == original.image_id
    return result, bool(named)


def _figures(
    rows: Sequence[tuple[str, VersionResult | None, bool]], collection: _Collection, seed: int
) -> dict[str, object]:
    searched = [(name, result, right) for name, result, right in rows if result is not None]
    right = np.array([it[2] for it in searched], float)
    originals = np.array([it[0] for it in searched])
    leads = [
        value
        for _, result, named in searched
        if named and (value := result.scores[LEAD]) is not None
    ]
    return {
        "swaps": len(rows),
        "searched": len(searched),
        "originals": len(set(originals.tolist())),
        "found": mean(right.tolist()),
        "interval_95": grouped_interval(np.mean, originals, right, seed=seed) if len(right) else (),
        "another named": sum(
            result.version is not None and not named for _, result, named in searched
        ),
        "altered": _places(leads, collection),
        "original accused": _places([-it for it in leads], collection)["this one"],
        "lead above 0": mean([float(it > 0) for it in leads]),
    }


def _places(leads: Sequence[float], collection: _Collection) -> dict[str, int]:
    """How often the rule says that this version, either or the other one was altered."""
    rule = collection.models.rule
    known = Counter(
        "open" if rule is None else rule.place("one_of_two", {LEAD: it}) for it in leads
    )
    return {"this one": known["high"], "open": known["within"], "the other": known["low"]}


# -- what must not be proven ---------------------------------------------------------------------


def _false(
    shots: Sequence[LabelledPortrait],
    web: Sequence[Path],
    collection: _Collection,
    options: EvalOptions,
) -> dict[str, object]:
    """Pairs of different photographs, of one person and of two."""
    people = [(it.path, it.person) for it in shots] + [(it, it.parent.name) for it in web]
    known = [(path, who) for path, who in people if collection.face(path) is not None]
    rng = np.random.default_rng(options.seed)
    most = FALSE_PAIRS if options.limit is None else PAIRS_PER_LIMIT * options.limit
    mates = [
        (one, two) for (one, a), (two, b) in itertools.combinations(known, 2) if a == b
    ][:most]  # fmt: skip
    drawn = rng.integers(0, max(1, len(known)), (2 * most if known else 0, 2))
    strangers = [
        (known[a][0], known[b][0]) for a, b in drawn if known[a][1] != known[b][1]
    ][: max(0, most - len(mates))]  # fmt: skip
    return {
        kind: _aligned(kind, pairs, collection, options)
        for kind, pairs in (("one person", mates), ("strangers", strangers))
    }


def _aligned(
    kind: str,
    pairs: Sequence[tuple[Path, Path]],
    collection: _Collection,
    options: EvalOptions,
) -> dict[str, object]:
    proven, aligned = [], 0
    for number, (one, other) in enumerate(pairs):
        if not number % 100:
            options.progress(number, len(pairs), kind)
        ours, theirs = collection.face(one), collection.face(other)
        if ours is None or theirs is None or not is_other_face(ours.face, theirs.face):
            continue
        aligned += 1
        if other_face(collection.features(one), ours.face, collection.features(other), [theirs]):
            proven.append(f"{one.name} {other.name}")
    # No proof in n pairs: with 95 % confidence fewer than 3 in n (the rule of three).
    most = (len(proven) + 3 + 1.96 * len(proven) ** 0.5) / max(1, len(pairs))
    return {
        "pairs": len(pairs), "aligned": aligned, "proven": len(proven), "proven_pairs": proven,
        "at_most_95": most,
    }  # fmt: skip


def _negatives(
    shots: Sequence[LabelledPortrait], collection: _Collection, options: EvalOptions
) -> dict[str, object]:
    """Harmless edits, covered faces and another person before the same background."""
    rng, chosen = np.random.default_rng(options.seed + 1), shots[: options.limit or COVERED]
    same, covered, background = Counter[str](), Counter[str](), 0
    names = list(EDITS)
    for number, shot in enumerate(chosen):
        options.progress(number, len(chosen), "same face, covered face, same background")
        pixels, known = shot.pixels(), collection.measured(shot.pixels())
        if known is None:
            continue
        proves = _prover(pixels, known, collection)
        for name in names:
            again = EDITS[names[int(rng.integers(len(names)))]]
            same[name] += proves(again(EDITS[name](pixels, rng), rng))
        for name, cover in COVERINGS.items():
            covered[name] += proves(cover(pixels, shot.landmarks))
        other = shots[int(rng.integers(len(shots)))]
        if other.person != shot.person:
            made = another_person(pixels, shot.landmarks, other.pixels(), other.landmarks)
            background += proves(made)
    return {
        "same face": {"pairs": len(chosen) * len(names), "proven": dict(+same)},
        "covered": {"pairs of each kind": len(chosen), "proven": dict(covered)},
        "same background": {"pairs": len(chosen), "proven": background},
    }


def _prover(
    pixels: np.ndarray, record: FaceRecord, collection: _Collection
) -> Callable[[np.ndarray], bool]:
    known = local_features(pixels)

    def proves(other: np.ndarray) -> bool:
        face = collection.measured(other)
        if face is None or not is_other_face(record.face, face.face):
            return False
        return other_face(known, record.face, local_features(other), [face]) is not None

    return proves
