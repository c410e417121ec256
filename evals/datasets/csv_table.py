"""Read the small CSV tables that come with some data sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.datasets.delimited import path_below, reader_of
from evals.datasets.listing import LoaderNotes, files
from evals.datasets.manifest import Manifest, ManifestRow
from tools.errors import SetupError

Lines = list[tuple[int, Mapping[str, str]]]


def find_table(root: Path, name: str, columns: Sequence[str]) -> Path | None:
    """`root` itself if it is a table with these columns, or the file `name` in it."""
    if root.is_dir():
        return root / name if (root / name).is_file() else None
    if root.suffix != ".csv" or not root.is_file():
        return None
    header = reader_of(root, columns).fieldnames or ()
    return root if {*columns} <= {*header} else None


def read_lines(
    path: Path | None, root: Path, name: str, columns: Sequence[str], *,
    paths: Sequence[str] = (), may_be_empty: Sequence[str] = (),
) -> Lines:  # fmt: skip
    """The table's rows with line numbers (the header is line 1); every cell is stripped.

    `paths` are columns with paths below the table's folder. Raises SetupError for a table that is
    missing, lacks a column or has a broken line; cells of `columns` may be empty only if listed in
    `may_be_empty`.
    """
    if path is None:
        raise SetupError(f"no {name} in {str(root)!r} with columns {', '.join(columns)}")
    reader = reader_of(path, columns)
    if lacking := [column for column in columns if column not in (reader.fieldnames or ())]:
        raise SetupError(f"{str(path)!r}: line 1: no column {lacking[0]!r}")
    lines: Lines = []
    for line in reader:
        if "" in line:
            raise SetupError(f"{str(path)!r}: line {reader.line_num}: too many cells")
        cells = {
            key: path_below(path.parent, text) if key in paths else text.strip()
            for key, text in line.items()
        }
        needed = (column for column in columns if column not in may_be_empty)
        if empty := [column for column in needed if not cells[column]]:
            raise SetupError(
                f"{str(path)!r}: line {reader.line_num}: column {empty[0]!r}: is empty"
            )
        lines.append((reader.line_num, cells))
    return lines


def manifest_of(rows: Mapping[str, ManifestRow], *, base: Path, table: Path | None) -> Manifest:
    """The rows (by path) whose files exist; missing files, and files without a row, are noted.

    Raises SetupError if no file exists.
    """
    present, found = {*files(base)}, LoaderNotes()
    found.add("missing files", *(rows.keys() - present))
    tables = {path for path in present if base / path == table}
    found.add("unexpected files", *(present - rows.keys() - tables))
    kept = tuple(row for path, row in rows.items() if path in present)
    if not kept:
        raise SetupError(f"no file listed in {str(table)!r} exists below {str(base)!r}")
    return Manifest(name_of(base), base, kept, found.notes())


def name_of(folder: Path) -> str:
    """The name of a data set without one: its folder's."""
    return folder.resolve().name
