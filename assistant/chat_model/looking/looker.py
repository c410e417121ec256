"""Looks at a picture with the pretrained tower and our heads, and words what it names."""

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np
import torch

from assistant.chat_model.looking.attributes import BLOCKS, FACE_BLOCKS
from assistant.chat_model.looking.heads import FaceHead, PictureHead, pooled_cells, side_by_side
from assistant.chat_model.looking.reading import Named, name_attributes, name_place
from assistant.chat_model.looking.stored import FACE, PICTURE, load_figures, load_heads
from assistant.chat_model.looking.views import detail_view, face_view, whole_view
from assistant.chat_model.looking.words import word_impression
from tools.encoder.pretrained_tower import PretrainedTower
from tools.search.checking.impression import Impression

_REMEMBERED = 256
"""Pictures whose attributes are kept: several faces of one picture share them."""


class Looker:
    """`Looker(tower)(pixels, keypoints)` is the impression of a picture and one of its faces.

    Does not show: anything measured. It names only what it learnt to name, may be wrong on pictures
    unlike its training's, and reads no text. Safe to share between threads.
    """

    def __init__(self, tower: PretrainedTower) -> None:
        self._tower = tower
        self._picture: PictureHead
        self._face: FaceHead
        self._picture, self._face, self._settings = load_heads()
        self._figures: dict[str, Any] = load_figures()
        self._known: OrderedDict[bytes, tuple[Named, ...]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> Impression:
        """Look at a picture (h, w, 3) uint8 RGB, and at its face if keypoints (5, 2) are given."""
        place = None if keypoints is None else self.altered_place(pixels, keypoints)
        return word_impression(self.attributes(pixels), place, self._figures)

    def attributes(self, pixels: np.ndarray) -> tuple[Named, ...]:
        """The attributes of the whole picture that are sure enough to be named."""
        key = repr(pixels.shape).encode() + blake2b(pixels.tobytes(), digest_size=16).digest()
        with self._lock:
            if key not in self._known:
                self._known[key] = name_attributes(
                    self.picture_logits(pixels), self._settings[PICTURE]
                )
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return self._known[key]

    def picture_logits(self, pixels: np.ndarray) -> np.ndarray:
        """Logits (classes,) of all groups."""
        views = [whole_view(pixels), detail_view(pixels)]
        tokens = torch.from_numpy(self._tower.block_tokens(views, BLOCKS)).float()
        with torch.inference_mode():
            cells = side_by_side(pooled_cells(tokens[:, :, 1:]))
            logits = self._picture(tokens[:, :, 0].reshape(1, -1), cells[None])
        return np.asarray(logits[0].numpy(), np.float64)

    def altered_place(self, pixels: np.ndarray, keypoints: np.ndarray) -> Named | None:
        """The place of a face that looks altered; None if none is sure enough."""
        return self.place_of_view(face_view(pixels, keypoints))

    def place_of_view(self, view: np.ndarray) -> Named | None:
        """The same for an aligned face (224, 224, 3) uint8 RGB."""
        return name_place(self.face_logits(view), self._settings[FACE])

    def face_logits(self, view: np.ndarray) -> np.ndarray:
        """Logits (4,) of an aligned face (224, 224, 3): altered at all, eyes, nose, mouth."""
        tokens = torch.from_numpy(self._tower.block_tokens([view], BLOCKS[:FACE_BLOCKS])).float()
        with torch.inference_mode():
            logits = self._face(side_by_side(tokens[:, :, 1:]))[1]
        return np.asarray(logits[0].numpy(), np.float64)
