"""Load pairs of a fake and a crop of its original, listed in a table.

    dfdc/
      fake/aaaa.jpg
      real/bbbb.jpg
      pairs.csv                     fake,real[,split]: names in those folders

Identity: none is published for these pairs, so depicted_id and body_id are None (detection only).
`source_video` of a fake is the path of its original, which keeps a pair together when figures are
resampled. Not known: method, compression, which pairs show the same actor. Terms: those of the
data set the pairs were cut from; the table does not say, so no tag.
"""

from pathlib import Path

from evals.datasets.csv_table import find_table, manifest_of, name_of, read_lines
from evals.datasets.delimited import path_below
from evals.datasets.manifest import Label, Manifest, ManifestRow
from tools.errors import SetupError

COLUMNS = ("fake", "real")


def recognises(root: Path) -> bool:
    """Whether there is a pairs.csv, or `root` is a table of pairs."""
    return find_table(root, "pairs.csv", COLUMNS) is not None


def load(root: Path) -> Manifest:
    """The manifest; raises SetupError for a table with contradictions or without matching files."""
    table = find_table(root, "pairs.csv", COLUMNS)
    lines = read_lines(table, root, "pairs.csv", COLUMNS)
    base = root if root.is_dir() else root.parent
    rows: dict[str, ManifestRow] = {}
    for number, line in lines:
        split = line.get("split", "")
        fake, real = (path_below(base, f"{folder}/{line[folder]}") for folder in ("fake", "real"))
        authentic = _row(base, real, "real", split=split)
        forged = _row(base, fake, "fake", split=split, source_video=real)
        if fake in rows or rows.setdefault(real, authentic) != authentic:
            where = f"{str(table)!r}: line {number}"
            raise SetupError(
                f"{where}: {line['fake']!r} or {line['real']!r} is already listed with other values"
            )
        rows[fake] = forged
    return manifest_of(rows, base=base, table=table)


def _row(
    base: Path, path: str, label: Label, *, split: str, source_video: str | None = None
) -> ManifestRow:
    return ManifestRow(
        path, dataset=name_of(base), label=label, split=split, source_video=source_video
    )
