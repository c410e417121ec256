"""Data sets as manifests: one loader a family, all behind `load`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evals.datasets import lfw, pairs, swaps
from evals.datasets.manifest import Label, Manifest, Row
from evals.datasets.manifest_file import SUFFIXES, read
from tools.errors import SetupError

__all__ = ["LAYOUTS", "Label", "Layout", "Manifest", "Row", "load"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a family of data sets lies on the disk, and who may use it.

    `recognises` looks at names only and never raises; `load` raises SetupError for what a person
    can put right.
    """

    name: str
    what: str
    licence: str
    recognises: Callable[[Path], bool]
    load: Callable[[Path], Manifest]


def _is_manifest(root: Path) -> bool:
    return root.suffix in SUFFIXES and root.is_file()


_TABLE = (
    Layout(
        "manifest", "a .csv or .parquet table, one row a file", "as its column licence_tag says",
        _is_manifest, read,
    ),
    Layout(
        "swaps", "swaps.csv: fake, authentic_source, authentic_target, method", "per source",
        swaps.recognises, swaps.load,
    ),
    Layout(
        "pairs", "pairs.csv: fake, real, split; folders fake/ and real/", "per source",
        pairs.recognises, pairs.load,
    ),
    Layout(
        "lfw", "Labeled Faces in the Wild: Name/Name_0001.jpg", "research",
        lfw.recognises, lfw.load,
    ),
)  # fmt: skip

# By name; the first that recognises a folder reads it, so the more particular come first.
LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _TABLE}


def load(root: Path, layout: str | None = None) -> Manifest:
    """The data set in a folder (or in a .csv or .parquet manifest) as a manifest.

    `layout` is a name of `LAYOUTS`; None or "auto" takes the first that recognises the folder.
    Raises SetupError, which lists the layouts, when none does.
    """
    if not root.exists():
        raise SetupError(f"no data at {str(root)!r}; say where they are with --data DIR")
    if layout not in (None, "auto"):
        if layout not in LAYOUTS:
            raise SetupError(f"no layout is called {layout!r}; there are: {', '.join(LAYOUTS)}")
        return LAYOUTS[layout].load(root)
    for known in LAYOUTS.values():
        if known.recognises(root):
            return known.load(root)
    raise SetupError(f"{str(root)!r} is none of the layouts we know ({_listed()}); see --layout")


def _listed() -> str:
    return "; ".join(f"{it.name}: {it.what}" for it in LAYOUTS.values())
