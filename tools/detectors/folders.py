"""Detector folders, shipped or fitted by the user: file layout, description and discovery.

    <folder>/<name>/detector.json       description: `kind`, `inputs`, `licence`, `trained_on` …
    <folder>/<name>/model.safetensors   weights
    <folder>/<name>/calibration.json    logits to probabilities, if calibrated
    <folder>/<name>/CARD.md             data, recipe, metrics, limits

`tools.detectors.kinds` loads them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tools.detectors.calibration import CALIBRATION_FILE, Calibration
from tools.detectors.protocol import InputKind
from tools.errors import SetupError
from tools.media.hashing import combined_sha256

if TYPE_CHECKING:
    import torch

DETECTORS_FOLDER = "detectors"
DETECTOR_KINDS = frozenset(
    {
        "unifd_linear",
        "unifd_neighbours",
        "coop",
        "clip_adapter",
        "linear_probe",
        "gend",
        "repdfd",
        "repdfd_query",
        "classifier",
        "sbi",
        "caddm",
        "sbi_caddm",
        "patches",
        "tower_head",
    }
)
"""Valid `kind` values; `tools.detectors.kinds` has the loader of each."""
TOWER_KINDS = frozenset({"tower_head"})
"""Kinds that read the pretrained CLIP tower of `unmask setup`."""
DESCRIPTION_FILE, WEIGHTS_FILE = "detector.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class DetectorDescription:
    """The content of `detector.json`.

    `needs` is the detector's input, `query` whether it can take the query person's identity,
    `encoder_sha256` the encoder it works with (None: its own network), `settings` further
    parameters of its kind.
    """

    kind: str
    name: str
    inputs: InputKind
    needs: str
    licence: str
    trained_on: str
    query: bool = False
    encoder_sha256: str | None = None
    settings: Mapping[str, Any] | None = None

    def save(self, folder: Path) -> None:
        """Write it to the detector's folder, creating the folder if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        fields = {name: getattr(self, name) for name in self.__slots__}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(fields, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "DetectorDescription":
        """Read it; raises SetupError if it is damaged or of an unknown kind."""
        path = folder / DESCRIPTION_FILE
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SetupError(f"{path} cannot be read: {error}; {MEND}") from error
        if problem := _problem(content):
            raise SetupError(f"{path} {problem}; {MEND}")
        return cls(**content)


MEND = "fit the detector again (`unmask fit`), or remove its folder"


def _problem(content: object) -> str:
    """What is wrong with the content of a `detector.json`; empty if it is valid."""
    if not isinstance(content, dict):
        return "is not a JSON object"
    known = {it.name: it for it in fields(DetectorDescription)}
    needed = [name for name, it in known.items() if it.default is MISSING]
    if lacking := [name for name in needed if name not in content]:
        return f"lacks {_listed(lacking)}"
    if strange := [name for name in content if name not in known]:
        return f"has unknown fields: {_listed(strange)}"
    if wrong := [name for name in needed if not isinstance(content[name], str)]:
        return f"must have text in {_listed(wrong)}"
    if content["kind"] not in DETECTOR_KINDS:
        return f"has kind {content['kind']!r}; known are {sorted(DETECTOR_KINDS)}"
    if content["inputs"] not in get_args(InputKind):
        return f"has inputs {content['inputs']!r}; known are {_listed(get_args(InputKind))}"
    if not isinstance(content.get("encoder_sha256") or "", str):
        return "must have text in 'encoder_sha256'"
    if not isinstance(content.get("settings") or {}, dict):
        return "must have a JSON object in 'settings'"
    return ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


@dataclass(frozen=True, slots=True, eq=False)
class StoredDetector:
    """A detector in `folder`; its files are read on access."""

    folder: Path
    about: DetectorDescription

    @property
    def title(self) -> str:
        """`<inputs>/<name>`."""
        return f"{self.about.inputs}/{self.about.name}"

    @property
    def sha256(self) -> str:
        """Identifies its checkpoint: description and weights."""
        return combined_sha256([self.folder / DESCRIPTION_FILE, self.folder / WEIGHTS_FILE])

    @property
    def calibration(self) -> Calibration | None:
        """Its calibration; None if it was never calibrated."""
        path = self.folder / CALIBRATION_FILE
        return Calibration.load(path) if path.is_file() else None

    def tensors(self) -> "dict[str, torch.Tensor]":
        """Its weights as float32; raises SetupError if they are missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / WEIGHTS_FILE
        if not path.is_file():
            raise SetupError(f"{path} is missing; see `unmask models verify`")
        try:
            found = load_file(path)
        except SafetensorError as error:
            raise SetupError(f"{path} is damaged: {error}") from error
        # Matrices are stored in half precision.
        return {name: it.float() if it.is_floating_point() else it for name, it in found.items()}


_TRAININGS = {
    "repdfd_query": "tools.training.detectors.train repdfd_query",
    "classifier": "tools.training.detectors.classifier",
    "patches": "tools.training.encoder.patch_head",
    "tower_head": "tools.training.tower.heads",
}
"""Training modules of the kinds that `unmask fit` does not support."""


def training_command(kind: str) -> str:
    """The command that trains a kind, for error messages."""
    training = _TRAININGS.get(kind)
    return f"`unmask fit {kind} …`" if training is None else f"`python -m {training} …`"


def find_stored_detectors(
    folders: Sequence[Path], *, left_out: Callable[[Path, SetupError], None] | None = None
) -> Iterator[StoredDetector]:
    """The detectors in these folders, by name; of two with the same title the first is used.

    `left_out` is called with each skipped folder and the reason: a damaged description, or a title
    already in use. Without it, a damaged description raises SetupError and a duplicate is skipped
    silently.
    """
    seen: dict[str, Path] = {}
    for path in (
        path for folder in folders for path in sorted(folder.glob(f"*/{DESCRIPTION_FILE}"))
    ):
        try:
            found = StoredDetector(path.parent, DetectorDescription.load(path.parent))
        except SetupError as error:
            if left_out is None:
                raise
            left_out(path.parent, error)
            continue
        first = seen.setdefault(found.title, found.folder)
        if first is found.folder:
            yield found
        elif left_out is not None:
            taken = f"{found.folder} has the same name {found.title!r} as {first}"
            left_out(found.folder, SetupError(f"{taken}: fit it again under another --name"))
