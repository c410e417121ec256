"""Which classes of a classifier mean forged: read from the words of its labels, never assumed.

Published classifiers disagree about which index is the fake one, sister models of one author
among them. A wrong guess turns every score around and looks like a working detector.
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
# "not real" names the other class, "no face" none of the two.
NEGATIONS = frozenset({"non", "not", "no", "never", "un", "without"})


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Indices of a classifier's outputs; `labels` are its own words for all of them."""

    fake: tuple[int, ...]
    real: tuple[int, ...]
    labels: tuple[str, ...]


def resolve_classes(
    id2label: Mapping[int, str], named: Mapping[str, LabelMeaning] | None = None, *, source: object
) -> ClassMapping:
    """The classes of a checkpoint; what `named` says of a label wins over its words.

    Raises SetupError, naming `source` and how to say it, when a label means neither or both,
    when `named` speaks of a label that is not there, or when one of the two sides stays empty.
    A single output may stand for one side alone: its logit is the log-odds of that side.
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
    """What the words of a label say; None when they say nothing, both, or the contrary."""
    words = _words(label)
    fake, real = bool(words & FAKE_WORDS), bool(words & REAL_WORDS)
    if fake == real or words & NEGATIONS:
        return None
    return "fake" if fake else "real"


def _words(label: str) -> frozenset[str]:
    """Lower-case words, both of "DeepFake" as written and of its capitals; digits part words."""
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
        f"{source}: whether its one output is higher for forged or for authentic pictures cannot "
        f"be read from {label!r}: say it in {CLASSES_FILE} beside its config.json, as "
        f'{{"{label}": "fake"}} or {{"{label}": "real"}}; its author\'s model card tells'
    )


def _how_to_name(source: object, labels: list[str] | tuple[str, ...], why: str = "") -> str:
    example = ", ".join(f'"{label}": "fake"' for label in labels[:1])
    return (
        f"{source}: which of its classes are fake cannot be read from {list(labels)}"
        f"{'; ' + why if why else ''}: say it for each of them in {CLASSES_FILE} beside its "
        f"config.json, as {{{example}, ...}} with fake, real or neither"
    )
