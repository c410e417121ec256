"""Image preprocessing for CLIP checkpoints, as specified in the checkpoint's own config.

Two modes. `resize` scales the whole image to the input size. `official` is the evaluation of
UniversalFakeDetect (`validate.py`): an unscaled centre crop, padded with black if the image is
smaller. `official` is for comparison with published figures: of a 900×500 video frame it uses only
a 224×224 patch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from tools.errors import SetupError

if TYPE_CHECKING:
    from torch import Tensor

Mode = Literal["resize", "official"]
INTERPOLATIONS = ("bicubic", "bilinear")
RESIZE_MODES = ("shortest", "squash")

# OpenAI's CLIP; also open_clip's default.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A checkpoint's preprocessing; `mean` and `std` are of RGB values in 0..1.

    `resize_mode` is open_clip's: `shortest` fits the shorter side and crops the rest, `squash` fits
    both sides. For a square crop the two are the same.
    """

    size: int
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, size: int) -> "Preprocessing":
        """From open_clip's `preprocess_cfg`; `size` is the input size of the model itself.

        Raises SetupError for settings that we cannot reproduce, so that a checkpoint never gets
        images prepared differently from its training.
        """
        wanted = config.get("size", size)
        if wanted not in (size, [size, size], (size, size)):
            raise SetupError(f"preprocess_cfg asks for size {wanted!r}, the model takes {size!r}")
        chosen = cls(
            size=size,
            mean=_triple(config.get("mean", CLIP_MEAN)),
            std=_triple(config.get("std", CLIP_STD)),
            interpolation=config.get("interpolation", "bicubic"),
            resize_mode=config.get("resize_mode", "shortest"),
        )
        if chosen.interpolation not in INTERPOLATIONS or chosen.resize_mode not in RESIZE_MODES:
            raise SetupError(
                f"preprocess_cfg asks for {chosen.interpolation!r} and {chosen.resize_mode!r}; "
                f"known are {INTERPOLATIONS} and {RESIZE_MODES}"
            )
        return chosen

    def batch(self, images: Sequence[np.ndarray], *, mode: Mode = "resize") -> "Tensor":
        """Images (h, w, 3) uint8 RGB of any sizes to one (n, 3, size, size) uint8 tensor.

        Raises ValueError for images that are not 8-bit RGB, and for an unknown mode.
        """
        import torch

        if mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {get_args(Mode)}, not {mode!r}")
        rows = [self._fit(validate_image(image), mode) for image in images]
        if not rows:
            return torch.empty((0, 3, self.size, self.size), dtype=torch.uint8)
        return torch.stack(rows)

    def normalise(self, batch: "Tensor") -> "Tensor":
        """Normalise (n, 3, s, s) uint8 by mean and std to float32, on the batch's device."""
        import torch

        mean = torch.tensor(self.mean, device=batch.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=batch.device).view(1, 3, 1, 1)
        return (batch.float() / 255 - mean) / std

    def _fit(self, pixels: np.ndarray, mode: Mode) -> "Tensor":
        import torch

        if mode == "official":
            return torch.from_numpy(center_crop(pixels, self.size)).permute(2, 0, 1)
        height, width = self._resized(*pixels.shape[:2])
        picture = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        if (height, width) != pixels.shape[:2]:
            # For 8-bit images this computes Pillow's antialiased resize, which CLIP was trained
            # with, but several times faster; OpenCV's cubic resize would alias.
            picture = torch.nn.functional.interpolate(
                picture, size=(height, width), mode=self.interpolation, antialias=True
            )
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        return picture[0, :, top : top + self.size, left : left + self.size]

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if self.resize_mode == "squash":
            return self.size, self.size
        # Truncation, as torchvision and CLIPImageProcessor do.
        shorter = min(height, width)
        return int(self.size * height / shorter), int(self.size * width / shorter)


def center_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    """The centre (size, size, 3) of an image, padded with black if the image is smaller.

    Rounds like torchvision's CenterCrop, so that features can be compared exactly.
    """
    height, width = pixels.shape[:2]
    missing_y, missing_x = max(size - height, 0), max(size - width, 0)
    if missing_y or missing_x:
        around_y = (missing_y // 2, (missing_y + 1) // 2)
        around_x = (missing_x // 2, (missing_x + 1) // 2)
        pixels = np.pad(pixels, (around_y, around_x, (0, 0)))
        height, width = pixels.shape[:2]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[top : top + size, left : left + size]


def validate_image(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) uint8 RGB, made contiguous; raises ValueError for anything else."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"a picture is (h, w, 3) uint8 RGB, not {image.shape} {image.dtype}")
    # torch rejects negative strides and warns about read-only arrays.
    return np.require(image, requirements=["C", "W"])


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
