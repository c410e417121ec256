"""Verdicts of the whole rule on attacked pictures, with a query.

The query is an unattacked authentic picture of the person, from another video or photo than the
judged picture; a picture of a person without such a query has no verdict.
"""

from collections import Counter, defaultdict

import numpy as np

from evals.datasets import ManifestRow
from evals.protocol.measured import MeasuredDataset, load_models
from tools.search.scoring import score_faces

NO_QUERY = ""


def verdicts(
    unattacked: MeasuredDataset, measured: MeasuredDataset, *, closer: bool = False
) -> np.ndarray:
    """(n,) the rule's verdicts on the rows of `measured`, with queries from `unattacked`.

    With `closer`, after the closer look. A face lost to the attack is `not assessed`.
    """
    rule = load_models().rule
    found = np.full(len(measured), NO_QUERY, "<U20")
    visible = measured.found
    for query, judged in _questions(unattacked).items():
        found[judged] = "not assessed"
        shown = [index for index in judged if visible[index]]
        if not shown or rule is None:
            continue
        some = measured.take(shown)
        scores = score_faces(
            unattacked.query([query]), some.columns, detectors=load_models().detectors
        )
        for index, face, values in zip(shown, some.faces, scores, strict=True):
            usable = face is not None and face.face.quality.usable
            further = measured.closer[index] if closer else {}
            found[index] = rule.assess({**values, **further}, usable=usable).verdict
    return found


def _questions(measured: MeasuredDataset) -> dict[int, list[int]]:
    """Rows to judge, by the query row: a person's first photo, otherwise the second."""
    sources: dict[str, dict[str, int]] = defaultdict(dict)
    for index, row in enumerate(measured.rows):
        if row.label == "real" and row.depicted_id is not None:
            sources[row.depicted_id].setdefault(_source(row), index)
    asked: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(measured.rows):
        others = sources.get(row.depicted_id or "", {}).items()
        query = next((first for source, first in others if source != _source(row)), None)
        if query is not None:
            asked[query].append(index)
    return asked


def _source(row: ManifestRow) -> str:
    if row.label == "fake":
        return row.source_video or row.video_id or row.path
    return row.video_id or row.path


def flips(before: np.ndarray, after: np.ndarray) -> dict[str, object]:
    """Number of verdicts, the share changed by an attack, and the transitions."""
    known = before != NO_QUERY
    pairs = [(str(b), str(a)) for b, a in zip(before[known], after[known], strict=True)]
    changed = Counter(f"{b} to {a}" for b, a in pairs if a != b)
    share = changed.total() / len(pairs) if pairs else float("nan")
    return {"n_verdicts": len(pairs), "verdicts_changed": share, "changes": dict(changed)}
