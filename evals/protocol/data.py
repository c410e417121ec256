"""Prepare a data set with identities: load, check ids against faces, measure, merge duplicate ids.

The ids are checked first (`evals.datasets.identities`). If every source has its own id (pairs of
files, the videos of FaceForensics++), ids are not persons: sources whose authentic faces are as
similar as one person's are merged.

Rows of a `train` split are left out.

Does not show: how well authentic photos of merged persons are found: they were merged because the
embedder finds them. Forgeries are not used for merging.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from evals import datasets
from evals.datasets.identities import with_identity_check
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models, measure_dataset
from evals.protocol.protocol import limit_by_person, source
from tools.errors import SetupError

ONE_PERSON_AT = 0.6
"""Cosine; one in a thousand impostor pairs reaches 0.45, so hardly any reaches this."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentityDataset:
    """A measured data set; `merged` lists ids that were merged as one person, as "a = b"."""

    manifest: Manifest
    measured: MeasuredDataset
    merged: tuple[str, ...]

    def figures(self) -> dict[str, object]:
        """Figures about the data, for every suite."""
        return {
            "data": self.manifest.name,
            "pictures": len(self.measured),
            "pictures_without_a_face": int((~self.measured.found).sum()),
            "unreadable": len(self.measured.skipped),
            "persons_merged_by_face": list(self.merged),
            "notes": dict(self.manifest.notes),
        }


def prepare_dataset(options: EvalOptions) -> IdentityDataset:
    """Load, drop training rows, limit to whole persons, check ids, measure and merge.

    Raises SetupError if the faces contradict the ids.
    """
    whole = datasets.load(options.data, options.layout)
    limited = limit_by_person(without_train_split(whole), options.limit, seed=options.seed)
    manifest = with_identity_check(limited, load_models().faces, seed=options.seed)
    measured = measure_dataset(manifest, replace(options, limit=None))
    names = same_persons(measured)
    told = tuple(f"{name} = {first}" for name, first in sorted(names.items()) if name != first)
    return IdentityDataset(manifest, renamed(measured, names), told)


def without_train_split(manifest: Manifest) -> Manifest:
    """Drop rows of a `train` split, on which shipped models may have been trained; noted."""
    kept = manifest.where(lambda row: row.split != "train")
    count = len(manifest.rows) - len(kept.rows)
    if not kept.rows:
        raise SetupError(f"{manifest.name!r} holds rows of a train split only; nothing to evaluate")
    return kept.with_notes(left_out=f"{count:,} rows of the train split") if count else kept


def same_persons(measured: MeasuredDataset) -> dict[str, str]:
    """Canonical id of every id: the first id of the same person; the id itself if ids are
    persons."""
    sources: dict[str, set[str]] = defaultdict(set)
    faces: dict[str, list[int]] = defaultdict(list)
    for index in np.flatnonzero(measured.found):
        row = measured.rows[index]
        if row.label == "real" and row.depicted_id is not None:
            sources[row.depicted_id].add(source(row))
            faces[row.depicted_id].append(int(index))
    names = sorted(faces)
    if not names or max(map(len, sources.values())) > 1:
        return {name: name for name in names}
    embeddings = measured.embeddings
    means = np.stack([embeddings[faces[name]].mean(axis=0) for name in names])
    return _linked(names, means / np.linalg.norm(means, axis=1, keepdims=True))


def _linked(names: list[str], faces: np.ndarray) -> dict[str, str]:
    """Group of each id, named after its first member: groups with any similar pair are merged."""
    first = list(range(len(names)))
    for one, other in np.argwhere(np.triu(faces @ faces.T, 1) >= ONE_PERSON_AT):
        old, new = max(first[one], first[other]), min(first[one], first[other])
        first = [new if place == old else place for place in first]
    return {name: names[place] for name, place in zip(names, first, strict=True)}


def renamed(measured: MeasuredDataset, names: dict[str, str]) -> MeasuredDataset:
    """The same pictures with the merged ids."""

    def row(old: ManifestRow) -> ManifestRow:
        depicted, body = old.depicted_id or "", old.body_id or ""
        return replace(
            old,
            depicted_id=names.get(depicted, depicted) or None,
            body_id=names.get(body, body) or None,
        )

    return replace(measured, rows=tuple(map(row, measured.rows)))
