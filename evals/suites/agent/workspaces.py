"""Build workspaces for the suites `agent` and `explanations`: indexed galleries and query photos.

For the project's own data, the galleries are benchmark cases from persons of LFW's `val` split, on
whom no model was trained. For any other data set with identities, the gallery has all pictures
except one authentic photo per person, which is the query.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from assistant.training.dialogues.tool_results import galleries, index_gallery
from evals.datasets import load
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.protocol import measured
from evals.suites.impersonation.benchmark import is_casework_source
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError

FEW = 60  # up to this many turns, one small gallery is enough
MOST_PICTURES = 300
Place = tuple[Workspace, list[Path]]


def make_workspaces(options: EvalOptions, folder: Path, *, turns: int) -> Iterator[Place]:
    """New workspaces over indexed galleries, with two query photos of different persons each."""
    if is_casework_source(options.data):
        yield from _of_casework(options, folder, turns)
    else:
        yield from _of_manifest(options, folder, turns)


def _of_casework(options: EvalOptions, folder: Path, turns: int) -> Iterator[Place]:
    parts = LoadedModels(Settings(home=folder / "home"))
    cases, rounds = (1, 3) if turns <= FEW else (2, 12)
    made = galleries(options.data, folder, count=cases, queries=6, split="val", seed=100)
    for place, exhibits in made:
        home = index_gallery(parts, place)
        photos = [place / it.file for it in exhibits if it.kind == "query"]
        for first, second in _pairs(photos, rounds):
            yield Workspace(parts, home=home), [first, second]


def _of_manifest(options: EvalOptions, folder: Path, turns: int) -> Iterator[Place]:
    manifest = load(options.data, options.layout)
    queries = _queries(manifest)
    if len(queries) < 2:
        raise SetupError(
            f"fewer than two persons with an authentic photo in {str(options.data)!r}: the "
            "questions are about persons"
        )
    asked = {row.path for row in queries}
    rest = manifest.where(lambda row: row.path not in asked)
    kept = rest.sample(FEW if turns <= FEW else MOST_PICTURES, options.seed)
    options.record(replace(kept, rows=(*queries, *kept.rows)))
    parts, home = measured.load_models(), folder / "home"
    settings = Settings.load().model_copy(update={"home": home})
    Unmask(settings, gallery="default", models=parts).index(
        [kept.file_of(row) for row in kept.rows]
    )
    photos = [manifest.file_of(row) for row in queries]
    for first, second in _pairs(photos, 3 if turns <= FEW else 24):
        yield Workspace(parts, home=home), [first, second]


def _queries(manifest: Manifest) -> list[ManifestRow]:
    """The first authentic picture of each person, up to twelve."""
    first: dict[str, ManifestRow] = {}
    for row in manifest.rows:
        whole_video = row.video_id is not None and row.frame is None
        if row.label == "real" and row.depicted_id is not None and not whole_video:
            first.setdefault(row.depicted_id, row)
    return [*first.values()][:12]


def _pairs(photos: list[Path], rounds: int) -> Iterator[tuple[Path, Path]]:
    for turn in range(rounds * len(photos) // 2):
        first, second = photos[turn % len(photos)], photos[(turn * 5 + 1) % len(photos)]
        if first != second:
            yield first, second
