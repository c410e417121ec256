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
from tools.gallery.records import FramePosition
from tools.media.animations import MULTIPAGE_FORMATS, file_may_be_animated, probe_animation_bytes
from tools.media.frames import Video
from tools.media.images import Photo, UnreadableImage, read_bytes, read_photo, walk
from tools.media.video_signatures import is_video, video_sha256
from tools.media.videos import frame_to_photo, probe_video, sample_frames

MAX_FOLDER_PHOTOS = 60
"""Photos of a folder that are used at most: more add nothing to a mean."""

FRAMES, MAX_APPEARANCES = 24, 8
"""Frames (or pages) that are searched for faces, and those of the person that are used."""

_SAME_PERSON = 0.3
"""Cosine from which two faces in frames of one video are taken for one person's."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceAppearance:
    """One face in one picture; of a video, in its frame at `time_s`."""

    path: Path
    photo: Photo
    face: Face
    time_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class QueryFile:
    """A photo or video with the `persons` in it, from left to right, each with its looks.

    `notes` are sentences for the person who asks.
    """

    path: Path
    persons: tuple[tuple[FaceAppearance, ...], ...]
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
    return [QueryFile(first.path, first.persons, True, (*first.notes, *notes)), *photos[1:]]


def _left_out(folder: Path, *, unreadable: int, beyond: int) -> list[str]:
    notes = []
    if unreadable:
        notes.append(f"{unreadable} of the files in {folder.name!r} are no pictures: left out")
    if beyond > 0:
        notes.append(f"{folder.name!r} holds {beyond} more files than the {MAX_FOLDER_PHOTOS} used")
    return notes


def _of_file(path: Path, faces: FaceAnalyser, *, from_folder: bool = False) -> QueryFile:
    video = _several_frames(path)
    if video is not None:
        return QueryFile(path, _persons_of_video(video, faces), from_folder, _pages_left_out(video))
    photo = read_photo(path)
    (detected,) = faces.analyse([photo.pixels])
    return QueryFile(
        path, tuple((FaceAppearance(path, photo, face),) for face in detected), from_folder
    )


def _several_frames(path: Path) -> Video | None:
    """What a file holds when it is not a single picture; damaged pictures are mended elsewhere."""
    if is_video(path):
        return probe_video(path)
    if not file_may_be_animated(path):
        return None
    return probe_animation_bytes(read_bytes(path), path)


def _pages_left_out(video: Video) -> tuple[str, ...]:
    if video.format not in MULTIPAGE_FORMATS or video.frames <= FRAMES:
        return ()
    return (f"{video.path.name!r} has {video.frames} pages, of which {FRAMES} were searched",)


def _persons_of_video(video: Video, faces: FaceAnalyser) -> tuple[tuple[FaceAppearance, ...], ...]:
    """The persons of a video, from left to right in the frame that shows most of them."""
    looks = _looks(video, faces)
    persons: list[list[FaceAppearance]] = []
    for each in chain.from_iterable(looks):
        alike = max(persons, key=lambda person: _likeness(each, person), default=None)
        if alike is None or _likeness(each, alike) < _SAME_PERSON:
            persons.append([each])
        else:
            alike.append(each)
    lasting = [person for person in persons if len(person) >= max(1, len(looks) // 5)]
    shown = sorted(lasting or persons, key=lambda person: float(person[0].face.box[0]))
    return tuple(tuple(_best(person)) for person in shown)


def _looks(video: Video, faces: FaceAnalyser) -> list[list[FaceAppearance]]:
    video_id = video_sha256(video.path)
    found: list[list[FaceAppearance]] = []
    for frame in sample_frames(video, at_most=FRAMES):
        image_id = FramePosition(video_id, frame.time_s).image_id
        photo = frame_to_photo(video, frame.pixels, image_id=image_id)
        (detected,) = faces.analyse([frame.pixels])
        found.append([FaceAppearance(video.path, photo, face, frame.time_s) for face in detected])
    return found


def _likeness(each: FaceAppearance, person: Sequence[FaceAppearance]) -> float:
    mean = np.mean([look.face.embedding for look in person], axis=0)
    return float(each.face.embedding @ mean / max(float(np.linalg.norm(mean)), 1e-9))


def _best(person: Sequence[FaceAppearance]) -> list[FaceAppearance]:
    """The largest usable looks at a person, the best first."""
    usable = [look for look in person if look.face.quality.usable] or list(person)
    return sorted(usable, key=lambda look: -look.face.quality.width_px)[:MAX_APPEARANCES]
