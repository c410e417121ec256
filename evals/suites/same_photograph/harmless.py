"""Is a harmlessly edited query photo ever called an impersonation?

Each portrait is the query photo of its own gallery, which holds the photo under every edit that
the verdict rule was fitted on (`EDITS`) and under an agency's watermark over the whole picture.
Verdicts are those of the full search. Portraits: FFHQ photographs
(`deepfakes/generated/real_ffhq`), three for each LFW photograph of `val` persons that no
calibration has seen. `--limit` caps the portraits.

Does not show: edits of other kinds, or edited photographs other than the query photo.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from evals.suites.same_photograph.edits import watermark
from tools.errors import SetupError
from tools.media.pictures.decoding import read_photo
from tools.search.query import NoFace, SeveralFaces
from tools.training.calibration.benchmark_cases import portraits, split_persons
from tools.training.data.harmless_edits import EDITS

PORTRAITS = 40
ACCUSED = "impersonation"


def run(options: EvalOptions) -> dict[str, object]:
    """Verdicts of the edited photos: their counts in total, and the accusations by edit."""
    paths = _portraits(options.data)[: options.limit]
    if not paths:
        raise SetupError(f"{str(options.data)!r} holds neither lfw/ nor deepfakes/generated/")
    samples, models = SampleWriter(options.output), LoadedModels(Settings.load())
    verdicts, accused, unusable = Counter[str](), Counter[str](), 0
    for number, path in enumerate(paths):
        options.progress(number, len(paths), "portraits")
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = _verdicts(path, Path(folder), models, options.seed + number)
            except (NoFace, SeveralFaces):
                unusable += 1
                continue
        verdicts.update(found.values())
        accused.update(edit for edit, verdict in found.items() if verdict == ACCUSED)
        samples.query(
            id=path.name, group=path.stem, values={"accused": [*found.values()].count(ACCUSED)}
        )
    hits = sum(verdicts.values())
    return {
        "portraits": len(paths) - unusable,
        "portraits without a single face": unusable,
        "edited photos found": hits,
        "verdicts": dict(verdicts.most_common()),
        "called an impersonation": verdicts[ACCUSED] / hits if hits else float("nan"),
        "accused edits": dict(accused.most_common()),
    }


def _portraits(data: Path) -> Sequence[Path]:
    """Three FFHQ portraits for each of LFW."""
    faces = sorted((data / "deepfakes" / "generated" / "real_ffhq").glob("*.jpg"))
    labels = data / "lfw" / "labels.npz"
    people = split_persons(portraits(data, split="val"))[1] if labels.is_file() else {}
    news = [shots[0].path for shots in people.values()]
    return [*faces[: PORTRAITS * 3 // 4], *news[: PORTRAITS // 4]]


def _verdicts(path: Path, folder: Path, models: LoadedModels, seed: int) -> dict[str, str]:
    """The verdict of each edited version, by edit."""
    pixels, rng = read_photo(path).pixels, np.random.default_rng(seed)
    gallery = folder / "gallery"
    gallery.mkdir()
    for name, edit in EDITS.items():
        Image.fromarray(edit(pixels, rng)).save(gallery / f"{name}.png")
    watermark(Image.fromarray(pixels), rng).save(gallery / "agency watermark.png")
    settings = Settings.load().model_copy(update={"home": folder / "home"})
    unmask = Unmask(settings, gallery="edited", models=models)
    unmask.index(gallery)
    findings = unmask.find(path, top=len(EDITS) + 1)
    return {hit.path.stem: hit.verdict for hit in findings.hits}
