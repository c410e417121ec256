"""Load any data set in DeepfakeBench's layout: frames on disk, one JSON file per data set.

    root/
      [preprocessing/]dataset_json/Celeb-DF-v2.json
        {data set: {label: {split: {[compression:] {video: {"label": …, "frames": […]}}}}}}
      [rgb/ or datasets/rgb/]Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png
                                            …/masks/… of forged frames likewise

`--data` may also name the JSON file. The list has the frame paths of the machine that made it
(absolute, or with backslashes): leading folders are dropped until the files are found near the
list; otherwise the paths are used unchanged. Source: github.com/SCLBD/DeepfakeBench,
preprocessing/rearrange.py.

Identity: Celeb-DF, FaceForensics++ and DFD as in their loaders; None for the others. Split: their
lists put every Celeb-DF video into train, and DFD's into all of train, val and test; here a video
is in one split, the strictest one listed (test, val, train). Not known: terms beyond those of the
data set; DeepfakeBench itself is CC BY-NC, but none of its files is used here (tag
`deepfakebench-cc-by-nc`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from evals.datasets.listing import LoaderNotes, frame_number, starts_with
from evals.datasets.loaders import celeb_df, dfd, faceforensics
from evals.datasets.manifest import Label, Manifest, ManifestRow
from tools.errors import SetupError

LICENCE = "deepfakebench-cc-by-nc"
METHODS = {
    "FF-DF": "Deepfakes", "FF-F2F": "Face2Face", "FF-FS": "FaceSwap", "FF-NT": "NeuralTextures",
    "FF-FH": "FaceShifter", "DFD_fake": dfd.FAKES, "DFDCP_FakeA": "method_A",
    "DFDCP_FakeB": "method_B", "CelebDFv1_fake": celeb_df.METHOD,
    "CelebDFv2_fake": celeb_df.METHOD,
}  # fmt: skip
_STRICTEST = ("test", "val", "train")
_FOLDERS = ("", "dataset_json", "preprocessing/dataset_json")
_FRAMES_IN = ("", "rgb", "datasets/rgb", "datasets")
_MEANT = 5  # set, class, frames/, video, frame
_TRIED = 200  # frames tried, to find their folder


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """A video of the list."""

    dataset: str
    kind: str
    split: str
    compression: str | None
    video: str
    frames: tuple[str, ...]

    def named(self, kind: str, video: str) -> str:
        """A video's id within the list."""
        return "/".join(filter(None, (kind, self.compression, video)))


def recognises(root: Path) -> bool:
    """Whether it is such a list, or a folder that contains some."""
    return bool(_lists(root))


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError if there are several lists, a broken one, or no matching
    frames."""
    path = _the_list(root)
    found = LoaderNotes()
    entries = [*_entries(path, found)]
    base, skipped = _frames_at(path, entries)
    rows: dict[str, ManifestRow] = {}
    for entry in entries:
        label = _label(entry.kind, path)
        for name in entry.frames:
            row = _row(entry, label, "/".join(_parts(name)[skipped:]), found)
            earlier = rows.setdefault(row.path, row)
            if earlier.split != row.split:
                found.add("in several splits", row.path)
                rows[row.path] = min(earlier, row, key=_strictness)
    kept = tuple(
        replace(row, mask=_mask(row, base)) for row in rows.values() if (base / row.path).is_file()
    )
    found.add("missing files", *(rows.keys() - {row.path for row in kept}))
    return Manifest(path.stem, base, kept, found.notes())


def _the_list(root: Path) -> Path:
    lists = _lists(root)
    if len(lists) > 1:
        names = ", ".join(sorted(it.name for it in lists))
        raise SetupError(f"several lists in {str(lists[0].parent)!r}: name one, of {names}")
    if not lists:
        raise SetupError(f"no list of DeepfakeBench (dataset_json/*.json) in {str(root)!r}")
    return lists[0]


def _lists(root: Path) -> list[Path]:
    if root.is_file():
        return [root] if root.suffix == ".json" else []
    for folder in _FOLDERS:
        lists = [it for it in sorted((root / folder).glob("*.json")) if starts_with(it, '"frames"')]
        if lists:
            return lists
    return []


def _strictness(row: ManifestRow) -> int:
    return _STRICTEST.index(row.split) if row.split in _STRICTEST else len(_STRICTEST)


# -- the list --------------------------------------------------------------------------------


def _entries(path: Path, found: LoaderNotes) -> Iterator[VideoEntry]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SetupError(f"{str(path)!r} is not JSON ({error})") from error
    for keys, frames in _leaves(tree, ()):
        if len(keys) == 4:
            dataset, kind, split, video = keys
            yield VideoEntry(dataset, kind, split, None, video, frames)
        elif len(keys) == 5:
            dataset, kind, split, compression, video = keys
            yield VideoEntry(dataset, kind, split, compression, video, frames)
        else:  # rearrange.py leaves one video without a name in DFDC's val
            found.add("broken entries", "/".join(keys))


def _leaves(tree: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    if isinstance(tree, dict) and isinstance(tree.get("frames"), list):
        yield keys, tuple(map(str, tree["frames"]))
    elif isinstance(tree, dict):
        for key, below in tree.items():
            yield from _leaves(below, (*keys, str(key)))


def _label(kind: str, path: Path) -> Label:
    lower = kind.lower()
    if lower.endswith("real"):
        return "real"
    if kind in METHODS or "fake" in lower:
        return "fake"
    raise SetupError(f"{str(path)!r}: label {kind!r} says neither real nor fake")


def _frames_at(path: Path, entries: list[VideoEntry]) -> tuple[Path, int]:
    """The base folder of the frames, and how many leading folders of the paths to drop."""
    names = [_parts(name) for entry in entries for name in entry.frames[:1]]
    tried = names[:: max(1, len(names) // _TRIED)]
    above = [path.parent, *[*path.parent.resolve().parents][:2]]
    for base in (folder / below for folder in above for below in _FRAMES_IN):
        for skipped in range(max(map(len, tried), default=0) - 2):
            if any(base.joinpath(*parts[skipped:]).is_file() for parts in tried):
                return base, skipped
    return _where_listed(path, names)


def _where_listed(path: Path, names: list[tuple[str, ...]]) -> tuple[Path, int]:
    """As `_frames_at`, for lists made on this machine, whose absolute paths exist."""
    here = next((it for it in names if Path("/").joinpath(*it).is_file()), None)
    if here is None:
        raise SetupError(
            f"no frame listed in {str(path)!r} is near it: put the list beside the frames' folder"
        )
    shared = 0  # of all names, the folders that say what a frame is of left aside
    while shared < len(here) - _MEANT and all(
        it[: shared + 1] == here[: shared + 1] for it in names
    ):
        shared += 1
    return Path("/").joinpath(*here[:shared]), shared


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/").lstrip("/")).parts


# -- rows ------------------------------------------------------------------------------------


def _row(entry: VideoEntry, label: Label, path: str, found: LoaderNotes) -> ManifestRow:
    frame = frame_number(PurePosixPath(path).stem)
    if frame is None:
        found.add("broken names", path)
    depicted, body, source = _who(entry, path)
    return ManifestRow(
        path, entry.dataset, label, entry.split,
        video_id=entry.named(entry.kind, entry.video), frame=frame,
        depicted_id=depicted, body_id=body,
        method=METHODS.get(entry.kind) if label == "fake" else None,
        compression=entry.compression,
        source_video=source if label == "fake" else None,
        licence_tag=LICENCE,
    )  # fmt: skip


def _mask(row: ManifestRow, base: Path) -> str | None:
    """The mask file of a frame, if there is one; masks of c23 serve all compressions."""
    for path in (row.path, row.path.replace(f"/{row.compression}/", "/c23/")):
        mask = path.replace("/frames/", "/masks/")
        if row.label == "fake" and mask != path and (base / mask).is_file():
            return mask
    return None


Who = tuple[str | None, str | None, str | None]  # depicted, body, the video it was made from
_NOBODY: Who = (None, None, None)


def _who(entry: VideoEntry, path: str) -> Who:
    if entry.kind.startswith("CelebDF"):
        return _of_celeb_df(entry, path)
    if entry.kind.startswith("FF-"):
        method = METHODS.get(entry.kind)
        found = faceforensics.persons(entry.video, method=method)
        return (*found, entry.named("FF-real", found[1])) if found else _NOBODY
    if entry.kind.startswith("DFD_"):
        actors = dfd.persons(entry.video, authentic=entry.kind == "DFD_real")
        if actors is None:
            return _NOBODY
        depicted, body, scene = actors
        return depicted, body, entry.named("DFD_real", f"{body}__{scene}")
    return _NOBODY


def _of_celeb_df(entry: VideoEntry, path: str) -> Who:
    parts: Mapping[str, None] = dict.fromkeys(PurePosixPath(path).parts)
    folder = next((it for it in parts if it in celeb_df.FOLDERS), "")
    who = celeb_df.persons(entry.video, folder)
    if who is None:
        return _NOBODY
    if folder != celeb_df.FAKE:
        return (*who, None)
    real = entry.kind.replace("_fake", "_real")
    return (*who, entry.named(real, celeb_df.original(entry.video)))
