"""Further face embedders beside the first: ONNX files in a folder, as a second opinion on identity.

Any ArcFace-style network (VPL and AdaFace ones among them: 112×112, aligned) and any of the
VGGFace2 kind (113×113, the box and 30 % more; SqueezeFacePoseNet's) can be laid there. The input's
size is read from the file; a JSON of the same name can say the rest (`tools.faces.embedder_input`).

What a second embedder is good for is disagreement: a swap whose generator was steered by one
embedder stands high in that one and lower in another. Cosines of two embedders are not on one
scale; each is therefore read as its share of the way from strangers to the same picture.
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
    """A face that was found: where it is, in pixels of its picture; an `analyser.Face` is one."""

    @property
    def box(self) -> np.ndarray:
        """(4,) x1 y1 x2 y2."""

    @property
    def keypoints(self) -> np.ndarray:
        """(5, 2): left eye, right eye, nose, left and right mouth corner."""


@dataclass(frozen=True, eq=False)
class FaceEmbedder:
    """One ONNX file that says who a face is; loaded on first use.

    `strangers` is how alike strangers are to it, `beside` the same of first embedders, by the
    sha256 of their part in a profile's fingerprint; None and empty where nobody measured it.
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
        """Read what the file, and the JSON beside it, say of the embedder.

        Raises SetupError when they cannot be understood, or leave open how to cut a face.
        """
        told = read_embedder_json(path.with_suffix(".json"))
        size = _input_size(path) or told.get("size")
        if not isinstance(size, int):
            raise SetupError(f'{path.name} takes any size: say which in a JSON beside it, "size"')
        try:
            return cls(
                path=path,
                name=str(told.get("name", path.stem)),
                licence=str(told.get("licence", "not said")),
                preprocessing=resolve_preprocessing(told, size),
                size=size,
                strangers=ImpostorStatistics(**told["strangers"]) if "strangers" in told else None,
                beside={
                    key: ImpostorStatistics(**it) for key, it in told.get("beside", {}).items()
                },
                threads=threads or 1,
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise SetupError(f"{path.with_suffix('.json')} cannot be used: {error}") from error

    @cached_property
    def sha256(self) -> str:
        """What names this embedder in reports."""
        return combined_sha256([self.path])

    def crop_face(self, pixels: np.ndarray, face: HasBoxAndKeypoints) -> np.ndarray:
        """The face of a picture (h, w, 3) uint8 RGB as it wants it: (s, s, 3) uint8 RGB."""
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
        """Who the faces of pictures are: (n, d) float32, of length one."""
        return self.embed_crops([self.crop_face(pixels, face) for pixels, face in looks])

    def embed_crops(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """The same of crops (s, s, 3) uint8 RGB that `crop_face` made."""
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
        # Some files were exported for one face at a time.
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
    """The embedders of a person's own folder, by name, and after them the one that is shipped."""
    own = sorted((models_dir / EMBEDDERS_FOLDER).glob("*.onnx"))
    shipped = [SHIPPED_EMBEDDER] if SHIPPED_EMBEDDER.is_file() else []
    return [FaceEmbedder.load(path, threads=threads) for path in (*own, *shipped)]


def widen_crop_matrix(matrix: np.ndarray, *, size: int, margin: float) -> np.ndarray:
    """The similarity (2, 3) to a crop of `size` px, now showing `margin` times as much."""
    shrunk: np.ndarray = matrix / margin
    shrunk[:, 2] += (size - 1) / 2 * (1 - 1 / margin)
    return shrunk


def _box_matrix(box: np.ndarray, *, size: int, margin: float) -> np.ndarray:
    left, top, right, bottom = (float(edge) for edge in box)
    scale = size / (max(right - left, bottom - top, 1.0) * margin)
    x, y = (left + right) / 2, (top + bottom) / 2
    return np.array([[scale, 0, size / 2 - scale * x], [0, scale, size / 2 - scale * y]])


def _input_size(path: Path) -> int | None:
    """The side of the square input in px; None when the file leaves it open."""
    inputs = _session(path, threads=1).get_inputs()
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, "3"):
        raise SetupError(f"{path.name} is no embedder of faces: its input is {shape}")
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    if height != width:
        raise SetupError(f"{path.name} takes no square pictures but {shape}")
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
