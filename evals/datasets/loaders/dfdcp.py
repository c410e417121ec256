"""Load DFDC-P, the preview data set of the Deepfake Detection Challenge.

    dfdcp/
      dataset.json                                {path: {label, set[, target_id, swapped_id]}}
      original_videos/643669/643669_A_001.mp4
      method_A/1795659/1795659_B/2059066_1795659_B_001.mp4
      method_B/…

also as frames: method_A/frames/2059066_1795659_B_001/000.png (DeepfakeBench).

Identity: if dataset.json has them, `swapped_id` is assumed to be the depicted person and
`target_id` the body, as the names suggest; this is unverified, so check it with
`evals.datasets.identities`. Authentic videos then show the actor of their folder. Without those
keys ids are None. Split: `set`. Not known: compression, source video. Terms: the challenge's (tag
`dfdc-terms`).
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from evals.datasets.listing import LoaderNotes, files, media
from evals.datasets.loaders.clips import Clip, clips
from evals.datasets.loaders.dfdc import LICENCE, json_table
from evals.datasets.manifest import Label, Manifest, ManifestRow
from tools.errors import SetupError

TABLE = "dataset.json"
ORIGINALS = "original_videos"
_LABELS: Mapping[str, Label] = {"real": "real", "fake": "fake"}


def recognises(root: Path) -> bool:
    """Whether its table exists beside one of its folders."""
    folders = (ORIGINALS, "method_A", "method_B")
    return (root / TABLE).is_file() and any((root / folder).is_dir() for folder in folders)


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError if dataset.json is missing or invalid."""
    if not (root / TABLE).is_file():
        raise SetupError(f"no {TABLE} in {str(root)!r}: DFDC-P comes with it")
    found, table = LoaderNotes(), _table(root / TABLE)
    paths = [path for path in files(root) if path != TABLE]
    rows, seen = [], set[tuple[str, str]]()
    for clip in clips(media(paths, found), found):
        key = (clip.path.split("/")[0], clip.name)
        if key not in table:
            found.add(f"not in {TABLE}", clip.path)
            continue
        seen.add(key)
        rows.append(_row(clip, *table[key]))
    found.add("listed but missing", *(f"{top}/{name}" for top, name in table.keys() - seen))
    if not rows:
        raise SetupError(f"no video listed in {TABLE} is in {str(root)!r}")
    return Manifest("dfdcp", root, tuple(rows), found.notes())


Said = tuple[Label, Mapping[str, Any], str | None]  # label, the entry, the actor of an original


def _table(path: Path) -> dict[tuple[str, str], Said]:
    """Entries by top folder and video name: frames keep no more of the path."""
    entries = json_table(path)
    known = any("swapped_id" in entry for entry in entries.values())
    table: dict[tuple[str, str], Said] = {}
    for name, entry in entries.items():
        label = _LABELS.get(str(entry.get("label")).lower())
        if label is None:
            said = entry.get("label")
            raise SetupError(f"{str(path)!r}: {name!r}: label {said!r} is not real or fake")
        place, top = PurePosixPath(name), name.split("/")[0]
        actor = place.parent.name if known and top == ORIGINALS else None
        table[top, place.stem] = (label, entry, actor)
    return table


def _row(clip: Clip, label: Label, entry: Mapping[str, Any], actor: str | None) -> ManifestRow:
    fake = label == "fake"
    return ManifestRow(
        clip.path, "dfdcp", label, str(entry.get("set") or ""),
        video_id=f"{clip.path.split('/')[0]}/{clip.name}", frame=clip.frame,
        depicted_id=_id(entry, "swapped_id") if fake else actor,
        body_id=_id(entry, "target_id") if fake else actor,
        method=clip.path.split("/")[0] if fake else None,
        licence_tag=LICENCE,
    )  # fmt: skip


def _id(entry: Mapping[str, Any], key: str) -> str | None:
    value = entry.get(key)
    return None if value is None or value == "" else str(value)
