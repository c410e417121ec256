"""What does a large gallery cost: opening, searching, adding, deleting, rebuilding, disk, memory?

Protocol: a synthetic gallery (`synthetic_gallery`) grows in steps to 100,000 faces, or to a million
with `--limit 1000000`. At each size, each engine is built, opened and asked in a process of its
own; `scale.jsonl` in the run's folder has its figures as soon as it is done. Queries are new faces
of persons in the gallery. `product` is one numpy product over the same vectors, held in memory, and
the 50 largest of its results; recall is
the share of those 50 that a search finds, after its ranking by the record. `candidates_ms` is what
a search of the application asks for: 1,000 faces. Times are medians; `_cpu_ms` is processor time,
which other work on the machine changes less, and ratios are of it. `memory_mb` is the growth of the
process while it opens and searches; for the exact engine it is the mapped file, which the system
may take back.

`crossing_faces` is the size from which Chroma gives 1,000 candidates faster than the exact engine:
between two measured sizes, or, if the exact engine was faster at all of them, by continuing its
straight line and Chroma's logarithm (`crossing_extrapolated`).

Chroma is built up to 100,000 faces: its time for more is in evals/CAPACITY.md, by formula.

Does not show: real faces, detection and encoding (suite `speed`), a gallery that does not fit into
memory, index servers.
"""

import contextlib
import itertools
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evals.options import EvalOptions
from evals.suites.performance.synthetic_gallery import fill, open_synthetic, path_of, person_faces
from tools.gallery.engines.choice import INDEX_ENTRIES, choose_index
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex

SIZES = (1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
USUAL_LIMIT = 100_000
CHROMA_UP_TO = 100_000
ENGINES = ("exact", "record", "chroma")
"""`record` is the search without any index, which serves when an engine fails."""

TOP, CANDIDATES, QUERIES, RECORD_QUERIES = 50, 1000, 20, 2
ADDED = 1000

_CHILD = (
    "import sys; from evals.suites.performance.scale import measure_in_child; "
    "measure_in_child(*sys.argv[1:])"
)


def run(options: EvalOptions) -> dict[str, object]:
    """Measure every size up to `limit` (100,000 if none is given)."""
    limit = options.limit or USUAL_LIMIT
    sizes = [size for size in SIZES if size <= limit] or [limit]
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for step, size in enumerate(sizes):
            options.progress(step, len(sizes), f"{size:,} faces")
            measured = _measure_size(home, size, seed=options.seed)
            for engine, found in measured:
                figures.setdefault(str(size), {})[engine] = found
                _keep(options.output, {"faces": size, "engine": engine, **found})
    crossing, extrapolated = crossing_of(
        {int(size): (it["exact"]["candidates_cpu_ms"], it["chroma"]["candidates_cpu_ms"])
         for size, it in figures.items()}
    )  # fmt: skip
    return {
        "faces": figures,
        "crossing_faces": crossing,
        "crossing_extrapolated": extrapolated,
        "queries": QUERIES,
    }


def _keep(folder: Path | None, line: Mapping[str, object]) -> None:
    if folder is not None:
        with (folder / "scale.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _measure_size(home: Path, size: int, *, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    with open_synthetic(home) as gallery:
        before = gallery.counts().faces
        started = time.perf_counter()
        for _ in fill(gallery, size - before, first=before, seed=seed):
            pass
        filled_s = time.perf_counter() - started
        bare = _bare_product(gallery, home / "expected.json", seed=seed)
        opened_ms = _milliseconds(lambda: Gallery.open_existing(home, gallery.name).close())
        counted_ms = _milliseconds(gallery.counts)
    disk_bytes = sum(it.stat().st_size for it in gallery.folder.glob("records*"))
    yield "product", bare
    for engine in ENGINES:
        if engine == "chroma" and size > CHROMA_UP_TO:
            yield engine, {"candidates_cpu_ms": math.nan}
            continue
        found = _in_child(home, engine, size, seed=seed)
        found["search_over_product"] = found["search_cpu_ms"] / bare["top_50_cpu_ms"]
        if engine == "record":
            found |= {
                "add_per_s": (size - before) / filled_s,
                "disk_bytes_per_face": disk_bytes / size,
                "open_ms": opened_ms,
                "count_ms": counted_ms,
            }
        yield engine, found


def _bare_product(gallery: Gallery, kept: Path, *, seed: int) -> dict[str, float]:
    """Time one product per query, and keep what it finds for the engines' recall."""
    ids, matrix = gallery.embeddings.all()
    queries = queries_for(len(ids), seed=seed)

    def top(query: np.ndarray) -> np.ndarray:
        cosines = matrix @ query
        best = np.argpartition(-cosines, min(TOP, len(ids)) - 1)[:TOP]
        return np.asarray(best[np.argsort(-cosines[best])])

    rows = [[ids[at] for at in top(query)] for query in queries]
    kept.write_text(json.dumps(rows), encoding="utf-8")
    return _timed("product", lambda q: matrix @ q, queries) | _timed("top_50", top, queries)


def queries_for(faces: int, *, seed: int) -> np.ndarray:
    """New faces (20, 512) of persons in the gallery, evenly spread over it."""
    rows = []
    for number in range(QUERIES):
        first = number * faces // QUERIES // 20 * 20
        known = person_faces(first, 2, seed=seed)
        noise = np.random.default_rng((seed, 4, number)).normal(size=known.shape[1])
        mixed = known.sum(axis=0) + noise * (0.5 / math.sqrt(known.shape[1]))
        rows.append(mixed / np.linalg.norm(mixed))
    return np.asarray(rows, np.float32)


def _in_child(home: Path, engine: str, size: int, *, seed: int) -> dict[str, float]:
    command = [sys.executable, "-c", _CHILD, str(home), engine, str(size), str(seed)]
    child = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )
    if child.returncode != 0:
        lines = child.stderr.strip().splitlines() or ["nothing"]
        raise RuntimeError(f"measuring {engine!r} ended with {child.returncode}: {lines[-1]}")
    return dict(json.loads(child.stdout.splitlines()[-1]))


def measure_in_child(home: str, engine: str, size: str, seed: str) -> None:
    """Measure one engine on the synthetic gallery of a data folder; prints JSON."""
    with open_synthetic(Path(home)) as gallery:
        figures = _measure(gallery, engine, int(size), seed=int(seed))
    print(json.dumps(figures))


def _measure(gallery: Gallery, engine: str, size: int, *, seed: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    before_mb = _memory_mb()
    if engine == "record":
        index = FaceIndex(gallery)  # not opened: without an engine
    else:
        choose_index(gallery, engine)
        cpu_s = time.process_time()
        figures["build_s"] = _milliseconds(lambda: FaceIndex.open(gallery).close()) / 1000
        figures["build_cpu_s"] = time.process_time() - cpu_s
        started = time.perf_counter()
        index = FaceIndex.open(gallery)
        figures["open_ms"] = (time.perf_counter() - started) * 1000
    expected = json.loads((Path(gallery.folder.parents[1]) / "expected.json").read_text("utf-8"))
    queries = queries_for(size, seed=seed)
    if engine == "record":  # seconds each
        queries, expected = queries[:RECORD_QUERIES], expected[:RECORD_QUERIES]
    with index:
        index.search(queries[0], TOP)  # the first one maps the file, or reads the graph
        found = [[match.face_id for match in index.search(it, TOP)] for it in queries]
        figures |= _timed("search", lambda q: index.search(q, TOP), queries)
        figures |= _timed("candidates", lambda q: index.candidates(q, CANDIDATES), queries)
        shares = [
            len(set(mine) & set(theirs)) / len(theirs)
            for mine, theirs in zip(found, expected, strict=True)
        ]
        figures |= {
            "recall_at_50": statistics.mean(shares),
            "memory_mb": _memory_mb() - before_mb,
            "disk_bytes_per_face": _disk_bytes(gallery.folder) / size,
        }
        if engine != "record":
            figures |= _changes(gallery, index, size, seed=seed)
    return figures


def _changes(gallery: Gallery, index: FaceIndex, size: int, *, seed: int) -> dict[str, float]:
    """Add a thousand faces, and delete them again; the record is as before afterwards."""
    for _ in fill(gallery, ADDED, first=size, seed=seed + 1):
        pass
    figures = {"add_1000_ms": _milliseconds(index.sync)}
    files = [gallery.file(path_of(number)) for number in range(size, size + ADDED)]
    gallery.add([], [replace(file, missing=True) for file in files if file is not None])
    figures["delete_1000_ms"] = _milliseconds(gallery.delete_missing)
    return figures


def crossing_of(times_ms: Mapping[int, tuple[float, float]]) -> tuple[float, bool]:
    """From which size the second time is below the first, and whether that is extrapolated.

    The first grows in proportion to the size beyond the last one measured, the second with its
    logarithm. NaN if it never gets there, or the second was measured at fewer than two sizes.
    """
    known = sorted((size, *it) for size, it in times_ms.items() if not math.isnan(it[1]))
    for (low, a, b), (high, c, d) in itertools.pairwise(known):
        if a <= b and c > d:
            share = (b - a) / ((b - a) + (c - d))
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low))), False
    if len(known) < 2 or known[-1][1] > known[-1][2]:
        return (float(known[0][0]) if known and known[0][1] > known[0][2] else math.nan), False
    (low, _, b), (size, a, d) = known[-2], known[-1]
    growth = max(d - b, 0) / math.log(size / low)
    for step in range(1, 200):
        larger = size * 1.05**step
        if a * larger / size > d + growth * math.log(larger / size):
            return larger, True
    return math.nan, True


def _timed(name: str, act: Callable[[np.ndarray], object], queries: np.ndarray) -> dict[str, float]:
    """Medians of the time and the processor time of one query."""
    wall, cpu = [], []
    for query in queries:
        started, used = time.perf_counter(), time.process_time()
        act(query)
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - used) * 1000)
    return {f"{name}_ms": statistics.median(wall), f"{name}_cpu_ms": statistics.median(cpu)}


def _milliseconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def _memory_mb() -> float:
    """The most memory that this process has held so far, in MB (10⁶ bytes)."""
    # Linux counts what the parent held before this process began in `ru_maxrss`.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _disk_bytes(folder: Path) -> int:
    entries = [folder / name for name in INDEX_ENTRIES]
    files = [it for entry in entries for it in [entry, *entry.rglob("*")] if it.is_file()]
    return sum(it.stat().st_size for it in files)
