"""Summarise a manifest in counts, for reports."""

from collections import Counter
from collections.abc import Iterable

from evals.datasets.manifest import Manifest

NOT_KNOWN = "not known"


def describe(manifest: Manifest) -> dict[str, object]:
    """Counts of rows by label, split, method and compression; of persons, videos, pictures.

    `method` counts fakes and `compression` all rows; unknown values are counted as such.
    """
    rows = manifest.rows
    fakes = [row for row in rows if row.label == "fake"]
    return {
        "name": manifest.name,
        "rows": len(rows),
        "label": _counted(row.label for row in rows),
        "split": _counted(row.split for row in rows),
        "method": _counted(row.method for row in fakes),
        "compression": _counted(row.compression for row in rows),
        "persons depicted": len({row.depicted_id for row in rows} - {None}),
        "bodies": len({row.body_id for row in rows} - {None}),
        "videos": len({row.video_id for row in rows} - {None}),
        "pictures without video": sum(row.video_id is None for row in rows),
        "terms": _counted(row.licence_tag for row in rows),
        "digest": manifest.digest,
        "notes": dict(manifest.notes),
    }


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    counts = Counter(value or NOT_KNOWN for value in values)
    return dict(sorted(counts.items()))
