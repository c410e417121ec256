"""Samples of the detector table: batches of files, each with a query photo if possible.

Our forgeries are made once per run, from LFW's validation persons of the reporting half, and stored
in the run's folder; complete families are reused. DFDC's validation originals, real swaps and
generated faces are existing files.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from evals.datasets import load
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.runs.folder import write_atomically
from tools.forge.forgery import ALL_FAMILIES, SCENE_FAMILIES
from tools.media.hashing import file_sha256
from tools.training.calibration.detector_pictures import (
    dfdc_files,
    lfw_faces,
    make_forgery,
    mate_of,
    quality_of,
)
from tools.training.data.forgery_pool import LfwPhotographs

PHOTOS = 150
"""Photographs forged in every family. Twice as many, and twice as many DFDC pairs, are the
authentic ones, on which a share of 2 % must be measurable."""

AUTHENTIC = "authentic"
LFW, DFDC, SWAPS, GENERATED = "lfw", "dfdc", "swaps", "generated"


@dataclass(frozen=True, slots=True, eq=False)
class EvalBatch:
    """Files that are measured together.

    `query_photo_of` maps a row's path to a file below `photos.root` with another authentic photo of
    the depicted person, if there is one. `scenes`: the faces are authentic, so only whole-image
    detectors are run.
    """

    name: str
    source: str
    manifest: Manifest
    query_photo_of: Mapping[str, str] = field(default_factory=dict)
    photos: Manifest | None = None
    scenes: bool = False


def is_full_data_folder(data: Path) -> bool:
    """Whether this is the folder that holds lfw/, dfdc/ and deepfakes/."""
    return (data / "lfw" / "labels.npz").is_file()


def eval_batches(options: EvalOptions, folder: Path) -> Iterator[EvalBatch]:
    """The batches in order; forgeries are stored below `folder`."""
    data, photos = options.data, options.limit or PHOTOS
    faces = lfw_faces(data, "report")
    for family in (AUTHENTIC, *ALL_FAMILIES):
        yield _lfw(faces, family, photos=photos, options=options, folder=folder / LFW)
    if (data / "dfdc" / "pairs.csv").is_file():
        yield _dfdc(data, pairs=2 * photos)
    if (data / "deepfakes" / "swaps.csv").is_file():
        yield real_swaps(data, photos=photos, seed=options.seed)
    if (data / "deepfakes" / "generated").is_dir():
        found = load(data / "deepfakes" / "generated")
        yield EvalBatch(GENERATED, GENERATED, found.sample(_most(options, 3), options.seed))


def _most(options: EvalOptions, times: int) -> int | None:
    return None if options.limit is None else times * options.limit


# -- our forge -----------------------------------------------------------------------------------


def _lfw(
    faces: LfwPhotographs, family: str, *, photos: int, options: EvalOptions, folder: Path
) -> EvalBatch:  # fmt: skip
    told = {"family": family, "photos": photos, "seed": options.seed}
    path = folder / f"{family}.json"
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if kept.get("told") != told:
        rows = list(_written(faces, family, photos=photos, options=options, folder=folder))
        kept = {"told": told, "rows": [[asdict(row), asks] for row, asks in rows]}
        write_atomically(path, json.dumps(kept))
    rows = [(ManifestRow(**row), asks) for row, asks in kept["rows"]]
    asks = {row.path: ask for row, ask in rows if ask is not None}
    return EvalBatch(
        f"{LFW}/{family}",
        LFW,
        Manifest(f"{LFW}/{family}", folder, tuple(row for row, _ in rows)),
        asks,
        _photos(faces, asks),
        scenes=family in SCENE_FAMILIES,
    )


def _written(
    faces: LfwPhotographs, family: str, *, photos: int, options: EvalOptions, folder: Path
) -> Iterator[tuple[ManifestRow, str | None]]:
    """Write every picture as a file; returns its row and its query photo."""
    (folder / family).mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(options.seed).permutation(len(faces.paths))
    indices = drawn[: photos * (2 if family == AUTHENTIC else 1)].tolist()
    for number, index in enumerate(indices):
        options.progress(number, len(indices), f"forging {family}")
        found = _picture(faces, index, family, seed=options.seed)
        if found is not None:
            pixels, depicts, apart = found
            quality = quality_of(index, seed=options.seed)
            row = _row(faces, family, index, depicts)
            _write(pixels, folder / row.path, quality)
            mate = mate_of(faces, depicts, apart_from=apart)
            sealed = ManifestRow(**{**asdict(row), "sha256": file_sha256(folder / row.path)})
            yield sealed, None if mate is None else str(faces.paths[mate])


def _picture(
    faces: LfwPhotographs, index: int, family: str, *, seed: int
) -> tuple[np.ndarray, int, tuple[int, ...]] | None:
    """Pixels, the photo of the depicted person, and photos that must not be the query."""
    if family == AUTHENTIC:
        return faces.read(index), index, (index,)
    rng = np.random.default_rng([seed, ALL_FAMILIES.index(family), index])
    forged = make_forgery(faces, index, family=family, rng=rng)
    if forged is None:
        return None
    apart = (index,) if forged.source is None else (index, forged.source)
    return forged.pixels, forged.depicts, apart


def _row(faces: LfwPhotographs, family: str, index: int, depicts: int) -> ManifestRow:
    origin, forged = str(faces.paths[index]), family != AUTHENTIC
    return ManifestRow(
        f"{family}/{Path(origin).stem}.jpg",
        LFW,
        "fake" if forged else "real",
        "val",
        depicted_id=str(faces.people[depicts]),
        body_id=str(faces.people[index]),
        method=family if forged else None,
        source_video=origin if forged else None,
    )


def _write(pixels: np.ndarray, path: Path, quality: int) -> None:
    # The forgery watermark is omitted on purpose: these files must differ in pixels only.
    blue_first = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality]):
        raise OSError(f"cannot write {path}")


def _photos(faces: LfwPhotographs, asks: Mapping[str, str]) -> Manifest:
    rows = (ManifestRow(path, LFW, "real", "val") for path in sorted(set(asks.values())))
    return Manifest(f"{LFW}/photos to ask with", faces.folder, tuple(rows))


# -- files that are there --------------------------------------------------------------------------


def _dfdc(data: Path, *, pairs: int) -> EvalBatch:
    originals = {real for _, real in dfdc_files(data, "report")[:pairs]}
    whole = load(data / "dfdc")
    return EvalBatch(
        DFDC, DFDC, whole.where(lambda row: (row.source_video or row.path) in originals)
    )


def real_swaps(data: Path, *, photos: int, seed: int) -> EvalBatch:
    """Real swaps; the query is the first other authentic photo of the depicted person.

    Another frame of the same clip does not count as another photo: compared with it everything
    looks authentic.
    """
    found = load(data / "deepfakes" / "swaps.csv").sample(photos, seed)
    authentic = [row for row in found.rows if row.label == "real"]
    asks = {}
    for row in found.rows:
        others = [it.path for it in authentic if _another_photo(it, row)]
        if others:
            asks[row.path] = others[0]
    return EvalBatch(SWAPS, SWAPS, found, asks, found)


def _another_photo(photo: ManifestRow, row: ManifestRow) -> bool:
    same_clip = photo.video_id is not None and photo.video_id == row.video_id
    return photo.depicted_id == row.depicted_id and photo.path != row.path and not same_clip
