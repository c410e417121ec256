"""Load data sets as manifests: one loader per family, all behind `load`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evals.datasets.listing import LoaderNotes
from evals.datasets.loaders import (
    attacks,
    celeb_df,
    deepfakebench,
    dfd,
    dfdc,
    dfdcp,
    faceforensics,
    folders,
    lfw,
    pairs,
    swaps,
)
from evals.datasets.manifest import Label, Manifest, ManifestRow
from evals.datasets.manifest_file import SUFFIXES, read
from evals.datasets.summary import describe
from tools.errors import SetupError
from tools.media.paths import exists

__all__ = ["LAYOUTS", "Label", "Layout", "Manifest", "ManifestRow", "describe", "load"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The on-disk layout of a family of data sets, and its licence.

    `recognises` reads only names and beginnings of tables; `load` raises SetupError for problems
    that the user can fix.
    """

    name: str
    what: str
    licence: str
    recognises: Callable[[Path], bool]
    load: Callable[[Path], Manifest]


def _is_manifest(root: Path) -> bool:
    return root.suffix in SUFFIXES and root.is_file()


def _listed_files(path: Path) -> Manifest:
    """Read a manifest file and drop rows with missing files, which are noted."""
    manifest, found = read(path), LoaderNotes()
    kept = manifest.where(lambda row: manifest.file_of(row).is_file())
    gone = {row.path for row in manifest.rows} - {row.path for row in kept.rows}
    found.add("missing files", *gone)
    if manifest.rows and not kept.rows:
        raise SetupError(f"no file listed in {str(path)!r} exists below {str(path.parent)!r}")
    return replace(kept, notes={**kept.notes, **found.notes()})


_TABLE = (
    Layout(
        "swaps", "swaps.csv: fake, authentic_source, authentic_target, method", "per source",
        swaps.recognises, swaps.load,
    ),
    Layout(
        "pairs", "pairs.csv: fake, real[, split]; folders fake/ and real/", "per source",
        pairs.recognises, pairs.load,
    ),
    Layout(
        "manifest", "a .csv or .parquet table, one row per file", "see its column licence_tag",
        _is_manifest, _listed_files,
    ),
    Layout(
        "celeb_df", "Celeb-DF v2: Celeb-real, Celeb-synthesis, YouTube-real, list of test videos",
        celeb_df.LICENCE, celeb_df.recognises, celeb_df.load,
    ),
    Layout(
        "faceforensics", "FaceForensics++: original_sequences, manipulated_sequences, three lists",
        faceforensics.LICENCE, faceforensics.recognises, faceforensics.load,
    ),
    Layout(
        "dfd", "DFD: original_sequences/actors, manipulated_sequences/DeepFakeDetection",
        faceforensics.LICENCE, dfd.recognises, dfd.load,
    ),
    Layout(
        "dfdcp", "DFDC preview: dataset.json, original_videos, method_A, method_B",
        dfdc.LICENCE, dfdcp.recognises, dfdcp.load,
    ),
    Layout(
        "dfdc", "DFDC: a metadata.json per part, labels.csv beside the test videos",
        dfdc.LICENCE, dfdc.recognises, dfdc.load,
    ),
    Layout(
        "deepfakebench", "a DeepfakeBench list (dataset_json/X.json) and its frames",
        deepfakebench.LICENCE, deepfakebench.recognises, deepfakebench.load,
    ),
    Layout(
        "lfw", "Labeled Faces in the Wild: Name/Name_0001.jpg",
        lfw.LICENCE, lfw.recognises, lfw.load,
    ),
    Layout(
        "attacks", "fake/METHOD/PERSON/… beside real/PERSON/…, or METHOD/ with an attack.json",
        "as attack.json says", attacks.recognises, attacks.load,
    ),
    Layout(
        "folders", "a folder per class, e.g. real_ffhq, fake_stylegan2; or a classes.csv",
        "per source", folders.recognises, folders.load,
    ),
)  # fmt: skip

# By name; the first layout that recognises a folder reads it, so more specific ones come first.
LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _TABLE}


def load(root: Path, layout: str | None = None) -> Manifest:
    """Load the data set in a folder (or a .csv or .parquet manifest) as a manifest.

    `layout` is a name in `LAYOUTS`; None or "auto" uses the first that recognises the folder.
    Raises SetupError, listing the layouts, if none does.
    """
    if not exists(root):
        raise SetupError(f"no data at {str(root)!r}; pass --data DIR")
    if layout not in (None, "auto"):
        if layout not in LAYOUTS:
            raise SetupError(
                f"there is no layout {layout!r}; the layouts are: {', '.join(LAYOUTS)}"
            )
        return LAYOUTS[layout].load(root)
    for known in LAYOUTS.values():
        if known.recognises(root):
            return known.load(root)
    raise SetupError(f"{str(root)!r} has no known layout ({_listed()}); see --layout")


def _listed() -> str:
    return "; ".join(f"{it.name}: {it.what}" for it in LAYOUTS.values())
