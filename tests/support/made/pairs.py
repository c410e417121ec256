"""Synthetic training pairs: noise in which every forgery has a bright square."""

from pathlib import Path

import numpy as np

from tools.encoder.clip import Encoder
from tools.faces.alignment import KEYPOINT_TEMPLATE
from tools.training.data.forgery_pool import ForgeryPair, write_chunks
from tools.training.data.pairs import CropSample, TrainingImage, TrainingPair, crops

SIDE = 96


class MadePairs:
    """`each` photographs of several synthetic persons; `family` is the forgery family."""

    def __init__(self, persons: int = 10, *, each: int = 3, family: str = "inpainting") -> None:
        self.persons, self.each, self.family = persons, each, family

    def __len__(self) -> int:
        return self.persons * self.each

    def group(self, index: int) -> str:
        """Person of the photograph."""
        return f"person {index // self.each}"

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair:
        """The same pictures every time; each photograph has its own keypoints."""
        own = np.random.default_rng(index)
        real = own.integers(0, 120, (SIDE, SIDE, 3)).astype(np.uint8)
        fake = real.copy()
        fake[30:60, 30:60] = 250
        points = (KEYPOINT_TEMPLATE * 80 + 8 + own.uniform(-1, 1)).astype(np.float32)
        looks = (TrainingImage(pixels, points, None) for pixels in (real, fake))
        return TrainingPair(*looks, self.family, paired=True)


def samples(
    encoder: Encoder, *, pairs: int = 4, source: MadePairs | None = None
) -> list[CropSample]:
    """Crops of the first pairs: authentic ones, then their forgeries in the same order."""
    source, rng = source or MadePairs(), np.random.default_rng(0)
    found = [
        crops(
            source.draw(index, rng), rng, group=source.group(index), size=encoder.image_size,
            margin=encoder.face_margin, augment=False,
        )
        for index in range(pairs)
    ]  # fmt: skip
    return [one for one, _ in found] + [one for _, one in found]


def write_pool(folder: Path) -> Path:
    """A pool on disk in the format of `tools.training.data.forgery_pool`, with LFW and DFDC
    parts."""
    for name, family in (("lfw", "inpainting"), ("dfdc/train", "video_deepfake")):
        source, rng = MadePairs(6, each=2, family=family), np.random.default_rng(0)
        pairs = []
        for index in range(len(source)):
            drawn = source.draw(index, rng)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[30:60, 30:60] = 255
            origin = f"{name} {source.group(index)}/{index}.jpg"
            pairs.append(
                ForgeryPair(
                    drawn.real.pixels, drawn.fake.pixels, mask, drawn.real.keypoints, family, (),
                    origin,
                )
            )  # fmt: skip
        write_chunks(iter(pairs), folder / name, name=name.split("/")[0])
    return folder
