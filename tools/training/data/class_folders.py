"""Datasets with one folder of pictures per class, split into parts that share no group.

    DIR/<class>/<group>__<anything>.png     one person, or made from one original
    DIR/<class>/<group>/<anything>.png      the same
    DIR/<class>/<name>.png                  the name is the group: 0001 of two classes are one

All pictures of a group are in the same part (train, validation or test), in every class: otherwise
a network could recognise the person or the original instead of the forgery.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from tools.detectors.networks.class_labels import LabelMeaning, label_meaning
from tools.errors import SetupError
from tools.media.paths import walk
from tools.media.pictures.decoding import read_photo
from tools.media.skip_reasons import UnreadableImage

Split = Literal["learn", "judge", "test"]
SPLIT_FRACTIONS: Mapping[Split, float] = {"learn": 0.70, "judge": 0.15, "test": 0.15}
SPLIT = "split.json"
_HEX = 16  # hex digits that identify a picture in SPLIT: unique enough for any folder


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A file of a class; `sha256` of its bytes; `group` is its person or original."""

    path: Path
    label: str
    group: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ClassFolderDataset:
    """The pictures of a folder; `skipped` files could not be decoded, `copies` duplicate another
    file."""

    pictures: tuple[LabelledImage, ...]
    skipped: tuple[str, ...] = ()
    copies: int = 0


def read_class_folders(root: Path) -> ClassFolderDataset:
    """The pictures of every folder in `root`; raises SetupError with fewer than two classes."""
    if not root.is_dir():
        raise SetupError(
            f"{str(root)!r} is not a folder: training needs one with a folder per class"
        )
    rows = [
        (file.path, folder.name, group_of(file.path, folder))
        for folder in sorted(it for it in root.iterdir() if it.is_dir())
        for file in walk([folder])
        if file.problem is None
    ]
    return dataset_from_rows(rows, source=root)


def group_of(path: Path, folder: Path) -> str:
    """The group of a file in a class folder; see the module's docstring."""
    before, marked, _ = path.name.partition("__")
    if marked:
        return before
    below = path.relative_to(folder).parts
    return below[0] if len(below) > 1 else path.stem


def dataset_from_rows(
    rows: Sequence[tuple[Path, str, str]], *, source: object = "the list"
) -> ClassFolderDataset:
    """The pictures of (path, class, group) rows, without duplicates.

    Raises SetupError with fewer than two classes, and if two classes contain the same file.
    """
    kept: dict[str, LabelledImage] = {}
    skipped, copies = [], 0
    for path, label, group in rows:
        try:
            sha256 = read_photo(path).id
        except UnreadableImage as error:
            skipped.append(str(error))
            continue
        twin = kept.setdefault(sha256, LabelledImage(path, label, group, sha256))
        if twin.label != label:
            raise SetupError(
                f"{str(path)!r} is the same file as {str(twin.path)!r}: delete it from the "
                "wrong class"
            )
        copies += twin.path != path
    labels = sorted({it.label for it in kept.values()})
    if len(labels) < 2:
        raise SetupError(
            f"{source} holds pictures of {len(labels)} class{'' if len(labels) == 1 else 'es'} "
            f"{labels}: put at least two folders of pictures into it, one per class"
        )
    return ClassFolderDataset(tuple(kept.values()), tuple(skipped), copies)


def label_meanings(labels: Sequence[str], *, real: Sequence[str] = ()) -> dict[str, LabelMeaning]:
    """Meaning of each class, in order: authentic if its name says so or `real` lists it, else fake.

    A class is a generator if its name says neither and another class is authentic. Raises
    SetupError if no class is authentic, if all are, and if `real` lists an unknown class.
    """
    if strangers := sorted(set(real) - set(labels)):
        raise SetupError(f"--real names {strangers}; the classes are {list(labels)}")
    authentic = {it for it in labels if it in real or (not real and label_meaning(it) == "real")}
    if not authentic or len(authentic) == len(labels):
        which = "all" if authentic else "none"
        raise SetupError(
            f"{which} of the classes {list(labels)} would be authentic: name those that are with "
            "--real CLASS"
        )
    return {label: "real" if label in authentic else "fake" for label in labels}


def split_by_group(
    pictures: Sequence[LabelledImage], *, seed: int
) -> dict[Split, list[LabelledImage]]:
    """Split every class about 70/15/15 by whole groups; no group is in two parts.

    Raises SetupError if a class has too few groups for all three parts.
    """
    of_group: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in pictures:
        of_group[picture.group][picture.label] += 1
    names = sorted(of_group)
    order = [names[at] for at in np.random.default_rng(seed).permutation(len(names))]
    order.sort(key=lambda name: -of_group[name].total())
    totals = Counter(it.label for it in pictures)
    held: dict[Split, Counter[str]] = {part: Counter() for part in SPLIT_FRACTIONS}
    place: dict[str, Split] = {}
    for name in order:
        place[name] = max(SPLIT_FRACTIONS, key=_lacks(of_group[name], held, totals))
        held[place[name]] += of_group[name]
    if missing := [
        (it, part) for part in SPLIT_FRACTIONS for it in sorted(totals) if not held[part][it]
    ]:
        label, part = missing[0]
        raise SetupError(
            f"class {label!r} has too few persons or originals for the {part} part: "
            "it needs at least three (add pictures, or name files GROUP__NUMBER)"
        )
    return {part: [it for it in pictures if place[it.group] == part] for part in SPLIT_FRACTIONS}


def _lacks(
    group: Counter[str], held: Mapping[Split, Counter[str]], totals: Counter[str]
) -> Callable[[Split], float]:
    """How much of a part's missing pictures of these classes the group would supply."""

    def lack(part: Split) -> float:
        wanted = (
            count * (1 - held[part][label] / (SPLIT_FRACTIONS[part] * totals[label]))
            for label, count in group.items()
        )
        return sum(wanted)

    return lack


def split_sha256(parts: Mapping[Split, Sequence[LabelledImage]]) -> str:
    """One sha256 (hex) over which picture is in which part and class."""
    lines = sorted(f"{part} {it.label} {it.sha256}\n" for part in parts for it in parts[part])
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_split(parts: Mapping[Split, Sequence[LabelledImage]], folder: Path, *, seed: int) -> None:
    """Save the split by file digest, beside the weights trained on it."""
    told: dict[str, object] = {"digest": split_sha256(parts), "seed": seed}
    told |= {part: sorted(it.sha256[:_HEX] for it in parts[part]) for part in parts}
    (folder / SPLIT).write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def seen_in_training(folder: Path) -> Callable[[str], bool]:
    """Whether a picture (by sha256) was used for training or validation; always False without a
    record."""
    path = folder / SPLIT
    told = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    seen = {it for part in get_args(Split) if part != "test" for it in told.get(part, ())}
    return lambda sha256: sha256[:_HEX] in seen
