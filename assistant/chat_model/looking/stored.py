"""The heads on disk: one safetensors file, with temperatures and thresholds in its metadata."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from assistant.chat_model.looking.heads import FaceHead, PictureHead
from tools.checkpoints.table import CHAT_WEIGHTS_DIR
from tools.errors import SetupError

LOOKING_DIR = CHAT_WEIGHTS_DIR / "looking"
HEADS = "heads.safetensors"
FIGURES = "FIGURES.json"
PICTURE, FACE = "picture", "face"


def save_heads(folder: Path, picture: PictureHead, face: FaceHead, settings: Any) -> None:
    """Save both heads in half precision, with their settings."""
    tensors = {
        f"{name}.{key}": value.half().contiguous()
        for name, head in ((PICTURE, picture), (FACE, face))
        for key, value in head.state_dict().items()
    }
    save_file(tensors, folder / HEADS, metadata={"settings": json.dumps(settings)})


def load_heads(folder: Path = LOOKING_DIR) -> tuple[PictureHead, FaceHead, dict[str, Any]]:
    """Both heads and their settings; SetupError if the file is missing or damaged."""
    path = folder / HEADS
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            settings: dict[str, Any] = json.loads((file.metadata() or {})["settings"])
        heads = PictureHead(), FaceHead()
        for name, head in zip((PICTURE, FACE), heads, strict=True):
            own = {key.removeprefix(f"{name}."): value.float()
                   for key, value in tensors.items() if key.startswith(f"{name}.")}  # fmt: skip
            head.load_state_dict(own)
            head.eval().requires_grad_(False)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SetupError(
            f"the model's impression cannot be loaded ({reason}); run `unmask models verify`"
        ) from error
    return *heads, settings


def load_figures(folder: Path = LOOKING_DIR) -> dict[str, Any]:
    """The measured figures beside the weights."""
    try:
        found: dict[str, Any] = json.loads((folder / FIGURES).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{str(folder / FIGURES)!r} cannot be read") from error
    return found
