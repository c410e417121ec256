"""From what strength on maps say anything: fitted on authentic photographs.

    python -m tools.training.calibration.map_scales --data ../shared/data

Photographs of the half of LFW's validation persons that is for fitting, each with another photo of
the person as query, and frames of DFDC's originals of that half. The strongest value of each map is
taken; what 95 % of each kind do not exceed, persons as clusters, is no finding. Large photographs
are there of few persons only: of these each photograph counts by itself.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tools.checkpoints.store import PROFILES, fingerprint, locate
from tools.checkpoints.table import WEIGHTS
from tools.detectors import detectors
from tools.detectors.folders import FOLDER, shelved
from tools.detectors.kinds import load_detector
from tools.encoder.clip import Encoder
from tools.encoder.tiles import strongest
from tools.errors import ToolError
from tools.faces.analyser import FaceAnalyser
from tools.localisers import LOCALISERS, located_by
from tools.localisers.map_scales import DISTANCE, SCALES, TOWER, MapScale, picture_map_of
from tools.search.closer_look.inner_outer_face import Look
from tools.search.closer_look.patch_grid import SCORE, heat_of
from tools.search.closer_look.reference_comparison import reference_map, region_means
from tools.search.instruments import Instruments
from tools.training.calibration.components import Kit
from tools.training.calibration.detector_pictures import Half, dfdc_files, foremost
from tools.training.calibration.made_cases import halves, portraits
from tools.training.data.forgery_pool import read_rgb
from tools.verdict.calibration import conformal_edge

ALPHA = 0.05
FRAMES = 60
WEB_PERSONS = ("lionel_messi", "maria_sharapova", "virat_kohli")
"""Whose web photographs are fitted on; the others of that folder are there to report on."""

Strongest = dict[str, float]
"""By map, its strongest value in one photograph."""


def strongest_of(look: Look, query: Look | None, kit: Instruments) -> Strongest:
    """What every map shows of an authentic photograph; a map that cannot be made is left out."""
    pixels, face = look
    head = next(it for it in kit.detectors if (it.inputs, it.name) == ("face", "unifd_linear"))
    found: Strongest = {}
    try:
        located = located_by(LOCALISERS[0], pixels, face, encoder=kit.encoder, head=head)
    except ToolError:
        located = None  # no landmarks
    values = [it.value for it in located.evidence if it.value is not None] if located else []
    if values:
        found[TOWER] = max(values)
    mapped = reference_map(look, [query], encoder=kit.encoder) if query else None
    means = region_means(mapped.heat, face, kit.encoder) if mapped else None
    if means:
        found[DISTANCE] = max(means.values())
    heat = heat_of(pixels, kit)
    if heat is not None and np.isfinite(heat).any():
        found[picture_map_of(*pixels.shape[:2])] = strongest(heat)
    return found


def photographs(data: Path, half: Half) -> Iterator[tuple[str, str, Path, Path | None]]:
    """(kind, person, photograph, another of the person) of one half."""
    people = halves(portraits(data, split="val"))[half == "report"]
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


def look_at(path: Path, kit: Instruments) -> Look | None:
    """A photograph with its foremost face; None where that is not usable."""
    pixels = read_rgb(path)
    face = foremost(kit.faces.analyse([pixels])[0], pixels.shape)
    return None if face is None or not face.quality.usable else (pixels, face)


Row = tuple[str, str, Strongest]
"""Kind of photograph, person, and what its maps showed."""


def measured(
    files: Iterable[tuple[str, str, Path, Path | None]], kit: Instruments
) -> Iterator[Row]:
    """All photographs in which a face can be used."""
    for kind, person, path, other in files:
        look = look_at(path, kit)
        if look is not None:
            query = None if other is None else look_at(other, kit)
            yield kind, person, strongest_of(look, query, kit)


def fit(rows: Sequence[Row], *, alpha: float = ALPHA) -> Mapping[str, MapScale]:
    """One scale a map: the highest of the edges of all kinds that hold enough persons."""
    values: dict[str, dict[str, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    for kind, person, found in rows:
        for name, value in found.items():
            values[name][kind].append((value, person))
    return {name: _scale(kinds, alpha) for name, kinds in values.items()}


def _scale(kinds: Mapping[str, Sequence[tuple[float, str]]], alpha: float) -> MapScale:
    """Kinds of too few persons for alpha are left out; where all are, nothing is ever found."""
    edges = {
        kind: conformal_edge([value for value, _ in told], alpha, persons=[who for _, who in told])
        for kind, told in kinds.items()
    }
    known = {kind: edge for kind, edge in edges.items() if np.isfinite(edge)}
    persons = {kind: len({who for _, who in kinds[kind]}) for kind in known}
    return MapScale(max(known.values(), default=float("inf")), alpha, persons)


def kit_of() -> Kit:
    """The pocket profile's parts that make maps."""
    rows = dict(PROFILES["pocket"].items())
    faces, whole, heads = (locate(rows[part], Path()) for part in ("faces", "encoder", "heads"))
    encoder = Encoder.load(whole)
    patches = [
        load_detector(it, encoder) for it in shelved([WEIGHTS / FOLDER]) if it.title == SCORE
    ]
    return Kit(
        FaceAnalyser(faces), encoder, detectors(heads, encoder.sha256), patches,
        fingerprint=fingerprint("pocket", Path(), parts=("faces",)),
    )  # fmt: skip


def write(rows: Sequence[Row], encoder_sha256: str, path: Path = SCALES) -> None:
    """Fit and write what `tools.localisers.map_scales` reads."""
    maps = {name: asdict(scale) for name, scale in sorted(fit(rows).items())}
    told = {"encoder_sha256": encoder_sha256, "maps": maps}
    path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def main() -> None:
    """Measure the maps of authentic photographs and write the scales."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    kit = kit_of()
    rows = list(measured(photographs(options.data, "fit"), kit))
    write(rows, kit.encoder.sha256)
    print(SCALES.read_text("utf-8"))


if __name__ == "__main__":
    main()
