"""Calibrate every detector: fit a calibrator (logit to probability) and a decision band for each.

    python -m tools.training.calibration.detectors --data ../shared/data

Fitted on the first halves of LFW's validation persons (forged with the families used in training)
and of DFDC's validation originals; figures are reported on the other halves. Both sources and both
classes have equal weight. The band must hold for each source separately, so it is as wide as the
widest source needs; otherwise photographs of the harder source would be called forged too often.

Writes `CALIBRATIONS.json` beside the heads (including their prompts) and `calibration.json` into
the folder of every installed detector.
"""

import argparse
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from prompts.zero_shot import PROMPT_SETS
from tools.checkpoints.store import PROFILES, locate
from tools.checkpoints.table import WEIGHTS_DIR, Checkpoint
from tools.detectors import load_detectors
from tools.detectors.calibration import CALIBRATION_FILE, Calibration, fit_calibration
from tools.detectors.clip_heads.profile_heads import (
    detector_variants,
    variant_name,
    write_calibrations,
    zero_shot_detectors,
)
from tools.detectors.folders import DETECTORS_FOLDER, TOWER_KINDS, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import AnyDetector
from tools.detectors.scoring import run_detector
from tools.encoder.clip import Encoder
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import FAMILIES, SCENE_FAMILIES
from tools.training.calibration.detector_pictures import (
    InMemoryInputs,
    dfdc_files,
    lfw_faces,
    make_forgery,
    mate_of,
    quality_of,
)
from tools.training.data.forgery_pool import HELD_OUT_FAMILY, LfwPhotographs, read_rgb, through_jpeg
from tools.verdict.calibration import InconclusiveBand

PHOTOS = 350
"""Pictures per source; DFDC has no more."""

SEED = 31
LEARNT = tuple(family for family in FAMILIES if family != HELD_OUT_FAMILY)
FACES, SCENES, FRAMES = "LFW, faces forged", "LFW, scenes forged", "DFDC"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPixels:
    """A labelled picture (h, w, 3) uint8 RGB.

    `source` is one of the three above; `group` is a person or an original; `asks` is another photo
    of the depicted person for the query, if there is one.
    """

    pixels: np.ndarray
    forged: bool
    source: str
    group: str
    asks: np.ndarray | None = None


def lfw_known(data: Path, *, photos: int, seed: int = SEED) -> Iterator[LabelledPixels]:
    """Each photo unforged, plus a face forgery or a scene forgery, alternating."""
    faces, rng = lfw_faces(data, "fit"), np.random.default_rng(seed)
    for number, index in enumerate(rng.permutation(len(faces.paths))[:photos].tolist()):
        quality, person = quality_of(index, seed=seed), str(faces.people[index])
        asks = _asking(faces, index, ())
        yield LabelledPixels(through_jpeg(faces.read(index), quality), False, FACES, person, asks)
        for source, families in ((FACES, LEARNT), (SCENES, SCENE_FAMILIES)):
            family = families[number % len(families)]
            forged = make_forgery(faces, index, family=family, rng=rng)
            if forged is None:
                continue
            apart = [index] if forged.source is None else [index, forged.source]
            asks = _asking(faces, forged.depicts, apart)
            yield LabelledPixels(through_jpeg(forged.pixels, quality), True, source, person, asks)


def _asking(faces: LfwPhotographs, index: int, apart: Sequence[int]) -> np.ndarray | None:
    mate = mate_of(faces, index, apart_from=apart)
    return None if mate is None else faces.read(mate)


def dfdc_known(data: Path, *, photos: int) -> Iterator[LabelledPixels]:
    """Both members of each DFDC pair, unmodified."""
    for fake, real in dfdc_files(data, "fit")[:photos]:
        yield LabelledPixels(read_rgb(data / "dfdc" / real), False, FRAMES, real)
        yield LabelledPixels(read_rgb(data / "dfdc" / fake), True, FRAMES, real)


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationDataset:
    """Labels of the pictures (n,), and the pictures as detector inputs.

    `official` has the whole images preprocessed as by UniFD's authors.
    """

    views: InMemoryInputs
    official: InMemoryInputs
    forged: np.ndarray
    sources: np.ndarray
    groups: np.ndarray

    @classmethod
    def measure(
        cls, known: Sequence[LabelledPixels], *, faces: FaceAnalyser, encoder: Encoder
    ) -> "CalibrationDataset":
        """Measure the pictures and their query photos."""
        views = InMemoryInputs.from_pictures(
            [it.pixels for it in known], faces=faces, encoder=encoder
        )
        asking = [at for at, it in enumerate(known) if it.asks is not None]
        query = np.full(views.embeddings.shape, np.nan, np.float32)
        photos = [it.asks for it in known if it.asks is not None]
        if photos:
            query[asking] = InMemoryInputs.from_pictures(
                photos, faces=faces, encoder=encoder
            ).embeddings
        views = replace(views, query=query)
        return cls(
            views,
            views.seen_in("official", encoder),
            np.array([it.forged for it in known], bool),
            np.array([it.source for it in known]),
            np.array([it.group for it in known]),
        )

    def rows_for(self, inputs: str, measured: np.ndarray) -> np.ndarray:
        """Rows to fit on, balanced by source and class; `measured` (n,) marks rows with a logit.

        For a face detector a forged scene is not a forgery: those rows are used for image detectors
        only.
        """
        whose = np.where(self.sources == SCENES, FACES, self.sources)
        usable = measured & ((inputs == "image") | (self.sources != SCENES))
        cells = [
            np.flatnonzero(usable & (whose == source) & (self.forged == forged))
            for source in np.unique(whose[usable])
            for forged in (False, True)
        ]
        count, rng = min(map(len, cells), default=0), np.random.default_rng(SEED)
        drawn = [rng.permutation(cell)[:count] for cell in cells]
        return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, int)

    def about(self, rows: np.ndarray) -> Mapping[str, Any]:
        """Description of the calibration data, for `fitted_on`."""
        digest = hashlib.sha256()
        for row in rows:
            digest.update(np.ascontiguousarray(self.views.pixels[row]).tobytes())
        counts = {
            what: len(set(self.groups[rows][np.isin(self.sources[rows], sources)].tolist()))
            for what, sources in (("persons", (FACES, SCENES)), ("originals", (FRAMES,)))
        }
        return {
            "data": "first halves of LFW val, forged by tools.forge.forgery, and of DFDC val",
            **counts, "pictures_sha256": digest.hexdigest(), "prior_odds": "1:1",
        }  # fmt: skip


def fit_detector_calibration(detector: AnyDetector, sheet: CalibrationDataset) -> Calibration:
    """Calibrate one detector. Raises ValueError if it has no scores for one of the classes."""
    views = sheet.official if detector.preprocessing == "official" else sheet.views
    logits = run_detector(detector, views).logits
    rows = sheet.rows_for(detector.inputs, np.isfinite(logits))
    found = fit_calibration(detector, logits[rows], sheet.forged[rows], fitted_on=sheet.about(rows))
    return replace(found, band=widest_band(found, logits[rows], sheet, rows))


def widest_band(
    found: Calibration, logits: np.ndarray, sheet: CalibrationDataset, rows: np.ndarray
) -> InconclusiveBand:
    """The narrowest band that meets the error limits for every source separately."""
    whose = np.where(sheet.sources[rows] == SCENES, FACES, sheet.sources[rows])
    probabilities, forged, asked = found.probabilities(logits), sheet.forged[rows], found.band
    bands = [
        InconclusiveBand.fit(
            list(probabilities[(whose == source) & ~forged]),
            list(probabilities[(whose == source) & forged]),
            alpha_low=asked.alpha_low, alpha_high=asked.alpha_high,
        )
        for source in np.unique(whose)
    ]  # fmt: skip
    low, high = min(it.low for it in bands), max(it.high for it in bands)
    return replace(asked, low=low, high=high)


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photos", type=int, default=PHOTOS, help="of each source")
    parser.add_argument("--heads", type=Path, help="where to write (default: beside the heads)")
    parser.add_argument("--detectors", type=Path, default=WEIGHTS_DIR / DETECTORS_FOLDER)
    parser.add_argument("--only", nargs="*", help="only these detectors; the heads are skipped")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    pocket: dict[str, Checkpoint] = dict(PROFILES["pocket"].items())
    encoder = Encoder.load(locate(pocket["encoder"], Path()), threads=given.threads)
    analyser = FaceAnalyser(locate(pocket["faces"], Path()), threads=given.threads)
    known = [
        *lfw_known(given.data, photos=given.photos),
        *dfdc_known(given.data, photos=given.photos),
    ]
    sheet = CalibrationDataset.measure(known, faces=analyser, encoder=encoder)
    _say(f"{len(known)} pictures of {len(set(sheet.groups.tolist()))} persons and originals")
    if given.only is None:
        heads = locate(pocket["heads"], Path())
        asked = [*detector_variants(load_detectors(heads, encoder.sha256))]
        asked += zero_shot_detectors(
            encoder, {name: (it.real, it.fake) for name, it in PROMPT_SETS.items()}
        )
        write_calibrations(given.heads or heads, [_fitted(it, sheet) for it in asked])
    for one in find_stored_detectors([given.detectors]):
        if one.about.kind in TOWER_KINDS:
            continue  # the verdict rule calibrates these
        if given.only is None or one.folder.name in given.only:
            _fitted(load_detector(one, encoder), sheet).save(one.folder / CALIBRATION_FILE)


def _fitted(detector: AnyDetector, sheet: CalibrationDataset) -> Calibration:
    found = fit_detector_calibration(detector, sheet)
    _say(f"{variant_name(detector)}: {found.method}, inconclusive {found.band.low:.3f} to "
         f"{found.band.high:.3f}")  # fmt: skip
    return found


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


if __name__ == "__main__":
    main()
