"""The draft of a gallery's new embeddings: a file beside the record, and the swap that ends it.

The record does not change before the swap, which is one transaction; an interrupted upgrade finds
its draft again.
"""

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tools.gallery import database_file, sql
from tools.gallery.database_file import DATABASE_FILE, delete_draft, draft_file
from tools.gallery.records import Vector, pack, unpacked
from tools.media.private_files import private_file

_FACES = "SELECT id, image_id, keypoints FROM {table}"
_LIST_SOURCES = """
CREATE TEMP TABLE sources AS
SELECT DISTINCT coalesce(video_id, face.image_id) AS id FROM ({faces}) AS face
LEFT JOIN video_frames ON video_frames.image_id = face.image_id
WHERE face.id NOT IN (SELECT id FROM draft.embeddings) ORDER BY 1
"""
_OF_SOURCE = """
 WHERE image_id IN (SELECT ?1 UNION ALL SELECT image_id FROM video_frames WHERE video_id = ?1)
 AND id NOT IN (SELECT id FROM draft.embeddings)
"""


@dataclass(frozen=True, slots=True, eq=False)
class KnownFace:
    """A recorded face that needs a new embedding; `keypoints` (5, 2) float32 px."""

    id: str
    image_id: str
    keypoints: Vector


class UpgradeDraft:
    """New embeddings for the faces of one gallery, made by the checkpoints of `fingerprint`.

    Faces set aside by an earlier upgrade are tried again. The caller holds the write lock.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, str]) -> None:
        self._folder, self._name = folder, folder.name
        self._target = json.dumps(dict(fingerprint), sort_keys=True)
        with database_file.translate_database_errors(self._name):
            self._connection = database_file.connect(folder / DATABASE_FILE)
            try:
                self._attach()
                self.is_current = self._is_current()
            except BaseException:
                self._connection.close()
                raise
        tables = ["waiting_faces"] if self._all(sql.HAS_WAITING) else []
        tables += [] if self.is_current else ["faces"]
        self._selects = [_FACES.format(table=it) for it in tables or ["faces WHERE false"]]
        self._all(_LIST_SOURCES.format(faces=" UNION ALL ".join(self._selects)))

    def _attach(self) -> None:
        path = draft_file(self._folder)
        try:
            made_for = self._attached(path)
        except sqlite3.DatabaseError:  # damaged by a power failure: nothing but time is lost
            made_for = ""
        if made_for != self._target:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("DETACH draft")
            delete_draft(self._folder)
            self._attached(path)

    def _attached(self, path: Path) -> str:
        """Open the draft, create it if it is missing; returns the fingerprint it was made for."""
        run = self._connection.execute
        run("ATTACH ? AS draft", (str(private_file(path)),))
        run("PRAGMA draft.synchronous = NORMAL")
        run("CREATE TABLE IF NOT EXISTS draft.made_for (fingerprint TEXT NOT NULL)")
        run(
            "CREATE TABLE IF NOT EXISTS draft.embeddings"
            " (id TEXT PRIMARY KEY, embedding BLOB NOT NULL) WITHOUT ROWID"
        )
        run(
            "INSERT INTO draft.made_for SELECT ? WHERE NOT EXISTS (SELECT 1 FROM draft.made_for)",
            (self._target,),
        )
        return str(run("SELECT fingerprint FROM draft.made_for").fetchone()[0])

    def _is_current(self) -> bool:
        made_by = self._all("SELECT value FROM meta WHERE key = 'fingerprint'")[0][0]
        return bool(json.loads(made_by) == json.loads(self._target))

    # -- what is to be done -------------------------------------------------------------------

    def sources(self, *, after: int, limit: int) -> list[str]:
        """Ids of pictures and videos with faces to be embedded, some at a time, after a number."""
        rows = self._all("SELECT id FROM sources WHERE rowid > ? LIMIT ?", (after, limit))
        return [source for (source,) in rows]

    def faces_of(self, source: str) -> list[KnownFace]:
        """The faces to be embedded of a picture, or of all frames of a video."""
        select = " UNION ALL ".join(each + _OF_SOURCE for each in self._selects)
        rows = self._all(select, (source,))
        return [KnownFace(face, image, unpacked(points, (5, 2))) for face, image, points in rows]

    def done_and_total(self) -> tuple[int, int]:
        """The number of faces embedded, and of all."""
        done = total = 0
        for select in self._selects:
            count = f"WITH face AS ({select}) SELECT count(*) FROM face"  # noqa: S608 - our names
            total += self._all(count)[0][0]
            done += self._all(f"{count} JOIN draft.embeddings USING (id)")[0][0]
        return done, total

    # -- doing it -----------------------------------------------------------------------------

    def keep(self, embeddings: Iterable[tuple[str, Vector]]) -> None:
        """Keep new embeddings (d,) by face id; when this returns they survive a killed process."""
        rows = [(face, pack(vector)) for face, vector in embeddings]
        with self._writing() as run:
            for row in rows:
                run("INSERT OR REPLACE INTO draft.embeddings VALUES (?, ?)", row)

    def swap(self) -> None:
        """Give the faces their new embeddings and set the others aside, all or nothing."""
        with self._writing() as run:
            run(sql.CREATE_WAITING)
            if not self.is_current:
                for statement in sql.SET_OTHERS_ASIDE:
                    run(statement)
                changes = {"fingerprint": self._target, "epoch": uuid.uuid4().hex}
                for key, value in changes.items():
                    run("UPDATE meta SET value = ? WHERE key = ?", (value, key))
            for statement in sql.TAKE_BACK:
                run(statement)

    def close(self, *, finished: bool) -> None:
        """Close the files; a finished draft is deleted, any other is kept for the next run."""
        self._connection.close()
        if finished:
            delete_draft(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(finished=kind is None)

    def _all(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with database_file.translate_database_errors(self._name):
            return self._connection.execute(statement, parameters).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Callable[..., object]]:
        """All or nothing: yields what runs a statement."""
        with (
            database_file.translate_database_errors(self._name),
            database_file.transaction(self._connection),
        ):
            yield self._connection.execute
