"""Build a pool of authentic and forged pairs on disk; training then only augments them.

    python -m tools.training.data.forgery_pool lfw OUT --data ../shared/data --rounds 2
    python -m tools.training.data.forgery_pool dfdc OUT --data ../shared/data
    python -m tools.training.data.forgery_pool frames OUT --data ../shared/data --rounds 2

`lfw`: our forge's forgeries of photographs. `dfdc`: video deepfakes with their originals. `frames`:
our forge's forgeries of those originals, so that neither source has only one kind of forgery.

A chunk is a pair of `.npy` files of whole pictures (n, s, s, 3) uint8 (authentic and forged), one
of masks (n, s/2, s/2) uint8 and a JSON file with keypoints, families and regions.
"""

import argparse
import csv
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import (
    estimate_similarity_transform,
    keypoints_from_landmarks,
    transform_points,
)
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import FAMILIES, SWAPS, Forgery, forge

# Excluded from training, so that figures on it measure generalisation.
HELD_OUT_FAMILY = "partial_swap"
_WEIGHTS = {
    "self_blend": 2.0,
    "face_swap": 2.5,
    "region_swap": 2.2,
    "reenactment": 1.3,
    "inpainting": 1.0,
    "resynthesis": 1.5,
}


@dataclass(frozen=True, slots=True, eq=False)
class ForgeryPair:
    """An authentic picture, a forgery of it, and where they differ.

    `landmarks` (68, 2) px are those of the authentic picture; None if unknown.
    """

    real: np.ndarray
    fake: np.ndarray
    mask: np.ndarray
    keypoints: np.ndarray
    family: str
    regions: tuple[str, ...]
    origin: str
    landmarks: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LfwPhotographs:
    """LFW's labelled photographs of one split."""

    folder: Path
    paths: np.ndarray
    landmarks: np.ndarray
    people: np.ndarray

    @classmethod
    def load(cls, data: Path, *, split: str) -> "LfwPhotographs":
        """Read `lfw/labels.npz`; landmarks (n, 68, 2) float32 in pixels."""
        labels = np.load(data / "lfw" / "labels.npz")
        chosen = labels["split"] == split
        paths = labels["path"][chosen]
        people = np.array([str(path).split("/")[0] for path in paths])
        landmarks = labels["landmarks68"][chosen].astype(np.float32)
        return cls(data / "lfw" / "images", paths, landmarks, people)

    def read(self, index: int) -> np.ndarray:
        """One photograph, (h, w, 3) uint8 RGB."""
        return read_rgb(self.folder / str(self.paths[index]))

    def source_for(self, index: int, rng: np.random.Generator) -> int:
        """Another person's photo: usually, out of a few candidates, the one with the most similar
        head pose."""
        size = min(int(rng.choice([1, 8, 24])), len(self.paths))
        few = rng.choice(len(self.paths), size=size, replace=False)
        few = few[self.people[few] != self.people[index]]
        if len(few) == 0:
            return self.source_for(index, rng)
        misfits = [_misfit(self.landmarks[i], self.landmarks[index]) for i in few]
        return int(few[int(np.argmin(misfits))])


def read_rgb(path: Path) -> np.ndarray:
    """A picture of the data, (h, w, 3) uint8 RGB; raises FileNotFoundError."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise FileNotFoundError(path)
    rgb: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return rgb


def through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG encoding and decoding at this quality."""
    # OpenCV writes and reads BGR; JPEG keeps more of green than of blue.
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("OpenCV cannot read back the JPEG that it wrote")
    rgb: np.ndarray = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return rgb


def forge_photo(
    faces: LfwPhotographs,
    index: int,
    pixels: np.ndarray,
    *,
    source: int | None,
    family: str,
    rng: np.random.Generator,
) -> Forgery | None:
    """Forge these pixels of a photo, with the photo `source` for swaps; None if that fails."""
    try:
        return forge(
            pixels,
            faces.landmarks[index],
            family=family,
            rng=rng,
            source_pixels=None if source is None else faces.read(source),
            source_landmarks=None if source is None else faces.landmarks[source],
        )
    except ToolError:
        return None


def forged_pair(
    faces: LfwPhotographs, index: int, *, family: str, rng: np.random.Generator
) -> ForgeryPair | None:
    """One forgery of a photo; None where that photo cannot be forged this way."""
    source = faces.source_for(index, rng) if family in SWAPS else None
    target, landmarks = faces.read(index), faces.landmarks[index]
    forgery = forge_photo(faces, index, target, source=source, family=family, rng=rng)
    if forgery is None:
        return None
    mask = (forgery.mask * 255).astype(np.uint8)
    points, origin = keypoints_from_landmarks(landmarks), str(faces.paths[index])
    return ForgeryPair(
        target, forgery.pixels, mask, points, family, forgery.regions, origin, landmarks
    )


def forged_pairs(faces: LfwPhotographs, *, rounds: int, seed: int) -> Iterator[ForgeryPair]:
    """Forgeries of these photographs; in half of the pairs both are re-encoded at one JPEG
    quality."""
    rng = np.random.default_rng(seed)
    names, weights = list(_WEIGHTS), np.array(list(_WEIGHTS.values()))
    if HELD_OUT_FAMILY in names or set(names) | {HELD_OUT_FAMILY} != set(FAMILIES):
        raise ValueError("every family must be either a training or a held-out family")
    for _ in range(rounds):
        for index in rng.permutation(len(faces.paths)):
            family = str(rng.choice(names, p=weights / weights.sum()))
            pair = forged_pair(faces, int(index), family=family, rng=rng)
            if pair is None:
                continue
            if rng.random() < 0.5:
                quality = int(rng.integers(60, 99))
                real, fake = through_jpeg(pair.real, quality), through_jpeg(pair.fake, quality)
                pair = replace(pair, real=real, fake=fake)
            yield pair


def difference_mask(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Mask uint8 of where two aligned pictures differ: blurred absolute difference, 6 to 16 grey
    levels.

    Differences below 6 levels may be compression; from 16 levels a change is certain.
    """
    difference = cv2.absdiff(real, fake).max(axis=2)
    blurred = cv2.GaussianBlur(difference.astype(np.float32), (0, 0), 2.5)
    mask: np.ndarray = (np.clip((blurred - 6) / 10, 0, 1) * 255).astype(np.uint8)
    return mask


def dfdc_pairs(data: Path, analyser: FaceAnalyser, *, split: str) -> Iterator[ForgeryPair]:
    """DFDC pairs of a split; pairs without a detected face in the authentic member are left out.

    Both members use the landmarks of the authentic one, so that both get the same crop.
    """
    for row in _dfdc_rows(data, split):
        real = read_rgb(data / "dfdc" / "real" / row["real"])
        landmarks = _landmarks(real, analyser)
        if landmarks is None:
            continue
        fake = read_rgb(data / "dfdc" / "fake" / row["fake"])
        mask, points = difference_mask(real, fake), keypoints_from_landmarks(landmarks)
        yield ForgeryPair(real, fake, mask, points, "video_deepfake", (), row["real"], landmarks)


def authentic_frames(data: Path, analyser: FaceAnalyser, *, split: str) -> LfwPhotographs:
    """DFDC originals of a split, to be forged. Their people are unknown, so each frame is a person.

    `LfwPhotographs.source_for` may therefore paste a person's face onto another frame of the same
    person.
    """
    names, placed = [], []
    for row in _dfdc_rows(data, split):
        landmarks = _landmarks(read_rgb(data / "dfdc" / "real" / row["real"]), analyser)
        if landmarks is not None:
            names.append(row["real"])
            placed.append(landmarks)
    folder, paths = data / "dfdc" / "real", np.array(names)
    return LfwPhotographs(folder, paths, np.stack(placed).astype(np.float32), paths)


def _dfdc_rows(data: Path, split: str) -> list[dict[str, str]]:
    with (data / "dfdc" / "pairs.csv").open() as lines:
        return [row for row in csv.DictReader(lines) if row["split"] == split]


def _landmarks(pixels: np.ndarray, analyser: FaceAnalyser) -> np.ndarray | None:
    """Landmarks of the largest face, (68, 2) px; None if no face is found."""
    found = analyser.analyse([pixels])[0]
    placed = max(found, key=lambda it: it.quality.width_px, default=None)
    return None if placed is None else placed.landmarks


def write_chunks(
    pairs: Iterator[ForgeryPair], folder: Path, *, name: str, size: int = 1500
) -> None:
    """Write chunks as they fill up; a chunk's JSON is written last, so readers see complete chunks
    only."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting: list[ForgeryPair] = []
    for pair in pairs:
        waiting.append(pair)
        if len(waiting) == size:
            _write(waiting, folder, name=name)
            waiting = []
    if waiting:
        _write(waiting, folder, name=name)


def _write(pairs: Sequence[ForgeryPair], folder: Path, *, name: str) -> None:
    stem = f"{name}_{len(list(folder.glob(f'{name}_*.json'))):03d}"
    np.save(folder / f"{stem}_real.npy", np.stack([pair.real for pair in pairs]))
    np.save(folder / f"{stem}_fake.npy", np.stack([pair.fake for pair in pairs]))
    halves = [cv2.resize(p.mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in pairs]
    np.save(folder / f"{stem}_mask.npy", np.stack(halves))
    notes = [
        {
            "keypoints": p.keypoints.tolist(),
            "landmarks": None if p.landmarks is None else p.landmarks.round(2).tolist(),
            "family": p.family,
            "regions": p.regions,
            "origin": p.origin,
        }
        for p in pairs
    ]
    (folder / f"{stem}.json").write_text(json.dumps(notes))
    print(time.strftime("%H:%M:%S"), stem, len(pairs), flush=True)


def _misfit(one: np.ndarray, other: np.ndarray) -> float:
    """Difference in face shape and pose: the residual of the best similarity transform."""
    fitted = transform_points(
        one.astype(float), estimate_similarity_transform(one.astype(float), other.astype(float))
    )
    return float(np.abs(fitted - other).mean())


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["lfw", "dfdc", "frames"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faces", type=Path, default=Path("tools/checkpoints/weights/faces"))
    parser.add_argument("--name", default="")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if given.what == "lfw":
        faces = LfwPhotographs.load(given.data, split="train")
        pairs = forged_pairs(faces, rounds=given.rounds, seed=given.seed)
        write_chunks(pairs, given.out, name=given.name or "lfw")
        return
    analyser = FaceAnalyser(given.faces, threads=1)
    if given.what == "frames":
        faces = authentic_frames(given.data, analyser, split="train")
        pairs = forged_pairs(faces, rounds=given.rounds, seed=given.seed)
        write_chunks(pairs, given.out, name=given.name or "frames")
        return
    for split in ("train", "val"):
        pairs = dfdc_pairs(given.data, analyser, split=split)
        write_chunks(pairs, given.out / split, name="dfdc")


if __name__ == "__main__":
    main()
