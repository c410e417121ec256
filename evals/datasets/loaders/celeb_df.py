"""Load Celeb-DF v2 (and v1, which has the same layout).

    Celeb-DF-v2/
      Celeb-real/id0_0000.mp4             person 0, authentic
      YouTube-real/00000.mp4              anonymous, authentic: distractors
      Celeb-synthesis/id0_id1_0000.mp4    the face of person 1 on the footage id0_0000
      List_of_testing_videos.txt          `1 Celeb-real/…` is REAL, `0 Celeb-synthesis/…` FAKE

also with `videos/` in between, or as frames: Celeb-real/frames/id0_0000/000.png (DeepfakeBench).

Identity: of `idA_idB_NNNN` the body is A's and the depicted person is B. The author (github.com/
yuezunli/celeb-deepfakeforensics, issue 6): "aa is the original id, bb is swapped id, cc is video
index". `evals.datasets.identities` measures it. Split: the listed videos are test, the rest train;
in the list 1 means REAL, the opposite of the usual convention, which is checked against the
folders. Not known: the people of YouTube-real (None). Terms: Celeb-DF's own, for research,
after signing its form (tag `celeb-df-terms`).
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from evals.datasets.listing import LoaderNotes, files, media
from evals.datasets.loaders.clips import Clip, clips
from evals.datasets.manifest import Label, Manifest, ManifestRow
from tools.errors import SetupError

LICENCE = "celeb-df-terms"
METHOD = "Celeb-DF"
LIST = "List_of_testing_videos.txt"
REAL, FAKE, ANONYMOUS = "Celeb-real", "Celeb-synthesis", "YouTube-real"
FOLDERS = (REAL, FAKE, ANONYMOUS)
_LABEL_IN_LIST = {REAL: "1", ANONYMOUS: "1", FAKE: "0"}
_NAMES = {
    REAL: re.compile(r"(?P<body>id\d+)_\d{4}"),
    FAKE: re.compile(r"(?P<body>id\d+)_(?P<depicted>id\d+)_(?P<index>\d{4})"),
    ANONYMOUS: re.compile(r"\d{5}"),
}


def recognises(root: Path) -> bool:
    """Whether the folder of swapped videos exists."""
    return (root / FAKE).is_dir()


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError without the list, or if list and folders contradict."""
    found = LoaderNotes()
    tested = _tested(root / LIST)
    paths = [path for path in files(root) if path != LIST]
    rows = [
        row for clip in clips(media(paths, found), found)
        if (row := _row(clip, tested, found)) is not None
    ]  # fmt: skip
    if not rows:
        raise SetupError(f"no videos or frames in {REAL}, {FAKE}, {ANONYMOUS} of {str(root)!r}")
    names = {row.video_id for row in rows}
    found.add("listed for testing but missing", *(it for it in tested if it not in names))
    found.add("fakes without their original", *_orphans(rows))
    return Manifest("celeb_df", root, tuple(rows), found.notes())


def persons(name: str, folder: str) -> tuple[str | None, str | None] | None:
    """The depicted person and the body of a video in a folder; None if the name does not tell."""
    named = _NAMES[folder].fullmatch(name) if folder in _NAMES else None
    if named is None:
        return None
    ids = named.groupdict()
    body = ids.get("body")
    return ids.get("depicted", body), body


def original(name: str) -> str:
    """The authentic source video of a swapped one: id0_id1_0002 → id0_0002."""
    body, _, index = name.split("_")
    return f"{body}_{index}"


def _row(clip: Clip, tested: dict[str, str], found: LoaderNotes) -> ManifestRow | None:
    if clip.home not in _NAMES:
        found.add("unexpected files", clip.path)
        return None
    who = persons(clip.name, clip.home)
    if who is None:
        found.add("broken names", clip.path)
        return None
    fake = clip.home == FAKE
    label: Label = "fake" if fake else "real"
    return ManifestRow(
        clip.path, "celeb_df", label, "test" if clip.name in tested else "train",
        video_id=clip.name, frame=clip.frame,
        depicted_id=who[0], body_id=who[1],
        method=METHOD if fake else None,
        source_video=original(clip.name) if fake else None,
        licence_tag=LICENCE,
    )  # fmt: skip


def _orphans(rows: list[ManifestRow]) -> Iterator[str]:
    """Sources of fakes that are not among the rows."""
    there = {row.video_id for row in rows}
    return (it for it in {row.source_video for row in rows} if it is not None and it not in there)


def _tested(path: Path) -> dict[str, str]:
    """Names of the test videos, and their folders in the list."""
    if not path.is_file():
        raise SetupError(
            f"no {LIST} in {str(path.parent)!r}: it comes with Celeb-DF, with the split"
        )
    tested: dict[str, str] = {}
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            name, folder = _listed(line.split(), f"{str(path)!r}: line {number}")
            tested[name] = folder
    return tested


def _listed(cells: list[str], where: str) -> tuple[str, str]:
    place = PurePosixPath(cells[-1])
    folder = place.parts[0]
    if len(cells) != 2 or folder not in _LABEL_IN_LIST:
        raise SetupError(f"{where}: {' '.join(cells)!r} is not `1 {REAL}/…` or `0 {FAKE}/…`")
    if cells[0] != _LABEL_IN_LIST[folder]:
        raise SetupError(
            f"{where}: label {cells[0]!r} for {str(place)!r}; in this list 1 is REAL and 0 is "
            "FAKE: use the list as it was published"
        )
    return place.stem, folder
