"""Cut pairs of a forgery and its own original for norm tuning, ahead of the training.

    python -m tools.training.tower.pairs --data ../shared/data --copies COPIES --work RUN \\
        --set dfdc-train=2600 --set lfw-train=600 --set dfdc-val=150

Sets are SOURCE-SPLIT=PAIRS. Each chunk `RUN/<source>-<split>-NNN.npz` holds `crops`
(n, 2, 224, 224, 3) uint8, authentic then forged, with no history yet, and `family` (n,). Finished
chunks are kept, so a restarted run resumes.
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from tools.checkpoints.table import WEIGHTS_DIR
from tools.faces.analyser import FaceAnalyser
from tools.training.tower.samples import SampleSources, TowerSample

CHUNK = 64


def pairs(sources: SampleSources, of: str, split: str, count: int) -> Iterator[list[TowerSample]]:
    """At most `count` pairs (authentic, forged) of DFDC, or of photographs of a source."""
    if of == "dfdc":
        samples = sources.swapped_videos(count, split=split)
    else:
        photos = sources.photographs(of, count, split=split)
        samples = sources.forged_photographs(of, photos, len(photos), split=split)
    while pair := list(islice(samples, 2)):
        yield pair


def write_pairs(sources: SampleSources, name: str, count: int, work: Path) -> None:
    """Write all missing chunks of the set `name`, `SOURCE-SPLIT`."""
    of, split = name.rsplit("-", 1)
    made, number = pairs(sources, of, split, count), -1
    while chunk := list(islice(made, CHUNK)):
        number += 1
        file = work / f"{name}-{number:03d}.npz"
        if file.is_file():
            continue
        partial = file.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.savez(
                stream,
                crops=np.stack([[it.crop for it in pair] for pair in chunk]),
                family=np.array([forged.family for _, forged in chunk]),
            )
        partial.replace(file)
        print(f"{file.name} done", flush=True)


def main() -> None:
    """Parse the command line and cut."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--copies", type=Path, required=True, help="folder of bare repositories")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--set", action="append", required=True, help="SOURCE-SPLIT=PAIRS")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    faces = FaceAnalyser(WEIGHTS_DIR / "faces", threads=1)
    sources = SampleSources(options.data, options.copies, faces, options.seed, with_history=False)
    for asked in options.set:
        name, count = asked.split("=")
        write_pairs(sources, name, int(count), options.work)


if __name__ == "__main__":
    main()
