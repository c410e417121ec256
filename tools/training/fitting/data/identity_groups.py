"""Group the faces of a folder by person, from embeddings and sub-folder names.

Faces are joined by average linkage: the two groups with the highest mean cosine over all pairs are
merged while that mean exceeds `SAME_PERSON_COSINE`. Single linkage chains: on 1,210 photographs of
574 persons excluded from training (LFW, an earlier pocket embedder), merging every pair above 0.45
puts 57 % of all photographs into one group, and 0.50 still leaves a picture of the same person on
the training side for 12 % of the test pictures. On the same photographs with the present embedder,
a mean of 0.25 makes no group of more than 7 %, and 8 % of the test pictures are affected. It merges
too many persons (359 groups for 574 persons): two persons in one group cost little, but one person
in two groups makes the figures too good.
"""

from collections.abc import Sequence

import numpy as np

SAME_PERSON_COSINE = 0.25
"""Mean cosine above which groups are merged. By the pocket profile's calibration, two
photographs with a cosine of 0.19 show one person with a probability of 0.5; a mean over pairs
is more certain."""
SAME_FOLDER_COSINE = 0.15
"""The same within a sub-folder, whose faces are expected to belong together; faces of many persons
have a mean of about 0.03."""
CERTAIN_SAME_PERSON_COSINE = 0.4
"""Mean cosine above which two sub-folders are one person despite their names; and above which a
forgery also shows a second person: swaps put a face on another person's body."""


def cluster_faces(embeddings: np.ndarray, folders: Sequence[str]) -> list[str]:
    """A group name for each face, from embeddings (n, e) of length one.

    `folders` (n,) are the sub-folders of the faces, "" if none. A sub-folder whose faces agree is
    one person; two such sub-folders are merged only if they agree clearly. The other faces are
    merged among themselves, and then with the most similar person above the threshold. Names are
    numbers in the order of the first face.
    """
    vectors = embeddings.astype(np.float32)
    units, told = _units(vectors, folders)
    labels = np.arange(len(vectors))
    labels[told] = _joined(vectors[told], units[told], least=CERTAIN_SAME_PERSON_COSINE)
    labels[~told] = len(vectors) + _joined(vectors[~told], units[~told], least=SAME_PERSON_COSINE)
    people, persons = _means(vectors[told], labels[told])
    others, groups = _means(vectors[~told], labels[~told])
    if len(people) and len(others):
        alike = others @ people.T
        for row in np.flatnonzero(alike.max(axis=1) >= SAME_PERSON_COSINE):
            labels[labels == groups[row]] = persons[int(np.argmax(alike[row]))]
    order = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()), 1)}
    return [f"person {order[label]}" for label in labels.tolist()]


def average_linkage(means: np.ndarray, counts: np.ndarray, *, least: float) -> np.ndarray:
    """Labels (n,) of average linkage on groups with mean embeddings (n, e) and sizes (n,).

    The mean cosine over all pairs of two groups is the product of their means, so no table of pairs
    is needed. Uses nearest-neighbour chains, which for this linkage give the same groups as always
    merging the nearest two (Müllner, arXiv 1109.2378, section 2).
    """
    means, counts = means.copy(), counts.copy()
    into, rows, chain = np.arange(len(means)), np.arange(len(means)), list[int]()
    alive = np.ones(len(means), bool)
    while alive.any():
        if 2 * alive.sum() < len(rows) and not chain:
            means, counts, rows, alive = _living(means, counts, rows, alive)
        chain = chain or [int(np.argmax(alive))]
        at = chain[-1]
        alike = np.where(alive, means @ means[at], -np.inf)
        alike[at] = -np.inf
        best = int(np.argmax(alike))
        before = chain[-2] if len(chain) > 1 else None
        if before is not None and alike[before] >= alike[best]:
            best = before
        if alike[best] < least:
            # A group that is similar to no other stays so: means over pairs do not grow by merging.
            alive[at] = False
            chain.pop()
        elif best == before:
            means[best] = np.average(means[[best, at]], axis=0, weights=counts[[best, at]])
            counts[best] += counts[at]
            alive[at], into[rows[at]] = False, rows[best]
            del chain[-2:]
        else:
            chain.append(best)
    return _ends(into)


def match_persons(embedding: np.ndarray, means: np.ndarray) -> list[int]:
    """Rows of `means` (p, e) that a forgery's embedding (e,) matches, most similar first.

    The most similar person if above the threshold, plus all further persons that match clearly.
    """
    if not len(means):
        return []
    alike = means @ embedding
    order = np.argsort(-alike)
    return [
        int(row)
        for rank, row in enumerate(order)
        if alike[row] >= (CERTAIN_SAME_PERSON_COSINE if rank else SAME_PERSON_COSINE)
    ]


def _units(embeddings: np.ndarray, folders: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The unit of each face: the first row of its one-person folder, otherwise the face itself."""
    rows_of: dict[str, list[int]] = {}
    for row, folder in enumerate(folders):
        rows_of.setdefault(folder, []).append(row)
    units, told = np.arange(len(embeddings)), np.zeros(len(embeddings), bool)
    for folder, rows in rows_of.items():
        if folder and len(rows) > 1 and _agree(embeddings[rows]):
            units[rows], told[rows] = rows[0], True
    return units, told


def _joined(embeddings: np.ndarray, units: np.ndarray, *, least: float) -> np.ndarray:
    """Labels (n,) of units merged by `average_linkage`."""
    means, names = _means(embeddings, units)
    counts = np.bincount(np.searchsorted(names, units), minlength=len(names)).astype(np.float32)
    labels = average_linkage(means, counts, least=least)
    return labels[np.searchsorted(names, units)] if len(units) else units


def _means(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean embeddings (p, e) of labels, and the labels (p,), in order."""
    names, which = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(names), embeddings.shape[1]), np.float32)
    np.add.at(sums, which, embeddings)
    return sums / np.maximum(np.bincount(which, minlength=len(names)), 1)[:, None], names


def _agree(embeddings: np.ndarray) -> bool:
    """Whether the mean cosine over all pairs supports that these faces are one person."""
    count = len(embeddings)
    total = float(np.square(embeddings.sum(axis=0, dtype=np.float64)).sum())
    return (total - count) / (count * (count - 1)) >= SAME_FOLDER_COSINE


def _living(
    means: np.ndarray, counts: np.ndarray, rows: np.ndarray, alive: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Drop finished groups, so that the remaining ones are processed faster."""
    return means[alive], counts[alive], rows[alive], np.ones(int(alive.sum()), bool)


def _ends(into: np.ndarray) -> np.ndarray:
    """The final group of every row, following the merges."""
    while not np.array_equal(into, into[into]):
        into = into[into]
    return into
