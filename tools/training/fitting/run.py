"""Fit a detector to a user's own pictures: train, calibrate and test on different persons.

    from tools.training.fitting.run import FitModels, fit_detector

    engines = FitModels(encoder, faces, faces_sha256)
    fit_detector("unifd_linear", Path("photos"), out=Path("detectors/mine"), engines=engines)

Authentic photographs are enough: forgeries are made from them (`tools.forge.forgery`). Persons are
split first into training, early stopping, calibration and a test part that is used once. An
interrupted job resumes when the same request is repeated.
"""

import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from tools.detectors.calibration import CALIBRATION_FILE, Calibration, fit_calibration
from tools.detectors.folders import DetectorDescription, StoredDetector
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import AnyDetector, DetectorScores, InputKind
from tools.detectors.scoring import run_detector
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.faces.analyser import FaceAnalyser
from tools.training.data.forgery_pool import HELD_OUT_FAMILY
from tools.training.fitting.card import TrainingDataSummary, caveats, write_card, write_metrics
from tools.training.fitting.data.crops import WorkingImageReader
from tools.training.fitting.data.dataset import PersonDataset, scan_folders
from tools.training.fitting.data.detector_inputs import SplitInputs
from tools.training.fitting.data.faces import FolderScanner, SkippedFile
from tools.training.fitting.data.pairs import (
    FACE_FAMILIES,
    IMAGE_FAMILIES,
    EvaluationSample,
    FolderPairs,
    ForgedPairs,
    MatchedPairs,
    match_originals,
)
from tools.training.fitting.data.splits import SPLITS, Split
from tools.training.fitting.figures import EvaluationMetrics, compute_metrics
from tools.training.fitting.job import FitJob, lines_sha256
from tools.training.fitting.request import authentic_folder_name, check_request
from tools.training.fitting.trainers import TrainerEntry
from tools.training.fitting.training_context import FitOptions, TrainingContext, TrainingSummary

LICENCE = "depends on the training pictures and the encoder; see the card"
MAX_ROUNDS = 8
"""Maximum number of forgeries per photograph and epoch."""
MIN_FORGERIES = 20
"""Minimum number of forgeries made for calibration and test; an eighth of the pairs of an epoch if
that is more."""

Progress = Callable[[str, float, str], None]
"""Called with the current step, its completed share, and a short note."""


@dataclass(frozen=True, slots=True, eq=False)
class FitModels:
    """Face finder and feature encoders; `faces_sha256` identifies the face checkpoint."""

    encoder: Encoder
    faces: FaceAnalyser
    faces_sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class FittedDetector:
    """The detector in `folder`, its calibration, and its figures on unseen persons.

    `calibration` is None if forgeries scored no higher than authentic pictures.
    """

    folder: Path
    kind: str
    about: DetectorDescription
    told: TrainingDataSummary
    figures: EvaluationMetrics
    calibration: Calibration | None
    learnt: TrainingSummary
    skipped: tuple[SkippedFile, ...]
    remarks: tuple[str, ...]
    resumed: bool
    seconds: float

    @property
    def title(self) -> str:
        """`<inputs>/<name>`."""
        return f"{self.about.inputs}/{self.about.name}"


def fit_detector(
    kind: str,
    real: Path,
    fake: Path | None = None,
    *,
    out: Path,
    engines: FitModels,
    inputs: InputKind | None = None,
    options: FitOptions | None = None,
    force: bool = False,
    progress: Progress = lambda what, share, said: None,
) -> FittedDetector:
    """Fit one of `TRAINERS` into the folder `out`, whose name becomes the detector's.

    With `fake` None, forgeries are made from the authentic photographs. Raises SetupError if the
    request cannot be met: too few persons, missing folders, options the kind does not support.
    """
    began, options = time.monotonic(), options or FitOptions()
    trainer = check_request(kind, real, fake, inputs=inputs, options=options)
    inputs = inputs or trainer.inputs[0]
    cv2.setNumThreads(options.threads)
    asked = {
        "kind": kind, "inputs": inputs, "options": asdict(options), "real": str(real.absolute()),
        "fake": None if fake is None else str(fake.absolute()),
        "encoder": engines.encoder.sha256, "faces": engines.faces_sha256,
    }  # fmt: skip
    job = FitJob.create_or_resume(out, asked, force=force)
    whole = inputs == "image"
    faces = FolderScanner(
        engines.faces, job.work / "faces.jsonl", whole=whole, faceless=whole and fake is not None
    )
    people = scan_folders(
        faces, real, fake, seed=options.seed, progress=partial(_counted, progress)
    )
    crop_px = max(trainer.crop_px, engines.encoder.image_size)
    bench = _Bench(
        kind, out.name, inputs, engines, options, job, people,
        WorkingImageReader(job.work / "copies", crop_px, whole), fake is None, progress,
    )  # fmt: skip
    told = bench.told(
        authentic_folder_name(real, fake), None if fake is None else fake.absolute().name
    )
    learnt = bench.learn(trainer, told)
    shelved = StoredDetector(job.made, DetectorDescription.load(job.made))
    detector = load_detector(shelved, engines.encoder)
    calibration = bench.calibrate(detector, told)
    figures = bench.test(detector, calibration, learnt)
    said = caveats(told, calibration, figures)
    write_card(
        job.made, shelved.about, told, learnt=learnt, calibration=calibration, figures=figures,
        said=said,
    )  # fmt: skip
    write_metrics(job.made, shelved, told, figures)
    job.complete()
    return FittedDetector(
        out, kind, shelved.about, told, figures, calibration, learnt, people.skipped, said,
        job.resumed, time.monotonic() - began,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """State and steps of one job."""

    kind: str
    name: str
    inputs: InputKind
    engines: FitModels
    options: FitOptions
    job: FitJob
    people: PersonDataset
    looks: WorkingImageReader
    forges: bool
    progress: Progress

    def source(self, part: Split) -> FolderPairs:
        """The pairs of a part; the test part also gets forgeries of the families in `apart`."""
        members, wanted = self.people.of(part), self._wanted(part)
        if self.forges:
            families = IMAGE_FAMILIES if self.looks.whole else FACE_FAMILIES
            families = (*families, *self.apart) if part == "test" else families
            return ForgedPairs(members, self.looks, families, _rounds(len(members), wanted))
        pairs = match_originals(members, seed=self.options.seed)
        return MatchedPairs(pairs, self.looks, _rounds(len(pairs), wanted))

    @property
    def apart(self) -> tuple[str, ...]:
        """Forgery families used in the test part only."""
        return (HELD_OUT_FAMILY,) if self.forges else ()

    def _wanted(self, part: Split) -> int:
        """Pairs per epoch: the early-stopping part has a sixth of the training part's."""
        return self.options.pairs if part == "learn" else self.options.pairs // 6

    def told(self, real: str, fake: str | None) -> TrainingDataSummary:
        """Summary of the training data, for cards and messages."""
        members = self.people.members
        return TrainingDataSummary(
            real, fake,
            authentic=sum(not it.picture.forged for it in members),
            forged=sum(it.picture.forged for it in members),
            persons={part: self.people.persons(part) for part in SPLITS},
            apart=self.people.apart,
            unattributed=self.people.unattributed,
            skipped=len(self.people.skipped),
            formats=tuple(
                sorted({it.picture.format for it in members if it.picture.forged is forged})
                for forged in (False, True)
            ),
            face_px=tuple(self._face_px(forged=forged) for forged in (False, True)),
            families=self.source("learn").families,
            pictures_sha256=self.digest,
            command=self._command(real, fake),
        )  # fmt: skip

    def _face_px(self, *, forged: bool) -> float | None:
        """The median face width in px."""
        boxes = [it.picture.box for it in self.people.members if it.picture.forged is forged]
        widths = [float(box[2] - box[0]) for box in boxes if box is not None]
        return round(float(np.median(widths)), 1) if widths else None

    def _command(self, real: str, fake: str | None) -> str:
        told: dict[str, object] = {
            "real": real, "fake": fake, "inputs": self.inputs, "epochs": self.options.epochs,
            "minutes": self.options.minutes, "seed": self.options.seed,
        }  # fmt: skip
        words = ["unmask", "fit", self.kind]
        for name, value in told.items():
            words += [] if value is None else [f"--{name}", str(value)]
        return shlex.join(words)

    @property
    def digest(self) -> str:
        """One sha256 of the pictures, their labels and their parts."""
        return lines_sha256([
            f"{part} {it.picture.forged} {it.picture.id}"
            for part in SPLITS
            for it in self.people.of(part)
        ])  # fmt: skip

    def learn(self, trainer: TrainerEntry, told: TrainingDataSummary) -> TrainingSummary:
        """Run the kind's trainer, which writes weights and description."""
        self.job.made.mkdir(exist_ok=True)
        about = partial(
            DetectorDescription,
            kind=self.kind,
            name=self.name,
            inputs=self.inputs,
            needs=trainer.needs,
            licence=LICENCE,
            trained_on=told.text,
        )

        def progressed(share: float, found: object) -> None:
            words = found.items() if isinstance(found, dict) else ()
            said = ", ".join(f"{name} {value:.3g}" for name, value in words)
            self.progress("learning", share, said)

        lesson = TrainingContext(
            self.kind, self.source("learn"), self.source("stop"), self.looks.whole,
            self.engines.encoder, self.engines.faces, self.engines.faces_sha256, self.options,
            self.job.training_folder(self.digest), self.job.made, about, progressed,
        )  # fmt: skip
        learnt = trainer.fit(lesson)
        return replace(learnt, families=lesson.families) if learnt.families is None else learnt

    def calibrate(self, detector: AnyDetector, told: TrainingDataSummary) -> Calibration | None:
        """Calibrate on persons excluded from training; writes the calibration beside the weights.

        Returns None and writes nothing if the probability would fall as the score rises.
        """
        scored, cases = self._scored(detector, "calibrate", "calibrating")
        try:
            found = fit_calibration(
                detector, scored.logits, np.array([case.forged for case in cases], bool),
                persons=[case.member.person for case in cases],
                fitted_on={
                    "data": told.text, "persons": told.persons["calibrate"],
                    "pictures_sha256": told.pictures_sha256, "prior_odds": "1:1",
                },
            )  # fmt: skip
        except ValueError as error:
            raise SetupError(f"cannot calibrate on the calibration persons: {error}") from error
        (self.job.made / CALIBRATION_FILE).unlink(missing_ok=True)
        if not found.is_increasing:
            return None
        found.save(self.job.made / CALIBRATION_FILE)
        return found

    def test(
        self, detector: AnyDetector, calibration: Calibration | None, learnt: TrainingSummary
    ) -> EvaluationMetrics:
        """Figures on persons not used in any earlier step."""
        scored, cases = self._scored(detector, "test", "testing", calibration=calibration)
        return compute_metrics(
            scored, None if calibration is None else calibration.band,
            families=[case.family for case in cases],
            persons=[case.member.person for case in cases], learnt=learnt.families or (),
            apart=self.apart, seed=self.options.seed,
        )  # fmt: skip

    def _scored(
        self, detector: AnyDetector, part: Split, what: str, *,
        calibration: Calibration | None = None,
    ) -> tuple[DetectorScores, list[EvaluationSample]]:  # fmt: skip
        source = self.source(part)
        cases = source.evaluation_samples(forgeries=max(MIN_FORGERIES, self.options.pairs // 8))
        views = SplitInputs(
            source, cases, encoder=self.engines.encoder, faces=self.engines.faces,
            seed=self.options.seed, progress=partial(_counted, self.progress, what),
        )  # fmt: skip
        return run_detector(detector, views, calibration=calibration), cases


def _rounds(count: int, wanted: int) -> int:
    return max(1, min(MAX_ROUNDS, -(-wanted // max(count, 1))))


def _counted(progress: Progress, what: str, done: int, total: int) -> None:
    progress(what, done / max(total, 1), f"{done:,} of {total:,}")
