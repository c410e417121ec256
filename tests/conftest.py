"""Fixtures for all tests: a separate data folder, and real pictures."""

import io
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data
from PIL import Image

import tools  # noqa: F401 - before any test imports ONNX Runtime, which it keeps from reporting
from tests.warning_policy import pytest_configure  # noqa: F401 - a hook, found here by its name

if TYPE_CHECKING:
    from assistant import Unmask
    from evals.datasets.manifest import Manifest
    from evals.protocol.measured import MeasuredDataset

Encode = Callable[..., bytes]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`pytest -m fast` imports only files with fast tests: the others import for a minute."""
    if config.option.markexpr != "fast" or not collection_path.name.startswith("test_"):
        return None
    return True if "mark.fast" not in collection_path.read_text(encoding="utf-8") else None


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C works here and in the processes that tests start.

    A shell starts background jobs with SIGINT ignored, and that is inherited: tests of being
    interrupted would wait for an interruption that never arrives.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def same_draws() -> None:
    """Each file begins at the same random numbers, whichever files its process ran before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration folder of its own: cases are signed with a key of the tests.

    A data folder as well: what `unmask setup` installed on this machine takes part only where a
    test names it. The pretrained tower makes every search many times dearer.
    """
    folder = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMASK_CONFIG_DIR", str(folder))
        patch.setenv("UNMASK_HOME", str(tmp_path_factory.mktemp("data")))
        yield folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that the code under test believes to be the user's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("UNMASK_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """The public-domain NASA portrait, (512, 512, 3) uint8 RGB."""
    return np.asarray(skimage.data.astronaut())


@pytest.fixture
def encode() -> Encode:
    """A function `(image, format, **options) -> bytes` that makes a picture file in memory."""

    def encoded(image: Image.Image, format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> "Unmask":
    """A small indexed collection with real weights, see `support.cases`; not to be added to."""
    from tests.support.cases import build_case

    return build_case(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def made_dataset(tmp_path_factory: pytest.TempPathFactory) -> "Manifest":
    """Seven persons, authentic and forged, see `made.dataset`; not to be written to."""
    from tests.support.made.dataset import build_dataset

    return build_dataset(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def made_run(made_dataset: "Manifest", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `home` holds the gallery of the made data set, as a run leaves it."""
    from evals.options import EvalOptions
    from evals.protocol.measured import measure_dataset

    folder = tmp_path_factory.mktemp("measured")
    measure_dataset(made_dataset, EvalOptions(made_dataset.root, output=folder))
    return folder


@pytest.fixture(scope="session")
def made_measured(made_dataset: "Manifest", made_run: Path) -> "MeasuredDataset":
    """The made data set with what the pocket parts measure on it."""
    from evals.options import EvalOptions
    from evals.protocol.measured import measure_dataset

    return measure_dataset(made_dataset, EvalOptions(made_dataset.root, output=made_run))
