"""Load DFDC, the data set of the Deepfake Detection Challenge.

    dfdc/
      [train/]dfdc_train_part_0/metadata.json     {"aaaa.mp4": {label, split, original}}
      [train/]dfdc_train_part_0/aaaa.mp4
      test/labels.csv                             filename,label: 0 real, 1 fake
      test/[videos/]bbbb.mp4

also as frames: …/frames/aaaa/000.png. Any folder with a metadata.json or a labels.csv is a part.

Identity: unpublished, so depicted_id and body_id are None (detection only). `source_video` is the
original's name, if metadata.json has it. Split: from metadata.json; for labels.csv the folder's
name. Not known: method, compression, sources of the test set. Terms: the challenge's, for research
on detection (tag `dfdc-terms`).
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from evals.datasets.csv_table import read_lines
from evals.datasets.listing import LoaderNotes, files, media, starts_with
from evals.datasets.loaders.clips import Clip, clips
from evals.datasets.manifest import Label, Manifest, ManifestRow
from tools.errors import SetupError

LICENCE = "dfdc-terms"
METADATA, LABELS = "metadata.json", "labels.csv"
_BY_WORD: Mapping[str, Label] = {"REAL": "real", "FAKE": "fake"}
_BY_DIGIT: Mapping[str, Label] = {"0": "real", "1": "fake"}


def recognises(root: Path) -> bool:
    """Whether a part with its table of labels exists, here or one or two folders below."""
    tables = (it for depth in ("", "*/", "*/*/") for it in root.glob(depth + METADATA))
    if any(starts_with(it, '"label"', '"split"') for it in tables):
        return True
    return any(starts_with(it, "filename,label") for it in (root / LABELS, root / "test" / LABELS))


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError for missing or unreadable tables."""
    found, parts = LoaderNotes(), _parts(root)
    tables = {table.relative_to(root).as_posix() for _, table in parts.values()}
    paths = [path for path in files(root) if path not in tables]
    rows, seen = [], set[tuple[str, str]]()
    for clip in clips(media(paths, found), found):
        part = next((it for it in _above(clip) if it in parts), None)
        named = None if part is None else parts[part][0].get(clip.name)
        if part is None or named is None:
            found.add("in no table of labels", clip.path)
            continue
        seen.add((part, clip.name))
        rows.append(_row(clip, named))
    listed = {(part, name) for part, (labels, _) in parts.items() for name in labels}
    found.add("listed but missing", *(f"{part}/{name}" for part, name in listed - seen))
    if not rows:
        raise SetupError(f"no video listed in the tables is in {str(root)!r}")
    return Manifest("dfdc", root, tuple(rows), found.notes())


Named = tuple[Label, str, str | None]  # label, split, original


def _row(clip: Clip, named: Named) -> ManifestRow:
    label, split, original = named
    return ManifestRow(
        clip.path, "dfdc", label, split, video_id=clip.name, frame=clip.frame,
        source_video=original, licence_tag=LICENCE,
    )  # fmt: skip


def _above(clip: Clip) -> list[str]:
    """The clip's folder and its parents, nearest first."""
    home = PurePosixPath(clip.home)
    return [it.as_posix() for it in (home, *home.parents)]


def _parts(root: Path) -> dict[str, tuple[dict[str, Named], Path]]:
    """For every folder with a table, relative to the root: video names and their labels."""
    parts = {
        path.parent.relative_to(root).as_posix(): (_metadata(path), path)
        for path in sorted(root.rglob(METADATA))
    }
    for path in sorted(root.rglob(LABELS)):
        parts[path.parent.relative_to(root).as_posix()] = (_labels(path), path)
    if not parts:
        raise SetupError(f"no {METADATA} and no {LABELS} below {str(root)!r}: DFDC comes with them")
    return parts


def _metadata(path: Path) -> dict[str, Named]:
    return {Path(name).stem: _said(path, name, it) for name, it in json_table(path).items()}


def _said(path: Path, name: str, said: Mapping[str, Any]) -> Named:
    label = _BY_WORD.get(str(said.get("label")))
    if label is None:
        raise SetupError(
            f"{str(path)!r}: {name!r}: label {said.get('label')!r} is not REAL or FAKE"
        )
    original = said.get("original") if label == "fake" else None
    return label, str(said.get("split") or ""), Path(original).stem if original else None


def _labels(path: Path) -> dict[str, Named]:
    labels: dict[str, Named] = {}
    for number, line in read_lines(
        path, path.parent, LABELS, ("filename", "label"), paths=("filename",)
    ):
        label = _BY_DIGIT.get(line["label"])
        if label is None:
            raise SetupError(f"{str(path)!r}: line {number}: label {line['label']!r} is not 0 or 1")
        labels[Path(line["filename"]).stem] = (label, path.parent.name, None)
    return labels


def json_table(path: Path) -> dict[str, dict[str, Any]]:
    """A JSON object of objects; raises SetupError for anything else."""
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SetupError(f"{str(path)!r} is not JSON ({error})") from error
    if not (isinstance(table, dict) and all(isinstance(it, dict) for it in table.values())):
        raise SetupError(f"{str(path)!r} is not an object with an object for each video")
    return table
