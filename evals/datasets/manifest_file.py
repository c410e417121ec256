"""Read and write manifests as files: CSV for people, Parquet for millions of rows.

Columns: path, sha256, dataset, split, video_id, frame, label, depicted_id, body_id, method,
compression, source_video, licence_tag, mask. Only path and label are required; an empty cell means
"not known"; a data set without a name gets the file's. Notes are stored beside the table in
`<file>.notes.json`, so that any tool can read the table.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from evals.datasets.delimited import path_below, reader_of
from evals.datasets.manifest import COLUMNS, LABELS, Manifest, ManifestRow
from tools.errors import SetupError
from tools.media.file_names import encodable
from tools.media.private_files import open_private, private_file

SUFFIXES = (".csv", ".parquet")
NEEDED = ("path", "label")
# These are never None in a row.
PLAIN = ("path", "dataset", "label", "split")


def read(path: Path, root: Path | None = None) -> Manifest:
    """Read the manifest in `path`; its paths are relative to `root`, by default the file's own
    folder.

    Raises SetupError, naming file, line and column, for an invalid table. Unknown columns are
    counted in the notes.
    """
    base = path.parent if root is None else root
    columns, lines = _table(path)
    if lacking := [name for name in NEEDED if name not in columns]:
        raise SetupError(
            f"{str(path)!r}: line 1: no column {lacking[0]!r}; a manifest has {', '.join(COLUMNS)}"
        )
    notes = _notes(path)
    if foreign := [name for name in columns if name not in COLUMNS]:
        notes["columns not read"] = ", ".join(map(repr, foreign))
    return Manifest(path.stem, base, tuple(_rows(path, lines, base=base)), notes)


def write(manifest: Manifest, path: Path) -> None:
    """Write a manifest to `path`, as CSV or Parquet depending on the suffix."""
    _check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    private_file(path)
    rows = [
        {name: encodable(it) if isinstance(it, str) else it for name, it in asdict(row).items()}
        for row in manifest.rows
    ]
    if path.suffix == ".parquet":
        _write_parquet(rows, path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    beside = _beside(path)
    if manifest.notes:
        notes = {name: encodable(text) for name, text in manifest.notes.items()}
        with open_private(beside) as file:
            file.write(json.dumps(notes, indent=2) + "\n")
    else:
        beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".notes.json")


def _notes(path: Path) -> dict[str, str]:
    beside = _beside(path)
    if not beside.is_file():
        return {}
    try:
        notes = json.loads(beside.read_text(encoding="utf-8-sig"))
        return {str(name): str(text) for name, text in notes.items()}
    except (ValueError, RecursionError, AttributeError) as error:
        raise SetupError(
            f"{str(beside)!r} is not JSON with an object ({error}); remove it"
        ) from error


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise SetupError(f"{str(path)!r}: a manifest is a .csv or .parquet file")


# -- tables ----------------------------------------------------------------------------------


def _table(path: Path) -> tuple[list[str], Iterable[tuple[int, Mapping[str, Any]]]]:
    """The column names, and the rows with line numbers (the header is line 1)."""
    _check_suffix(path)
    if not path.is_file():
        raise SetupError(f"no manifest at {str(path)!r}")
    return _parquet(path) if path.suffix == ".parquet" else _csv(path)


def _csv(path: Path) -> tuple[list[str], Iterable[tuple[int, Mapping[str, Any]]]]:
    try:
        reader = reader_of(path, COLUMNS, strict=True)
    except UnicodeDecodeError as error:
        raise SetupError(f"{str(path)!r}: not UTF-8 text ({error.reason})") from error
    except csv.Error as error:
        raise SetupError(f"{str(path)!r}: line 1: {error}") from error
    return [*(reader.fieldnames or ())], _csv_lines(path, reader)


def _csv_lines(
    path: Path, reader: "csv.DictReader[str]"
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        for line in reader:
            if None in line or None in line.values():
                raise SetupError(
                    f"{str(path)!r}: line {reader.line_num}: the cells do not match the columns"
                )
            yield reader.line_num, line
    except csv.Error as error:
        raise SetupError(f"{str(path)!r}: line {reader.reader.line_num}: {error}") from error


def _parquet(path: Path) -> tuple[list[str], Iterable[tuple[int, Mapping[str, Any]]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise SetupError(f"{str(path)!r}: not a Parquet file ({error})") from error
    return table.column_names, enumerate(table.to_pylist(), start=2)


def _write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {name: pyarrow.string() for name in COLUMNS} | {"frame": pyarrow.int64()}
    schema = pyarrow.schema([(name, types[name]) for name in COLUMNS])
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), path)


# -- rows ------------------------------------------------------------------------------------


def _rows(
    path: Path, lines: Iterable[tuple[int, Mapping[str, Any]]], *, base: Path
) -> Iterator[ManifestRow]:
    seen: dict[tuple[str, int | None], int] = {}
    for number, line in lines:
        row = _row(line, path=path, number=number, base=base)
        first = seen.setdefault((row.path, row.frame), number)
        if first != number:
            raise _wrong(path, number, "path", f"{row.path!r} is on line {first} already")
        yield row


def _row(line: Mapping[str, Any], *, path: Path, number: int, base: Path) -> ManifestRow:
    cells = {name: _cell(line.get(name)) for name in COLUMNS}
    plain = {name: cells.pop(name) or "" for name in PLAIN}
    label = next((known for known in LABELS if known == plain["label"]), None)
    if label is None:
        what = f"{plain['label']!r} is none of {', '.join(LABELS)}"
        raise _wrong(path, number, "label", what)
    return ManifestRow(
        path=_inside(path_below(base, str(line["path"] or "")), path=path, number=number),
        dataset=plain["dataset"] or path.stem,
        label=label,
        split=plain["split"],
        frame=_frame(cells.pop("frame"), path=path, number=number),
        **cells,
    )


def _cell(value: object) -> str | None:
    """Text without surrounding blanks; None for an empty cell."""
    return None if value is None else str(value).strip() or None


def _inside(text: str, *, path: Path, number: int) -> str:
    place = PurePosixPath(text)
    if not text:
        raise _wrong(path, number, "path", "is empty")
    if place.is_absolute() or ".." in place.parts or PureWindowsPath(text).drive:
        what = f"{text!r} is not relative to the manifest's folder"
        raise _wrong(path, number, "path", what)
    return place.as_posix()


def _frame(text: str | None, *, path: Path, number: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise _wrong(path, number, "frame", f"{text!r} is not a frame number (0, 1, 2, …)")
    return int(text)


def _wrong(path: Path, number: int, column: str, what: str) -> SetupError:
    return SetupError(f"{str(path)!r}: line {number}: column {column!r}: {what}")
