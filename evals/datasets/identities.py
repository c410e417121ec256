"""Check that a data set's depicted and body ids are not swapped, by face similarity.

If a naming convention is read in the wrong order (the second id of `id0_id1_0000`, for example),
every retrieval figure is inverted without any error. This check measures, on some fakes, whether
the face is more similar to authentic pictures of `depicted_id` or of `body_id`.

Does not show: whether each single name is right; anything about re-enactments, where both ids are
the same person; much about swaps so poor that the face is similar to neither.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np

from evals.datasets.listing import is_video
from evals.datasets.manifest import Manifest, ManifestRow
from tools.errors import SetupError
from tools.faces.analyser import Face
from tools.media.pictures.decoding import read_photo
from tools.media.skip_reasons import UnreadableImage

FAKES = 50
REFERENCES = 3  # authentic pictures per person
LEAST = 5  # minimum number of fakes for a result
CLEAR = 2 / 3  # minimum share of the fakes that must be closer to one of the two
NOTE = "identities"


class FaceAnalyserLike(Protocol):
    """Protocol of `tools.faces.analyser.FaceAnalyser`."""

    def analyse(self, images: Sequence[np.ndarray], /) -> list[list[Face]]:
        """The faces of every picture."""


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """Result over `n` fakes: mean cosine to the depicted person and to the body's, and the share
    closer to the first. NaN if none could be measured.

    `agrees` is None if undecided: fewer than `LEAST` fakes, or neither side has two thirds of them.
    """

    n: int
    to_depicted: float
    to_body: float
    share: float

    @property
    def agrees(self) -> bool | None:
        """Whether the data set's names match the faces."""
        if self.n < LEAST or 1 - CLEAR < self.share < CLEAR:
            return None
        return self.share >= CLEAR and self.to_depicted > self.to_body

    def told(self) -> str:
        """One line for notes and logs."""
        if not self.n:
            return "not measured: no fake with authentic pictures of two different persons"
        says = {True: "agrees", False: "CONTRADICTS", None: "cannot be told"}[self.agrees]
        return (
            f"{says}: {self.n} fakes, mean cosine {self.to_depicted:.3f} to the depicted person, "
            f"{self.to_body:.3f} to the body's, {self.share:.0%} nearer to the depicted"
        )


def with_identity_check(
    manifest: Manifest, faces: FaceAnalyserLike, *, seed: int = 0, anyway: bool = False
) -> Manifest:
    """The manifest with the check's result in its notes, under "identities".

    Raises SetupError if the pictures clearly contradict the names, unless `anyway`.
    """
    outcome = check_identities(manifest, faces, seed=seed)
    if outcome.agrees is False and not anyway:
        raise SetupError(
            f"{manifest.name!r} at {str(manifest.root)!r} names persons the wrong way round "
            f"({outcome.told()}); swap depicted_id and body_id in its table, or go on regardless"
        )
    return manifest.with_notes(**{NOTE: outcome.told()})


def check_identities(
    manifest: Manifest, faces: FaceAnalyserLike, *, seed: int = 0, at_most: int = FAKES
) -> IdentityCheck:
    """Compare at most `at_most` fakes, from as many pairs of persons as possible, with both
    persons.

    A fake is used if it has two different ids with authentic pictures of each; its own source
    footage is a reference only if there is no other.
    """
    photos = _Photos(manifest, faces)
    references = _references(manifest.rows, seed)
    similar: list[tuple[float, float]] = []
    for row in _drawn(manifest.rows, references, seed):
        if len(similar) == at_most:
            break
        pair = _compared(row, photos, references)
        if pair is not None:
            similar.append(pair)
    if not similar:
        return IdentityCheck(0, np.nan, np.nan, np.nan)
    both = np.asarray(similar)
    to_depicted, to_body = both.mean(0)
    share = float((both[:, 0] > both[:, 1]).mean())
    return IdentityCheck(len(both), float(to_depicted), float(to_body), share)


References = Mapping[str, Sequence[ManifestRow]]


def _references(rows: Sequence[ManifestRow], seed: int) -> References:
    """Authentic rows of every person, in random order."""
    people: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        if row.label == "real" and row.depicted_id is not None:
            people[row.depicted_id].append(row)
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    return {person: chance.sample(found, len(found)) for person, found in people.items()}


def _drawn(rows: Sequence[ManifestRow], references: References, seed: int) -> list[ManifestRow]:
    """Fakes to measure, taken in turn from the pairs of persons."""
    pairs: dict[tuple[str, str], list[ManifestRow]] = defaultdict(list)
    for row in rows:
        ids = (row.depicted_id or "", row.body_id or "")
        if row.label == "fake" and ids[0] != ids[1] and all(it in references for it in ids):
            pairs[ids].append(row)
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    groups = [chance.sample(group, len(group)) for group in pairs.values()]
    chance.shuffle(groups)
    return [row for row in chain.from_iterable(zip_longest(*groups)) if row is not None]


class _Photos:
    """Embeddings of the largest faces of rows."""

    def __init__(self, manifest: Manifest, faces: FaceAnalyserLike) -> None:
        self._manifest, self._faces = manifest, faces
        self.embedding = lru_cache(maxsize=4096)(self._embedding)

    def _embedding(self, row: ManifestRow) -> np.ndarray | None:
        """Unit vector (d,); None without a face or if the file cannot be read."""
        try:
            pixels = _pixels(self._manifest.file_of(row))
        except UnreadableImage:
            return None
        found = [] if pixels is None else self._faces.analyse([pixels])[0]
        return max(found, key=lambda face: _area(face.box)).embedding if found else None


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _pixels(path: Path) -> np.ndarray | None:
    """A picture, or a video's middle frame; None for an empty video."""
    if not is_video(path.name):
        return read_photo(path).pixels
    from tools.media.videos.sampling import sample_frames

    taken = [*sample_frames(path, at_most=3)]
    return taken[len(taken) // 2].pixels if taken else None


def _compared(
    row: ManifestRow, photos: _Photos, references: References
) -> tuple[float, float] | None:
    """Cosines of a fake to the depicted person and to the body's; None if one is missing."""
    face = photos.embedding(row)
    depicted = _person(row.depicted_id or "", row, photos, references)
    body = _person(row.body_id or "", row, photos, references)
    if face is None or depicted is None or body is None:
        return None
    return float(face @ depicted), float(face @ body)


def _person(
    person: str, fake: ManifestRow, photos: _Photos, references: References
) -> np.ndarray | None:
    """Mean direction of a person's authentic faces; the fake's own footage is used only if
    needed."""
    own = {fake.source_video}
    order = references[person]
    elsewhere = [row for row in order if not {row.video_id, row.path} & own]
    found = [photos.embedding(row) for row in (elsewhere or order)[:REFERENCES]]
    vectors = [it for it in found if it is not None]
    if not vectors:
        return None
    mean: np.ndarray = np.sum(vectors, axis=0)
    unit: np.ndarray = mean / np.linalg.norm(mean)
    return unit
