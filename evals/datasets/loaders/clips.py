"""Videos and folders of their frames: the two ways in which data sets keep footage.

<home>/[videos/]id0_0000.mp4
<home>/[frames/ or images/]id0_0000/000.png
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from evals.datasets.listing import LoaderNotes, frame_number, is_video

HOLDERS = frozenset({"videos", "frames", "images"})


@dataclass(frozen=True, slots=True)
class Clip:
    """A whole video (`frame` is None) or one frame of it.

    `path` is relative to the data set; `home` is its folder without storage folders (`videos`,
    `frames`, `images`); `name` is the video's, without suffix.
    """

    path: str
    home: str
    name: str
    frame: int | None


def clips(paths: Iterable[str], found: LoaderNotes) -> list[Clip]:
    """The videos and frames among pictures and videos, each once.

    Pictures that are not numbered frames, and duplicate footage, are noted; of footage stored both
    as a video and as frames, the frames are used, since they have been prepared.
    """
    kept: dict[tuple[str, str, int | None], Clip] = {}
    for path in paths:
        clip = _clip(path)
        if clip is None:
            found.add("broken names", path)
        elif kept.setdefault((clip.home, clip.name, clip.frame), clip) is not clip:
            found.add("duplicates", path)
    framed = {(home, name) for home, name, frame in kept if frame is not None}
    both = {key for key in kept if key[2] is None and key[:2] in framed}
    found.add("videos left for their frames", *(kept[key].path for key in both))
    return [clip for key, clip in kept.items() if key not in both]


def _clip(path: str) -> Clip | None:
    *folders, name = PurePosixPath(path).parts
    stem, frame = PurePosixPath(name).stem, None
    if not is_video(path):
        frame = frame_number(stem)
        if frame is None or not folders:
            return None
        stem = folders.pop()
    if folders and folders[-1] in HOLDERS:
        folders.pop()
    return Clip(path, "/".join(folders), stem, frame)
