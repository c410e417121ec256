"""The full check of a record: what is damaged in its file or not in our format."""

from collections.abc import Iterator

import numpy as np

from tools.gallery import sql
from tools.gallery.record.database import RecordDatabase

_SIZED = (("embedding", "faces"), ("features", "faces"), ("features", "images"))


def find_problems(database: RecordDatabase) -> Iterator[str]:
    """Check the whole file (slow: reads all of it); no problem means no damage."""
    yield from (text for (text,) in database.rows("PRAGMA integrity_check") if text != "ok")
    for row in database.rows("PRAGMA foreign_key_check"):
        yield f"{row[0]} row {row[1]} points nowhere"
    for what, table in _SIZED:
        select = f"SELECT DISTINCT length({what}) FROM {table} WHERE {what} IS NOT NULL"  # noqa: S608 - our own names
        sizes = sorted(size for (size,) in database.rows(f"{select} ORDER BY 1"))
        if len(sizes) > 1:
            yield f"{what} of different sizes in {table}: {sizes} bytes"
    yield from _unreadable_faces(database)
    yield from _unreadable_images(database)


def _unreadable_faces(database: RecordDatabase) -> Iterator[str]:
    for (seq,) in database.rows("SELECT seq FROM faces ORDER BY seq"):
        row = database.rows(f"{sql.SELECT_FACE} WHERE seq = ?", (seq,))[0]
        try:
            norm = float(np.linalg.norm(sql.face_record(row).face.embedding))
        except sql.UNREADABLE as error:
            yield f"face {row[0]} cannot be read ({error})"
            continue
        if not abs(norm - 1) < 1e-3:
            yield f"embedding of {row[0]} is no unit vector"


def _unreadable_images(database: RecordDatabase) -> Iterator[str]:
    for (image_id,) in database.rows("SELECT id FROM images ORDER BY id"):
        row = database.rows(f"{sql.SELECT_IMAGE} WHERE id = ?", (image_id,))[0]
        try:
            sql.image_record(row)
        except sql.UNREADABLE as error:
            yield f"image {image_id} cannot be read ({error})"
