"""JPEG quantisation tables: the quality they stand for, and whether they are the standard's.

The Independent JPEG Group's library scales the example tables of ITU-T T.81 (annex K) by a quality
from 1 to 100; most software uses it. Cameras, telephones and some editors have tables of their own.
"""

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from tools.provenance.findings import Finding
from tools.provenance.formats.jpeg_segments import JpegParts

Table = tuple[int, ...]

_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *[99] * 32,
)  # fmt: skip


@cache
def standard_tables(quality: int) -> tuple[Table, Table]:
    """The library's luma and chroma tables, row by row, for a quality from 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    luma, chroma = (
        tuple(min(255, max(1, (value * scale + 50) // 100)) for value in table)
        for table in (_LUMA, _CHROMA)
    )
    return luma, chroma


def nearest_quality(tables: Mapping[int, Table]) -> tuple[int, bool]:
    """The quality whose standard tables are nearest, and whether all tables equal them.

    Nearest by the mean absolute difference of the logarithms: a step of 2 instead of 1 matters as
    much as one of 100 instead of 50. Table 0 is luma, the others are chroma.
    """
    held = [(np.array(table), 0 if number == 0 else 1) for number, table in tables.items()]

    def distance(quality: int) -> float:
        wanted = standard_tables(quality)
        return sum(
            float(np.abs(np.log(np.maximum(table, 1)) - np.log(wanted[which])).mean())
            for table, which in held
        )

    best = min(range(1, 101), key=distance)
    return best, distance(best) == 0.0


def tables_findings(parts: JpegParts, thumbnail: JpegParts | None) -> Iterator[Finding]:
    """Findings about the tables of a JPEG and of the thumbnail in it."""
    if not parts.tables:
        return
    quality, standard = nearest_quality(parts.tables)
    kind = (
        f"standard tables of quality {quality} of 100"
        if standard
        else f"tables of its maker's own, nearest to quality {quality} of 100, as cameras, "
        "telephones and some editors write"
    )
    details = [("quality", str(quality)), ("standard tables", "yes" if standard else "no")]
    text = f"last saved with {kind}"
    if thumbnail is not None and thumbnail.tables:
        same = thumbnail.tables.get(0) == parts.tables.get(0)
        details.append(("same tables in thumbnail", "yes" if same else "no"))
        text += f"; the thumbnail has {'the same' if same else 'other'} tables"
    yield Finding("compression", "fact", "JPEG tables", text, tuple(details))
