"""Reads and writes the small safetensors files of detector heads.

The header holds the `sha256` of the encoder that the head was trained on: on another encoder's
features a head gives plausible but meaningless scores.
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

    Raises SetupError if the file is missing, damaged or for another encoder.
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
        raise SetupError(f"{path} is not such a head: it holds {found}")
    if header.get(ENCODER_SHA256_KEY) != encoder_sha256:
        raise SetupError(
            f"{path} was trained on the encoder "
            f"{header.get(ENCODER_SHA256_KEY, 'of no known sha256')!r}, "
            f"in use is {encoder_sha256!r}; see `unmask models verify`"
        )
    return arrays, header


def head_header(path: Path) -> dict[str, str]:
    """The header of any safetensors file; empty if it has none or cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return {}


def head_sha256(path: Path, encoder_sha256: str) -> str:
    """Identifies a head's checkpoint: a hash of its file and its encoder's sha256."""
    return hashlib.sha256(f"{file_sha256(path)} {encoder_sha256}".encode()).hexdigest()


def write_head(
    path: Path, arrays: Mapping[str, np.ndarray], *, encoder_sha256: str, **header: Any
) -> None:
    """Write a head for `read_head`; further `header` fields are stored as text."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    texts = {name: str(value) for name, value in header.items()}
    save_file(contiguous, path, metadata={ENCODER_SHA256_KEY: encoder_sha256, **texts})
    _put_in_order(path)


def _put_in_order(path: Path) -> None:
    """Sort the header, whose order safetensors does not fix: equal heads get an equal sha256."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])
