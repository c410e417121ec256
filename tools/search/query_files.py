"""Build a query from files: photos, folders of photos and videos, with the chosen face of each.

The query of a video, an animation or a document of several pages is a set of frames of the person,
evenly spaced as in `tools.media.videos`; face embeddings tell the persons in them apart.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tools.encoder.clip import Encoder
from tools.errors import SetupError, ToolError
from tools.faces.alignment import aligned_crop, face_hash
from tools.faces.analyser import FaceAnalyser
from tools.faces.dominance import dominant_face, measurable_faces
from tools.faces.shown_persons import Shown, in_one_picture, in_order
from tools.gallery.indexing.analysis import FaceAnalysisProtocol, ImageEncoder
from tools.gallery.records import FramePosition
from tools.media.paths import walk
from tools.media.pictures.decoding import read_photo
from tools.media.pictures.opening import read_bytes
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.animations import (
    MULTIPAGE_FORMATS,
    file_may_be_animated,
    probe_animation_bytes,
)
from tools.media.videos.frames import Video, VideoFrame
from tools.media.videos.sampling import frame_to_photo, probe_video, sample_frames
from tools.media.videos.signatures import is_video, video_sha256
from tools.search.photo_cache import PhotoCache
from tools.search.query import (
    NoFace,
    Query,
    QueryFace,
    SeveralFaces,
    build_query,
    choose_person,
    says_dominant,
)
from tools.verdict.rule import VerdictRule

MAX_FOLDER_PHOTOS = 60
"""Maximum number of photos used from a folder: more do not improve the mean."""

FRAMES, MAX_APPEARANCES = 24, 8
"""Number of frames (or pages) searched for faces, and maximum number used of one person."""

_SAME_PERSON = 0.3
"""Cosine from which two faces in frames of one video count as the same person."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryFile:
    """A photo or video with its `persons`, from left to right, each with all looks at them.

    `together` is one look at each person, in as few frames as possible, to show who is who.
    `notes` are sentences for the user.
    """

    path: Path
    persons: tuple[tuple[Shown, ...], ...]
    together: tuple[Shown, ...]
    from_folder: bool = False
    notes: tuple[str, ...] = field(default=())


FaceNumbers = int | Mapping[Path | str, int]
"""The chosen face, 1-based from the left: of the only photo with several, or by path or name."""


def query_from_files(
    paths: Sequence[Path],
    *,
    faces: FaceAnalyser,
    encoder: Encoder,
    face: FaceNumbers | None = None,
    rule: VerdictRule | None = None,
) -> Query:
    """Measure the query: photos, folders of photos, or videos, all of one person.

    `face` is the chosen face where a photo shows several; a bare number is for the only such one.
    `rule` tells persons apart; without it, a low similarity does. Raises NoFace, SeveralFaces,
    OtherPerson, SetupError if `face` names a photo that is not in the query, and UnreadableImage
    for a file that is not a picture.
    """
    decoded = PhotoCache()
    found = _read(paths, faces=faces)
    wanted = _numbers(face, found)
    rows, warnings = list[QueryFace](), list[str]()
    for each in found:
        try:
            chosen = _choose(each, wanted.get(each.path))
        except (NoFace, SeveralFaces) as error:
            if not each.from_folder:
                raise
            warnings.append(f"left out: {str(error).splitlines()[0]}")
        else:
            rows += query_faces(chosen, name=repr(each.path.name), encoder=encoder)
            for look in chosen:
                decoded.keep(look.photo, look.path, look.time_s)
    if not rows:
        raise NoFace("; ".join(warnings) or "the query holds no picture")
    warnings += [note for each in found for note in each.notes]
    warnings += _chose_nothing(found, wanted)
    warnings += _taken_unasked(found, wanted)
    return build_query(rows, rule=rule, warnings=warnings, decoded=decoded)


def _numbers(face: FaceNumbers | None, found: Sequence[QueryFile]) -> dict[Path, int]:
    """The number of the chosen face by photo path."""
    if face is None:
        return {}
    paths = [each.path for each in found]
    if isinstance(face, int):
        several = [each.path for each in found if len(each.persons) > 1]
        if len(several) > 1:
            raise SetupError(
                f"--face {face} does not say of which photo, because {len(several)} show several "
                f"faces: name each, as in --face {several[0].name}={face}"
            )
        return dict.fromkeys(several or paths, face)
    return {photo_called(name, paths): number for name, number in face.items()}


def photo_called(name: Path | str, paths: Sequence[Path]) -> Path:
    """The photo with this path or file name; SetupError if none or several match."""
    same = [path for path in paths if path == Path(name)]
    found = same or [path for path in paths if path.name == str(name)]
    if len(set(found)) != 1:
        given = ", ".join(str(path) for path in (found or paths)[:5])
        what = "several photos are" if found else "no photo is"
        raise SetupError(f"--face: {what} called {str(name)!r}; the photos are {given}")
    return found[0]


def _choose(each: QueryFile, number: int | None) -> Sequence[Shown]:
    """The looks at the chosen person: one in a photo, several in a video."""
    name = each.path.name
    return choose_person(
        each.persons,
        number,
        no_face=f"no face was found in {name!r}; use a sharper or larger photo",
        several=lambda: _several(each, number),
        dominant=_dominant(each),
    )


def _dominant(each: QueryFile) -> int | None:
    """The index of the face that a photo is clearly about; None for a video."""
    still = all(look.time_s is None for look in each.together)
    return dominant_face([look.face for look in each.together]) if still else None


def _several(each: QueryFile, number: int | None) -> SeveralFaces:
    """The error that asks the user to choose one of the faces."""
    name, looks = each.path.name, each.together
    picture: np.ndarray | None = None
    boxes: Sequence[Sequence[float]] = [[*look.face.box] for look in looks]
    if looks[0].time_s is not None:
        picture, boxes = in_one_picture(looks)
    what = (
        f"{name!r} shows {len(looks)} faces; say which one is meant with --face {name}=N "
        "(from left to right)"
        if number is None
        else f"{name!r} has faces 1 to {len(looks)}"
    )
    offered = measurable_faces([look.face for look in looks])
    return SeveralFaces(
        f"{what}:\n{_listing(looks, offered)}", boxes, photo=each.path, picture=picture,
        offered=offered,
    )  # fmt: skip


def _chose_nothing(found: Sequence[QueryFile], wanted: Mapping[Path, int]) -> list[str]:
    """Warnings for numbers above one on photos with a single face: probably a slip."""
    return [
        f"--face {wanted[each.path]} chose nothing: {each.path.name!r} shows one face"
        for each in found
        if wanted.get(each.path, 1) > 1 and len(each.persons) == 1
    ]


def _taken_unasked(found: Sequence[QueryFile], wanted: Mapping[Path, int]) -> list[str]:
    """Notes on photos of which a face was taken that nobody chose."""
    unasked = [it for it in found if len(it.persons) > 1 and it.path not in wanted]
    return [
        says_dominant(repr(it.path.name), place, len(it.persons), how=f"--face {it.path.name}=N")
        for it in unasked
        if (place := _dominant(it)) is not None
    ]


def _listing(looks: Sequence[Shown], offered: Sequence[int]) -> str:
    return "\n".join(
        f"  {number}: {look.face.quality.width_px:.0f} px wide, "
        f"centred at x={(look.face.box[0] + look.face.box[2]) / 2:.0f}, "
        f"y={(look.face.box[1] + look.face.box[3]) / 2:.0f}"
        + ("" if look.time_s is None else f", {look.time_s:.1f} s into it")
        for number, look in enumerate(looks, start=1)
        if number in offered
    )


def query_faces(looks: Sequence[Shown], *, name: str, encoder: ImageEncoder) -> list[QueryFace]:
    """Measure the looks at one person; warnings call the file `name`."""
    crops = [
        aligned_crop(look.photo.pixels, look.face.keypoints, size=encoder.image_size,
                     margin=encoder.face_margin)
        for look in looks
    ]  # fmt: skip
    return [
        QueryFace(
            photo_id=look.photo.id,
            path=look.path,
            name=name,
            marked=look.photo.unmask_forgery,
            face=look.face,
            features=features,
            face_hash=face_hash(look.photo.pixels, look.face.keypoints),
            time_s=look.time_s,
        )
        for look, features in zip(looks, encoder.encode_images(crops), strict=True)
    ]


def _read(paths: Sequence[Path], *, faces: FaceAnalyser) -> list[QueryFile]:
    """Read every photo, video and animation of the query, with its faces.

    Raises UnreadableImage for a named file that is not a picture, ToolError for a folder without
    pictures.
    """
    found: list[QueryFile] = []
    for path in paths:
        found += _of_folder(path, faces) if path.is_dir() else [_of_file(path, faces)]
    return found


def persons_in(path: Path, *, faces: FaceAnalyser) -> QueryFile:
    """The persons in a photo, video or animation. Raises UnreadableImage, which names the file."""
    return _of_file(path, faces)


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
    """The sha256 of a file that can be used as a query: a photo, video or animation.

    Raises UnreadableImage, which names the file, if it contains no picture.
    """
    with _naming(path):
        video = several_frames(path)
        if video is not None:
            cover(video)
            return video_sha256(path)
    return read_photo(path).id


def several_frames(path: Path) -> Video | None:
    """The video in a file with several frames, None for a single picture; does not repair pictures.

    Raises UnreadableImage, without the path, for a video that cannot be opened.
    """
    if is_video(path):
        return probe_video(path)
    if not file_may_be_animated(path):
        return None
    return probe_animation_bytes(read_bytes(path), path)


def cover(video: Video) -> VideoFrame:
    """The cover frame of a video whose faces have not been detected yet: the middle frame.

    Raises UnreadableImage if no frame can be decoded.
    """
    some = list(sample_frames(video, at_most=3))
    if not some:
        raise UnreadableImage("damaged", "no frame can be decoded")
    return some[len(some) // 2]


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the file's name to any UnreadableImage raised inside."""
    try:
        yield
    except UnreadableImage as error:
        raise UnreadableImage(error.reason, error.detail, path=path) from error


def of_video(video: Video, faces: FaceAnalysisProtocol, *, name: str) -> QueryFile:
    """Find the persons in a video, an animation or a document; notes call it `name`."""
    persons, together = in_order(_persons_of_video(video, faces))
    best = tuple(tuple(_best(looks)) for looks in persons)
    return QueryFile(video.path, best, together, notes=_pages_left_out(video, name))


def _pages_left_out(video: Video, name: str) -> tuple[str, ...]:
    if video.format not in MULTIPAGE_FORMATS or video.frames <= FRAMES:
        return ()
    return (f"{name} has {video.frames} pages, of which {FRAMES} were searched",)


def _persons_of_video(video: Video, faces: FaceAnalysisProtocol) -> list[list[Shown]]:
    """The persons in a video, each with every look at them."""
    looks = _looks(video, faces)
    persons: list[list[Shown]] = []
    for frame in looks:
        _add_to_persons(frame, persons)
    lasting = [person for person in persons if len(person) >= max(1, len(looks) // 5)]
    return lasting or persons


def _add_to_persons(frame: Sequence[Shown], persons: list[list[Shown]]) -> None:
    """Add each face of a frame to the most similar person; two faces in a frame are two persons."""
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
    """The largest usable looks at a person, best first."""
    usable = [look for look in person if look.face.quality.usable] or list(person)
    return sorted(usable, key=lambda look: -look.face.quality.width_px)[:MAX_APPEARANCES]
