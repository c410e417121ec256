"""Load face swaps listed in a table with source and target.

    deepfakes/
      swaps.csv                     fake,authentic_source,authentic_target,method
      anywhere/ada_000.png          [,depicted_id,body_id,split]: paths below the table's folder

Identity (from the columns): the fake depicts the person of authentic_source; the body is that of
authentic_target. Person ids come from the columns depicted_id and body_id if the table has them,
otherwise from the file: its path without suffix and frame number, so that `orig_000.png` and
`orig_006.png` of one folder are one person. So two files of one person may count as two persons. A
name that ends in `_` and three or more digits is a frame of the clip before it. For a fully
synthesised person (e.g. by Arc2Face) there is no body: authentic_target is empty. Not known:
compression; terms (each source has its own, so no tag).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from evals.datasets.csv_table import find_table, manifest_of, name_of, read_lines
from evals.datasets.manifest import Manifest, ManifestRow
from tools.errors import SetupError

COLUMNS = ("fake", "authentic_source", "authentic_target", "method")
_FRAME = re.compile(r"(?P<clip>.+)_(?P<frame>\d{3,})")


def recognises(root: Path) -> bool:
    """Whether there is a swaps.csv, or `root` is such a table."""
    return find_table(root, "swaps.csv", COLUMNS) is not None


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError for a table with contradictions or without matching files."""
    table = find_table(root, "swaps.csv", COLUMNS)
    lines = read_lines(
        table, root, "swaps.csv", COLUMNS, paths=COLUMNS[:3], may_be_empty=("authentic_target",)
    )
    base = root if root.is_dir() else root.parent
    rows: dict[str, ManifestRow] = {}
    for number, line in lines:
        for row in _swap(line, dataset=name_of(base)):
            earlier = rows.setdefault(row.path, row)
            if earlier != row or (row.label == "fake" and earlier is not row):
                where = f"{str(table)!r}: line {number}"
                raise SetupError(f"{where}: {row.path!r} is listed twice, with different entries")
    return manifest_of(rows, base=base, table=table)


def _swap(line: Mapping[str, str], *, dataset: str) -> Iterator[ManifestRow]:
    depicted = line.get("depicted_id") or _clip(line["authentic_source"])[0]
    target = line["authentic_target"]
    body = line.get("body_id") or (_clip(target)[0] if target else None)
    split = line.get("split", "")
    clip, frame = _clip(line["fake"])
    yield ManifestRow(
        line["fake"], dataset, "fake", split,
        video_id=None if frame is None else clip, frame=frame,
        depicted_id=depicted, body_id=body, method=line["method"],
        source_video=_source(target) if target else None,
    )  # fmt: skip
    authentic = [(line["authentic_source"], depicted), *([(target, body)] if target else [])]
    for path, person in authentic:
        clip, frame = _clip(path)
        yield ManifestRow(
            path, dataset, "real", split,
            video_id=None if frame is None else clip, frame=frame,
            depicted_id=person, body_id=person,
        )  # fmt: skip


def _source(path: str) -> str:
    """The source clip of a fake, or the picture's path."""
    clip, frame = _clip(path)
    return path if frame is None else clip


def _clip(path: str) -> tuple[str, int | None]:
    """A path as clip and frame number; the whole path without suffix if it is not a frame."""
    place = PurePosixPath(path)
    named = _FRAME.fullmatch(place.stem)
    if named is None:
        return place.with_suffix("").as_posix(), None
    return (place.parent / named["clip"]).as_posix(), int(named["frame"])
