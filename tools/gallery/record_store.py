"""The record store: one SQLite file per gallery, the source of truth about what is indexed.

A picture is indexed when its row is committed here. The Chroma index beside it is derived from
this file and may be deleted at any time (Chroma loses vectors when its writer is killed).
"""

import contextlib
import difflib
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tools.errors import SetupError, ToolError
from tools.gallery import database_file, sql
from tools.gallery.closer_looks import forget_looks
from tools.gallery.database_file import (
    DATABASE_FILE,
    OpenDatabase,
    galleries_folder,
    gallery_folder,
)
from tools.gallery.locking.state import ARCHIVE, require_unlocked
from tools.gallery.record.database import RecordDatabase
from tools.gallery.record.embeddings import FaceEmbeddings
from tools.gallery.record.fingerprint import needs_upgrade, other_checkpoints
from tools.gallery.record.soundness import find_problems
from tools.gallery.records import (
    AnalysedImage,
    AnalysedVideo,
    FaceRecord,
    FileRecord,
    FramePosition,
    FrameRecord,
    GalleryCounts,
    ImageRecord,
    PictureLayouts,
)
from tools.gallery.retention import RetentionNote, overdue_notice
from tools.media.hashing import file_sha256
from tools.media.private_files import private_folder, restrict_permissions


class Gallery:
    """A gallery's record store, tied to the checkpoints that made it.

    `embeddings` are those of its faces. Threads of one process may share it. Every method raises
    `SetupError` if the disk is full or the file cannot be written or is damaged.
    """

    def __init__(self, folder: Path, opened: OpenDatabase) -> None:
        self.folder = folder
        self.name = folder.name
        self._database = RecordDatabase(self.name, opened)
        self.embeddings = FaceEmbeddings(self._database)

    # -- opening ------------------------------------------------------------------------------

    @classmethod
    def open(cls, home: Path, name: str = "default", *, fingerprint: Mapping[str, str]) -> Self:
        """Open a gallery for use with these checkpoints; create it if it does not exist.

        `fingerprint` identifies what computes embeddings and features (profile, part → sha256, …).
        `SetupError` if the gallery was made with another one: cosines between embeddings of
        different checkpoints mean nothing.
        """
        folder = gallery_folder(home, name)
        cls.require_unlocked(home, name)
        with database_file.translate_database_errors(name):
            private_folder(galleries_folder(home))
            private_folder(folder)
            connection = database_file.connect(folder / DATABASE_FILE, fingerprint=fingerprint)
            restrict_permissions(folder)
        return cls(folder, OpenDatabase(connection))._bound_to(fingerprint)

    @classmethod
    def open_existing(
        cls, home: Path, name: str = "default", *, fingerprint: Mapping[str, str] | None = None
    ) -> Self:
        """Open an existing gallery; without a `fingerprint`, whichever checkpoints made it.

        Also works for searching a gallery on a read-only disk.
        """
        folder = gallery_folder(home, name)
        cls.require_unlocked(home, name)
        if not (folder / DATABASE_FILE).is_file():
            raise SetupError(_no_gallery(name, cls.names(home)))
        private_folder(galleries_folder(home))
        restrict_permissions(folder)
        with database_file.translate_database_errors(name):
            opened = database_file.open_to_read(folder / DATABASE_FILE)
        return cls(folder, opened)._bound_to(fingerprint)

    @staticmethod
    def names(home: Path) -> list[str]:
        """List the galleries of a data folder, locked ones too."""
        folder = galleries_folder(home)
        found = (it for name in (DATABASE_FILE, ARCHIVE) for it in folder.glob(f"*/{name}"))
        return sorted({path.parent.name for path in found})

    @staticmethod
    def require_unlocked(home: Path, name: str) -> None:
        """Raise SetupError, which names the command that opens it, for a locked gallery."""
        require_unlocked(gallery_folder(home, name), f"gallery {name!r}", unlock=name)

    def _bound_to(self, fingerprint: Mapping[str, str] | None) -> Self:
        try:
            mine = self.fingerprint
        except SetupError:
            self.close()
            raise
        if fingerprint is None or mine == dict(fingerprint):
            return self
        self.close()
        raise other_checkpoints(self.name, mine, fingerprint)

    def needs_upgrade(self, fingerprint: Mapping[str, str]) -> bool:
        """Whether only the face models differ, so that its faces can be embedded again."""
        return needs_upgrade(self.fingerprint, fingerprint)

    def refuse_unless_upgradable(self, fingerprint: Mapping[str, str]) -> None:
        """Raise SetupError if more than the face models differ."""
        mine = self.fingerprint
        if mine != dict(fingerprint) and not needs_upgrade(mine, fingerprint):
            raise other_checkpoints(self.name, mine, fingerprint)

    def close(self) -> None:
        """Close the file; everything committed stays."""
        self._database.close()
        restrict_permissions(self.folder)  # Chroma's files have the umask's permissions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it is ---------------------------------------------------------------------------

    @property
    def fingerprint(self) -> dict[str, str]:
        """The checkpoints that made this gallery."""
        try:
            return dict(json.loads(self._database.meta("fingerprint")))
        except (ValueError, TypeError) as error:
            raise self._database.damaged("what made it cannot be read") from error

    @property
    def created(self) -> str:
        """Creation time of the gallery (UTC, ISO 8601)."""
        return self._database.meta("created")

    def counts(self) -> GalleryCounts:
        """Numbers of images, faces and files, and of notable kinds among them."""
        found = GalleryCounts(*self._database.row(sql.COUNTS))
        stills, videos = self._database.row(sql.COUNT_WITHOUT_FACE)
        if self._database.rows(sql.HAS_WAITING):
            found = replace(found, waiting=self._database.row(sql.COUNT_WAITING)[0])
            waiting_stills, waiting_videos = self._database.row(sql.COUNT_ONLY_WAITING)
            stills, videos = stills - waiting_stills, videos - waiting_videos
        return replace(found, without_face=stills + videos, videos_without_face=videos)

    @property
    def notices(self) -> list[str]:
        """Sentences for the user: faces that cannot be searched, and a passed day of keeping."""
        waiting, note = self.counts().waiting, self.retention
        overdue = [overdue_notice(self.name, note)] if note.is_overdue() else []
        return [*overdue, *([_set_aside(self.name, waiting)] if waiting else [])]

    @property
    def retention(self) -> RetentionNote:
        """The owner's note on why and until when the gallery is kept."""
        rows = dict(
            self._database.rows("SELECT key, value FROM meta WHERE key IN ('basis', 'keep_until')")
        )
        return RetentionNote(str(rows.get("basis", "")), str(rows.get("keep_until", "")))

    def note_retention(self, note: RetentionNote) -> None:
        """Store the owner's note. Raises SetupError."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [("basis", note.basis), ("keep_until", note.keep_until)],
            )

    def problems(self) -> list[str]:
        """Check the whole file (slow: reads all of it); an empty list means no damage."""
        return [*find_problems(self._database)]

    # -- writing ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold the lock for indexing this gallery; `SetupError` if another process has it."""
        with database_file.translate_database_errors(self.name):
            lock = database_file.try_lock(self.folder / "writer.lock")
        if lock is None:
            raise SetupError(
                f"gallery {self.name!r} is being indexed by another process: wait for it, or "
                "use another gallery with `unmask index DIR --gallery NEW_NAME`"
            )
        with contextlib.closing(lock):
            yield

    def add(
        self,
        images: Sequence[AnalysedImage],
        files: Iterable[FileRecord] = (),
        *,
        videos: Iterable[AnalysedVideo] = (),
    ) -> None:
        """Record analysed pictures, videos and the files that hold them, all or nothing.

        What is already recorded stays unchanged. When this returns, the batch is on the disk.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._database.writing() as connection:
            for image in images:
                _add_image(connection, image, now)
            for video in videos:
                _add_video(connection, video, now)
            connection.executemany(sql.UPSERT_FILE, map(sql.file_values, files))

    def delete_missing(self) -> int:
        """Delete the pictures and frames whose files are all gone; returns how many.

        Indexing alone never does this: an unplugged disk looks like deleted files.
        """
        with self.write_lock(), self._database.writing() as connection:
            database_file.delete_draft(self.folder)  # it may hold embeddings of the same pictures
            forget_looks(self.folder)
            before = self._pictures()
            cursor = connection.execute(sql.DELETE_MISSING)
            connection.execute("DELETE FROM files WHERE missing")
            if cursor.rowcount:
                connection.execute(
                    "UPDATE meta SET value = ? WHERE key = 'epoch'", (uuid.uuid4().hex,)
                )
            return before - self._pictures()

    def _pictures(self) -> int:
        counts = self.counts()
        return counts.images + counts.frames

    # -- files --------------------------------------------------------------------------------

    def file(self, path: Path) -> FileRecord | None:
        """The record of one file, by its absolute path."""
        rows = self._database.rows(f"{sql.SELECT_FILE} WHERE path = ?", (sql.path_bytes(path),))
        return sql.file_record(rows[0]) if rows else None

    def files_below(self, folder: Path, *, batch: int = 1000) -> Iterator[FileRecord]:
        """Every file recorded under a folder (or the file itself), in batches, in path order."""
        itself = self.file(folder)
        if itself is not None:
            yield itself
        after = sql.path_bytes(folder).rstrip(b"/") + b"/"
        end = after[:-1] + b"0"  # "0" follows "/" in ASCII
        while True:
            rows = self._database.rows(
                f"{sql.SELECT_FILE} WHERE path > ? AND path < ? ORDER BY path LIMIT ?",
                (after, end, batch),
            )
            if not rows:
                return
            after = rows[-1][0]
            yield from map(sql.file_record, rows)

    def paths_of(self, image_id: str, *, gone: bool = False) -> list[Path]:
        """The files that hold a picture or video (or, with `gone`, held it), in path order.

        For a frame, the files of its video.
        """
        rows = self._database.rows(
            "SELECT path FROM files WHERE missing = ? AND image_id = coalesce("
            "(SELECT video_id FROM video_frames WHERE image_id = ?), ?) ORDER BY path",
            (gone, image_id, image_id),
        )
        return [sql.path_from_bytes(path) for (path,) in rows]

    def holds(self, path: Path, image_id: str) -> bool:
        """Whether a file still holds that picture, or the video of that frame.

        It is read only if its size or time is not what was recorded.
        """
        try:
            status, known = path.stat(), self.file(path)
            if known is not None and known.same_state(status.st_size, status.st_mtime_ns):
                return True
            return path.is_file() and file_sha256(path) == image_id.partition("@")[0]
        except OSError:
            return False

    def with_files(self, ids: Iterable[str]) -> set[str]:
        """The ids whose picture or video is in a file, or was until that file went missing.

        The files of the other ids were overwritten with other content.
        """
        select = "SELECT DISTINCT image_id FROM files"
        return {row[0] for row in self._database.rows_of(select, list(ids), key="image_id")}

    def skipped_files(self) -> Iterator[FileRecord]:
        """The files without a usable picture, with the reason in `problem`."""
        rows = self._database.rows(f"{sql.SELECT_FILE} WHERE problem IS NOT NULL ORDER BY path")
        return map(sql.file_record, rows)

    # -- images and faces ---------------------------------------------------------------------

    def has_image(self, image_id: str) -> bool:
        """Whether a picture or a whole video with this sha256 is recorded."""
        return bool(self._database.rows("SELECT 1 FROM images WHERE id = ?", (image_id,)))

    def has_face(self, face_id: str) -> bool:
        """Whether a face with this id is recorded, searched or set aside."""
        return face_id in self.face_ids_of(face_id.rpartition(":")[0])

    def face_ids_of(self, image_id: str) -> list[str]:
        """The ids of the faces in a picture, also of those set aside by an upgrade."""
        tables = ["faces", *["waiting_faces"] * bool(self._database.rows(sql.HAS_WAITING))]
        select = " UNION ".join(f"SELECT id FROM {it} WHERE image_id = :image" for it in tables)  # noqa: S608 - our own names
        return sorted(face for (face,) in self._database.rows(select, {"image": image_id}))

    def image(self, image_id: str) -> ImageRecord:
        """One picture; `ToolError` for an unknown id."""
        return self.images([image_id])[image_id]

    def _image(self, image_id: str, row: Any) -> ImageRecord:
        if row is None:
            raise ToolError(f"there is no image {image_id!r} in gallery {self.name!r}")
        try:
            return sql.image_record(row)
        except sql.UNREADABLE as error:
            raise self._database.damaged(f"image {image_id} cannot be read") from error

    def images(self, ids: Iterable[str]) -> dict[str, ImageRecord]:
        """Several pictures by id, in a few statements; `ToolError` for an unknown id."""
        wanted = list(dict.fromkeys(ids))
        rows = {row[0]: row for row in self._database.rows_of(sql.SELECT_IMAGE, wanted)}
        return {each: self._image(each, rows.get(each)) for each in wanted}

    def image_ids(self) -> Iterator[str]:
        """The id of every recorded picture and frame, in order."""
        rows = self._database.rows(
            "SELECT id FROM images WHERE id NOT IN (SELECT id FROM videos) ORDER BY id"
        )
        return (row[0] for row in rows)

    def frames_of(self, video_id: str) -> list[FrameRecord]:
        """The frames taken from a video, in order of time; empty if the id is not a video's."""
        rows = self._database.rows(
            "SELECT image_id, time_s FROM video_frames WHERE video_id = ? ORDER BY time_s",
            (video_id,),
        )
        return [FrameRecord(*row) for row in rows]

    def moments(self, image_ids: Sequence[str]) -> dict[str, FramePosition]:
        """The video positions of those pictures that are frames, by image id."""
        rows = self._database.rows_of(sql.SELECT_MOMENT, image_ids, key="image_id")
        return {image_id: FramePosition(video_id, time_s) for image_id, video_id, time_s in rows}

    def face(self, face_id: str) -> FaceRecord:
        """One face; `ToolError` for an unknown id."""
        return self.faces([face_id])[0]

    def faces(self, ids: Sequence[str]) -> list[FaceRecord]:
        """Several faces, in the given order; `ToolError` for an unknown id."""
        return [self._face(row) for row in self._database.rows_by_id(sql.SELECT_FACE, ids)]

    def faces_of(self, image_id: str) -> list[FaceRecord]:
        """The faces in a picture, from left to right."""
        rows = self._database.rows(
            f"{sql.SELECT_FACE} WHERE image_id = ? ORDER BY ordinal", (image_id,)
        )
        return [self._face(row) for row in rows]

    def layouts(self) -> PictureLayouts:
        """The perceptual hashes of every picture and frame, and of the faces in them."""
        return PictureLayouts.of(
            self._database.rows(sql.SELECT_LAYOUTS), self._database.rows(sql.SELECT_FACE_LAYOUTS)
        )

    def _face(self, row: Any) -> FaceRecord:
        try:
            return sql.face_record(row)
        except sql.UNREADABLE as error:
            raise self._database.damaged(f"face {row[0]} cannot be read") from error


def _add_image(connection: sqlite3.Connection, image: AnalysedImage, now: str) -> None:
    if connection.execute(sql.INSERT_IMAGE, sql.image_values(image, now)).rowcount:
        connection.executemany(sql.INSERT_FACE, sql.face_values(image))


def _add_video(connection: sqlite3.Connection, video: AnalysedVideo, now: str) -> None:
    if not connection.execute(sql.INSERT_IMAGE, sql.video_values(video, now)).rowcount:
        return
    connection.execute(sql.INSERT_VIDEO, (video.id, video.duration_s))
    for image in video.images:
        _add_image(connection, image, now)
        if image.moment is not None:
            row = (image.id, image.moment.video_id, image.moment.time_s)
            connection.execute(sql.INSERT_FRAME, row)


def _set_aside(name: str, faces: int) -> str:
    some = "1 face of it is" if faces == 1 else f"{faces:,} faces of it are"
    return (
        f"gallery {name!r} got a new face embedder and {some} not searched, because the files "
        f"could not be read: bring them back, then run `unmask galleries upgrade {name}`"
    )


def _no_gallery(name: str, known: Sequence[str]) -> str:
    """The problem and its fix: an existing gallery is more likely meant than a new one."""
    make = f"make it with `unmask index DIR --gallery {name}`"
    if not known:
        return f"no gallery was made yet, so there is no {name!r}: {make}"
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]!r}? Name" if near else "name"
    there = ", ".join(known)
    return (
        f"there is no gallery {name!r} (there are: {there}): {meant}"
        f" one of them with `--gallery NAME`, or {make}"
    )
