"""Catalogue of all known detectors, installed or not, with the measured metrics of installed ones.

A row gives what a user must know before trusting a score: input, licence and training data. Metrics
are stored beside the weights, each with the checkpoint it was measured on: another checkpoint has
none until it is measured.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from tools.checkpoints.table import PUBLIC_HEAD, WEIGHTS_DIR, Profile
from tools.detectors.calibration import Calibration
from tools.detectors.clip_heads.head_files import head_header
from tools.detectors.folders import (
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    DetectorDescription,
    StoredDetector,
    training_command,
)
from tools.detectors.protocol import InputKind
from tools.errors import SetupError

RequiredInput = Literal["features", "pixels"]
METRICS_FILE = "FIGURES.json"
GROUPS_FILE = "GROUPS.json"
"""Error rates by group of people; `dataset` is <data set>/<kind of group>/<group>."""
GROUPS_PREFIX = "error rates by group: "
"""How a remark begins that says that these differ."""

ACCUSED_FILE = "ACCUSED.json"
"""How many authentic photos of the searched person the verdict calls an impersonation; its
checkpoint is that of all parts that judge (`judged_by`), empty if the run did not note it."""


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A known detector, called `<inputs>/<name>`.

    With a `profile` it uses that profile's encoder; its head is `file` (None for prompts) and its
    licence is in the table of checkpoints. Without a profile, `get` says how to install it.
    `query`: it can also take the query person's identity.
    """

    name: str
    inputs: InputKind
    needs: RequiredInput
    trained_on: str
    preprocessing: str = "resize"
    profile: Profile | None = None
    file: str | None = None
    licence: str = ""
    get: str = ""
    query: bool = False

    @property
    def title(self) -> str:
        """Its name in evaluations."""
        return f"{self.inputs}/{self.name}"


_FACES = "8,000 pairs: our forge's forgeries of LFW's training people, DFDC's training videos"
_IMAGES = "4,000 pairs: our forge's forgeries of LFW's training people"
_PROGAN = "ProGAN's pictures of 20 things against LSUN, as published"
_CAPTIONS = "captions that our forge knows to be true, beside the encoder's pictures"
_CLIP = "nothing; CLIP's texts were learnt from captions of the web"

FEATURE_HEAD_ENTRIES = (
    CatalogueEntry(
        "unifd_linear", "face", "features", _FACES, profile="pocket", file="face_linear.safetensors"
    ),
    CatalogueEntry(
        "unifd_neighbours",
        "face",
        "features",
        f"bank of 4,000 from {_FACES}",
        profile="pocket",
        file="face_bank.safetensors",
    ),
    CatalogueEntry(
        "unifd_linear",
        "image",
        "features",
        _IMAGES,
        profile="pocket",
        file="image_linear.safetensors",
    ),
    CatalogueEntry(
        "unifd_neighbours",
        "image",
        "features",
        f"bank of 4,000 from {_IMAGES}",
        profile="pocket",
        file="image_bank.safetensors",
    ),
    CatalogueEntry("unifd_linear", "face", "features", _PROGAN, profile="full", file=PUBLIC_HEAD),
    CatalogueEntry("unifd_linear", "image", "features", _PROGAN, profile="full", file=PUBLIC_HEAD),
)
"""Heads on the profile's encoder features; those of the active profile make the verdict."""

ZERO_SHOT_ENTRIES = (
    CatalogueEntry("prompts", "face", "features", _CAPTIONS, profile="pocket"),
    CatalogueEntry("prompts", "image", "features", _CAPTIONS, profile="pocket"),
    CatalogueEntry("prompts", "face", "features", _CLIP, profile="full"),
    CatalogueEntry("prompts", "image", "features", _CLIP, profile="full"),
)
"""Zero-shot: text prompts work with any encoder."""

_GENERATORS = "pictures of about 4,800 generators against photographs, as published"
_UNTRAINED = "no weights are shipped or downloaded: give the file to its `load` in Python"

PUBLISHED_ENTRIES = (
    CatalogueEntry("gend", "face", "pixels", "FaceForensics++ c23, as published",
          "GenD's own alignment; CLIP's resize", licence="MIT",
          get="a folder of yermandy/GenD_CLIP_L_14 for `Gend.load` in Python"),
    CatalogueEntry("repdfd", "face", "pixels", "FaceForensics++ c23, as published",
          "picture shrunk to 0.7 within a learnt border", licence="MIT",
          get=_UNTRAINED, query=True),
    CatalogueEntry("coop", "face", "features", _PROGAN, licence="MIT", get=_UNTRAINED),
    CatalogueEntry("clip_adapter", "face", "features", _PROGAN, licence="MIT", get=_UNTRAINED),
    CatalogueEntry("linear_probe", "face", "features", _PROGAN, licence="MIT", get=_UNTRAINED),
    CatalogueEntry("Deep-Fake-Detector-Model", "face", "pixels", "not documented by its author",
          "its own image processor", licence="Apache-2.0",
          get="put prithivMLmods/Deep-Fake-Detector-Model below {classifiers}/face"),
    *(
        CatalogueEntry(name, "image", "pixels", _GENERATORS, "its authors' own", licence="MIT",
              get=f"put OwensLab/{name} (config.json, model.safetensors, and README.md, its model "
              "card) below {classifiers}/image")
        for name in ("commfor-model-384", "commfor-model-224")
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """One measured value with its 95 % interval; valid for the `checkpoint` with this sha256.

    `note` says how similar the data set is to the detector's training data.
    """

    detector: str
    checkpoint: str
    dataset: str
    note: str
    figure: str
    value: float
    interval: tuple[float, float]
    authentic: int
    forged: int
    command: str
    date: str


@dataclass(frozen=True, slots=True)
class InstalledDetector:
    """A detector folder as listed; `problem` says why it cannot be used (empty if it can).

    `calibration` and `figures` belong to the weights in the folder, never to others.
    """

    folder: Path
    known: CatalogueEntry
    sha256: str | None = None
    calibration: Calibration | None = None
    figures: tuple[MetricRecord, ...] = ()
    problem: str = ""


_TO_FIT = (
    ("sbi", "face", "photographs blended with themselves"),
    ("caddm", "face", "windows and whole faces swapped between a forgery and its photograph"),
    ("efficientnet", "image", "pictures of yours, a folder a class"),
    ("resnet50", "image", "pictures of yours, a folder a class"),
    ("vit", "image", "pictures of yours, a folder a class"),
    ("small_cnn", "image", "pictures of yours, a folder a class"),
)

FITTED_ENTRIES = tuple(
    CatalogueEntry(name, cast("InputKind", inputs), "pixels", trained_on, "its own network's",
          licence="that of your pictures", get=f"unmask fit {name} --real DIR")
    for name, inputs, trained_on in _TO_FIT
)  # fmt: skip
"""Detector kinds without shipped weights: users fit them to their own images."""

VLM_ENTRY = CatalogueEntry(
    "vlm", "face", "pixels", "what its makers taught the chat model; ours never learnt to look",
    "aligned face crop, beside a question", licence="the chat model's, see `unmask models list`",
    get="unmask find PHOTO --opinion asks it",
)  # fmt: skip
"""The chat model's own yes or no, from token probabilities; it is not part of any verdict."""


def installed_detectors(
    folders: Sequence[Path], *, encoders: Mapping[str, Profile], embedder_sha256: str = ""
) -> Iterator[InstalledDetector]:
    """The detectors in these folders, usable or not; of two with the same title, the first.

    `encoders` maps the sha256 of each installed encoder to its profile; `embedder_sha256` is the
    face embedder in use, if known. No weights are loaded.
    """
    seen: set[str] = set()
    for path in (
        path for folder in folders for path in sorted(folder.glob(f"*/{DESCRIPTION_FILE}"))
    ):
        found = _listed(path.parent, encoders, embedder_sha256)
        if found.known.title not in seen:
            seen.add(found.known.title)
            yield found


def _listed(
    folder: Path, encoders: Mapping[str, Profile], embedder_sha256: str
) -> InstalledDetector:
    try:
        about = DetectorDescription.load(folder)
        one = StoredDetector(folder, about)
        if not (folder / WEIGHTS_FILE).is_file():
            raise SetupError(f"{folder / WEIGHTS_FILE} is missing; see `unmask models verify`")
        calibration, figures = one.calibration, read_metrics(folder)
        learnt_with = head_header(folder / WEIGHTS_FILE).get("embedder_sha256", "")
    except SetupError as error:
        unread = CatalogueEntry(folder.name, "face", "pixels", "not read", "not read")
        return InstalledDetector(folder, unread, problem=str(error))
    ours = one.title, one.sha256
    if calibration is not None and (calibration.detector, calibration.checkpoint) != ours:
        calibration = None
    figures = tuple(it for it in figures if (it.detector, it.checkpoint) == ours)
    known, problem = _known(about, encoders, calibration), ""
    if about.encoder_sha256 not in (None, *encoders):
        problem = (
            "it works with an encoder that is not here: "
            f"train it again ({training_command(about.kind)})"
        )
    elif embedder_sha256 and learnt_with not in ("", embedder_sha256):
        problem = (
            "it works with another face embedder than the one in use: "
            f"train it again ({training_command(about.kind)})"
        )
    return InstalledDetector(folder, known, one.sha256, calibration, figures, problem)


def _known(
    about: DetectorDescription, encoders: Mapping[str, Profile], calibration: Calibration | None
) -> CatalogueEntry:
    # A detector with its own network describes its preprocessing only once it is loaded; a
    # calibration fitted on its scores has a copy of that description.
    fitted = "see its card" if calibration is None else calibration.preprocessing
    prepared = (about.settings or {}).get("preprocessing", fitted)
    return CatalogueEntry(
        about.name, about.inputs, cast("RequiredInput", about.needs), about.trained_on,
        str(prepared), encoders.get(about.encoder_sha256 or ""), licence=about.licence,
        query=about.query,
    )  # fmt: skip


def group_differences(metrics: Sequence[MetricRecord]) -> list[str]:
    """A sentence for each error rate by which two groups of a kind differ beyond doubt.

    Two groups differ if their intervals do not touch; the sentence names the two farthest apart.
    """
    kinds: dict[tuple[str, str, str], list[MetricRecord]] = {}
    for it in metrics:
        data, kind, _ = it.dataset.split("/")
        kinds.setdefault((it.figure, kind, data), []).append(it)
    said = []
    for (figure, kind, data), rows in kinds.items():
        more = max(rows, key=lambda it: it.interval[0])
        less = min(rows, key=lambda it: it.interval[1])
        if more.interval[0] > less.interval[1]:
            said.append(f"{figure} differ by {kind}: {_rate(more)}, {_rate(less)} ({data})")
    return said


def _rate(of: MetricRecord) -> str:
    low, high = of.interval
    group = of.dataset.rpartition("/")[2].replace("_", " ")
    return f"{group}: {100 * of.value:.2g} % ({100 * low:.2g} to {100 * high:.2g} %)"


def read_metrics(folder: Path, name: str = METRICS_FILE) -> tuple[MetricRecord, ...]:
    """Read the metrics measured for the weights in a folder; empty if there is no such file.

    Raises SetupError if the file is damaged.
    """
    path = folder / name
    if not path.is_file():
        return ()
    try:
        rows = json.loads(path.read_text("utf-8"))
        return tuple(MetricRecord(**{**row, "interval": tuple(row["interval"])}) for row in rows)
    except (ValueError, TypeError, KeyError) as error:
        raise SetupError(f"{path} is damaged: {error}; install Unmask again") from error


def false_accusations(judged_by: str) -> tuple[MetricRecord | None, bool]:
    """The latest record in `ACCUSED_FILE`, None without any, and whether it is of these weights."""
    rows = read_metrics(WEIGHTS_DIR / "heads", ACCUSED_FILE)
    ours = [row for row in rows if judged_by and row.checkpoint == judged_by]
    found = ours or list(rows)
    return (found[-1] if found else None), bool(ours)
