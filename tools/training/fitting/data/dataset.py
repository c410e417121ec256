"""Scan a user's folders: pictures, their persons, and the split by person.

Persons are groups of authentic faces. A forgery is assigned to the person it resembles, to the
person of its original (if the file names match), and to the person whose sub-folder has the same
name; forged faces that resemble no person are grouped among themselves.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tools.training.fitting.data.crops import same_framing
from tools.training.fitting.data.faces import FolderScan, FolderScanner, ScannedImage, SkippedFile
from tools.training.fitting.data.identity_groups import cluster_faces, match_persons
from tools.training.fitting.data.splits import Split, assign_splits, split_of

Progress = Callable[[str, int, int], None]
"""Called with the current step, how much of it is done, and the total."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonImage:
    """A picture, its persons, and its original if it is a forgery of a known one.

    `unidentified`: no person of the authentic photographs could be assigned.
    """

    picture: ScannedImage
    persons: frozenset[str]
    original: ScannedImage | None = None
    unidentified: bool = False

    @property
    def person(self) -> str:
        """One of the persons: the one it counts for in the figures."""
        return min(self.persons)


@dataclass(frozen=True, slots=True, eq=False)
class PersonDataset:
    """The usable pictures, the part of every person, and the skipped files."""

    members: tuple[PersonImage, ...]
    parts: Mapping[str, Split]
    skipped: tuple[SkippedFile, ...]
    apart: int

    def of(self, *parts: Split) -> list[PersonImage]:
        """Pictures of these parts; each picture is in one part."""
        return [it for it in self.members if split_of(it.persons, self.parts) in parts]

    @property
    def unattributed(self) -> int:
        """Number of forgeries of unknown persons, who may also be in another part."""
        return sum(it.unidentified for it in self.members)

    def persons(self, *parts: Split) -> int:
        """Number of persons in these parts."""
        return sum(part in parts for part in self.parts.values())


def scan_folders(
    faces: FolderScanner, real: Path, fake: Path | None, *, seed: int, progress: Progress
) -> PersonDataset:
    """Find the faces below both folders, group them, and split the persons.

    `real` may lie inside `fake`, as one of several classes: its files are not treated as forgeries.
    Raises SetupError if a folder does not exist, or there are too few persons.
    """
    scans = [
        faces.scan(folder, forged=forged, progress=partial(progress, what), without=without)
        for folder, forged, without, what in (
            (real, False, None, "finding authentic faces"),
            (fake, True, real, "finding forged faces"),
        )
        if folder is not None
    ]  # fmt: skip
    authentic, forged, skipped = _without_doubles(scans)
    of_real = identify_persons(authentic)
    known = [PersonImage(it, names) for it, names in zip(authentic, of_real, strict=True)]
    members = [*known, *_forgeries(forged, known)]
    seen = [(it.persons, it.picture.forged) for it in members]
    parts = assign_splits(seen, seed=seed, forgeries=fake is not None)
    kept = tuple(it for it in members if split_of(it.persons, parts) is not None)
    return PersonDataset(kept, parts, (*skipped,), len(members) - len(kept))


def identify_persons(pictures: Sequence[ScannedImage]) -> list[frozenset[str]]:
    """The persons in each picture: of its main face and of the other faces.

    A picture without a face counts as a separate person, since its person is unknown.
    """
    faces = [
        (row, face, it.folder if rank == 0 else "")
        for row, it in enumerate(pictures)
        for rank, face in enumerate(_embeddings(it))
    ]
    found = [set[str]() for _ in pictures]
    if faces:
        rows, vectors, folders = zip(*faces, strict=True)
        for row, name in zip(rows, cluster_faces(np.array(vectors), folders), strict=True):
            found[row].add(name)
    return [
        frozenset(names) or frozenset({f"picture {it.id}"})
        for it, names in zip(pictures, found, strict=True)
    ]


def _embeddings(picture: ScannedImage) -> list[np.ndarray]:
    return [] if picture.embedding is None else [picture.embedding, *picture.others]


def _without_doubles(
    scans: Sequence[FolderScan],
) -> tuple[list[ScannedImage], list[ScannedImage], list[SkippedFile]]:
    """Authentic and forged pictures without duplicates; a file found on both sides is dropped."""
    skipped = [it for scan in scans for it in scan.skipped]
    # Of two identical files, keep the one in a sub-folder: its name is informative.
    pictures = sorted((it for scan in scans for it in scan.pictures), key=lambda it: not it.folder)
    kinds = defaultdict[str, set[bool]](set)
    for it in pictures:
        kinds[it.id].add(it.forged)
    found: dict[str, ScannedImage] = {}
    for it in pictures:
        if len(kinds[it.id]) == 2:
            skipped.append(
                SkippedFile(it.path, "the same file is among the authentic and the forged pictures")
            )
        elif it.id in found:
            skipped.append(SkippedFile(it.path, "the same as another file"))
        else:
            found[it.id] = it
    authentic = [it for it in found.values() if not it.forged]
    return authentic, [it for it in found.values() if it.forged], skipped


def _forgeries(forged: Sequence[ScannedImage], known: Sequence[PersonImage]) -> list[PersonImage]:
    names, means = _means(known)
    by_stem = defaultdict[str, list[PersonImage]](list)
    for member in known:
        by_stem[member.picture.name.stem].append(member)
    of_folder = _persons_of_folders(known)
    found: list[PersonImage] = []
    strangers: list[ScannedImage] = []
    for it in forged:
        original = next((m for m in by_stem[it.name.stem] if same_framing(m.picture, it)), None)
        persons = {names[row] for face in _embeddings(it) for row in match_persons(face, means)}
        persons |= set() if original is None else original.persons
        persons |= of_folder.get(it.name.parent.name, set())
        if persons:
            own = None if original is None else original.picture
            found.append(PersonImage(it, frozenset(persons), own))
        else:
            strangers.append(it)
    for stranger, persons_too in zip(strangers, identify_persons(strangers), strict=True):
        unknown = frozenset(f"unknown {name}" for name in persons_too)
        found.append(PersonImage(stranger, unknown, unidentified=True))
    return sorted(found, key=lambda member: member.picture.name)


def _persons_of_folders(known: Sequence[PersonImage]) -> dict[str, set[str]]:
    """The person of each sub-folder name; sub-folders with several persons are left out."""
    found = defaultdict[str, set[str]](set)
    for it in known:
        if it.picture.folder:
            found[it.picture.name.parent.name] |= it.persons
    return {name: persons for name, persons in found.items() if len(persons) == 1}


def _means(known: Sequence[PersonImage]) -> tuple[list[str], np.ndarray]:
    """Persons, and their mean embeddings (p, e), from the main faces of pictures."""
    sums: dict[str, np.ndarray] = {}
    counts: Counter[str] = Counter()
    for it in known:
        # For a picture with several persons, the mapping of faces to persons is not kept.
        if it.picture.embedding is not None and len(it.persons) == 1:
            name = it.person
            sums[name] = sums.get(name, 0) + it.picture.embedding.astype(np.float64)
            counts[name] += 1
    if not sums:
        return [], np.empty((0, 0))
    return list(sums), np.stack([total / counts[name] for name, total in sums.items()])
