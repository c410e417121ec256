"""The manifest of a data set: one labelled row per picture or video, in one format for all data
sets.

Every loader builds a `Manifest`; suites read nothing else. Unknown values are None, never guessed.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Literal, Self, get_args

Label = Literal["real", "fake", "unknown"]
LABELS: tuple[Label, ...] = get_args(Label)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One picture, or one whole video.

    `path` is relative to the manifest's root, with forward slashes. A video is a row with a
    `video_id` and no `frame`; a frame stored as a picture has both (numbered as in the data set); a
    picture that belongs to no video has neither. `depicted_id` is the person whose face is shown,
    `body_id` the person whose footage it is; on authentic rows both are the same. `source_video` is
    the authentic video or picture from which a fake was made. `licence_tag` names the licence
    terms. `mask` is a file that marks the forged area.
    """

    path: str
    dataset: str
    label: Label
    split: str = ""
    video_id: str | None = None
    frame: int | None = None
    depicted_id: str | None = None
    body_id: str | None = None
    method: str | None = None
    compression: str | None = None
    source_video: str | None = None
    licence_tag: str | None = None
    sha256: str | None = None
    mask: str | None = None


# The column order in files, in `methods` documents and in other tools that share such tables.
COLUMNS = (
    "path", "sha256", "dataset", "split", "video_id", "frame", "label", "depicted_id", "body_id",
    "method", "compression", "source_video", "licence_tag", "mask",
)  # fmt: skip
if {*COLUMNS} != {it.name for it in fields(ManifestRow)}:
    raise RuntimeError("COLUMNS and Row have parted")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows below the folder `root`, with `notes` from loading: counts and problems."""

    name: str
    root: Path
    rows: tuple[ManifestRow, ...]
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 over the rows, independent of their order; root, name and notes are excluded."""
        lines = sorted(json.dumps(asdict(row), sort_keys=True) for row in self.rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def file_of(self, row: ManifestRow) -> Path:
        """Absolute path of the row's file."""
        return self.root / row.path

    def where(self, predicate: Callable[[ManifestRow], bool]) -> Self:
        """The rows for which the predicate is true, in order."""
        return replace(self, rows=tuple(row for row in self.rows if predicate(row)))

    def with_notes(self, **notes: str) -> Self:
        """The same rows with further notes; underscores in names become spaces."""
        further = {name.replace("_", " "): text for name, text in notes.items()}
        return replace(self, notes={**self.notes, **further})

    def sample(self, limit: int | None, seed: int = 0) -> Self:
        """At most `limit` rows, drawn evenly from real and fake, and evenly from the methods.

        Equal seeds give equal rows, independent of the input order; the order is kept. The share of
        an exhausted class goes to the others. None keeps all rows.
        """
        if limit is None or limit >= len(self.rows):
            return self
        drawn = set(_dealt(self.rows, seed)[:limit])
        return self.where(drawn.__contains__)


def _dealt(rows: Iterable[ManifestRow], seed: int) -> list[ManifestRow]:
    """All rows, alternating labels, and methods within a label, otherwise random."""
    shuffled = sorted(rows, key=lambda row: (row.path, -1 if row.frame is None else row.frame))
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - not for secrets
    labels = _grouped(shuffled, lambda row: row.label)
    methods = [_grouped(group, lambda row: row.method or "") for group in labels]
    return [*_in_turns([[*_in_turns(groups)] for groups in methods])]


def _grouped(
    rows: Sequence[ManifestRow], key: Callable[[ManifestRow], str]
) -> list[list[ManifestRow]]:
    names = sorted({key(row) for row in rows})
    return [[row for row in rows if key(row) == name] for name in names]


def _in_turns(groups: Sequence[Sequence[ManifestRow]]) -> Iterator[ManifestRow]:
    return (row for row in chain.from_iterable(zip_longest(*groups)) if row is not None)
