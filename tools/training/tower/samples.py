"""Face crops for detectors on the pretrained tower: two questions, every source on both sides.

The source of a picture is a stronger cue than its forgery, so each source of manipulated faces
brings the authentic pictures that they were made from, both go through one random chain of light,
size and JPEG, and choices are made with sources left out. Splits are those of `face_sources`; LFW's
is its own. Sealed groups and the data folder's reserved generators are never read.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import aligned_crop, keypoints_from_landmarks
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import FAMILIES, FAMILIES_WITH_SOURCE, forge
from tools.training.data.bare_repository import BareRepository
from tools.training.data.face_sources import (
    PUBLISHED,
    Entry,
    labelled_photographs,
    read_picture,
    reserved_originals,
    split_of,
)
from tools.training.data.forgery_pool import HELD_OUT_FAMILY, through_jpeg

AUTHENTIC, MANIPULATED, SYNTHESISED = "authentic", "manipulated", "synthesised"
SIZE, MARGIN = 224, 1.3
LEARNT = tuple(family for family in FAMILIES if family != HELD_OUT_FAMILY)
SHARP_PX = 200  # source width from which a DFDC face is sharp
_EDGE = 16  # px of border compared to find aligned pairs
_ALIGNED = 6.0  # mean difference of the border, grey levels

Photo = tuple[str, np.ndarray, np.ndarray]
"""Group, pixels (h, w, 3) uint8 RGB, landmarks (68, 2) px."""


@dataclass(frozen=True, slots=True, eq=False)
class TowerSample:
    """A crop (224, 224, 3) uint8 RGB; `family` is the forgery's tool, or `authentic`."""

    crop: np.ndarray
    label: str
    source: str
    family: str
    group: str
    split: str


@dataclass(frozen=True, slots=True)
class SampleSources:
    """Reads all sources; `copies` holds bare clones as `face_sources` describes.

    `with_history` False leaves crops as they are, for trainings that draw a history each time.
    """

    data: Path
    copies: Path
    faces: FaceAnalyser
    seed: int = 0
    with_history: bool = True

    def swapped_videos(self, count: int, *, split: str = "train") -> Iterator[TowerSample]:
        """DFDC: sharp, aligned pairs of a swapped face and its original."""
        copy = self._copy("dfdc")
        reserved = _validation_originals(self.data)
        pairs = [
            (_stem(row["videoname"]), _stem(row["original"]))
            for row in csv.DictReader(copy.text("metadata.csv").splitlines())
            if row["label"] == "FAKE" and row["original"]
            and min(int(row["original_width"]), int(row["original_height"])) >= SHARP_PX
        ]  # fmt: skip
        order = np.random.default_rng(self.seed).permutation(len(pairs)).tolist()
        used = dict[str, int]()
        for at in order:
            fake, real = pairs[at]
            paths = [f"faces_224/{name}.jpg" for name in (fake, real)]
            if (
                split_of(real) != split or real in reserved or used.get(real, 0) >= 2
                or not all(path in copy.files for path in paths)
            ):  # fmt: skip
                continue
            pixels = [_decoded(blob) for blob in copy.blobs(paths)]
            if pixels[0] is None or pixels[1] is None or not _are_aligned(pixels[0], pixels[1]):
                continue
            found = self._largest(pixels[1])
            if found is None:
                continue
            used[real] = used.get(real, 0) + 1
            points = keypoints_from_landmarks(found)
            yield from self._pair(pixels[1], pixels[0], points, source="dfdc", family="dfdc_swap",
                                  label=MANIPULATED, group=real, split=split)  # fmt: skip
            count -= 1
            if count <= 0:
                return

    def forged_photographs(
        self, source: str, photos: Sequence[Photo], count: int, *, split: str
    ) -> Iterator[TowerSample]:
        """Photographs of one source, and a forgery of each by a family that models may learn."""
        rng = np.random.default_rng((self.seed, len(photos)))
        for number in range(count):
            group, pixels, landmarks = photos[number % len(photos)]
            family = LEARNT[int(rng.integers(len(LEARNT)))]
            other = (
                photos[int(rng.integers(len(photos)))] if family in FAMILIES_WITH_SOURCE else None
            )
            if other is not None and other[0] == group:
                continue
            try:
                forged = forge(
                    pixels, landmarks, family=family, rng=rng,
                    source_pixels=None if other is None else other[1],
                    source_landmarks=None if other is None else other[2],
                )  # fmt: skip
            except ToolError:
                continue
            points = keypoints_from_landmarks(landmarks)
            yield from self._pair(pixels, forged.pixels, points, source=source, family=family,
                                  label=MANIPULATED, group=group, split=split)  # fmt: skip

    def edited_photographs(self, *, split: str) -> Iterator[TowerSample]:
        """Portraits retouched by hand: eyes, nose or mouth of another person."""
        for entry, pixels in self._published("edited_160", split=split):
            forged = "/fake/" in entry.path
            yield from self._single(
                pixels, source="edited_160", family="photoshop" if forged else AUTHENTIC,
                label=MANIPULATED if forged else AUTHENTIC, group=entry.group, split=split,
            )  # fmt: skip

    def synthesised_faces(self, *, split: str) -> Iterator[TowerSample]:
        """Whole faces by generators, and photographs that came with them."""
        reserved = reserved_originals(self.data)
        with (self.data / "synthesis" / "manifest.csv").open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                if row["base_id"] in reserved or split_of(row["base_id"]) != split:
                    continue
                pixels = read_picture(self.data / "synthesis" / row["path"])
                if pixels is not None:
                    yield from self._generated(
                        pixels, row["source"], forged=row["label"] == "fake",
                        family=row["source"], group=row["base_id"], split=split,
                    )  # fmt: skip
        for source in ("stylegan_256", "stylegan2_300", "celebahq_gan"):
            for entry, pixels in self._published(source, split=split):
                forged = "real" not in entry.path.lower()
                yield from self._generated(pixels, source, forged=forged, family=source,
                                           group=entry.group, split=split)  # fmt: skip

    def photographs(self, source: str, count: int, *, split: str) -> list[Photo]:
        """Photographs of LFW, UTKFace, or the FFHQ pictures of a synthesis set."""
        found: list[Photo] = []
        if source == "lfw":
            known = [it for it in labelled_photographs(self.data) if it[1] == split]
            order = np.random.default_rng(self.seed).permutation(len(known))[:count]
            for at in order.tolist():
                entry, _, landmarks = known[at]
                pixels = read_picture(self.data / "lfw" / "images" / entry.path)
                if pixels is not None:
                    found.append((entry.group, pixels, landmarks))
            return found
        for entry, pixels in self._published(source, split=split):
            if source == "stylegan_256" and "/real/" not in entry.path:
                continue
            landmarks = self._largest(pixels)
            if landmarks is not None:
                found.append((entry.group, pixels, landmarks))
            if len(found) >= count:
                break
        return found

    def _generated(
        self, pixels: np.ndarray, source: str, *, forged: bool, family: str, group: str, split: str
    ) -> Iterator[TowerSample]:
        yield from self._single(
            pixels, source=source, family=family if forged else AUTHENTIC,
            label=SYNTHESISED if forged else AUTHENTIC, group=group, split=split,
        )  # fmt: skip

    def _single(
        self, pixels: np.ndarray, *, source: str, family: str, label: str, group: str, split: str
    ) -> Iterator[TowerSample]:
        landmarks = self._largest(pixels)
        if landmarks is None:
            return
        points = keypoints_from_landmarks(landmarks)
        crop = aligned_crop(pixels, points, size=SIZE, margin=MARGIN)
        yield TowerSample(self._with_history(crop, group), label, source, family, group, split)

    def _pair(
        self, real: np.ndarray, fake: np.ndarray, points: np.ndarray, *, source: str, family: str,
        label: str, group: str, split: str,
    ) -> Iterator[TowerSample]:  # fmt: skip
        for pixels, its, tool in ((real, AUTHENTIC, AUTHENTIC), (fake, label, family)):
            crop = aligned_crop(pixels, points, size=SIZE, margin=MARGIN)
            chained = self._with_history(crop, group)  # the same chain for both
            yield TowerSample(chained, its, source, tool, group, split)

    def _published(self, name: str, *, split: str) -> Iterator[tuple[Entry, np.ndarray]]:
        source = next(it for it in PUBLISHED if it.name == name)
        chosen = source.choose(source.copy(self.copies), reserved_originals(self.data))
        entries = [it for it in chosen if it.split == split]
        order = np.random.default_rng(self.seed).permutation(len(entries)).tolist()
        entries = [entries[at] for at in order]
        for start in range(0, len(entries), 128):
            part = entries[start : start + 128]
            for entry, photo in zip(part, source.read(self.copies, part), strict=True):
                if photo is not None:
                    yield entry, photo.pixels

    def _copy(self, name: str) -> BareRepository:
        return next(it for it in PUBLISHED if it.name == name).copy(self.copies)

    def _largest(self, pixels: np.ndarray) -> np.ndarray | None:
        located = [points for _, points in self.faces.find_faces(pixels) if points is not None]
        return max(located, key=lambda it: float(np.ptp(it, axis=0).prod()), default=None)

    def _with_history(self, crop: np.ndarray, group: str) -> np.ndarray:
        rng = np.random.default_rng([self.seed, *group.encode()])
        return history(crop, rng) if self.with_history else crop


def history(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The crop (224, 224, 3) uint8 after one random history of mirror, light, size, blur and JPEG.

    Both pictures of a pair need the same one.
    """
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.5:
        gain, offset = rng.uniform(0.75, 1.25), rng.uniform(-20, 20)
        crop = np.clip(crop * gain + offset, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        side = int(SIZE * rng.uniform(0.45, 1.0))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.1:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.8:
        crop = through_jpeg(np.ascontiguousarray(crop), int(rng.integers(50, 96)))
    return np.ascontiguousarray(crop)


def _are_aligned(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    difference = np.abs(one.astype(np.int16) - other).mean(axis=2)
    difference[_EDGE:-_EDGE, _EDGE:-_EDGE] = np.nan
    return float(np.nanmean(difference)) < _ALIGNED


def _validation_originals(data: Path) -> frozenset[str]:
    with (data / "dfdc" / "pairs.csv").open(newline="", encoding="utf-8") as rows:
        return frozenset(
            _stem(row["real"]) for row in csv.DictReader(rows) if row["split"] == "val"
        )


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _decoded(blob: bytes | None) -> np.ndarray | None:
    bgr = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR) if blob else None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


Maker = Callable[[], Iterator[TowerSample]]
_FORGED = {"lfw": 600, "utkface": 400, "stylegan_256": 400}
_PAIRS = 1500


def planned(sources: SampleSources, *, share: float = 1.0) -> list[tuple[str, Maker]]:
    """All sets by name, in the order in which they are made; `share` of the usual numbers.

    LFW's `val` persons are left out: they fit and test the verdict rule.
    """

    def forged(source: str, split: str, count: int) -> Iterator[TowerSample]:
        photos = sources.photographs(source, count, split=split)
        return sources.forged_photographs(source, photos, len(photos), split=split)

    sets: list[tuple[str, Maker]] = []
    for split, part in (("train", share), ("val", share / 8)):
        pairs = max(1, round(part * _PAIRS))
        sets.append((f"synthesised-{split}", partial(sources.synthesised_faces, split=split)))
        sets.append((f"dfdc-{split}", partial(sources.swapped_videos, pairs, split=split)))
        for source, count in _FORGED.items():
            if (source, split) != ("lfw", "val"):
                made = partial(forged, source, split, max(1, round(part * count)))
                sets.append((f"forged-{source}-{split}", made))
        sets.append((f"edited-{split}", partial(sources.edited_photographs, split=split)))
    return sets
