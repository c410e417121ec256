"""The request reader: adapters and head on a language model; with the shipped ones if installed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from assistant.agent.requests.loading import load_request_reader
from assistant.agent.requests.planning import known_classes
from assistant.agent.requests.reader import ADAPTERS, MAX_TOKENS, RequestReader, merge_adapters
from assistant.settings import Settings
from tools.errors import SetupError

HERE = Settings.load()  # before the tests' own data folders are set
LAYER = "model.layers.0.mlp.up_proj"
WIDTH = 16


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny language model's folder, as `unmask setup` leaves it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("lm")
    config = LlamaConfig(
        vocab_size=64, hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    weights = LlamaForCausalLM(config).state_dict()
    weights.pop("lm_head.weight")
    save_file({name: it.half().contiguous() for name, it in weights.items()},
              folder / "model.safetensors")  # fmt: skip
    config.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(63)} | {"?": 63}, "?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)
    return folder


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """Adapters of one layer, and a head for two classes."""
    torch.manual_seed(1)
    tensors = {
        f"{LAYER}.down": torch.randn(2, WIDTH), f"{LAYER}.up": torch.randn(32, 2),
        "head.weight": torch.randn(2, 2 * WIDTH), "head.bias": torch.zeros(2),
    }  # fmt: skip
    save_file(tensors, tmp_path / ADAPTERS, {"classes": "why\nwhere"})
    return tmp_path / ADAPTERS


def test_a_layer_gets_the_product_of_its_adapters() -> None:
    """W + up · down."""
    low = {"a.down": torch.full((2, 3), 0.5), "a.up": torch.full((4, 2), 2.0)}
    merged = merge_adapters({"a.weight": torch.ones(4, 3, dtype=torch.float16)}, low)
    assert torch.equal(merged["a.weight"], torch.full((4, 3), 3.0))


def test_a_request_gets_a_class_and_a_probability(language_model: Path, adapters: Path) -> None:
    """The two likeliest classes; the same words give the same reading; a photo is read."""
    reader = RequestReader.load(language_model, adapters)
    reading = reader.read("w1 w2 w3", with_photo=False)
    assert {reading.name, reading.runner_up} == {"why", "where"}
    assert 0.5 <= reading.probability <= 1
    assert reader.read("w1 w2 w3", with_photo=False) == reading
    assert reader.read("w1 w2 w3", with_photo=True) != reading
    assert reader.read("", with_photo=False).name in reader.classes


def test_a_request_of_any_length_is_read(language_model: Path, adapters: Path) -> None:
    """Its beginning and its end; the middle of a novel does not matter."""
    reader = RequestReader.load(language_model, adapters)
    many = [f"w{n % 60}" for n in range(3000)]
    half = MAX_TOKENS // 2
    short = " ".join([*many[:half], *many[-half:]])
    assert reader.read(" ".join(many), with_photo=False) == reader.read(short, with_photo=False)


@pytest.mark.parametrize("harm", ["truncated", "gone", "foreign", "unnamed"])
def test_what_does_not_fit_is_said_in_one_line(
    language_model: Path, adapters: Path, harm: str
) -> None:
    """With the commands that help."""
    if harm == "truncated":
        adapters.write_bytes(adapters.read_bytes()[:200])
    elif harm == "gone":
        adapters.unlink()
    else:
        tensors = load_file(adapters)
        if harm == "foreign":
            tensors["model.layers.9.mlp.up_proj.down"] = torch.ones(2, WIDTH)
            tensors["model.layers.9.mlp.up_proj.up"] = torch.ones(32, 2)
        save_file(tensors, adapters, {"classes": "why\nwhere"} if harm == "foreign" else None)
    with pytest.raises(SetupError, match=r"cannot be loaded .*unmask setup") as caught:
        RequestReader.load(language_model, adapters)
    assert "\n" not in str(caught.value)


def test_a_chat_model_of_the_users_choice_reads_for_itself(tmp_path: Path) -> None:
    """And without the language model there is no reader."""
    assert load_request_reader(Settings(home=tmp_path, models_dir=tmp_path)) is None
    assert load_request_reader(HERE.model_copy(update={"vlm": "some/model"})) is None


@pytest.fixture(scope="module")
def shipped() -> RequestReader:
    """The shipped reader on the machine's installed language model."""
    reader = load_request_reader(HERE)
    if reader is None:
        pytest.skip("needs the language model: unmask setup")
    return reader


def test_the_shipped_reader_knows_the_classes_that_can_be_planned(shipped: RequestReader) -> None:
    """No class of it would stop a turn."""
    assert {*shipped.classes} == {*known_classes()}


@pytest.mark.parametrize(
    ("text", "with_photo", "name"),
    [
        ("is anybody pretending to be her? please check all we have", True, "find"),
        ("I do not see why H12 should be a forgery", False, "why"),
        ("where in the face of H3 can one see it?", False, "where"),
        ("what do you see in H3?", False, "describe"),
        ("please take H5 out of the list", False, "hide"),
        ("what does inconclusive mean?", False, "term"),
        ("thanks, that helped", False, "thanks"),
        ("do my pictures get uploaded anywhere?", False, "about_privacy"),
        ("what will the weather be like tomorrow?", False, "outside"),
    ],
)
def test_the_shipped_reader_understands(
    shipped: RequestReader, text: str, with_photo: bool, name: str
) -> None:
    """Plain requests in words that no training file holds."""
    assert shipped.read(text, with_photo=with_photo).name == name
