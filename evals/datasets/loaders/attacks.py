"""Load generated pictures of known persons (Arc2Face, DynamicFace or any other generator).

    root/
      [train/ val/ test/]
        real/[ada/]…                 authentic; the folder is the person
        fake/Arc2Face/[ada/]…        the method, and below it whom the pictures depict
        Arc2Face/[ada/]…             the same without fake/
      …/attack.json                  says more of every picture below it
      …/portrait.json                says more of portrait.png alone, like attack.json

Both are JSON objects and may hold "generator", "version", "licence", "depicted" and "body"; the
nearest one applies, and other entries are ignored. The method is the generator with its version, or
the folder's name. With a "generator" in the attack.json of root itself its folders are persons.

Recognised by an attack.json in root or two levels below, by a folder within fake/METHOD/, or by a
METHOD/PERSON whose person is in real/ too. Identity: depicted is the JSON entry, otherwise the
folder; the body is the JSON entry, otherwise unknown (for an authentic picture: the person itself).
`identities` checks the names. Not known: compression, source; terms without a licence entry (no
tag).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evals.datasets.csv_table import name_of
from evals.datasets.listing import LoaderNotes, files, is_video, media
from evals.datasets.loaders.folders import PLAIN, SPLITS, words_of
from evals.datasets.manifest import Label, Manifest, ManifestRow
from tools.errors import SetupError

ABOUT = "attack.json"
SAID = ("generator", "version", "licence", "depicted", "body")
_ATTACKS = frozenset({"fake", "fakes", "attack", "attacks"})

Said = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FolderLabels:
    """Labels of a picture from its folders."""

    label: Label
    split: str
    method: str | None
    person: str | None


def recognises(root: Path) -> bool:
    """Whether there are attack descriptions, or attacks in person folders; see the module's
    docstring."""
    if not root.is_dir():
        return False
    if any(next(root.glob(f"{above}{ABOUT}"), None) for above in ("", "*/", "*/*/")):
        return True
    tops = _folders(root)
    explicit = [method for it in tops if it.name.lower() in _ATTACKS for method in _folders(it)]
    authentic = {it.name for top in tops if _is_real(top.name) for it in _folders(top)}
    bare = [it for it in tops if not words_of(it.name) & (PLAIN["real"] | PLAIN["fake"])]
    return any(_persons(it) for it in explicit) or any(authentic & _persons(it) for it in bare)


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError for unreadable descriptions or missing attacks."""
    found = LoaderNotes()
    paths = files(root)
    told = {it: _read(root / it) for it in paths if PurePosixPath(it).name == ABOUT}
    pictures = {PurePosixPath(it).with_suffix(".json").as_posix() for it in paths if _shown(it)}
    beside = {it: _read(root / it) for it in paths if it in pictures}
    rows = []
    for path in media((it for it in paths if it not in told and it not in beside), found):
        said = _about(path, told, beside)
        place = _place(path, said, of_one_method="generator" in told.get(ABOUT, {}))
        rows.append(_row(path, place, said, dataset=name_of(root)))
    fakes = [row for row in rows if row.label == "fake"]
    if not fakes:
        raise SetupError(f"no attacks in {str(root)!r}: put them into fake/METHOD/PERSON/")
    found.add("depicting nobody known", *(it.path for it in fakes if it.depicted_id is None))
    manifest = Manifest(name_of(root), root, tuple(rows), found.notes())
    return manifest.with_notes(methods=_counted(row.method for row in fakes))


def _row(path: str, place: FolderLabels, said: Said, *, dataset: str) -> ManifestRow:
    person = said.get("depicted", place.person)
    fake = place.label == "fake"
    return ManifestRow(
        path, dataset, place.label, place.split,
        video_id=PurePosixPath(path).with_suffix("").as_posix() if is_video(path) else None,
        depicted_id=person, body_id=said.get("body") if fake else person,
        method=_method(place, said) if fake else None,
        licence_tag=said.get("licence"),
    )  # fmt: skip


def _method(place: FolderLabels, said: Said) -> str | None:
    name = said.get("generator", place.method)
    return f"{name} {said['version']}" if name and "version" in said else name


# -- folders ---------------------------------------------------------------------------------


def _place(path: str, said: Said, *, of_one_method: bool) -> FolderLabels:
    folders = PurePosixPath(path).parts[:-1]
    split = next((SPLITS[it.lower()] for it in folders if it.lower() in SPLITS), "")
    rest = [it for it in folders if it.lower() not in SPLITS]
    if rest and _is_real(rest[0]):
        return FolderLabels("real", split, None, _at(rest, 1))
    if rest and rest[0].lower() in _ATTACKS:
        return FolderLabels("fake", split, _at(rest, 1), _at(rest, 2))
    if of_one_method:
        return FolderLabels("fake", split, None, _at(rest, 0))
    if not rest and "generator" not in said:
        raise SetupError(f"{path!r} is not in a method's folder: put it into fake/METHOD/PERSON/")
    return FolderLabels("fake", split, _at(rest, 0), _at(rest, 1))


def _at(folders: list[str], depth: int) -> str | None:
    return folders[depth] if len(folders) > depth else None


def _folders(folder: Path) -> list[Path]:
    """The direct sub-folders; split folders are replaced by their sub-folders."""
    below = sorted(it for it in folder.iterdir() if it.is_dir())
    return [part for it in below for part in (_folders(it) if it.name.lower() in SPLITS else [it])]


def _is_real(name: str) -> bool:
    return name.lower() in PLAIN["real"]


def _persons(method: Path) -> set[str]:
    """Sub-folders of a method that may be persons: neither numbers nor label words."""
    labels = PLAIN["real"] | PLAIN["fake"]
    return {
        it.name
        for it in _folders(method)
        if not it.name.isdigit() and not words_of(it.name) & labels
    }


# -- descriptions ----------------------------------------------------------------------------


def _about(path: str, told: Mapping[str, Said], beside: Mapping[str, Said]) -> Said:
    """Description of a picture; nearer files override farther ones."""
    place = PurePosixPath(path)
    said: dict[str, str] = {}
    for folder in reversed(place.parents):
        said.update(told.get((folder / ABOUT).as_posix(), {}))
    return {**said, **beside.get(place.with_suffix(".json").as_posix(), {})}


def _shown(path: str) -> bool:
    return next(media([path], LoaderNotes()), None) is not None


def _read(path: Path) -> Said:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{str(path)!r} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise SetupError(f"{str(path)!r} is not a JSON object")
    said = {name: content[name] for name in SAID if content.get(name) is not None}
    for name, value in said.items():
        if not isinstance(value, str | int | float) or not str(value).strip():
            raise SetupError(f"{str(path)!r}: {name!r} must be a text, not {value!r}")
    return {name: str(value).strip() for name, value in said.items()}


def _counted(names: Iterable[str | None]) -> str:
    counts = Counter(name or "not known" for name in names)
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
