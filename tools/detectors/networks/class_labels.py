"""Determines which classes of a classifier mean forged, from the words of its labels.

Published classifiers disagree about the index of the fake class, even sister models of one author.
A wrong guess inverts every score and still looks like a working detector, so no index is assumed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from tools.errors import SetupError

LabelMeaning = Literal["fake", "real", "neither"]
CLASSES_FILE = "classes.json"

FAKE_WORDS = frozenset(
    {
        "ai", "aigenerated", "artificial", "altered", "cgi", "computer",
        "computergenerated", "dalle", "deepfake", "deepfakes", "diffusion", "edited",
        "fake", "faked", "fakes", "faceswap", "flux", "forged", "forgery", "gan",
        "generated", "machine", "manipulated", "midjourney", "morphed", "progan", "sd",
        "sdxl", "spoof", "stylegan", "swap", "swapped", "synthesised", "synthesized",
        "synthetic", "synthetics", "tampered", "thispersondoesnotexist",
    }
)  # fmt: skip
REAL_WORDS = frozenset(
    {
        "authentic", "bonafide", "camera", "genuine", "hum", "human", "humans",
        "natural", "original", "pristine", "real", "reals", "unaltered", "unedited",
        "unmanipulated", "untampered",
    }
)  # fmt: skip
# "not real" means the other class, "no face" neither of the two.
NEGATIONS = frozenset({"non", "not", "no", "never", "un", "without"})


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Output indices of a classifier's fake and real classes; `labels` are all its labels."""

    fake: tuple[int, ...]
    real: tuple[int, ...]
    labels: tuple[str, ...]


def resolve_classes(
    id2label: Mapping[int, str], named: Mapping[str, LabelMeaning] | None = None, *, source: object
) -> ClassMapping:
    """The classes of a checkpoint; `named` overrides the words of a label.

    Raises SetupError, with `source` and instructions, if a label means neither or both, if `named`
    has an unknown label, or if there is no fake or no real class. A single output may stand for one
    side alone: its logit is the log-odds of that side.
    """
    labels = tuple(id2label[index] for index in sorted(id2label))
    named = named or {}
    _check_names(named, labels, source)
    found = [named.get(label) or label_meaning(label) for label in labels]
    if len(found) == 1 and found[0] not in ("fake", "real"):
        raise SetupError(_how_to_name_one(source, labels[0]))
    unclear = [label for label, meaning in zip(labels, found, strict=True) if meaning is None]
    if unclear:
        raise SetupError(_how_to_name(source, unclear))
    fake, real = (_places(found, meaning) for meaning in ("fake", "real"))
    if len(labels) > 1 and not (fake and real):
        side = "fake" if real else "real"
        raise SetupError(_how_to_name(source, labels, f"none of them is {side}"))
    return ClassMapping(fake, real, labels)


def label_meaning(label: str) -> Literal["fake", "real"] | None:
    """The meaning of a label's words; None if they mean nothing, both, or are negated."""
    words = _words(label)
    fake, real = bool(words & FAKE_WORDS), bool(words & REAL_WORDS)
    if fake == real or words & NEGATIONS:
        return None
    return "fake" if fake else "real"


def _words(label: str) -> frozenset[str]:
    """Lower-case words of a label, as written and split at capitals (DeepFake); without digits."""
    written = re.findall(r"[^\W\d_]+", label)
    by_capitals = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", label)
    return frozenset(word.lower() for word in written + by_capitals)


def _places(found: list[LabelMeaning | None], meaning: str) -> tuple[int, ...]:
    return tuple(index for index, each in enumerate(found) if each == meaning)


def _check_names(named: Mapping[str, str], labels: tuple[str, ...], source: object) -> None:
    for label, meaning in named.items():
        if label not in labels or meaning not in get_args(LabelMeaning):
            raise SetupError(
                f"{source}: {label!r} was named {meaning!r}; its labels are {list(labels)}, "
                f"each of them one of {list(get_args(LabelMeaning))}"
            )


def _how_to_name_one(source: object, label: str) -> str:
    return (
        f"{source}: its one output, {label!r}, may be higher for forged or for authentic images: "
        f"see its model card, and write {CLASSES_FILE} beside its config.json, as "
        f'{{"{label}": "fake"}} or {{"{label}": "real"}}'
    )


def _how_to_name(source: object, labels: list[str] | tuple[str, ...], why: str = "") -> str:
    example = ", ".join(f'"{label}": "fake"' for label in labels[:1])
    return (
        f"{source}: the labels {list(labels)} do not show which classes are fake"
        f"{'; ' + why if why else ''}: list each of them in {CLASSES_FILE} beside its "
        f"config.json, as {{{example}, ...}} with fake, real or neither"
    )
