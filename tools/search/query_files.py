"""What a person gives as a query, as pictures with faces: photos, folders of photos, videos.

The query of a video, an animation or a document of several pages is its frames of the person,
evenly spaced as in `tools.media.videos`; who is who over the frames is told by the faces'
embeddings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import Face, FaceAnalyser
from tools.gallery.records import Moment
from tools.media.animations import PAGED, animation_in, may_move_file
from tools.media.frames import Video
from tools.media.images import Photo, UnreadableImage, read_bytes, read_photo, walk
from tools.media.video_signatures import is_video, sha256_of
from tools.media.videos import as_photo, frames, look

MOST_PHOTOS = 60
"""Photos of a folder that are used at most: more add nothing to a mean."""

FRAMES, MOST_LOOKS = 24, 8
"""Frames (or pages) that are searched for faces, and those of the person that are used."""

_SAME_PERSON = 0.3
"""Cosine from which two faces in frames of one video are taken for one person's."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One face in one picture; of a video, in its frame at `time_s`."""

    path: Path
    photo: Photo
    face: Face
    time_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A photo or video with the `persons` in it, from left to right, each with its looks.

    `notes` are sentences for the person who asks.
    """

    path: Path
    persons: tuple[tuple[Shown, ...], ...]
    from_folder: bool = False
    notes: tuple[str, ...] = field(default=())


def pictures_of(paths: Sequence[Path], *, faces: FaceAnalyser) -> list[Picture]:
    """Every photo, video and animation that is meant, with its faces.

    Raises UnreadableImage for a named file that is no picture, ToolError for a folder without any.
    """
    found: list[Picture] = []
    for path in paths:
        found += _of_folder(path, faces) if path.is_dir() else [_of_file(path, faces)]
    return found


def _of_folder(folder: Path, faces: FaceAnalyser) -> list[Picture]:
    files = [each.path for each in walk([folder]) if each.problem is None]
    photos, unreadable = list[Picture](), 0
    for path in files[:MOST_PHOTOS]:
        try:
            photos.append(_of_file(path, faces, from_folder=True))
        except UnreadableImage:
            unreadable += 1
    if not photos:
        raise ToolError(f"the folder {str(folder)!r} holds no picture; name the person's photos")
    notes = _left_out(folder, unreadable=unreadable, beyond=len(files) - MOST_PHOTOS)
    first = photos[0]
    return [Picture(first.path, first.persons, True, (*first.notes, *notes)), *photos[1:]]


def _left_out(folder: Path, *, unreadable: int, beyond: int) -> list[str]:
    notes = []
    if unreadable:
        notes.append(f"{unreadable} of the files in {folder.name!r} are no pictures: left out")
    if beyond > 0:
        notes.append(f"{folder.name!r} holds {beyond} more files than the {MOST_PHOTOS} used")
    return notes


def _of_file(path: Path, faces: FaceAnalyser, *, from_folder: bool = False) -> Picture:
    video = _several_frames(path)
    if video is not None:
        return Picture(path, _persons_of_video(video, faces), from_folder, _pages_left_out(video))
    photo = read_photo(path)
    (detected,) = faces.analyse([photo.pixels])
    return Picture(path, tuple((Shown(path, photo, face),) for face in detected), from_folder)


def _several_frames(path: Path) -> Video | None:
    """What a file holds when it is not a single picture; damaged pictures are mended elsewhere."""
    if is_video(path):
        return look(path)
    if not may_move_file(path):
        return None
    return animation_in(read_bytes(path), path)


def _pages_left_out(video: Video) -> tuple[str, ...]:
    if video.format not in PAGED or video.frames <= FRAMES:
        return ()
    return (f"{video.path.name!r} has {video.frames} pages, of which {FRAMES} were searched",)


def _persons_of_video(video: Video, faces: FaceAnalyser) -> tuple[tuple[Shown, ...], ...]:
    """The persons of a video, from left to right in the frame that shows most of them."""
    looks = _looks(video, faces)
    persons: list[list[Shown]] = []
    for each in chain.from_iterable(looks):
        alike = max(persons, key=lambda person: _likeness(each, person), default=None)
        if alike is None or _likeness(each, alike) < _SAME_PERSON:
            persons.append([each])
        else:
            alike.append(each)
    lasting = [person for person in persons if len(person) >= max(1, len(looks) // 5)]
    shown = sorted(lasting or persons, key=lambda person: float(person[0].face.box[0]))
    return tuple(tuple(_best(person)) for person in shown)


def _looks(video: Video, faces: FaceAnalyser) -> list[list[Shown]]:
    video_id = sha256_of(video.path)
    found: list[list[Shown]] = []
    for frame in frames(video, at_most=FRAMES):
        image_id = Moment(video_id, frame.time_s).image_id
        photo = as_photo(video, frame.pixels, image_id=image_id)
        (detected,) = faces.analyse([frame.pixels])
        found.append([Shown(video.path, photo, face, frame.time_s) for face in detected])
    return found


def _likeness(each: Shown, person: Sequence[Shown]) -> float:
    mean = np.mean([look.face.embedding for look in person], axis=0)
    return float(each.face.embedding @ mean / max(float(np.linalg.norm(mean)), 1e-9))


def _best(person: Sequence[Shown]) -> list[Shown]:
    """The largest usable looks at a person, the best first."""
    usable = [look for look in person if look.face.quality.usable] or list(person)
    return sorted(usable, key=lambda look: -look.face.quality.width_px)[:MOST_LOOKS]
