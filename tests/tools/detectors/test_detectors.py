"""The detectors: their scores, and the heads they refuse."""

import pickle
import zipfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tools.checkpoints.store import expected_fingerprint
from tools.checkpoints.table import PUBLIC_HEAD, UNIFD_ENCODER
from tools.detectors import (
    FEATURE_HEADS,
    FeatureDetector,
    UnifdLinear,
    UnifdNeighbours,
    load_detectors,
)
from tools.detectors.clip_heads.head_files import head_sha256
from tools.detectors.clip_heads.unifd_linear import _check_published_values
from tools.detectors.clip_heads.unifd_neighbours import NEIGHBOUR_COUNTS, l2_normalise_rows
from tools.encoder.preprocessing import Mode
from tools.errors import SetupError

pytestmark = pytest.mark.fast

ENCODER = "e" * 64
RNG = np.random.default_rng(7)
LINEAR = UnifdLinear(np.array([2.0, -1.0, 0.5]), bias=-0.25, inputs="face")


def bank(*, real: int = 40, fake: int = 30, d: int = 12, k: int = 9) -> UnifdNeighbours:
    """A random bank."""
    rows = l2_normalise_rows(RNG.normal(size=(real + fake, d)))
    return UnifdNeighbours(rows[:real], rows[real:], inputs="face", k=k)


def write_heads(folder: Path, *, encoder_sha256: str = ENCODER) -> None:
    """The four heads of a profile that we trained."""
    for inputs in ("face", "image"):
        LINEAR.save(folder / f"{inputs}_linear.safetensors", encoder_sha256=encoder_sha256)
        bank(d=3).save(folder / f"{inputs}_bank.safetensors", encoder_sha256=encoder_sha256)


def test_the_linear_score_is_the_logit() -> None:
    """w·f + b on features as they are, not normalised: a feature twice as long scores further."""
    features = np.array([[1, 1, 2], [2, 2, 4], [0, 0, 0]], np.float32)
    np.testing.assert_allclose(LINEAR.score(features), [1.75, 3.75, -0.25])


def test_the_neighbours_score_is_a_difference_of_distances() -> None:
    """By hand: nearest original at cosine 0.6, nearest forgery at 0.8, so the score is 0.2."""
    real, fake = np.array([[0.6, 0.8], [-1, 0]]), np.array([[0.8, -0.6], [0, -1]])
    judge = UnifdNeighbours(real.astype(np.float32), fake.astype(np.float32), "face", k=1)
    np.testing.assert_allclose(judge.score(np.array([[5.0, 0]])), [0.2], atol=1e-6)


def test_neighbours_ignore_the_length_of_a_feature() -> None:
    """Only directions count, as in the paper's cosine distance."""
    judge, features = bank(), RNG.normal(size=(5, 12))
    np.testing.assert_allclose(judge.score(features), judge.score(100 * features), atol=1e-6)


def test_chunks_do_not_change_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of features is scored piece by piece with the same result."""
    judge, features = bank(), RNG.normal(size=(50, 12))
    at_once = judge.score(features)
    monkeypatch.setattr("tools.detectors.clip_heads.unifd_neighbours.CHUNK_VALUES", 200)
    np.testing.assert_allclose(judge.score(features), at_once, atol=1e-6)


def test_a_picture_of_the_bank_is_recognised() -> None:
    """A known forgery is nearest to itself, a known original too."""
    judge = bank(k=1)
    assert (judge.score(judge.fake) > 0).all()
    assert (judge.score(judge.real) < 0).all()


@pytest.mark.parametrize("judge", [LINEAR, bank(d=3)])
def test_what_was_not_measured_has_no_score(judge: Any) -> None:
    """A row with NaN scores NaN and leaves its neighbours alone; no rows are no scores."""
    features = np.array([[1, 2, 3], [np.nan] * 3, [1, np.nan, 3], [3, 1, 2]], np.float32)
    scores = judge.score(features)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(scores), [False, True, True, False])
    np.testing.assert_allclose(scores[[0, 3]], judge.score(features[[0, 3]]))
    assert judge.score(features[:0]).shape == (0,)


@pytest.mark.parametrize("judge", [LINEAR, bank(d=3)])
def test_features_of_another_size_are_refused(judge: Any) -> None:
    """Features that cannot come from the head's encoder are a caller's mistake."""
    with pytest.raises(ValueError, match="features must be"):
        judge.score(np.zeros((2, 4)))


def test_a_bank_needs_enough_of_both_kinds() -> None:
    """Nine neighbours cannot be found among eight; k is one of the paper's."""
    with pytest.raises(SetupError, match="too few"):
        bank(fake=8)
    with pytest.raises(ValueError, match="k must be"):
        bank(k=4)


def test_heads_survive_the_disk(tmp_path: Path) -> None:
    """Written and read again, heads score the same, banks to half precision."""
    write_heads(tmp_path)
    features = RNG.normal(size=(20, 3))
    judge = bank(d=3)
    judge.save(tmp_path / "bank.safetensors", encoder_sha256=ENCODER, pictures=70)
    again = UnifdNeighbours.load(
        tmp_path / "bank.safetensors", inputs="image", encoder_sha256=ENCODER
    )
    np.testing.assert_allclose(again.score(features), judge.score(features), atol=2e-3)
    assert (len(again.real), len(again.fake)) == (40, 30)
    linear = UnifdLinear.load(
        tmp_path / "face_linear.safetensors", inputs="face", encoder_sha256=ENCODER
    )
    np.testing.assert_allclose(linear.score(features), LINEAR.score(features), atol=1e-6)


def test_a_head_is_named_by_its_file_and_its_encoder(tmp_path: Path) -> None:
    """Other weights or another encoder are another checkpoint; in memory there is none yet."""
    assert LINEAR.sha256 == ""
    names = set()
    for number, encoder in enumerate((ENCODER, "f" * 64)):
        for scale in (1, 2):
            path = tmp_path / f"{number} {scale}.safetensors"
            UnifdLinear(scale * LINEAR.weight, 0, "face").save(path, encoder_sha256=ENCODER)
            again = UnifdLinear.load(path, inputs="face", encoder_sha256=ENCODER)
            assert again.sha256 == head_sha256(path, ENCODER)
            assert isinstance(again, FeatureDetector)
            names.add(head_sha256(path, encoder))
    assert len(names) == 4


@pytest.mark.parametrize("k", NEIGHBOUR_COUNTS)
@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_published_variant_can_be_loaded(tmp_path: Path, k: int, mode: Mode) -> None:
    """A bank serves every k of the paper, in both preprocessings; each k has a name of its own."""
    path, judge = tmp_path / "bank.safetensors", bank(d=3, k=k)
    judge.save(path, encoder_sha256=ENCODER)
    again = UnifdNeighbours.load(
        path, inputs="image", encoder_sha256=ENCODER, k=k, preprocessing=mode
    )
    assert (again.k, again.preprocessing) == (k, mode)
    assert again.name == ("unifd_neighbours" if k == 9 else f"unifd_neighbours_k{k}")
    features = RNG.normal(size=(20, 3))
    np.testing.assert_allclose(again.score(features), judge.score(features), atol=2e-3)


def test_the_list_is_explicit_and_ordered(tmp_path: Path) -> None:
    """A folder's heads give one detector each, always in the order of the table."""
    write_heads(tmp_path)
    found = [(one.inputs, one.name, one.preprocessing) for one in load_detectors(tmp_path, ENCODER)]
    assert found == [
        ("face", "unifd_linear", "resize"),
        ("face", "unifd_neighbours", "resize"),
        ("image", "unifd_linear", "resize"),
        ("image", "unifd_neighbours", "resize"),
    ]
    assert len(FEATURE_HEADS) == 6


def test_heads_of_another_encoder_are_refused(tmp_path: Path) -> None:
    """A head knows the encoder it was trained on and is not used with another."""
    write_heads(tmp_path, encoder_sha256="f" * 64)
    with pytest.raises(SetupError, match="trained on the encoder"):
        load_detectors(tmp_path, ENCODER)


def test_no_head_is_a_setup_error(tmp_path: Path) -> None:
    """Without any detector nothing is scored, and the person is told the command."""
    with pytest.raises(SetupError, match="unmask models verify"):
        load_detectors(tmp_path, ENCODER)


@pytest.mark.parametrize("damage", ["cut", "other arrays", "no header", "other labels"])
def test_damaged_heads_are_setup_errors(tmp_path: Path, damage: str) -> None:
    """A head that is cut, of other shapes, anonymous or inconsistent is never half used."""
    path = tmp_path / "face_bank.safetensors"
    bank(d=3).save(path, encoder_sha256=ENCODER)
    rows = np.ones((20, 3), np.float16)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "other arrays":
        save_file({"weight": rows}, path, metadata={"encoder_sha256": ENCODER})
    elif damage == "no header":
        save_file({"features": rows, "labels": np.ones(20, np.uint8)}, path)
    else:
        arrays = {"features": rows, "labels": np.ones(19, np.uint8)}
        save_file(arrays, path, metadata={"encoder_sha256": ENCODER})
    with pytest.raises(SetupError, match="face_bank"):
        load_detectors(tmp_path, ENCODER)


def public_head(path: Path, *, shape: tuple[int, int] = (1, 768)) -> dict[str, torch.Tensor]:
    """A file in the format of the one UniFD's authors published, with other values."""
    state = {"weight": torch.randn(shape), "bias": torch.randn(1)}
    torch.save(state, path)
    return state


def test_the_published_format_is_read(tmp_path: Path) -> None:
    """`fc_weights.pth` serves faces and whole images when the encoder is OpenAI's ViT-L/14."""
    state = public_head(tmp_path / PUBLIC_HEAD)
    found = load_detectors(tmp_path, expected_fingerprint(UNIFD_ENCODER))
    assert [one.inputs for one in found] == ["face", "image"]
    features = RNG.normal(size=(4, 768)).astype(np.float32)
    expected = torch.nn.functional.linear(torch.from_numpy(features), *state.values())
    for one in found:
        np.testing.assert_allclose(one.score(features), expected[:, 0].numpy(), atol=1e-4)


def test_the_published_head_needs_its_encoder(tmp_path: Path) -> None:
    """On any other encoder's features the published head is refused."""
    public_head(tmp_path / PUBLIC_HEAD)
    with pytest.raises(SetupError, match=r"ViT-L-14-quickgelu.*unmask models download full"):
        load_detectors(tmp_path, ENCODER)


def test_a_published_head_of_another_shape_is_refused(tmp_path: Path) -> None:
    """A head for two classes, or for another width, is not taken for UniFD's."""
    public_head(tmp_path / PUBLIC_HEAD, shape=(2, 768))
    with pytest.raises(SetupError, match=r"not UniFD's head"):
        UnifdLinear.load_public(tmp_path / PUBLIC_HEAD, inputs="image")


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("layout", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, layout: str) -> None:
    """A file that would run its maker's code is refused, and the code does not run."""
    target, path = tmp_path / "it ran", tmp_path / PUBLIC_HEAD
    if layout == "torch":
        torch.save({"weight": Malicious(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Malicious(target)))
    with pytest.raises(SetupError, match="refused"):
        UnifdLinear.load_public(path, inputs="image")
    assert not target.exists()


@pytest.mark.parametrize("content", ["empty", "text", "zip", "cut", "list"])
def test_rubbish_is_no_head(tmp_path: Path, content: str) -> None:
    """Empty, meaningless, half and foreign files are refused with a reason."""
    path = tmp_path / PUBLIC_HEAD
    if content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "no tensors")
    elif content == "list":
        torch.save([1, 2], path)
    else:
        public_head(path)
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "text": b"no head", "cut": whole[:2000]}[content])
    with pytest.raises(SetupError, match=r"refused|not UniFD's head"):
        UnifdLinear.load_public(path, inputs="image")


def test_wrong_values_of_the_published_head_are_noticed() -> None:
    """When the right bytes do not read as the published numbers, our reading is broken."""
    weight = np.zeros(768)
    weight[:3] = -0.31958, -0.11331, -0.17839
    weight[3] = np.sqrt(6.2001**2 - (weight**2).sum())
    _check_published_values(weight, -0.5167)
    with pytest.raises(RuntimeError, match="published"):
        _check_published_values(weight[::-1], -0.5167)
