"""Reading and writing the small safetensors files that hold detectors' heads.

The header names the encoder that the head was trained on, by its `sha256`: a head on another
encoder's features gives plausible nonsense.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import SetupError
from tools.media.hashing import file_sha256

ENCODER_SHA256_KEY = "encoder_sha256"


def read_head(
    path: Path, *, encoder_sha256: str, shapes: Mapping[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and header of a head; `shapes` gives each array's expected number of axes.

    Raises SetupError when the file is missing or damaged or belongs to another encoder.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise SetupError(f"{path} is missing; see `unmask models verify`")
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, str] = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise SetupError(f"{path} is damaged: {error}; see `unmask models verify`") from error
    if {name: array.ndim for name, array in arrays.items()} != dict(shapes):
        found = {name: array.shape for name, array in arrays.items()}
        raise SetupError(f"{path} is no such head: it holds {found}")
    if header.get(ENCODER_SHA256_KEY) != encoder_sha256:
        raise SetupError(
            f"{path} was trained on the encoder "
            f"{header.get(ENCODER_SHA256_KEY, 'of no known sha256')!r}, "
            f"in use is {encoder_sha256!r}; see `unmask models verify`"
        )
    return arrays, header


def head_sha256(path: Path, encoder_sha256: str) -> str:
    """What names a head's checkpoint: the content of its file and the encoder it is for."""
    return hashlib.sha256(f"{file_sha256(path)} {encoder_sha256}".encode()).hexdigest()


def write_head(
    path: Path, arrays: Mapping[str, np.ndarray], *, encoder_sha256: str, **header: Any
) -> None:
    """Write a head that `read_head` reads; further `header` fields are kept as text."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    texts = {name: str(value) for name, value in header.items()}
    save_file(contiguous, path, metadata={ENCODER_SHA256_KEY: encoder_sha256, **texts})
    _put_in_order(path)


def _put_in_order(path: Path) -> None:
    """Sort the header, whose fields safetensors writes in any order: equal heads, equal sha256."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])
