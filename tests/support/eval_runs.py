"""Hand-made eval runs, in the format of `python -m evals run`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from evals.runs import folder as runs
from evals.runs.folder import EvalRun
from evals.runs.samples import SampleWriter


@dataclass(frozen=True)
class MadeRun:
    """Content of a hand-made run; `scores` are (id, group, label, score) of the set `one`."""

    suite: str = "detectors"
    figures: Mapping[str, object] = field(default_factory=lambda: {"auc": 0.5})
    digest: str | None = "d1"
    scores: tuple[tuple[str, str, int, float | None], ...] = ()
    queries: tuple[tuple[str, str, float], ...] = ()
    picture: tuple[str, str] | None = None
    environment: Mapping[str, object] = field(default_factory=dict)


def write_run_folder(folder: Path, made: MadeRun) -> Path:
    """Write the run to a folder and return it."""
    runs.prepare_folder(folder, made.suite)
    samples = SampleWriter(folder)
    for name, group, label, score in made.scores:
        samples.score(id=name, group=group, set="one", label=label, scores={"ours": score})
    for name, group, value in made.queries:
        samples.query(id=name, group=group, values={"ap": value})
    if made.picture is not None:
        add_picture(folder, *made.picture)
    runs.write_run(
        folder,
        EvalRun(
            suite=made.suite,
            question="Does it work?",
            started="2026-01-02T03:04:05+00:00",
            seconds=61.0,
            options={"limit": None, "seed": 0, "layout": None, "peers": {}},
            data={"root": "celeb", "layout": None, "rows": 8, "digest": made.digest, "sets": []},
            environment={"profile": "pocket", "git": None, **made.environment},
            figures=made.figures,
        ),
    )
    return folder


def add_picture(folder: Path, title: str, caption: str) -> None:
    """A grey picture and its entry in the list."""
    Image.fromarray(np.full((4, 4, 3), 128, np.uint8)).save(folder / "roc.png")
    entry = {"file": "roc.png", "title": title, "caption": caption}
    (folder / runs.PICTURES_FILE).write_text(json.dumps([entry]))
