"""Load FaceForensics++ with all methods and compressions.

    FaceForensics++/
      original_sequences/youtube/{raw,c23,c40}/videos/000.mp4
      manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,NeuralTextures,FaceShifter}/
        {raw,c23,c40}/videos/000_003.mp4
        masks/videos/000_003.mp4
      [splits/]train.json val.json test.json        lists of pairs ["000", "003"]
      [persons.csv]                                 video,person: videos of the same person

also as frames: …/c23/{images,frames}/000_003/0000.png, masks likewise.

Identity: of `AAA_BBB` the footage is AAA. Swaps (Deepfakes, FaceSwap, FaceShifter) show the face of
BBB; re-enactments (Face2Face, NeuralTextures) show AAA, moved as BBB moves. This is undocumented;
`evals.datasets.identities` checks it for swaps. Ids are *videos*: the 1,000 show about 885 persons
(counted for github.com/zyainfal/One-Shot-Face-Swapping-on-Megapixels, issue 24), so one person may
have several ids, unless a persons.csv of your own (video,person) maps them. DFD, which downloads
into the same tree, has its own loader: `dfd`. Not known: the persons. Terms: FaceForensics' own,
for research, after signing its form (tag `faceforensics-terms`).
"""

import json
import re
from dataclasses import replace
from itertools import chain
from pathlib import Path

from evals.datasets.csv_table import read_lines
from evals.datasets.listing import LoaderNotes
from evals.datasets.loaders.sequences import MANIPULATED, ORIGINAL, Sequence, sequences
from evals.datasets.manifest import Manifest, ManifestRow
from tools.errors import SetupError

LICENCE = "faceforensics-terms"
ORIGINALS = "youtube"
SWAPS = ("Deepfakes", "FaceSwap", "FaceShifter")
REENACTMENTS = ("Face2Face", "NeuralTextures")
METHODS = (*SWAPS, *REENACTMENTS)
SPLITS = ("train", "val", "test")
_REAL = re.compile(r"\d{3}")
_FAKE = re.compile(r"(?P<body>\d{3})_(?P<source>\d{3})")
PERSONS = "persons.csv"
_LISTS = frozenset(f"{folder}{name}.json" for folder in ("", "splits/") for name in SPLITS)


def recognises(root: Path) -> bool:
    """Whether its originals or one of its methods exist."""
    return (root / ORIGINAL / ORIGINALS).is_dir() or any(
        (root / MANIPULATED / method).is_dir() for method in METHODS
    )


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError if a split list is missing or broken."""
    found, splits, known, rows = LoaderNotes(), _splits(root), _known(root), list[ManifestRow]()
    for each in sequences(
        root, (ORIGINALS, *METHODS), found, apart={*_LISTS, PERSONS}.__contains__
    ):
        who = persons(each.clip.name, method=None if each.authentic else each.method)
        if who is None:
            found.add("broken names", each.clip.path)
        else:
            row = _row(each, who, split=_split(each, splits, found))
            depicted, body = (known.get(video, video) for video in who)
            rows.append(replace(row, depicted_id=depicted, body_id=body))
    if not rows:
        raise SetupError(f"no footage in {ORIGINAL} or {MANIPULATED} of {str(root)!r}")
    manifest = Manifest("faceforensics", root, tuple(rows), found.notes())
    if known:
        return manifest
    return manifest.with_notes(ids="are videos, not persons: one person may have two ids")


def persons(name: str, *, method: str | None) -> tuple[str, str] | None:
    """The depicted person and the body; None for a name that does not follow the data set's.

    `method` is None for originals.
    """
    if method is None:
        return (name, name) if _REAL.fullmatch(name) else None
    named = _FAKE.fullmatch(name)
    if named is None:
        return None
    return (named["source"] if method in SWAPS else named["body"]), named["body"]


def _row(each: Sequence, who: tuple[str, str], *, split: str) -> ManifestRow:
    depicted, body = who
    return ManifestRow(
        each.clip.path, "faceforensics", "real" if each.authentic else "fake", split,
        video_id=each.video_id, frame=each.clip.frame,
        depicted_id=depicted, body_id=body,
        method=None if each.authentic else each.method, compression=each.compression,
        source_video=None if each.authentic else f"{ORIGINALS}/{each.compression}/{body}",
        licence_tag=LICENCE, mask=each.mask,
    )  # fmt: skip


def _split(each: Sequence, splits: dict[str, str], found: LoaderNotes) -> str:
    """The split of both videos; "" and a note if they have none or two different ones."""
    named = {splits.get(video, "") for video in each.clip.name.split("_")}
    if len(named) == 1 and "" not in named:
        return named.pop()
    found.add("in no split" if "" in named else "across splits", each.clip.path)
    return ""


def _known(root: Path) -> dict[str, str]:
    """Person by video, from the optional persons.csv."""
    path = root / PERSONS
    if not path.is_file():
        return {}
    lines = read_lines(path, root, PERSONS, ("video", "person"))
    return {line["video"]: line["person"] for _, line in lines}


def _splits(root: Path) -> dict[str, str]:
    """The split of every original."""
    splits: dict[str, str] = {}
    for split in SPLITS:
        path = next((it for it in _places(root, split) if it.is_file()), None)
        if path is None:
            raise SetupError(
                f"no {split}.json in {str(root)!r} or its splits/: copy the published lists there "
                "(github.com/ondyari/FaceForensics, dataset/splits)"
            )
        for video in _pairs(path):
            if splits.setdefault(video, split) != split:
                raise SetupError(f"{str(path)!r}: video {video!r} is in {splits[video]} already")
    return splits


def _places(root: Path, split: str) -> tuple[Path, Path]:
    return root / f"{split}.json", root / "splits" / f"{split}.json"


def _pairs(path: Path) -> list[str]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8-sig"))
        videos = [*chain.from_iterable(pairs)]
    except (ValueError, TypeError) as error:
        raise SetupError(f"{str(path)!r} is not a list of video pairs ({error})") from error
    if wrong := [it for it in videos if not (isinstance(it, str) and _REAL.fullmatch(it))]:
        raise SetupError(f"{str(path)!r}: {wrong[0]!r} is not a video; names are '000' to '999'")
    return videos
