"""How often what is named is right: attributes of pictures, places of faces against chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assistant.chat_model.looking.attributes import FACE_PARTS, PICTURE_GROUPS, WHOLE_FACE
from assistant.chat_model.looking.reading import Named, name_attributes, name_place
from assistant.training.looking.calibration import interval
from tools.metrics.detection import auc


def measure_pictures(
    logits: np.ndarray, labels: np.ndarray, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """For each class: how often it is named, named rightly, and found; labels (n, groups)."""
    named = [{it.group: it for it in name_attributes(row, settings)} for row in logits]
    return compare_attributes(named, labels)


def compare_attributes(named: Sequence[Mapping[str, Named]], labels: np.ndarray) -> dict[str, Any]:
    """The same for attributes that were named already, one mapping by group per picture."""
    found: dict[str, Any] = {}
    for number, (group, classes) in enumerate(PICTURE_GROUPS.items()):
        for at, name in enumerate(classes):
            if name == "no":
                continue
            known = labels[:, number] >= 0
            said = np.array([group in it and it[group].name == name for it in named]) & known
            true = labels[:, number] == at
            right, count, there = int((said & true).sum()), int(said.sum()), int(true.sum())
            found[f"{group}: {name}" if name != "yes" else group] = {
                "named": count,
                "right": right / count if count else None,
                "right_interval": interval(right, count) if count else None,
                "found": right / there if there else None,
                "there": there,
                "pictures": int(known.sum()),
                "chance": there / int(known.sum()) if known.any() else None,
            }
    return found


def measure_faces(
    logits: np.ndarray, parts: np.ndarray, family: np.ndarray, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """How often the named place is right on altered faces, and how often one is named elsewhere."""
    places = [name_place(row, settings) for row in logits]
    return {
        "auc_altered": float(auc(logits[:, 0], family != "authentic")),
        **compare_places(places, parts, family),
        "by_family": {
            str(it): compare_places(
                [place for place, its in zip(places, family, strict=True) if its == it],
                parts[family == it], family[family == it],
            )
            for it in np.unique(family)
        },
    }  # fmt: skip


def compare_places(
    places: Sequence[Named | None], parts: np.ndarray, family: np.ndarray
) -> dict[str, Any]:
    """Named places against the truth: a place is right if most of it was altered.

    Chance: the same names, dealt at random to the altered faces for which a place was named.
    """
    altered = family != "authentic"
    cases = [(it.name, row) for it, row, forged in zip(places, parts, altered, strict=True)
             if it is not None and forged]  # fmt: skip
    right = sum(was_altered(name, row) for name, row in cases)
    shares = Counter(name for name, _ in cases)
    chance = sum(
        count / len(cases) * float(np.mean([was_altered(name, row) for _, row in cases]))
        for name, count in shares.items()
    )
    authentic = [it for it, forged in zip(places, altered, strict=True) if not forged]
    alarms = sum(it is not None for it in authentic)
    return {
        "altered": int(altered.sum()),
        "named": len(cases),
        "right": right / len(cases) if cases else None,
        "right_interval": interval(right, len(cases)) if cases else None,
        "chance": chance if cases else None,
        "authentic": len(authentic),
        "false_alarms": alarms / len(authentic) if authentic else None,
        "false_alarms_interval": interval(alarms, len(authentic)) if authentic else None,
        "places": dict(shares),
    }


def was_altered(place: str, parts: np.ndarray) -> bool:
    """Whether the place, a part or all of the face, was altered; parts (3,) in {-1, 0, 1}."""
    if place == WHOLE_FACE:
        return bool((parts == 1).all())
    return bool(parts[FACE_PARTS.index(place)] == 1)
