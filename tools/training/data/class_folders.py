"""Pictures in a folder per class, and their division into parts that share no group.

    DIR/<class>/<group>__<anything>.png     of one person, or made from one original
    DIR/<class>/<group>/<anything>.png      likewise
    DIR/<class>/<name>.png                  its group is its name: 0001 of two classes are one

What is of one group is either learnt from, or judged by, or tested on, in whichever class it
lies: a network that knows the person, or the original, would be right for the wrong reason.
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
from tools.media.images import UnreadableImage, read_photo, walk

Split = Literal["learn", "judge", "test"]
SPLIT_FRACTIONS: Mapping[Split, float] = {"learn": 0.70, "judge": 0.15, "test": 0.15}
SPLIT = "split.json"
_HEX = 16  # digits that name a picture in SPLIT: enough for any folder, and shorter by three


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A file of a class; `sha256` of its bytes; `group` is the person or original it is of."""

    path: Path
    label: str
    group: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ClassFolderDataset:
    """What a folder holds; `skipped` files gave no picture, `copies` have another's bytes."""

    pictures: tuple[LabelledImage, ...]
    skipped: tuple[str, ...] = ()
    copies: int = 0


def read_class_folders(root: Path) -> ClassFolderDataset:
    """The pictures of every folder in `root`; raises SetupError where there are no two classes."""
    if not root.is_dir():
        raise SetupError(f"{str(root)!r} is no folder: training wants one with a folder per class")
    rows = [
        (file.path, folder.name, group_of(file.path, folder))
        for folder in sorted(it for it in root.iterdir() if it.is_dir())
        for file in walk([folder])
        if file.problem is None
    ]
    return dataset_from_rows(rows, source=root)


def group_of(path: Path, folder: Path) -> str:
    """What a file in a class's folder is of, as this module's docstring has it."""
    before, marked, _ = path.name.partition("__")
    if marked:
        return before
    below = path.relative_to(folder).parts
    return below[0] if len(below) > 1 else path.stem


def dataset_from_rows(
    rows: Sequence[tuple[Path, str, str]], *, source: object = "the list"
) -> ClassFolderDataset:
    """The pictures of (path, class, group); each content once.

    Raises SetupError with fewer than two classes, and when one content lies in two of them.
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
                f"{str(path)!r} is the same file as {str(twin.path)!r}: delete it from the class "
                "that it is not of"
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
    """What each class is, in order: authentic when its words say so or `real` names it, else fake.

    A class is a generator when its name says nothing and another class is authentic. Raises
    SetupError when none is, when all are, and when `real` names a class that is not there.
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
    """70/15/15 of every class as nearly as whole groups allow; no group is in two parts.

    Raises SetupError when a class has too few groups to be in all three.
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
            f"class {label!r} has too few persons or originals to {part} by: it needs three at "
            "least (add pictures, or name files GROUP__NUMBER)"
        )
    return {part: [it for it in pictures if place[it.group] == part] for part in SPLIT_FRACTIONS}


def _lacks(
    group: Counter[str], held: Mapping[Split, Counter[str]], totals: Counter[str]
) -> Callable[[Split], float]:
    """How much of what a part still wants of these classes the group would bring it."""

    def lack(part: Split) -> float:
        wanted = (
            count * (1 - held[part][label] / (SPLIT_FRACTIONS[part] * totals[label]))
            for label, count in group.items()
        )
        return sum(wanted)

    return lack


def split_sha256(parts: Mapping[Split, Sequence[LabelledImage]]) -> str:
    """One sha256 (hex) for who is in which part, and of which class."""
    lines = sorted(f"{part} {it.label} {it.sha256}\n" for part in parts for it in parts[part])
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_split(parts: Mapping[Split, Sequence[LabelledImage]], folder: Path, *, seed: int) -> None:
    """Write down which contents were in which part, beside the weights that learnt them."""
    told: dict[str, object] = {"digest": split_sha256(parts), "seed": seed}
    told |= {part: sorted(it.sha256[:_HEX] for it in parts[part]) for part in parts}
    (folder / SPLIT).write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def seen_in_training(folder: Path) -> Callable[[str], bool]:
    """Whether a picture, by its sha256, was learnt from or judged by; never, without a record."""
    path = folder / SPLIT
    told = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    seen = {it for part in get_args(Split) if part != "test" for it in told.get(part, ())}
    return lambda sha256: sha256[:_HEX] in seen
