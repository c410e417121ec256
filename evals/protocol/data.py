"""A data set with identities, measured, after its names were held against the faces.

Who is depicted is checked before anything is believed (`evals.datasets.identities`). And where
every source has a person of its own (pairs of files, the videos of FaceForensics++), names say
nothing about persons: sources whose authentic faces are as alike as one person's then count as one.

Rows of a `train` split are left out.

Does not show: how well authentic photos of merged persons are found: they were merged because the
embedder finds them. Forgeries have no part in the merging.
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
"""Cosine; one in a thousand pairs of strangers reaches 0.45, so that hardly any reaches this."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentityDataset:
    """A measured data set; `merged` are names that turned out to be one person's, as "a = b"."""

    manifest: Manifest
    measured: MeasuredDataset
    merged: tuple[str, ...]

    def figures(self) -> dict[str, object]:
        """What every suite says about its data."""
        return {
            "data": self.manifest.name,
            "pictures": len(self.measured),
            "pictures_without_a_face": int((~self.measured.found).sum()),
            "unreadable": len(self.measured.skipped),
            "persons_merged_by_face": list(self.merged),
            "notes": dict(self.manifest.notes),
        }


def prepare_dataset(options: EvalOptions) -> IdentityDataset:
    """Load what no part learnt from, limit to whole persons, check who is depicted, measure, merge.

    Raises SetupError where the faces contradict the names.
    """
    whole = datasets.load(options.data, options.layout)
    limited = limit_by_person(without_train_split(whole), options.limit, seed=options.seed)
    manifest = with_identity_check(limited, load_models().faces, seed=options.seed)
    measured = measure_dataset(manifest, replace(options, limit=None))
    names = same_persons(measured)
    told = tuple(f"{name} = {first}" for name, first in sorted(names.items()) if name != first)
    return IdentityDataset(manifest, renamed(measured, names), told)


def without_train_split(manifest: Manifest) -> Manifest:
    """Without the rows of a `train` split, from which shipped parts may have learnt; noted."""
    kept = manifest.where(lambda row: row.split != "train")
    count = len(manifest.rows) - len(kept.rows)
    if not kept.rows:
        raise SetupError(f"{manifest.name!r} holds rows of a train split only; nothing to judge")
    return kept.with_notes(left_out=f"{count:,} rows of the train split") if count else kept


def same_persons(measured: MeasuredDataset) -> dict[str, str]:
    """Every name with the first name of the same person; all their own where names are persons."""
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
    """Each name's group, called by its first name: groups are joined where any two are alike."""
    first = list(range(len(names)))
    for one, other in np.argwhere(np.triu(faces @ faces.T, 1) >= ONE_PERSON_AT):
        old, new = max(first[one], first[other]), min(first[one], first[other])
        first = [new if place == old else place for place in first]
    return {name: names[place] for name, place in zip(names, first, strict=True)}


def renamed(measured: MeasuredDataset, names: dict[str, str]) -> MeasuredDataset:
    """The same pictures under the persons' joint names."""

    def row(old: ManifestRow) -> ManifestRow:
        depicted, body = old.depicted_id or "", old.body_id or ""
        return replace(
            old,
            depicted_id=names.get(depicted, depicted) or None,
            body_id=names.get(body, body) or None,
        )

    return replace(measured, rows=tuple(map(row, measured.rows)))
