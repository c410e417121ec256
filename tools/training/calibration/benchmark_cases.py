"""Benchmark cases: a collection of labelled files made from LFW photographs.

For every query person X this writes one query photo (never in the gallery). The gallery gets
authentic photos of X, forgeries that depict X (swaps of X's face onto others, edits of X's photos
and of the query photo), forgeries that depict others on X's body, re-uploads of the query photo,
and bystanders. Every file is encoded once with a quality drawn from one distribution, so that
neither compression history nor metadata reveals the class.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from PIL import Image

from tools.detectors import FeatureDetector
from tools.encoder.clip import Encoder
from tools.errors import ToolError
from tools.faces.alignment import estimate_similarity_transform, transform_points
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import FAMILIES, HELD_OUT_FAMILIES, SWAPS, Forgery, forge
from tools.forge.masks import eye_distance
from tools.gallery.indexing.job import index_folders
from tools.gallery.record_store import Gallery
from tools.gallery.records import FaceRecord
from tools.gallery.vector_index import FaceIndex
from tools.media.pictures.decoding import read_photo
from tools.search.query import NoFace, Query, SeveralFaces
from tools.search.query_files import query_from_files
from tools.search.scoring import score_faces, to_columns
from tools.training.data.forgery_pool import HELD_OUT_FAMILY
from tools.training.data.harmless_edits import EDITS

LOCAL_EDITS = (*(family for family in FAMILIES if family not in SWAPS), "region_swap")
"""Families that edit a photo of X and still depict X."""

LEFT_OUT = (HELD_OUT_FAMILY, *HELD_OUT_FAMILIES)
"""Families excluded from the training of all shipped models; they stand in for unseen tools."""

_EDITS_OF_QUERY, _EDITS_OF_MATES, _LEFT_OUT_EACH = 5, 3, 2
_CENTRE_PX = 109
"""The central crop of LFW's photographs as published, 218 px wide and high."""

_BODIES_TRIED = 24

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class LabelledPortrait:
    """A labelled photograph: one row of `lfw/labels.npz`."""

    path: Path
    person: str
    landmarks: np.ndarray

    def pixels(self) -> np.ndarray:
        """(h, w, 3) uint8 RGB."""
        return np.asarray(Image.open(self.path).convert("RGB"))


@dataclass(frozen=True, slots=True)
class BenchmarkFile:
    """One benchmark file: what it shows and how it was made.

    `kind`: query, authentic, forgery, copy or bystander. `depicted` is the person whose face it
    shows, `body` the person whose body it shows; `family` is the forgery family or the copy method;
    `of_query` is true for a forgery made from the query photo.
    """

    file: str
    kind: str
    depicted: str
    body: str
    family: str
    of_query: bool = False


def portraits(data: Path, *, split: str) -> dict[str, list[LabelledPortrait]]:
    """LFW photographs of one split by person; persons and photos in a fixed order."""
    with np.load(data / "lfw" / "labels.npz") as labels:
        # Each access to the archive unpacks a whole column: read it once.
        splits, paths, landmarks = (labels[name] for name in ("split", "path", "landmarks68"))
    people: dict[str, list[LabelledPortrait]] = defaultdict(list)
    for index in np.flatnonzero(splits == split):
        path = data / "lfw" / "images" / str(paths[index])
        person = path.parent.name
        people[person].append(LabelledPortrait(path, person, landmarks[index].astype(np.float32)))
    return dict(sorted(people.items()))


def split_persons(
    people: dict[str, list[LabelledPortrait]],
) -> tuple[dict[str, list[LabelledPortrait]], dict[str, list[LabelledPortrait]]]:
    """Two person-disjoint halves: one to fit a calibration, one to report figures."""
    names = sorted(people)
    order = np.random.default_rng(20).permutation(len(names))
    first = {names[index] for index in order[: len(names) // 2]}
    return (
        {name: shots for name, shots in people.items() if name in first},
        {name: shots for name, shots in people.items() if name not in first},
    )


def build_benchmark(people: dict[str, list[LabelledPortrait]], folder: Path, *, seed: int,
          queries: int | None = None) -> list[BenchmarkFile]:  # fmt: skip
    """Write `folder/query` and `folder/gallery`; return a description of every file.

    `queries` caps the number of query persons (None: all persons with two or more photos). The
    labels are also written to `folder/exhibits.json`, outside both folders.
    """
    rng = np.random.default_rng(seed)
    (folder / "query").mkdir(parents=True, exist_ok=True)
    (folder / "gallery").mkdir(exist_ok=True)
    asked = [name for name, shots in people.items() if len(shots) >= 2][:queries]
    everyone = [shot for shots in people.values() for shot in shots]
    exhibits: list[BenchmarkFile] = []
    for name in asked:
        exhibits += _person(name, people[name], everyone, folder, rng)
    for name, shots in people.items():
        if name not in asked:
            exhibits.append(_write_photo(shots[0], "bystander", folder, rng))
    rows = [asdict(exhibit) for exhibit in exhibits]
    (folder / "exhibits.json").write_text(json.dumps(rows, indent=1))
    return exhibits


def build_calibration_files(people: dict[str, list[LabelledPortrait]], folder: Path, *, seed: int,
                  queries: int | None = None) -> list[BenchmarkFile]:  # fmt: skip
    """Add the extra calibration files to `folder/gallery` and return their descriptions.

    These are harmless edits of the query photo and of other authentic photos of the person, and
    forgeries by families excluded from all training.
    """
    rng = np.random.default_rng(seed)
    asked = [name for name, shots in people.items() if len(shots) >= 2][:queries]
    everyone = [shot for shots in people.values() for shot in shots]
    exhibits: list[BenchmarkFile] = []
    for name in asked:
        exhibits += _edited(people[name], folder, rng)
        exhibits += _left_out(people[name], everyone, folder, rng)
    (folder / "further.json").write_text(json.dumps([asdict(it) for it in exhibits], indent=1))
    return exhibits


def _edited(
    shots: Sequence[LabelledPortrait], folder: Path, rng: np.random.Generator
) -> Iterator[BenchmarkFile]:
    query, mates = shots[0], shots[1:5]
    names = rng.permutation(list(EDITS))[: _EDITS_OF_QUERY + _EDITS_OF_MATES].tolist()
    for number, edit in enumerate(names):
        of_query = number < _EDITS_OF_QUERY
        shot = query if of_query else mates[number % len(mates)]
        place = folder / "gallery" / f"{shot.path.stem}_edited{number}.jpg"
        file = _save(EDITS[edit](shot.pixels(), rng), place, rng)
        yield BenchmarkFile(
            file, "copy" if of_query else "authentic", shot.person, shot.person, edit
        )


def _left_out(
    shots: Sequence[LabelledPortrait], everyone: Sequence[LabelledPortrait], folder: Path,
    rng: np.random.Generator,
) -> Iterator[BenchmarkFile]:  # fmt: skip
    name, mates = shots[0].person, shots[1:5]
    others = [shot for shot in everyone if shot.person != name]
    for family in LEFT_OUT:
        for number in range(_LEFT_OUT_EACH):
            target = mates[number % len(mates)]
            try:
                forged = _edit(target, _fitting_body(target, others, rng), rng, family=family)
            except ToolError:
                continue  # this family cannot forge this pair of photographs
            yield _write_forgery(forged, name, name, f"{name}_{family}{number}", folder, rng)


def _person(
    name: str,
    shots: Sequence[LabelledPortrait],
    everyone: Sequence[LabelledPortrait],
    folder: Path,
    rng: np.random.Generator,
) -> Iterator[BenchmarkFile]:
    others = [shot for shot in everyone if shot.person != name]
    query, mates = shots[0], list(shots[1:5])
    yield _write_photo(query, "query", folder, rng)
    for mate in mates:
        yield _write_photo(mate, "authentic", folder, rng)
    for number in range(3):
        source = mates[number % len(mates)]
        target = _fitting_body(source, others, rng)
        forged = _swap(source, target, rng)
        yield _write_forgery(forged, name, target.person, f"{name}_swap{number}", folder, rng)
    for number, target in enumerate([mates[0], mates[-1], query, query]):
        forged = _edit(target, others[rng.integers(len(others))], rng)
        exhibit = _write_forgery(forged, name, name, f"{name}_edit{number}", folder, rng)
        yield replace(exhibit, of_query=target is query)
    donor = others[rng.integers(len(others))]
    forged = _swap(donor, mates[-1], rng)
    yield _write_forgery(forged, donor.person, name, f"{name}_body", folder, rng)
    yield from _copies(query, folder, rng)


def _fitting_body(
    source: LabelledPortrait, others: Sequence[LabelledPortrait], rng: np.random.Generator
) -> LabelledPortrait:
    """The person whose head pose fits the source best: a forger does not pick at random."""
    drawn = rng.choice(len(others), min(_BODIES_TRIED, len(others)), replace=False)
    some = [others[int(index)] for index in drawn]
    misfits = [_misfit(source.landmarks, other.landmarks) for other in some]
    return some[int(np.argmin(misfits))]


def _misfit(face: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of landmarks after the best similarity, in eye distances of `other`."""
    ours, theirs = face.astype(float), other.astype(float)
    moved = transform_points(ours, estimate_similarity_transform(ours, theirs))
    return float(np.linalg.norm(moved - theirs, axis=1).mean()) / eye_distance(other)


def _swap(source: LabelledPortrait, target: LabelledPortrait, rng: np.random.Generator) -> Forgery:
    return forge(
        target.pixels(), target.landmarks, family="face_swap", rng=rng,
        source_pixels=source.pixels(), source_landmarks=source.landmarks,
    )  # fmt: skip


def _edit(
    target: LabelledPortrait,
    donor: LabelledPortrait,
    rng: np.random.Generator,
    *,
    family: str | None = None,
) -> Forgery:
    return forge(
        target.pixels(), target.landmarks, family=family or str(rng.choice(LOCAL_EDITS)), rng=rng,
        source_pixels=donor.pixels(), source_landmarks=donor.landmarks,
    )  # fmt: skip


def _copies(
    query: LabelledPortrait, folder: Path, rng: np.random.Generator
) -> Iterator[BenchmarkFile]:
    pixels = query.pixels()
    height, width = pixels.shape[:2]
    edge = int(0.08 * min(height, width))
    variants = {
        "re-encoded": pixels,
        "cropped": pixels[edge : height - edge, edge : width - edge],
        "scaled": cv2.resize(pixels, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC),
    }
    for kind, pixels in variants.items():
        file = _save(pixels, folder / "gallery" / f"{query.person}_{kind}.jpg", rng)
        yield BenchmarkFile(file, "copy", query.person, query.person, kind)


def _write_photo(
    shot: LabelledPortrait, kind: str, folder: Path, rng: np.random.Generator
) -> BenchmarkFile:
    place = "query" if kind == "query" else "gallery"
    file = _save(shot.pixels(), folder / place / f"{shot.path.stem}.jpg", rng)
    return BenchmarkFile(file, kind, shot.person, shot.person, "")


def _write_forgery(
    forged: Forgery, depicted: str, body: str, stem: str, folder: Path, rng: np.random.Generator
) -> BenchmarkFile:
    file = _save(forged.pixels, folder / "gallery" / f"{stem}.jpg", rng)
    return BenchmarkFile(file, "forgery", depicted, body, forged.recipe.family)


def _save(pixels: np.ndarray, path: Path, rng: np.random.Generator) -> str:
    # The forgery watermark is omitted on purpose: these files must differ in pixels only.
    Image.fromarray(pixels).save(path, quality=int(rng.integers(75, 98)))
    return str(path.relative_to(path.parents[1]))


@dataclass(frozen=True, slots=True)
class LabelledComparison:
    """One gallery face compared with one query: query person, file description and raw scores."""

    query_person: str
    exhibit: BenchmarkFile
    usable: bool
    scores: dict[str, float | None]

    @property
    def same_person(self) -> bool:
        """Whether the file depicts the query person, authentic or forged."""
        return self.exhibit.depicted == self.query_person

    @property
    def forged(self) -> bool:
        """Whether the file is a forgery, of any person."""
        return self.exhibit.kind == "forgery"


RerankScorer = Callable[[np.ndarray, FaceRecord, dict[str, float | None], Query], Any]
"""Computes the extra scores of a leading hit from its picture, record, scores and the query."""


def score_benchmark(
    folder: Path, exhibits: Sequence[BenchmarkFile], *, faces: FaceAnalyser, encoder: Encoder,
    detectors: Sequence[FeatureDetector], further: RerankScorer | None = None,
) -> list[LabelledComparison]:  # fmt: skip
    """Index the benchmark as a user would and compare every query with every face found.

    `further` computes extra scores: per query for faces that depict the query person, and once for
    all other faces.
    """
    by_file = {exhibit.file: exhibit for exhibit in exhibits}
    rows = []
    with (
        Gallery.open(folder / "home", "casework", fingerprint={"casework": "1"}) as gallery,
        FaceIndex.open(gallery) as index,
    ):
        index_folders(
            [folder / "gallery"], gallery=gallery, index=index, faces=faces, encoder=encoder
        )
        records = gallery.faces(gallery.embeddings.all()[0])
        table = to_columns(gallery, records)
        shown = [by_file[_file(gallery, record)] for record in records]
        seen: set[str] = set()
        asked = {exhibit.depicted for exhibit in exhibits if exhibit.kind == "query"}
        for exhibit in exhibits:
            if exhibit.kind != "query":
                continue
            try:
                query = retry_with_central_face(
                    lambda face, photo=folder / exhibit.file: query_from_files(  # type: ignore[misc]
                        [photo], faces=faces, encoder=encoder, face=face
                    )
                )
            except NoFace as error:
                print(f"left out: {error}")
                continue
            compared = score_faces(query, table, detectors=detectors)
            for what, record, scores in zip(shown, records, compared, strict=True):
                own = what.depicted == exhibit.depicted
                nobody_asks = what.depicted not in asked and record.id not in seen
                if further is not None and (own or nobody_asks):
                    seen.add(record.id)
                    pixels = read_photo(folder / what.file).pixels
                    scores |= further(pixels, record, scores, query)
            rows += [
                LabelledComparison(exhibit.depicted, what, record.face.quality.usable, scores)
                for what, record, scores in zip(shown, records, compared, strict=True)
            ]
    return rows


def retry_with_central_face(ask: Callable[[int | None], Answer]) -> Answer:
    """Run the query; if the photo shows several faces, run it again with the most central one.

    LFW's labels refer to the central face; a user would select it with `--face`.
    """
    try:
        return ask(None)
    except SeveralFaces as several:
        return ask(1 + int(np.argmin([off_centre(box) for box in several.boxes])))


def off_centre(box: tuple[float, ...]) -> float:
    """Distance (px) of a box's centre from the photograph's centre."""
    return float(np.hypot((box[0] + box[2]) / 2 - _CENTRE_PX, (box[1] + box[3]) / 2 - _CENTRE_PX))


def _file(gallery: Gallery, record: FaceRecord) -> str:
    path = gallery.paths_of(record.image_id)[0]
    return str(path.relative_to(path.parents[1]))
