"""How much faster is indexing than a simple loop, how does it scale, and is memory use flat?

The simple loop reads a photograph, calls insightface's `FaceAnalysis.get` on it (640 × 640, as in
its examples) and then open_clip on the picture and on each face, one at a time, with open_clip's
own preprocessing and every library's default number of threads; it stores nothing. Ours is the
whole job in a child process: hashing, decoding, analysis, quality, features, record store, index.
Both use the same checkpoints and pictures, alternating, so that other load on the machine affects
both.

Data: `data/photos` (web photographs up to 1,200 px, several people in many) with varied copies of
them, and up to 10,000 photographs of `data/lfw/images` (218 × 218, mostly one person) for scaling.
On those the loop is timed on a sample of every tenth part, since it keeps no state.

Does not show: the speed on a GPU, or of the full profile. On a busy machine the wall-clock ratio is
not meaningful: the loop's threads busy-wait for each other and take many times as long. There,
compare `loop_on_one_thread_cpu_ms` with `ours_cpu_ms_per_photograph`: the saved work, without the
gain from using all cores.
"""

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np

from assistant.profile import LoadedModels
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.suites.performance.photo_variants import varied
from tools.checkpoints.store import PROFILES, locate
from tools.errors import SetupError

GROWTH = 10_000
WEB_PHOTOS = 240
BLOCKS = 10
LOOP_SAMPLE = 32


def run(options: EvalOptions) -> dict[str, object]:
    """Compare on web photographs, then on a growing gallery. `limit` caps both."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        count = min(WEB_PHOTOS, options.limit or WEB_PHOTOS)
        web = _web_photos(options, work / "web", count)
        small = sorted((options.data / "lfw" / "images").rglob("*.jpg"))
        small = small[: options.limit or GROWTH]
        if not web or not small:
            raise SetupError(f"{options.data} lacks photos/ or lfw/; pass --data DIR")
        parts = LoadedModels(Settings())
        loop = ObviousLoop(parts)
        figures: dict[str, object] = {
            "cpu_count": os.cpu_count(),
            "load_average_before": round(os.getloadavg()[0], 1),
        }
        figures["web_photos"] = _compare(loop, web, work / "a", blocks=4, sample=len(web))
        figures["growth"] = _compare(loop, small, work / "b", blocks=BLOCKS, sample=LOOP_SAMPLE)
        alone = ObviousLoop(parts, threads=1)
        figures["loop_on_one_thread_cpu_ms"] = {
            "web_photos": alone(web[:LOOP_SAMPLE]).cpu_ms,
            "growth": alone(small[:LOOP_SAMPLE]).cpu_ms,
        }
        return figures


def _web_photos(options: EvalOptions, folder: Path, count: int) -> list[Path]:
    """The existing photographs, then varied copies of them until there are enough."""
    originals = sorted((options.data / "photos").rglob("*.jpg"))
    rng = np.random.default_rng(options.seed)
    folder.mkdir()
    paths = list(originals[:count])
    while originals and len(paths) < count:
        picture = cv2.imread(str(originals[len(paths) % len(originals)]))
        if picture is None:
            raise SetupError(f"{originals[len(paths) % len(originals)]} cannot be read")
        paths.append(folder / f"{len(paths):04}.jpg")
        cv2.imwrite(str(paths[-1]), varied(picture, rng, max(picture.shape[:2])))
    return paths


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds per photograph: wall clock, and CPU time of all cores."""

    wall_ms: float
    cpu_ms: float


class Stopwatch:
    """Measures the time since its creation."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def cost(self, photographs: int) -> Cost:
        """Cost per photograph."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Cost(wall_ms=1000 * wall / photographs, cpu_ms=1000 * cpu / photographs)


class ObviousLoop:
    """A straightforward loop as in the two libraries' introductory examples."""

    def __init__(self, parts: LoadedModels, *, threads: int | None = None) -> None:
        import onnxruntime
        import torch
        from insightface.app import FaceAnalysis
        from torchvision import transforms

        settings, encoder = parts.settings, parts.encoder
        pack = locate(PROFILES[settings.profile]["faces"], settings.models_dir)
        prepared = encoder.preprocessing
        with contextlib.redirect_stdout(sys.stderr):
            options = onnxruntime.SessionOptions()
            if threads is not None:
                options.intra_op_num_threads = threads
                torch.set_num_threads(threads)
            self.app = FaceAnalysis(name=str(pack), sess_options=options)
            self.app.prepare(ctx_id=-1, det_size=(640, 640))
        self.torch = torch
        self.model: Any = encoder.model.to(memory_format=torch.contiguous_format)  # the default
        self.device = encoder.device
        self.size = encoder.image_size
        self.preprocess = transforms.Compose([
            transforms.Resize(self.size, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(self.size),
            transforms.ToTensor(),
            transforms.Normalize(prepared.mean, prepared.std),
        ])  # fmt: skip

    def __call__(self, paths: Sequence[Path]) -> Cost:
        """Analyse photographs one at a time; returns the cost of each."""
        clock = Stopwatch()
        for path in paths:
            self.analyse(path)
        return clock.cost(len(paths))

    def analyse(self, path: Path) -> list[np.ndarray]:
        """The features of a photograph and of its faces."""
        from insightface.utils.face_align import norm_crop
        from PIL import Image

        picture = cv2.imread(str(path))
        faces = self.app.get(picture)
        crops = [norm_crop(picture, face.kps, image_size=self.size) for face in faces]
        features = []
        for pixels in [picture, *crops]:
            image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
            batch = self.preprocess(image)[None].to(self.device)
            with self.torch.inference_mode():
                features.append(self.model.encode_image(batch).cpu().numpy())
        return features


def _compare(
    loop: ObviousLoop, paths: Sequence[Path], work: Path, *, blocks: int, sample: int
) -> dict[str, object]:
    """Index block by block in a child process, timing the loop on a sample of each in between.

    The last two photographs only warm both up: what is known is not analysed again.
    """
    *paths, one, two = paths
    size = max(1, len(paths) // blocks)
    parts = [paths[start : start + size] for start in range(0, size * blocks, size)]
    ours: list[Cost] = []
    theirs: list[Cost] = []
    memory: list[tuple[float, float]] = []
    with _Indexer(work) as indexer:
        loop([one, two])
        indexer.index(_folder_of(work / "warm", [one, two]), 2)
        for number, block in enumerate(part for part in parts if part):
            folder = _folder_of(work / f"block{number}", block)
            chosen = block[:: max(1, len(block) // sample)][:sample]
            if number % 2:
                theirs.append(loop(chosen))
            cost, resident, peak = indexer.index(folder, len(block))
            if not number % 2:
                theirs.append(loop(chosen))
            ours.append(cost)
            memory.append((resident, peak))
    our_wall, their_wall = _wall(ours), _wall(theirs)
    our_cpu, their_cpu = (fmean(cost.cpu_ms for cost in costs) for costs in (ours, theirs))
    return {
        "photographs": size * len(ours),
        "ratio": their_wall / our_wall,
        "ratio_first_block": theirs[0].wall_ms / ours[0].wall_ms,
        "ratio_last_block": theirs[-1].wall_ms / ours[-1].wall_ms,
        "ours_ms_per_photograph": our_wall,
        "loop_ms_per_photograph": their_wall,
        "ours_cpu_ms_per_photograph": our_cpu,
        "loop_cpu_ms_per_photograph": their_cpu,
        "ours_last_block_over_first": ours[-1].wall_ms / ours[0].wall_ms,
        "ours_cpu_last_block_over_first": ours[-1].cpu_ms / ours[0].cpu_ms,
        "resident_mb_after_first_block": memory[0][0],
        "resident_mb_after_last_block": memory[-1][0],
        "peak_mb_after_first_block": memory[0][1],
        "peak_mb_after_last_block": memory[-1][1],
    }


def _wall(costs: Sequence[Cost]) -> float:
    return fmean(cost.wall_ms for cost in costs)


def _folder_of(folder: Path, paths: Sequence[Path]) -> Path:
    """A folder of links to the files."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / f"{number:05}{path.suffix}").symlink_to(path.resolve())
    return folder


class _Indexer:
    """A child process with one gallery, so that its memory can be measured."""

    def __init__(self, work: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._child = context.Process(target=_serve, args=(work / "home", theirs))
        self._child.start()
        theirs.close()  # so that a dead child is detected instead of waited for

    def __enter__(self) -> "_Indexer":
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._child.join()

    def index(self, folder: Path, photographs: int) -> tuple[Cost, float, float]:
        """Cost per photograph of a folder, then resident and peak memory in MB.

        Raises `SetupError` if not all were analysed: a file that is passed over costs nothing.
        """
        self._ours.send((folder, photographs))
        added, cost, resident, peak = self._ours.recv()
        if added < photographs:
            raise SetupError(f"only {added} of {photographs} photographs of {folder} were added")
        return cost, resident, peak


def _serve(home: Path, parent: Connection) -> None:
    from tools.gallery.indexing.job import index_folders
    from tools.gallery.record_store import Gallery
    from tools.gallery.vector_index import FaceIndex

    parts = LoadedModels(Settings(home=home))
    with (
        Gallery.open(home, fingerprint=parts.fingerprint) as gallery,
        FaceIndex.open(gallery) as index,
        contextlib.suppress(EOFError),
    ):
        while True:
            folder, photographs = parent.recv()
            clock = Stopwatch()
            summary = index_folders(
                [folder], gallery=gallery, index=index, faces=parts.faces, encoder=parts.encoder,
                follow_links=True,
            )  # fmt: skip
            cost = clock.cost(photographs)
            parent.send((summary.images_added, cost, _memory_mb("VmRSS"), _memory_mb("VmHWM")))


def _memory_mb(field: str) -> float:
    """Resident memory (VmRSS) or its peak (VmHWM) of this process; NaN without /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text("ascii").splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024
