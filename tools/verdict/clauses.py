"""Clauses for facts: the text that replaces a citation in a sentence.

A clause is complete: it names its subject and the measurement, so that the words around it cannot
attribute it to another hit or measure. `{it}` and `{its}` stand for the subject, which is named
once per sentence. The code that displays a clause adds its value.
"""

from collections.abc import Mapping, Sequence

from tools.verdict.handles import IN_WORDS, Fact, parse_handle
from tools.verdict.interpretation import ALTERED_LIKENESS, UNCALIBRATED
from tools.verdict.units import NOT_MEASURED, SINGULARS

_NAMES: Mapping[str, str] = {
    "E23": "distance from the query photos, place by place,",
}
"""Names of measures that need different wording in a sentence."""

_READINGS: Mapping[str, Mapping[str, str]] = {
    "P1": {
        "same person": "{it} most likely shows the query person",
        "uncertain": "whether {it} shows the query person is uncertain",
        "another person": "{it} most likely shows another person",
        NOT_MEASURED: "whether {it} shows the query person was not measured",
    },
    "P2": {
        "forged": "{it} was most likely forged",
        "uncertain": "whether {it} was forged is uncertain",
        "no sign of forgery": "no sign of forgery stands out in {it}",
        NOT_MEASURED: "whether {it} was forged was not measured",
    },
    "P3": {
        "likely": "{it} likely impersonates the query person",
        "uncertain": "whether {it} impersonates the query person is uncertain",
        "unlikely": "{it} is unlikely to impersonate the query person",
        NOT_MEASURED: "whether {it} impersonates the query person was not measured",
    },
    "E1": {
        "same person": "{its} identity similarity is that of the same person",
        "uncertain": "{its} identity similarity leaves the person open",
        "another person": "{its} identity similarity is that of another person",
    },
    "E6": {
        "above the query photos": "{its} forgery score lies above that of the query photos",
        "like the query photos": "{its} forgery score is like that of the query photos",
        "below the query photos": "{its} forgery score lies below that of the query photos",
    },
    "E7": {
        "alike": "{its} appearance is like that of the query photos",
        "unlike": "{its} appearance is unlike that of the query photos",
    },
    "E8": {
        "same photograph": "{it} reads as the same photograph as a query photo",
        "not proven": "that {it} is the same photograph as a query photo is not proven",
    },
    "E9": {
        "enough detail": "{its} face has enough detail",
        "little detail": "{its} face has little detail",
    },
    "E10": {
        "marked": "{its} metadata carries a forgery mark, which takes no part in the verdict",
        "not marked": "{its} metadata carries no forgery mark of Unmask",
    },
    "E18": {
        "steady": "the verdict on {it} stays the same in mild retakes",
        "changes": "the verdict on {it} changes in mild retakes",
    },
    "E34": {
        "proven": "the photograph of {it} was also found with another face",
        "none found": "no other version of {it} with another face was found",
    },
    "E36": {"another face": "{its} face is not that of the other version of the photograph"},
    "E37": {
        "this one was altered": "of {it} and the other version of the photograph, the forgery "
        "scores say that {it} was altered",
        "uncertain": "which of {it} and the other version of the photograph was altered is "
        "uncertain",
        "the other one was altered": "of {it} and the other version of the photograph, the other "
        "one reads more forged",
    },
    "E38": {
        "too noisy": "{its} face is too noisy to be cleared",
        "usual": "{its} face is no noisier than photographs usually are",
    },
    "E39": {
        "compressed too strongly": "{its} face is compressed too strongly to be cleared",
        "usual": "{its} face is compressed no more strongly than photographs usually are",
    },
    "E40": {
        "compressed too strongly": "{its} face was compressed too strongly, before it was resized, "
        "to be cleared",
        "usual": "{its} face shows no strong compression from before it was resized",
    },
}

_OF_TWO: Mapping[str, Mapping[str, str]] = {
    "P1": {
        "same person": "{it} most likely show the same person",
        ALTERED_LIKENESS: "a likeness remains, as after a retouch or a close swap: by their faces "
        "alone {it} would count as one person",
        "uncertain": "whether {it} show the same person is uncertain",
        "another person": "{it} most likely show different people",
        NOT_MEASURED: "whether {it} show the same person was not measured",
    },
    "E7": {
        "alike": "in light and pose {it} are as alike as photos of one person usually are",
        "unlike": "in light and pose {it} are less alike than photos of one person usually are",
    },
    "E8": {
        "same photograph": "{it} read as the same photograph",
        "not proven": "{it} are not proven to be the same photograph",
    },
    "E34": {
        "proven": "{it} are one photograph, but its face is not the same in both: "
        "one of them was altered"
    },
    "E37": {
        "this one was altered": "of {it}, the forgery scores say that the first was altered",
        "uncertain": "which of {it} was altered is uncertain",
        "the other one was altered": "of {it}, the forgery scores say that the second was altered",
    },
}

_WORDED: Mapping[str, str] = {
    "verdict": "the verdict on {it} is {reads}",
    "regions": "{reads}",
    "file": "{it} is {reads}",
    "impression": "the model's impression of {it}, not a measurement: {reads}",
    "faces": "{it} shows {reads}",
}


def clause(fact: Fact) -> str:
    """The clause of a fact, with `{it}` and `{its}` for its subject, without its value."""
    handle = parse_handle(fact.id)
    if handle.kind in ("S", "G"):
        return fact.reads if fact.unit == IN_WORDS else f"{_counted(fact)}"
    if fact.unit == IN_WORDS:
        return _WORDED.get(handle.kind, "{reads}").replace("{reads}", fact.reads)
    short = f"{handle.kind}{handle.number}"
    table = _OF_TWO if handle.subject.startswith("C") else _READINGS
    known = table.get(short, {}).get(fact.reads)
    if known is not None:
        return known
    if 11 <= handle.number <= 17 and handle.kind == "E":
        return f"{{its}} map is {fact.reads} at the {fact.name.rpartition(' the ')[2]}"
    name = display_name(short, fact.name)
    if fact.reads in (NOT_MEASURED, UNCALIBRATED):
        return f"{{its}} {name} {'was' if fact.reads == NOT_MEASURED else 'is'} {fact.reads}"
    return f"{{its}} {name} is {fact.reads}"


def display_name(short: str, name: str) -> str:
    """Name of a measure in a sentence; `short` is its id without a subject: E3."""
    return _NAMES.get(short, name)


def _counted(fact: Fact) -> str:
    """`3 images have the verdict impersonation`, `the gallery holds 20 images`."""
    # A search's count is asked for as a number; of a gallery, nothing is said in words.
    number = "no" if not fact.value and fact.id[0] != "S" else f"{fact.value or 0:,.0f}"
    one, several = _COUNTED.get(fact.id, ("{n} " + fact.name, "{n} " + fact.name))
    single = number in ("no", "1")
    what = SINGULARS.get(fact.unit, fact.unit) if single else fact.unit
    return (one if single else several).replace("{n}", number).replace("{what}", what)


_COUNTED: Mapping[str, tuple[str, str]] = {
    "S1": ("{n} {what} was compared", "{n} {what} were compared"),
    **{
        f"S{number}": (
            f"{{n}} {{what}} has the verdict {name}",
            f"{{n}} {{what}} have the verdict {name}",
        )
        for number, name in enumerate(
            ("impersonation", "inconclusive", "no forgery found", "copy", "other", "not assessed"),
            start=2,
        )
    },
    "G1": ("the gallery holds {n} image", "the gallery holds {n} images"),
    "G2": ("{n} face was found in it", "{n} faces were found in it"),
    "G3": ("{n} image shows no face", "{n} images show no face"),
    "G4": ("{n} file was skipped", "{n} files were skipped"),
}


def join_with_and(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def format_hit_ranges(numbers: Sequence[int]) -> str:
    """`H1, H3 to H6 and H9`: hits by number, with runs of three or more as ranges."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts: list[str] = []
    for run in runs:
        parts += [f"H{run[0]} to H{run[-1]}"] if len(run) > 2 else [f"H{hit}" for hit in run]
    return join_with_and(parts)
