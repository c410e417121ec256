"""Fit the thresholds above which heat maps count as findings, on authentic photographs.

    python -m tools.training.calibration.map_scales --data ../shared/data

Uses photographs of the fitting half of LFW's validation persons, each with another photo of the
person as query, and frames of DFDC's originals of that half. Takes the strongest value of each map;
the threshold is the value that only a share `ALPHA` of each kind exceeds, with persons as clusters.
Large photographs (portraits of FFHQ, web photographs) have few names or none: each of these is its
own cluster.
"""

import argparse
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tools.checkpoints.store import PROFILES, fingerprint, locate
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import load_detectors
from tools.detectors.folders import DETECTORS_FOLDER, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.encoder.clip import Encoder
from tools.encoder.tiles import top_mean
from tools.errors import ToolError
from tools.faces.analyser import FaceAnalyser
from tools.localisers import LOCALISERS, localise_with
from tools.localisers.map_scales import (
    DISTANCE,
    MAP_THRESHOLDS_FILE,
    TOWER,
    MapThreshold,
    image_map_name,
)
from tools.search.model_bundle import ModelBundle
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.reranking.patch_grid import SCORE, image_heatmap
from tools.search.reranking.reference_comparison import reference_map, region_means
from tools.training.calibration.benchmark_cases import portraits, split_persons
from tools.training.calibration.components import CalibrationModels
from tools.training.calibration.detector_pictures import EvaluationHalf, dfdc_files, main_face
from tools.training.data.forgery_pool import read_rgb
from tools.verdict.calibration import conformal_threshold

ALPHA = 0.05
FRAMES = 60
WEB_PERSONS = ("lionel_messi", "maria_sharapova", "virat_kohli")
"""Persons whose web photographs are used for fitting; the others in that folder are for
reporting."""

StrongestByMap = dict[str, float]
"""Strongest value in one photograph, by map."""


def strongest_map_values(
    look: FaceInImage, query: FaceInImage | None, models: ModelBundle
) -> StrongestByMap:
    """Strongest values of all maps of an authentic photograph; maps that cannot be made are left
    out."""
    pixels, face = look
    head = next(it for it in models.detectors if (it.inputs, it.name) == ("face", "unifd_linear"))
    found: StrongestByMap = {}
    try:
        located = localise_with(LOCALISERS[0], pixels, face, encoder=models.encoder, head=head)
    except ToolError:
        located = None  # no landmarks
    values = [it.value for it in located.evidence if it.value is not None] if located else []
    if values:
        found[TOWER] = max(values)
    mapped = reference_map(look, [query], encoder=models.encoder) if query else None
    means = region_means(mapped.heatmap, face, models.encoder) if mapped else None
    if means:
        found[DISTANCE] = max(means.values())
    heat = image_heatmap(pixels, models)
    if heat is not None and np.isfinite(heat).any():
        found[image_map_name(*pixels.shape[:2])] = top_mean(heat)
    return found


def photographs(data: Path, half: EvaluationHalf) -> Iterator[tuple[str, str, Path, Path | None]]:
    """(kind, person, photograph, another photograph of the person) of one half."""
    people = split_persons(portraits(data, split="val"))[half == "report"]
    for name, shots in people.items():
        if len(shots) >= 2:
            yield "LFW", name, shots[1].path, shots[0].path
    originals = sorted({real for _, real in dfdc_files(data, half)})
    drawn = np.random.default_rng(5).permutation(len(originals))[:FRAMES]
    for index in drawn:
        yield "DFDC", originals[index], data / "dfdc" / originals[index], None
    for folder in sorted((data / "photos").iterdir()):
        if (folder.name in WEB_PERSONS) == (half == "fit"):
            for path in sorted(folder.glob("*.jpg")):
                yield "web", f"{folder.name}/{path.name}", path, None
    for path in sorted((data / "deepfakes" / "generated" / "real_ffhq").glob("*.jpg")):
        if (zlib.crc32(path.name.encode()) % 2 == 0) == (half == "fit"):
            yield "portrait", path.name, path, None


def open_with_face(path: Path, models: ModelBundle) -> FaceInImage | None:
    """A photograph with its foremost face; None if the face is not usable."""
    pixels = read_rgb(path)
    face = main_face(models.faces.analyse([pixels])[0], pixels.shape)
    return None if face is None or not face.quality.usable else (pixels, face)


Row = tuple[str, str, StrongestByMap]
"""Kind of photograph, person, and the strongest values of its maps."""


def measured(
    files: Iterable[tuple[str, str, Path, Path | None]], models: ModelBundle
) -> Iterator[Row]:
    """Measure all photographs that have a usable face."""
    for kind, person, path, other in files:
        look = open_with_face(path, models)
        if look is not None:
            query = None if other is None else open_with_face(other, models)
            yield kind, person, strongest_map_values(look, query, models)


def fit_map_thresholds(rows: Sequence[Row], *, alpha: float = ALPHA) -> Mapping[str, MapThreshold]:
    """One scale per map: the highest threshold over all kinds that have enough persons."""
    values: dict[str, dict[str, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    for kind, person, found in rows:
        for name, value in found.items():
            values[name][kind].append((value, person))
    return {name: _scale(kinds, alpha) for name, kinds in values.items()}


def _scale(kinds: Mapping[str, Sequence[tuple[float, str]]], alpha: float) -> MapThreshold:
    """Leaves out kinds with too few persons for alpha; if all are left out, nothing is ever a
    finding."""
    edges = {
        kind: conformal_threshold(
            [value for value, _ in told], alpha, persons=[who for _, who in told]
        )
        for kind, told in kinds.items()
    }
    known = {kind: edge for kind, edge in edges.items() if np.isfinite(edge)}
    persons = {kind: len({who for _, who in kinds[kind]}) for kind in known}
    return MapThreshold(max(known.values(), default=float("inf")), alpha, persons)


def load_calibration_models() -> CalibrationModels:
    """Load the models of the pocket profile that make maps."""
    rows = dict(PROFILES["pocket"].items())
    faces, whole, heads = (locate(rows[part], Path()) for part in ("faces", "encoder", "heads"))
    encoder = Encoder.load(whole)
    patches = [
        load_detector(it, encoder)
        for it in find_stored_detectors([WEIGHTS_DIR / DETECTORS_FOLDER])
        if it.title == SCORE
    ]
    return CalibrationModels(
        FaceAnalyser(faces), encoder, load_detectors(heads, encoder.sha256), patches,
        fingerprint=fingerprint("pocket", Path(), parts=("faces",)),
    )  # fmt: skip


def write(rows: Sequence[Row], encoder_sha256: str, path: Path = MAP_THRESHOLDS_FILE) -> None:
    """Fit the scales and write the file that `tools.localisers.map_scales` reads."""
    maps = {name: asdict(scale) for name, scale in sorted(fit_map_thresholds(rows).items())}
    told = {"encoder_sha256": encoder_sha256, "maps": maps}
    path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def main() -> None:
    """Measure the maps of authentic photographs and write the scales."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    models = load_calibration_models()
    rows = list(measured(photographs(options.data, "fit"), models))
    write(rows, models.encoder.sha256)
    print(MAP_THRESHOLDS_FILE.read_text("utf-8"))


if __name__ == "__main__":
    main()
