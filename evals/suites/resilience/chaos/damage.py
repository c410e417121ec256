"""Damage the files of a search index in turn; each time it must repair itself from the record.

Every file of Chroma's folder is deleted, emptied, cut in half, overwritten, and has bits flipped;
the folder is deleted, and replaced by that of another gallery. The record is never touched: it has
no copy, and a damaged one is refused (`tests/tools/gallery`).
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from evals.suites.resilience.chaos import analysers
from evals.suites.resilience.chaos.kills import in_child, missed_faces
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex

Harm = Callable[[Path], object]
_FLIPPED_BITS = 40


class DamageTrials:
    """A gallery, another one with as many faces, and the harms done to copies of the first."""

    def __init__(self, folder: Path, *, pictures: int, seed: int) -> None:
        self._folder, self._rng = folder, np.random.default_rng(seed)
        for name, number in (("mine", seed), ("other", seed + 1)):
            photos, home = folder / f"{name}-photos", folder / name
            analysers.write_pictures(photos, pictures, seed=number)
            failure = in_child(partial(_indexed, home, photos))
            if failure:
                raise RuntimeError(failure)

    def run(self, limit: int | None = None) -> dict[str, int]:
        """Counts of harms by outcome; `missed` faces could not be found afterwards."""
        tally: Counter[str] = Counter(
            harms=0, rebuilt=0, proved_sound=0, searched_without_index=0, missed=0, failed=0
        )
        harms = self._harms()
        step = max(1, len(harms) // (limit or len(harms)))
        for harm in harms[::step][:limit]:
            tally["harms"] += 1
            tally.update(self._outcome(harm))
        return dict(tally)

    def _harms(self) -> list[Harm]:
        chroma = _chroma(self._folder / "mine")
        names = sorted(
            str(path.relative_to(chroma)) for path in chroma.rglob("*") if path.is_file()
        )
        kinds: tuple[Harm, ...] = (Path.unlink, _empty, _halve, self._overwrite, self._flip)
        harms = [_to_file(name, kind) for name in names for kind in kinds]
        return [shutil.rmtree, self._replace, self._replace_with_state, *harms]

    def _outcome(self, harm: Harm) -> Counter[str]:
        copy, answer = self._folder / "copy", self._folder / "outcome.txt"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._folder / "mine", copy)
        harm(_chroma(copy))
        if in_child(lambda: answer.write_text(_opened(copy), "utf-8")):
            return Counter(failed=1)
        outcome, missed = answer.read_text("utf-8").split()
        return Counter({outcome: 1, "missed": int(missed)})

    def _overwrite(self, path: Path) -> None:
        path.write_bytes(self._rng.bytes(path.stat().st_size))

    def _flip(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        for _ in range(min(_FLIPPED_BITS, len(data))):
            data[int(self._rng.integers(len(data)))] ^= 1 << int(self._rng.integers(8))
        # The time and size of a file that a disk damages stay as they were.
        before = path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _replace(self, chroma: Path) -> None:
        shutil.rmtree(chroma)
        shutil.copytree(_chroma(self._folder / "other"), chroma)

    def _replace_with_state(self, chroma: Path) -> None:
        self._replace(chroma)
        other = _chroma(self._folder / "other").with_name("chroma-state.json")
        shutil.copy2(other, chroma.with_name("chroma-state.json"))


def _indexed(home: Path, photos: Path) -> None:
    analysers.index_photos(home, photos, lambda _: None)
    analysers.rebuild_index(home)  # closes it properly


def _chroma(home: Path) -> Path:
    return home / "galleries" / "default" / "chroma"


def _to_file(name: str, harm: Harm) -> Harm:
    """The harm to one file of the folder."""
    return lambda folder: harm(folder / name)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _opened(home: Path) -> str:
    """What became of the index, and the number of faces that are not found."""
    with Gallery.open_existing(home) as gallery, FaceIndex.open(gallery) as index:
        rebuilt = any("rebuilt" in notice for notice in index.notices)
        missed = missed_faces(gallery, index)
        outcome = "rebuilt" if rebuilt else "proved_sound"
        return f"{'searched_without_index' if index.searches_exactly else outcome} {missed}"
