"""Does indexing survive a kill without losing data, and does a damaged index repair itself?

Protocol: a child process indexes real pictures with the pocket weights and writes every
acknowledged id to a file, synced to disk, before it continues; it is killed (SIGKILL) at 20 random
moments (up to half a second after none to three batches), with the index updated after every batch
so that its writes are often interrupted. After each kill a copy of the data folder is opened: every
acknowledged picture must be there exactly once and each of its faces must be found through Chroma.
Then the job is finished and everything must be there once. Last, every Chroma file is deleted, cut
in half and overwritten in turn.

Does not show: the effect of a power failure (the record store syncs every commit, but a disk may
lie), nor file systems that reorder writes.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evals.options import EvalOptions
from evals.suites.performance.photo_variants import write_variants
from tools.gallery.engines.choice import choose_index
from tools.gallery.indexing.batches import BATCH_IMAGES
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.images import image_id

KILLS = 20
PICTURES = 500
MOST_BATCHES = 3  # acknowledged before a child is killed; after that
LONGEST_REST_S = 0.5  # it lives on for at most this long

_CHILD = (
    "import sys; from evals.suites.performance.durability import index_in_child; "
    "index_in_child(*sys.argv[1:])"
)


def run(options: EvalOptions) -> dict[str, object]:
    """Kill, check, finish, damage. `limit` sets the number of pictures (kills in proportion)."""
    pictures = options.limit or PICTURES
    kills = min(KILLS, max(2, pictures * KILLS // PICTURES))
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        bench = _Bench(Path(name), pictures, seed=options.seed)
        for _ in range(kills):
            acknowledged = int(rng.integers(0, MOST_BATCHES + 1)) * BATCH_IMAGES
            bench.kill_after(acknowledged, float(rng.uniform(0, LONGEST_REST_S)))
            bench.check_copy()
        finished = bench.finish()
        harmed = bench.harm_every_file(rng)
        return {
            "pictures": pictures,
            **{key: bench.tally[key] for key in _TALLIED},
            "finished": finished,
            "harmed": harmed,
        }


_TALLIED = (
    "kills", "kills_after_acknowledgement", "acknowledged_checked", "lost", "duplicated",
    "faces_checked", "not_searchable", "record_problems", "index_continued", "index_rebuilt",
    "index_unusable",
)  # fmt: skip


def index_in_child(home: str, photos: str, acknowledged: str) -> None:
    """Index a folder with the pocket weights and log the acknowledged ids."""
    from assistant.profile import LoadedModels
    from assistant.settings import Settings
    from tools.gallery.indexing import committing, job

    committing.INDEX_EVERY = 1
    parts = LoadedModels(Settings(home=Path(home)))
    with (
        Path(acknowledged).open("a", encoding="ascii") as log,
        Gallery.open(Path(home), fingerprint=parts.fingerprint) as gallery,
    ):
        choose_index(gallery, "chroma")  # a small gallery would do without

        def write_down(ids: object) -> None:
            log.writelines(f"{each}\n" for each in ids)  # type: ignore[attr-defined]
            log.flush()
            os.fsync(log.fileno())

        faces, encoder = parts.faces, parts.encoder
        print("begun", flush=True)
        summary = job.index_folders(
            [Path(photos)], gallery=gallery, faces=faces, encoder=encoder, on_indexed=write_down
        )
    print(f"added {summary.images_added}", flush=True)


class _Bench:
    """The folders of one run, and its counts."""

    def __init__(self, folder: Path, pictures: int, *, seed: int) -> None:
        self.folder = folder
        self.photos = folder / "photos"
        self.round = 0
        self.tally: Counter[str] = Counter()
        files = write_variants(self.photos, pictures, seed=seed)
        self.ids = {image_id(path.read_bytes()) for path in files}

    @property
    def home(self) -> Path:
        return self.folder / f"home{self.round}"

    @property
    def log(self) -> Path:
        return self.folder / f"acknowledged{self.round}.txt"

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", _CHILD, *map(str, (self.home, self.photos, self.log))]
        child = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=(self.folder / "said.txt").open("w"),
            text=True,
        )
        for line in child.stdout or ():
            if line.startswith("begun"):  # libraries may say something before
                return child
        child.wait()
        said = (self.folder / "said.txt").read_text("utf-8").strip() or "nothing"
        raise RuntimeError(
            f"the child could not start indexing; its output: {said.splitlines()[-1]}"
        )

    def kill_after(self, acknowledged: int, seconds: float) -> None:
        """Kill a child some time after it acknowledged a number of further pictures."""
        child = self.start()
        before = len(self.acknowledged())
        while len(self.acknowledged()) < before + acknowledged and child.poll() is None:
            time.sleep(0.005)
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        if child.returncode == 0:  # it had already finished: take a new gallery and try again
            self.round += 1
            self.kill_after(acknowledged // 2, seconds / 2)
            return
        self.tally["kills"] += 1
        self.tally["kills_after_acknowledgement"] += len(self.acknowledged()) > before

    def acknowledged(self) -> list[str]:
        """Every id whose line was written completely."""
        text = self.log.read_text("ascii") if self.log.exists() else ""
        return text.split("\n")[:-1]

    def check_copy(self) -> None:
        """Check a copy of the data folder, leaving the original for the next child."""
        copy = self.folder / "copy"
        shutil.copytree(self.home, copy)
        with Gallery.open_existing(copy) as gallery:
            self.tally["record_problems"] += len(gallery.problems())
            kept = Counter(gallery.image_ids())
            acknowledged = self.acknowledged()
            self.tally["acknowledged_checked"] += len(acknowledged)
            self.tally["lost"] += sum(kept[each] == 0 for each in acknowledged)
            self.tally["duplicated"] += sum(count > 1 for count in kept.values())
            self.tally["duplicated"] += len(acknowledged) - len(set(acknowledged))
            with FaceIndex.open(gallery) as index:
                self.tally["index_unusable"] += index.searches_exactly
                self.tally["index_rebuilt"] += bool(index.notices)
                self.tally["index_continued"] += not index.notices
                checked, missed = _search_for_every_face(gallery, index)
            self.tally["faces_checked"] += checked
            self.tally["not_searchable"] += missed
        shutil.rmtree(copy)

    def finish(self) -> dict[str, object]:
        """Finish the job twice: the second run must find nothing to do."""
        said = []
        for _ in range(2):
            child = self.start()
            said.append(child.communicate()[0].split())
        with Gallery.open_existing(self.home) as gallery, FaceIndex.open(gallery) as index:
            ids = list(gallery.image_ids())
            counts = gallery.counts()
            _, missed = _search_for_every_face(gallery, index)
            return {
                "pictures_there_once": set(ids) == self.ids and len(ids) == len(self.ids),
                "files": counts.files,
                "faces": counts.faces,
                "not_searchable": missed,
                "acknowledged_twice": len(self.acknowledged()) - len(set(self.acknowledged())),
                "second_run_added": int(said[1][-1]) if said[1] else float("nan"),
            }

    def harm_every_file(self, rng: np.random.Generator) -> dict[str, int]:
        """Delete, cut and overwrite each Chroma file in turn; the index must repair itself."""
        chroma = self.home / "galleries" / "default" / "chroma"
        names = [str(path.relative_to(chroma)) for path in chroma.rglob("*") if path.is_file()]
        harms: list[tuple[str, Callable[[Path], object]]] = [
            (name, harm)
            for name in names
            for harm in (
                Path.unlink,
                lambda path: os.truncate(path, path.stat().st_size // 2),
                lambda path: path.write_bytes(rng.bytes(path.stat().st_size)),
            )
        ]
        tally: Counter[str] = Counter(tried=0, rebuilt=0, proved_sound=0, unusable=0, missed=0)
        harms.append((".", shutil.rmtree))
        for name, harm in harms:
            tally.update(self._harmed(name, harm))
        return dict(tally)

    def _harmed(self, name: str, harm: Callable[[Path], object]) -> Counter[str]:
        copy = self.folder / "copy"
        shutil.copytree(self.home, copy)
        harm(copy / "galleries" / "default" / "chroma" / name)
        with Gallery.open_existing(copy) as gallery, FaceIndex.open(gallery) as index:
            _, missed = _search_for_every_face(gallery, index)
            rebuilt = any("rebuilt" in notice for notice in index.notices)
            unusable = index.searches_exactly
        shutil.rmtree(copy)
        return Counter(
            tried=1, rebuilt=rebuilt, unusable=unusable, missed=missed,
            proved_sound=not rebuilt and not unusable,
        )  # fmt: skip


def _search_for_every_face(gallery: Gallery, index: FaceIndex) -> tuple[int, int]:
    """Number of faces, and of those not found exactly once with cosine 1 by their own embedding."""
    ids, matrix = gallery.embeddings()
    missed = 0
    for face, embedding in zip(ids, matrix, strict=True):
        found = [match for match in index.search(embedding, 5) if match.face_id == face]
        missed += len(found) != 1 or found[0].cosine_similarity < 1 - 1e-4
    return len(ids), missed
