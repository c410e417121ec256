"""SQL statements of the record store, and conversion of rows to records and back."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.faces.analyser import Face
from tools.gallery.records import (
    AnalysedImage,
    AnalysedVideo,
    FaceRecord,
    FileRecord,
    FramePosition,
    ImageRecord,
    face_id,
    pack,
    quality_from_json,
    quality_json,
    to_signed_int64,
    to_unsigned_int64,
    unpack,
    unpacked,
)

INSERT_IMAGE = (
    "INSERT INTO images (id, width, height, format, frames, byte_size, perceptual_hash,"
    " unmask_forgery, indexed_at, features) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING"
)
SELECT_IMAGE = (
    "SELECT id, width, height, format, frames, byte_size, perceptual_hash, unmask_forgery,"
    " features, indexed_at, video_id, time_s FROM images"
    " LEFT JOIN video_frames ON image_id = id"
)
SELECT_LAYOUTS = "SELECT id, perceptual_hash FROM images WHERE id NOT IN (SELECT id FROM videos)"
SELECT_FACE_LAYOUTS = "SELECT image_id, face_hash FROM faces WHERE face_hash IS NOT NULL"
INSERT_VIDEO = "INSERT INTO videos (id, duration_s) VALUES (?, ?)"
INSERT_FRAME = "INSERT INTO video_frames (image_id, video_id, time_s) VALUES (?, ?, ?)"
SELECT_MOMENT = "SELECT image_id, video_id, time_s FROM video_frames"
COUNTS = (
    "SELECT (SELECT count(*) FROM images WHERE id NOT IN (SELECT id FROM videos)"
    " AND id NOT IN (SELECT image_id FROM video_frames)),"
    " (SELECT count(*) FROM faces),"
    " (SELECT count(*) FROM files WHERE image_id IS NOT NULL AND NOT missing),"
    " (SELECT count(*) FROM files WHERE problem IS NOT NULL AND NOT missing),"
    " (SELECT count(*) FROM files WHERE missing),"
    " (SELECT count(*) FROM videos),"
    " (SELECT count(*) FROM video_frames)"
)
HAS_WAITING = "SELECT 1 FROM sqlite_master WHERE name = 'waiting_faces'"
COUNT_WAITING = "SELECT count(*) FROM waiting_faces"

COUNT_WITHOUT_FACE = (  # pictures, and videos, of whose frames none shows a face
    "SELECT (SELECT count(*) FROM images WHERE id NOT IN (SELECT image_id FROM faces)"
    " AND id NOT IN (SELECT id FROM videos) AND id NOT IN (SELECT image_id FROM video_frames)),"
    " (SELECT count(*) FROM videos WHERE id NOT IN (SELECT video_id FROM video_frames"
    " WHERE image_id IN (SELECT image_id FROM faces)))"
)
COUNT_ONLY_WAITING = (  # the same of those whose only faces wait for an upgrade
    "SELECT (SELECT count(DISTINCT image_id) FROM waiting_faces"
    " WHERE image_id NOT IN (SELECT image_id FROM faces)"
    " AND image_id NOT IN (SELECT image_id FROM video_frames)),"
    " (SELECT count(DISTINCT video_id) FROM video_frames"
    " WHERE image_id IN (SELECT image_id FROM waiting_faces) AND video_id NOT IN"
    " (SELECT video_id FROM video_frames WHERE image_id IN (SELECT image_id FROM faces)))"
)
DELETE_MISSING = (  # no WITH: Python's sqlite3 would not count the rows deleted by such a statement
    "DELETE FROM images WHERE id NOT IN"
    " (SELECT image_id FROM files WHERE image_id IS NOT NULL AND NOT missing)"
    " AND id NOT IN (SELECT video_frames.image_id FROM video_frames"
    " JOIN files ON files.image_id = video_id WHERE NOT missing)"
)
INSERT_FACE = (
    "INSERT INTO faces (id, image_id, ordinal, embedding, box, keypoints, landmarks, quality,"
    " face_hash, features) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT_FACE = (
    "SELECT id, image_id, ordinal, embedding, box, keypoints, landmarks, quality, face_hash,"
    " features FROM faces"
)
# Faces without an embedding of the models in use: their files could not be read at the upgrade.
# Made when first needed, without a new schema version: older versions can do without the table.
CREATE_WAITING = (
    "CREATE TABLE IF NOT EXISTS waiting_faces (id TEXT PRIMARY KEY,"
    " image_id TEXT NOT NULL REFERENCES images ON DELETE CASCADE, ordinal INTEGER NOT NULL,"
    " embedding BLOB NOT NULL, box BLOB NOT NULL, keypoints BLOB NOT NULL, landmarks BLOB,"
    " quality TEXT NOT NULL, face_hash INTEGER, features BLOB)"
)
SET_OTHERS_ASIDE = (
    "INSERT INTO waiting_faces SELECT id, image_id, ordinal, embedding, box, keypoints, landmarks,"
    " quality, face_hash, features FROM faces WHERE id NOT IN (SELECT id FROM draft.embeddings)",
    "DELETE FROM faces WHERE id NOT IN (SELECT id FROM draft.embeddings)",
    "UPDATE faces SET embedding ="
    " (SELECT fresh.embedding FROM draft.embeddings AS fresh WHERE fresh.id = faces.id)",
)
TAKE_BACK = (
    "UPDATE waiting_faces SET embedding = (SELECT fresh.embedding FROM draft.embeddings AS fresh"
    " WHERE fresh.id = waiting_faces.id) WHERE id IN (SELECT id FROM draft.embeddings)",
    "INSERT INTO faces (id, image_id, ordinal, embedding, box, keypoints, landmarks, quality,"
    " face_hash, features) SELECT * FROM waiting_faces"
    " WHERE id IN (SELECT id FROM draft.embeddings) ORDER BY id",
    "DELETE FROM waiting_faces WHERE id IN (SELECT id FROM draft.embeddings)",
)
UPSERT_FILE = (
    "INSERT INTO files (path, size, mtime_ns, image_id, problem, missing)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET size = excluded.size,"
    " mtime_ns = excluded.mtime_ns, image_id = excluded.image_id, problem = excluded.problem,"
    " missing = excluded.missing"
)
SELECT_FILE = "SELECT path, size, mtime_ns, image_id, problem, missing FROM files"

UNREADABLE = (ValueError, TypeError, KeyError)
"""Raised by a row whose content does not have our format."""


def image_values(image: AnalysedImage, indexed_at: str) -> tuple[object, ...]:
    """The parameters of `INSERT_IMAGE`."""
    return (
        image.id,
        image.width,
        image.height,
        image.format,
        image.frames,
        image.byte_size,
        to_signed_int64(image.perceptual_hash),
        int(image.unmask_forgery),
        indexed_at,
        pack(image.features),
    )


def video_values(video: AnalysedVideo, indexed_at: str) -> tuple[object, ...]:
    """The parameters of `INSERT_IMAGE` for a whole video."""
    first = video.images[0]
    return (
        video.id,
        first.width,
        first.height,
        video.format,
        video.frames,
        video.byte_size,
        to_signed_int64(first.perceptual_hash),
        int(video.unmask_forgery),
        indexed_at,
        None,
    )


def face_values(image: AnalysedImage) -> Iterator[tuple[object, ...]]:
    """The parameters of `INSERT_FACE`, per face."""
    for ordinal, each in enumerate(image.faces):
        yield (
            face_id(image.id, ordinal),
            image.id,
            ordinal,
            pack(each.face.embedding),
            pack(each.face.box),
            pack(each.face.keypoints),
            pack(each.face.landmarks),
            quality_json(each.face.quality),
            to_signed_int64(each.face_hash),
            pack(each.features),
        )


def file_values(file: FileRecord) -> tuple[object, ...]:
    """The parameters of `UPSERT_FILE`."""
    return (
        path_bytes(file.path),
        file.size,
        file.mtime_ns,
        file.image_id,
        file.problem,
        int(file.missing),
    )


def image_record(row: Any) -> ImageRecord:
    """A row of `SELECT_IMAGE`."""
    return ImageRecord(
        id=row[0],
        width=row[1],
        height=row[2],
        format=row[3],
        frames=row[4],
        byte_size=row[5],
        perceptual_hash=to_unsigned_int64(row[6]) or 0,
        unmask_forgery=bool(row[7]),
        features=unpack(row[8]),
        indexed_at=row[9],
        moment=None if row[10] is None else FramePosition(row[10], row[11]),
    )


def face_record(row: Any) -> FaceRecord:
    """A row of `SELECT_FACE`."""
    face = Face(
        box=unpacked(row[4], (4,)),
        keypoints=unpacked(row[5], (5, 2)),
        landmarks=unpack(row[6], (68, 2)),
        quality=quality_from_json(row[7]),
        embedding=unpacked(row[3]),
    )
    return FaceRecord(
        id=row[0],
        image_id=row[1],
        ordinal=row[2],
        face=face,
        features=unpack(row[9]),
        face_hash=to_unsigned_int64(row[8]),
    )


def file_record(row: Any) -> FileRecord:
    """A row of `SELECT_FILE`."""
    return FileRecord(path_from_bytes(row[0]), row[1], row[2], row[3], row[4], bool(row[5]))


def path_bytes(path: Path) -> bytes:
    """A path as the file system's raw bytes, whatever their encoding."""
    return os.fsencode(path)


def path_from_bytes(data: bytes) -> Path:
    """Undo `path_bytes`."""
    return Path(os.fsdecode(data))
