"""What a person gives as a query, as pictures with faces: photos, folders of photos, videos.

The query of a video, an animation or a document of several pages is its frames of the person,
evenly spaced as in `tools.media.videos`; who is who over the frames is told by the faces'
embeddings.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import FaceAnalyser
from tools.gallery.indexing.analysis import FaceAnalysisProtocol
from tools.gallery.records import FramePosition
from tools.media.animations import MULTIPAGE_FORMATS, file_may_be_animated, probe_animation_bytes
from tools.media.frames import Video, VideoFrame
from tools.media.images import UnreadableImage, read_bytes, read_photo, walk
from tools.media.video_signatures import is_video, video_sha256
from tools.media.videos import frame_to_photo, probe_video, sample_frames
from tools.search.shown_persons import Shown, in_order

MAX_FOLDER_PHOTOS = 60
"""Photos of a folder that are used at most: more add nothing to a mean."""

FRAMES, MAX_APPEARANCES = 24, 8
"""Frames (or pages) that are searched for faces, and those of the person that are used."""

_SAME_PERSON = 0.3
"""Cosine from which two faces in frames of one video are taken for one person's."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryFile:
    """A photo or video with the `persons` in it, from left to right, each with its looks.

    `together` are a look at each of them, in as few frames as may be, for showing who is who.
    `notes` are sentences for the person who asks.
    """

    path: Path
    persons: tuple[tuple[Shown, ...], ...]
    together: tuple[Shown, ...]
    from_folder: bool = False
    notes: tuple[str, ...] = field(default=())


def read_query_files(paths: Sequence[Path], *, faces: FaceAnalyser) -> list[QueryFile]:
    """Every photo, video and animation that is meant, with its faces.

    Raises UnreadableImage for a named file that is no picture, ToolError for a folder without any.
    """
    found: list[QueryFile] = []
    for path in paths:
        found += _of_folder(path, faces) if path.is_dir() else [_of_file(path, faces)]
    return found


def _of_folder(folder: Path, faces: FaceAnalyser) -> list[QueryFile]:
    files = [each.path for each in walk([folder]) if each.problem is None]
    photos, unreadable = list[QueryFile](), 0
    for path in files[:MAX_FOLDER_PHOTOS]:
        try:
            photos.append(_of_file(path, faces, from_folder=True))
        except UnreadableImage:
            unreadable += 1
    if not photos:
        raise ToolError(f"the folder {str(folder)!r} holds no picture; name the person's photos")
    notes = _left_out(folder, unreadable=unreadable, beyond=len(files) - MAX_FOLDER_PHOTOS)
    first = photos[0]
    return [replace(first, notes=(*first.notes, *notes)), *photos[1:]]


def _left_out(folder: Path, *, unreadable: int, beyond: int) -> list[str]:
    notes = []
    if unreadable:
        notes.append(f"{unreadable} of the files in {folder.name!r} are no pictures: left out")
    if beyond > 0:
        notes.append(f"{folder.name!r} holds {beyond} more files than the {MAX_FOLDER_PHOTOS} used")
    return notes


def _of_file(path: Path, faces: FaceAnalyser, *, from_folder: bool = False) -> QueryFile:
    with _naming(path):
        video = several_frames(path)
        if video is not None:
            return replace(of_video(video, faces, name=repr(path.name)), from_folder=from_folder)
    photo = read_photo(path)
    (detected,) = faces.analyse([photo.pixels])
    shown = tuple(Shown(path, photo, face) for face in detected)
    return QueryFile(path, tuple((each,) for each in shown), shown, from_folder)


def readable(path: Path) -> str:
    """The name by content (sha256) of a file that can be a query: a photo, video or animation.

    Raises UnreadableImage, which names the file, when it gives no picture.
    """
    with _naming(path):
        video = several_frames(path)
        if video is not None:
            cover(video)
            return video_sha256(path)
    return read_photo(path).id


def several_frames(path: Path) -> Video | None:
    """What a file holds when it is not a single picture; damaged pictures are mended elsewhere.

    Raises UnreadableImage, without the path, for a video that cannot be opened.
    """
    if is_video(path):
        return probe_video(path)
    if not file_may_be_animated(path):
        return None
    return probe_animation_bytes(read_bytes(path), path)


def cover(video: Video) -> VideoFrame:
    """The frame that stands for a video before anybody looked for faces in it: the middle one.

    Raises UnreadableImage when no frame can be decoded.
    """
    some = list(sample_frames(video, at_most=3))
    if not some:
        raise UnreadableImage("damaged", "no frame can be decoded")
    return some[len(some) // 2]


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """UnreadableImage names the file."""
    try:
        yield
    except UnreadableImage as error:
        raise UnreadableImage(error.reason, error.detail, path=path) from error


def of_video(video: Video, faces: FaceAnalysisProtocol, *, name: str) -> QueryFile:
    """The persons of a video, an animation or a document; `name` is what notes call it."""
    persons, together = in_order(_persons_of_video(video, faces))
    best = tuple(tuple(_best(looks)) for looks in persons)
    return QueryFile(video.path, best, together, notes=_pages_left_out(video, name))


def _pages_left_out(video: Video, name: str) -> tuple[str, ...]:
    if video.format not in MULTIPAGE_FORMATS or video.frames <= FRAMES:
        return ()
    return (f"{name} has {video.frames} pages, of which {FRAMES} were searched",)


def _persons_of_video(video: Video, faces: FaceAnalysisProtocol) -> list[list[Shown]]:
    """The persons of a video, each with every look at them."""
    looks = _looks(video, faces)
    persons: list[list[Shown]] = []
    for frame in looks:
        _add_to_persons(frame, persons)
    lasting = [person for person in persons if len(person) >= max(1, len(looks) // 5)]
    return lasting or persons


def _add_to_persons(frame: Sequence[Shown], persons: list[list[Shown]]) -> None:
    """Add each face of a frame to the person it is like; two faces in one frame are two persons."""
    pairs = [
        (_likeness(shown, person), number, place)
        for number, shown in enumerate(frame)
        for place, person in enumerate(persons)
    ]
    placed: dict[int, int] = {}
    for likeness, number, place in sorted(pairs, reverse=True):
        free = number not in placed and place not in placed.values()
        if likeness >= _SAME_PERSON and free:
            placed[number] = place
    for number, shown in enumerate(frame):
        if number in placed:
            persons[placed[number]].append(shown)
        else:
            persons.append([shown])


def _looks(video: Video, faces: FaceAnalysisProtocol) -> list[list[Shown]]:
    video_id = video_sha256(video.path)
    found: list[list[Shown]] = []
    for frame in sample_frames(video, at_most=FRAMES):
        image_id = FramePosition(video_id, frame.time_s).image_id
        photo = frame_to_photo(video, frame.pixels, image_id=image_id)
        (detected,) = faces.analyse([frame.pixels])
        found.append([Shown(video.path, photo, face, frame.time_s) for face in detected])
    return found


def _likeness(each: Shown, person: Sequence[Shown]) -> float:
    mean = np.mean([look.face.embedding for look in person], axis=0)
    return float(each.face.embedding @ mean / max(float(np.linalg.norm(mean)), 1e-9))


def _best(person: Sequence[Shown]) -> list[Shown]:
    """The largest usable looks at a person, the best first."""
    usable = [look for look in person if look.face.quality.usable] or list(person)
    return sorted(usable, key=lambda look: -look.face.quality.width_px)[:MAX_APPEARANCES]
