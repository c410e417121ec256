"""Train the detectors that build on the pocket encoder.

    python -m tools.training.detectors.train KIND POOL --out FOLDER --minutes 8

KIND is gend (the tower's normalisation), repdfd or repdfd_query (a border, with the candidate's or
the query's identity in the prompt), coop, clip_adapter or linear_probe (on features). POOL holds
pairs of `tools.training.data.forgery_pool`: `lfw/` and `dfdc/train/` are for training, `dfdc/val/`
only for evaluation. FOLDER gets the weights, detector.json and CARD.md. An interrupted training
resumes when it is started again; its checkpoints are in `--work`.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import torch

from tools.checkpoints.table import POCKET_LICENSE
from tools.detectors.folders import WEIGHTS_FILE, DetectorDescription, StoredDetector
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import IdentityRole
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.faces.analyser import FaceAnalyser
from tools.media.hashing import combined_sha256
from tools.training.data.forgery_batches import Pool
from tools.training.data.pairs import ConcatPairs, PairSource, PoolPairs
from tools.training.detectors import prompt_tuning
from tools.training.detectors.card import measured, write_card
from tools.training.detectors.norm_tuning import NormTuning
from tools.training.detectors.pool_features import features_of
from tools.training.detectors.prompt_learners import Kind
from tools.training.detectors.repdfd import PairsWithIdentities, Reprogramming
from tools.training.loops.detector_training import NetworkTraining, TrainingOptions

NETWORKS = ("gend", "repdfd", "repdfd_query")
PROMPT_TUNING_KINDS = get_args(Kind)
PAIRS_PER_BATCH = {"gend": 16, "repdfd": 8, "repdfd_query": 8}
"""Batch size. A border is a single picture: many steps are better than large ones."""
JUDGED = 150
"""Held-out pairs, evaluated ten times per training: evaluation takes time too."""


@dataclass(frozen=True, slots=True, eq=False)
class TuningContext:
    """Shared state of a training; `parts` of the pool by name, `work` for checkpoints."""

    kind: str
    parts: Mapping[str, PairSource]
    encoder: Encoder
    faces: FaceAnalyser
    faces_sha256: str
    work: Path

    @property
    def learnt(self) -> ConcatPairs:
        """All training pairs."""
        return ConcatPairs([part for name, part in self.parts.items() if name in ("lfw", "dfdc")])

    def known(self, source: PairSource) -> PairSource:
        """Adds identities if the kind needs them."""
        if not self.kind.startswith("repdfd"):
            return source
        return PairsWithIdentities(source, self.faces.embed, self.whose)

    @property
    def whose(self) -> IdentityRole:
        """Whose identity is in RepDFD's prompt."""
        return "query" if self.kind == "repdfd_query" else "candidate"


@dataclass(frozen=True, slots=True, eq=False)
class TunedWeights:
    """Weights writer, recipe and figures for the card, and the held-out persons."""

    save: Callable[[Path], None]
    preprocessing: str
    recipe: Mapping[str, Any]
    figures: Mapping[str, float]
    pairs: int
    held_out: frozenset[str]


def learn_network(bench: TuningContext, options: TrainingOptions) -> TunedWeights:
    """Train one of `NETWORKS` until time is up or the held-out AUC no longer rises."""
    source = bench.known(bench.learnt)
    learner = _learner(bench, options)
    run = NetworkTraining(learner, source, options, folder=bench.work, name=bench.kind)
    outcome = run.train(_told)
    save: Callable[[Path], None]
    if isinstance(learner, NormTuning):
        tuned = learner.detector(bench.encoder)
        preprocessing = tuned.preprocessing
        save = partial(tuned.save, encoder_sha256=bench.encoder.sha256)
    else:
        bordered = learner.detector()
        preprocessing = bordered.preprocessing
        save = partial(bordered.save, embedder_sha256=bench.faces_sha256)
    rates = {f"rate {at}": group["lr"] for at, group in enumerate(learner.groups(options), 1)}
    held = frozenset(source.group(index) for index in outcome.held_out)
    recipe = {**asdict(options), **rates, "steps": run.step}
    return TunedWeights(save, preprocessing, recipe, outcome.figures, len(source), held)


def learn_head(
    bench: TuningContext, kind: Kind, *, counts: Mapping[str, int], features: Path
) -> TunedWeights:
    """Train one of `PROMPT_TUNING_KINDS` on features of `counts` pairs per split, cached in
    `features`."""
    encoder, options = bench.encoder, prompt_tuning.RECIPES[kind]
    drawn = {name: (bench.parts[name], count) for name, count in counts.items()}
    data = features_of(drawn, encoder, folder=features, seed=options.seed)
    fit = prompt_tuning.fit_prompts(
        kind, data, encoder=encoder, options=options, checkpoint=bench.work / "last.pt"
    )
    held = prompt_tuning.held_out(data, share=options.held_out, seed=options.seed)
    figures = {**fit.figures, "held_out_auc": fit.figures["auc"]}
    words = () if kind == "coop" else ("context", "position")
    recipe = {name: value for name, value in asdict(options).items() if name not in words}
    save: Callable[[Path], None] = partial(fit.detector.save, encoder_sha256=encoder.sha256)
    return TunedWeights(
        save, fit.detector.preprocessing, recipe, figures, len(data.forged) // 2,
        frozenset(data.groups[held].tolist()),
    )  # fmt: skip


def write(bench: TuningContext, learnt: TunedWeights, out: Path) -> Mapping[str, float]:
    """Write the detector folder: weights, description, and a card with figures of the saved
    file."""
    out.mkdir(parents=True, exist_ok=True)
    learnt.save(out / WEIGHTS_FILE)
    about = DetectorDescription(
        kind=bench.kind,
        name=bench.kind,
        inputs="face",
        needs="pixels" if bench.kind in NETWORKS else "features",
        licence=POCKET_LICENSE,
        trained_on=f"{learnt.pairs:,} pairs: our forge's forgeries of LFW's training people, "
        "DFDC's training videos",
        query=bench.kind == "repdfd_query",
        encoder_sha256=bench.encoder.sha256,
        settings={"preprocessing": learnt.preprocessing},
    )
    about.save(out)
    detector = load_detector(StoredDetector(out, about), bench.encoder)
    known = {name: bench.known(part) for name, part in bench.parts.items()}
    table = measured(detector, known, encoder=bench.encoder, held_out=learnt.held_out)
    write_card(out, about, recipe=learnt.recipe, figures=learnt.figures, table=table)
    return learnt.figures


def pool_parts(pool: Path) -> dict[str, PairSource]:
    """Parts of a pool folder by name: `lfw`, `dfdc` and, for evaluation, `dfdc val`.

    Raises SetupError if there are no training pairs.
    """
    folders = {"lfw": pool / "lfw", "dfdc": pool / "dfdc" / "train", "dfdc val": pool / "dfdc/val"}
    found: dict[str, PairSource] = {}
    for name, folder in folders.items():
        pairs = PoolPairs(Pool(folder))
        if len(pairs):
            found[name] = pairs
    if not {"lfw", "dfdc"} & set(found):
        raise SetupError(
            f"{pool} holds no pairs: make them with `python -m tools.training.data.forgery_pool`"
        )
    return found


def _learner(bench: TuningContext, options: TrainingOptions) -> NormTuning | Reprogramming:
    if bench.kind == "gend":
        return NormTuning(bench.encoder, seed=options.seed)
    blank = np.zeros((112, 112, 3), np.uint8), np.array(_FRONTAL)
    (embedding,) = bench.faces.embed([blank])
    return Reprogramming.initial(bench.encoder, embedding_size=len(embedding), whose=bench.whose)


_FRONTAL = [[38.0, 52], [74, 52], [56, 72], [42, 92], [71, 92]]
"""Placeholder keypoints: only the embedding's size is needed."""


def _told(done: float, found: Mapping[str, float]) -> None:
    said = ", ".join(f"{name} {value:.4g}" for name, value in found.items() if name != "done")
    print(f"{done:.0%}: {said}", flush=True)


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*NETWORKS, *PROMPT_TUNING_KINDS])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="for checkpoints (default: beside --out)")
    parser.add_argument("--features", type=Path, help="a folder that heads can share")
    parser.add_argument("--minutes", type=float, default=8.0, help="for networks")
    parser.add_argument("--rate", type=float, default=3e-4, help="for networks")
    parser.add_argument("--lfw", type=int, default=4000, help="pairs, for heads")
    parser.add_argument("--dfdc", type=int, default=2500, help="pairs, for heads")
    parser.add_argument("--encoder", type=Path, default=Path("tools/checkpoints/weights/encoder"))
    parser.add_argument("--faces", type=Path, default=Path("tools/checkpoints/weights/faces"))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    work = given.work or given.out.parent / f"run_{given.out.name}"
    bench = TuningContext(
        given.kind, pool_parts(given.pool), Encoder.load(given.encoder, threads=given.threads),
        FaceAnalyser(given.faces, threads=given.threads),
        combined_sha256(sorted(given.faces.glob("*.onnx"))), work,
    )  # fmt: skip
    if given.kind in NETWORKS:
        options = TrainingOptions(
            minutes=given.minutes, epochs=None, pairs=PAIRS_PER_BATCH[given.kind], rate=given.rate,
            judged=JUDGED, patience=10, threads=given.threads,
        )  # fmt: skip
        learnt = learn_network(bench, options)
    else:
        counts = {name: getattr(given, name) for name in ("lfw", "dfdc") if name in bench.parts}
        learnt = learn_head(
            bench, given.kind, counts=counts, features=given.features or work / "features"
        )
    figures = write(bench, learnt, given.out)
    print(f"{given.out}: AUC {figures['held_out_auc']:.3f} on held-out persons")


if __name__ == "__main__":
    main()
