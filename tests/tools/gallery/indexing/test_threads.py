"""Indexing takes one core a batch, and leaves PyTorch's number of threads as it was."""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from tests.support.stand_ins import FakeEncoder, FakeFaceAnalyser, picture
from tools.gallery.indexing.analysis import AnalysisPool, DecodedImage
from tools.media.pictures.decoding import Photo


class LateEncoder(FakeEncoder):
    """Loads PyTorch when it is asked for the first time, and notes its threads at work."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    @property
    def image_size(self) -> int:
        """Loading takes place here."""
        sys.modules["torch"] = torch
        return 8

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """As ever."""
        self.threads.add(torch.get_num_threads())
        return super().encode_images(images)


@pytest.fixture
def three_threads() -> Iterator[None]:
    """PyTorch may use three threads, which no default is."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("loaded", [True, False])
def test_the_number_of_threads_is_restored(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where PyTorch is loaded only by the first batch; a batch has one."""
    monkeypatch.setitem(sys.modules, "torch", torch)
    if not loaded:
        monkeypatch.delitem(sys.modules, "torch")
    encoder = LateEncoder()
    pool = AnalysisPool(2, faces=FakeFaceAnalyser(), encoder=encoder)
    photo = Photo("0" * 64, picture(1), "PNG", 1, 0, unmask_forgery=False)
    with pool.running():
        batches = [pool.submit([DecodedImage(photo, 1)]) for _ in range(4)]
        assert [len(it.result()) for it in batches] == [1] * 4
    assert encoder.threads == {1}
    assert torch.get_num_threads() == 3
