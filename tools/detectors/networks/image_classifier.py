"""Detectors from transformers image classifiers: any `AutoModelForImageClassification`.

The checkpoint's own image processor prepares the images; its own labels determine which classes are
fake (`class_labels`). Nothing is downloaded and no code from the checkpoint runs: only safetensors
files, and architectures built into transformers.

A local checkpoint is found by its folder, or by its id in the hub's cache. `classifier_folders`
defines the folders listed as detectors.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from tools.checkpoints.on_disk import folder_on_disk
from tools.detectors.networks.class_labels import (
    CLASSES_FILE,
    ClassMapping,
    LabelMeaning,
    resolve_classes,
)
from tools.detectors.protocol import InputKind, require_keypoints
from tools.encoder.preprocessing import validate_image
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop
from tools.media.hashing import combined_sha256

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
FACE_SIZE, FACE_MARGIN = 384, 1.3
"""Face crops before a checkpoint's own resize: the largest input of such networks, with GenD's
margin. Most checkpoints do not document the crops they were trained on."""
_LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """A transformers model, its image processor and its device."""

    model: Any
    processor: Any
    device: Any


@dataclass(frozen=True, eq=False)
class ImageClassifier:
    """A classifier in `folder`; `from_checkpoint` finds it and reads its labels, not its weights.

    Does not show: where, nor why. It knows only the generators and sources it was trained on; its
    authors' metrics on such images say little about others. Its probabilities are not calibrated.
    """

    folder: Path
    classes: ClassMapping
    inputs: InputKind
    name: str
    device: str | None = None

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: str | Path,
        *,
        inputs: InputKind,
        classes: Mapping[str, LabelMeaning] | None = None,
        revision: str | None = None,
        device: str | None = None,
    ) -> "ImageClassifier":
        """The classifier in a folder, or of a hub id whose files are in the cache.

        `classes` gives the meaning of labels whose words do not; so does the folder's
        `classes.json`. Raises SetupError if the checkpoint is not found, or its labels do not show
        which class is fake.
        """
        folder = folder_on_disk(checkpoint, revision)
        if folder is None:
            raise SetupError(
                f"no classifier {str(checkpoint)!r} is on this machine: give the folder that holds "
                f"its {CONFIG}, {PROCESSOR} and safetensors; Unmask does not download it"
            )
        config = read_json(folder / CONFIG)
        if "model_type" not in config and "pretrained_cfg" not in config:
            raise SetupError(
                f"{folder / CONFIG} has no 'model_type': it is not a transformers classifier"
            )
        if config.get("problem_type") == "multi_label_classification":
            raise SetupError(f"{folder} is a multi-label classifier, which is not supported")
        named = {**read_json(folder / CLASSES_FILE, missing={}), **(classes or {})}
        found = resolve_classes(_labels(config, folder), named, source=str(checkpoint))
        name = folder.name if Path(checkpoint).is_dir() else str(checkpoint).rpartition("/")[2]
        return cls(folder, found, inputs, name, device)

    def with_weights_loaded(self) -> "ImageClassifier":
        """Load the weights now and return itself; raises SetupError if they cannot be loaded."""
        _ = self._loaded
        return self

    @cached_property
    def sha256(self) -> str:
        """Identifies this checkpoint: a hash of its configs and weights."""
        weights = sorted(self.folder.glob("*.safetensors"))
        configs = [self.folder / name for name in (CONFIG, PROCESSOR)]
        return combined_sha256([path for path in (*configs, *weights) if path.is_file()])

    @cached_property
    def preprocessing(self) -> str:
        """Description of the face crop and the checkpoint's own image processor."""
        wanted = _processor_config(self.folder)
        kind = wanted.get("image_processor_type") or wanted.get("feature_extractor_type")
        crop = f"aligned face of margin {FACE_MARGIN} at {FACE_SIZE} px; "
        parts = [(crop if self.inputs == "face" else "") + str(kind or "its own processor")]
        for key, step in _STEPS.items():
            if wanted.get(key) is not None and wanted.get(f"do_{step}", True):
                parts.append(f"{key} {_plain(wanted[key])}")
        return ", ".join(parts)

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The whole image, or the aligned face; the latter raises ValueError without keypoints.

        `keypoints` are ignored if `inputs` is "image".
        """
        if self.inputs == "image":
            return pixels
        return aligned_crop(
            pixels, require_keypoints(keypoints), size=FACE_SIZE, margin=FACE_MARGIN
        )

    def score_images(self, pictures: Sequence[np.ndarray], *, batch_size: int = 16) -> np.ndarray:
        """Images (h, w, 3) uint8 RGB of any sizes to log-odds (n,) float64; higher is forged.

        Probabilities of all fake classes are summed, and so are those of all real ones; classes
        that are neither are ignored. Raises ValueError for other arrays, and SetupError if the
        checkpoint cannot be loaded.
        """
        taken = [validate_image(picture) for picture in pictures]
        scores = np.empty(len(taken))
        for start in range(0, len(taken), batch_size):
            rows = slice(start, start + batch_size)
            scores[rows] = self.log_odds(self._logits(taken[rows]))
        return scores

    def log_odds(self, logits: np.ndarray) -> np.ndarray:
        """Logits (n, classes) to log p(fake) / p(real) (n,); NaN if not finite."""
        wide = np.where(np.isfinite(logits), logits, np.nan).astype(np.float64)
        if len(self.classes.labels) == 1:
            return wide[:, 0] if self.classes.fake else -wide[:, 0]
        with np.errstate(invalid="ignore"):  # NaN in, NaN out
            fake, real = (
                np.logaddexp.reduce(wide[:, list(places)], axis=1)
                for places in (self.classes.fake, self.classes.real)
            )
        return np.asarray(fake - real)

    def _logits(self, pictures: list[np.ndarray]) -> np.ndarray:
        import torch
        from PIL import Image

        loaded = self._loaded
        # As Pillow images: an array three pixels wide could be mistaken for channels first.
        images = [Image.fromarray(picture) for picture in pictures]
        batch = loaded.processor(images=images, return_tensors="pt").to(loaded.device)
        with torch.inference_mode():
            logits = loaded.model(pixel_values=batch["pixel_values"]).logits
        return np.asarray(logits.float().cpu().numpy())

    @cached_property
    def _loaded(self) -> _Loaded:
        import torch
        import transformers
        from safetensors import SafetensorError

        from tools.encoder.clip import best_device

        transformers.utils.logging.disable_progress_bar()
        try:
            processor = transformers.AutoImageProcessor.from_pretrained(self.folder, **_LOCAL)
            model, report = transformers.AutoModelForImageClassification.from_pretrained(
                self.folder, **_LOCAL, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise SetupError(f"{self.folder} cannot be loaded as a classifier: {reason}") from error
        if report["missing_keys"]:
            # transformers would initialise them at random, and still score every image.
            raise SetupError(f"{self.folder} lacks weights: {sorted(report['missing_keys'])[:3]}")
        if model.config.num_labels != len(self.classes.labels):
            labels = list(self.classes.labels)
            raise SetupError(f"{self.folder} gives {model.config.num_labels} scores for {labels}")
        device = torch.device(self.device) if self.device else best_device()
        return _Loaded(model.eval().requires_grad_(False).to(device), processor, device)


# Described settings of a processor, with the step that may be disabled; the last five are timm's.
_STEPS = {
    "size": "resize",
    "crop_size": "center_crop",
    "resample": "resize",
    "image_mean": "normalize",
    "image_std": "normalize",
    "input_size": "resize",
    "crop_pct": "resize",
    "interpolation": "resize",
    "mean": "normalize",
    "std": "normalize",
}


def _processor_config(folder: Path) -> dict[str, Any]:
    """The preprocessing config; timm checkpoints have it in their model config."""
    timm: dict[str, Any] | None = read_json(folder / CONFIG).get("pretrained_cfg")
    return read_json(folder / PROCESSOR, missing=timm)


def _labels(config: Mapping[str, Any], folder: Path) -> dict[int, str]:
    """`id2label`, or timm's `label_names`; unnamed labels become LABEL_0, LABEL_1."""
    if config.get("id2label"):
        try:
            return {int(index): str(label) for index, label in config["id2label"].items()}
        except (AttributeError, ValueError) as error:
            raise SetupError(f"{folder / CONFIG}: its id2label cannot be read: {error}") from error
    number = config.get("num_labels") or config.get("num_classes") or 2
    return dict(enumerate(config.get("label_names") or [f"LABEL_{it}" for it in range(number)]))


def read_json(path: Path, *, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read a JSON object of a checkpoint; `missing` is returned if the file does not exist.

    Raises SetupError if it cannot be read, or does not exist and `missing` is None.
    """
    if missing is not None and not path.is_file():
        return missing
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SetupError(f"{path} is missing: copy the whole checkpoint") from error
    except ValueError as error:
        raise SetupError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise SetupError(f"{path} is not a JSON object")
    return cast(dict[str, Any], content)


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "×".join(str(each) for each in value.values() if each is not None)
    if isinstance(value, list):
        return "/".join(f"{each:.3g}" if isinstance(each, float) else str(each) for each in value)
    return str(value)
