"""Load Labeled Faces in the Wild (LFW), as published or with our labels.

    lfw/
      [images/]                     or the persons' folders directly below
        Ada_Lovelace/Ada_Lovelace_0001.jpg
      [labels.npz]                  `path`, `split`: train and val by person

Identity: the folder's name, as both depicted person and body. All rows are authentic. Split: from
labels.npz if present; unknown ("") otherwise and for unlisted images. Not known: which photographs
show the same occasion. Terms: for research; the photographs are press photos whose rights are with
their owners (tag `research`).
"""

import re
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from evals.datasets.listing import LoaderNotes, files, media
from evals.datasets.manifest import Manifest, ManifestRow
from tools.errors import SetupError

LICENCE = "research"
LABELS = "labels.npz"
_NAME = re.compile(r"(?P<person>.+)_\d{4}")


def recognises(root: Path) -> bool:
    """Whether there is a folder of photographs with its own name, Name/Name_0001.jpg."""
    base = _base(root)
    if not base.is_dir():
        return False
    return any((person / f"{person.name}_0001.jpg").is_file() for person in base.iterdir())


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError if no photograph is named as in LFW."""
    base, found = _base(root), LoaderNotes()
    splits, rows = _splits(root / LABELS), []
    for path in media((it for it in files(root) if it != LABELS), found):
        place = (root / path).relative_to(base) if base in (root / path).parents else Path(path)
        named = _NAME.fullmatch(place.stem)
        if named is None or place.parent.as_posix() != named["person"]:
            found.add("broken names", path)
            continue
        if splits and place.as_posix() not in splits:
            found.add(f"not in {LABELS}", path)
        rows.append(_row(path, named["person"], split=splits.get(place.as_posix(), "")))
    if not rows:
        raise SetupError(f"no Name/Name_0001.jpg below {str(base)!r}")
    return Manifest("lfw", root, tuple(rows), found.notes())


def _base(root: Path) -> Path:
    return root / "images" if (root / "images").is_dir() else root


def _row(path: str, person: str, *, split: str) -> ManifestRow:
    return ManifestRow(
        path, "lfw", "real", split, depicted_id=person, body_id=person, licence_tag=LICENCE
    )


def _splits(labels: Path) -> dict[str, str]:
    if not labels.is_file():
        return {}
    try:
        with np.load(labels, allow_pickle=False) as tables:
            paths, splits = tables["path"], tables["split"]
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        raise SetupError(f"{str(labels)!r} has no columns path and split ({error})") from error
    return dict(zip(paths.tolist(), splits.tolist(), strict=True))
