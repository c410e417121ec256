"""Further face embedders (ONNX files in a folder): a second opinion on identity.

Supports ArcFace-style networks (112×112, aligned; VPL and AdaFace among them) and VGGFace2-style
networks (113×113, the box enlarged by 30 %, such as SqueezeFacePoseNet). The input size is read
from the file; a JSON file of the same name can specify the rest (`tools.faces.embedder_input`).

A second embedder is useful where it disagrees: a face swap whose generator was guided by one
embedder scores high in that one and lower in another. Cosines of two embedders are not on one
scale, so each is rescaled between the impostor mean (0) and an identical image (1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import warp
from tools.faces.analyser import recognition_matrix
from tools.faces.embedder_input import (
    EmbedderPreprocessing,
    ImpostorStatistics,
    read_embedder_json,
    resolve_preprocessing,
)
from tools.media.hashing import combined_sha256

EMBEDDERS_FOLDER = "embedders"
SHIPPED_EMBEDDER = WEIGHTS_DIR / EMBEDDERS_FOLDER / "second.onnx"
COSINE, DIFFERENCE = "second/cosine_similarity", "second/difference"
_BATCH = 32


class HasBoxAndKeypoints(Protocol):
    """A detected face, in pixels of its image; an `analyser.Face` is one."""

    @property
    def box(self) -> np.ndarray:
        """(4,) x1 y1 x2 y2."""

    @property
    def keypoints(self) -> np.ndarray:
        """(5, 2): left eye, right eye, nose, left and right mouth corner."""


@dataclass(frozen=True, eq=False)
class FaceEmbedder:
    """A face embedder in one ONNX file; loaded on first use.

    `strangers` are its impostor statistics; `beside` are those in comparison with a first embedder,
    keyed by the sha256 of that embedder's part in a profile's fingerprint. They are None and empty
    if not measured.
    """

    path: Path
    name: str
    licence: str
    preprocessing: EmbedderPreprocessing
    size: int
    strangers: ImpostorStatistics | None = None
    beside: Mapping[str, ImpostorStatistics] = field(default_factory=dict)
    threads: int = 1

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None) -> "FaceEmbedder":
        """Load an embedder's metadata from its ONNX file and the JSON beside it.

        Raises SetupError if they are invalid or do not determine the face crop.
        """
        config = read_embedder_json(path.with_suffix(".json"))
        size = _input_size(path) or config.get("size")
        if not isinstance(size, int):
            raise SetupError(f'{path.name} accepts any size: set "size" in a JSON file beside it')
        try:
            return cls(
                path=path,
                name=str(config.get("name", path.stem)),
                licence=str(config.get("licence", "not stated")),
                preprocessing=resolve_preprocessing(config, size),
                size=size,
                strangers=_statistics(config["strangers"]) if "strangers" in config else None,
                beside={key: _statistics(value) for key, value in config.get("beside", {}).items()},
                threads=threads or 1,
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise SetupError(f"{path.with_suffix('.json')} cannot be used: {error}") from error

    @cached_property
    def sha256(self) -> str:
        """Identifies this embedder in reports."""
        return combined_sha256([self.path])

    def crop_face(self, pixels: np.ndarray, face: HasBoxAndKeypoints) -> np.ndarray:
        """Crop the face of an image (h, w, 3) uint8 RGB for this embedder: (s, s, 3) uint8 RGB."""
        wants = self.preprocessing
        if wants.crop == "arcface":
            matrix = recognition_matrix(face.keypoints, size=self.size)
            return warp(
                pixels,
                widen_crop_matrix(matrix, size=self.size, margin=wants.margin),
                size=self.size,
            )
        return warp(pixels, _box_matrix(face.box, size=self.size, margin=wants.margin),
                    size=self.size)  # fmt: skip

    def embed(self, looks: Sequence[tuple[np.ndarray, HasBoxAndKeypoints]]) -> np.ndarray:
        """Embeddings of faces in images: (n, d) float32, unit length."""
        return self.embed_crops([self.crop_face(pixels, face) for pixels, face in looks])

    def embed_crops(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings of crops (s, s, 3) uint8 RGB from `crop_face`: (n, d) float32, unit length."""
        batches = [self._run(crops[at : at + _BATCH]) for at in range(0, len(crops), _BATCH)]
        vectors = np.concatenate(batches)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: np.ndarray = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit

    def _run(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        wants = self.preprocessing
        batch: np.ndarray = np.stack(crops).astype(np.float32)
        if wants.order == "BGR":
            batch = batch[..., ::-1]
        batch = (batch - np.array(wants.mean, np.float32)) / np.array(wants.std, np.float32)
        ready = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        (name,) = (it.name for it in self._session.get_inputs())
        # Some files were exported with batch size 1.
        rows = [ready] if self._takes_batches else list(ready[:, None])
        done = [self._session.run(None, {name: row})[0] for row in rows]
        return np.concatenate([it.reshape(len(it), -1) for it in done])

    @cached_property
    def _takes_batches(self) -> bool:
        return bool(self._session.get_inputs()[0].shape[0] != 1)

    @cached_property
    def _session(self) -> Any:
        return _session(self.path, threads=self.threads)


def load_embedders(models_dir: Path, *, threads: int | None = None) -> list[FaceEmbedder]:
    """The embedders in the user's folder, sorted by name, then the shipped one."""
    own = sorted((models_dir / EMBEDDERS_FOLDER).glob("*.onnx"))
    shipped = [SHIPPED_EMBEDDER] if SHIPPED_EMBEDDER.is_file() else []
    return [FaceEmbedder.load(path, threads=threads) for path in (*own, *shipped)]


def widen_crop_matrix(matrix: np.ndarray, *, size: int, margin: float) -> np.ndarray:
    """Scale a crop matrix (2, 3) of `size` px so that the crop shows `margin` times as much."""
    shrunk: np.ndarray = matrix / margin
    shrunk[:, 2] += (size - 1) / 2 * (1 - 1 / margin)
    return shrunk


def _statistics(values: Mapping[str, float]) -> ImpostorStatistics:
    return ImpostorStatistics(**values)


def _box_matrix(box: np.ndarray, *, size: int, margin: float) -> np.ndarray:
    left, top, right, bottom = (float(edge) for edge in box)
    scale = size / (max(right - left, bottom - top, 1.0) * margin)
    x, y = (left + right) / 2, (top + bottom) / 2
    return np.array([[scale, 0, size / 2 - scale * x], [0, scale, size / 2 - scale * y]])


def _input_size(path: Path) -> int | None:
    """The side of the square input in px; None if the file leaves it dynamic."""
    inputs = _session(path, threads=1).get_inputs()
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, "3"):
        raise SetupError(f"{path.name} is not a face embedder: its input is {shape}")
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    if height != width:
        raise SetupError(f"{path.name} must take square images, not {shape}")
    return height


def _session(path: Path, *, threads: int) -> Any:
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
        NotImplemented,
    )

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
        reason = str(error).splitlines()[0]
        raise SetupError(
            f"{path} cannot be read as ONNX: {reason}; replace or delete it"
        ) from error
