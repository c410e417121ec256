"""The teacher of the distilled embedder: a strong public face embedder, never shipped."""

from pathlib import Path

import numpy as np

from tools.errors import SetupError

BATCH = 64
WHERE = Path("teachers") / "edgeface_xs.onnx"
"""Path below the data folder."""


class Teacher:
    """An ONNX file that takes (n, 3, 112, 112) RGB in [−1, 1], aligned as for ArcFace.

    Raises SetupError if the file does not exist.
    """

    def __init__(self, file: Path, *, threads: int = 1) -> None:
        import onnxruntime

        if not file.is_file():
            raise SetupError(f"no teacher at {str(file)!r}: pass --data DIR")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self.dimension = int(self._session.get_outputs()[0].shape[1])

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Embeddings (n, d) float32, unit length, of crops (n, 112, 112, 3) uint8 RGB.

        The mean direction of a crop and its mirror image, so that both get the same label.
        """
        starts = range(0, len(crops), BATCH)
        both = [
            np.concatenate([self._run(side[start : start + BATCH]) for start in starts])
            for side in (crops, crops[:, :, ::-1])
        ]
        return _unit(_unit(both[0]) + _unit(both[1]))

    def _run(self, crops: np.ndarray) -> np.ndarray:
        images = crops.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1.0
        (raw,) = self._session.run(None, {self._input: np.ascontiguousarray(images)})
        return np.asarray(raw, np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
