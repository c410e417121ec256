"""Fixtures for tests of the evaluations."""

import warnings
from collections.abc import Iterator
from functools import partial

import pytest


@pytest.fixture(scope="session")
def few_epochs() -> Iterator[None]:
    """UMAP in twenty rounds: it is not compiled here, and its usual five hundred take a minute."""
    with warnings.catch_warnings():  # it misses TensorFlow, as it says
        warnings.simplefilter("ignore", ImportWarning)
        import umap

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(umap, "UMAP", partial(umap.UMAP, n_epochs=20))
        yield
