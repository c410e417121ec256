"""Who is in the photographs of a folder, as far as faces and sub-folders tell: groups, not names.

Faces are joined by average linkage: the two groups whose embeddings agree most, in the mean over
all their pairs, become one, for as long as that mean exceeds `SAME_PERSON_COSINE`. Single links
chain: of 1,210 photographs of 574 persons nobody was trained on (LFW, pocket embedder), joining
whatever exceeds 0.45 puts 57 % of all photographs into one group, and 0.50 still leaves a picture
of the same person on the learning side for 12 % of the tested ones. The mean at 0.25 makes no group
of more than 7 % and leaves 6 %. It joins more persons than it should (204 groups of 574): two
persons in one group cost a division little, one person in two groups makes its figures too good.
"""

from collections.abc import Sequence

import numpy as np

SAME_PERSON_COSINE = 0.25
"""Mean cosine above which groups are one. A pair of photographs at 0.23 is as likely of one person
as of two, by the pocket profile's calibration; a mean over pairs is surer than a pair."""
SAME_FOLDER_COSINE = 0.15
"""The same within a sub-folder, which says itself that its faces belong together; faces of many
persons come to about 0.03."""
CERTAIN_SAME_PERSON_COSINE = 0.4
"""Mean cosine above which two sub-folders are of one person, although they are two; and above
which a forgery also shows a second person: swaps put a face on somebody's body."""


def cluster_faces(embeddings: np.ndarray, folders: Sequence[str]) -> list[str]:
    """A name of a group for each face, from embeddings (n, e) of length one.

    `folders` (n,) are the sub-folders that faces lie in, "" where there is none. One whose faces
    agree is a person, and two of those are one only where they agree clearly; faces elsewhere are
    joined among themselves, and then to the person they resemble most, if they do. Names are
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

    The mean cosine over all pairs of two groups is the product of their means, so no table of
    pairs is kept. Follows chains of nearest neighbours, which for this linkage find the same
    groups as always joining the nearest two (Müllner, arXiv 1109.2378, section 2).
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
            # A group that resembles no other never will: means of pairs do not grow by joining.
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
    """Rows of `means` (p, e) whom a forgery with this embedding (e,) shows, the likeliest first.

    The person it resembles most, if it resembles anybody, and whoever else it resembles clearly.
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
    """The first row of the folder of one person that a face lies in, else its own; which is it."""
    rows_of: dict[str, list[int]] = {}
    for row, folder in enumerate(folders):
        rows_of.setdefault(folder, []).append(row)
    units, told = np.arange(len(embeddings)), np.zeros(len(embeddings), bool)
    for folder, rows in rows_of.items():
        if folder and len(rows) > 1 and _agree(embeddings[rows]):
            units[rows], told[rows] = rows[0], True
    return units, told


def _joined(embeddings: np.ndarray, units: np.ndarray, *, least: float) -> np.ndarray:
    """Labels (n,) of units joined by `average_linkage`."""
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
    """Whether the mean cosine over all pairs bears out that these faces are of one person."""
    count = len(embeddings)
    total = float(np.square(embeddings.sum(axis=0, dtype=np.float64)).sum())
    return (total - count) / (count * (count - 1)) >= SAME_FOLDER_COSINE


def _living(
    means: np.ndarray, counts: np.ndarray, rows: np.ndarray, alive: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Without the groups that are done: the rest is faster to go through."""
    return means[alive], counts[alive], rows[alive], np.ones(int(alive.sum()), bool)


def _ends(into: np.ndarray) -> np.ndarray:
    """Where every row ended: what joined what, followed to the last."""
    while not np.array_equal(into, into[into]):
        into = into[into]
    return into
