"""Leave out what the shipped verdict rule was fitted on.

It was fitted on half of the persons of LFW's `val` split and on half of the originals of DFDC's;
figures of the rule are reported on the other halves. On other data, nothing is left out.
"""

from pathlib import Path

from evals.datasets.manifest import Manifest
from tools.errors import SetupError
from tools.training.calibration.detector_pictures import dfdc_files, lfw_faces


def without_fitting_half(manifest: Manifest) -> Manifest:
    """Drop the pictures that the rule was fitted on, and note how many.

    Raises SetupError if nothing is left.
    """
    fitted = _fitted_on(manifest.root)
    kept = manifest.where(lambda row: row.path not in fitted)
    count = len(manifest.rows) - len(kept.rows)
    if not kept.rows:
        raise SetupError(f"the rule was fitted on everything in {manifest.name!r}")
    return kept.with_notes(fitted_on=f"{count:,} rows left out") if count else kept


def _fitted_on(root: Path) -> frozenset[str]:
    """Paths below the root of a data set."""
    folder = root.resolve()
    if folder.name == "dfdc" and (folder / "pairs.csv").is_file():
        return frozenset(path for pair in dfdc_files(folder.parent, "fit") for path in pair)
    if folder.name == "lfw" and (folder / "labels.npz").is_file():
        return frozenset(f"images/{path}" for path in lfw_faces(folder.parent, "fit").paths)
    return frozenset()
