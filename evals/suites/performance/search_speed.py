"""How much processor time do a search and its closer look take, against the bare networks?

The demo's gallery is searched for its person: the first ranking, the closer look at all hits, and
the same search again. Two peers within the same run. *Bare networks*: the time inside the networks
during our closer look; everything else (decoding, crops, retakes, alignment, the rule) is ours.
*One by one*: every hit by itself, with every score of every retake. All on one thread, in processor
time, since the machine may be busy; wall-clock times are given beside it.

Does not show: large photographs, whose decoding and retakes weigh more; a gallery of thousands.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

from assistant.demo import DEMO_GALLERY, write_demo_images
from assistant.investigation import Unmask
from assistant.settings import Settings
from evals.options import EvalOptions
from tools.detectors.clip_heads import patches
from tools.detectors.clip_heads.patch_head import PatchHead
from tools.detectors.networks.caddm import Caddm
from tools.encoder.clip import Encoder
from tools.encoder.pretrained_tower import PretrainedTower
from tools.faces.analyser import FaceAnalyser
from tools.faces.further_embedders import FaceEmbedder
from tools.gallery.closer_looks import forget_looks
from tools.gallery.database_file import gallery_folder
from tools.search.reranking import reference_comparison, reranker
from tools.search.results import Findings
from tools.verdict.rule import SAME_PHOTOGRAPH, VerdictRule

_NETWORKS: tuple[tuple[object, str], ...] = (
    (PretrainedTower, "_plain"), (PretrainedTower, "_tuned"), (Encoder, "forward"),
    (patches, "local_patch_features"), (PatchHead, "logits"),
    (reference_comparison, "patch_features"), (Caddm, "_run"), (FaceAnalyser, "_embed_crops"),
    (FaceEmbedder, "_run"),
)  # fmt: skip
"""Where the closer look enters a network; what they do besides is little."""


@dataclass(slots=True)
class Cost:
    """Seconds: wall clock, processor time, and processor time inside the networks."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    networks_s: float = 0.0
    inside: bool = False
    """Whether a network is running; one that it calls is not counted again."""


def run(options: EvalOptions) -> dict[str, object]:
    """Search the demo's gallery; `limit` caps the hits."""
    import torch

    torch.set_num_threads(1)
    top = min(options.limit or 50, 50)
    settings = Settings()
    with tempfile.TemporaryDirectory() as name:
        own = settings.model_copy(update={"home": Path(name), "threads": 1})
        unmask = Unmask(own, gallery=DEMO_GALLERY)
        folder = own.home / "pictures"
        folder.mkdir()
        query, _ = write_demo_images(folder, unmask.models.faces)
        unmask.index([folder])

        def search(*, rerank: bool = True) -> tuple[Findings, Cost]:
            with _measured() as cost:
                return unmask.find(query, top=top, rerank=rerank), cost

        search()  # loads the networks
        _, ranked = search(rerank=False)
        _, again = search()
        forget_measured(unmask)
        findings, closer = search()
        forget_measured(unmask)
        with _one_by_one():
            slowly, loop = search()
    return {
        "hits": len(findings.hits),
        "tower": unmask.models.tower is not None,
        "first_ranking_cpu_s": ranked.cpu_s,
        "search_cpu_s": closer.cpu_s,
        "search_wall_s": closer.wall_s,
        "search_again_cpu_s": again.cpu_s,
        "networks_cpu_s": closer.networks_s,
        "search_over_networks": closer.cpu_s / closer.networks_s,
        "one_by_one_cpu_s": loop.cpu_s,
        "one_by_one_over_search": loop.cpu_s / closer.cpu_s,
        "verdicts_that_differ": sum(
            one.verdict != other.verdict
            for one, other in zip(findings.hits, slowly.hits, strict=True)
        ),
    }


def forget_measured(unmask: Unmask) -> None:
    """Forget what was measured, in the gallery and in memory; the networks stay loaded."""
    forget_looks(gallery_folder(unmask.settings.home, DEMO_GALLERY))
    models = unmask.models
    for holder in (models.tower, *models.pixel_detectors):
        known = getattr(holder, "_known", None)
        if known is not None:
            known.clear()


@contextlib.contextmanager
def _one_by_one() -> Iterator[None]:
    """Every hit in a batch of its own, and every score of every retake."""

    def everything(rule: VerdictRule, _: object) -> frozenset[str]:
        return rule.needs | {SAME_PHOTOGRAPH}

    with (
        mock.patch.object(reranker, "BATCH_HITS", 1),
        mock.patch.object(VerdictRule, "forgery_scores", everything),
    ):
        yield


@contextlib.contextmanager
def _measured() -> Iterator[Cost]:
    """The cost of what happens inside, known at its end."""
    cost = Cost()
    with contextlib.ExitStack() as stack:
        for owner, name in _NETWORKS:
            timed = _timed(getattr(owner, name), cost)
            stack.enter_context(mock.patch.object(owner, name, timed))
        wall, cpu = time.perf_counter(), time.process_time()
        yield cost
        cost.wall_s, cost.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def _timed(function: Callable[..., Any], cost: Cost) -> Callable[..., Any]:
    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        if cost.inside:
            return function(*args, **kwargs)
        cost.inside, start = True, time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            cost.inside = False
            cost.networks_s += time.process_time() - start

    return timed
