"""The gallery that is searched, and the visitors' photos: each visitor looks for another person.

Benchmark cases of LFW's `val` persons on whom nothing was fitted: authentic photos, forgeries,
copies, and bystanders.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from assistant.report.pictures.data_uris import data_uri, thumbnail
from evals.options import EvalOptions
from tools.errors import SetupError
from tools.media.hashing import file_sha256
from tools.media.pictures.decoding import read_photo
from tools.training.calibration.benchmark_cases import build_benchmark, portraits, split_persons

GALLERY = "default"
_SHOWN_PX = 160
_SPARE = 4  # persons whose query photo may show several faces
_BYSTANDERS = 40


@dataclass(frozen=True, slots=True)
class VisitorPhoto:
    """A photo of the person that a visitor looks for: file, hash, and what the page shows of it."""

    path: Path
    sha256: str
    shown: str

    @classmethod
    def of(cls, path: Path) -> "VisitorPhoto":
        """Read a file."""
        small = thumbnail(read_photo(path).pixels, longest_px=_SHOWN_PX)
        return cls(path, file_sha256(path), data_uri(small))


@dataclass(frozen=True, slots=True)
class SoakScene:
    """Settings with a data folder of their own, the models of this process, and the photos."""

    settings: Settings
    models: LoadedModels
    photos: tuple[VisitorPhoto, ...]
    pictures: int


def make_scene(options: EvalOptions, folder: Path, visitors: int) -> SoakScene:
    """Write and index the gallery. Raises SetupError if the data has too few persons."""
    given = Settings.load()
    settings = given.model_copy(update={"home": folder / "home", "config_dir": folder / "config"})
    models = LoadedModels(settings)
    people = split_persons(portraits(options.data, split="val"))[1]
    asked = [name for name, shots in people.items() if len(shots) >= 3][: visitors + _SPARE]
    crowd = [name for name, shots in people.items() if len(shots) == 1][:_BYSTANDERS]
    chosen = {name: people[name][:3] for name in [*asked, *crowd]}
    exhibits = build_benchmark(chosen, folder, seed=options.seed, queries=len(asked))
    photos = [folder / it.file for it in exhibits if it.kind == "query"]
    found = tuple(_with_one_face(photos, models))[:visitors]
    if len(found) < visitors:
        raise SetupError(f"{len(found)} persons for {visitors} sessions: use a lower --limit")
    files = sum(it.kind != "query" for it in exhibits)
    Unmask(settings, gallery=GALLERY, models=models).index(
        [folder / "gallery"],
        on_progress=lambda at: options.progress(at.files_done, files, "indexing"),
    )
    return SoakScene(settings, models, found, files)


def _with_one_face(photos: list[Path], models: LoadedModels) -> Iterator[VisitorPhoto]:
    """Where there are several, the page asks which one is meant."""
    for path in photos:
        if len(models.faces.analyse([read_photo(path).pixels])[0]) == 1:
            yield VisitorPhoto.of(path)
