"""Detectors that lie in folders, shipped and fitted by the user alike: one layout, one table.

    <folder>/<name>/detector.json       what it is: `kind`, `inputs`, `licence`, `trained_on` …
    <folder>/<name>/model.safetensors   its weights
    <folder>/<name>/calibration.json    how its logits read, when it was calibrated
    <folder>/<name>/CARD.md             data, recipe, figures, limits

`tools.detectors.kinds` reads them.
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
    }
)
"""What a folder may say that it holds; `tools.detectors.kinds` has what reads each."""
DESCRIPTION_FILE, WEIGHTS_FILE = "detector.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class DetectorDescription:
    """What `detector.json` says.

    `needs` is what the detector looks at, `query` whether it may be told who is looked for,
    `encoder_sha256` the encoder it works with (None: it has a network of its own), `settings`
    what its kind wants to know besides.
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
        """Write it into the detector's folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        fields = {name: getattr(self, name) for name in self.__slots__}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(fields, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "DetectorDescription":
        """Read it; raises SetupError when it is damaged or of an unknown kind."""
        path = folder / DESCRIPTION_FILE
        try:
            said = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SetupError(f"{path} cannot be read: {error}; {MEND}") from error
        if problem := _problem(said):
            raise SetupError(f"{path} {problem}; {MEND}")
        return cls(**said)


MEND = "fit the detector again (`unmask fit`), or take its folder away"


def _problem(said: object) -> str:
    """What is wrong with the content of a `detector.json`; nothing where all is well."""
    if not isinstance(said, dict):
        return "holds no JSON object"
    known = {it.name: it for it in fields(DetectorDescription)}
    needed = [name for name, it in known.items() if it.default is MISSING]
    if lacking := [name for name in needed if name not in said]:
        return f"lacks {_listed(lacking)}"
    if strange := [name for name in said if name not in known]:
        return f"says {_listed(strange)}, which Unmask does not know"
    if wrong := [name for name in needed if not isinstance(said[name], str)]:
        return f"holds no text as {_listed(wrong)}"
    if said["kind"] not in DETECTOR_KINDS:
        return f"is of kind {said['kind']!r}; known are {sorted(DETECTOR_KINDS)}"
    if said["inputs"] not in get_args(InputKind):
        return f"has inputs {said['inputs']!r}; known are {_listed(get_args(InputKind))}"
    if not isinstance(said.get("encoder_sha256") or "", str):
        return "holds no text as 'encoder_sha256'"
    if not isinstance(said.get("settings") or {}, dict):
        return "holds no JSON object as 'settings'"
    return ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


@dataclass(frozen=True, slots=True, eq=False)
class StoredDetector:
    """A detector that lies in `folder`, read when it is asked for."""

    folder: Path
    about: DetectorDescription

    @property
    def title(self) -> str:
        """`<inputs>/<name>`."""
        return f"{self.about.inputs}/{self.about.name}"

    @property
    def sha256(self) -> str:
        """What names its checkpoint: description and weights."""
        return combined_sha256([self.folder / DESCRIPTION_FILE, self.folder / WEIGHTS_FILE])

    @property
    def calibration(self) -> Calibration | None:
        """How its logits read; None when it was never calibrated."""
        path = self.folder / CALIBRATION_FILE
        return Calibration.load(path) if path.is_file() else None

    def tensors(self) -> "dict[str, torch.Tensor]":
        """Its weights as float32; raises SetupError when they are missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / WEIGHTS_FILE
        if not path.is_file():
            raise SetupError(f"{path} is missing; see `unmask models verify`")
        try:
            found = load_file(path)
        except SafetensorError as error:
            raise SetupError(f"{path} is damaged: {error}") from error
        # Matrices are kept in half precision on disk.
        return {name: it.float() if it.is_floating_point() else it for name, it in found.items()}


_TRAININGS = {
    "repdfd_query": "tools.training.detectors.train repdfd_query",
    "classifier": "tools.training.detectors.classifier",
    "patches": "tools.training.encoder.patch_head",
}
"""What trains the kinds that `unmask fit` does not take."""


def training_command(kind: str) -> str:
    """The command that trains a kind, for messages."""
    training = _TRAININGS.get(kind)
    return f"`unmask fit {kind} …`" if training is None else f"`python -m {training} …`"


def find_stored_detectors(
    folders: Sequence[Path], *, left_out: Callable[[Path, SetupError], None] | None = None
) -> Iterator[StoredDetector]:
    """The detectors in these folders, by name; of two with one title the first is taken.

    A folder whose description is damaged is told to `left_out` with the reason, and so is one
    whose title is taken; without it the first raises SetupError, the second is passed over.
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
            taken = f"{found.folder} is called {found.title!r}, as {first} is"
            left_out(found.folder, SetupError(f"{taken}: fit it again under another --name"))
